//! The gateway: one small proxy in front of every model, for every agent, and the way out to the hosts that a loop allows.
//!
//! It alone holds the key, knows prices and keeps budgets. An attempt is admitted and gets a token that is worth
//! nothing elsewhere; what it may ask is an allow-list; what it may spend is reserved before each call and settled
//! after it. It never changes what is said, decides nothing about tasks, and keeps no prompt.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use loops::{
    budget::{Money, Usage},
    id::RunId,
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock,
    config::{Budget, Models},
    store::{Store, StoreError, calls},
};

mod answer;
mod api;
mod bill;
mod bound;
mod call;
mod cassette;
mod egress;
mod lanes;
mod meter;
mod play;
mod record;
mod reply;
mod request;
mod server;
#[cfg(test)]
mod tests;
mod token;
mod upstream;

pub use call::Patience;
pub use cassette::{Cassette, CassetteError, Session, Turn};
pub use egress::{Outside, is_public};
pub use loops::budget::Caps;
#[doc(hidden)]
pub use meter::metered;
pub use reply::{OVER_BUDGET, REHEARSED};
pub use token::{Admission, Role, Token};

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// It gets no address on this machine.
    #[error("the gateway cannot listen on this machine's loopback address: {0}")]
    Listen(std::io::Error),
    /// The HTTP client cannot be made.
    #[error("the gateway cannot make its HTTP client: {0}")]
    Client(reqwest::Error),
    /// The recording cannot be begun.
    #[error(transparent)]
    Cassette(#[from] CassetteError),
    /// What calls cost cannot be written down.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A gateway that runs. It stops when [`Gateway::shutdown`] is called.
#[derive(Debug)]
pub struct Gateway {
    /// `http://127.0.0.1:PORT`.
    pub address: String,
    /// `relay://127.0.0.1:PORT`: where the relays of sandboxes connect, each of which says first whose it is.
    pub relays: String,
    inner: Arc<Inner>,
}

/// What all calls share.
#[derive(Debug)]
struct Inner {
    models: Models,
    budget: Mutex<Arc<Budget>>,
    store: Store,
    upstreams: upstream::Upstreams,
    cassette: Option<Cassette>,
    recorder: Option<record::Recorder>,
    lanes: lanes::Lanes,
    door: token::Door,
    patience: Patience,
    outside: Outside,
    /// Bytes of requests that may be read now.
    reading: Semaphore,
    spend: watch::Sender<u64>,
    trouble: Mutex<Option<String>>,
    over_budget: Mutex<Option<String>>,
    tasks: TaskTracker,
    /// Nothing new is begun after this.
    stop: CancellationToken,
    /// What is under way ends after this.
    cut: CancellationToken,
}

impl Gateway {
    /// Starts on a loopback port of its own. With `playback` no provider is asked; with `record` the provider's
    /// answers go to a new cassette. Calls that a crash left open are charged what was reserved for them; those of
    /// attempts that other nodes carry out are left to them.
    pub async fn start(
        models: &Models,
        store: Store,
        playback: Option<Cassette>,
        record: Option<PathBuf>,
    ) -> Result<Self, GatewayError> {
        let patience = Patience::of(models.patience.0);
        Self::start_with(models, store, playback, record, patience, Outside::system()).await
    }

    /// One that leads to hosts and to no model, beside whatever else works on the same store.
    pub async fn for_hosts(store: Store) -> Result<Self, GatewayError> {
        let models = Models::none();
        let patience = Patience::of(models.patience.0);
        Self::open(&models, store, None, None, patience, Outside::system()).await
    }

    /// As [`Gateway::start`], with other waits between tries, and another way to the hosts that loops allow.
    pub async fn start_with(
        models: &Models,
        store: Store,
        playback: Option<Cassette>,
        record: Option<PathBuf>,
        patience: Patience,
        outside: Outside,
    ) -> Result<Self, GatewayError> {
        let mut tx = store.begin().await?;
        let left_open = calls::estimate_open(&mut tx, clock::now()).await?;
        tx.commit().await?;
        if left_open > 0 {
            tracing::warn!(
                calls = left_open,
                "calls were under way at the last stop; each is charged its reservation"
            );
        }
        Self::open(models, store, playback, record, patience, outside).await
    }

    /// As [`Gateway::start`], beside others on the same store: calls that are open there are none of ours.
    pub async fn start_beside(
        models: &Models,
        store: Store,
        playback: Option<Cassette>,
    ) -> Result<Self, GatewayError> {
        let patience = Patience::of(models.patience.0);
        Self::open(models, store, playback, None, patience, Outside::system()).await
    }

    async fn open(
        models: &Models,
        store: Store,
        playback: Option<Cassette>,
        record: Option<PathBuf>,
        patience: Patience,
        outside: Outside,
    ) -> Result<Self, GatewayError> {
        let inner = Arc::new(Inner {
            upstreams: upstream::Upstreams::new(models).map_err(GatewayError::Client)?,
            lanes: lanes::Lanes::new(models),
            models: models.clone(),
            budget: Mutex::default(),
            store,
            cassette: playback,
            recorder: record.as_deref().map(record::Recorder::begin).transpose()?,
            door: token::Door::default(),
            patience,
            outside,
            reading: Semaphore::new(server::READING),
            spend: watch::Sender::new(0),
            trouble: Mutex::new(None),
            over_budget: Mutex::new(None),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
        });
        let (direct, address) = listen("http").await?;
        let (inside, relays) = listen("relay").await?;
        let own = server::serve(Arc::clone(&inner), direct, server::Entrance::Direct);
        inner.tasks.spawn(own);
        let theirs = server::serve(Arc::clone(&inner), inside, server::Entrance::Relays);
        inner.tasks.spawn(theirs);
        Ok(Self {
            address,
            relays,
            inner,
        })
    }

    /// From now on all loops together may spend no more than this.
    pub fn limit(&self, budget: Budget) {
        *self.inner.budget.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(budget);
    }

    /// Lets an attempt ask, until it is dismissed.
    pub fn admit(&self, admission: Admission) -> Token {
        self.inner.door.admit(admission, false, &self.inner.cut)
    }

    /// Lets what runs in one sandbox ask: the token is worth something only through a relay that was opened with it
    /// ([`Gateway::relays`]), until it is dismissed.
    pub fn admit_inside(&self, admission: Admission) -> Token {
        self.inner.door.admit(admission, true, &self.inner.cut)
    }

    /// Ends what an attempt may do here: its token is worth nothing from now on, and its open calls are cut.
    pub fn dismiss(&self, token: &Token) {
        self.inner.door.dismiss(token);
    }

    /// What a run spent so far (calls under way count with their reservation), and whether any answer was played back.
    pub async fn spent(&self, run: RunId) -> Result<(Usage, Money, bool), StoreError> {
        let spend = calls::spend_of_run(&self.inner.store, run).await?;
        Ok((spend.usage, spend.cost, spend.rehearsed > 0))
    }

    /// Changes whenever something was reserved or settled; then [`Gateway::spent`] has news.
    pub fn spending(&self) -> watch::Receiver<u64> {
        self.inner.spend.subscribe()
    }

    /// Why no model can be asked at all, if the key is missing or was refused; words for the person who runs this.
    pub fn key_trouble(&self) -> Option<String> {
        self.inner
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Which cap a call was last refused for, in words; none: no call was.
    pub fn over_budget(&self) -> Option<String> {
        self.inner
            .over_budget
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether answers come from a cassette.
    pub fn is_rehearsal(&self) -> bool {
        self.inner.cassette.is_some()
    }

    /// Takes no more calls, waits up to `grace` for those under way, then cuts them and waits until each is settled.
    pub async fn shutdown(&self, grace: Duration) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        if timeout(grace, self.inner.tasks.wait()).await.is_err() {
            self.inner.cut.cancel();
            self.inner.tasks.wait().await;
        }
    }
}

/// A loopback port of our own, and how it is called.
async fn listen(scheme: &str) -> Result<(TcpListener, String), GatewayError> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .map_err(GatewayError::Listen)?;
    let address = format!(
        "{scheme}://{}",
        listener.local_addr().map_err(GatewayError::Listen)?
    );
    Ok((listener, address))
}

impl Inner {
    fn spend_changed(&self) {
        self.spend.send_modify(|version| *version += 1);
    }

    fn budget(&self) -> Arc<Budget> {
        Arc::clone(&self.budget.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn trouble(&self, why: &str) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
    }

    fn refused_for_budget(&self, why: &str) {
        *self.over_budget.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
    }

    fn recovered(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
