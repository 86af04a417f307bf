//! One command on the base and on the change. What failed on the base already is said, and not held against the
//! change; what passed there and fails now stops it.

use std::collections::HashSet;

use loops::evidence::{CheckKind, Evidence, TestStatus, Verdict};

use super::{
    report_of,
    room::CheckRun,
    words::{counts, names, tests},
};
use crate::order::Baseline;

/// What the command says of the change.
pub(super) fn command(run: &CheckRun, base: &Baseline) -> Evidence {
    let (verdict, mut words) = judge(run, base);
    for note in &run.notes {
        words.push_str(&format!(" Note: {note}."));
    }
    Evidence {
        name: run.name.clone(),
        kind: CheckKind::Command,
        verdict,
        before: Some(base.observation.clone()),
        after: Some(run.observation.clone()),
        words,
        detail: if verdict == Verdict::Passed && run.observation.verdict == Verdict::Passed {
            String::new()
        } else {
            run.tail.clone()
        },
    }
}

/// Tests that fail and did not fail on the base, new ones too, in the order of the output.
pub(super) fn newly_failing(run: &CheckRun, base: &Baseline) -> Vec<String> {
    let known: HashSet<&str> = base.failed.iter().map(String::as_str).collect();
    run.report
        .names(TestStatus::Failed)
        .into_iter()
        .filter(|name| !known.contains(name.as_str()))
        .collect()
}

/// Load errors that the base does not have.
pub(super) fn new_load_errors(run: &CheckRun, base: &Baseline) -> Vec<String> {
    run.report
        .load_errors
        .iter()
        .filter(|error| !base.load_errors.contains(error))
        .cloned()
        .collect()
}

fn judge(run: &CheckRun, base: &Baseline) -> (Verdict, String) {
    let name = &run.name;
    if let Some(why) = &run.could_not {
        return (
            Verdict::CouldNotRun,
            format!("`{name}` could not run on the change: {why}."),
        );
    }
    let failing = newly_failing(run, base);
    let (before, after) = (base.observation.verdict, run.observation.verdict);
    if !failing.is_empty() {
        let known: HashSet<&str> = base.passed.iter().map(String::as_str).collect();
        let broken: Vec<String> = failing
            .iter()
            .filter(|name| known.contains(name.as_str()))
            .cloned()
            .collect();
        let words = if broken.is_empty() {
            format!(
                "`{name}`: {} of the change {}: {}.",
                tests(failing.len()),
                fail(failing.len()),
                names(&failing)
            )
        } else {
            let (count, fail) = (tests(broken.len()), fail(broken.len()));
            format!(
                "`{name}`: {count} that passed on the base {fail} now: {}.",
                names(&broken)
            )
        };
        return (Verdict::Failed, words);
    }
    if after == Verdict::Passed {
        let found = counts(&run.observation).map_or_else(String::new, |counts| format!(": {counts}"));
        let words = match before {
            Verdict::Passed => format!("`{name}` passes, as on the base{found}."),
            Verdict::Failed => format!("`{name}` passes{found}; it fails on the base."),
            Verdict::CouldNotRun => format!("`{name}` passes{found}; it could not run on the base."),
        };
        return (Verdict::Passed, words);
    }
    let errors = new_load_errors(run, base);
    if let Some(first) = errors.first() {
        return (
            Verdict::Failed,
            format!(
                "`{name}`: code of the change does not load or compile: {}.",
                names(std::slice::from_ref(first))
            ),
        );
    }
    match before {
        Verdict::Passed => (
            Verdict::Failed,
            format!("`{name}` passes on the base and fails on the change."),
        ),
        Verdict::CouldNotRun => (
            Verdict::Failed,
            format!("`{name}` fails on the change; it could not run on the base, so nothing excuses that."),
        ),
        Verdict::Failed => failed_before(run, base),
    }
}

fn fail(count: usize) -> &'static str {
    if count == 1 { "fails" } else { "fail" }
}

/// It fails on both, and no test fails that did not fail before.
fn failed_before(run: &CheckRun, base: &Baseline) -> (Verdict, String) {
    let name = &run.name;
    let ran: HashSet<String> = run.report.names(TestStatus::Passed).into_iter().collect();
    let lost: Vec<String> = base
        .passed
        .iter()
        .filter(|test| !ran.contains(*test))
        .cloned()
        .collect();
    let (was, is) = (report_of(base).executed(), run.report.executed());
    if !lost.is_empty() && is < was {
        let words = format!(
            "`{name}` fails, and {} that passed on the base did not run to their end: {}.",
            tests(lost.len()),
            names(&lost)
        );
        return (Verdict::Failed, words);
    }
    if was.is_some() && is < was {
        return (
            Verdict::Failed,
            format!("`{name}` fails, and fewer tests ran than on the base."),
        );
    }
    let failed_more = base.observation.failed < run.observation.failed;
    if failed_more {
        return (
            Verdict::Failed,
            format!("`{name}` fails, and more tests fail than on the base."),
        );
    }
    let still = run.report.names(TestStatus::Failed);
    let words = if still.is_empty() {
        format!(
            "`{name}` fails on the base, too, so it says nothing against this change, and nothing for it."
        )
    } else {
        format!(
            "`{name}` fails as it did on the base ({}: {}); nothing else does.",
            tests(still.len()),
            names(&still)
        )
    };
    (Verdict::Passed, words)
}

#[cfg(test)]
pub(in crate::checks) mod tests;
