//! A stateful GitHub for tests: a plain world that tests edit, and faces of HTTP and git over it.
//!
//! ```no_run
//! # use harness::github::GitHub;
//! # async fn example() {
//! let hub = GitHub::start().await;
//! hub.world().add_repository("acme/shop");
//! let token = hub.world().classic_token("ann", &["repo"]);
//! hub.world().open_issue("acme/shop", "bob", "It breaks", "When I click.");
//! // Here the program under test runs, with `hub.url()` as GitHub's address.
//! # let _ = token;
//! hub.check();
//! # }
//! ```
//!
//! The answers and all that is asked are held against GitHub's own OpenAPI document (`openapi`), which `./x setup`
//! fetches. Time is the hub's own: it stands until a test turns it.
//!
//! What it knowingly lacks: forks (the head of a pull request is a branch of the same repository); anonymous access
//! (every request and every clone needs a token); rebase merges (405); secondary limits other than that on making
//! content; gzip; search; one meter is kept for each token, not for each person; a webhook's payload has the right
//! shape, but is not held against the document.
//!
//! Nothing of production code lives here, and nothing here reads the wall clock.

mod answer;
mod auth;
mod checks;
mod face;
mod faults;
mod git;
mod hooks;
mod issues;
mod json;
mod log;
mod openapi;
mod people;
mod pull_json;
mod pulls;
mod reviews;
mod routes;
mod runs;
mod smart;
mod things;
mod world;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::{Notify, oneshot},
};

pub use answer::Refusal;
pub use faults::{Fault, FaultId, Match};
pub use git::{Changed, Commit, Git};
pub use hooks::{Delivery, Hook, signature};
pub use log::Request;
pub use people::{Access, Account, App, Holder, Installation, Kind, Permissions, Role, Selection, Token};
pub use things::{
    CheckRun, Comment, Issue, Job, Label, Protection, Pull, Reaction, Repository, Review, ReviewComment,
    Status, Step, Workflow, WorkflowRun,
};
pub use world::World;

/// Where the hub's clock stands unless a test says otherwise: Monday, 2026-03-02, 09:00 UTC, in milliseconds.
pub const START: i64 = 1_772_442_000_000;

/// A key for Apps of tests, made for this file and used nowhere else.
pub const APP_PRIVATE_KEY: &str = include_str!("app_key.pem");

/// What verifies signatures of [`APP_PRIVATE_KEY`].
pub const APP_PUBLIC_KEY: &str = include_str!("app_key.pub.pem");

/// What the server's tasks and the test share.
#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    wake: Arc<Notify>,
    delivered: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running fake. It ends when it is dropped.
#[derive(Debug)]
pub struct GitHub {
    shared: Arc<Shared>,
    url: String,
    stop: Option<oneshot::Sender<()>>,
    _folder: TempDir,
}

impl GitHub {
    /// Starts a GitHub with nothing in it, on a free port of loopback, at [`START`].
    ///
    /// # Panics
    /// If the machine has no loopback, or `./x setup` has not fetched GitHub's OpenAPI document.
    pub async fn start() -> Self {
        Self::start_at(START).await
    }

    /// Starts with the clock at these milliseconds since the Unix epoch.
    ///
    /// # Panics
    /// As [`GitHub::start`].
    pub async fn start_at(now: i64) -> Self {
        openapi::must_be_there();
        let bind = || async {
            TcpListener::bind(("127.0.0.1", 0))
                .await
                .expect("a loopback port is free")
        };
        let (face, store) = (bind().await, bind().await);
        let address = |listener: &TcpListener| {
            let address = listener.local_addr().expect("a bound socket has an address");
            format!("http://{address}")
        };
        let (url, store_url) = (address(&face), address(&store));
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let wake = Arc::new(Notify::new());
        let world = World::new(
            folder.path().to_owned(),
            url.clone(),
            store_url,
            now,
            Arc::clone(&wake),
        );
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            wake,
            delivered: Notify::new(),
        });
        let (stop, stopped) = oneshot::channel();
        let (face, store) = (std_listener(face), std_listener(store));
        let state = Arc::clone(&shared);
        // A runtime of its own: a test that waits for a program (git, the service) does not keep us from answering.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build();
            let runtime = runtime.expect("a runtime can be made");
            runtime.block_on(async move {
                tokio::spawn(hooks::deliver_forever(Arc::clone(&state)));
                tokio::spawn(face::serve(Arc::clone(&state), face, face::answer));
                tokio::spawn(face::serve(state, store, face::stored_log));
                // Ends when the hub is dropped, whether or not it says so.
                let _ = stopped.await;
            });
            runtime.shutdown_background();
        });
        Self {
            shared,
            url,
            stop: Some(stop),
            _folder: folder,
        }
    }

    /// The address of the API in the form of api.github.com, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of the API in the form of GitHub Enterprise.
    pub fn enterprise_url(&self) -> String {
        format!("{}/api/v3", self.url)
    }

    /// Where git finds a repository.
    pub fn clone_url(&self, repository: &str) -> String {
        format!("{}/{repository}.git", self.url)
    }

    /// The world, to read and to edit. Let go of it before anything waits: nobody is answered meanwhile.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.lock()
    }

    /// What sets the hub's clock, in milliseconds since the Unix epoch, for who turns several clocks at once.
    pub fn clock(&self) -> impl Fn(i64) + Send + use<> {
        let shared = Arc::clone(&self.shared);
        move |now| shared.lock().now = now
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.world().log.requests.clone()
    }

    /// Waits until every delivery that was to be sent was sent.
    pub async fn delivered(&self) {
        loop {
            let sent = self.shared.delivered.notified();
            tokio::pin!(sent);
            // Armed before looking: what ends in between wakes us.
            sent.as_mut().enable();
            if self.world().deliveries.iter().all(|one| one.waiting == 0) {
                return;
            }
            sent.await;
        }
    }

    /// What the closing check would complain of.
    pub fn complaints(&self) -> Vec<String> {
        let world = self.world();
        let mut complaints = world.log.complaints.clone();
        complaints.extend(world.faults.unmet());
        complaints
    }

    /// The closing check: nothing unknown was asked, nothing that was asked or answered breaks GitHub's document, no
    /// address held a token, and every fault that was set was met.
    ///
    /// # Panics
    /// If there is something to complain of.
    pub fn check(&self) {
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Nobody listens any more if the server's thread is gone already.
            let _ = stop.send(());
        }
    }
}

fn std_listener(listener: TcpListener) -> std::net::TcpListener {
    listener.into_std().expect("a listener that nobody uses yet")
}
