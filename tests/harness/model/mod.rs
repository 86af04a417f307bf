//! The scripted model: a provider of the Messages, Responses and Chat Completions APIs on a loopback port, which says what
//! a test wrote down.
//!
//! It checks each request as strictly as the provider does (`validate`), counts prompt caches by the provider's
//! documented rules (`cache`), and misbehaves on demand (`Fault`). Which turn of a session is played follows from the
//! request alone (how many answers it already holds), so restarts and several attempts at once need no care.
//!
//! ```no_run
//! # async fn example() {
//! use harness::model::Model;
//! use serde_json::json;
//!
//! let model = Model::start().await;
//! model.session("the export is empty", |s| s.call("read", json!({"path": "export.py"})).say("Done."));
//! # }
//! ```

mod cache;
mod openai;
mod script;
mod server;
mod validate;
mod wire;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use loops::budget::Usage;
use serde_json::Value;
use tokio::{sync::watch, task::AbortHandle};
use workers::order::Gateway;

pub use cache::{Cache, tokens};
pub use script::{Fault, Script, Turn};

/// A request as it came, and what became of it.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The session that it belongs to, by the words that chose it; none: no session fits.
    pub session: Option<String>,
    /// How many answers it already held: the turn that it asks for.
    pub turn: usize,
    /// The value of `x-api-key`, or the bearer token.
    pub key: String,
    /// The request.
    pub body: Value,
    /// The status that it got.
    pub status: u16,
    /// The fault that was put in the way.
    pub fault: Option<Fault>,
    /// The tokens that were counted.
    pub usage: Usage,
}

impl Recorded {
    /// The texts of the last message: tool results and words, in order.
    pub fn last_texts(&self) -> Vec<String> {
        let last = self.body["messages"]
            .as_array()
            .and_then(|messages| messages.last());
        last.map(|message| wire::texts(&message["content"]))
            .unwrap_or_default()
    }
}

/// The scripted model. It ends when it is dropped.
#[derive(Debug)]
pub struct Model {
    address: String,
    state: Arc<State>,
    server: AbortHandle,
}

#[derive(Debug, Default)]
struct State {
    inner: Mutex<Inner>,
    /// The sessions whose answers are held back.
    held: watch::Sender<BTreeSet<String>>,
    /// How many requests came; changes when one is recorded.
    came: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Inner {
    sessions: Vec<Script>,
    cache: Cache,
    requests: Vec<Recorded>,
    complaints: Vec<String>,
    /// How many faults were already met, by conversation and turn.
    faults_met: HashMap<(String, usize), usize>,
    /// What every request meets.
    outage: Option<Fault>,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Model {
    /// Starts one on a free loopback port.
    pub async fn start() -> Self {
        let state = Arc::<State>::default();
        let (address, server) = server::start(Arc::clone(&state)).await;
        Self {
            address,
            state,
            server,
        }
    }

    /// `http://127.0.0.1:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// As if this were a gateway; for tests without one.
    pub fn gateway(&self) -> Gateway {
        Gateway {
            address: self.address.clone(),
            token: "test-token".to_owned(),
        }
    }

    /// Adds a session for conversations whose system prompt or first message contains `words`. Of several that fit,
    /// the first one added plays.
    pub fn session(&self, words: &str, write: impl FnOnce(Script) -> Script) -> &Self {
        self.add(write(Script::choosing(words, |words, system, first| {
            system.contains(words) || first.contains(words)
        })))
    }

    /// Adds a session for conversations whose system prompt contains `words`.
    pub fn session_of_role(&self, words: &str, write: impl FnOnce(Script) -> Script) -> &Self {
        self.add(write(Script::choosing(words, |words, system, _| {
            system.contains(words)
        })))
    }

    /// Adds a session for conversations whose system prompt contains `role` and whose first message contains `brief`.
    pub fn session_for(&self, role: &str, brief: &str, write: impl FnOnce(Script) -> Script) -> &Self {
        let role = role.to_owned();
        self.add(write(Script::choosing(brief, move |brief, system, first| {
            system.contains(&role) && first.contains(brief)
        })))
    }

    /// Adds a session named `name` for conversations whose system prompt and first message `fits` says yes to.
    pub fn session_if(
        &self,
        name: &str,
        fits: impl Fn(&str, &str) -> bool + Send + Sync + 'static,
        write: impl FnOnce(Script) -> Script,
    ) -> &Self {
        self.add(write(Script::choosing(name, move |_, system, first| {
            fits(system, first)
        })))
    }

    fn add(&self, script: Script) -> &Self {
        self.state.lock().sessions.push(script);
        self
    }

    /// Every request so far, in the order of their coming.
    pub fn requests(&self) -> Vec<Recorded> {
        self.state.lock().requests.clone()
    }

    /// The requests of the session that `words` chose.
    pub fn requests_of(&self, words: &str) -> Vec<Recorded> {
        self.requests()
            .into_iter()
            .filter(|request| request.session.as_deref() == Some(words))
            .collect()
    }

    /// What was wrong with requests: refused by the provider's rules, or not in the script.
    pub fn complaints(&self) -> Vec<String> {
        self.state.lock().complaints.clone()
    }

    /// From now on every request meets this fault; none: it is over.
    pub fn outage(&self, fault: Option<Fault>) -> &Self {
        self.state.lock().outage = fault;
        self
    }

    /// Holds back every answer to the session that `words` chose, until it is released.
    pub fn hold(&self, words: &str) {
        self.state.held.send_modify(|held| {
            held.insert(words.to_owned());
        });
    }

    /// Lets the answers go that were held back.
    pub fn release(&self, words: &str) {
        self.state.held.send_modify(|held| {
            held.remove(words);
        });
    }

    /// Waits until the session that `words` chose was asked.
    pub async fn is_asked(&self, words: &str) {
        let mut came = self.state.came.subscribe();
        // The sender lives as long as this model.
        let _ = came.wait_for(|_| !self.requests_of(words).is_empty()).await;
    }

    /// Turns the clock by which cached prefixes expire.
    pub fn advance(&self, by: Duration) {
        self.state.lock().cache.advance(by);
    }

    /// The fewest tokens that are cached, in place of what the provider documents for the model's name.
    pub fn set_cache_minimum(&self, tokens: u64) {
        self.state.lock().cache.set_minimum(tokens);
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.server.abort();
    }
}
