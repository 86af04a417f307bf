//! The one pipeline: it carries out what [`loops::run`] decides, and writes down what happened.
//!
//! Every step is one transaction: the rows of what happened, the ledger's row, and the state that follows. Effects
//! on the world come after it, and look before they repeat. No transaction is held while an agent works.

mod answer;
mod approval;
mod asked;
mod board;
pub(crate) mod brief;
mod capacity;
mod carry;
mod collect;
pub(crate) mod disk;
mod drive;
mod error;
mod expiry;
mod forget;
mod green;
mod hear;
mod news;
mod node;
mod notify;
mod outbox;
mod place;
mod plan;
mod private;
mod progress;
mod propose;
mod prove;
mod regroup;
mod review;
mod serve;
mod settle;
mod step;
mod talk;
mod triage;
mod trouble;
mod trust;
mod ways_out;
mod work;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use loops::{
    id::{AttemptId, RunId},
    run::RunState,
    spec::LoopSpec,
};
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use workers::{Machine, git::Git};

pub use self::capacity::Burden;
pub use self::collect::{Read, import};
pub(crate) use self::notify::LONGEST_QUESTION;
pub(crate) use self::place::Place;
pub(crate) use self::triage::recount;
pub use self::{
    answer::{Answer, Answered, answer},
    approval::{PlanAnswered, answer_plan, expire_plan},
    board::keep_boards,
    capacity::burden,
    disk::{Part, Short, Usage, rough, tidy, usage},
    drive::{Finished, Start, run},
    error::{EngineError, Remedy},
    expiry::expire,
    forget::{Erased, erase, sweep},
    green::lowered,
    hear::{Came, Sent, Teller, Took, hear, hear_hook, is_told, last_heard, take_sent},
    news::{News, has_rebuilt, settle as settle_rebuilds, stop_rebuilds, watch},
    node::{NodeWord, PROTOCOL, work},
    notify::{Told, announce, hear_answers, mute, says_in_slack, silent_loops},
    outbox::{Waiting, send},
    plan::{Plan, plan},
    progress::{Progress, Watchers},
    regroup::{Person, merge, refuse, reopen, split},
    serve::{Broken, ServeError, Service, Specs, Word},
    settle::{cancel, end_cancelled, reconcile},
    talk::unmerged,
    trouble::troubles,
};
pub(crate) use self::{
    propose::{AUTHOR, move_findings, repository_of},
    trust::held_back,
};
use crate::{
    config::{self, Review},
    feeds::Feeds,
    gateway::Gateway,
    github::Hub,
    slack::Slack,
    store::{Store, orders},
};

/// What stands on this machine, whether or not a model can be asked.
#[derive(Debug, Clone)]
pub struct Home {
    /// What is remembered.
    pub store: Store,
    /// How tasks are carried out here.
    pub machine: Arc<Machine>,
    /// The state folder.
    pub folder: PathBuf,
    /// GitHub, if somebody said how to log in there.
    pub hub: Option<Hub>,
    /// Slack, if somebody said how to log in there.
    pub slack: Option<Slack>,
    /// How much review people can bear.
    pub review: Review,
    /// This process as one that carries out orders.
    pub(crate) node: Arc<node::Node>,
    /// Where orders that were carried out here are ended.
    pub(crate) desk: Arc<orders::Desk>,
    /// Who reads sources that are documents; none: nobody has said with which logins.
    pub feeds: Option<Feeds>,
    /// Held by who carries out effects: one at a time, so that each is looked for before it is made.
    sending: Arc<Mutex<()>>,
    /// The disk that `folder` is on.
    pub(crate) disk: disk::Disk,
    /// Proofs of proposals whose bases have moved.
    rebuilds: talk::Rebuilds,
    /// Held by who decides what is started: one at a time, so that no two runs take the same reviewer's last place.
    starting: Arc<Mutex<()>>,
    /// Who owns what loops may change, as it was read from commits; a commit does not change.
    owners: capacity::Known,
    /// Set when GitHub told of something in a conversation, so that it is looked at before its time.
    told: Arc<AtomicBool>,
}

/// What every run of this process shares.
#[derive(Debug, Clone)]
pub struct Engine {
    /// What stands on this machine.
    pub home: Home,
    /// The way to the models.
    pub gateway: Arc<Gateway>,
}

impl Home {
    /// A home of these.
    pub fn new(store: Store, machine: Arc<Machine>, folder: PathBuf, hub: Option<Hub>) -> Self {
        let node = node::Node::new(&folder, config::Node::default());
        let all_of_it = config::Disk {
            keep_free: loops::spec::Bytes(0),
        };
        Self {
            desk: Arc::new(orders::Desk::new(store.clone())),
            store,
            machine,
            node: Arc::new(node),
            hub,
            slack: None,
            review: Review::default(),
            feeds: None,
            sending: Arc::default(),
            disk: disk::Disk::of(&folder, all_of_it),
            folder,
            rebuilds: talk::Rebuilds::default(),
            starting: Arc::default(),
            owners: capacity::Known::default(),
            told: Arc::default(),
        }
    }

    /// The same, with this way to Slack.
    #[must_use]
    pub fn with_slack(self, slack: Option<Slack>) -> Self {
        Self { slack, ..self }
    }

    /// The same, where people can bear so much review.
    #[must_use]
    pub fn with_review(self, review: Review) -> Self {
        Self { review, ..self }
    }

    /// The same, where so much of the disk is left alone; else nothing is.
    #[must_use]
    pub fn with_disk(self, settings: config::Disk) -> Self {
        let disk = disk::Disk::of(&self.folder, settings);
        Self { disk, ..self }
    }

    /// The same, as a node with these settings. Before anything is carried out.
    #[must_use]
    pub fn with_node(self, settings: config::Node) -> Self {
        let node = Arc::new(node::Node::new(&self.folder, settings));
        Self { node, ..self }
    }

    /// The same, where sources are read by `feeds`.
    #[must_use]
    pub fn with_feeds(self, feeds: Feeds) -> Self {
        Self {
            feeds: Some(feeds),
            ..self
        }
    }

    /// The bare mirror of a repository.
    pub(crate) fn mirror(&self, repository: &str) -> PathBuf {
        use sha2::{Digest as _, Sha256};
        let digest = hex::encode(Sha256::digest(repository.as_bytes()));
        self.folder.join("mirrors").join(format!("{}.git", &digest[..16]))
    }

    /// Its name as a node.
    pub fn holder(&self) -> &str {
        self.node.id()
    }

    /// After so long without a word this process is taken for lost.
    pub fn lease(&self) -> std::time::Duration {
        self.node.settings.lease
    }

    /// Says that this process would lead if nobody else did.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn stand_by(&self) -> Result<(), EngineError> {
        self.node.stands_by(&self.store).await
    }

    /// Says that this process is no node any more: what it held is for others at once.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn leave(&self) -> Result<(), EngineError> {
        let mut tx = self.store.begin_beside().await?;
        crate::store::nodes::leave(&mut tx, self.node.id()).await?;
        orders::lease::expire_those_of(&mut tx, &self.node.folder_prefix()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Leases that the last process on our state folder held are over, and so are its workers. The caller holds the
    /// folder's lock.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn take_over_our_own(&self) -> Result<(), EngineError> {
        self.node.leads();
        let mut tx = self.store.begin_beside().await?;
        orders::lease::expire_those_of(&mut tx, &self.node.folder_prefix()).await?;
        tx.commit().await?;
        // What attempts and proofs of that process lay in is nobody's any more.
        for folder in [self.folder.join("attempts"), self.rebuild_folder()] {
            let _ = tokio::task::spawn_blocking(move || workers::sandbox::remove(&folder)).await;
        }
        Ok(())
    }

    /// The folder of one attempt.
    pub(crate) fn scratch(&self, attempt: AttemptId) -> PathBuf {
        self.folder.join("attempts").join(attempt.to_string())
    }

    /// Where proofs on moved bases are made.
    pub(crate) fn rebuild_folder(&self) -> PathBuf {
        self.folder.join("rebuilds")
    }

    /// Where results of `setup` are kept of the repository that has this mirror. Each has its own folder: what one
    /// repository's commands leave is never brought into another's workspaces.
    pub(crate) fn setup_cache(&self, mirror: &Path) -> PathBuf {
        let name = mirror.file_stem().unwrap_or(mirror.as_os_str());
        self.folder.join("setup").join(name)
    }
}

/// A loop as it was read from a file.
#[derive(Debug, Clone)]
pub struct Definition {
    /// What it says.
    pub spec: Arc<LoopSpec>,
    /// The hash of its resolved text.
    pub version: String,
    /// The file.
    pub path: PathBuf,
    /// The [key](crate::config::github::FullName::key) of the repository on whose base branch it stands; none: it is the operator's.
    pub repository: Option<String>,
}

impl Definition {
    /// The folder that relative paths of the spec are counted from.
    pub fn folder(&self) -> PathBuf {
        self.path.parent().map(PathBuf::from).unwrap_or_default()
    }

    /// Where the repository is.
    pub(crate) fn place(&self) -> Place {
        Place::of(&self.spec.repo, &self.folder())
    }
}

/// One run under way.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) definition: Definition,
    pub(crate) id: RunId,
    /// The base commit that everything of the run is made against.
    pub(crate) base: String,
    /// Where the repository was when the run was taken up: its mirror goes by this name, also when it moves away.
    pub(crate) repository: String,
    pub(crate) mirror: PathBuf,
    pub(crate) watchers: Watchers,
    pub(crate) cancel: CancellationToken,
    state: Mutex<RunState>,
    seen: watch::Sender<RunState>,
    actions: mpsc::UnboundedSender<loops::run::Action>,
    /// How many of each worker kind work at once.
    working: std::collections::BTreeMap<String, Arc<Semaphore>>,
    /// Held by who looks up which place it waits for: when thousands are due at once, they do not stand before those who
    /// have theirs.
    reading: Semaphore,
    /// Whether a person started it, or goes on with it by hand.
    by_hand: bool,
    /// Why it started nothing although there was something, once that is known.
    held: std::sync::OnceLock<String>,
}

impl Running {
    pub(crate) fn spec(&self) -> &LoopSpec {
        &self.definition.spec
    }

    /// Git in the mirror.
    pub(crate) fn git(&self) -> Git {
        Git::at(&self.mirror)
    }

    /// The state, as it changes.
    pub(crate) fn watch(&self) -> watch::Receiver<RunState> {
        self.seen.subscribe()
    }

    pub(crate) fn tell(&self, progress: Progress) {
        self.watchers.tell(progress);
    }

    pub(crate) fn note(&self, text: impl Into<String>) {
        self.tell(Progress::Note { text: text.into() });
    }
}
