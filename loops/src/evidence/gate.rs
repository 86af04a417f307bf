//! Whether a change is proven, by its evidence. It fails closed: what is missing or could not run refuses.
//!
//! What an independent reviewer holds against a change is not judged here: it goes back to the worker once and then
//! to a person ([`crate::run`]).

use super::{CheckKind, Evidence, Verdict};
use crate::spec::{Checks, Reproduce, WeakenedTests};

/// Something that keeps a change from going out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The check's name as people see it.
    pub name: String,
    /// What it said; [`Verdict::CouldNotRun`], too, if it said nothing.
    pub verdict: Verdict,
    /// Why, in words for a person and for the worker that gets it back.
    pub words: String,
}

/// Why a change is not proven. Empty: it is.
pub fn refusals(evidence: &[Evidence], checks: &Checks) -> Vec<Refusal> {
    let of_kind = |kind| evidence.iter().find(move |found| found.kind == kind);
    let commands = checks.commands.iter().map(|command| {
        let found = evidence
            .iter()
            .find(|found| found.kind == CheckKind::Command && found.name == command.name);
        demand(found, &format!("check `{}`", command.name))
    });
    // A check that no command of the loop asked for is one of the harness's own, and counts.
    let others = evidence
        .iter()
        .filter(|found| found.kind == CheckKind::Boundaries || is_unasked(found, checks))
        .map(|found| demand(Some(found), &found.name));
    let reproduction = (checks.reproduce == Reproduce::Required)
        .then(|| demand(of_kind(CheckKind::Reproduction), "reproduction"));
    let weakened = (checks.weakened_tests == WeakenedTests::Forbid)
        .then(|| demand(of_kind(CheckKind::WeakenedTests), "weakened tests"));
    // No spec turns the screens off.
    let screens = demand(of_kind(CheckKind::Screen), crate::screen::NAME);
    commands
        .chain(others)
        .chain(reproduction)
        .chain(weakened)
        .chain([screens])
        .flatten()
        .collect()
}

/// What a change's evidence comes to.
pub fn verdict(evidence: &[Evidence], checks: &Checks) -> Verdict {
    let refusals = refusals(evidence, checks);
    if refusals.is_empty() {
        Verdict::Passed
    } else if refusals.iter().any(|refusal| refusal.verdict == Verdict::Failed) {
        Verdict::Failed
    } else {
        Verdict::CouldNotRun
    }
}

fn is_unasked(found: &Evidence, checks: &Checks) -> bool {
    found.kind == CheckKind::Command && checks.commands.iter().all(|command| command.name != found.name)
}

fn demand(found: Option<&Evidence>, what: &str) -> Option<Refusal> {
    match found {
        None => Some(Refusal {
            name: what.to_owned(),
            verdict: Verdict::CouldNotRun,
            words: format!("{what} is missing"),
        }),
        Some(found) if found.verdict == Verdict::Passed => None,
        Some(found) => Some(Refusal {
            name: found.name.clone(),
            verdict: found.verdict,
            words: found.words.clone(),
        }),
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
            found(CheckKind::Screen, "screens", verdict),
            found(CheckKind::AgentReview, "review", verdict),
        ]
    }

    #[test]
    fn only_what_passed_lets_a_change_out() {
        assert_eq!(refusals(&all(Verdict::Passed), &checks()), []);
        assert_eq!(refusals(&all(Verdict::Failed), &checks()).len(), 4);
        assert_eq!(refusals(&all(Verdict::CouldNotRun), &checks()).len(), 4);
        for said in [Verdict::Passed, Verdict::Failed, Verdict::CouldNotRun] {
            assert_eq!(verdict(&all(said), &checks()), said);
        }
    }

    #[test]
    fn missing_evidence_refuses() {
        let words: Vec<String> = refusals(&[], &checks())
            .into_iter()
            .map(|refusal| refusal.words)
            .collect();
        assert_eq!(
            words,
            [
                "check `unit` is missing",
                "reproduction is missing",
                "weakened tests is missing",
                "screens is missing"
            ]
        );
        assert_eq!(verdict(&[], &checks()), Verdict::CouldNotRun);
    }

    #[test]
    fn a_check_of_the_harness_itself_counts_although_no_loop_asked_for_it() {
        let mut evidence = all(Verdict::Passed);
        evidence.push(found(CheckKind::Command, "checks", Verdict::CouldNotRun));
        assert_eq!(verdict(&evidence, &checks()), Verdict::CouldNotRun);
    }

    #[test]
    fn what_the_loop_does_not_ask_for_does_not_refuse() {
        let lax = Checks {
            reproduce: Reproduce::WhenPossible,
            weakened_tests: WeakenedTests::Flag,
            ..Checks::default()
        };
        let evidence = [
            found(CheckKind::Reproduction, "reproduction", Verdict::Failed),
            found(CheckKind::WeakenedTests, "weakened tests", Verdict::Failed),
            found(CheckKind::Screen, "screens", Verdict::Passed),
        ];
        assert_eq!(refusals(&evidence, &lax), []);
        let out = found(CheckKind::Boundaries, "boundaries", Verdict::Failed);
        assert_eq!(refusals(&[out], &lax)[0].words, "boundaries Failed");
    }

    #[test]
    fn no_spec_turns_the_screens_off() {
        let lax = Checks {
            reproduce: Reproduce::WhenPossible,
            weakened_tests: WeakenedTests::Flag,
            ..Checks::default()
        };
        assert_eq!(verdict(&[], &lax), Verdict::CouldNotRun);
        for said in [Verdict::Passed, Verdict::Failed, Verdict::CouldNotRun] {
            assert_eq!(verdict(&[found(CheckKind::Screen, "screens", said)], &lax), said);
        }
    }
}
