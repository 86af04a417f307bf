//! The HTTP side: who is asking, for what, and is it small enough to be read at all.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, HeaderMap},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::timeout,
};

use super::{
    Inner,
    api::Api,
    call::{self, Call},
    egress,
    reply::{Body, Refusal},
    token::Mark,
};

/// The largest request that is read: a full context window and some images.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// The most values (texts, numbers, lists, objects) of a request: a conversation of a full window has some ten thousand.
/// Each takes up to a hundred bytes in memory, also where it took two as text.
const MAX_VALUES: usize = 400_000;

/// How many bytes of requests are read at the same time, over all guests.
pub(super) const READING: usize = 4 * MAX_BODY;

/// What is said of every other endpoint.
const OFFERED: &str = "the gateway offers `POST /v1/messages`, `POST /v1/responses` and `POST /v1/chat/completions`, and \
                       nothing else: what a provider stores, fetches or does later (files, batches, stored answers) is out of \
                       the budget's sight";

/// How long a client may take to send its request's head, and the rest.
const HEAD: Duration = Duration::from_secs(30);
const BODY: Duration = Duration::from_secs(60);

/// How a connection came in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entrance {
    /// From the trusted process that we are part of, or one beside it.
    Direct,
    /// From the relay of a sandbox.
    Relays,
}

/// Serves until the gateway stops; connections that are open then may end what they are at.
pub(super) async fn serve(gateway: Arc<Inner>, listener: TcpListener, entrance: Entrance) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = gateway.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                // Events are small and must not wait for more to come.
                let _ = stream.set_nodelay(true);
                gateway.tasks.spawn(enter(Arc::clone(&gateway), stream, entrance));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Out of file handles, most likely: accepting again at once would spin.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn enter(gateway: Arc<Inner>, mut stream: TcpStream, entrance: Entrance) {
    let relay = match entrance {
        Entrance::Direct => None,
        Entrance::Relays => {
            let said = tokio::select! {
                said = timeout(HEAD, whose(&mut stream)) => said,
                () = gateway.stop.cancelled() => return,
            };
            match said {
                Ok(Some(mark)) => Some(mark),
                // Not a relay of ours: there is nothing to answer.
                _ => return,
            }
        }
    };
    connection(gateway, stream, relay).await;
}

/// The line that a relay says before anything from inside its sandbox: a token's hash in hex.
async fn whose(stream: &mut TcpStream) -> Option<Mark> {
    let mut line = [0; 65];
    stream.read_exact(&mut line).await.ok()?;
    let mut mark = Mark::default();
    hex::decode_to_slice(line.strip_suffix(b"\n")?, &mut mark).ok()?;
    Some(mark)
}

async fn connection(gateway: Arc<Inner>, stream: TcpStream, relay: Option<Mark>) {
    let service = service_fn(|request| {
        let gateway = Arc::clone(&gateway);
        async move { Ok::<_, Infallible>(answer(gateway, request, relay).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let connection = http
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = gateway.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}

async fn answer(gateway: Arc<Inner>, request: Request<Incoming>, relay: Option<Mark>) -> Response<Body> {
    if request.method() == Method::CONNECT {
        return egress::open(gateway, request, relay).await;
    }
    let anthropic = request.headers().contains_key("anthropic-version");
    let api = Api::nearest(request.uri().path(), anthropic);
    match admit(gateway, request, relay).await {
        Ok(response) => response,
        Err(refusal) => {
            tracing::info!(
                status = refusal.status.as_u16(),
                kind = refusal.kind,
                "model call refused"
            );
            refusal.into_response(api)
        }
    }
}

async fn admit(
    gateway: Arc<Inner>,
    request: Request<Incoming>,
    relay: Option<Mark>,
) -> Result<Response<Body>, Refusal> {
    let api = Api::at(request.uri().path()).filter(|_| request.method() == Method::POST);
    let Some(api) = api else {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "not_found_error", OFFERED));
    };
    let guest = token(request.headers())
        .and_then(|token| gateway.door.find(token, relay))
        .ok_or_else(|| {
            let message = "this token is not admitted: it is wrong, or its attempt has ended";
            Refusal::new(StatusCode::UNAUTHORIZED, "authentication_error", message)
        })?;
    // Tokens that only open ways to hosts: nothing of what they say is read.
    if guest.admission.models.as_ref().is_some_and(Vec::is_empty) {
        let message = "this token opens ways to hosts; it may ask no model";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "permission_error", message));
    }
    let seat = Arc::clone(&guest.seats).try_acquire_owned().map_err(|_| {
        let message = "this attempt has too many calls under way; wait for one of them";
        let retry_after = Some(Duration::from_secs(1));
        Refusal {
            retry_after,
            ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", message)
        }
    })?;
    let bytes = body(request.into_body()).await?;
    if values(&bytes) > MAX_VALUES {
        return Err(Refusal::invalid(format!(
            "a request may have {MAX_VALUES} values at most; send fewer and larger ones"
        )));
    }
    // Held while it is read: what guests send at once must fit the memory together.
    let weight = u32::try_from(bytes.len()).unwrap_or(u32::MAX).max(1);
    let room = gateway.reading.acquire_many(weight).await;
    let asked = api.read(&bytes)?;
    drop(bytes);
    let call = Call::prepare(Arc::clone(&gateway), guest, api, asked)?;
    drop(room);
    // A task of its own: when the client goes away, what was reserved must still be settled.
    let (sender, answer) = oneshot::channel();
    gateway.tasks.spawn(async move {
        call::make(call, sender).await;
        drop(seat);
    });
    answer
        .await
        .map_err(|_| Refusal::broken("the call ended without an answer"))
}

/// `x-api-key`, or a bearer token, as the API's clients send it.
fn token(headers: &HeaderMap) -> Option<&str> {
    match headers.get("x-api-key") {
        Some(value) => value.to_str().ok(),
        None => headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer "),
    }
}

/// How many values a JSON text has at most, without reading it: each but the first stands after a comma, a colon or a
/// bracket that is not in a string.
fn values(json: &[u8]) -> usize {
    let (mut count, mut in_text, mut escaped) = (1_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b':' | b'[' | b'{' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}

async fn body(incoming: Incoming) -> Result<bytes::Bytes, Refusal> {
    match timeout(BODY, Limited::new(incoming, MAX_BODY).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = format!("a request may have {MAX_BODY} bytes at most");
            Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "request_too_large",
                message,
            ))
        }
        Ok(Err(_)) => Err(Refusal::invalid("the request was cut")),
        Err(_) => Err(Refusal::invalid("the request took too long to arrive")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_as_they_would_be_read_and_texts_hide_nothing() {
        assert_eq!(values(b"7"), 1);
        assert!(values(br#"{"a": [1, 2, {"b": "x"}]}"#) >= 6);
        assert_eq!(values(br#""a, b: [c] \" , {""#), 1);
        let bomb = format!("[{}0]", "0,".repeat(MAX_VALUES));
        assert!(values(bomb.as_bytes()) > MAX_VALUES);
    }
}
