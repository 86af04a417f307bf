//! What one event changes of a run, and nothing besides.
//!
//! A [`Draft`] lies over the state as it was: it reads through to it, and keeps what is different. So a step of a run of
//! ten thousand tasks costs what a step of a run of ten does. It writes nothing: [`RunState::take`] does.

use std::collections::BTreeMap;

use super::{Action, End, Event, Phase, RunState, Step, TaskRun, Why};
use crate::id::TaskId;

/// What follows from an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// Which stage the run is in then.
    pub phase: Phase,
    /// Why it is stopping then, if it is.
    pub stopping: Option<End>,
    /// The tasks that are new or not as they were, as they are then.
    pub tasks: BTreeMap<TaskId, TaskRun>,
    /// What is due then and was not before.
    pub actions: Vec<Action>,
}

/// What undoes a step that was taken and came to nothing.
#[derive(Debug)]
pub struct Undo {
    pub(super) phase: Phase,
    pub(super) stopping: Option<End>,
    pub(super) tasks: Vec<(TaskId, Option<TaskRun>)>,
}

/// A state that is being changed.
pub(super) struct Draft<'s> {
    before: &'s RunState,
    phase: Phase,
    stopping: Option<End>,
    changed: BTreeMap<TaskId, TaskRun>,
}

impl<'s> Draft<'s> {
    pub(super) fn of(before: &'s RunState) -> Self {
        Self {
            before,
            phase: before.phase,
            stopping: before.stopping,
            changed: BTreeMap::new(),
        }
    }

    pub(super) fn after(mut self, event: &Event) -> Next {
        self.apply(event);
        self.settle();
        Next {
            actions: self.newly_due(),
            phase: self.phase,
            stopping: self.stopping,
            tasks: self.changed,
        }
    }

    fn task(&self, id: TaskId) -> Option<&TaskRun> {
        self.changed.get(&id).or_else(|| self.before.tasks.get(&id))
    }

    /// Changes a task, if it is there; it counts as changed only if it is.
    fn change(&mut self, id: TaskId, change: impl FnOnce(&mut TaskRun)) {
        let Some(was) = self.task(id) else { return };
        let mut task = was.clone();
        change(&mut task);
        if Some(&task) != self.task(id) {
            self.changed.insert(id, task);
        }
    }

    fn apply(&mut self, event: &Event) {
        if matches!(self.phase, Phase::Ended(_)) {
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
                if self.task(task).is_none() {
                    self.changed.insert(task, TaskRun::new(terms));
                }
            }
            Event::LeadEnded { well } if self.phase == Phase::Leading => {
                self.phase = Phase::Draining;
                if !well && self.before.tasks.is_empty() {
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
        let Some((id, task)) = event.task().and_then(|id| Some((id, self.task(id)?))) else {
            return;
        };
        let step = task.step;
        let comes_back = match event {
            Event::SentBack { .. } => step.takes_words(),
            Event::ProvenAnew { .. } => task.takes_anew(),
            Event::PlanApproved { .. } => step.waits_for_a_yes(),
            Event::PlanRefused { .. } => {
                self.change(id, |task| task.apply(event));
                false
            }
            _ => false,
        };
        if comes_back {
            self.change(id, |task| task.apply(event));
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
        self.change(id, |task| {
            task.apply(event);
            if stopping && task.step == Step::Queued {
                task.step = Step::Cancelled;
            }
        });
    }

    fn stop(&mut self, end: End) {
        self.stopping.get_or_insert(end);
        if end == End::Cancelled {
            // Who cancels does not want to wait for what is under way.
            self.stopping = Some(end);
        }
        let all: Vec<TaskId> = self.before.tasks.keys().copied().collect();
        for id in all {
            self.change(id, |task| match task.step {
                step if end == End::Cancelled && !step.is_over() => task.step = Step::Cancelled,
                Step::Queued if end == End::OutOfBudget => task.step = Step::Failed(Why::OutOfBudget),
                Step::Queued => task.step = Step::Cancelled,
                _ => {}
            });
        }
        self.phase = Phase::Draining;
    }

    fn settle(&mut self) {
        let over = |id: &TaskId, task: &TaskRun| self.changed.get(id).unwrap_or(task).step.is_over();
        if self.phase == Phase::Draining
            && self.changed.values().all(|task| task.step.is_over())
            && self.before.tasks.iter().all(|(id, task)| over(id, task))
        {
            self.phase = Phase::Ended(self.stopping.unwrap_or(End::Done));
        }
    }

    /// What an unchanged task asks for was due before; where a run had ended, no task of it asked for anything.
    fn newly_due(&self) -> Vec<Action> {
        if matches!(self.phase, Phase::Ended(_)) {
            return Vec::new();
        }
        let of_run = self
            .phase
            .due()
            .filter(|due| self.before.phase.due() != Some(*due));
        let of_tasks = self.changed.iter().filter_map(|(id, task)| {
            let before = self.before.tasks.get(id).and_then(|task| task.due(*id));
            task.due(*id).filter(|due| before != Some(*due))
        });
        of_run.into_iter().chain(of_tasks).collect()
    }
}
