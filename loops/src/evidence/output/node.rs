//! Node's own test runner: its TAP and its spec reporter. Suites are no tests; what they hold are.

use std::{collections::HashSet, sync::LazyLock};

use regex::Regex;

use super::{SCRIPT_LOAD, TestReport, TestStatus, pattern};

static TAP: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^( *)(ok|not ok) \d+(?: - (.*?))?(?: # (SKIP|TODO)\b.*)?$"));
static SPEC: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^( *)([✔✖﹣]) (.+?)(?: \([\d.]+m?s\))?( # (?:SKIP|TODO).*)?$"));
static SPEC_SUITE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^( *)▶ (.+?)(?: \([\d.]+m?s\))?$"));
static SPEC_TOTAL: LazyLock<Regex> = LazyLock::new(|| pattern(r"^ℹ (?:tests|pass) \d+$"));
static FILE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\.(?:[cm]?[jt]s|[jt]sx)$"));

/// A result before it is known whether it is a test or what was around tests.
struct Line {
    depth: usize,
    name: String,
    status: TestStatus,
    /// Errors of loading that were said since the result before it, or in its own block.
    load: Option<String>,
}

pub(super) fn read(lines: &[&str]) -> Option<TestReport> {
    let is_tap = lines.contains(&"TAP version 13");
    let is_spec = !is_tap && lines.iter().any(|line| SPEC_TOTAL.is_match(line));
    if is_tap {
        Some(collect(tap(lines), true))
    } else if is_spec {
        Some(collect(spec(lines), false))
    } else {
        None
    }
}

fn tap(lines: &[&str]) -> Vec<Line> {
    let mut results: Vec<Line> = Vec::new();
    let mut load: Option<String> = None;
    for line in lines {
        if let Some(found) = TAP.captures(line) {
            let status = match (found.get(4).map(|mark| mark.as_str()), &found[2]) {
                (Some("SKIP"), _) => TestStatus::Skipped,
                (Some(_), "not ok") => TestStatus::Skipped,
                (_, "ok") => TestStatus::Passed,
                _ => TestStatus::Failed,
            };
            let name = found.get(3).map_or("", |name| name.as_str()).to_owned();
            results.push(Line {
                depth: found[1].len() / 4,
                name,
                status,
                load: load.take(),
            });
        } else if SCRIPT_LOAD.is_match(line) {
            // Before a result: the process of its file said it. After it, indented: its own block says it.
            let is_in_block =
                line.trim_start().starts_with("code:") || line.trim_start().starts_with("error:");
            match results.last_mut().filter(|_| is_in_block) {
                Some(last) => last.load = Some(line.trim().to_owned()),
                None if line.trim_start().starts_with('#') => {
                    load.get_or_insert_with(|| line.trim_start_matches(['#', ' ']).to_owned());
                }
                None => {}
            }
        }
    }
    results
}

fn spec(lines: &[&str]) -> Vec<Line> {
    let mut results: Vec<Line> = Vec::new();
    let mut load: Option<String> = None;
    let mut suites: Vec<(usize, String)> = Vec::new();
    for line in lines {
        // After this, everything that failed is said again.
        if *line == "✖ failing tests:" {
            break;
        }
        if let Some(found) = SPEC_SUITE.captures(line) {
            suites.push((found[1].len() / 2, found[2].to_owned()));
        } else if let Some(found) = SPEC.captures(line) {
            let depth = found[1].len() / 2;
            // A suite is said once more when it ends, with its own mark.
            if suites
                .last()
                .is_some_and(|(of, name)| *of == depth && *name == found[3])
            {
                suites.pop();
                results.push(Line {
                    depth,
                    name: found[3].to_owned(),
                    status: TestStatus::Passed,
                    load: None,
                });
                continue;
            }
            let status = match (&found[2], found.get(4)) {
                ("﹣", _) => TestStatus::Skipped,
                ("✖", Some(_)) => TestStatus::Skipped,
                ("✔", _) => TestStatus::Passed,
                _ => TestStatus::Failed,
            };
            results.push(Line {
                depth,
                name: found[3].to_owned(),
                status,
                load: load.take(),
            });
        } else if SCRIPT_LOAD.is_match(line) {
            load.get_or_insert_with(|| line.trim().to_owned());
        }
    }
    results
}

/// In both forms what is around tests is said after them, less deep.
fn collect(results: Vec<Line>, blocks_say_load: bool) -> TestReport {
    let mut report = TestReport::of("node");
    let mut paths: Vec<String> = vec![String::new(); results.len()];
    let mut is_suite = HashSet::new();
    let mut around: Vec<(usize, &str)> = Vec::new();
    for (at, line) in results.iter().enumerate().rev() {
        around.retain(|(depth, _)| *depth < line.depth);
        let names: Vec<&str> = around
            .iter()
            .map(|(_, name)| *name)
            .chain([line.name.as_str()])
            .collect();
        paths[at] = names.join(" > ");
        if at > 0 && results[at - 1].depth > line.depth {
            is_suite.insert(at);
            if around.len() < 32 {
                around.push((line.depth, &line.name));
            }
        }
    }
    for (at, line) in results
        .iter()
        .enumerate()
        .filter(|(at, _)| !is_suite.contains(at))
    {
        let is_file = FILE.is_match(&line.name);
        match &line.load {
            Some(why) if line.status == TestStatus::Failed && (is_file || blocks_say_load) => {
                report.load_error(format!("{}: {why}", line.name));
            }
            _ => report.result(&paths[at], line.status),
        }
    }
    report
}
