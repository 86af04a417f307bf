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

pub(crate) use self::{
    objects::{bring_base, bring_change},
    post::{Ask, Body, PROVE, REVIEW},
    turns::goes_on_elsewhere,
};
pub use self::{post::PROTOCOL, turns::work};
use super::EngineError;
use crate::{
    config::Node as Settings,
    store::{Store, nodes},
};

/// How often a node says that it is there: often enough that who is cancelled stops within seconds, and that a few words
/// may be lost before a lease is.
fn beat(lease: Duration) -> Duration {
    Duration::from_secs(1).min(lease / 5)
}

/// What a node tells whoever watches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeWord {
    /// It has taken an order: of which attempt, kind and loop.
    Took(AttemptId, String, String),
    /// An order was carried out; what became of it is written down.
    Done(AttemptId),
    /// An order was given back, because the node ends.
    GaveBack(AttemptId),
    /// An order is not this node's any more, or nobody wants it; nothing of it is written down.
    Stopped(AttemptId),
    /// The disk has room again.
    Room,
    /// Something does not work.
    Trouble(String),
}

/// A process that carries out orders. One for each [`super::Home`].
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) settings: Settings,
    folder: std::path::PathBuf,
    id: OnceLock<String>,
    inner: Mutex<Inner>,
    /// Who watches.
    words: OnceLock<mpsc::UnboundedSender<NodeWord>>,
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
    /// The disk has no room for anything new.
    short: bool,
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
    pub(super) fn new(folder: &Path, settings: Settings) -> Self {
        Self {
            settings,
            folder: folder.to_owned(),
            id: OnceLock::new(),
            inner: Mutex::default(),
            words: OnceLock::new(),
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
        holder.starts_with(&self.folder_prefix())
    }

    /// What the names of all processes on our state folder begin with.
    pub(crate) fn folder_prefix(&self) -> String {
        let folder = self.id().split('/').next().unwrap_or_default();
        format!("{folder}/")
    }

    /// It leads from now on.
    pub(super) fn leads(&self) {
        self.lock().role = Some(nodes::Role::Leads);
    }

    /// It would lead if nobody else did; said to others.
    pub(super) async fn stands_by(&self, store: &Store) -> Result<(), EngineError> {
        self.lock().role = Some(nodes::Role::StandsBy);
        let mut tx = store.begin_beside().await?;
        nodes::say(&mut tx, &self.card(store.time().await?)).await?;
        tx.commit().await?;
        Ok(())
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

    /// Tells whoever watches.
    fn word(&self, word: NodeWord) {
        if let NodeWord::Trouble(why) = &word {
            tracing::warn!(why, "the node is in trouble");
        }
        if let Some(words) = self.words.get() {
            // Who watched may have gone.
            let _ = words.send(word);
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
