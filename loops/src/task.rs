//! One narrow intent for one worker.

use serde::{Deserialize, Serialize};

use crate::id::{FindingId, TaskId};

/// What a worker is asked for, in words that the lead agent (or, with `lead: none`, the finding) supplied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name for life.
    pub id: TaskId,
    /// Which of the loop's `workers` carries it out.
    pub worker: String,
    /// One line.
    pub title: String,
    /// What is to be so afterwards.
    pub goal: String,
    /// How one can tell that it is.
    pub acceptance: Vec<String>,
    /// The findings that it is for; the first one names the proposal.
    pub findings: Vec<FindingId>,
    /// Globs of paths that it may change; always within the loop's own.
    pub write: Vec<String>,
}
