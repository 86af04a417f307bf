//! What follows from the end of a run: the receipt that it could not leave itself, and how long its loop is left alone.

use std::time::Duration;

use loops::{
    run::{End, RunState},
    schedule::{Cause, Setback, hindered},
    text::one_line,
    time::Timestamp,
};

use super::{EngineError, Finished, Service, Start, Word};
use crate::{
    clock,
    store::{ledger, loops as loop_rows, runs, ticks},
};

/// How long an approved plan, or what was sent back, waits after a try to take it up has failed.
const PLANS_AGAIN: Duration = Duration::from_secs(60);

/// A job that has ended, as tokio gives it.
pub(super) type Ended = Result<(tokio::task::Id, Result<Finished, EngineError>), tokio::task::JoinError>;

/// What a run says about the machinery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Machinery {
    Works,
    Failed(Cause),
    /// It was not asked to the end.
    Unknown,
}

impl Service<'_> {
    /// Waits until one of the runs under way has ended, and does what follows from it; false: none is under way.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub async fn end_one(&mut self) -> Result<bool, EngineError> {
        match self.jobs.join_next_with_id().await {
            Some(done) => self.ended(done).await.map(|()| true),
            None => Ok(false),
        }
    }

    pub(super) async fn ended(&mut self, done: Ended) -> Result<(), EngineError> {
        let (id, finished) = match done {
            Ok(done) => done,
            Err(broken) => {
                let error = EngineError::Record(format!("the run broke: {broken}"));
                (broken.id(), Err(error))
            }
        };
        let Some((name, start)) = self.under_way.remove(&id) else {
            return Ok(());
        };
        let machinery = match &finished {
            Ok(finished) => self.judge_machinery(finished).await?,
            Err(error) => Machinery::Failed(error.cause()),
        };
        match finished {
            Ok(Finished {
                id,
                end,
                trouble,
                held,
            }) => {
                if let (None, Some(served)) = (end, self.loops.get_mut(&name)) {
                    served.plans_at = clock::now().plus(PLANS_AGAIN);
                }
                if let Some(why) = held {
                    (self.tell)(Word::Held(name.to_string(), why));
                }
                if let Some(trouble) = trouble {
                    (self.tell)(Word::Trouble(name.to_string(), trouble.to_string()));
                }
                let how = end.map_or("interrupted", End::as_str);
                (self.tell)(Word::Ended(name.to_string(), id, how));
            }
            Err(error) => {
                match start {
                    Start::Tick(due) | Start::Woken(due) => {
                        self.could_not_start(&name, due, &error.to_string()).await?
                    }
                    Start::Approved(_) | Start::Again(_) => {
                        if let Some(served) = self.loops.get_mut(&name) {
                            served.plans_at = clock::now().plus(PLANS_AGAIN);
                        }
                    }
                    Start::NewOrOpen => {}
                }
                (self.tell)(Word::Trouble(name.to_string(), error.to_string()));
            }
        }
        self.keep_account(&name, machinery).await?;
        ledger::seal(&self.engine.home.store, clock::now()).await?;
        let Some(served) = self.loops.get_mut(&name) else {
            return Ok(());
        };
        served.running = None;
        if served.gone {
            self.loops.remove(&name);
        } else {
            self.put_down(&name, clock::now());
        }
        Ok(())
    }

    async fn judge_machinery(&self, finished: &Finished) -> Result<Machinery, EngineError> {
        if let Some(trouble) = &finished.trouble {
            return Ok(Machinery::Failed(trouble.cause()));
        }
        Ok(match finished.end {
            None | Some(End::Cancelled) => Machinery::Unknown,
            Some(End::Failed) => Machinery::Failed(Cause::Model),
            Some(End::NothingToDo) => Machinery::Works,
            Some(End::Done | End::OutOfBudget) => {
                let run = runs::get(&self.engine.home.store, finished.id).await?;
                let state = run.map(|run| run.state::<RunState>()).transpose()?;
                if state.is_some_and(|state| hindered(&state)) {
                    Machinery::Failed(Cause::Workers)
                } else {
                    Machinery::Works
                }
            }
        })
    }

    async fn keep_account(&self, name: &str, machinery: Machinery) -> Result<(), EngineError> {
        let store = &self.engine.home.store;
        let before = loop_rows::standing(store, name)
            .await?
            .and_then(|standing| standing.setback);
        match machinery {
            Machinery::Failed(cause) => {
                let mut tx = store.begin().await?;
                loop_rows::fail(&mut tx, name, Setback::after(before, cause, clock::now())).await?;
                tx.commit().await?;
            }
            Machinery::Works if before.is_some() => {
                let mut tx = store.begin().await?;
                loop_rows::recover(&mut tx, name).await?;
                tx.commit().await?;
            }
            Machinery::Works | Machinery::Unknown => {}
        }
        Ok(())
    }

    /// A tick that was taken leaves the receipt that its run did not.
    pub(super) async fn could_not_start(
        &self,
        name: &str,
        due: Timestamp,
        why: &str,
    ) -> Result<(), EngineError> {
        let mut tx = self.engine.home.store.begin().await?;
        if ticks::fail(&mut tx, name, due, &one_line(why, 300)).await? {
            let data = serde_json::json!({ "due_at": due, "receipt": "failed" });
            tx.record(clock::now(), "tick.passed", Some(name), None, name, data)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
