//! The one pipeline: it carries out what [`loops::run`] decides, and writes down what happened.
//!
//! Every step is one transaction: the rows of what happened, the ledger's row, and the state that follows. Effects
//! on the world come after it, and look before they repeat. No transaction is held while an agent works.

mod answer;
mod approval;
mod board;
pub(crate) mod brief;
mod capacity;
mod carry;
mod collect;
mod drive;
mod error;
mod expiry;
mod forget;
mod green;
mod news;
mod outbox;
mod place;
mod plan;
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
mod work;

use std::{path::PathBuf, sync::Arc};

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
pub(crate) use self::place::Place;
pub(crate) use self::triage::recount;
pub use self::{
    answer::{Answer, Answered, answer},
    approval::{PlanAnswered, answer_plan, expire_plan},
    board::keep_boards,
    capacity::burden,
    drive::{Finished, Start, run},
    error::{EngineError, Remedy},
    expiry::expire,
    forget::{Erased, erase, sweep},
    green::lowered,
    news::{News, watch},
    outbox::{Waiting, send},
    plan::{Plan, plan},
    progress::{Progress, Watchers},
    regroup::{Person, merge, refuse, reopen, split},
    serve::{Broken, ServeError, Service, Specs, Word},
    settle::{cancel, end_cancelled, reconcile},
    trouble::troubles,
};
pub(crate) use self::{
    propose::{AUTHOR, move_finding, repository_of},
    trust::held_back,
};
use crate::{config::Review, gateway::Gateway, github::Hub, store::Store};

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
    /// How much review people can bear.
    pub review: Review,
    /// Held by who carries out effects: one at a time, so that each is looked for before it is made.
    sending: Arc<Mutex<()>>,
    /// Held by who decides what is started: one at a time, so that no two runs take the same reviewer's last place.
    starting: Arc<Mutex<()>>,
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
        Self {
            store,
            machine,
            folder,
            hub,
            review: Review::default(),
            sending: Arc::default(),
            starting: Arc::default(),
        }
    }

    /// The same, where people can bear so much review.
    #[must_use]
    pub fn with_review(self, review: Review) -> Self {
        Self { review, ..self }
    }

    /// The bare mirror of a repository.
    pub(crate) fn mirror(&self, repository: &str) -> PathBuf {
        use sha2::{Digest as _, Sha256};
        let digest = hex::encode(Sha256::digest(repository.as_bytes()));
        self.folder.join("mirrors").join(format!("{}.git", &digest[..16]))
    }

    /// The folder of one attempt.
    pub(crate) fn scratch(&self, attempt: AttemptId) -> PathBuf {
        self.folder.join("attempts").join(attempt.to_string())
    }

    /// Where results of `setup` are kept.
    pub(crate) fn setup_cache(&self) -> PathBuf {
        self.folder.join("setup")
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
    pub(crate) mirror: PathBuf,
    pub(crate) watchers: Watchers,
    pub(crate) cancel: CancellationToken,
    state: Mutex<RunState>,
    seen: watch::Sender<RunState>,
    actions: mpsc::UnboundedSender<loops::run::Action>,
    /// How many of each worker kind work at once.
    working: std::collections::BTreeMap<String, Arc<Semaphore>>,
    /// How many proofs run at once.
    proving: Semaphore,
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
