//! What people said about what is one problem wins over likeness.

use super::{
    Assignment, BTreeMap, Cluster, FindingId, Index, Known, Party, REPORTS, Signal, SignalId, Tie, Ties,
    Voice, signal,
};

fn party(id: &str) -> Party {
    Party::Signal(Signal::id_of("test", id))
}

fn places(assignments: &[Assignment]) -> BTreeMap<SignalId, Cluster> {
    assignments.iter().map(|one| (one.signal, one.cluster)).collect()
}

/// Where each of some signals is put, given forwards, and the same given backwards.
fn assign(ties: &[Tie], known: &[Known], signals: &[Signal]) -> BTreeMap<SignalId, Cluster> {
    let index = || {
        Index::from_known(known.to_vec())
            .unwrap()
            .with_ties(Ties::new(ties.to_vec()))
    };
    let mut backwards = signals.to_vec();
    backwards.reverse();
    let placed = places(&index().assign(signals));
    assert_eq!(
        placed,
        places(&index().assign(&backwards)),
        "the order of signals does not matter"
    );
    placed
}

fn of(placed: &BTreeMap<SignalId, Cluster>, id: &str) -> Cluster {
    placed[&Signal::id_of("test", id)]
}

/// A finding that an earlier run made of one text.
fn known(name: &str, text: &str) -> Known {
    let mut index = Index::default();
    let cluster = index.assign(&[signal(name, text)])[0].cluster;
    Known {
        finding: FindingId::named(name),
        state: index.state(cluster).unwrap(),
    }
}

fn machine(id: &str, text: &str) -> Signal {
    Signal {
        voice: Voice::Machine,
        ..signal(id, text)
    }
}

#[test]
fn signals_that_people_united_are_one_however_unlike() {
    let said = [
        signal("1", REPORTS[0]),
        signal("2", REPORTS[3]),
        signal("3", REPORTS[4]),
    ];
    let free = assign(&[], &[], &said);
    assert_ne!(
        of(&free, "1"),
        of(&free, "2"),
        "a control: without the tie they are two"
    );
    let tied = assign(&[Tie::One(party("1"), party("2"))], &[], &said);
    assert_eq!(of(&tied, "1"), of(&tied, "2"));
    assert_eq!(
        of(&tied, "3"),
        of(&tied, "2"),
        "and what is like one of them comes along"
    );
}

#[test]
fn signals_that_people_parted_stay_apart_however_alike() {
    let said = [
        signal("1", REPORTS[0]),
        signal("2", REPORTS[1]),
        signal("3", REPORTS[0]),
    ];
    let free = assign(&[], &[], &said);
    assert_eq!(
        of(&free, "1"),
        of(&free, "2"),
        "a control: without the tie they are one"
    );
    let tied = assign(&[Tie::Apart(party("1"), party("2"))], &[], &said);
    assert_ne!(of(&tied, "1"), of(&tied, "2"));
    let equal = assign(&[Tie::Apart(party("1"), party("3"))], &[], &said);
    assert_ne!(of(&equal, "1"), of(&equal, "3"), "even the same text");
}

#[test]
fn a_signal_goes_to_the_finding_that_people_named_and_never_to_one_that_it_is_not() {
    let findings = [known("export", REPORTS[0]), known("map", REPORTS[5])];
    let (export, map) = (findings[0].finding, findings[1].finding);
    let said = [signal("1", REPORTS[1])];
    assert_eq!(of(&assign(&[], &findings, &said), "1"), Cluster::Existing(export));
    let into = [Tie::One(party("1"), Party::Finding(map))];
    assert_eq!(of(&assign(&into, &findings, &said), "1"), Cluster::Existing(map));
    let not = [Tie::Apart(party("1"), Party::Finding(export))];
    assert_eq!(of(&assign(&not, &findings, &said), "1"), Cluster::New(0));
}

#[test]
fn findings_that_people_united_draw_signals_to_the_older_one() {
    let findings = [known("export", REPORTS[0]), known("map", REPORTS[5])];
    let (export, map) = (findings[0].finding, findings[1].finding);
    let ties = [Tie::One(Party::Finding(export), Party::Finding(map))];
    let placed = assign(
        &ties,
        &findings,
        &[signal("1", REPORTS[1]), signal("2", REPORTS[6])],
    );
    let older = Cluster::Existing(export.min(map));
    assert_eq!((of(&placed, "1"), of(&placed, "2")), (older, older));
}

#[test]
fn ties_hold_for_what_machines_say() {
    let said = [
        machine("1", "job 17 failed: bad price"),
        machine("2", "job 18 failed: bad price"),
        machine("3", "job 18 failed: no disk"),
    ];
    let free = assign(&[], &[], &said);
    assert!(of(&free, "1") == of(&free, "2") && of(&free, "1") != of(&free, "3"));
    let apart = assign(&[Tie::Apart(party("1"), party("2"))], &[], &said);
    assert_ne!(of(&apart, "1"), of(&apart, "2"));
    let one = assign(&[Tie::One(party("1"), party("3"))], &[], &said);
    assert_eq!(of(&one, "1"), of(&one, "3"));
    let finding = FindingId::named("disk");
    let named = assign(&[Tie::One(party("3"), Party::Finding(finding))], &[], &said);
    assert_eq!(of(&named, "3"), Cluster::Existing(finding));
}

#[test]
fn a_reply_of_which_people_spoke_does_not_follow_what_it_answers() {
    let reply = Signal {
        thread: Some("1".to_owned()),
        ..signal("2", "the same for us here")
    };
    let said = [signal("1", REPORTS[0]), reply];
    let free = assign(&[], &[], &said);
    assert_eq!(of(&free, "1"), of(&free, "2"));
    let tied = assign(&[Tie::Apart(party("1"), party("2"))], &[], &said);
    assert_ne!(of(&tied, "1"), of(&tied, "2"));
}

#[test]
fn where_ties_contradict_the_later_one_holds_also_over_steps() {
    let (a, b, c) = (party("1"), party("2"), party("3"));
    let first = Tie::One(a, b);
    let ties = Ties::new([first, Tie::One(b, c), Tie::Apart(a, c)]);
    assert_eq!(ties.overruled(), [first]);
    let ties = Ties::new([Tie::Apart(a, c), first, Tie::One(b, c)]);
    assert_eq!(ties.overruled(), [Tie::Apart(a, c)]);
    assert_eq!(Ties::new([Tie::Apart(a, a)]).overruled().len(), 1);
}
