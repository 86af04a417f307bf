//! How much a finding matters: people before volume, lately before long ago. Every part of a score can be shown.
//!
//! With d = 0.5^(age / half-life) for each signal:
//!
//! - `people`: 3 · the sum, over different people, of d of the last thing that each said;
//! - `volume`: 2.5 · v / (v + 10), v being the sum of d over all signals but the first: less than one person, whatever v;
//! - `reactions`: ln(1 + the sum of d · reactions);
//! - `recency`: 2 · d of the last signal;
//! - `severity`: 1.5 · d · the gravest of the words and labels said, from 0 to 1;
//! - `trend`: 1.5 · (r − b) / (r + b), r being the people of the last half-life and b those of the one before, where more
//!   than one person spoke lately and r is more than b.
//!
//! And by the weights that a loop may name, each only where something bears it:
//!
//! - `labels`: the sum, over the weighted labels, of weight · d of the last signal that bears it;
//! - `customers`: 3 · the sum, over people whose name has a weight w, of (w − 1) · d: they count as w people;
//! - `area`: d of the last signal · the weight, farthest from 0, of an owner whose paths the signals name.

mod weigh;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

pub use weigh::weighed;

use crate::{
    signal::{Signal, Voice, severity},
    time::Timestamp,
};

/// A score and the parts that it is the sum of, so that "why is this first" has an answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The sum of the parts. Larger is more pressing; the scale has no upper end.
    pub total: f64,
    /// Each part: what it is for (`people`, `volume`, `reactions`, `recency`, `severity`, `trend`; with weights `labels`,
    /// `customers`, `area`), and what it adds.
    pub parts: Vec<(String, f64)>,
}

/// What counts of a signal. Kept apart from the signal, so that a score outlives erased words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// When it was said.
    pub at: Timestamp,
    /// The person, by source and name; people without a name count as one. Nothing where a machine spoke.
    pub person: Option<String>,
    /// How many reactions it got, of whatever kind.
    pub reactions: u32,
    /// How grave it sounds, from 0 to 1.
    pub severity: f32,
    /// The labels that it bears.
    #[serde(default)]
    pub labels: Vec<String>,
    /// The paths of the repository that it seems to name.
    #[serde(default)]
    pub paths: Vec<String>,
}

impl Fact {
    /// What counts of this signal.
    pub fn of(signal: &Signal) -> Self {
        let name = signal.author.as_deref().unwrap_or_default().trim();
        Self {
            at: signal.at,
            person: (signal.voice == Voice::Person).then(|| name.to_owned()),
            reactions: signal
                .reactions
                .values()
                .fold(0, |sum, count| sum.saturating_add(*count)),
            severity: severity(signal),
            labels: signal.labels.clone(),
            paths: weigh::paths(&signal.text),
        }
    }
}

/// How many different people are among the facts.
pub fn people(facts: &[Fact]) -> u32 {
    let names: std::collections::BTreeSet<&String> =
        facts.iter().filter_map(|fact| fact.person.as_ref()).collect();
    u32::try_from(names.len()).unwrap_or(u32::MAX)
}

/// What a part of a score is for, for a person.
pub fn explained(part: &str) -> &'static str {
    match part {
        "people" => "3 for each person, less the longer ago they spoke",
        "volume" => "more signals than one, never as much as one person",
        "reactions" => "thumbs and the like, each adding less",
        "recency" => "up to 2 for how lately it was reported",
        "severity" => "up to 1.5 for grave words and labels",
        "trend" => "up to 1.5 where more people report it than before",
        "labels" => "by `triage.weights.labels`",
        "customers" => "by `triage.weights.customers`: they count as several people",
        "area" => "by `triage.weights.areas`: the code that the reports name",
        _ => "as an older loops counted it",
    }
}

/// The score of a finding with these signals. What is said in the future counts as said now; a half-life of zero
/// counts as one millisecond.
pub fn score(facts: &[Fact], now: Timestamp, half_life: Duration) -> Score {
    let half_life = half_life.as_secs_f64().max(0.001);
    let fresh = |at: Timestamp| 0.5_f64.powf(now.since(at).as_secs_f64() / half_life);
    let mut people: BTreeMap<&str, f64> = BTreeMap::new();
    let (mut volume, mut reactions, mut last, mut severity) = (0.0, 0.0, 0.0_f64, 0.0_f64);
    for fact in facts {
        let d = fresh(fact.at);
        if let Some(person) = &fact.person {
            let best = people.entry(person).or_default();
            *best = best.max(d);
        }
        volume += d;
        reactions += d * f64::from(fact.reactions);
        last = last.max(d);
        severity = severity.max(d * f64::from(fact.severity.clamp(0.0, 1.0)));
    }
    let beyond = (volume - last).max(0.0);
    let parts = [
        ("people", 3.0 * people.values().sum::<f64>()),
        ("volume", 2.5 * beyond / (beyond + 10.0)),
        ("reactions", reactions.ln_1p()),
        ("recency", 2.0 * last),
        ("severity", 1.5 * severity),
        ("trend", trend(facts, now, half_life)),
    ];
    Score {
        total: parts.iter().map(|(_, part)| part).sum(),
        parts: parts
            .into_iter()
            .map(|(name, part)| (name.to_owned(), part))
            .collect(),
    }
}

/// See the top: more people than before, where that is more than one person.
fn trend(facts: &[Fact], now: Timestamp, half_life: f64) -> f64 {
    let mut spoke: [std::collections::BTreeSet<&str>; 2] = Default::default();
    for fact in facts {
        let ago = now.since(fact.at).as_secs_f64() / half_life;
        if let Some(person) = &fact.person
            && ago < 2.0
        {
            spoke[usize::from(ago >= 1.0)].insert(person);
        }
    }
    let [lately, before] = spoke.map(|people| people.len() as f64);
    if lately < 2.0 || lately <= before {
        return 0.0;
    }
    1.5 * (lately - before) / (lately + before)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;
    const NOW: Timestamp = Timestamp(100 * DAY);

    fn fact(person: &str, days_ago: i64) -> Fact {
        Fact {
            at: Timestamp(NOW.0 - days_ago * DAY),
            person: Some(person.to_owned()),
            reactions: 0,
            severity: 0.0,
            labels: Vec::new(),
            paths: Vec::new(),
        }
    }

    fn total(facts: &[Fact]) -> f64 {
        score(facts, NOW, Duration::from_secs(14 * 86_400)).total
    }

    #[test]
    fn no_volume_outweighs_one_more_person() {
        let loud: Vec<Fact> = (0..10_000).map(|_| fact("ann", 0)).collect();
        assert!(total(&loud) < total(&[fact("ann", 0), fact("bob", 0)]));
    }

    #[test]
    fn a_score_halves_with_each_half_life() {
        let (now, then) = (total(&[fact("ann", 0)]), total(&[fact("ann", 14)]));
        assert!((then / now - 0.5).abs() < 1e-9, "{now} {then}");
    }

    #[test]
    fn reactions_add_less_and_less() {
        let with = |reactions| {
            total(&[Fact {
                reactions,
                ..fact("ann", 0)
            }])
        };
        assert!(with(1) > with(0) && with(10) - with(9) < with(1) - with(0));
        assert!(with(u32::MAX) < with(0) + 23.0);
    }

    #[test]
    fn every_part_is_named_and_they_add_up() {
        let score = score(
            &[Fact {
                reactions: 3,
                severity: 1.0,
                ..fact("ann", 2)
            }],
            NOW,
            Duration::from_secs(86_400),
        );
        let names: Vec<&str> = score.parts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["people", "volume", "reactions", "recency", "severity", "trend"]
        );
        assert!((score.parts.iter().map(|(_, part)| part).sum::<f64>() - score.total).abs() < 1e-9);
    }

    #[test]
    fn odd_times_give_finite_scores() {
        let future = Fact {
            at: Timestamp(i64::MAX),
            ..fact("ann", 0)
        };
        assert!((total(&[future]) - total(&[fact("ann", 0)])).abs() < 1e-9);
        assert!(score(&[fact("ann", 1)], NOW, Duration::ZERO).total.is_finite());
        assert_eq!(total(&[]), 0.0);
    }

    #[test]
    fn more_people_than_before_is_a_trend_and_one_loud_person_is_none() {
        let trend = |facts: &[Fact]| {
            let parts = score(facts, NOW, Duration::from_secs(14 * 86_400)).parts;
            parts.into_iter().find(|(name, _)| name == "trend").unwrap().1
        };
        let rising = [fact("ann", 1), fact("bob", 2), fact("cem", 3), fact("dan", 20)];
        assert!((trend(&rising) - 0.75).abs() < 1e-9);
        assert_eq!(trend(&[fact("ann", 1), fact("bob", 20), fact("cem", 21)]), 0.0);
        assert_eq!(trend(&[fact("ann", 0), fact("ann", 1), fact("ann", 2)]), 0.0);
    }
}
