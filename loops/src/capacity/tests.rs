use proptest::prelude::*;

use super::*;

const DAY: i64 = 86_400_000;
const NOW: Timestamp = Timestamp(1_000 * DAY);

fn limits() -> Limits {
    Limits::default()
}

fn carol() -> Reviewer {
    Reviewer::named("@Carol")
}

fn waits(days: i64, reviewers: &[Reviewer]) -> Waiting {
    Waiting {
        since: Timestamp(NOW.0 - days * DAY),
        reviewers: reviewers.to_vec(),
    }
}

fn start(waiting: &[Waiting], next: &Next) -> u32 {
    room(&limits(), waiting, next, NOW).unwrap().start
}

#[test]
fn what_waits_longer_counts_more_and_one_forgotten_proposal_stops_nobody() {
    let next = Next::All(vec![carol()]);
    let starts = [0, 3, 6, 300].map(|days| start(&[waits(days, &[carol()])], &next));
    assert_eq!(starts, [4, 3, 2, 2]);
    assert_eq!(
        start(&[waits(6, &[carol()]), waits(6, &[carol()])], &next),
        0,
        "two do"
    );
}

#[test]
fn the_most_burdened_of_those_who_will_be_asked_decides_and_of_a_group_the_freest_are() {
    let [dave, erin, idle] = ["dave", "erin", "idle"].map(Reviewer::named);
    let waiting = [
        waits(0, &[carol()]),
        waits(0, &[carol(), dave.clone()]),
        waits(0, &[carol(), erin.clone()]),
    ];
    let all = vec![carol(), dave.clone(), erin.clone()];
    assert_eq!(start(&waiting, &Next::All(all.clone())), 2);
    assert_eq!(start(&waiting, &Next::Each(vec![all])), 4, "two are asked");
    let each = Next::Each(vec![vec![idle.clone()], vec![carol()], vec![dave.clone(), erin]]);
    assert_eq!(
        start(&waiting, &each),
        2,
        "who is idle makes no room for who is not"
    );
    let idle = Next::Each(vec![vec![idle, dave]]);
    assert_eq!(start(&waiting, &idle), 4);
    assert_eq!(room(&limits(), &waiting, &Next::Each(vec![vec![]]), NOW), None);
    assert_eq!(room(&limits(), &waiting, &Next::All(vec![]), NOW), None);
}

#[test]
fn a_reviewer_is_the_same_however_the_name_is_written_and_counted_once() {
    let twice = waits(0, &[Reviewer::named("carol"), Reviewer::named("@CAROL")]);
    let all = loads(&limits(), &[twice], NOW);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].waiting, 1);
}

#[test]
fn the_words_say_for_whom_what_waits_how_long_and_what_it_counts() {
    let all = loads(&limits(), &[waits(4, &[carol()]), waits(0, &[carol()])], NOW);
    assert_eq!(
        all[0].words(&limits()),
        "2 things wait for `carol`, the oldest for 4 days: that counts as 3 of 5 (`review.per_reviewer`)"
    );
    assert_eq!(age(Duration::from_secs(90 * 60)), "1 hour");
}

#[test]
fn at_most_two_owners_are_asked_those_with_the_least_to_do() {
    let owners: Vec<Owner> = ["@carol", "@acme/core", "@dave", "x@example.com"]
        .iter()
        .map(|name| Owner::parse(name).unwrap())
        .collect();
    let waiting = [waits(0, &[carol()])];
    let asked = ask(&limits(), &waiting, &owners, NOW);
    assert_eq!(asked, ["@acme/core", "@dave"]);
    assert_eq!(
        ask(&limits(), &[], &owners, NOW),
        ["@carol", "@acme/core"],
        "who owns the most is asked first"
    );
}

fn things() -> impl Strategy<Value = Vec<Waiting>> {
    let one = (0..40i64, proptest::collection::vec(0..3u8, 0..3)).prop_map(|(days, who)| {
        let who: Vec<Reviewer> = who.iter().map(|n| Reviewer::named(&format!("r{n}"))).collect();
        waits(days, &who)
    });
    proptest::collection::vec(one, 0..12)
}

fn next() -> impl Strategy<Value = Next> {
    (proptest::collection::vec(0..3u8, 1..4), any::<bool>()).prop_map(|(who, all)| {
        let who: Vec<Reviewer> = who.iter().map(|n| Reviewer::named(&format!("r{n}"))).collect();
        if all {
            Next::All(who)
        } else {
            Next::Each(who.chunks(2).map(<[Reviewer]>::to_vec).collect())
        }
    })
}

proptest! {
    #[test]
    fn more_that_waits_never_lets_more_be_started(waiting in things(), more in things(), next in next()) {
        let before = start(&waiting, &next);
        let after = start(&[waiting, more].concat(), &next);
        prop_assert!(after <= before);
    }

    #[test]
    fn longer_waiting_never_lets_more_be_started(waiting in things(), days in 0..40i64, next in next()) {
        let older: Vec<Waiting> = waiting
            .iter()
            .map(|thing| Waiting { since: Timestamp(thing.since.0 - days * DAY), ..thing.clone() })
            .collect();
        prop_assert!(start(&older, &next) <= start(&waiting, &next));
    }

    #[test]
    fn for_nobody_more_is_started_than_the_limit(waiting in things(), next in next()) {
        prop_assert!(start(&waiting, &next) <= limits().per_reviewer);
    }
}
