//! Runs loops by their schedules until it is told to stop. The alarm only wakes us: which ticks have come, and what
//! becomes of each, is decided from the table of ticks, so a restart or a lost wake-up changes nothing.
//!
//! [`Service::serve`] is the alarm around four steps that anybody may take by themselves, who turns the clock by hand
//! say: [`Service::begin`], [`Service::ring`], [`Service::end_one`] and [`Service::drain`]. A service that is dropped
//! between them leaves what a killed process leaves.

mod agenda;
mod ends;
mod places;
mod rings;
mod specs;
mod wakes;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use loops::{id::RunId, schedule::Overdue, time::Timestamp};
use tokio::{sync::Notify, task::JoinSet};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use self::{agenda::Agenda, places::Wish};
use super::{Definition, Engine, EngineError, Finished, Start, Watchers, disk, drive};
use crate::{
    clock,
    store::{runs, ticks},
};

/// How often the alarm rings. The alarm knows whole seconds only: a fraction would be cut off, and half a second
/// would never come.
const ALARM: Duration = Duration::from_secs(1);

/// What is due before the alarm's next ring is waited for by itself, but no oftener than this, so that ticks that come
/// close together share a transaction.
const TOGETHER: Duration = Duration::from_millis(50);

/// How long the store is left alone after it could not do its work.
const OUTAGE: Duration = Duration::from_secs(1);

/// What was not needed for so long is let go, if it can be made again.
const REST: Duration = Duration::from_secs(20);

/// What has not ended so long after it was told to is cut off; it is recovered like what a killed process leaves.
const CUT_OFF: Duration = Duration::from_secs(5);

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
    /// A loop's ticks have left no receipts while nobody served it.
    Overdue(String, Overdue),
    /// A spec cannot be read; the last good one stays.
    Broken(String),
    /// A tick started a run, or a run from before goes on.
    Started(String, Option<Timestamp>),
    /// So many events from outside started a run of a loop.
    Woken(String, usize),
    /// A tick was taken, and waits until a run under way has ended.
    Waits(String, Timestamp),
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
    /// The store cannot do its work, for this reason; it is asked again until it can.
    Outage(String),
    /// The disk has so little room that nothing new is begun, in these words; none: it has room again.
    Room(Option<String>),
}

/// A loop that is served.
#[derive(Debug)]
struct Served {
    definition: Definition,
    /// A run is under way, or waits for a place.
    running: Option<CancellationToken>,
    /// When its last run ended.
    ended_at: Timestamp,
    /// Since when it waits for a place, though its tick is another one now.
    waited_since: Option<Timestamp>,
    /// Up to here all ticks have receipts.
    last: Timestamp,
    /// What its entry in the agenda must say to count.
    look_at: Timestamp,
    /// Before this approved plans are left alone: the last try to take them up failed.
    plans_at: Timestamp,
    /// Its run was interrupted by what was no fault of its, and goes on when `plans_at` has come.
    interrupted: Option<RunId>,
    /// Its spec is gone, and only its run is still under way.
    gone: bool,
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
    rang_at: Timestamp,
    loops: BTreeMap<Arc<str>, Served>,
    agenda: Agenda,
    jobs: JoinSet<Result<Finished, EngineError>>,
    under_way: HashMap<tokio::task::Id, (Arc<str>, Start)>,
    /// Runs that have ended, and of which that was not written down yet.
    over: VecDeque<ends::Over>,
    /// What the specs said when the store could not be asked about it.
    unread: Specs,
    /// What was told last of the disk.
    short: Option<disk::Short>,
    /// How many runs may be under way at once.
    places: usize,
    /// What waits for a place.
    queue: Vec<Wish>,
    tell: Box<dyn Fn(Word) + Send + 'a>,
}

impl<'a> Service<'a> {
    /// A service of the loops that `specs` gives, which tells `tell` what happens.
    pub fn new(
        engine: &'a Engine,
        specs: impl FnMut() -> Specs + Send + 'a,
        tell: impl Fn(Word) + Send + 'a,
    ) -> Self {
        let now = clock::now();
        Self {
            engine,
            specs: Box::new(specs),
            up_since: now,
            rang_at: now,
            loops: BTreeMap::new(),
            agenda: Agenda::default(),
            jobs: JoinSet::new(),
            under_way: HashMap::new(),
            over: VecDeque::new(),
            unread: None,
            short: None,
            places: usize::MAX,
            queue: Vec::new(),
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
        self.begin().await?;
        let served = self.until(stop, &bell).await;
        // It may answer before its jobs have ended; they only ring a bell that nobody hears.
        let _ = alarm.shutdown().await;
        self.drain(grace).await?;
        Ok(served?)
    }

    async fn until(&mut self, stop: &CancellationToken, bell: &Notify) -> Result<(), EngineError> {
        let mut rang = tokio::time::Instant::now();
        let mut out = false;
        let mut rested = rang;
        loop {
            let soon = self.soon(rang);
            let done = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(done) = self.jobs.join_next_with_id() => self.ended(done).await,
                () = bell.notified() => {
                    rang = tokio::time::Instant::now();
                    if rang.duration_since(rested) >= REST {
                        rested = rang;
                        loops::signal::rest();
                    }
                    self.ring().await
                }
                () = tokio::time::sleep_until(soon.unwrap_or(rang)), if soon.is_some() => {
                    rang = tokio::time::Instant::now();
                    self.ring_for_what_is_due().await
                }
            };
            match done {
                Ok(()) => out = false,
                Err(error) if error.is_outage() => {
                    if !std::mem::replace(&mut out, true) {
                        (self.tell)(Word::Outage(error.to_string()));
                    }
                    self.look_again(clock::now());
                    let _ = tokio::time::timeout(OUTAGE, stop.cancelled()).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// What was taken from the agenda may not have been judged: all loops are looked at again.
    fn look_again(&mut self, at: Timestamp) {
        let names: Vec<Arc<str>> = self.loops.keys().cloned().collect();
        for name in names {
            self.put_down(&name, at);
        }
    }

    /// When something is due before the alarm rings again; none: the alarm is early enough.
    fn soon(&self, rang: tokio::time::Instant) -> Option<tokio::time::Instant> {
        let wait = self.agenda.next()?.since(clock::now());
        (wait < ALARM).then(|| (tokio::time::Instant::now() + wait).max(rang + TOGETHER))
    }

    /// Reads the specs, and goes on with what was under way when the last service ended. Once, before the first ring.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub async fn begin(&mut self) -> Result<(), EngineError> {
        self.look_at_specs().await?;
        let store = &self.engine.home.store;
        let (open, unbegun) = (runs::all_open(store).await?, ticks::unbegun(store).await?);
        for run in open {
            self.go_on(&run.loop_name, Start::Again(run.id), run.started_at);
        }
        for tick in unbegun {
            // A run that is open takes the tick as its own; the others begin what they were taken for.
            let served = self.loops.get(tick.loop_name.as_str());
            if served.is_some_and(|served| served.running.is_some()) {
                self.could_not_start(
                    &tick.loop_name,
                    tick.due_at,
                    "the service ended before it had begun, and another run was under way then",
                )
                .await?;
            } else if self.loops.contains_key(tick.loop_name.as_str()) {
                self.go_on(&tick.loop_name, Start::Tick(tick.due_at), tick.due_at);
            } else {
                self.could_not_start(
                    &tick.loop_name,
                    tick.due_at,
                    "the service ended before it had begun, and the loop is not served any more",
                )
                .await?;
            }
        }
        self.fill().await
    }

    fn go_on(&mut self, name: &str, start: Start, asked: Timestamp) {
        let Some((name, _)) = self.loops.get_key_value(name) else {
            return;
        };
        let name = Arc::clone(name);
        self.start(&name, start, asked);
    }

    /// When a loop is to be looked at next: before that, a ring finds nothing due.
    pub fn next(&self) -> Option<Timestamp> {
        self.agenda.next()
    }

    /// The loops that have a run under way, each once.
    pub fn under_way(&self) -> impl Iterator<Item = &str> {
        self.under_way.values().map(|(name, _)| &**name)
    }

    /// Begins nothing any more: runs under way get `grace`, then they are interrupted, and go on at the next start. What
    /// does not end even then, because it waits for an answer that does not come say, is cut off a few seconds later.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub async fn drain(&mut self, grace: Duration) -> Result<(), EngineError> {
        self.places = 0;
        let deadline = tokio::time::Instant::now() + grace;
        while !self.jobs.is_empty() {
            tokio::select! {
                Some(done) = self.jobs.join_next_with_id() => self.ended(done).await?,
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        self.loops
            .values()
            .filter_map(|served| served.running.as_ref())
            .for_each(CancellationToken::cancel);
        let deadline = tokio::time::Instant::now() + CUT_OFF;
        while !self.jobs.is_empty() {
            tokio::select! {
                Some(done) = self.jobs.join_next_with_id() => self.ended(done).await?,
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        self.jobs.abort_all();
        while self.end_one().await? {}
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
