//! The way out for the hosts that a loop allows: a proxy that speaks CONNECT and nothing else.
//!
//! A host is allowed by name and port; what its name stands for is looked up here, once, and every address is judged before
//! it is dialled as an address, so that no second look-up can lead elsewhere. What goes through a tunnel is counted and
//! not read. Plain HTTP is not offered: nobody would know that it is TLS's other end.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::net::TcpStream;

mod address;
mod hosts;
mod tunnel;

pub(super) use tunnel::open;

pub use address::is_public;

/// How names become addresses, and addresses connections: the system's way, or a test's.
#[derive(Clone)]
pub struct Outside {
    /// The addresses of a name.
    pub resolve: Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>,
    /// A connection to one address, which was judged before.
    pub dial: Arc<dyn Fn(SocketAddr) -> BoxFuture<'static, io::Result<TcpStream>> + Send + Sync>,
    /// Whether an address is this machine's own.
    pub is_ours: fn(IpAddr) -> bool,
    /// How long a tunnel may carry nothing before it is closed.
    pub idle: Duration,
}

/// A package registry's slowest answer takes less.
const IDLE: Duration = Duration::from_secs(120);

impl Outside {
    /// The system's resolver, and plain TCP.
    pub fn system() -> Self {
        Self {
            resolve: Arc::new(|name| {
                Box::pin(async move {
                    let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
                    Ok(found.map(|address| address.ip()).collect())
                })
            }),
            dial: Arc::new(|address| Box::pin(TcpStream::connect(address))),
            is_ours: address::is_ours,
            idle: IDLE,
        }
    }
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outside")
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}
