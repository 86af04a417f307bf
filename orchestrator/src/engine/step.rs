//! One step of a run: what happened, written down together with what follows from it.

use std::collections::BTreeSet;

use loops::run::{Action, End, Event, RunState, Step as TaskStep};
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
    state: MutexGuard<'a, RunState>,
    pub(crate) tx: Tx,
}

impl Running {
    /// Begins a step. Steps of a run are made one at a time, and quickly.
    pub(crate) async fn step(&self) -> Result<Step<'_>, EngineError> {
        let state = self.state.lock().await;
        let tx = self.engine.home.store.begin().await?;
        Ok(Step {
            running: self,
            state,
            tx,
        })
    }

    /// A step that writes no rows of its own.
    pub(crate) async fn happen(&self, event: Event) -> Result<(), EngineError> {
        self.step().await?.commit(event).await
    }
}

impl Step<'_> {
    /// The state before the step.
    pub(crate) fn state(&self) -> &RunState {
        &self.state
    }

    /// Writes down `event` and the state that follows from it, and lets what is newly due be done.
    pub(crate) async fn commit(mut self, event: Event) -> Result<(), EngineError> {
        let now = clock::now();
        let before = self.state.clone();
        let (after, actions) = before.clone().decide(&event);
        let id = self.running.id;
        let name = &self.running.spec().name;
        let subject = event
            .task()
            .map_or_else(|| id.to_string(), |task| task.to_string());
        self.tx
            .record(now, event.kind(), Some(name), Some(id), &subject, json!(event))
            .await?;
        for (task, run) in &after.tasks {
            if before.tasks.get(task) != Some(run) {
                let why = match run.step {
                    TaskStep::Failed(why) => Some(why.words()),
                    _ => None,
                };
                tasks::set_state(&mut self.tx, *task, run.step.as_str(), why, now).await?;
                if run.step.is_over() {
                    // Whoever still works on it stops.
                    orders::lease::cancel_task(&mut self.tx, *task, now).await?;
                }
            }
        }
        let ended = after.end().map(|_| now);
        let changed: BTreeSet<String> = after
            .tasks
            .iter()
            .filter(|(task, run)| before.tasks.get(task) != Some(run))
            .map(|(task, _)| task.to_string())
            .collect();
        let how = (after.phase.as_str(), ended);
        runs::save_changed(&mut self.tx, id, &after, how, |task| changed.contains(task)).await?;
        if let Some(end) = after.end() {
            let receipt = match end {
                End::Done | End::OutOfBudget => Receipt::Ran,
                End::NothingToDo | End::Cancelled => Receipt::Skipped,
                End::Failed => Receipt::Failed,
            };
            ticks::end_of_run(&mut self.tx, id, receipt, Some(end.as_str())).await?;
            if before.end().is_none() {
                at_the_end(&mut self.tx, id, &after).await?;
            }
        }
        self.tx.commit().await?;
        tracing::debug!(run = %id, event = event.kind(), phase = after.phase.as_str(), "step");
        self.running.tell_of(&before, &after);
        *self.state = after.clone();
        self.running.seen.send_replace(after);
        for action in actions {
            // The receiver lives as long as the run is driven; after that nothing is to be done.
            let _ = self.running.actions.send(action);
        }
        Ok(())
    }
}

impl Running {
    fn tell_of(&self, before: &RunState, after: &RunState) {
        for (id, run) in &after.tasks {
            let was = before.tasks.get(id);
            if was.is_none_or(|was| was.step != run.step) {
                if run.step.is_over() || run.step == TaskStep::Queued {
                    continue;
                }
                self.tell(Progress::Doing {
                    id: *id,
                    doing: run.step.as_str().to_owned(),
                });
            }
        }
    }

    /// What is due now, for whoever goes on with the run.
    pub(crate) async fn due(&self) -> Vec<Action> {
        self.state.lock().await.due()
    }

    /// The state now.
    pub(crate) async fn state(&self) -> RunState {
        self.state.lock().await.clone()
    }
}
