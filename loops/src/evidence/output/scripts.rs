//! Other runners of JavaScript: jest, vitest and mocha. Their totals are read, and the names where they say them.

use std::sync::LazyLock;

use regex::Regex;

use super::{SCRIPT_LOAD, TestReport, TestStatus, pattern};

static JEST: LazyLock<Regex> = LazyLock::new(|| pattern(r"^Tests:\s+((?:\d+ \w+,? ?)+)$"));
static VITEST: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\s+Tests\s+((?:\d+ \w+(?: \| )?)+|no tests)\s*(?:\(\d+\))?$"));
static MOCHA: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\s+(\d+) (passing|failing|pending)(?: \(.*\))?$"));
static PART: LazyLock<Regex> = LazyLock::new(|| pattern(r"(\d+) (\w+)"));
static RESULT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^( +)([✓✔√✕×✗○↓✎]|- |\d+\))\s*(.+?)(?: \(?[\d.]+ ?m?s\)?)?$"));
static HEADING: LazyLock<Regex> = LazyLock::new(|| pattern(r"^( +)(\S.*)$"));
static VITEST_FILE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\.(?:[cm]?[jt]s|[jt]sx) \("));

pub(super) fn read(lines: &[&str]) -> Option<TestReport> {
    let has = |pattern: &Regex| lines.iter().any(|line| pattern.is_match(line));
    let (runner, totals) = if has(&JEST) {
        ("jest", &JEST)
    } else if has(&VITEST) {
        ("vitest", &VITEST)
    } else if lines
        .iter()
        .any(|line| MOCHA.captures(line).is_some_and(|found| &found[2] == "passing"))
    {
        ("mocha", &MOCHA)
    } else {
        return None;
    };
    let mut report = TestReport::of(runner);
    for found in lines.iter().filter_map(|line| totals.captures(line)) {
        let text = if runner == "mocha" {
            format!("{} {}", &found[1], &found[2])
        } else {
            found[1].to_owned()
        };
        for part in PART.captures_iter(&text) {
            let count = part[1].parse().unwrap_or(0);
            match &part[2] {
                "passed" | "passing" => report.count(TestStatus::Passed, count),
                "failed" | "failing" => report.count(TestStatus::Failed, count),
                "skipped" | "todo" | "pending" => report.count(TestStatus::Skipped, count),
                _ => {}
            }
        }
    }
    let could_not_load = lines
        .iter()
        .any(|line| line.contains("Test suite failed to run") || line.contains("Failed Suites"));
    for line in lines.iter().filter(|line| SCRIPT_LOAD.is_match(line)) {
        report.load_error(line);
    }
    if could_not_load && report.load_errors.is_empty() {
        report.load_error("a file of tests could not be loaded");
    }
    names(lines, &mut report, totals);
    Some(report)
}

/// The lines with a mark, under the headings that are around them.
fn names(lines: &[&str], report: &mut TestReport, totals: &Regex) {
    let mut around: Vec<(usize, &str)> = Vec::new();
    for line in lines {
        // Mocha says after its totals what failed, again.
        if totals.is_match(line) {
            return;
        }
        let Some(heading) = HEADING.captures(line) else {
            continue;
        };
        let depth = heading[1].len();
        around.retain(|(of, _)| *of < depth);
        let Some(found) = RESULT.captures(line) else {
            if around.len() < 16
                && let Some(text) = heading.get(2)
            {
                around.push((depth, text.as_str()));
            }
            continue;
        };
        let status = match &found[2] {
            "✓" | "✔" | "√" => TestStatus::Passed,
            "○" | "↓" | "✎" | "- " => TestStatus::Skipped,
            _ => TestStatus::Failed,
        };
        if VITEST_FILE.is_match(&found[3]) {
            continue;
        }
        let name = found[3]
            .trim_start_matches("skipped ")
            .trim_start_matches("todo ");
        let path: Vec<&str> = around.iter().map(|(_, name)| *name).chain([name]).collect();
        report.named(&path.join(" > "), status);
    }
}
