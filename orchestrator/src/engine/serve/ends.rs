//! What follows from the end of a run: the receipt that it could not leave itself, and how long its loop is left alone.

use std::{sync::Arc, time::Duration};

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

/// How long a run that an outage has interrupted is left alone.
const GO_ON: Duration = Duration::from_secs(2);

/// A job that has ended, as tokio gives it.
pub(super) type Ended = Result<(tokio::task::Id, Result<Finished, EngineError>), tokio::task::JoinError>;

/// A run that has ended.
#[derive(Debug)]
pub(super) struct Over {
    name: Arc<str>,
    start: Start,
    finished: Result<Finished, EngineError>,
}

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
        self.note_end(done);
        self.conclude().await?;
        self.fill().await
    }

    /// Takes note that a run has ended, in memory.
    fn note_end(&mut self, done: Ended) {
        let (id, finished) = match done {
            Ok(done) => done,
            Err(broken) if broken.is_cancelled() => {
                // It was cut off: the next start takes it up where a killed process would have left it.
                if let Some((name, _)) = self.under_way.remove(&broken.id()) {
                    (self.tell)(Word::Trouble(
                        name.to_string(),
                        "its run did not end in time, and was cut off".to_owned(),
                    ));
                }
                return;
            }
            Err(broken) => {
                let error = EngineError::Record(format!("the run broke: {broken}"));
                (broken.id(), Err(error))
            }
        };
        if let Some((name, start)) = self.under_way.remove(&id) {
            self.over.push_back(Over {
                name,
                start,
                finished,
            });
        }
    }

    /// Does what follows from the ends that were noted; what could not be written down waits for the next time.
    pub(super) async fn conclude(&mut self) -> Result<(), EngineError> {
        while let Some(over) = self.over.pop_front() {
            if let Err(error) = self.write_down(&over).await {
                self.over.push_front(over);
                return Err(error);
            }
            self.let_loose(over);
        }
        Ok(())
    }

    async fn write_down(&self, over: &Over) -> Result<(), EngineError> {
        let machinery = match &over.finished {
            Ok(finished) => self.judge_machinery(finished).await?,
            Err(error) if error.is_outage() => Machinery::Unknown,
            Err(error) => Machinery::Failed(error.cause()),
        };
        if let (Start::Tick(due) | Start::Woken(due), Err(error)) = (over.start, &over.finished) {
            self.could_not_start(&over.name, due, &error.to_string()).await?;
        }
        ledger::seal(&self.engine.home.store, clock::now()).await?;
        self.keep_account(&over.name, machinery).await
    }

    /// The loop is free again.
    fn let_loose(&mut self, over: Over) {
        let Over {
            name,
            start,
            finished,
        } = over;
        let again_at = clock::now().plus(PLANS_AGAIN);
        let mut words = Vec::new();
        let served = self.loops.get_mut(&name);
        match finished {
            Ok(Finished {
                id,
                end,
                trouble,
                held,
            }) => {
                if let (None, Some(served)) = (end, served) {
                    // What failed by an outage is over when that is; we cannot tell when.
                    let interrupted = trouble.is_some();
                    served.interrupted = interrupted.then_some(id);
                    served.plans_at = if interrupted {
                        clock::now().plus(GO_ON)
                    } else {
                        again_at
                    };
                }
                words.extend(held.map(|why| Word::Held(name.to_string(), why)));
                words.extend(trouble.map(|trouble| Word::Trouble(name.to_string(), trouble.to_string())));
                let how = end.map_or("interrupted", End::as_str);
                words.push(Word::Ended(name.to_string(), id, how));
            }
            Err(error) => {
                if let (Start::Approved(_) | Start::Again(_), Some(served)) = (start, served) {
                    served.plans_at = again_at;
                    if let (Start::Again(id), true) = (start, error.is_outage()) {
                        served.interrupted = Some(id);
                    }
                }
                words.push(Word::Trouble(name.to_string(), error.to_string()));
            }
        }
        words.into_iter().for_each(|word| (self.tell)(word));
        let Some(served) = self.loops.get_mut(&name) else {
            return;
        };
        served.running = None;
        served.ended_at = clock::now();
        if served.gone {
            self.loops.remove(&name);
        } else {
            self.put_down(&name, clock::now());
        }
    }

    async fn judge_machinery(&self, finished: &Finished) -> Result<Machinery, EngineError> {
        if let Some(trouble) = finished.trouble.as_ref().filter(|_| finished.end.is_some()) {
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
