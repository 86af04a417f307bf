//! One HTTP/1.1 exchange with the gateway, over a loopback port or a Unix socket.
//!
//! The gateway is on this machine, or behind a socket that is, so there is no TLS, no proxy and no redirect here. It
//! opens one connection per call, which costs microseconds on such a path and leaves nothing open between turns.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, StatusCode, body::Incoming, header::HeaderMap};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    task::AbortHandle,
    time::timeout,
};

/// How long it may take until a connection stands.
const CONNECT: Duration = Duration::from_secs(10);

/// Where the gateway listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// `http://host:port`.
    Tcp(String),
    /// `unix:/path`.
    Unix(PathBuf),
}

impl Address {
    /// Reads `http://host:port` or `unix:/path`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            return path.starts_with('/').then(|| Self::Unix(path.into()));
        }
        let host = text.strip_prefix("http://")?.trim_end_matches('/');
        let (name, port) = host.rsplit_once(':')?;
        let plain = !name.is_empty() && !host.contains(['/', '?', '#', '@', ' ']);
        (plain && port.parse::<u16>().is_ok()).then(|| Self::Tcp(host.to_owned()))
    }
}

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransportError {
    /// No connection came about: the gateway has seen nothing of the call.
    #[error("no connection: {0}")]
    Refused(std::io::Error),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// Nothing came for too long.
    #[error("nothing came for {} seconds", .0.as_secs())]
    Silent(Duration),
}

/// What came back, with its body still to be read. Dropping it closes the connection.
pub(super) struct Exchange {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: Incoming,
    patience: Duration,
    _connection: Connection,
}

struct Connection(AbortHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Posts `body` as JSON to `path`; waits `patience` for the head, and then for each piece of the body.
pub(super) async fn post(
    address: &Address,
    path: &str,
    headers: &[(&'static str, &str)],
    body: Bytes,
    patience: Duration,
) -> Result<Exchange, TransportError> {
    let host = match address {
        Address::Tcp(host) => host.as_str(),
        Address::Unix(_) => "gateway",
    };
    let mut request = Request::post(path)
        .header("host", host)
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Full::new(body))
        .map_err(|error| TransportError::Broken(error.to_string()))?;
    match address {
        Address::Tcp(host) => exchange(connected(TcpStream::connect(host)).await?, request, patience).await,
        Address::Unix(path) => exchange(connected(UnixStream::connect(path)).await?, request, patience).await,
    }
}

async fn connected<S>(connect: impl Future<Output = std::io::Result<S>>) -> Result<S, TransportError> {
    match timeout(CONNECT, connect).await {
        Ok(done) => done.map_err(TransportError::Refused),
        Err(_) => Err(TransportError::Refused(std::io::ErrorKind::TimedOut.into())),
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    request: Request<Full<Bytes>>,
    patience: Duration,
) -> Result<Exchange, TransportError> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let connection = Connection(tokio::spawn(connection).abort_handle());
    let response: Response<Incoming> = timeout(patience, sender.send_request(request))
        .await
        .map_err(|_| TransportError::Silent(patience))?
        .map_err(broken)?;
    let (head, body) = response.into_parts();
    Ok(Exchange {
        status: head.status,
        headers: head.headers,
        body,
        patience,
        _connection: connection,
    })
}

impl Exchange {
    /// The next piece of the body; none at its proper end.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, TransportError> {
        loop {
            let frame = timeout(self.patience, self.body.frame());
            match frame.await.map_err(|_| TransportError::Silent(self.patience))? {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame.map_err(broken)?.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// The body as far as `limit` bytes.
    pub(super) async fn head_of_body(&mut self, limit: usize) -> Result<Vec<u8>, TransportError> {
        let mut body = Vec::new();
        while body.len() < limit {
            let Some(piece) = self.piece().await? else { break };
            body.extend_from_slice(&piece);
        }
        body.truncate(limit);
        Ok(body)
    }
}

fn broken(error: hyper::Error) -> TransportError {
    TransportError::Broken(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_loopback_port_or_a_socket_is_an_address() {
        assert_eq!(
            Address::parse("http://127.0.0.1:4141/"),
            Some(Address::Tcp("127.0.0.1:4141".into()))
        );
        assert_eq!(
            Address::parse("http://[::1]:4141"),
            Some(Address::Tcp("[::1]:4141".into()))
        );
        assert_eq!(
            Address::parse("unix:/run/gateway.sock"),
            Some(Address::Unix("/run/gateway.sock".into()))
        );
        for bad in [
            "https://example.com",
            "http://host",
            "http://a:1/path",
            "unix:relative",
            "127.0.0.1:1",
            "http://:1",
        ] {
            assert_eq!(Address::parse(bad), None, "{bad}");
        }
    }
}
