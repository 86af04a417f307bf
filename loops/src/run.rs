//! One run as a state machine: what happened goes in, what is to be done next comes out.
//!
//! [`RunState::decide`] is the heart of a run. It knows no clock, no store and no words: an event that does not fit the state (a
//! duplicate, a late one, one for a task that is gone) changes nothing, so any order of events is safe, and
//! replaying the recorded ones gives the same state. [`RunState::due`] says what is to be done in a state,
//! which is how a run goes on after a restart.

mod event;
mod task;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use self::{
    event::{Action, Event, Left},
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
    /// What the state becomes when `event` happens, and what is newly to be done.
    pub fn decide(mut self, event: &Event) -> (Self, Vec<Action>) {
        let before: BTreeSet<Action> = self.due().into_iter().collect();
        self.apply(event);
        self.settle();
        let after = self
            .due()
            .into_iter()
            .filter(|action| !before.contains(action))
            .collect();
        (self, after)
    }

    /// What is to be done in this state. A working attempt is not among it: it is under way, or lost.
    pub fn due(&self) -> Vec<Action> {
        let mut due = Vec::new();
        match self.phase {
            Phase::Collecting => due.push(Action::Collect),
            Phase::Triaging => due.push(Action::Triage),
            Phase::Leading => due.push(Action::Lead),
            Phase::Draining => {}
            Phase::Ended(_) => return due,
        }
        due.extend(self.tasks.iter().filter_map(|(id, task)| task.due(*id)));
        due
    }

    /// How it ended, if it did.
    pub fn end(&self) -> Option<End> {
        match self.phase {
            Phase::Ended(end) => Some(end),
            _ => None,
        }
    }

    fn apply(&mut self, event: &Event) {
        if self.end().is_some() {
            return self.apply_after_the_end(event);
        }
        match *event {
            Event::Collected if self.phase == Phase::Collecting => self.phase = Phase::Triaging,
            Event::Triaged { ready } if self.phase == Phase::Triaging => {
                self.phase = if ready == 0 {
                    Phase::Ended(End::NothingToDo)
                } else {
                    Phase::Leading
                };
            }
            Event::Spawned { task, terms } if self.phase == Phase::Leading && self.stopping.is_none() => {
                self.tasks.entry(task).or_insert(TaskRun::new(terms));
            }
            Event::LeadEnded { well } if self.phase == Phase::Leading => {
                self.phase = Phase::Draining;
                if !well && self.tasks.is_empty() {
                    self.stopping.get_or_insert(End::Failed);
                }
            }
            Event::Stopped { end } => self.stop(end),
            _ => self.apply_to_task(event),
        }
    }

    /// After the end only a person's words count, and that a proposal was made anew: they open the task, and with it the
    /// run, once more. A refused plan opens nothing.
    fn apply_after_the_end(&mut self, event: &Event) {
        let Some(entry) = event.task().and_then(|task| self.tasks.get_mut(&task)) else {
            return;
        };
        let comes_back = match event {
            Event::SentBack { .. } => entry.step.takes_words(),
            Event::ProvenAnew { .. } => entry.takes_anew(),
            Event::PlanApproved { .. } => entry.step.waits_for_a_yes(),
            Event::PlanRefused { .. } => {
                entry.apply(event);
                false
            }
            _ => false,
        };
        if comes_back {
            entry.apply(event);
            self.phase = Phase::Draining;
            self.stopping = None;
        }
    }

    fn apply_to_task(&mut self, event: &Event) {
        let Some(id) = event.task() else { return };
        let stopping = self.stopping.is_some();
        if stopping && matches!(event, Event::PlanApproved { .. }) {
            // It opens the run again once that has ended; now it would only be cancelled.
            return;
        }
        if let Some(task) = self.tasks.get_mut(&id) {
            task.apply(event);
            if stopping && task.step == Step::Queued {
                task.step = Step::Cancelled;
            }
        }
    }

    fn stop(&mut self, end: End) {
        self.stopping.get_or_insert(end);
        if end == End::Cancelled {
            // Who cancels does not want to wait for what is under way.
            self.stopping = Some(end);
            self.tasks
                .values_mut()
                .filter(|task| !task.step.is_over())
                .for_each(|task| task.step = Step::Cancelled);
        }
        for task in self.tasks.values_mut().filter(|task| task.step == Step::Queued) {
            task.step = if end == End::OutOfBudget {
                Step::Failed(Why::OutOfBudget)
            } else {
                Step::Cancelled
            };
        }
        self.phase = Phase::Draining;
    }

    fn settle(&mut self) {
        if self.phase == Phase::Draining && self.tasks.values().all(|task| task.step.is_over()) {
            self.phase = Phase::Ended(self.stopping.unwrap_or(End::Done));
        }
    }
}

#[cfg(test)]
mod tests;
