//! One task within a run: which step it is at, and where an event takes it.

use serde::{Deserialize, Serialize};

use super::{Action, Event, Left};
use crate::{
    evidence::Verdict,
    id::{AttemptId, TaskId},
};

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
    /// Whether a person approves the plan before any worker begins.
    #[serde(default)]
    pub plan_first: bool,
}

/// What is being done about a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Its plan waits for a person. The run does not wait with it.
    Planned,
    /// It waits for a worker.
    Queued,
    /// A worker is on it.
    Working(AttemptId),
    /// The change is being checked.
    Proving(AttemptId),
    /// The change is being reviewed by an independent agent.
    Reviewing(AttemptId),
    /// What the change depends on waits for a person. The run does not wait with it.
    Asked(AttemptId),
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
        matches!(
            self,
            Self::Planned | Self::Asked(_) | Self::Proposed(_) | Self::Failed(_) | Self::Cancelled
        )
    }

    /// Whether it waits for a person's yes, and goes on when that comes.
    pub fn waits_for_a_yes(self) -> bool {
        matches!(self, Self::Planned | Self::Asked(_))
    }

    /// Whether words alone may bring it back to a worker: not where a person has yet to say yes, nor where one has said no.
    pub fn takes_words(self) -> bool {
        self.is_over()
            && !self.waits_for_a_yes()
            && !matches!(self, Self::Failed(Why::PlanRefused | Why::DependenciesRefused))
    }

    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Queued => "queued",
            Self::Working(_) => "working",
            Self::Proving(_) => "proving",
            Self::Reviewing(_) => "reviewing",
            Self::Asked(_) => "asked",
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
    /// A person refused the plan, or nobody answered it in time.
    PlanRefused,
    /// A person refused what the change depends on, or nobody answered in time.
    DependenciesRefused,
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
            Self::PlanRefused => "its plan was not approved",
            Self::DependenciesRefused => "what it depends on was not approved",
        }
    }
}

impl TaskRun {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            step: if terms.plan_first {
                Step::Planned
            } else {
                Step::Queued
            },
            terms,
            attempts: 0,
            review_rounds: 0,
            proposed: None,
        }
    }

    pub(super) fn due(&self, task: TaskId) -> Option<Action> {
        match self.step {
            Step::Queued => Some(Action::Work {
                task,
                number: self.attempts + 1,
            }),
            Step::Proving(attempt) => Some(Action::Prove { task, attempt }),
            Step::Reviewing(attempt) => Some(Action::Review { task, attempt }),
            Step::Proposing(attempt) => Some(Action::Propose { task, attempt }),
            Step::Planned
            | Step::Asked(_)
            | Step::Working(_)
            | Step::Proposed(_)
            | Step::Failed(_)
            | Step::Cancelled => None,
        }
    }

    pub(super) fn apply(&mut self, event: &Event) {
        self.step = match (self.step, *event) {
            (Step::Planned, Event::PlanApproved { .. }) => Step::Queued,
            (Step::Planned, Event::PlanRefused { .. }) => Step::Failed(Why::PlanRefused),
            (Step::Asked(attempt), Event::PlanApproved { .. }) => Step::Proposing(attempt),
            (Step::Asked(_), Event::PlanRefused { .. }) => Step::Failed(Why::DependenciesRefused),
            (Step::Proposing(at), Event::Asked { attempt, .. }) if at == attempt => Step::Asked(attempt),
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
            // It stands before people already: whatever the reviewer says, it stands beside it.
            (Step::Reviewing(at), Event::Reviewed { attempt, .. })
                if at == attempt && self.is_reviewed_anew() =>
            {
                Step::Proposed(attempt)
            }
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
            (step, Event::SentBack { .. }) if step.takes_words() => {
                self.send_back();
                self.step
            }
            (_, Event::ProvenAnew { attempt, .. }) if self.takes_anew() => {
                self.proposed = Some(attempt);
                Step::Reviewing(attempt)
            }
            (step, Event::TaskCancelled { .. }) if !step.is_over() => Step::Cancelled,
            (step, _) => step,
        };
    }

    /// Whether what was proposed may be made anew: it is before people, and nothing is being done about it.
    pub(super) fn takes_anew(&self) -> bool {
        self.proposed.is_some() && self.step.takes_words()
    }

    /// Whether a reviewer is to look again at what stands before people already, because it was made anew.
    pub fn is_reviewed_anew(&self) -> bool {
        matches!(self.step, Step::Reviewing(at) if self.proposed == Some(at))
    }

    fn again_or(&self, why: Why) -> Step {
        if self.attempts < self.terms.max_attempts {
            Step::Queued
        } else {
            Step::Failed(why)
        }
    }

    /// One more attempt than was agreed, because somebody asked for it in words.
    pub(super) fn send_back(&mut self) {
        self.terms.max_attempts = self.terms.max_attempts.max(self.attempts + 1);
        self.step = Step::Queued;
    }
}
