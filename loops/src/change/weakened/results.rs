//! Tests that ran on the base and did not run on the change.

use std::collections::HashSet;

use super::{Weakening, WeakeningKind, quoted};
use crate::evidence::{TestReport, TestStatus};

/// How many names one sentence has.
const MAX_NAMES: usize = 5;

/// What the results of the same command on the base and on the change tell. `renamed` holds the old and the new
/// names of tests that kept what they assert; see [`renamed_tests`](crate::change::renamed_tests).
pub fn weakened_by_results(
    before: &TestReport,
    after: &TestReport,
    renamed: &[(String, String)],
) -> Vec<Weakening> {
    let ran = |report: &'_ TestReport, wanted: fn(TestStatus) -> bool| -> HashSet<String> {
        report
            .results
            .iter()
            .filter(|test| wanted(test.status))
            .map(|test| test.name.clone())
            .collect()
    };
    let passed = ran(before, |status| status == TestStatus::Passed);
    let known = ran(before, |_| true);
    let executed = ran(after, |status| status != TestStatus::Skipped);
    let skipped = ran(after, |status| status == TestStatus::Skipped);
    let mut fresh: Vec<&String> = executed.iter().filter(|name| !known.contains(*name)).collect();
    fresh.sort_unstable();
    let (mut vanished, mut now_skipped) = (Vec::new(), Vec::new());
    let mut missing: Vec<&String> = passed.iter().filter(|name| !executed.contains(*name)).collect();
    missing.sort_unstable();
    for name in missing {
        if skipped.contains(name) {
            now_skipped.push(name.as_str());
            continue;
        }
        // Each new name stands for one old one at most.
        let is_it = |new: &&String| {
            last(new) == last(name)
                || renamed
                    .iter()
                    .any(|(was, is)| ends_with(name, was) && ends_with(new, is))
        };
        match fresh.iter().position(is_it) {
            Some(at) => {
                fresh.remove(at);
            }
            None => vanished.push(name.as_str()),
        }
    }
    let mut weakenings = Vec::new();
    let mut say = |kind, names: &[&str], words: &str| {
        if !names.is_empty() {
            let shown: Vec<String> = names.iter().take(MAX_NAMES).map(|name| quoted(name)).collect();
            let more = names.len().saturating_sub(MAX_NAMES);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let words = format!("{} {words}: {}{more}", count(names.len()), shown.join(", "));
            weakenings.push(Weakening {
                path: None,
                line: None,
                kind,
                words,
            });
        }
    };
    say(
        WeakeningKind::Skipped,
        &now_skipped,
        "passed on the base and is skipped on the change",
    );
    say(
        WeakeningKind::Vanished,
        &vanished,
        "passed on the base and did not run on the change",
    );
    if before.executed().is_some_and(|was| was > 0) && after.counts.is_none() && weakenings.is_empty() {
        let words = "tests ran on the base, and nothing says that any ran on the change".to_owned();
        weakenings.push(Weakening {
            path: None,
            line: None,
            kind: WeakeningKind::FewerRan,
            words,
        });
    }
    if let (Some(was), Some(is)) = (before.executed(), after.executed())
        && is < was
        && weakenings.is_empty()
        && after.load_errors.is_empty()
    {
        let words = format!("{is} tests ran, and on the base {was} did");
        weakenings.push(Weakening {
            path: None,
            line: None,
            kind: WeakeningKind::FewerRan,
            words,
        });
    }
    weakenings
}

fn count(tests: usize) -> String {
    if tests == 1 {
        "1 test".to_owned()
    } else {
        format!("{tests} tests, each of which")
    }
}

/// The test's own name: after the last of the separators that runners put between its parts.
fn last(name: &str) -> &str {
    let name = name.rsplit(" > ").next().unwrap_or(name);
    if name.contains(' ') {
        return name;
    }
    name.rsplit("::")
        .next()
        .and_then(|name| name.rsplit('.').next())
        .unwrap_or(name)
}

fn ends_with(name: &str, short: &str) -> bool {
    last(name) == short || name.ends_with(short)
}
