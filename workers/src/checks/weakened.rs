//! Whether the change weakened tests: what its diff says, and what ran.

use std::collections::HashSet;

use loops::{
    change::{Weakening, WeakeningKind, renamed_tests, weakened, weakened_by_results},
    evidence::{CheckKind, Evidence, Verdict},
};

use super::{compare::new_load_errors, report_of, room::CheckRun, sides::Sides, words::detail};
use crate::order::Baseline;

pub(super) fn evidence(sides: &Sides, runs: &[CheckRun], baseline: &[Baseline]) -> Evidence {
    let mut found = weakened(&sides.diff, sides.original(), sides.changed());
    let renamed = renamed_tests(&sides.diff, sides.original(), sides.changed());
    for (run, base) in runs.iter().zip(baseline) {
        let of_run = weakened_by_results(&report_of(base), &run.report, &renamed).into_iter();
        // Where it did not run to its end, or its tests do not load, its own evidence says so.
        let is_whole = run.could_not.is_none() && new_load_errors(run, base).is_empty();
        found.extend(of_run.filter(|_| is_whole).map(|weakening| Weakening {
            words: format!("`{}`: {}", run.name, weakening.words),
            ..weakening
        }));
    }
    judge(&found)
}

fn judge(found: &[Weakening]) -> Evidence {
    let real = found
        .iter()
        .filter(|weakening| weakening.kind != WeakeningKind::CannotJudge)
        .count();
    let first = found
        .iter()
        .find(|weakening| real == 0 || weakening.kind != WeakeningKind::CannotJudge);
    let (verdict, words) = match first {
        None => (
            Verdict::Passed,
            "No test was removed, skipped or loosened.".to_owned(),
        ),
        Some(first) if real == 0 => (
            Verdict::CouldNotRun,
            format!("Whether tests were weakened cannot be judged: {}.", first.words),
        ),
        Some(first) => {
            let more = real - 1;
            let more = if more > 0 {
                format!(" There are {more} more like it.")
            } else {
                String::new()
            };
            (
                Verdict::Failed,
                format!("The change weakens tests: {}.{more}", first.words),
            )
        }
    };
    let mut evidence = super::evidence(CheckKind::WeakenedTests, "weakened tests", verdict, words);
    let mut seen = HashSet::new();
    let lines = found
        .iter()
        .map(|weakening| match (&weakening.path, weakening.line) {
            (Some(path), Some(line)) => format!("{}:{line}: {}", path.escape_debug(), weakening.words),
            (Some(path), None) => format!("{}: {}", path.escape_debug(), weakening.words),
            _ => weakening.words.clone(),
        });
    let lines: Vec<String> = lines.filter(|line| seen.insert(line.clone())).collect();
    evidence.detail = detail(&lines.join("\n"));
    evidence
}
