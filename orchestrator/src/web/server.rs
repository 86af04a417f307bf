//! The address, and what is offered there.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{connections, github, metrics, signals, slack};
use crate::{
    config::{Secret, Web},
    engine::Home,
};

/// So many requests of one service are looked at together. What they hold in memory is bounded by that, and by how much
/// each may be.
const AT_ONCE: usize = 32;
/// How long requests under way may go on when the service ends.
const DRAIN: Duration = Duration::from_secs(3);

/// Why nothing can come in.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is taken, or is not this machine's.
    #[error("cannot listen on `{address}`: {why}; write another `web.listen` in loops.yaml")]
    Listen {
        /// As it is written.
        address: SocketAddr,
        /// What the system said.
        why: std::io::Error,
    },
    /// The same for figures.
    #[error("cannot listen on `{address}`: {why}; write another `metrics.listen` in loops.yaml")]
    Metrics {
        /// As it is written.
        address: SocketAddr,
        /// What the system said.
        why: std::io::Error,
    },
}

/// What listens.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

/// What handlers share.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) home: Home,
    pub(super) secrets: Arc<Secrets>,
    /// What of Slack is being looked at,
    pub(super) slack: Arc<Semaphore>,
    /// what of GitHub,
    pub(super) github: Arc<Semaphore>,
    /// and what of others.
    pub(super) signals: Arc<Semaphore>,
}

/// What those sign with whom we let in; who has no secret is not let in.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// Slack's.
    pub slack: Option<Secret>,
    /// That of GitHub's webhooks.
    pub github: Option<Secret>,
    /// Those of senders of signals, by the names that loops use.
    pub signals: BTreeMap<String, Secret>,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn start(web: &Web, home: Home, secrets: Secrets) -> Result<Self, ServerError> {
        let failed = |why| ServerError::Listen {
            address: web.listen,
            why,
        };
        let listener = TcpListener::bind(web.listen).await.map_err(failed)?;
        let router = Router::new()
            .route("/health", get(|| async { "ok\n" }))
            .route("/slack/events", post(slack::events))
            .route("/github", post(github::events))
            .route("/signals/{loop}", post(signals::take_in))
            .fallback(|| async { StatusCode::NOT_FOUND })
            .with_state(Door {
                home,
                secrets: Arc::new(secrets),
                slack: Arc::new(Semaphore::new(AT_ONCE)),
                github: Arc::new(Semaphore::new(AT_ONCE)),
                signals: Arc::new(Semaphore::new(AT_ONCE)),
            });
        Self::serve(listener, router).map_err(failed)
    }

    /// Listens for a monitor that asks for figures, and for nothing else.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn metrics(address: SocketAddr, home: Home) -> Result<Self, ServerError> {
        let failed = |why| ServerError::Metrics { address, why };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let router = Router::new()
            .route("/metrics", get(metrics::metrics))
            .fallback(|| async { StatusCode::NOT_FOUND })
            .with_state(home);
        Self::serve(listener, router).map_err(failed)
    }

    fn serve(listener: TcpListener, router: Router) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let ending = stop.clone();
        let serving = tokio::spawn(async move {
            connections::serve(listener, router, connections::BOUNDS, ending).await;
        });
        Ok(Self {
            address,
            stop,
            serving,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it; requests under way may end within three seconds.
    pub async fn close(mut self) {
        self.stop.cancel();
        if timeout(DRAIN, &mut self.serving).await.is_err() {
            self.serving.abort();
        }
    }
}
