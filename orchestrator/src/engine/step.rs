//! One step of a run: what happened, written down together with what follows from it.
//!
//! Several events may be one step; it costs what they change, not what the run has. What is in memory follows what is
//! written: a step that is not committed leaves neither.

use std::collections::BTreeMap;

use loops::{
    id::TaskId,
    run::{Action, End, Event, Next, RunState, Step as TaskStep, Undo},
};
use serde_json::json;
use tokio::sync::MutexGuard;

use super::{EngineError, Progress, Running, settle::at_the_end};
use crate::{
    clock,
    store::{
        Tx, orders, runs, tasks,
        ticks::{self, Receipt},
    },
};

/// A step that is being made. Rows are written to `tx`; nothing counts before [`Step::commit`].
pub(crate) struct Step<'a> {
    running: &'a Running,
    taken: Taken<'a>,
    pub(crate) tx: Tx,
    /// How the tasks stood before that are not as they were.
    before: BTreeMap<TaskId, Option<TaskStep>>,
    had_ended: bool,
    actions: Vec<Action>,
}

/// The state in memory, with the events of a step that is not committed yet. Dropped, it is as it was.
struct Taken<'a> {
    state: MutexGuard<'a, RunState>,
    undo: Vec<Undo>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        for undo in self.undo.drain(..).rev() {
            self.state.undo(undo);
        }
    }
}

impl Running {
    /// Begins a step. Steps of a run are made one at a time, and quickly.
    pub(crate) async fn step(&self) -> Result<Step<'_>, EngineError> {
        let state = self.state.lock().await;
        let tx = self.engine.home.store.begin().await?;
        Ok(Step {
            running: self,
            had_ended: state.end().is_some(),
            taken: Taken {
                state,
                undo: Vec::new(),
            },
            tx,
            before: BTreeMap::new(),
            actions: Vec::new(),
        })
    }

    /// A step that writes no rows of its own.
    pub(crate) async fn happen(&self, event: Event) -> Result<(), EngineError> {
        self.step().await?.commit(event).await
    }
}

impl Step<'_> {
    /// The state before the step, or after the events that have happened in it.
    pub(crate) fn state(&self) -> &RunState {
        &self.taken.state
    }

    /// Records `event` and what follows from it; more may follow.
    pub(crate) async fn happen(&mut self, event: Event) -> Result<(), EngineError> {
        let id = self.running.id;
        let name = &self.running.spec().name;
        let subject = event
            .task()
            .map_or_else(|| id.to_string(), |task| task.to_string());
        self.tx
            .record(
                clock::now(),
                event.kind(),
                Some(name),
                Some(id),
                &subject,
                json!(event),
            )
            .await?;
        let next = self.taken.state.weigh(&event);
        for task in next.tasks.keys() {
            let was = self.taken.state.tasks.get(task).map(|run| run.step);
            self.before.entry(*task).or_insert(was);
        }
        let undo = self.taken.state.take(&next);
        self.taken.undo.push(undo);
        self.actions.extend(next.actions);
        tracing::debug!(run = %id, event = event.kind(), phase = self.taken.state.phase.as_str(), "step");
        Ok(())
    }

    /// Writes down `event` and the state that follows from it, and lets what is newly due be done.
    pub(crate) async fn commit(mut self, event: Event) -> Result<(), EngineError> {
        self.happen(event).await?;
        self.end().await
    }

    /// Makes it so, and lets what is newly due be done.
    pub(crate) async fn end(mut self) -> Result<(), EngineError> {
        let next = self.changed();
        self.write(&next).await?;
        let Self {
            running,
            mut taken,
            tx,
            before,
            ..
        } = self;
        tx.commit().await?;
        taken.undo.clear();
        running.tell_of(&next, &before);
        running.seen.send_modify(|seen| drop(seen.take(&next)));
        for action in next.actions {
            // The receiver lives as long as the run is driven; after that nothing is to be done.
            let _ = running.actions.send(action);
        }
        Ok(())
    }

    /// All that its events changed, as it is after the last one.
    fn changed(&mut self) -> Next {
        let state = &self.taken.state;
        let task = |id: &TaskId| Some((*id, state.tasks.get(id)?.clone()));
        Next {
            phase: state.phase,
            stopping: state.stopping,
            tasks: self.before.keys().filter_map(task).collect(),
            actions: std::mem::take(&mut self.actions)
                .into_iter()
                .filter(|action| state.is_due(action))
                .collect(),
        }
    }

    async fn write(&mut self, next: &Next) -> Result<(), EngineError> {
        let (now, id) = (clock::now(), self.running.id);
        let states: Vec<_> = next
            .tasks
            .iter()
            .map(|(task, run)| {
                let why = match run.step {
                    TaskStep::Failed(why) => Some(why.words()),
                    _ => None,
                };
                (*task, run.step.as_str(), why)
            })
            .collect();
        let over: Vec<TaskId> = next
            .tasks
            .iter()
            .filter(|(_, run)| run.step.is_over())
            .map(|(task, _)| *task)
            .collect();
        tasks::set_states(&mut self.tx, &states, now).await?;
        // Whoever still works on them stops.
        orders::lease::cancel_tasks(&mut self.tx, &over, now).await?;
        let changed = RunState {
            phase: next.phase,
            stopping: next.stopping,
            tasks: next.tasks.clone(),
        };
        let ended = changed.end().map(|_| now);
        runs::save_changed(&mut self.tx, id, &changed, (next.phase.as_str(), ended)).await?;
        if let Some(end) = changed.end() {
            let receipt = match end {
                End::Done | End::OutOfBudget => Receipt::Ran,
                End::NothingToDo | End::Cancelled => Receipt::Skipped,
                End::Failed => Receipt::Failed,
            };
            ticks::end_of_run(&mut self.tx, id, receipt, Some(end.as_str())).await?;
            if !self.had_ended {
                at_the_end(&mut self.tx, id, &self.taken.state).await?;
            }
        }
        Ok(())
    }
}

impl Running {
    fn tell_of(&self, next: &Next, before: &BTreeMap<TaskId, Option<TaskStep>>) {
        for (id, run) in &next.tasks {
            let was = before.get(id).copied().flatten();
            if was == Some(run.step) || run.step.is_over() || run.step == TaskStep::Queued {
                continue;
            }
            self.tell(Progress::Doing {
                id: *id,
                doing: run.step.as_str().to_owned(),
            });
        }
    }

    /// What is due now, for whoever goes on with the run.
    pub(crate) async fn due(&self) -> Vec<Action> {
        self.state.lock().await.due()
    }

    /// The state now. For who looks at little of it, [`Running::look`] copies nothing.
    pub(crate) async fn state(&self) -> RunState {
        self.state.lock().await.clone()
    }

    /// What `look` sees in the state as the last step left it. No step ends while it looks.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&RunState) -> T) -> T {
        look(&self.seen.borrow())
    }
}
