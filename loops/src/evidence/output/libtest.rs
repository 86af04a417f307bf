//! Rust: what `cargo test` and `cargo nextest` print.

use std::sync::LazyLock;

use regex::Regex;

use super::{TestReport, TestStatus, pattern};

static BINARY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^\s*(?:Running .*\(.*?([\w-]+?)(?:-[0-9a-f]{16})?(?:\.exe)?\)|Doc-tests (\S+))\s*$")
});
static RUNNING: LazyLock<Regex> = LazyLock::new(|| pattern(r"^running \d+ tests?$"));
static TEST: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^test (.+?)(?: - should panic)?(?: \.\.\. (.*))?$"));
static ENDS: LazyLock<Regex> = LazyLock::new(|| pattern(r"(ok|FAILED|ignored)(?:, .*| <[\d.]+s>)?$"));
static DOC_LINE: LazyLock<Regex> = LazyLock::new(|| pattern(r" \(line \d+\)"));
static DOC_DOES_NOT_COMPILE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^Couldn't compile the test\.?$"));
static COMPILE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^error(?:\[E\d{4}\])?: "));
static NOT_COMPILE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^error: (?:test failed|doctest failed|test run failed|\d+ targets? failed|process didn't exit|bench failed)",
    )
});
static NEXTEST_START: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\s*(?:Nextest run ID|Starting \d+ tests? across)\b"));
static NEXTEST: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^\s*(PASS|FAIL|SIGSEGV|SIGABRT|ABORT|TIMEOUT|LEAK|FLAKY[^\[]{0,20}|SKIP)\s+\[[^\]]*\]\s+(?:\(\s*\d+/\d+\)\s+)?(\S+ .+)$",
    )
});

fn compile_errors<'a>(lines: &'a [&'a str]) -> impl Iterator<Item = &'a &'a str> {
    let failed = lines
        .iter()
        .any(|line| line.starts_with("error: could not compile"));
    lines
        .iter()
        .filter(move |line| failed && COMPILE.is_match(line) && !NOT_COMPILE.is_match(line))
}

/// `cargo test`
pub(super) fn read(lines: &[&str]) -> Option<TestReport> {
    let did_run = lines.iter().any(|line| RUNNING.is_match(line));
    let mut report = TestReport::of("libtest");
    compile_errors(lines).for_each(|error| report.load_error(error));
    if !did_run && report.load_errors.is_empty() {
        return None;
    }
    let (mut binary, mut in_run) = (String::new(), false);
    let mut waiting: Option<String> = None;
    for line in lines {
        if let Some(found) = BINARY.captures(line) {
            binary = found
                .get(1)
                .or(found.get(2))
                .map(|name| format!("{}::", name.as_str()))
                .unwrap_or_default();
        } else if RUNNING.is_match(line) {
            in_run = true;
        } else if line.starts_with("test result: ") {
            in_run = false;
        } else if DOC_DOES_NOT_COMPILE.is_match(line) {
            report.load_error("a documentation test does not compile");
        } else if in_run {
            let started = TEST
                .captures(line)
                .and_then(|found| Some((found.get(1)?, found.get(2)?)));
            // What a test prints may stand between its name and how it ended.
            let end = match started {
                Some((name, end)) => {
                    waiting = Some(format!("{binary}{}", DOC_LINE.replace(name.as_str(), "")));
                    end.as_str()
                }
                None => line,
            };
            let status =
                ENDS.captures(end)
                    .and_then(|found| found.get(1))
                    .map(|status| match status.as_str() {
                        "ok" => TestStatus::Passed,
                        "FAILED" => TestStatus::Failed,
                        _ => TestStatus::Skipped,
                    });
            if let Some(status) = status
                && let Some(name) = waiting.take()
            {
                report.result(&name, status);
            }
        }
    }
    Some(report)
}

/// `cargo nextest run`
pub(super) fn read_nextest(lines: &[&str]) -> Option<TestReport> {
    lines
        .iter()
        .any(|line| NEXTEST_START.is_match(line))
        .then_some(())?;
    let mut report = TestReport::of("nextest");
    let mut seen = std::collections::HashSet::new();
    for line in lines {
        let Some(found) = NEXTEST.captures(line) else {
            continue;
        };
        let (Some(status), Some(name)) = (found.get(1), found.get(2)) else {
            continue;
        };
        let name = name.as_str().trim().replacen(' ', "::", 1);
        let status = match status.as_str() {
            "PASS" | "LEAK" => TestStatus::Passed,
            "SKIP" => TestStatus::Skipped,
            flaky if flaky.starts_with("FLAKY") => TestStatus::Passed,
            _ => TestStatus::Failed,
        };
        // Failures are said again at the end.
        if seen.insert(name.clone()) {
            report.result(&name, status);
        }
    }
    Some(report)
}
