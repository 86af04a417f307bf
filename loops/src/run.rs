//! One run as a state machine: what happened goes in, what is to be done next comes out.
//!
//! [`RunState::decide`] is the heart of a run. It knows no clock, no store and no words: an event that does not fit the state (a
//! duplicate, a late one, one for a task that is gone) changes nothing, so any order of events is safe, and
//! replaying the recorded ones gives the same state. [`RunState::due`] says what is to be done in a state,
//! which is how a run goes on after a restart.

mod event;
mod next;
mod task;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::next::Draft;
pub use self::{
    event::{Action, Event, Left},
    next::{Next, Undo},
    task::{Step, TaskRun, Terms, Why},
};
use crate::id::TaskId;

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunState {
    /// Which stage of the pipeline it is in.
    pub phase: Phase,
    /// Its tasks.
    pub tasks: BTreeMap<TaskId, TaskRun>,
    /// Why it is stopping, once something said so.
    pub stopping: Option<End>,
}

/// A stage of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reading the sources.
    Collecting,
    /// Making findings of signals.
    Triaging,
    /// The lead agent is at work, and so are the tasks that it spawned.
    Leading,
    /// The lead agent is done; tasks are not.
    Draining,
    /// Over.
    Ended(End),
}

impl Phase {
    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Collecting => "collecting",
            Self::Triaging => "triaging",
            Self::Leading => "leading",
            Self::Draining => "draining",
            Self::Ended(end) => end.as_str(),
        }
    }

    fn due(self) -> Option<Action> {
        match self {
            Self::Collecting => Some(Action::Collect),
            Self::Triaging => Some(Action::Triage),
            Self::Leading => Some(Action::Lead),
            Self::Draining | Self::Ended(_) => None,
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It did what there was to do.
    Done,
    /// There was nothing to do: no finding passed the thresholds, or people have enough proposals before them.
    NothingToDo,
    /// A budget stopped it.
    OutOfBudget,
    /// A person stopped it.
    Cancelled,
    /// It could not do its work.
    Failed,
}

impl End {
    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NothingToDo => "nothing_to_do",
            Self::OutOfBudget => "out_of_budget",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

impl Default for RunState {
    fn default() -> Self {
        Self {
            phase: Phase::Collecting,
            tasks: BTreeMap::new(),
            stopping: None,
        }
    }
}

impl RunState {
    /// Whether a reviewer is to look again at a change of it that stands before people already.
    pub fn is_reviewed_anew(&self) -> bool {
        self.tasks.values().any(TaskRun::is_reviewed_anew)
    }

    /// What the state becomes when `event` happens, and what is newly to be done.
    pub fn decide(mut self, event: &Event) -> (Self, Vec<Action>) {
        let next = self.weigh(event);
        self.take(&next);
        (self, next.actions)
    }

    /// What `event` changes. It costs what it changes, not what the run has: ten thousand tasks are no hindrance.
    pub fn weigh(&self, event: &Event) -> Next {
        Draft::of(self).after(event)
    }

    /// The state becomes what was weighed. The answer undoes it, taken in its turn.
    pub fn take(&mut self, next: &Next) -> Undo {
        let undo = Undo {
            phase: self.phase,
            stopping: self.stopping,
            tasks: next
                .tasks
                .keys()
                .map(|id| (*id, self.tasks.get(id).cloned()))
                .collect(),
        };
        self.phase = next.phase;
        self.stopping = next.stopping;
        for (id, task) in &next.tasks {
            self.tasks.insert(*id, task.clone());
        }
        undo
    }

    /// The state is what it was before something was taken.
    pub fn undo(&mut self, undo: Undo) {
        self.phase = undo.phase;
        self.stopping = undo.stopping;
        for (id, task) in undo.tasks {
            match task {
                Some(task) => drop(self.tasks.insert(id, task)),
                None => drop(self.tasks.remove(&id)),
            }
        }
    }

    /// What is to be done in this state. A working attempt is not among it: it is under way, or lost.
    pub fn due(&self) -> Vec<Action> {
        if self.end().is_some() {
            return Vec::new();
        }
        let tasks = self.tasks.iter().filter_map(|(id, task)| task.due(*id));
        self.phase.due().into_iter().chain(tasks).collect()
    }

    /// Whether that is among it.
    pub fn is_due(&self, action: &Action) -> bool {
        if self.end().is_some() {
            return false;
        }
        match action {
            Action::Collect | Action::Triage | Action::Lead => self.phase.due() == Some(*action),
            Action::Work { task, .. }
            | Action::Prove { task, .. }
            | Action::Review { task, .. }
            | Action::Propose { task, .. } => {
                let there = self.tasks.get(task);
                there.and_then(|run| run.due(*task)) == Some(*action)
            }
        }
    }

    /// How it ended, if it did.
    pub fn end(&self) -> Option<End> {
        match self.phase {
            Phase::Ended(end) => Some(end),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
