//! How well five hundred messages of our own are clustered; see `feedback-500.md` beside this file for what they are.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Assignment, Index, signal};
use crate::{cluster::Cluster, id::SignalId, signal::Signal};

const SET: &str = include_str!("feedback-500.jsonl");

#[derive(Debug, Deserialize)]
struct Message {
    id: String,
    lang: String,
    kind: String,
    problem: String,
    text: String,
}

fn messages() -> Vec<Message> {
    SET.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Precision and recall.
#[derive(Debug, Clone, Copy)]
struct Quality {
    precision: f64,
    recall: f64,
}

impl Quality {
    fn f1(self) -> f64 {
        2.0 * self.precision * self.recall / (self.precision + self.recall)
    }
}

/// Over pairs of those messages for which `counts` holds of both.
fn pairwise(found: &[(&Message, Cluster)], counts: impl Fn(&Message, &Message) -> bool) -> Quality {
    let (mut both, mut together, mut true_pairs) = (0.0, 0.0, 0.0);
    for (n, (a, in_a)) in found.iter().enumerate() {
        for (b, in_b) in &found[n + 1..] {
            if counts(a, b) {
                let (same, put) = (a.problem == b.problem, in_a == in_b);
                both += f64::from(u8::from(same && put));
                together += f64::from(u8::from(put));
                true_pairs += f64::from(u8::from(same));
            }
        }
    }
    Quality {
        precision: both / together,
        recall: both / true_pairs,
    }
}

/// B-cubed (Bagga and Baldwin, 1998): the mean, over messages, of how pure and how whole its cluster is.
fn b_cubed(found: &[(&Message, Cluster)]) -> Quality {
    let (mut precision, mut recall) = (0.0, 0.0);
    for (message, cluster) in found {
        let mine = found.iter().filter(|(_, other)| other == cluster);
        let (right, put) = mine.fold((0.0, 0.0), |(right, put), (other, _)| {
            (
                right + f64::from(u8::from(other.problem == message.problem)),
                put + 1.0,
            )
        });
        let all = found
            .iter()
            .filter(|(other, _)| other.problem == message.problem)
            .count();
        precision += right / put;
        recall += right / all as f64;
    }
    Quality {
        precision: precision / found.len() as f64,
        recall: recall / found.len() as f64,
    }
}

fn found(messages: &[Message]) -> Vec<(&Message, Cluster)> {
    let signals: Vec<Signal> = messages.iter().map(|one| signal(&one.id, &one.text)).collect();
    let places: HashMap<SignalId, Cluster> = Index::default()
        .assign(&signals)
        .into_iter()
        .map(|Assignment { signal, cluster }| (signal, cluster))
        .collect();
    let of = |one: &Message| places[&Signal::id_of("test", &one.id)];
    messages.iter().map(|one| (one, of(one))).collect()
}

#[test]
fn look() {
    let messages = messages();
    let found = found(&messages);
    let q =
        |name: &str, q: Quality| println!("{name}: p {:.3} r {:.3} f1 {:.3}", q.precision, q.recall, q.f1());
    q("all", pairwise(&found, |_, _| true));
    q("lang", pairwise(&found, |a, b| a.lang == b.lang));
    let loose = |m: &Message| ["loose", "other_language"].contains(&m.kind.as_str());
    q(
        "tight",
        pairwise(&found, |a, b| a.lang == b.lang && !loose(a) && !loose(b)),
    );
    q(
        "loose",
        pairwise(&found, |a, b| a.lang == b.lang && (loose(a) || loose(b))),
    );
    q("b3", b_cubed(&found));
    for lang in ["en", "de", "es", "fr", "pt", "it", "pl", "ru", "ja", "zh"] {
        q(
            lang,
            pairwise(&found, |a, b| {
                a.lang == lang && b.lang == lang && !loose(a) && !loose(b)
            }),
        );
    }
    let mut by: BTreeMap<Cluster, Vec<&Message>> = BTreeMap::new();
    for (m, c) in &found {
        by.entry(*c).or_default().push(m);
    }
    for ms in by.values() {
        if ms.iter().map(|m| &m.problem).collect::<HashSet<_>>().len() > 1 {
            println!("--- mixed");
            for m in ms {
                println!(
                    "   {} {:?}",
                    m.problem,
                    m.text.chars().take(100).collect::<String>()
                );
            }
        }
    }
    let mut byp: BTreeMap<(&str, &str), BTreeMap<Cluster, Vec<&Message>>> = BTreeMap::new();
    for (m, c) in &found {
        if !loose(m) {
            byp.entry((&m.lang, &m.problem))
                .or_default()
                .entry(*c)
                .or_default()
                .push(m);
        }
    }
    for (p, cs) in byp {
        if cs.len() > 1 {
            println!("--- split {p:?}");
            for ms in cs.values() {
                println!("  *");
                for m in ms {
                    println!("     {:?}", m.text.chars().take(100).collect::<String>());
                }
            }
        }
    }
    println!("{}", hex::encode(Sha256::digest(SET)));
}
