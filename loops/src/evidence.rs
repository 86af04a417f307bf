//! What checks found out about a change. Evidence is figures and words; it is never a model's own claim about
//! its work.

use serde::{Deserialize, Serialize};

mod gate;
mod output;

pub use gate::{Refusal, refusals, verdict};
pub use output::{
    Counts, FailedTest, TestReport, TestResult, TestStatus, junit_failures, read_junit, read_output,
};

/// What a check said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// The check could not do its work; that never counts as passed.
    CouldNotRun,
}

/// Which kind of check this is evidence of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// A command of the loop's spec, on the change, compared with the base.
    Command,
    /// The change's tests fail on the base and pass on the change.
    Reproduction,
    /// No test was removed, skipped or loosened.
    WeakenedTests,
    /// The change stays within the loop's boundaries.
    Boundaries,
    /// What would leave holds no secret and no text that deceives.
    Screen,
    /// An independent agent tried to refute the change.
    AgentReview,
}

/// One execution of a check's command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// What came of it.
    pub verdict: Verdict,
    /// The command's exit code, if it ended by itself.
    pub exit_code: Option<i32>,
    /// How many tests passed, where the output says so.
    pub passed: Option<u32>,
    /// How many tests failed, where the output says so.
    pub failed: Option<u32>,
    /// How many tests were skipped, where the output says so.
    pub skipped: Option<u32>,
    /// Milliseconds of wall time.
    pub duration_ms: u64,
}

/// What one check found out about a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The check's name as people see it: `unit`, `reproduction`, `weakened tests` …
    pub name: String,
    /// Which kind of check.
    pub kind: CheckKind,
    /// What it says of the change.
    pub verdict: Verdict,
    /// The same check on the base.
    pub before: Option<Observation>,
    /// The check on the change.
    pub after: Option<Observation>,
    /// One or two sentences for a person: what is so, and why it matters.
    pub words: String,
    /// The end of the output, or the places in the diff; empty if there is nothing to add. At most 8 KiB.
    pub detail: String,
}
