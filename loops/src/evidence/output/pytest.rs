//! pytest: `-v` (names), its short summary (names of what failed) and its totals.

use std::{collections::HashSet, sync::LazyLock};

use regex::Regex;

use super::{PYTHON_LOAD, TestReport, TestStatus, pattern};

static TOTALS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:=+ )?((?:\d+ (?:failed|passed|skipped|deselected|xfailed|xpassed|warnings?|errors?|rerun|subtests passed)(?:, )?)+|no tests ran) in [\d.]+s(?: \([\d:]+\))?(?: =+)?$",
    )
});
static PART: LazyLock<Regex> = LazyLock::new(|| pattern(r"(\d+) (\w+)"));
static VERBOSE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:\[gw\d+\] )?(?:\[\s*\d+%\] )?(\S+::.+?) (PASSED|FAILED|SKIPPED|ERROR|XFAIL|XPASS|RERUN)(?: \(.*\))?(?:\s+\[\s*\d+%\])?$",
    )
});
static XDIST: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^\[gw\d+\] \[\s*\d+%\] (PASSED|FAILED|SKIPPED|ERROR|XFAIL|XPASS|RERUN) (\S+::.+?)\s*$")
});
static SHORT: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(FAILED|ERROR) (\S+?(?:::.+?)?)(?: - (.*))?$"));

pub(super) fn read(lines: &[&str]) -> Option<TestReport> {
    let totals: Vec<&str> = lines
        .iter()
        .filter_map(|line| TOTALS.captures(line)?.get(1))
        .map(|m| m.as_str())
        .collect();
    if totals.is_empty() {
        return None;
    }
    let mut report = TestReport::of("pytest");
    let mut named = HashSet::new();
    let mut not_loaded = 0;
    // The short summary first: it says which failures are none of the test's own.
    let mut load = HashSet::new();
    for found in lines.iter().filter_map(|line| SHORT.captures(line)) {
        let (name, why) = (&found[2], found.get(3).map_or("", |why| why.as_str()));
        let is_collection = &found[1] == "ERROR" && !name.contains("::");
        if (is_collection || PYTHON_LOAD.is_match(why)) && load.insert(name.to_owned()) {
            report.load_error(if why.is_empty() {
                name.to_owned()
            } else {
                format!("{name}: {why}")
            });
            not_loaded += 1;
        }
    }
    for line in lines {
        let found = XDIST
            .captures(line)
            .map(|found| (found[2].to_owned(), found[1].to_owned()));
        let found = found.or_else(|| {
            VERBOSE
                .captures(line)
                .map(|found| (found[1].to_owned(), found[2].to_owned()))
        });
        let Some((name, status)) = found else { continue };
        let status = match status.as_str() {
            "PASSED" | "XFAIL" | "XPASS" => TestStatus::Passed,
            "SKIPPED" => TestStatus::Skipped,
            "RERUN" => continue,
            _ => TestStatus::Failed,
        };
        if !load.contains(&name) && named.insert(name.clone()) {
            report.named(&name, status);
        }
    }
    for found in lines.iter().filter_map(|line| SHORT.captures(line)) {
        if found[2].contains("::") && !load.contains(&found[2]) && named.insert(found[2].to_owned()) {
            report.named(&found[2], TestStatus::Failed);
        }
    }
    for (count, word) in totals
        .iter()
        .flat_map(|totals| PART.captures_iter(totals))
        .map(|part| (part[1].parse().unwrap_or(0), part[2].to_owned()))
    {
        match word.as_str() {
            "passed" | "xfailed" | "xpassed" => report.count(TestStatus::Passed, count),
            "failed" | "error" | "errors" => report.count(TestStatus::Failed, count),
            "skipped" => report.count(TestStatus::Skipped, count),
            _ => {}
        }
    }
    if let Some(counts) = &mut report.counts {
        counts.failed = counts.failed.saturating_sub(not_loaded);
    }
    Some(report)
}
