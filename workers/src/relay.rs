//! One attempt's way to the gateway: a unix socket that is seen in its sandbox, joined to the gateway's address. It
//! moves bytes and reads none, but says first whose they are where the gateway asks for that (`relay://`), so that a
//! token is worth nothing through another sandbox's relay; it holds no key, and ends with the attempt.

use std::{
    io::{Error, ErrorKind},
    os::{fd::AsRawFd as _, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpStream, UnixListener, UnixStream},
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
};

use crate::order::Gateway;

/// How many connections one attempt may have open; more wait.
const CONNECTIONS: usize = 32;

/// Why a relay could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The gateway's address is none that we can join to.
    #[error(
        "`{0}` is not a gateway's address; it is `http://host:port`, `relay://host:port` or `unix:/path`"
    )]
    Address(String),
    /// The socket could not be made.
    #[error("`{path}`: {error}")]
    Socket {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        error: Error,
    },
}

/// An open relay. It closes, with every connection through it, when it is dropped.
#[derive(Debug)]
pub struct Relay {
    socket: PathBuf,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// Opens the socket, for ourselves and for whom the sandbox gives it to, and joins what connects to the gateway.
    /// Must be called within a runtime.
    ///
    /// # Errors
    /// If the address makes no sense or the socket cannot be made.
    pub fn start(socket: &Path, gateway: &Gateway) -> Result<Self, RelayError> {
        let target = Arc::new(Target::read(&gateway.address, &gateway.token)?);
        let failed = |error| RelayError::Socket {
            path: socket.to_owned(),
            error,
        };
        match std::fs::remove_file(socket) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = bind(socket).map_err(failed)?;
        std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self {
            socket: socket.to_owned(),
            accepting: tokio::spawn(accept(listener, target)),
        })
    }
}

impl Relay {
    /// Where its socket is.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

/// Binds by way of the open folder, since a socket's path has 107 bytes at most and a folder's may have more.
fn bind(socket: &Path) -> std::io::Result<UnixListener> {
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Err(ErrorKind::InvalidInput.into());
    };
    let folder = std::fs::File::open(folder)?;
    let at = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    UnixListener::bind(at.join(name))
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
        // The scratch folder goes anyway.
        let _ = std::fs::remove_file(&self.socket);
    }
}

async fn accept(listener: UnixListener, target: Arc<Target>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // Dropped, and its tasks with it, when this task is aborted.
    let mut open = JoinSet::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        while open.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((inside, _)) => {
                let target = target.clone();
                open.spawn(async move {
                    if let Err(error) = target.join(inside).await {
                        tracing::debug!(%error, "a connection through the relay ended");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the relay cannot accept a connection");
                // Out of file descriptors: those that are open have to end first.
                open.join_next().await;
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Target {
    Tcp(String),
    /// The same, and what is said first.
    Relays(String, String),
    Unix(PathBuf),
}

impl Target {
    fn read(address: &str, token: &str) -> Result<Self, RelayError> {
        let wrong = || RelayError::Address(address.to_owned());
        if let Some(path) = address.strip_prefix("unix:") {
            return if path.starts_with('/') {
                Ok(Self::Unix(path.into()))
            } else {
                Err(wrong())
            };
        }
        let (scheme, place) = address.split_once("://").ok_or_else(wrong)?;
        let place = place.trim_end_matches('/');
        let (host, port) = place.rsplit_once(':').ok_or_else(wrong)?;
        if host.is_empty() || host.contains(['/', '@', ' ']) || port.parse::<u16>().is_err() {
            return Err(wrong());
        }
        match scheme {
            "http" => Ok(Self::Tcp(place.to_owned())),
            "relay" => {
                let mark = hex::encode(Sha256::digest(token.as_bytes()));
                Ok(Self::Relays(place.to_owned(), format!("{mark}\n")))
            }
            _ => Err(wrong()),
        }
    }

    async fn join(&self, mut inside: UnixStream) -> std::io::Result<()> {
        match self {
            Self::Tcp(place) => pump(&mut inside, connect(place).await?).await,
            Self::Relays(place, mark) => {
                let mut outside = connect(place).await?;
                outside.write_all(mark.as_bytes()).await?;
                pump(&mut inside, outside).await
            }
            Self::Unix(path) => pump(&mut inside, UnixStream::connect(path).await?).await,
        }
    }
}

async fn connect(place: &str) -> std::io::Result<TcpStream> {
    let outside = TcpStream::connect(place).await?;
    outside.set_nodelay(true)?;
    Ok(outside)
}

async fn pump(
    inside: &mut UnixStream,
    mut outside: impl AsyncRead + AsyncWrite + Unpin,
) -> std::io::Result<()> {
    copy_bidirectional(inside, &mut outside).await.map(drop)
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt as _, net::TcpListener};

    use super::*;

    fn gateway(address: &str) -> Gateway {
        Gateway {
            address: address.into(),
            token: "t".into(),
        }
    }

    #[tokio::test]
    async fn bytes_go_both_ways_and_end_with_the_relay() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let outside = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", outside.local_addr().unwrap());
        let relay = Relay::start(&socket, &gateway(&address)).unwrap();
        let mut inside = UnixStream::connect(&socket).await.unwrap();
        let (mut peer, _) = outside.accept().await.unwrap();
        inside.write_all(b"ping").await.unwrap();
        let mut word = [0; 4];
        peer.read_exact(&mut word).await.unwrap();
        peer.write_all(b"pong").await.unwrap();
        inside.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"pong");
        drop(relay);
        assert_eq!(inside.read(&mut word).await.unwrap(), 0);
        assert!(!socket.exists());
    }

    #[test]
    fn an_address_that_is_no_gateways_is_refused() {
        for address in [
            "",
            "https://x:1",
            "http://x",
            "http://user@x:1",
            "http://x:99999",
            "unix:relative",
            "ftp://x:1",
        ] {
            assert!(Target::read(address, "t").is_err(), "{address}");
        }
        assert_eq!(
            Target::read("http://127.0.0.1:4141/", "t").unwrap(),
            Target::Tcp("127.0.0.1:4141".into())
        );
    }
}
