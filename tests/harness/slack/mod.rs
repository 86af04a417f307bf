//! A stateful Slack: one workspace that tests edit as plain Rust, with the Web API, events over HTTP and Socket Mode on
//! loopback.
//!
//! It behaves as Slack's public documentation says: scopes, limits per method with `retry-after`, cursors, threads,
//! tombstones, metadata. Its clock is the system's unless a test sets it. What is asked that it does not know is
//! complained of when the test ends.

mod events;
mod face;
mod faults;
mod methods;
mod read;
mod socket;
mod world;
mod write;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{Notify, oneshot},
};

pub use events::{Delivery, signature};
pub use faults::{Fault, FaultId};
pub use world::{Channel, Message, Token, User, World};

/// The signing secret of the app.
pub const SIGNING_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
/// Every scope that the service may need.
pub const SCOPES: [&str; 8] = [
    "channels:history",
    "channels:read",
    "groups:history",
    "groups:read",
    "users:read",
    "chat:write",
    "reactions:read",
    "metadata.message:read",
];

/// A request that came in.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method of the Web API, such as `conversations.history`.
    pub method: String,
    /// What was asked, from the query or the body.
    pub params: Value,
    /// What was answered; empty if no answer was sent, `ok`, or Slack's word for an error.
    pub answer: String,
    /// When, by the fake's clock, in milliseconds.
    pub at: i64,
}

#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    /// Rung when events wait to be sent.
    wake: Notify,
    /// Rung when one was sent or acknowledged.
    delivered: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running fake. It ends when it is dropped.
#[derive(Debug)]
pub struct Slack {
    shared: Arc<Shared>,
    url: String,
    stop: Option<oneshot::Sender<()>>,
}

impl Slack {
    /// Starts a workspace with an app that nobody has invited anywhere, on free ports of loopback.
    ///
    /// # Panics
    /// If the machine has no loopback.
    pub async fn start() -> Self {
        let bind = || async {
            TcpListener::bind(("127.0.0.1", 0))
                .await
                .expect("a loopback port is free")
        };
        let (face, sockets) = (bind().await, bind().await);
        let port = |listener: &TcpListener| {
            listener
                .local_addr()
                .expect("a bound socket has an address")
                .port()
        };
        let url = format!("http://127.0.0.1:{}/api", port(&face));
        let world = World::new(format!("ws://127.0.0.1:{}/link", port(&sockets)));
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            wake: Notify::new(),
            delivered: Notify::new(),
        });
        let (stop, stopped) = oneshot::channel();
        let face = face.into_std().expect("a listener that nobody uses yet");
        let sockets = sockets.into_std().expect("a listener that nobody uses yet");
        let state = Arc::clone(&shared);
        // A runtime of its own: a test that waits for the service does not keep us from answering.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime can be made");
            runtime.block_on(async move {
                tokio::spawn(events::deliver_forever(Arc::clone(&state)));
                tokio::spawn(socket::serve(Arc::clone(&state), sockets));
                tokio::spawn(face::serve(state, face));
                // Ends when the fake is dropped, whether or not it says so.
                let _ = stopped.await;
            });
            runtime.shutdown_background();
        });
        Self {
            shared,
            url,
            stop: Some(stop),
        }
    }

    /// The address of the Web API, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The world, to read and to edit. Let go of it before anything waits: nobody is answered meanwhile. Events that an
    /// edit makes are sent from then on.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.wake.notify_one();
        self.shared.lock()
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.world().requests.clone()
    }

    /// How often a method was asked.
    pub fn asked(&self, method: &str) -> usize {
        self.requests().iter().filter(|one| one.method == method).count()
    }

    /// Sends what waits to be sent, and waits until all of it was taken or given up.
    pub async fn delivered(&self) {
        loop {
            let sent = self.shared.delivered.notified();
            tokio::pin!(sent);
            // Armed before looking: what ends in between wakes us.
            sent.as_mut().enable();
            if self.world().deliveries.iter().all(|one| !one.waits) {
                return;
            }
            sent.await;
        }
    }

    /// Waits until so many sockets are open.
    pub async fn connected(&self, count: usize) {
        loop {
            let changed = self.shared.delivered.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.world().sockets.len() >= count {
                return;
            }
            changed.await;
        }
    }

    /// Waits until something is so.
    pub async fn until(&self, so: impl Fn(&World) -> bool) {
        while !so(&self.world()) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// The closing check: nothing unknown was asked, no address held a token, and every fault that was set was met.
    ///
    /// # Panics
    /// If there is something to complain of.
    pub fn check(&self) {
        let complaints = {
            let world = self.world();
            let mut complaints = world.complaints.clone();
            complaints.extend(world.faults.unmet());
            complaints
        };
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }
}

impl Drop for Slack {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Nobody listens any more if the server's thread is gone already.
            let _ = stop.send(());
        }
    }
}
