//! What a loop's own weights add to a score: labels, customers, and areas of the code. Without weights a score is what
//! it is by itself.

use std::{collections::BTreeMap, time::Duration};

use globset::Glob;

use super::{Fact, Score, score};
use crate::{owners::Owners, spec::Weights, time::Timestamp};

/// No more paths of one signal are looked at.
const MAX_PATHS: usize = 20;

/// The score of a finding with these signals, with what the loop's weights add. `owners` are those of the base branch,
/// where they are known.
pub fn weighed(
    facts: &[Fact],
    now: Timestamp,
    half_life: Duration,
    weights: &Weights,
    owners: Option<&Owners>,
) -> Score {
    let mut whole = score(facts, now, half_life);
    if weights.is_empty() {
        return whole;
    }
    let half_life = half_life.as_secs_f64().max(0.001);
    let fresh = |fact: &Fact| 0.5_f64.powf(now.since(fact.at).as_secs_f64() / half_life);
    let latest = |fits: &dyn Fn(&Fact) -> bool| {
        facts
            .iter()
            .filter(|fact| fits(fact))
            .map(fresh)
            .fold(0.0, f64::max)
    };
    let labels: f64 = weights
        .labels
        .iter()
        .map(|(label, weight)| {
            weight * latest(&|fact| fact.labels.iter().any(|there| there.eq_ignore_ascii_case(label)))
        })
        .sum();
    let mut people: BTreeMap<&str, f64> = BTreeMap::new();
    for fact in facts {
        if let Some(person) = fact.person.as_deref() {
            let best = people.entry(person).or_default();
            *best = best.max(fresh(fact));
        }
    }
    let customers: f64 = people
        .iter()
        .map(|(person, d)| 3.0 * (worth(weights, person) - 1.0) * d)
        .sum();
    let area = owners.map_or(0.0, |owners| area(facts, weights, owners)) * latest(&|_| true);
    for (name, part) in [("labels", labels), ("customers", customers), ("area", area)] {
        if part != 0.0 {
            whole.total += part;
            whole.parts.push((name.to_owned(), part));
        }
    }
    whole
}

/// As how many people this one counts.
fn worth(weights: &Weights, person: &str) -> f64 {
    weights
        .customers
        .iter()
        .filter(|(glob, _)| Glob::new(glob).is_ok_and(|glob| glob.compile_matcher().is_match(person)))
        .map(|(_, worth)| *worth)
        .max_by(f64::total_cmp)
        .unwrap_or(1.0)
}

/// The weight, farthest from 0, of an owner whose paths are named.
fn area(facts: &[Fact], weights: &Weights, owners: &Owners) -> f64 {
    facts
        .iter()
        .flat_map(|fact| &fact.paths)
        .flat_map(|path| owners.of(path))
        .filter_map(|owner| weights.areas.get(&owner.to_string()).copied())
        .max_by(|a, b| a.abs().total_cmp(&b.abs()))
        .unwrap_or(0.0)
}

/// What looks like a path of a repository in a text: parts between slashes with an ending, as logs and people write them.
pub(super) fn paths(text: &str) -> Vec<String> {
    let is_of_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '@' | '+');
    let mut paths: Vec<String> = text
        .split(|c: char| !is_of_path(c))
        .filter(|word| (4..=200).contains(&word.len()) && word.contains('/') && !word.contains("//"))
        .map(|word| word.trim_start_matches("./").trim_matches(['/', '.']))
        .filter(|word| {
            word.rsplit('/').next().is_some_and(|file| {
                file.rsplit_once('.')
                    .is_some_and(|(name, ending)| !name.is_empty() && (1..=8).contains(&ending.len()))
            })
        })
        .take(MAX_PATHS)
        .map(str::to_owned)
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400_000;
    const NOW: Timestamp = Timestamp(100 * DAY);
    const HALF: Duration = Duration::from_secs(14 * 86_400);

    fn fact(person: &str, days_ago: i64, labels: &[&str], text: &str) -> Fact {
        Fact {
            at: Timestamp(NOW.0 - days_ago * DAY),
            person: Some(person.to_owned()),
            reactions: 0,
            severity: 0.0,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            paths: paths(text),
        }
    }

    fn weights() -> Weights {
        Weights {
            labels: BTreeMap::from([("p0".to_owned(), 4.0), ("wontfix".to_owned(), -3.0)]),
            customers: BTreeMap::from([("acme-*".to_owned(), 5.0), ("acme-intern".to_owned(), 1.0)]),
            areas: BTreeMap::from([("@acme/checkout".to_owned(), 2.0)]),
        }
    }

    fn part(score: &Score, name: &str) -> f64 {
        score
            .parts
            .iter()
            .find(|(there, _)| there == name)
            .map_or(0.0, |(_, part)| *part)
    }

    #[test]
    fn a_customer_counts_as_so_many_people() {
        let with = weighed(&[fact("acme-joe", 0, &[], "")], NOW, HALF, &weights(), None);
        assert!((part(&with, "people") + part(&with, "customers") - 15.0).abs() < 1e-9);
        let other = weighed(&[fact("joe", 0, &[], "")], NOW, HALF, &weights(), None);
        assert_eq!(part(&other, "customers"), 0.0);
    }

    #[test]
    fn a_label_adds_its_weight_once_and_fades() {
        let both = [fact("ann", 0, &["P0"], ""), fact("bob", 14, &["p0"], "")];
        assert!((part(&weighed(&both, NOW, HALF, &weights(), None), "labels") - 4.0).abs() < 1e-9);
        let later = weighed(&both[1..], NOW, HALF, &weights(), None);
        assert!((part(&later, "labels") - 2.0).abs() < 1e-9);
        let refused = weighed(&[fact("ann", 0, &["wontfix"], "")], NOW, HALF, &weights(), None);
        assert!(refused.total < weighed(&[fact("ann", 0, &[], "")], NOW, HALF, &weights(), None).total);
    }

    #[test]
    fn an_area_counts_where_its_paths_are_named_and_its_owner_is_known() {
        let owners = Owners::parse("/cart/ @acme/checkout\n");
        let said = [fact("ann", 0, &[], "TypeError in ./cart/total.py:12 after login")];
        let area = |owners| part(&weighed(&said, NOW, HALF, &weights(), owners), "area");
        assert_eq!((area(Some(&owners)), area(None)), (2.0, 0.0));
        let elsewhere = [fact("ann", 0, &[], "TypeError in web/total.py")];
        assert_eq!(
            part(&weighed(&elsewhere, NOW, HALF, &weights(), Some(&owners)), "area"),
            0.0
        );
    }

    #[test]
    fn links_and_fractions_are_no_paths() {
        assert_eq!(
            paths("see https://shop.example/a.html and 1/2. or and/or"),
            Vec::<String>::new()
        );
        assert_eq!(
            paths("(src/cart.rs:3) \"./lib/a-b/x.ts\""),
            ["lib/a-b/x.ts", "src/cart.rs"]
        );
    }

    proptest! {
        #[test]
        fn one_more_person_never_lowers_a_score_and_no_order_changes_it(
            said in proptest::collection::vec(("[a-e]", 0i64..60, 0u32..5), 1..12), more in 0i64..60,
        ) {
            let facts: Vec<Fact> = said
                .iter()
                .map(|(person, days, reactions)| Fact { reactions: *reactions, ..fact(person, *days, &[], "") })
                .collect();
            let total = |facts: &[Fact]| weighed(facts, NOW, HALF, &weights(), None).total;
            let turned: Vec<Fact> = facts.iter().rev().cloned().collect();
            prop_assert!((total(&facts) - total(&turned)).abs() < 1e-9);
            let with: Vec<Fact> = facts.iter().cloned().chain([fact("somebody new", more, &[], "")]).collect();
            // Somebody who spoke long ago makes a trend smaller by no more than they add.
            prop_assert!(total(&with) > total(&facts) - 1.5);
            let score = weighed(&with, NOW, HALF, &weights(), None);
            prop_assert!((score.parts.iter().map(|(_, part)| part).sum::<f64>() - score.total).abs() < 1e-9);
        }

        #[test]
        fn one_more_person_today_always_raises_a_score(
            said in proptest::collection::vec(("[a-e]", 0i64..60, 0u32..5), 1..12),
        ) {
            let facts: Vec<Fact> = said
                .iter()
                .map(|(person, days, reactions)| Fact { reactions: *reactions, ..fact(person, *days, &[], "") })
                .collect();
            let with: Vec<Fact> = facts.iter().cloned().chain([fact("somebody new", 0, &[], "")]).collect();
            let total = |facts: &[Fact]| weighed(facts, NOW, HALF, &weights(), None).total;
            prop_assert!(total(&with) > total(&facts));
        }
    }
}
