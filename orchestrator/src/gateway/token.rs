//! Who may ask: an attempt is admitted, gets a token, and is dismissed when it ends.
//!
//! A token is worth something only here and only while its attempt lasts. It is kept as a hash, so neither a memory
//! dump of this map nor the time that a look-up takes says anything about it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize},
};

use loops::{
    budget::Caps,
    id::{AttemptId, RunId, TaskId},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::bound::Known;

/// What a relay says first of all, in hex: whose connection it is, as the SHA-256 of that attempt's token.
pub(super) type Mark = [u8; 32];

/// How many calls one attempt may have under way: more than an agent needs, few enough that a hostile one cannot
/// fill the memory with them.
const SEATS: usize = 8;

/// How many connections to hosts one attempt may have open: package managers take 16 at most unless told otherwise.
const TUNNELS: usize = 16;

/// What an attempt does; the gateway only shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The top-level agent.
    Lead,
    /// A worker's agent.
    Work,
    /// A reviewing agent.
    Review,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lead => "lead",
            Self::Work => "work",
            Self::Review => "review",
        })
    }
}

/// An attempt that may ask. Plain data: it travels with an order to the gateway of whoever carries that out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// The attempt.
    pub attempt: AttemptId,
    /// Which try of its task it is, from 1; a cassette can answer the second try otherwise than the first.
    pub number: u32,
    /// Its task; none for the lead agent.
    pub task: Option<TaskId>,
    /// Its run.
    pub run: RunId,
    /// The loop's name.
    pub loop_name: String,
    /// The [key](crate::config::github::FullName::key) of the repository that defines its loop; none: the operator does.
    pub repository: Option<String>,
    /// What it does.
    pub role: Role,
    /// What may be spent.
    pub caps: Caps,
    /// The zone of its loop: days and months of what the service may spend end there.
    pub zone: String,
    /// The hosts that it may reach besides the models, as its loop says.
    pub network: Vec<String>,
    /// The models (aliases or names) that it may ask; none: any that has a price.
    pub models: Option<Vec<String>>,
    /// What kind of session it is (`lead`, `fix`, `review`): cassettes are told apart by it.
    pub label: String,
}

/// An attempt's token. It prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token itself, for the order that carries it to the attempt.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// An admitted attempt, as the gateway remembers it.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) admission: Admission,
    /// Whether it asks from inside a sandbox: through the relay of that sandbox, and from nowhere else.
    inside: bool,
    /// Fires when the attempt is dismissed; its streams end then.
    pub(super) gone: CancellationToken,
    /// How many calls it may have under way.
    pub(super) seats: Arc<Semaphore>,
    /// How many connections to hosts it may have open.
    pub(super) tunnels: Arc<Semaphore>,
    /// How many connections it was refused.
    pub(super) refusals: AtomicUsize,
    /// What its last call taught about how many tokens its conversation has.
    pub(super) known: Mutex<Option<Known>>,
}

/// Everybody who is admitted, by the hash of the token.
#[derive(Debug, Default)]
pub(super) struct Door {
    guests: Mutex<HashMap<Mark, Arc<Guest>>>,
}

impl Door {
    /// Lets an attempt in, until [`Door::dismiss`] or until `all` fires.
    pub(super) fn admit(&self, admission: Admission, inside: bool, all: &CancellationToken) -> Token {
        let token = Token(format!("loops-{}", hex::encode(rand::random::<[u8; 32]>())));
        let guest = Guest {
            admission,
            inside,
            gone: all.child_token(),
            seats: Arc::new(Semaphore::new(SEATS)),
            tunnels: Arc::new(Semaphore::new(TUNNELS)),
            refusals: AtomicUsize::new(0),
            known: Mutex::new(None),
        };
        self.lock().insert(hash(&token.0), Arc::new(guest));
        token
    }

    /// Shows an attempt out: its token is worth nothing from here on, and its streams end.
    pub(super) fn dismiss(&self, token: &Token) {
        if let Some(guest) = self.lock().remove(&hash(&token.0)) {
            guest.gone.cancel();
        }
    }

    /// Who holds this token, if it may be used where it came from: through a relay only the token that the relay was
    /// opened for is worth something, and a token from inside nowhere else.
    pub(super) fn find(&self, token: &str, relay: Option<Mark>) -> Option<Arc<Guest>> {
        let hash = hash(token);
        let guest = self.lock().get(&hash).cloned()?;
        match relay {
            Some(mark) => mark == hash,
            None => !guest.inside,
        }
        .then_some(guest)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Arc<Guest>>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(token: &str) -> Mark {
    Sha256::digest(token.as_bytes()).into()
}
