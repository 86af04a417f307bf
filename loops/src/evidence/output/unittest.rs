//! Python's `unittest`, with `-v` (names) and without (counts, and the names of what failed).

use std::{collections::HashSet, sync::LazyLock};

use regex::Regex;

use super::{PYTHON_LOAD, TestReport, TestStatus, pattern};

static RAN: LazyLock<Regex> = LazyLock::new(|| pattern(r"^Ran (\d+) tests? in [\d.]+s$"));
static SUMMARY: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:OK|FAILED|NO TESTS RAN)(?: \((.+)\))?$"));
static STARTED: LazyLock<Regex> = LazyLock::new(|| pattern(r"^([\w.]+) \(([\w.<>]+)\)(?: \.\.\.(.*))?$"));
static DESCRIBED: LazyLock<Regex> = LazyLock::new(|| pattern(r"^.{1,500}? \.\.\.(.*)$"));
static ENDS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:^|\s)(ok|FAIL|ERROR|skipped .*|expected failure|unexpected success)$"));
static DETAIL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(FAIL|ERROR): ([\w.]+) \(([\w.<>]+)\)(?: [\[(].*)?$"));

/// `unittest.loader._FailedTest` stands for a module that could not be imported.
const NOT_LOADED: &str = "_FailedTest";

/// From 3.11 on the place has the test's name at its end, before it has not.
fn full_name(test: &str, place: &str) -> String {
    if place.ends_with(&format!(".{test}")) {
        place.to_owned()
    } else {
        format!("{place}.{test}")
    }
}

pub(super) fn read(lines: &[&str]) -> Option<TestReport> {
    let mut ran = 0_u32;
    let mut is_unittest = false;
    for count in lines.iter().filter_map(|line| RAN.captures(line)?.get(1)) {
        is_unittest = true;
        ran = ran.saturating_add(count.as_str().parse().unwrap_or(0));
    }
    is_unittest.then_some(())?;
    let mut report = TestReport::of("unittest");
    let mut named = HashSet::new();
    verbose(lines, &mut report, &mut named);
    let (not_loaded, failed) = details(lines, &mut report, &mut named);
    let said = |word: &str| -> u32 {
        let summaries = lines.iter().filter_map(|line| SUMMARY.captures(line)?.get(1));
        let parts = summaries.flat_map(|parts| parts.as_str().split(", "));
        parts
            .filter_map(|part| part.strip_prefix(word)?.strip_prefix('=')?.parse::<u32>().ok())
            .fold(0, u32::saturating_add)
    };
    let skipped = said("skipped");
    // Each block counts, but a test with subtests can have many; what passed although it should not has none.
    let failed = failed.saturating_add(said("unexpected successes"));
    let passed = ran
        .saturating_sub(not_loaded)
        .saturating_sub(skipped)
        .saturating_sub(failed);
    report.counts = None;
    report.count(TestStatus::Passed, passed);
    report.count(TestStatus::Failed, failed);
    report.count(TestStatus::Skipped, skipped);
    Some(report)
}

/// Names and ends, where `-v` says them. What a test prints may stand between.
fn verbose(lines: &[&str], report: &mut TestReport, named: &mut HashSet<String>) {
    let mut waiting: Option<String> = None;
    for line in lines {
        if line.starts_with("======") {
            return;
        }
        let end = match STARTED.captures(line) {
            Some(found) => {
                let (test, place) = (&found[1], &found[2]);
                waiting = Some(full_name(test, place));
                found.get(3).map_or("", |end| end.as_str())
            }
            // The first line of a doc string, in place of the end.
            None => DESCRIBED
                .captures(line)
                .and_then(|found| found.get(1))
                .map_or(*line, |end| end.as_str()),
        };
        let Some(status) = ENDS.captures(end).and_then(|found| found.get(1)) else {
            continue;
        };
        let Some(name) = waiting.take() else { continue };
        if name.contains(NOT_LOADED) {
            continue;
        }
        let status = match status.as_str() {
            "ok" | "expected failure" => TestStatus::Passed,
            skipped if skipped.starts_with("skipped") => TestStatus::Skipped,
            _ => TestStatus::Failed,
        };
        if named.insert(name.clone()) {
            report.named(&name, status);
        }
    }
}

/// The blocks about what failed. Says how many tests could not be loaded, and how many failed.
fn details(lines: &[&str], report: &mut TestReport, named: &mut HashSet<String>) -> (u32, u32) {
    let (mut not_loaded, mut failed) = (HashSet::new(), HashSet::new());
    let starts: Vec<usize> = (0..lines.len())
        .filter(|at| DETAIL.is_match(lines[*at]))
        .collect();
    for (index, start) in starts.iter().enumerate() {
        let Some(found) = DETAIL.captures(lines[*start]) else {
            continue;
        };
        let end = starts.get(index + 1).copied().unwrap_or(lines.len());
        let block = &lines[*start..end];
        // The error that ends the last traceback of the block.
        let error = block.iter().rev().find(|line| {
            let word = line.split([':', ' ']).next().unwrap_or_default();
            !line.starts_with([' ', '-', '=']) && (word.ends_with("Error") || word.ends_with("Exception"))
        });
        let name = full_name(&found[2], &found[3]);
        let is_load = name.contains(NOT_LOADED) || error.is_some_and(|error| PYTHON_LOAD.is_match(error));
        if is_load {
            let why = error.copied().unwrap_or("it could not be imported");
            report.load_error(format!("{}: {why}", name.rsplit('.').next().unwrap_or(&name)));
            report.results.retain(|test| test.name != name);
            not_loaded.insert(name);
        } else {
            if named.insert(name.clone()) {
                report.named(&name, TestStatus::Failed);
            }
            failed.insert(name);
        }
    }
    let count = |names: HashSet<String>| u32::try_from(names.len()).unwrap_or(u32::MAX);
    (count(not_loaded), count(failed))
}
