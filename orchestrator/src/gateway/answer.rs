//! The provider's answer on its way to the attempt: read in passing, passed on byte for byte.

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{
    Response, StatusCode,
    body::Frame,
    header::{HeaderName, HeaderValue},
};
use tokio::sync::mpsc;

use super::{
    api::Api,
    bill::{Bill, Held},
    bound::Measured,
    call::{Call, Sender},
    meter::{self, Failure, Meter, Seen},
    record,
    reply::{Body, whole},
    upstream::{Refused, Upstream},
};

/// How much of a stream is held back while it has not properly begun.
const MAX_HEAD: usize = 1024 * 1024;

/// The longest answer that is taken whole, or recorded.
const MAX_WHOLE: usize = 64 * 1024 * 1024;

/// Headers of the provider that go on to the attempt.
const PASSED: [&str; 3] = ["content-type", "request-id", "x-request-id"];

/// Pieces that may wait for a slow reader.
const WAITING: usize = 32;

/// How an answer begins.
pub(super) enum Opening {
    /// It goes on to the attempt.
    Ready(Box<Ready>),
    /// The provider says no after all, before it began.
    Refused(Refused),
    /// It broke off, and nothing went on yet.
    Cut(String),
}

/// An answer that goes on.
pub(super) struct Ready {
    response: Response<()>,
    head: Bytes,
    meter: Meter,
    /// None: it was asked for whole, and the head is all of it.
    rest: Option<reqwest::Response>,
}

/// Waits until an answer has properly begun (a stream), or is there (a whole one).
pub(super) async fn open(
    provider: &Upstream,
    api: Api,
    stream: bool,
    mut upstream: reqwest::Response,
) -> Opening {
    let mut response = Response::new(());
    for name in PASSED {
        if let Some(value) = upstream.headers().get(name)
            && let Ok(value) = HeaderValue::from_bytes(value.as_bytes())
        {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    let limit = if stream { MAX_HEAD } else { MAX_WHOLE };
    let (mut head, mut meter) = (BytesMut::new(), Meter::new(api));
    loop {
        let piece = match provider.piece(&mut upstream, stream).await {
            Ok(Some(piece)) => piece,
            Ok(None) if stream => return Opening::Cut("the answer ended before it began".to_owned()),
            Ok(None) => {
                return Opening::Ready(Box::new(Ready {
                    response,
                    head: head.freeze(),
                    meter,
                    rest: None,
                }));
            }
            Err(why) => return Opening::Cut(why),
        };
        head.extend_from_slice(&piece);
        if stream {
            meter.feed(&piece);
            if let Some(failure) = meter.refused() {
                return Opening::Refused(refused(api, failure));
            }
        }
        if stream && (meter.begun() || head.len() > limit) {
            return Opening::Ready(Box::new(Ready {
                response,
                head: head.freeze(),
                meter,
                rest: Some(upstream),
            }));
        }
        if head.len() > limit {
            return Opening::Cut(format!("the answer is longer than {limit} bytes"));
        }
    }
}

/// An error that came as the first event of a stream, as the answer that it would have been.
fn refused(api: Api, failure: &Failure) -> Refused {
    Refused {
        status: StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        body: api
            .error(&failure.kind, "the provider refused the call")
            .to_string()
            .into(),
        json: true,
        retry_after: None,
    }
}

impl Ready {
    /// Passes the answer on and settles the call. What it cost is written down before its last piece goes on, so that
    /// whoever has the whole answer finds it in the sums.
    pub(super) async fn deliver(self, call: &Call, measured: &Measured, held: Held, sender: Sender) -> Bill {
        let max_tokens = held.grant.max_tokens;
        let Self {
            response,
            head,
            mut meter,
            rest,
        } = self;
        let Some(mut rest) = rest else {
            let seen = meter::whole(call.api, &head);
            learn(call, measured, seen);
            record(call, &head, seen);
            let bill = held.settle(call, seen).await;
            let _ = sender.send(response.map(|()| whole(head)));
            return bill;
        };
        let (pieces, body) = channel();
        let mut tape = call.gateway.recorder.is_some().then(|| head.to_vec());
        let mut open = sender.send(response.map(|()| body)).is_ok();
        let mut piece = head;
        let mut purse = Purse::Open(held);
        loop {
            if meter.stopped()
                && let Purse::Open(held) = purse
            {
                let seen = meter.seen(max_tokens);
                learn(call, measured, seen);
                record(call, tape.as_deref().unwrap_or_default(), seen);
                purse = Purse::Settled(held.settle(call, seen).await);
            }
            open = open && pieces.send(Ok(Frame::data(piece))).await.is_ok();
            if !open {
                break;
            }
            let next = tokio::select! {
                next = call.upstream().piece(&mut rest, true) => next,
                () = call.guest.gone.cancelled() => break,
                () = pieces.closed() => break,
            };
            piece = match next {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(why) => {
                    tracing::info!(why, "the provider cut an answer");
                    break;
                }
            };
            meter.feed(&piece);
            if let Some(tape) = tape.as_mut().filter(|tape| tape.len() < MAX_WHOLE) {
                tape.extend_from_slice(&piece);
            }
        }
        let held = match purse {
            Purse::Settled(bill) => return bill,
            Purse::Open(held) => held,
        };
        let seen = meter.seen(max_tokens);
        learn(call, measured, seen);
        let bill = held.settle(call, seen).await;
        // The attempt must not take a cut answer for a whole one.
        let cut = std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "the answer was cut");
        let _ = pieces.send(Err(cut)).await;
        bill
    }
}

/// Whether the answer is paid for yet.
enum Purse {
    Open(Held),
    Settled(Bill),
}

type Piece = Result<Frame<Bytes>, std::io::Error>;

fn channel() -> (mpsc::Sender<Piece>, Body) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let pieces = stream::unfold(receiver, |mut receiver| async {
        Some((receiver.recv().await?, receiver))
    });
    (sender, StreamBody::new(pieces).boxed_unsync())
}

/// The next call of this conversation is bounded by what this one had.
fn learn(call: &Call, measured: &Measured, seen: Seen) {
    if let Seen::All(usage) | Seen::Part(usage) = seen {
        let known = measured.learned(usage.all_input());
        *call
            .guest
            .known
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(known);
    }
}

fn record(call: &Call, answer: &[u8], seen: Seen) {
    let (Some(recorder), Seen::All(usage), Api::Messages) = (&call.gateway.recorder, seen, call.api) else {
        return;
    };
    let turn = if call.stream {
        record::assemble(answer).map(|(turn, _)| turn)
    } else {
        serde_json::from_slice(answer)
            .ok()
            .and_then(|message| record::turn_of(&message, usage))
    };
    let Some(turn) = turn else { return };
    if let Err(error) = recorder.keep(&call.guest.admission, &call.body, turn) {
        tracing::warn!(%error, "an answer could not be recorded");
    }
}
