//! One tunnel: who asks, whether it may be, whereto, and how many bytes went each way.

use std::{net::IpAddr, sync::Arc, time::Duration};

use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{HeaderMap, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION},
    upgrade::OnUpgrade,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use super::{Outside, address::is_public, hosts::Wanted};
use crate::{
    clock,
    gateway::{
        Inner,
        reply::{Body, whole},
        token::{Guest, Mark},
    },
    store::{
        StoreError,
        egress::{self, Ended, NewTunnel},
    },
};

/// How long a name's look-up, and one address, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many of a name's addresses are tried.
const ADDRESSES: usize = 4;

/// How many refusals of one attempt are written down; a hostile one could ask for ever.
const REFUSALS: usize = 50;

/// What is carried at once, bytes.
const PIECE: usize = 16 * 1024;

/// Why there is no tunnel: a status, a word that is written down, and words for whoever asked.
struct No {
    status: StatusCode,
    word: &'static str,
    message: String,
}

impl No {
    fn new(status: StatusCode, word: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            word,
            message,
        }
    }
}

/// Answers a CONNECT.
pub(in crate::gateway) async fn open(
    gateway: Arc<Inner>,
    mut request: Request<Incoming>,
    relay: Option<Mark>,
) -> Response<Body> {
    let Some(guest) = credentials(request.headers()).and_then(|token| gateway.door.find(&token, relay))
    else {
        let mut response = said(
            StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            "this token is not admitted: it is wrong, or its attempt has ended",
        );
        let basic = HeaderValue::from_static("Basic realm=\"loops\"");
        response.headers_mut().insert(PROXY_AUTHENTICATE, basic);
        return response;
    };
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str().to_owned());
    let upgrade = hyper::upgrade::on(&mut request);
    match connect(
        &gateway,
        &guest,
        authority.as_deref().unwrap_or_default(),
        upgrade,
    )
    .await
    {
        Ok(response) => response,
        Err(no) => {
            refuse(&gateway, &guest, &no).await;
            said(no.status, &no.message)
        }
    }
}

async fn connect(
    gateway: &Arc<Inner>,
    guest: &Arc<Guest>,
    authority: &str,
    upgrade: OnUpgrade,
) -> Result<Response<Body>, No> {
    let seat = Arc::clone(&guest.tunnels).try_acquire_owned().map_err(|_| {
        let message = "this attempt has too many connections open; close one of them";
        No::new(StatusCode::TOO_MANY_REQUESTS, "too_many", message)
    })?;
    let wanted = Wanted::read(authority).filter(|wanted| wanted.is_allowed(&guest.admission.network));
    let Some(wanted) = wanted else {
        let message = "the loop does not allow this host and port (`boundaries.network`, `setup.network`)";
        return Err(No::new(StatusCode::FORBIDDEN, "not_allowed", message));
    };
    let outside = &gateway.outside;
    let found = tokio::select! {
        found = reach(outside, &wanted) => found?,
        () = guest.gone.cancelled() => return Err(gone()),
    };
    let tunnel = new_tunnel(guest, &wanted);
    // Written down before a byte goes: what cannot be counted does not go out.
    begin(gateway, &tunnel).await.map_err(|error| {
        tracing::error!(%error, "a connection could not be written down");
        let message = "the gateway cannot write down what goes out, so nothing goes out";
        No::new(StatusCode::INTERNAL_SERVER_ERROR, "broken", message)
    })?;
    let (gateway, guest) = (Arc::clone(gateway), Arc::clone(guest));
    gateway.clone().tasks.spawn(async move {
        let idle = gateway.outside.idle;
        let ended = match upgrade.await {
            Ok(inside) => carry(TokioIo::new(inside), found, idle, &guest).await,
            Err(_) => Ended::default(),
        };
        drop(seat);
        tracing::info!(
            attempt = %tunnel.attempt, host = tunnel.host, port = tunnel.port, sent_bytes = ended.sent,
            received_bytes = ended.received, "connection ended"
        );
        let written = async {
            let mut tx = gateway.store.begin().await?;
            egress::end(&mut tx, &tunnel, ended, clock::now()).await?;
            tx.commit().await
        };
        if let Err(error) = written.await {
            tracing::error!(%error, "what a connection carried could not be written down");
        }
    });
    Ok(Response::new(whole(bytes::Bytes::new())))
}

/// Looks the name up once, judges every address, and connects with the first one that answers.
async fn reach(outside: &Outside, wanted: &Wanted) -> Result<TcpStream, No> {
    let unknown = || {
        let message = format!("`{}` has no address", wanted.host);
        No::new(StatusCode::BAD_GATEWAY, "no_address", message)
    };
    let found = match timeout(PATIENCE, (outside.resolve)(wanted.host.clone())).await {
        Ok(Ok(found)) if !found.is_empty() => found,
        _ => return Err(unknown()),
    };
    // One bad address among good ones is no accident: nothing of such an answer is used.
    let is_outside = |address: IpAddr| is_public(address) && !(outside.is_ours)(address);
    if !found.iter().copied().all(is_outside) {
        let message = format!(
            "`{}` leads to an address that is not on the public internet, or is this machine's own",
            wanted.host
        );
        return Err(No::new(StatusCode::FORBIDDEN, "not_public", message));
    }
    for address in found.into_iter().take(ADDRESSES) {
        if let Ok(Ok(stream)) = timeout(PATIENCE, dial(outside, address, wanted.port)).await {
            let _ = stream.set_nodelay(true);
            return Ok(stream);
        }
    }
    let message = format!("`{}` does not answer", wanted.host);
    Err(No::new(StatusCode::BAD_GATEWAY, "no_answer", message))
}

async fn dial(outside: &Outside, address: IpAddr, port: u16) -> std::io::Result<TcpStream> {
    (outside.dial)((address, port).into()).await
}

/// Carries bytes both ways until both sides are done, one breaks off, nothing was carried for too long, or the attempt
/// ends. Says how many.
async fn carry(
    inside: impl AsyncRead + AsyncWrite,
    outside: TcpStream,
    idle: Duration,
    guest: &Guest,
) -> Ended {
    let (mut from_inside, mut to_inside) = split(inside);
    let (mut from_outside, mut to_outside) = split(outside);
    let (moved, mut last) = watch::channel(Instant::now());
    let (mut sent, mut received) = (0, 0);
    {
        let both = async {
            tokio::try_join!(
                pump(&mut from_inside, &mut to_outside, &mut sent, &moved),
                pump(&mut from_outside, &mut to_inside, &mut received, &moved),
            )
        };
        let too_quiet = async {
            loop {
                let until = *last.borrow_and_update() + idle;
                tokio::select! {
                    () = sleep_until(until) => return,
                    _ = last.changed() => {}
                }
            }
        };
        tokio::select! {
            _ = both => {}
            () = too_quiet => {}
            () = guest.gone.cancelled() => {}
        }
    }
    Ended { sent, received }
}

async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    into: &mut (impl AsyncWrite + Unpin),
    count: &mut u64,
    moved: &watch::Sender<Instant>,
) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return into.shutdown().await;
        }
        // Counted before it goes: what was cut on the way may have arrived.
        *count += length as u64;
        let _ = moved.send(Instant::now());
        into.write_all(&piece[..length]).await?;
    }
}

fn gone() -> No {
    No::new(StatusCode::FORBIDDEN, "gone", "the attempt has ended")
}

fn new_tunnel(guest: &Guest, wanted: &Wanted) -> NewTunnel {
    let who = &guest.admission;
    NewTunnel {
        id: format!("conn-{}", hex::encode(rand::random::<[u8; 16]>())),
        attempt: who.attempt,
        run: who.run,
        loop_name: who.loop_name.clone(),
        host: wanted.host.clone(),
        port: wanted.port,
        at: clock::now(),
    }
}

async fn begin(gateway: &Inner, tunnel: &NewTunnel) -> Result<(), StoreError> {
    let mut tx = gateway.store.begin().await?;
    egress::begin(&mut tx, tunnel).await?;
    tx.commit().await
}

/// Writes down that something was refused, and why; never what it was, which is the attempt's to choose.
async fn refuse(gateway: &Inner, guest: &Guest, no: &No) {
    tracing::info!(attempt = %guest.admission.attempt, why = no.word, "connection refused");
    if guest.refusals.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= REFUSALS {
        return;
    }
    let who = &guest.admission;
    let written = async {
        let mut tx = gateway.store.begin().await?;
        egress::refused(
            &mut tx,
            who.attempt,
            who.run,
            &who.loop_name,
            no.word,
            clock::now(),
        )
        .await?;
        tx.commit().await
    };
    if let Err(error) = written.await {
        tracing::error!(%error, "a refused connection could not be written down");
    }
}

/// The attempt's token, as a proxy's password or as a bearer token.
fn credentials(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(PROXY_AUTHORIZATION)?.to_str().ok()?;
    if let Some(token) = value.strip_prefix("Bearer ") {
        return Some(token.to_owned());
    }
    let basic = value.strip_prefix("Basic ")?;
    let plain = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, basic.trim()).ok()?;
    let (_, token) = std::str::from_utf8(&plain).ok()?.split_once(':')?;
    Some(token.to_owned())
}

fn said(status: StatusCode, words: &str) -> Response<Body> {
    let mut response = Response::new(whole(format!("{words}\n").into()));
    *response.status_mut() = status;
    response
}
