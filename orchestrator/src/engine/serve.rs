//! Runs loops by their schedules until it is told to stop. The alarm only wakes us: which ticks have come, and what
//! becomes of each, is decided from the table of ticks, so a restart or a lost wake-up changes nothing.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use loops::{
    id::RunId,
    run::End,
    schedule::{Judgement, come, judge, next_due, starts_at},
    text::one_line,
    time::Timestamp,
};
use tokio::{sync::Notify, task::JoinSet};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use super::{Definition, Engine, EngineError, Finished, Start, Watchers, drive};
use crate::{
    clock,
    store::{
        ledger, loops as loop_rows, plans,
        proposals::{self, ProposalState},
        runs,
        ticks::{self, Receipt, Tick},
    },
};

/// How often the alarm rings. The alarm knows whole seconds only: a fraction would be cut off, and half a second
/// would never come.
const ALARM: Duration = Duration::from_secs(1);

/// How long an approved plan waits after a try to take it up has failed.
const PLANS_AGAIN_MS: i64 = 60_000;

/// The loops that are valid now, and the others; none: nothing has changed. Asked at every ring, so that an edited
/// file counts at once. A file that cannot be read leaves its loop as it was.
pub type Specs = Option<(Vec<Definition>, Vec<Broken>)>;

/// A spec that cannot be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its file.
    pub path: PathBuf,
    /// What is wrong.
    pub words: String,
}

/// What the service tells whoever watches it.
#[derive(Debug, Clone)]
pub enum Word {
    /// A loop is there, or has changed; with the time of its next tick.
    Loop(String, Option<Timestamp>),
    /// A spec cannot be read; the last good one stays.
    Broken(String),
    /// A tick started a run, or a run from before goes on.
    Started(String, Option<Timestamp>),
    /// A tick did nothing, for this reason.
    Skipped(String, Timestamp, String),
    /// A person approved this plan of a loop; its run goes on.
    Approved(String, String),
    /// A run started nothing although there was something, for this reason.
    Held(String, String),
    /// A run ended.
    Ended(String, RunId, &'static str),
    /// A run could not go on.
    Trouble(String, String),
}

/// How a job ended.
type Ended = Result<(String, Start, Result<Finished, EngineError>), tokio::task::JoinError>;

/// A loop that is served.
struct Served {
    definition: Definition,
    running: Option<CancellationToken>,
    /// Before this nothing is due, so nobody needs to look.
    look_at: Timestamp,
    /// Before this approved plans are left alone: the last try to take them up failed.
    plans_at: Timestamp,
}

/// The service's scheduler.
#[expect(
    missing_debug_implementations,
    reason = "it holds whoever listens, which has no form to show"
)]
pub struct Service<'a> {
    engine: &'a Engine,
    specs: Box<dyn FnMut() -> Specs + Send + 'a>,
    up_since: Timestamp,
    loops: BTreeMap<String, Served>,
    jobs: JoinSet<(String, Start, Result<Finished, EngineError>)>,
    tell: Box<dyn Fn(Word) + Send + 'a>,
}

impl<'a> Service<'a> {
    /// A service of the loops that `specs` gives, which tells `tell` what happens.
    pub fn new(
        engine: &'a Engine,
        specs: impl FnMut() -> Specs + Send + 'a,
        tell: impl Fn(Word) + Send + 'a,
    ) -> Self {
        Self {
            engine,
            specs: Box::new(specs),
            up_since: clock::now(),
            loops: BTreeMap::new(),
            jobs: JoinSet::new(),
            tell: Box::new(tell),
        }
    }

    /// Serves until `stop`; then nothing is begun any more, and runs under way get `grace` before they are
    /// interrupted. Interrupted ones go on at the next start.
    ///
    /// # Errors
    /// If the alarm cannot be set or the store cannot be read or written.
    pub async fn serve(mut self, stop: &CancellationToken, grace: Duration) -> Result<(), ServeError> {
        let bell = Arc::new(Notify::new());
        let mut alarm = set_alarm(Arc::clone(&bell)).await?;
        self.look_at_specs().await?;
        self.go_on().await?;
        let served = loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                Some(done) = self.jobs.join_next() => {
                    if let Err(error) = self.ended(done).await {
                        break Err(error);
                    }
                }
                () = bell.notified() => {
                    if let Err(error) = self.ring().await {
                        break Err(error);
                    }
                }
            }
        };
        // It may answer before its jobs have ended; they only ring a bell that nobody hears.
        let _ = alarm.shutdown().await;
        self.drain(grace).await?;
        Ok(served?)
    }

    async fn ring(&mut self) -> Result<(), EngineError> {
        self.look_at_specs().await?;
        self.take_up_plans().await?;
        self.take_up_sent_back().await?;
        let names: Vec<String> = self.loops.keys().cloned().collect();
        for name in names {
            self.tick(&name).await?;
        }
        Ok(())
    }

    async fn look_at_specs(&mut self) -> Result<(), EngineError> {
        let Some((definitions, wrong)) = (self.specs)() else {
            return Ok(());
        };
        for broken in &wrong {
            (self.tell)(Word::Broken(broken.words.clone()));
        }
        let there: Vec<String> = definitions
            .iter()
            .map(|definition| definition.spec.name.clone())
            .collect();
        self.loops.retain(|name, served| {
            let broken = wrong.iter().any(|broken| broken.path == served.definition.path);
            broken || there.contains(name) || served.running.is_some()
        });
        for definition in definitions {
            let name = definition.spec.name.clone();
            self.remember(&definition).await?;
            let next = definition
                .spec
                .schedule
                .as_ref()
                .and_then(|schedule| next_due(schedule, &name, clock::now()));
            let known = self
                .loops
                .get(&name)
                .map(|served| served.definition.version.clone());
            if known.as_ref() != Some(&definition.version) {
                (self.tell)(Word::Loop(name.clone(), next));
            }
            match self.loops.get_mut(&name) {
                Some(served) => {
                    served.definition = definition;
                    served.look_at = Timestamp(0);
                }
                None => drop(self.loops.insert(
                    name,
                    Served {
                        definition,
                        running: None,
                        look_at: Timestamp(0),
                        plans_at: Timestamp(0),
                    },
                )),
            }
        }
        Ok(())
    }

    async fn remember(&self, definition: &Definition) -> Result<(), EngineError> {
        let spec = &*definition.spec;
        let value = serde_json::to_value(spec).map_err(|error| EngineError::Record(error.to_string()))?;
        let path = definition.path.display().to_string();
        let mut tx = self.engine.home.store.begin().await?;
        loop_rows::upsert(
            &mut tx,
            &spec.name,
            &definition.version,
            &value,
            &path,
            clock::now(),
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Runs that were under way when the last process ended go on.
    async fn go_on(&mut self) -> Result<(), EngineError> {
        for run in runs::all_open(&self.engine.home.store).await? {
            if self.loops.contains_key(&run.loop_name) {
                (self.tell)(Word::Started(run.loop_name.clone(), None));
                self.start(&run.loop_name, Start::Again(run.id));
            }
        }
        Ok(())
    }

    /// Runs whose plans people approved go on, paused or not: somebody has just said so.
    async fn take_up_plans(&mut self) -> Result<(), EngineError> {
        let now = clock::now();
        for plan in plans::not_taken_up(&self.engine.home.store, None).await? {
            let free = self
                .loops
                .get(&plan.loop_name)
                .is_some_and(|served| served.running.is_none() && served.plans_at <= now);
            if free {
                (self.tell)(Word::Approved(plan.loop_name.clone(), plan.title));
                self.start(&plan.loop_name, Start::Approved(plan.run));
            }
        }
        Ok(())
    }

    /// Runs that somebody's words on a pull request have opened again go on, paused or not.
    async fn take_up_sent_back(&mut self) -> Result<(), EngineError> {
        let now = clock::now();
        for run in runs::all_open(&self.engine.home.store).await? {
            let free = self
                .loops
                .get(&run.loop_name)
                .is_some_and(|served| served.running.is_none() && served.plans_at <= now);
            if !free {
                continue;
            }
            let made = proposals::of_run(&self.engine.home.store, run.id).await?;
            if made
                .iter()
                .any(|proposal| proposal.state == ProposalState::Revising)
            {
                (self.tell)(Word::Started(run.loop_name.clone(), None));
                self.start(&run.loop_name, Start::Again(run.id));
            }
        }
        Ok(())
    }

    /// Judges the ticks of a loop that have come, leaves their receipts, and starts what is to start.
    async fn tick(&mut self, name: &str) -> Result<(), EngineError> {
        let store = &self.engine.home.store;
        let Some(served) = self
            .loops
            .get(name)
            .filter(|served| served.look_at <= clock::now())
        else {
            return Ok(());
        };
        let Some(schedule) = served.definition.spec.schedule.clone() else {
            return Ok(());
        };
        let Some(row) = loop_rows::get(store, name).await? else {
            return Ok(());
        };
        let last = ticks::list(store, name, 1)
            .await?
            .first()
            .map_or(row.updated_at, |tick| tick.due_at);
        let now = clock::now();
        let come = come(&schedule, name, last, now);
        if come.is_empty() {
            let next = next_due(&schedule, name, last)
                .map_or(Timestamp(i64::MAX), |due| starts_at(&schedule, name, due));
            if let Some(served) = self.loops.get_mut(name) {
                served.look_at = next;
            }
            return Ok(());
        }
        let running = served.running.is_some();
        for (due, judgement) in judge(&schedule, &come, self.up_since, running) {
            let judgement = if row.paused_at.is_some() {
                Judgement::Skip("the loop is paused")
            } else {
                judgement
            };
            match judgement {
                // Those after it wait, too, and are judged again when the run under way has ended.
                Judgement::Wait => break,
                Judgement::Skip(why) => self.skip(name, due, why).await?,
                Judgement::RunInstead => {
                    // It is judged again when the other one has ended.
                    self.cancel_open(name).await?;
                    break;
                }
                Judgement::Run => {
                    (self.tell)(Word::Started(name.to_owned(), Some(due)));
                    self.start(name, Start::Tick(due));
                }
            }
        }
        Ok(())
    }

    async fn skip(&self, name: &str, due: Timestamp, why: &str) -> Result<(), EngineError> {
        if self.leave(name, due, Receipt::Skipped, why).await? {
            (self.tell)(Word::Skipped(name.to_owned(), due, why.to_owned()));
        }
        Ok(())
    }

    /// Leaves the receipt of a tick that started no run; false: it has one.
    async fn leave(
        &self,
        name: &str,
        due: Timestamp,
        receipt: Receipt,
        why: &str,
    ) -> Result<bool, EngineError> {
        let why = one_line(why, 300);
        let tick = Tick {
            loop_name: name.to_owned(),
            due_at: due,
            receipt,
            why: Some(why),
            run: None,
        };
        let mut tx = self.engine.home.store.begin().await?;
        let first = ticks::claim(&mut tx, &tick).await?;
        if first {
            let data = serde_json::json!({ "due_at": due, "receipt": receipt.as_str() });
            tx.record(clock::now(), "tick.passed", Some(name), None, name, data)
                .await?;
        }
        tx.commit().await?;
        Ok(first)
    }

    fn start(&mut self, name: &str, start: Start) {
        let Some(served) = self.loops.get_mut(name) else {
            return;
        };
        let cancel = CancellationToken::new();
        served.running = Some(cancel.clone());
        let (engine, definition) = (self.engine.clone(), served.definition.clone());
        let name = name.to_owned();
        self.jobs.spawn(async move {
            let finished = drive::run(&engine, &definition, start, &Watchers::default(), &cancel).await;
            (name, start, finished)
        });
    }

    async fn ended(&mut self, done: Ended) -> Result<(), EngineError> {
        let (name, start, finished) = match done {
            Ok(done) => done,
            Err(broken) => {
                (self.tell)(Word::Trouble("a run".to_owned(), broken.to_string()));
                return Ok(());
            }
        };
        if let Some(served) = self.loops.get_mut(&name) {
            served.running = None;
            served.look_at = Timestamp(0);
        }
        match finished {
            Ok(Finished {
                id,
                end,
                trouble,
                held,
            }) => {
                if let (None, Some(served)) = (end, self.loops.get_mut(&name)) {
                    served.plans_at = Timestamp(clock::now().0 + PLANS_AGAIN_MS);
                }
                if let Some(why) = held {
                    (self.tell)(Word::Held(name.clone(), why));
                }
                if let Some(trouble) = trouble {
                    (self.tell)(Word::Trouble(name.clone(), trouble.to_string()));
                }
                (self.tell)(Word::Ended(name, id, end.map_or("interrupted", End::as_str)));
            }
            Err(error) => {
                match start {
                    Start::Tick(due) => {
                        self.leave(&name, due, Receipt::Failed, &error.to_string())
                            .await?;
                    }
                    Start::Approved(_) | Start::Again(_) => {
                        if let Some(served) = self.loops.get_mut(&name) {
                            served.plans_at = Timestamp(clock::now().0 + PLANS_AGAIN_MS);
                        }
                    }
                    Start::NewOrOpen => {}
                }
                (self.tell)(Word::Trouble(name, error.to_string()));
            }
        }
        ledger::seal(&self.engine.home.store, clock::now()).await?;
        Ok(())
    }

    async fn cancel_open(&self, name: &str) -> Result<(), EngineError> {
        let store = &self.engine.home.store;
        if let Some(run) = runs::open_run(store, name).await? {
            super::cancel(store, run.id).await?;
        }
        Ok(())
    }

    async fn drain(&mut self, grace: Duration) -> Result<(), EngineError> {
        let deadline = tokio::time::Instant::now() + grace;
        while !self.jobs.is_empty() {
            tokio::select! {
                Some(done) = self.jobs.join_next() => self.ended(done).await?,
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        self.loops
            .values()
            .filter_map(|served| served.running.as_ref())
            .for_each(CancellationToken::cancel);
        while let Some(done) = self.jobs.join_next().await {
            self.ended(done).await?;
        }
        Ok(())
    }
}

/// Why the service ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The alarm could not be set.
    #[error("the alarm could not be set: {0}")]
    Alarm(#[from] JobSchedulerError),
    /// Something that every loop needs is gone.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

async fn set_alarm(bell: Arc<Notify>) -> Result<JobScheduler, JobSchedulerError> {
    let alarm = JobScheduler::new().await?;
    let ring = Job::new_repeated(ALARM, move |_, _| bell.notify_one())?;
    alarm.add(ring).await?;
    alarm.start().await?;
    Ok(alarm)
}
