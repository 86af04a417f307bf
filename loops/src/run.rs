//! One run as a state machine: what happened goes in, what is to be done next comes out.
//!
//! [`RunState::decide`] is the heart of a run. It knows no clock, no store and no words: an event that does not fit the state (a
//! duplicate, a late one, one for a task that is gone) changes nothing, so any order of events is safe, and
//! replaying the recorded ones gives the same state. [`RunState::due`] says what is to be done in a state,
//! which is how a run goes on after a restart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    evidence::Verdict,
    id::{AttemptId, TaskId},
};

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

/// One task within a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRun {
    /// What is being done about it.
    pub step: Step,
    /// What was asked of it when it was spawned.
    pub terms: Terms,
    /// How many working attempts were begun and not lost.
    pub attempts: u32,
    /// How often the independent reviewer sent it back.
    pub review_rounds: u32,
    /// The change that was last proposed, if one was.
    pub proposed: Option<AttemptId>,
}

/// What a task may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// How many working attempts.
    pub max_attempts: u32,
    /// Whether an independent agent reviews before a person does.
    pub review: bool,
}

/// What is being done about a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// It waits for a worker.
    Queued,
    /// A worker is on it.
    Working(AttemptId),
    /// The change is being checked.
    Proving(AttemptId),
    /// The change is being reviewed by an independent agent.
    Reviewing(AttemptId),
    /// The change is being put before people.
    Proposing(AttemptId),
    /// A proposal is there.
    Proposed(AttemptId),
    /// It came to nothing.
    Failed(Why),
    /// Somebody stopped it.
    Cancelled,
}

impl Step {
    /// Whether nothing more happens by itself.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Proposed(_) | Self::Failed(_) | Self::Cancelled)
    }

    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Working(_) => "working",
            Self::Proving(_) => "proving",
            Self::Reviewing(_) => "reviewing",
            Self::Proposing(_) => "proposing",
            Self::Proposed(_) => "proposed",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Why a task came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// No attempt changed anything.
    NoChange,
    /// No attempt passed its checks.
    NotProven,
    /// The reviewer could not do its work.
    NotReviewed,
    /// The worker could not do its work.
    CouldNotRun,
    /// The money was used up.
    OutOfBudget,
    /// The change could not be put before people.
    NotProposed,
}

impl Why {
    /// In words for a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoChange => "no attempt changed anything",
            Self::NotProven => "no attempt passed its checks",
            Self::NotReviewed => "the independent review could not be done",
            Self::CouldNotRun => "the worker could not do its work",
            Self::OutOfBudget => "the budget was used up",
            Self::NotProposed => "the change could not be put before people",
        }
    }
}

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
        let before = self.due();
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

    /// After the end only a person's words count: they open the task, and with it the run, once more.
    fn apply_after_the_end(&mut self, event: &Event) {
        let Event::SentBack { task } = *event else { return };
        let Some(entry) = self.tasks.get_mut(&task) else {
            return;
        };
        if entry.step.is_over() {
            entry.send_back();
            self.phase = Phase::Draining;
            self.stopping = None;
        }
    }

    fn apply_to_task(&mut self, event: &Event) {
        let Some(id) = event.task() else { return };
        let stopping = self.stopping.is_some();
        if let Some(task) = self.tasks.get_mut(&id) {
            task.apply(event);
            if stopping && task.step == Step::Queued {
                task.step = Step::Cancelled;
            }
        }
    }

    fn stop(&mut self, end: End) {
        self.stopping.get_or_insert(end);
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

impl TaskRun {
    fn new(terms: Terms) -> Self {
        Self {
            step: Step::Queued,
            terms,
            attempts: 0,
            review_rounds: 0,
            proposed: None,
        }
    }

    fn due(&self, task: TaskId) -> Option<Action> {
        match self.step {
            Step::Queued => Some(Action::Work {
                task,
                number: self.attempts + 1,
            }),
            Step::Proving(attempt) => Some(Action::Prove { task, attempt }),
            Step::Reviewing(attempt) => Some(Action::Review { task, attempt }),
            Step::Proposing(attempt) => Some(Action::Propose { task, attempt }),
            Step::Working(_) | Step::Proposed(_) | Step::Failed(_) | Step::Cancelled => None,
        }
    }

    fn apply(&mut self, event: &Event) {
        self.step = match (self.step, *event) {
            (Step::Queued, Event::WorkStarted { attempt, .. }) => {
                self.attempts += 1;
                Step::Working(attempt)
            }
            (Step::Working(at), Event::Worked { attempt, left, .. }) if at == attempt => match left {
                Left::Change => Step::Proving(attempt),
                Left::Nothing => self.again_or(Why::NoChange),
                Left::NothingAndNoBudget => Step::Failed(Why::OutOfBudget),
                Left::Trouble => self.again_or(Why::CouldNotRun),
                Left::Hopeless => Step::Failed(Why::CouldNotRun),
            },
            (Step::Working(at), Event::Lost { attempt, .. }) if at == attempt => {
                self.attempts = self.attempts.saturating_sub(1);
                Step::Queued
            }
            (Step::Proving(at), Event::Proved { attempt, verdict, .. }) if at == attempt => match verdict {
                Verdict::Passed if self.terms.review => Step::Reviewing(attempt),
                Verdict::Passed => Step::Proposing(attempt),
                Verdict::Failed | Verdict::CouldNotRun => self.again_or(Why::NotProven),
            },
            (Step::Reviewing(at), Event::Reviewed { attempt, verdict, .. }) if at == attempt => match verdict
            {
                Verdict::Passed => Step::Proposing(attempt),
                Verdict::Failed if self.review_rounds == 0 && self.attempts < self.terms.max_attempts => {
                    self.review_rounds += 1;
                    Step::Queued
                }
                Verdict::Failed => Step::Proposing(attempt),
                Verdict::CouldNotRun => Step::Failed(Why::NotReviewed),
            },
            (Step::Proposing(at), Event::Proposed { attempt, .. }) if at == attempt => {
                self.proposed = Some(attempt);
                Step::Proposed(attempt)
            }
            (Step::Proposing(at), Event::ProposalRefused { attempt, .. }) if at == attempt => {
                Step::Failed(Why::NotProposed)
            }
            (step, Event::SentBack { .. }) if step.is_over() => {
                self.send_back();
                self.step
            }
            (step, Event::TaskCancelled { .. }) if !step.is_over() => Step::Cancelled,
            (step, _) => step,
        };
    }

    fn again_or(&self, why: Why) -> Step {
        if self.attempts < self.terms.max_attempts {
            Step::Queued
        } else {
            Step::Failed(why)
        }
    }

    /// One more attempt than was agreed, because somebody asked for it in words.
    fn send_back(&mut self) {
        self.terms.max_attempts = self.terms.max_attempts.max(self.attempts + 1);
        self.step = Step::Queued;
    }
}

impl Event {
    /// The task that the event is about, if it is about one.
    pub fn task(&self) -> Option<TaskId> {
        match *self {
            Self::Spawned { task, .. }
            | Self::WorkStarted { task, .. }
            | Self::Worked { task, .. }
            | Self::Proved { task, .. }
            | Self::Reviewed { task, .. }
            | Self::Proposed { task, .. }
            | Self::ProposalRefused { task, .. }
            | Self::SentBack { task }
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
            Self::WorkStarted { .. } => "attempt.started",
            Self::Worked { .. } => "attempt.worked",
            Self::Proved { .. } => "attempt.proved",
            Self::Reviewed { .. } => "attempt.reviewed",
            Self::Proposed { .. } => "task.proposed",
            Self::ProposalRefused { .. } => "task.proposal_refused",
            Self::SentBack { .. } => "task.sent_back",
            Self::Lost { .. } => "attempt.lost",
            Self::TaskCancelled { .. } => "task.cancelled",
            Self::LeadEnded { .. } => "run.lead_ended",
            Self::Stopped { .. } => "run.stopped",
        }
    }
}

#[cfg(test)]
mod tests;
