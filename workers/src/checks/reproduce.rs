//! Whether the change's tests show the fault: on the base with nothing but them, at least one runs and fails; on the
//! change, all pass. A test that does not load or compile on the base reproduces nothing.

use std::collections::HashSet;

use loops::evidence::{CheckKind, Evidence, TestStatus, Verdict};

use super::{
    compare::{new_load_errors, newly_failing},
    evidence,
    room::CheckRun,
    sides::Sides,
    words::{names, tests},
};
use crate::order::Baseline;

/// A command that runs tests: on the base, on the base with the change's tests, and on the change.
pub(super) struct Tried<'a> {
    pub(super) base: &'a Baseline,
    pub(super) tests: CheckRun,
    pub(super) change: &'a CheckRun,
}

/// Whether a command is one that runs tests and says so.
pub(super) fn is_of_tests(run: &CheckRun) -> bool {
    run.report.executed().is_some_and(|executed| executed > 0)
}

fn say(verdict: Verdict, words: impl Into<String>) -> Evidence {
    evidence(CheckKind::Reproduction, "reproduction", verdict, words)
}

/// What can be said without running anything more.
pub(super) fn settled(sides: &Sides, runs: &[CheckRun]) -> Option<Evidence> {
    if runs.is_empty() {
        return Some(say(
            Verdict::CouldNotRun,
            "The loop has no check commands, so the fault could not be reproduced.",
        ));
    }
    if !sides.split.has_tests() {
        return Some(say(
            Verdict::Failed,
            "The change has no tests, so nothing shows that it mends anything.",
        ));
    }
    if !runs.iter().any(is_of_tests) {
        return Some(say(
            Verdict::CouldNotRun,
            "No check command printed test results that are known, so nobody can tell a failing test from one that does not load. A JUnit report (`junit:`) would help.",
        ));
    }
    None
}

/// What the runs say together.
pub(super) fn judge(tried: &[Tried<'_>]) -> Evidence {
    let shown: Vec<(&Tried<'_>, Vec<String>, bool)> = tried
        .iter()
        .map(|one| (one, reproducing(one), is_reproduced(one)))
        .collect();
    let main = shown
        .iter()
        .find(|(_, _, reproduced)| *reproduced)
        .or(shown.first());
    let Some((one, _, _)) = main else {
        return say(Verdict::CouldNotRun, "No check command ran tests.");
    };
    let (verdict, words) = verdict(&shown);
    let mut evidence = say(verdict, words);
    evidence.before = Some(one.tests.observation.clone());
    evidence.after = Some(one.change.observation.clone());
    evidence.detail.clone_from(&one.tests.tail);
    evidence
}

fn verdict(shown: &[(&Tried<'_>, Vec<String>, bool)]) -> (Verdict, String) {
    for (one, ..) in shown {
        if let Some(first) = new_load_errors(&one.tests, one.base).first() {
            let words = format!(
                "With the change's tests alone, `{}` could not load or compile all of them, and a test that does not load reproduces nothing: {}.",
                one.tests.name,
                names(std::slice::from_ref(first))
            );
            return (Verdict::Failed, words);
        }
    }
    for (one, ..) in shown {
        let broken = newly_failing(one.change, one.base);
        let counted = one.change.observation.failed > one.base.observation.failed;
        if one.change.observation.verdict == Verdict::CouldNotRun || !broken.is_empty() || counted {
            let words = format!(
                "On the whole change, not all tests of `{}` pass, so nothing is mended yet.",
                one.change.name
            );
            return (Verdict::Failed, words);
        }
    }
    let all: Vec<String> = shown.iter().flat_map(|(_, names, _)| names.clone()).collect();
    if shown.iter().any(|(_, _, reproduced)| *reproduced) {
        let which = match all.len() {
            0 => "With the change's tests alone, more tests fail on the base".to_owned(),
            1 => format!("1 test fails on the base ({})", names(&all)),
            count => format!("{} fail on the base ({})", tests(count), names(&all)),
        };
        return (Verdict::Passed, format!("{which}, and all pass on the change."));
    }
    for (one, ..) in shown {
        if let Some(why) = &one.tests.could_not {
            return (
                Verdict::CouldNotRun,
                format!(
                    "`{}` could not run with the change's tests alone: {why}.",
                    one.tests.name
                ),
            );
        }
    }
    let failed = shown.iter().any(|(one, ..)| {
        one.tests.observation.verdict == Verdict::Failed && one.base.observation.verdict == Verdict::Passed
    });
    if failed {
        let words = "With the change's tests alone the command fails on the base, but no test is known to have run and failed there.";
        return (Verdict::Failed, words.to_owned());
    }
    (
        Verdict::Failed,
        "The change's tests pass on the base, too, so they prove nothing about it.".to_owned(),
    )
}

/// The tests, where they have names, that fail with the tests alone and pass on the change.
fn reproducing(one: &Tried<'_>) -> Vec<String> {
    let passed: HashSet<String> = one.change.report.names(TestStatus::Passed).into_iter().collect();
    let other: HashSet<String> = one
        .change
        .report
        .results
        .iter()
        .filter(|test| test.status != TestStatus::Passed)
        .map(|test| test.name.clone())
        .collect();
    // Some runners name only what failed; there, what is not named and not missing from the count has passed.
    let names_all = one.change.report.executed().is_some_and(|executed| {
        usize::try_from(executed).is_ok_and(|executed| executed <= one.change.report.results.len())
    });
    let is_mended = |name: &String| passed.contains(name) || (!names_all && !other.contains(name));
    newly_failing(&one.tests, one.base)
        .into_iter()
        .filter(is_mended)
        .collect()
}

fn is_reproduced(one: &Tried<'_>) -> bool {
    if !reproducing(one).is_empty() {
        return true;
    }
    // Counts alone: more fail than on the base, and on the change as many ran and none more fails.
    let nameless = one.tests.report.names(TestStatus::Failed).is_empty();
    let seen = |run: &CheckRun| run.report.counts.unwrap_or_default();
    nameless
        && one.tests.observation.failed > one.base.observation.failed.or(Some(0))
        && one.change.observation.verdict == Verdict::Passed
        && one.change.report.executed() >= one.tests.report.executed()
        && seen(one.change).failed == 0
}

#[cfg(test)]
mod tests;
