//! Feedback as it comes in life: a message a run, with nothing kept between runs but the states. What converges must be
//! as obvious then as when all is read at once.

use super::{Assignment, BTreeMap, BTreeSet, Cluster, FindingId, Index, Known, signal};
use crate::{
    id::SignalId,
    signal::{Signal, is_noise},
};

/// The feedback of the demo that is no noise and no reply: three problems and a wish.
const DEMO: &str = include_str!("demo-feedback.jsonl");

fn demo() -> Vec<(String, Signal)> {
    let read = |line: &str| {
        let value: BTreeMap<String, String> = serde_json::from_str(line).unwrap();
        (value["problem"].clone(), signal(&value["id"], &value["text"]))
    };
    DEMO.lines()
        .map(read)
        .filter(|(_, signal)| is_noise(signal).is_none())
        .collect()
}

/// Findings and states as a store keeps them from run to run.
#[derive(Default)]
pub(super) struct Kept {
    states: BTreeMap<FindingId, String>,
    pub(super) findings: BTreeMap<SignalId, FindingId>,
}

impl Kept {
    /// One run over some signals.
    pub(super) fn take(&mut self, signals: &[Signal]) {
        let known = self.states.iter().map(|(finding, state)| Known {
            finding: *finding,
            state: state.clone(),
        });
        let mut index = Index::from_known(known).unwrap();
        let mut named = BTreeMap::new();
        for Assignment { signal, cluster } in index.assign(signals) {
            let finding = match cluster {
                Cluster::Existing(finding) => finding,
                Cluster::New(_) => *named
                    .entry(cluster)
                    .or_insert_with(|| FindingId::named(&signal.to_string())),
            };
            self.states.insert(finding, index.state(cluster).unwrap());
            self.findings.insert(signal, finding);
        }
    }

    /// The problems that each finding holds.
    fn problems<'a>(&self, said: &'a [(String, Signal)]) -> Vec<BTreeSet<&'a str>> {
        let mut of: BTreeMap<FindingId, BTreeSet<&str>> = BTreeMap::new();
        for (problem, signal) in said {
            of.entry(self.findings[&signal.id]).or_default().insert(problem);
        }
        of.into_values().collect()
    }
}

fn one_by_one(said: &[(String, Signal)]) -> Vec<BTreeSet<&str>> {
    let mut kept = Kept::default();
    for (_, signal) in said {
        kept.take(std::slice::from_ref(signal));
    }
    kept.problems(said)
}

#[test]
fn a_message_a_run_makes_the_findings_that_all_at_once_make() {
    let said = demo();
    let mut at_once = Kept::default();
    at_once.take(&said.iter().map(|(_, signal)| signal.clone()).collect::<Vec<_>>());
    let (at_once, one_by_one) = (at_once.problems(&said), one_by_one(&said));
    assert!(
        at_once.iter().chain(&one_by_one).all(|one| one.len() == 1),
        "{one_by_one:?}"
    );
    assert_eq!((at_once.len(), one_by_one.len()), (4, 4));
}

/// The order in which people happen to write is not theirs to choose.
#[test]
fn in_whatever_order_they_come_messages_are_never_mixed_and_hardly_ever_scattered() {
    let mut findings = Vec::new();
    for turn in 0..12 {
        let mut said = demo();
        said.sort_by_key(|(_, signal)| Signal::id_of("turn", &format!("{turn} {}", signal.external_id)));
        let found = one_by_one(&said);
        assert!(found.iter().all(|one| one.len() == 1), "{turn}: {found:?}");
        findings.push(found.len());
    }
    assert!(
        findings.iter().all(|count| *count <= 6) && findings.iter().sum::<usize>() <= 12 * 5,
        "{findings:?}"
    );
}

const CRASH: [&str; 3] = [
    "The page of a product without ratings crashes with ZeroDivisionError: division by zero",
    "ZeroDivisionError: division by zero on products that have no ratings yet",
    "Opening a new product that has no ratings crashes: ZeroDivisionError division by zero",
];

#[test]
fn three_short_reports_of_one_crash_are_one_finding_at_once_and_in_any_order() {
    assert_eq!(super::count(&CRASH), 1);
    for [a, b, c] in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let said = [a, b, c].map(|n: usize| ("crash".to_owned(), signal(&n.to_string(), CRASH[n])));
        assert_eq!(one_by_one(&said).len(), 1, "{a} {b} {c}");
    }
}

/// What a known finding says in part, another one says as well: who reads decides.
#[test]
fn a_message_that_two_known_findings_could_have_said_opens_its_own() {
    let said = [
        "mango tulip bronze yacht whisky juniper flock cedar",
        "mango tulip garlic hockey pigeon velvet salmon ribbon",
        "mango tulip bronze garlic quartz nylon",
    ]
    .map(|text| (text.to_owned(), signal(text, text)));
    assert_eq!(one_by_one(&said).len(), 3);
    let [first, _, last] = said;
    assert_eq!(
        one_by_one(&[first, last]).len(),
        1,
        "a control: with one of them it is plain"
    );
}
