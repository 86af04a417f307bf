use loops::{
    id::{AttemptId, FindingId, ProposalId, RunId, TaskId},
    time::Timestamp,
};

use super::*;

/// A proposal that nothing keeps from being merged.
struct Case {
    proposal: Proposal,
    pull: Pull,
    base: Option<&'static str>,
    protection: Protection,
    checks: Vec<CheckRun>,
    objections: Vec<Objection>,
    concerns: Option<bool>,
}

impl Case {
    fn good() -> Self {
        let (head, base) = ("a".repeat(40), "b".repeat(40));
        let proposal = Proposal {
            id: ProposalId::new(0, [1; 10]),
            loop_name: "fix".to_owned(),
            run: RunId::new(0, [1; 10]),
            task: TaskId::new(0, [1; 10]),
            attempt: AttemptId::new(0, [1; 10]),
            finding: FindingId::named("f"),
            branch: "loops/fix/x".to_owned(),
            base_branch: "main".to_owned(),
            base,
            head: head.clone(),
            title: "t".to_owned(),
            body: String::new(),
            state: ProposalState::Open,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        };
        Self {
            proposal,
            pull: Pull::of_test("main", &head),
            base: Some("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
            protection: Protection {
                protected: true,
                required: vec!["ci".to_owned()],
            },
            checks: vec![
                check("ci", CheckState::Passed),
                check("other", CheckState::Failed),
            ],
            objections: vec![],
            concerns: Some(false),
        }
    }

    fn with(change: impl FnOnce(&mut Self)) -> Option<InTheWay> {
        let mut case = Self::good();
        change(&mut case);
        Standing {
            proposal: &case.proposal,
            pull: &case.pull,
            base: case.base,
            protection: &case.protection,
            checks: &case.checks,
            objections: &case.objections,
            concerns: case.concerns,
        }
        .in_the_way()
    }
}

fn check(name: &str, state: CheckState) -> CheckRun {
    CheckRun {
        name: name.to_owned(),
        state,
        conclusion: None,
        url: None,
        summary: String::new(),
        job: None,
    }
}

fn review(author: &str, state: &str) -> Review {
    Review {
        id: 1,
        author: author.to_owned(),
        author_is_bot: false,
        state: state.to_owned(),
        body: String::new(),
        commit: None,
        submitted_at: Some(Timestamp(0)),
        url: String::new(),
    }
}

#[test]
fn nothing_is_in_the_way_of_what_is_proven_green_and_protected() {
    assert_eq!(Case::with(|_| {}), None);
}

#[test]
fn each_thing_alone_is_in_the_way_and_a_person_is_told_of_what_stays() {
    let stays = |found| matches!(found, Some(InTheWay::Stays(_)));
    assert!(stays(Case::with(|case| case.protection.protected = false)));
    assert!(stays(Case::with(|case| case.protection.required.clear())));
    assert!(stays(Case::with(|case| case.concerns = Some(true))));
    assert!(stays(Case::with(|case| case.concerns = None)));
    assert!(stays(Case::with(
        |case| case.pull.base_branch = "other".to_owned()
    )));
    let now = |found| matches!(found, Some(InTheWay::Now(_)));
    assert!(now(Case::with(|case| case.pull.head = "c".repeat(40))));
    assert!(now(Case::with(
        |case| case.proposal.state = ProposalState::Revising
    )));
    assert!(now(Case::with(|case| case.base = None)));
    assert!(now(Case::with(|case| case.proposal.base = "c".repeat(40))));
    assert!(now(Case::with(|case| case.pull.draft = true)));
    for state in [CheckState::Pending, CheckState::Failed] {
        assert!(now(Case::with(|case| case.checks[0].state = state)));
    }
    assert!(
        now(Case::with(|case| case.checks.clear())),
        "a check that never ran is not green"
    );
    assert!(now(Case::with(|case| case
        .protection
        .required
        .push("second".to_owned()))));
}

#[test]
fn the_last_word_of_each_reviewer_counts_and_a_comment_is_none() {
    let with = |said: &[(&str, &str)]| {
        let reviews: Vec<Review> = said.iter().map(|(who, state)| review(who, state)).collect();
        !wants_changes(&reviews).is_empty()
    };
    assert!(with(&[("carol", "CHANGES_REQUESTED")]));
    assert!(with(&[("carol", "CHANGES_REQUESTED"), ("carol", "COMMENTED")]));
    assert!(with(&[("carol", "CHANGES_REQUESTED"), ("dave", "APPROVED")]));
    assert!(!with(&[("carol", "CHANGES_REQUESTED"), ("carol", "APPROVED")]));
    assert!(!with(&[("carol", "CHANGES_REQUESTED"), ("carol", "DISMISSED")]));
}

#[test]
fn an_outsiders_objection_is_told_and_a_maintainers_is_waited_for() {
    let with = |said: &[(&str, bool)]| {
        Case::with(|case| {
            let objection = |(author, may_write): &(&str, bool)| Objection {
                author: (*author).to_owned(),
                may_write: *may_write,
            };
            case.objections = said.iter().map(objection).collect();
        })
    };
    let stays = with(&[("mallory", false)]);
    assert!(
        matches!(&stays, Some(InTheWay::Stays(why)) if why.contains("`mallory`")),
        "{stays:?}"
    );
    let both = with(&[("mallory", false), ("carol", true)]);
    assert!(matches!(both, Some(InTheWay::Now(_))), "{both:?}");
}

#[test]
fn a_revert_or_two_refusals_take_the_right_away_and_one_refusal_does_not() {
    use Became::{Merged, Nothing, Refused, Reverted};
    for fine in [
        &[][..],
        &[Merged, Merged],
        &[Refused, Merged],
        &[Nothing, Nothing, Refused],
    ] {
        assert_eq!(fallen(fine), None, "{fine:?}");
    }
    assert!(
        fallen(&[Refused, Merged, Refused])
            .unwrap()
            .contains("2 of its last 3")
    );
    assert!(fallen(&[Merged, Reverted]).unwrap().contains("reverted"));
}
