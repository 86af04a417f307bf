//! Connections before they are requests: how many at once, how long a head may take and how large it is, how long one
//! lives. Whoever sends byte by byte, or many at once, holds up nobody but themselves. It reads no request.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What a connection may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// So many are open together; the next ones are closed at once, and whoever signs sends again.
    pub(super) at_once: usize,
    /// How long the head of a request may take, from the connection's begin or the last answer.
    pub(super) head: Duration,
    /// How long a connection lives, whatever it does.
    pub(super) life: Duration,
    /// The most bytes of a head.
    pub(super) head_bytes: usize,
    /// The most headers of a request.
    pub(super) headers: usize,
}

/// Those of the service.
pub(super) const BOUNDS: Bounds = Bounds {
    at_once: 256,
    head: Duration::from_secs(5),
    life: Duration::from_secs(60),
    head_bytes: 32 << 10,
    headers: 64,
};

/// Serves until it is stopped; requests under way then may end.
pub(super) async fn serve(listener: TcpListener, router: Router, bounds: Bounds, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(bounds.at_once));
    let open = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    tracing::info!("too many connections; one was closed unread");
                    continue;
                };
                let (router, stop) = (router.clone(), stop.clone());
                open.spawn(async move {
                    let _place = place;
                    one(stream, router, bounds, stop).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Out of file handles, most likely: accepting again at once would spin.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    open.close();
    open.wait().await;
}

async fn one(stream: TcpStream, router: Router, bounds: Bounds, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_buf_size(bounds.head_bytes)
        .max_headers(bounds.headers);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = timeout(bounds.life, async {
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    });
    match ended.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection ended badly"),
        Err(_) => tracing::debug!("a connection was ended for its age"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Bounds that no test has to wait for.
    const SMALL: Bounds = Bounds {
        at_once: 2,
        head: Duration::from_millis(60),
        life: Duration::from_millis(400),
        head_bytes: 16 << 10,
        headers: 10,
    };
    /// As good as none.
    const WIDE: Bounds = Bounds {
        at_once: 100,
        head: Duration::from_secs(600),
        life: Duration::from_secs(600),
        head_bytes: 1 << 20,
        headers: 1_000,
    };
    const HEAD: &str = "GET / HTTP/1.1\r\nhost: x\r\n";

    async fn server(bounds: Bounds) -> (SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let router = Router::new().route("/", get(|| async { "here" }));
        tokio::spawn(serve(listener, router, bounds, stop.clone()));
        (address, stop)
    }

    /// What comes back for these bytes until the other side closes; none: it did not within a second.
    async fn answer(address: SocketAddr, bytes: &str) -> Option<String> {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It may be closed already.
        let _ = stream.write_all(bytes.as_bytes()).await;
        let mut said = Vec::new();
        let read = timeout(Duration::from_secs(1), stream.read_to_end(&mut said)).await;
        read.is_ok().then(|| String::from_utf8_lossy(&said).into_owned())
    }

    #[tokio::test]
    async fn a_head_that_never_ends_is_not_waited_for() {
        let (small, _a) = server(SMALL).await;
        let said = answer(small, HEAD).await.unwrap();
        assert!(!said.contains("here"), "{said}");
        // The control.
        let (wide, _b) = server(WIDE).await;
        assert_eq!(answer(wide, HEAD).await, None);
        assert!(
            answer(small, &format!("{HEAD}connection: close\r\n\r\n"))
                .await
                .unwrap()
                .ends_with("here")
        );
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_is_refused_unread() {
        let many: String = (0..20).map(|n| format!("x-{n}: 1\r\n")).collect();
        let long = format!("x: {}\r\n", "y".repeat(40 << 10));
        for more in [many, long] {
            let request = format!("{HEAD}connection: close\r\n{more}\r\n");
            let (small, _a) = server(SMALL).await;
            let said = answer(small, &request).await.unwrap();
            assert!(!said.contains("here"), "{said}");
            let (wide, _b) = server(WIDE).await;
            assert!(answer(wide, &request).await.unwrap().ends_with("here"));
        }
    }

    #[tokio::test]
    async fn a_connection_beyond_the_last_place_is_closed_and_the_places_come_back() {
        let (address, _stop) = server(SMALL).await;
        // Both hold their place as long as they may.
        let first = TcpStream::connect(address).await.unwrap();
        let second = TcpStream::connect(address).await.unwrap();
        let whole = format!("{HEAD}connection: close\r\n\r\n");
        let third = answer(address, &whole).await.unwrap();
        assert!(!third.contains("here"), "{third}");
        for mut held in [first, second] {
            let mut rest = Vec::new();
            let ended = timeout(Duration::from_secs(5), held.read_to_end(&mut rest)).await;
            assert!(ended.is_ok(), "it is closed for its head");
        }
        let began = std::time::Instant::now();
        while !answer(address, &whole)
            .await
            .unwrap_or_default()
            .ends_with("here")
        {
            assert!(began.elapsed() < Duration::from_secs(5), "the places come back");
        }
    }

    #[tokio::test]
    async fn an_old_connection_is_closed_though_it_asks_on() {
        let (address, _stop) = server(SMALL).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let began = std::time::Instant::now();
        let mut bytes = [0; 512];
        // Until the other side closes; each question within the time of a head.
        while stream.write_all(format!("{HEAD}\r\n").as_bytes()).await.is_ok()
            && stream.read(&mut bytes).await.is_ok_and(|count| count > 0)
        {
            assert!(began.elapsed() < Duration::from_secs(10), "it lives for ever");
        }
        assert!(began.elapsed() >= SMALL.life, "it was closed before its time");
    }
}
