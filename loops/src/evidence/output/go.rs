//! `go test`: with `-v` the names, without them the names of what failed.

use std::sync::LazyLock;

use regex::Regex;

use super::{TestReport, TestStatus, pattern};

static END: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*--- (PASS|FAIL|SKIP): (\S+) \([\d.]+s\)$"));
static PACKAGE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(ok|FAIL|---|\?)\s+(\S+)\s+([\d.]+s|\(cached\)|\[.*\])(?:\s.*)?$"));

pub(super) fn read(lines: &[&str]) -> Option<TestReport> {
    let package = |line: &&str| {
        PACKAGE
            .captures(line)
            .filter(|found| &found[1] != "---")
            .map(|found| (found[1].to_owned(), found[2].to_owned(), found[3].to_owned()))
    };
    lines.iter().any(|line| package(line).is_some()).then_some(())?;
    let is_verbose = lines.iter().any(|line| line.starts_with("=== RUN"));
    let mut report = TestReport::of("go");
    let mut waiting: Vec<(&str, TestStatus)> = Vec::new();
    for line in lines {
        if let Some(found) = END.captures(line) {
            let status = match &found[1] {
                "PASS" => TestStatus::Passed,
                "SKIP" => TestStatus::Skipped,
                _ => TestStatus::Failed,
            };
            waiting.extend(found.get(2).map(|name| (name.as_str(), status)));
        } else if let Some((state, name, why)) = package(line) {
            for (test, status) in waiting.drain(..) {
                report.result(&format!("{name} {test}"), status);
            }
            if state == "FAIL" && (why.contains("build failed") || why.contains("setup failed")) {
                report.load_error(format!("{name} {why}"));
            }
        }
    }
    if !is_verbose {
        // Without `-v` nobody says how many passed.
        let failed = report.counts.is_some_and(|counts| counts.failed > 0);
        report.counts = report.counts.filter(|_| failed);
    }
    Some(report)
}
