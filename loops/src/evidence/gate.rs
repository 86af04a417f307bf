//! Whether a change may go out, by its evidence. It fails closed: what is missing or could not run refuses.

use super::{CheckKind, Evidence, Verdict};
use crate::spec::{Checks, Reproduce, ReviewChoice, WeakenedTests};

/// Why a change may not go out, in words for a person and for the worker that gets it back. Empty: it may.
pub fn refusals(evidence: &[Evidence], checks: &Checks) -> Vec<String> {
    let mut refusals = Vec::new();
    for command in &checks.commands {
        let found = evidence
            .iter()
            .find(|found| found.kind == CheckKind::Command && found.name == command.name);
        demand(found, &format!("the check `{}`", command.name), &mut refusals);
    }
    let of_kind = |kind| evidence.iter().find(move |found| found.kind == kind);
    if checks.reproduce == Reproduce::Required {
        demand(
            of_kind(CheckKind::Reproduction),
            "the reproduction",
            &mut refusals,
        );
    }
    if checks.weakened_tests == WeakenedTests::Forbid {
        demand(
            of_kind(CheckKind::WeakenedTests),
            "the look for weakened tests",
            &mut refusals,
        );
    }
    if matches!(checks.agent_review, ReviewChoice::Agent(_)) {
        demand(
            of_kind(CheckKind::AgentReview),
            "the independent review",
            &mut refusals,
        );
    }
    for found in evidence
        .iter()
        .filter(|found| found.kind == CheckKind::Boundaries)
    {
        demand(Some(found), "the boundaries", &mut refusals);
    }
    refusals
}

fn demand(found: Option<&Evidence>, what: &str, refusals: &mut Vec<String>) {
    match found {
        None => refusals.push(format!("{what} is missing")),
        Some(found) if found.verdict == Verdict::Passed => {}
        Some(found) => refusals.push(found.words.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::CheckCommand;

    fn found(kind: CheckKind, name: &str, verdict: Verdict) -> Evidence {
        let words = format!("{name} {verdict:?}");
        Evidence {
            name: name.to_owned(),
            kind,
            verdict,
            before: None,
            after: None,
            words,
            detail: String::new(),
        }
    }

    fn checks() -> Checks {
        let unit = CheckCommand {
            name: "unit".to_owned(),
            run: "true".to_owned(),
            junit: None,
            timeout: crate::spec::Span(std::time::Duration::from_secs(1)),
        };
        Checks {
            commands: vec![unit],
            ..Checks::default()
        }
    }

    fn all(verdict: Verdict) -> Vec<Evidence> {
        vec![
            found(CheckKind::Command, "unit", verdict),
            found(CheckKind::Reproduction, "reproduction", verdict),
            found(CheckKind::WeakenedTests, "weakened tests", verdict),
            found(CheckKind::AgentReview, "review", verdict),
        ]
    }

    #[test]
    fn only_what_passed_lets_a_change_out() {
        assert_eq!(refusals(&all(Verdict::Passed), &checks()), Vec::<String>::new());
        assert_eq!(refusals(&all(Verdict::Failed), &checks()).len(), 4);
        assert_eq!(refusals(&all(Verdict::CouldNotRun), &checks()).len(), 4);
    }

    #[test]
    fn missing_evidence_refuses() {
        assert_eq!(
            refusals(&[], &checks()),
            [
                "the check `unit` is missing",
                "the reproduction is missing",
                "the look for weakened tests is missing",
                "the independent review is missing"
            ]
        );
    }

    #[test]
    fn what_the_loop_does_not_ask_for_does_not_refuse() {
        let lax = Checks {
            reproduce: Reproduce::WhenPossible,
            weakened_tests: WeakenedTests::Flag,
            agent_review: ReviewChoice::None,
            ..Checks::default()
        };
        assert_eq!(refusals(&all(Verdict::Failed), &lax), Vec::<String>::new());
        let out = found(CheckKind::Boundaries, "boundaries", Verdict::Failed);
        assert_eq!(refusals(&[out], &lax), ["boundaries Failed"]);
    }
}
