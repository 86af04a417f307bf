//! Facts about clusters as a caller sees them.

mod a_message_a_run;
mod quality;
mod ties;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{
    id::{FindingId, SignalId},
    signal::{Signal, Voice},
    time::Timestamp,
};

fn signal(id: &str, text: &str) -> Signal {
    Signal {
        id: Signal::id_of("test", id),
        source: "test".to_owned(),
        external_id: id.to_owned(),
        at: Timestamp(0),
        author: Some("ann".to_owned()),
        voice: Voice::Person,
        text: text.to_owned(),
        url: None,
        reactions: BTreeMap::new(),
        labels: Vec::new(),
        thread: None,
        account: None,
        private: false,
    }
}

fn signals(texts: &[&str]) -> Vec<Signal> {
    texts
        .iter()
        .enumerate()
        .map(|(n, text)| signal(&n.to_string(), text))
        .collect()
}

fn groups(assignments: &[Assignment]) -> BTreeSet<BTreeSet<SignalId>> {
    let mut by: BTreeMap<Cluster, BTreeSet<SignalId>> = BTreeMap::new();
    for Assignment { signal, cluster } in assignments {
        by.entry(*cluster).or_default().insert(*signal);
    }
    by.into_values().collect()
}

/// How many clusters these texts make.
fn count(texts: &[&str]) -> usize {
    groups(&Index::default().assign(&signals(texts))).len()
}

const REPORTS: &[&str] = &[
    "The invoice export is empty when the customer has no tax number",
    "hi team, invoice exprot is EMPTY if customer has no tax number!!",
    "invoice export empty when customer no tax number has, please fix",
    "Search does not find products with an umlaut in the name",
    "search doesn't find prodcuts with umlauts in their name, thanks",
    "The map on the delivery page stays grey on Firefox",
    "On the delivery page, the map stays gray with Firefox :cry:",
];

#[test]
fn typos_case_greetings_dropped_and_swapped_words_do_not_part_reports() {
    let index = Index::default().assign(&signals(REPORTS));
    let sizes: Vec<usize> = groups(&index).iter().map(BTreeSet::len).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 7);
    assert_eq!(sizes.len(), 3, "{sizes:?}");
}

#[test]
fn the_same_words_about_another_problem_stay_apart() {
    for pair in [
        ["I cannot log in", "I cannot log out"],
        [
            "Users can not login to the shop on mobile",
            "users cannot logout of the shop on mobile",
        ],
        [
            "Export of the product list as CSV fails",
            "Import of the product list as CSV fails",
        ],
        [
            "Error 404 when saving the address",
            "Error 500 when saving the address",
        ],
        [
            "cannot turn on notifications for orders",
            "cannot turn off notifications for orders",
        ],
        [
            "The payment form crashes on Safari",
            "The payment form rounds the amounts down",
        ],
        [
            "Password reset mail never arrives",
            "Password field shows the letters while typing",
        ],
    ] {
        assert_eq!(count(&pair), 2, "{pair:?}");
    }
}

/// Few people say it in the same words.
const WAYS: &[&str] = &[
    "The coupon is taken off one unit only when I order several of an item",
    "Coupon discount counts once although I ordered four units of the item",
    "Bought six mugs with a coupon and it was taken off a single unit of the order",
];

#[test]
fn loosely_alike_reports_are_one_where_nothing_else_is_like_them() {
    assert_eq!(count(WAYS), 1);
    let far: Vec<&str> = WAYS.iter().chain(REPORTS).copied().collect();
    assert_eq!(count(&far), 4);
}

#[test]
fn one_text_said_ten_thousand_times_is_one_cluster() {
    let texts: Vec<Signal> = (0..10_000)
        .map(|n| signal(&n.to_string(), "The export button does nothing"))
        .collect();
    let assignments = Index::default().assign(&texts);
    assert_eq!((assignments.len(), groups(&assignments).len()), (10_000, 1));
}

#[test]
fn texts_without_words_and_hostile_texts_get_a_place() {
    let huge = "crash in the export ".repeat(50_000);
    let token = "z".repeat(1 << 20);
    let texts = [
        "",
        "   ",
        "🎉",
        "🔥🔥",
        "\u{202e}\u{200b}",
        &huge,
        &token,
        "crash in the export",
    ];
    let assignments = Index::default().assign(&signals(&texts));
    assert_eq!(assignments.len(), texts.len());
    assert_ne!(assignments[2].cluster, assignments[3].cluster);
    assert_eq!(assignments[5].cluster, assignments[7].cluster);
}

#[test]
fn clusters_do_not_depend_on_the_order_of_signals() {
    let mut all = signals(REPORTS);
    let forward = Index::default().assign(&all);
    all.reverse();
    let mut backward = Index::default().assign(&all);
    backward.reverse();
    assert_eq!(forward, backward);
}

#[test]
fn a_later_run_finds_the_findings_of_an_earlier_one() {
    let mut first = Index::default();
    let assigned = first.assign(&signals(&REPORTS[..1]));
    let finding = FindingId::named("export");
    let known = Known {
        finding,
        state: first.state(assigned[0].cluster).expect("a state"),
    };
    let mut later = Index::from_known([known]).expect("our own state");
    let found = later.assign(&[signal("a", REPORTS[1]), signal("b", REPORTS[3])]);
    assert_eq!(found[0].cluster, Cluster::Existing(finding));
    assert_eq!(found[1].cluster, Cluster::New(0));
    assert!(
        later
            .state(Cluster::Existing(finding))
            .expect("a state")
            .starts_with("t2.2.")
    );
}

#[test]
fn what_was_merged_into_another_finding_draws_signals_there() {
    let mut first = Index::default();
    let assigned = first.assign(&signals(&[REPORTS[0], REPORTS[3]]));
    let state = |n: usize| first.state(assigned[n].cluster).expect("a state");
    let target = FindingId::named("target");
    let known = [
        Known {
            finding: target,
            state: state(0),
        },
        Known {
            finding: target,
            state: state(1),
        },
    ];
    let mut later = Index::from_known(known).expect("our own states");
    let found = later.assign(&[signal("a", REPORTS[1]), signal("b", REPORTS[4])]);
    assert!(found.iter().all(|one| one.cluster == Cluster::Existing(target)));
}

#[test]
fn two_known_findings_are_never_united() {
    let mut first = Index::default();
    let assigned = first.assign(&signals(&REPORTS[..1]));
    let state = first.state(assigned[0].cluster).expect("a state");
    let (a, b) = (FindingId::named("a"), FindingId::named("b"));
    let mut later = Index::from_known([
        Known {
            finding: a,
            state: state.clone(),
        },
        Known { finding: b, state },
    ])
    .expect("our own states");
    later.assign(&signals(&REPORTS[1..3]));
    assert!(later.state(Cluster::Existing(a)).is_some() && later.state(Cluster::Existing(b)).is_some());
}

#[test]
fn replies_go_where_the_message_went_that_they_answer() {
    let reply = |id: &str, to: &str, text: &str| Signal {
        thread: Some(to.to_owned()),
        ..signal(id, text)
    };
    let said = [
        signal("1", REPORTS[0]),
        reply("2", "1", "same here"),
        reply("3", "2", "also with a new account"),
        reply("4", "1", REPORTS[3]),
        signal("5", REPORTS[4]),
        reply("6", "gone", "+1"),
        reply("7", "8", "me too"),
        reply("8", "7", "me too"),
    ];
    let found: BTreeMap<SignalId, Cluster> = Index::default()
        .assign(&said)
        .into_iter()
        .map(|one| (one.signal, one.cluster))
        .collect();
    let of = |n: usize| found.get(&said[n - 1].id);
    assert!(
        of(2) == of(1) && of(3) == of(1),
        "replies follow, also over two steps"
    );
    assert!(
        of(4) == of(5) && of(4) != of(1),
        "unless they speak plainly of another problem"
    );
    assert_eq!(
        (of(6), of(7), of(8)),
        (None, None, None),
        "agreeing with nothing known says nothing"
    );
}

#[test]
fn a_reply_finds_a_message_of_an_earlier_run() {
    let finding = FindingId::named("old");
    let mut index = Index::default().with_signals([(Signal::id_of("test", "1"), finding)]);
    let reply = Signal {
        thread: Some("1".to_owned()),
        ..signal("2", "same problem for us")
    };
    assert_eq!(index.assign(&[reply])[0].cluster, Cluster::Existing(finding));
}

#[test]
fn machines_are_compared_by_what_is_left_after_masking() {
    let report = |id: &str, text: &str| Signal {
        voice: Voice::Machine,
        ..signal(id, text)
    };
    let said = [
        report("1", "job 17 failed: ValueError: bad price in /srv/a/cart.py:12"),
        report("2", "job 18 failed: ValueError: bad price in /srv/b/cart.py:14"),
        report("3", "job 18 failed: KeyError: sku in /srv/b/cart.py:14"),
        signal("4", "job 17 failed: ValueError: bad price in /srv/a/cart.py:12"),
    ];
    let found = Index::default().assign(&said);
    assert_eq!(found[0].cluster, found[1].cluster);
    assert_ne!(found[0].cluster, found[2].cluster);
    assert_ne!(
        found[0].cluster, found[3].cluster,
        "a person who quotes a log is not the log"
    );
}

proptest! {
    #[test]
    fn any_texts_in_any_order_give_the_same_clusters(
        texts in proptest::collection::vec("[a-dA-D ü🎉<>@:/.'0-9]{0,40}|cannot log (in|out)|the (export|import) is (empty|slow)( today)?", 0..24),
        turn in 0usize..24,
    ) {
        let all: Vec<Signal> = texts.iter().enumerate().map(|(n, text)| signal(&n.to_string(), text)).collect();
        let mut turned = all.clone();
        turned.rotate_left(turn.min(all.len()));
        turned.reverse();
        let place = |list: &[Signal]| Index::default().assign(list).into_iter()
            .map(|one| (one.signal, one.cluster)).collect::<BTreeMap<_, _>>();
        prop_assert_eq!(place(&all).len(), all.len());
        prop_assert_eq!(place(&all), place(&turned));
    }
}
