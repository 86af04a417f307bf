//! This process as one that carries out orders: which it has taken, who waits for one here, and how it is doing.
//!
//! Orders are taken from the store and what became of them is written there, whoever posted them; what is in memory
//! only makes it quicker. It decides nothing about tasks, and everything that it writes about an attempt is guarded by
//! the token of its lease.

mod carry;
mod objects;
mod post;
mod turns;

use std::{
    collections::HashMap,
    io::Write as _,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use loops::{
    id::{AttemptId, RunId},
    time::Timestamp,
};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use workers::Report;

pub use self::{post::PROTOCOL, turns::work};
pub(crate) use self::{
    post::{Ask, Body, PROVE, REVIEW},
    turns::goes_on_elsewhere,
};
use crate::store::nodes;

/// How a process carries out orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSettings {
    /// What people call it.
    pub name: String,
    /// What can be asked for with `needs`; sorted, each once.
    pub labels: Vec<String>,
    /// How many orders it carries out at once.
    pub places: u32,
    /// How many of them may be proofs: each is a test suite, which wants the machine for itself.
    pub proofs: u32,
    /// After so long without a word it is taken for lost, and its orders are given to others.
    pub lease: Duration,
}

impl Default for NodeSettings {
    fn default() -> Self {
        Self {
            name: machine_name(),
            labels: Vec::new(),
            places: 16,
            proofs: 2,
            lease: Duration::from_secs(30),
        }
    }
}

impl NodeSettings {
    /// How often it says that it is there: often enough that who is cancelled stops within seconds, and that a few words
    /// may be lost before a lease is.
    fn beat(&self) -> Duration {
        Duration::from_secs(1).min(self.lease / 5)
    }
}

/// What this machine calls itself.
fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match loops::text::one_line(name.trim(), 60) {
        name if name.is_empty() => "a machine".to_owned(),
        name => name,
    }
}

/// A process that carries out orders. One for each [`super::Home`].
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) settings: NodeSettings,
    folder: std::path::PathBuf,
    id: OnceLock<String>,
    inner: Mutex<Inner>,
    /// There may be something to take.
    wake: Notify,
    /// An order is carried out no longer.
    ended: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// The orders that are carried out here now.
    running: HashMap<AttemptId, Held>,
    /// Who waits here for what becomes of an order.
    waiting: HashMap<AttemptId, Waiter>,
    /// Whether somebody takes orders here now.
    on: bool,
    /// Nothing new is taken.
    draining: bool,
    role: Option<nodes::Role>,
    since: Option<Timestamp>,
}

/// An order that is carried out here.
#[derive(Debug, Clone)]
struct Held {
    run: Option<RunId>,
    kind: String,
    token: i64,
    stop: Stop,
}

/// How a worker is made to stop.
#[derive(Debug, Clone, Default)]
struct Stop {
    /// At once; nothing of it is kept.
    now: CancellationToken,
    /// In good order: what it has is saved.
    soon: CancellationToken,
}

/// Who waits here for an order.
#[derive(Debug)]
struct Waiter {
    reports: mpsc::UnboundedSender<Report>,
    news: Arc<Notify>,
}

/// Waiting for an order. Who drops it before the end does not want it any more: if it is carried out here, that stops.
pub(super) struct Waiting {
    node: Arc<Node>,
    attempt: AttemptId,
    pub(super) news: Arc<Notify>,
    pub(super) reports: mpsc::UnboundedReceiver<Report>,
}

impl Node {
    pub(super) fn new(folder: &Path, settings: NodeSettings) -> Self {
        Self {
            settings,
            folder: folder.to_owned(),
            id: OnceLock::new(),
            inner: Mutex::default(),
            wake: Notify::new(),
            ended: Notify::new(),
        }
    }

    /// What holds leases: the state folder's own name, and this process's.
    pub(crate) fn id(&self) -> &str {
        self.id.get_or_init(|| {
            format!(
                "{}/{}",
                own_name(&self.folder),
                hex::encode(rand::random::<[u8; 6]>())
            )
        })
    }

    /// Whether `holder` is, or was, a process on our state folder. Only one at a time works there, so any but ourselves
    /// is gone.
    pub(crate) fn is_of_our_folder(&self, holder: &str) -> bool {
        let folder = |id: &str| id.split('/').next().map(str::to_owned);
        folder(holder) == folder(self.id())
    }

    /// Waits here for an order that is posted.
    pub(super) fn wait_for(self: &Arc<Self>, attempt: AttemptId) -> Waiting {
        let (sender, reports) = mpsc::unbounded_channel();
        let news = Arc::new(Notify::new());
        let waiter = Waiter {
            reports: sender,
            news: Arc::clone(&news),
        };
        self.lock().waiting.insert(attempt, waiter);
        self.wake.notify_one();
        Waiting {
            node: Arc::clone(self),
            attempt,
            news,
            reports,
        }
    }

    /// Waits until nothing of a run is carried out here any more. Who waited for it must have given up.
    pub(super) async fn settled(&self, run: RunId) {
        loop {
            let ended = self.ended.notified();
            if !self.lock().running.values().any(|held| held.run == Some(run)) {
                return;
            }
            // Others may wait, too: a lost word costs a moment.
            let _ = tokio::time::timeout(Duration::from_millis(50), ended).await;
        }
    }

    /// What is said of it to others.
    fn card(&self, now: Timestamp) -> nodes::Node {
        let mut inner = self.lock();
        nodes::Node {
            id: self.id().to_owned(),
            name: self.settings.name.clone(),
            role: inner.role.unwrap_or(nodes::Role::Leads),
            labels: self.settings.labels.clone(),
            places: self.settings.places,
            busy: u32::try_from(inner.running.len()).unwrap_or(u32::MAX),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            draining: inner.draining,
            started_at: *inner.since.get_or_insert(now),
            seen_at: now,
        }
    }

    fn report(&self, attempt: AttemptId, report: &Report) {
        if let Some(waiter) = self.lock().waiting.get(&attempt) {
            // Who waited may just have gone.
            let _ = waiter.reports.send(report.clone());
        }
    }

    /// Something became of an order: who waits for it here looks.
    fn tell(&self, attempt: AttemptId) {
        if let Some(waiter) = self.lock().waiting.get(&attempt) {
            waiter.news.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut inner = self.node.lock();
        inner.waiting.remove(&self.attempt);
        if let Some(held) = inner.running.get(&self.attempt) {
            held.stop.now.cancel();
        }
        drop(inner);
        self.node.wake.notify_one();
    }
}

/// The name that a state folder has for life. Where none can be kept, each process has one of its own: then it only
/// takes longer to see that the last one is gone.
fn own_name(folder: &Path) -> String {
    let fresh = hex::encode(rand::random::<[u8; 8]>());
    let path = folder.join("node");
    let known = |text: String| {
        let text = text.trim().to_owned();
        (text.len() == fresh.len() && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
    };
    if let Some(name) = std::fs::read_to_string(&path).ok().and_then(known) {
        return name;
    }
    let kept = std::fs::File::create(&path).and_then(|mut file| file.write_all(fresh.as_bytes()));
    if let Err(error) = kept {
        tracing::debug!(%error, "the folder's name cannot be kept");
    }
    fresh
}
