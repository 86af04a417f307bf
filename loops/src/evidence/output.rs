//! Which tests ran, read from what a runner printed or wrote. This is testimony of the code under test, not truth.
//!
//! Nothing here panics or takes more than linear time, whatever the text is. A runner that is not known is not
//! guessed at: its report is empty, and says so.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::change::pattern;

mod go;
mod junit;
mod libtest;
mod node;
mod pytest;
mod scripts;
mod unittest;

pub use junit::{FailedTest, junit_failures, read_junit};

/// More results than this are not kept.
const MAX_RESULTS: usize = 50_000;

/// Longer names are cut, in characters.
const MAX_NAME: usize = 300;

/// More load errors than this tell nothing new.
const MAX_LOAD_ERRORS: usize = 50;

/// How one test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestStatus {
    /// It ran and held.
    Passed,
    /// It ran and did not hold.
    Failed,
    /// It did not run.
    Skipped,
}

/// One test and how it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    /// The runner's own name for it, with its class or file where that is known.
    pub name: String,
    /// How it ended.
    pub status: TestStatus,
}

/// How many tests ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// They ran and held.
    pub passed: u32,
    /// They ran and did not hold.
    pub failed: u32,
    /// They did not run.
    pub skipped: u32,
}

/// What a run of tests said of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TestReport {
    /// Which runner was recognised: `libtest`, `unittest`, `pytest`, `node`, `jest`, `go`, `junit` …; none: nothing was.
    /// Several are joined by a comma.
    pub runner: Option<String>,
    /// The tests, in the order of the output. Some runners name only those that failed: see `counts`.
    pub results: Vec<TestResult>,
    /// Why tests could not be compiled or loaded, if some could not.
    pub load_errors: Vec<String>,
    /// The totals, where a runner was recognised. What could not be loaded is in none of them.
    #[serde(default)]
    pub counts: Option<Counts>,
}

impl TestReport {
    /// How many tests ran; none: nobody knows.
    pub fn executed(&self) -> Option<u32> {
        self.counts
            .map(|counts| counts.passed.saturating_add(counts.failed))
    }

    /// The names of the tests that ended in this way, in the order of the output.
    pub fn names(&self, status: TestStatus) -> Vec<String> {
        self.results
            .iter()
            .filter(|test| test.status == status)
            .map(|test| test.name.clone())
            .collect()
    }

    /// Adds what another report says, as when a command wrote several files.
    pub fn add(&mut self, other: Self) {
        self.runner = match (self.runner.take(), other.runner) {
            (Some(mine), Some(its)) if mine.split(", ").all(|name| name != its) => {
                Some(format!("{mine}, {its}"))
            }
            (mine, its) => mine.or(its),
        };
        self.counts = match (self.counts, other.counts) {
            (Some(a), Some(b)) => Some(Counts {
                passed: a.passed.saturating_add(b.passed),
                failed: a.failed.saturating_add(b.failed),
                skipped: a.skipped.saturating_add(b.skipped),
            }),
            (a, b) => a.or(b),
        };
        let room = MAX_RESULTS.saturating_sub(self.results.len());
        self.results.extend(other.results.into_iter().take(room));
        for error in other.load_errors {
            self.load_error(error);
        }
    }

    fn of(runner: &str) -> Self {
        Self {
            runner: Some(runner.to_owned()),
            counts: Some(Counts::default()),
            ..Self::default()
        }
    }

    /// A result that is counted.
    fn result(&mut self, name: &str, status: TestStatus) {
        self.count(status, 1);
        self.named(name, status);
    }

    /// A result whose count the runner says elsewhere.
    fn named(&mut self, name: &str, status: TestStatus) {
        if self.results.len() < MAX_RESULTS {
            let name = name
                .trim()
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .take(MAX_NAME)
                .collect();
            self.results.push(TestResult { name, status });
        }
    }

    fn count(&mut self, status: TestStatus, more: u32) {
        let counts = self.counts.get_or_insert_default();
        let count = match status {
            TestStatus::Passed => &mut counts.passed,
            TestStatus::Failed => &mut counts.failed,
            TestStatus::Skipped => &mut counts.skipped,
        };
        *count = count.saturating_add(more);
    }

    fn load_error(&mut self, error: impl AsRef<str>) {
        let error: String = error.as_ref().trim().chars().take(MAX_NAME).collect();
        if self.load_errors.len() < MAX_LOAD_ERRORS && !self.load_errors.contains(&error) {
            self.load_errors.push(error);
        }
    }
}

static ESCAPES: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\x1b\[[0-9;?]{0,40}[A-Za-z]|\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|\r"));

/// Errors that keep Python's tests from being loaded, or that say that what a test calls is not there.
static PYTHON_LOAD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:E\s+)?(?:ImportError|ModuleNotFoundError|SyntaxError|IndentationError|TabError)\b|^(?:E\s+)?AttributeError: module '",
    )
});
/// The same for JavaScript.
static SCRIPT_LOAD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^\s*(?:#\s*)?(?:\w*Error(?: \[\w+\])?: (?:Cannot find (?:module|package)|Failed to (?:resolve|load))|SyntaxError\b|.{0,200}does not provide an export named|\w*Error: Transform failed|error TS\d+)|ERR_MODULE_NOT_FOUND|MODULE_NOT_FOUND|ERR_UNKNOWN_FILE_EXTENSION",
    )
});

/// Reads the combined standard output and error of a test command.
pub fn read_output(output: &str) -> TestReport {
    let plain = ESCAPES.replace_all(output, "");
    let lines: Vec<&str> = plain.lines().collect();
    let readers = [
        libtest::read,
        libtest::read_nextest,
        unittest::read,
        pytest::read,
        node::read,
        scripts::read,
        go::read,
    ];
    let mut report = TestReport::default();
    for part in readers.iter().filter_map(|read| read(&lines)) {
        report.add(part);
    }
    if report.runner.is_none() {
        // No runner began: perhaps because what it would have run cannot be loaded.
        for line in lines
            .iter()
            .filter(|line| PYTHON_LOAD.is_match(line) || SCRIPT_LOAD.is_match(line))
        {
            report.load_error(line);
        }
    }
    report
}

#[cfg(test)]
mod tests;
