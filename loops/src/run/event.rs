//! What can happen in a run, and what can be due: plain data, as the ledger keeps it.

use serde::{Deserialize, Serialize};

use super::{End, Terms};
use crate::{
    evidence::Verdict,
    id::{AttemptId, TaskId},
};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The sources were read.
    Collected,
    /// Findings were made; that many are handed to the lead agent.
    Triaged {
        /// How many.
        ready: u32,
    },
    /// The lead agent (or, without one, the engine) wants a task done.
    Spawned {
        /// Which.
        task: TaskId,
        /// On which terms.
        terms: Terms,
    },
    /// A person approved the task's plan, or what its change depends on.
    PlanApproved {
        /// Which.
        task: TaskId,
    },
    /// A person refused that, or nobody answered in time.
    PlanRefused {
        /// Which.
        task: TaskId,
    },
    /// A worker began.
    WorkStarted {
        /// On what.
        task: TaskId,
        /// In which attempt.
        attempt: AttemptId,
    },
    /// A worker ended.
    Worked {
        /// On what.
        task: TaskId,
        /// In which attempt.
        attempt: AttemptId,
        /// With what.
        left: Left,
    },
    /// The checks ended.
    Proved {
        /// Of which task.
        task: TaskId,
        /// Of which working attempt.
        attempt: AttemptId,
        /// With what.
        verdict: Verdict,
    },
    /// The independent reviewer ended.
    Reviewed {
        /// Which task.
        task: TaskId,
        /// Which working attempt.
        attempt: AttemptId,
        /// With what.
        verdict: Verdict,
    },
    /// The change is proven, and what it depends on is a person's to decide first.
    Asked {
        /// Which task.
        task: TaskId,
        /// Which working attempt.
        attempt: AttemptId,
    },
    /// The change stands before people.
    Proposed {
        /// Which task.
        task: TaskId,
        /// Which working attempt.
        attempt: AttemptId,
    },
    /// The change cannot be put before people.
    ProposalRefused {
        /// Which task.
        task: TaskId,
        /// Which working attempt.
        attempt: AttemptId,
    },
    /// The lead agent or a person wants another attempt, with words.
    SentBack {
        /// Which task.
        task: TaskId,
    },
    /// What was proposed was made anew and proven without a worker; a reviewer is to look at it as it is now.
    ProvenAnew {
        /// Of which task.
        task: TaskId,
        /// What stands before people now.
        attempt: AttemptId,
    },
    /// The process that ran the attempt is gone; the attempt does not count.
    Lost {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: AttemptId,
    },
    /// Somebody stopped a task.
    TaskCancelled {
        /// Which.
        task: TaskId,
    },
    /// The lead agent is done.
    LeadEnded {
        /// Whether it did its work; a lead agent that failed before it spawned anything fails the run.
        well: bool,
    },
    /// The run must end: tasks that were not begun are not begun any more.
    Stopped {
        /// Why.
        end: End,
    },
}

/// What a working attempt left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Left {
    /// A change.
    Change,
    /// The tree as it was.
    Nothing,
    /// The tree as it was, and no money to go on.
    NothingAndNoBudget,
    /// It could not be carried out; another try may go better.
    Trouble,
    /// It could not be carried out, and would not be.
    Hopeless,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Read the sources.
    Collect,
    /// Make findings of signals.
    Triage,
    /// Start the lead agent's session, or go on with it.
    Lead,
    /// Let a worker try.
    Work {
        /// What.
        task: TaskId,
        /// The how-manyeth attempt it will be, from 1.
        number: u32,
    },
    /// Run the checks on what an attempt left.
    Prove {
        /// Of which task.
        task: TaskId,
        /// Of which working attempt.
        attempt: AttemptId,
    },
    /// Let an independent agent review what an attempt left.
    Review {
        /// Of which task.
        task: TaskId,
        /// Of which working attempt.
        attempt: AttemptId,
    },
    /// Put the change before people.
    Propose {
        /// Of which task.
        task: TaskId,
        /// Of which working attempt.
        attempt: AttemptId,
    },
}

impl Event {
    /// The task that the event is about, if it is about one.
    pub fn task(&self) -> Option<TaskId> {
        match *self {
            Self::Spawned { task, .. }
            | Self::PlanApproved { task }
            | Self::PlanRefused { task }
            | Self::WorkStarted { task, .. }
            | Self::Worked { task, .. }
            | Self::Proved { task, .. }
            | Self::Reviewed { task, .. }
            | Self::Asked { task, .. }
            | Self::Proposed { task, .. }
            | Self::ProposalRefused { task, .. }
            | Self::SentBack { task }
            | Self::ProvenAnew { task, .. }
            | Self::Lost { task, .. }
            | Self::TaskCancelled { task } => Some(task),
            Self::Collected | Self::Triaged { .. } | Self::LeadEnded { .. } | Self::Stopped { .. } => None,
        }
    }

    /// The word under which the ledger keeps it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Collected => "run.collected",
            Self::Triaged { .. } => "run.triaged",
            Self::Spawned { .. } => "task.spawned",
            Self::PlanApproved { .. } => "task.plan_approved",
            Self::PlanRefused { .. } => "task.plan_refused",
            Self::WorkStarted { .. } => "attempt.started",
            Self::Worked { .. } => "attempt.worked",
            Self::Proved { .. } => "attempt.proved",
            Self::Reviewed { .. } => "attempt.reviewed",
            Self::Asked { .. } => "task.asked",
            Self::Proposed { .. } => "task.proposed",
            Self::ProposalRefused { .. } => "task.proposal_refused",
            Self::SentBack { .. } => "task.sent_back",
            Self::ProvenAnew { .. } => "task.proven_anew",
            Self::Lost { .. } => "attempt.lost",
            Self::TaskCancelled { .. } => "task.cancelled",
            Self::LeadEnded { .. } => "run.lead_ended",
            Self::Stopped { .. } => "run.stopped",
        }
    }
}
