//! The HTTP face of the scripted model.
//!
//! Plain hyper: a handler of it can end a connection without an answer, as a broken network does.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use loops::budget::Usage;
use serde_json::Value;
use tokio::{net::TcpListener, task::AbortHandle};

use workers::agent::OVER_BUDGET;

use super::{
    Inner, Recorded, State,
    cache::tokens,
    openai::{self, Asked, Face},
    script::{Fault, Turn},
    validate::validate,
    wire,
};

type Body = BoxBody<Bytes, io::Error>;

pub(super) async fn start(state: Arc<State>) -> (String, AbortHandle) {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a loopback port is free");
    let address = listener.local_addr().expect("a bound socket has an address");
    let task = tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let state = Arc::clone(&state);
            tokio::spawn(async move {
                let service = service_fn(move |request| answer(Arc::clone(&state), request));
                // A connection that we cut, or that the other side closed, ends with an error that nobody needs.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(connection), service)
                    .await;
            });
        }
    });
    (format!("http://{address}"), task.abort_handle())
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let path = request.uri().path().to_owned();
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let bearer = header("authorization").and_then(|value| Some(value.strip_prefix("Bearer ")?.to_owned()));
    let (key, version) = (header("x-api-key"), header("anthropic-version"));
    let body = request
        .into_body()
        .collect()
        .await
        .map_err(io::Error::other)?
        .to_bytes();
    let Some(face) = Face::at(&path) else {
        let words = format!("no such path `{path}`");
        return Ok(failure(Face::Messages, 404, "not_found_error", &words));
    };
    let key = if face == Face::Messages { key } else { bearer };
    let Some(key) = key else {
        return Ok(failure(
            face,
            401,
            "authentication_error",
            "a key is required, in the API's own header",
        ));
    };
    if face == Face::Messages && version.as_deref() != Some("2023-06-01") {
        return Ok(failure(
            face,
            400,
            "invalid_request_error",
            "anthropic-version: header is required",
        ));
    }
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return Ok(failure(
            face,
            400,
            "invalid_request_error",
            "the request body is not valid JSON",
        ));
    };
    let play = state.lock().play(face, key, body);
    state.came.send_modify(|count| *count += 1);
    let mut held = state.held.subscribe();
    // Who dropped the model needs no answer any more.
    let _ = held.wait_for(|held| !held.contains(&play.session)).await;
    play.response()
}

/// What is answered to one request.
struct Play {
    face: Face,
    body: Value,
    session: String,
    turn: usize,
    usage: Usage,
    fault: Option<Fault>,
    /// The written turn, or why there is none.
    answer: Result<Turn, String>,
}

impl Inner {
    fn play(&mut self, face: Face, key: String, body: Value) -> Play {
        let asked = match face {
            Face::Messages => validate(&body).map(|()| asked(&body)),
            Face::Responses => openai::responses_asked(&body),
            Face::Chat => openai::chat_asked(&body),
        };
        let valid = asked.as_ref().map(drop).map_err(Clone::clone);
        let Asked { system, first, turn } = asked.unwrap_or_else(|_| asked_badly(face, &body));
        let script = self
            .sessions
            .iter()
            .find(|script| script.plays_for(&system, &first));
        let session = script.map(|script| script.words().to_owned());

        let met = self.faults_met.entry((first, turn)).or_default();
        let fault = script.and_then(|script| script.fault_at(turn, *met));
        *met += usize::from(fault.is_some());
        let fault = self.outage.clone().or(fault);

        let answer = valid.and_then(|()| {
            let script =
                script.ok_or_else(|| "no session of the script fits this conversation".to_owned())?;
            let words = || format!("the session `{}` has no turn {turn}", script.words());
            script.answer(turn, &body).ok_or_else(words)
        });
        let status = status(fault.as_ref(), answer.is_ok());
        let mut usage = Usage::default();
        if let (200, Ok(answer)) = (status, &answer) {
            usage = match face {
                Face::Messages => self.cache.count(&body),
                Face::Responses | Face::Chat => Usage {
                    input_tokens: tokens(body.to_string().len()),
                    ..Usage::default()
                },
            };
            usage.output_tokens = wire::output_tokens(answer);
        }
        if let Err(why) = &answer {
            self.complaints.push(why.clone());
        }
        let recorded = Recorded {
            session: session.clone(),
            turn,
            key,
            body: body.clone(),
            status,
            fault: fault.clone(),
            usage,
        };
        self.requests.push(recorded);
        Play {
            face,
            body,
            session: session.unwrap_or_default(),
            turn,
            usage,
            fault,
            answer,
        }
    }
}

/// What a request of the Messages API says.
fn asked(body: &Value) -> Asked {
    let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours = messages.iter().filter(|message| message["role"] == "assistant");
    let first = messages.first();
    Asked {
        turn: ours.count(),
        system: wire::texts(&body["system"]).join("\n"),
        first: first
            .map(|message| wire::texts(&message["content"]).join("\n"))
            .unwrap_or_default(),
    }
}

/// What can be said of a request that is refused.
fn asked_badly(face: Face, body: &Value) -> Asked {
    match face {
        Face::Messages => asked(body),
        Face::Responses | Face::Chat => Asked::default(),
    }
}

/// The status of an answer; 0: there is none at all.
fn status(fault: Option<&Fault>, written: bool) -> u16 {
    match fault {
        _ if !written => 400,
        Some(Fault::RateLimited(_)) => 429,
        Some(Fault::Overloaded) => 529,
        Some(Fault::ServerError) => 500,
        Some(Fault::OutOfBudget) => 400,
        Some(Fault::WrongKey) => 401,
        Some(Fault::CutBeforeFirstByte) => 0,
        _ => 200,
    }
}

impl Play {
    fn response(self) -> io::Result<Response<Body>> {
        let turn = match self.answer {
            Err(why) => return Ok(failure(self.face, 400, "invalid_request_error", &why)),
            Ok(turn) => turn,
        };
        let id = |at| wire::call_id(&self.session, self.turn, at);
        let model = &self.body["model"];
        match &self.fault {
            Some(Fault::CutBeforeFirstByte) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some(Fault::RateLimited(after)) => {
                let mut response = failure(
                    self.face,
                    429,
                    "rate_limit_error",
                    "This request would exceed the rate limit.",
                );
                response.headers_mut().insert("retry-after", (*after).into());
                return Ok(response);
            }
            Some(Fault::Overloaded) => return Ok(failure(self.face, 529, "overloaded_error", "Overloaded")),
            Some(Fault::ServerError) => {
                return Ok(failure(self.face, 500, "api_error", "Internal server error"));
            }
            Some(Fault::WrongKey) => {
                return Ok(failure(self.face, 401, "authentication_error", "invalid key"));
            }
            Some(Fault::OutOfBudget) => {
                return Ok(failure(self.face, 400, OVER_BUDGET, "the task's budget is spent"));
            }
            _ => {}
        }
        if self.body["stream"] != true {
            let message = match self.face {
                Face::Messages => wire::message(model, &turn, id, &self.usage),
                Face::Responses => openai::responses_answer(&self.body, &turn, id, &self.usage),
                Face::Chat => openai::chat_answer(&self.body, &turn, id, &self.usage),
            };
            return Ok(whole(200, &message));
        }
        let events = match self.face {
            Face::Messages => wire::events(model, &turn, id, &self.usage),
            Face::Responses => openai::responses_events(&self.body, &turn, id, &self.usage),
            Face::Chat => openai::chat_events(&self.body, &turn, id, &self.usage),
        };
        Ok(streamed(events, self.fault))
    }
}

fn streamed(mut events: Vec<String>, fault: Option<Fault>) -> Response<Body> {
    // The second half of the last block stands before its stop, the end of the message and the end of the stream.
    let middle = events.len().saturating_sub(4).max(1);
    let mut cut = false;
    let mut pause = Duration::ZERO;
    match fault {
        Some(Fault::CutInStream) => {
            events.truncate(middle);
            cut = true;
        }
        Some(Fault::ErrorInStream(kind)) => {
            events.truncate(middle);
            events.push(wire::event(&wire::error(kind, "broken off")));
        }
        Some(Fault::Malformed) => {
            events[middle - 1] = "event: content_block_delta\ndata: {\"type\": oops\n\n".into()
        }
        Some(Fault::Slow(length)) => pause = length,
        _ => {}
    }
    // What was said so far goes out before the connection breaks: hyper flushes when it has to wait.
    let end = stream::iter(cut.then_some(())).then(|()| async {
        tokio::task::yield_now().await;
        Err(io::ErrorKind::ConnectionReset.into())
    });
    let frames = stream::iter(
        events
            .into_iter()
            .map(|event| Ok(Frame::data(Bytes::from(event)))),
    )
    .chain(end);
    let frames: std::pin::Pin<Box<dyn Stream<Item = _> + Send + Sync>> = if pause.is_zero() {
        Box::pin(frames)
    } else {
        Box::pin(frames.then(move |frame| async move {
            tokio::time::sleep(pause).await;
            frame
        }))
    };
    let mut response = Response::new(BodyExt::boxed(StreamBody::new(frames)));
    response.headers_mut().insert(
        "content-type",
        hyper::header::HeaderValue::from_static("text/event-stream"),
    );
    response
}

fn failure(face: Face, status: u16, kind: &str, words: &str) -> Response<Body> {
    let error = match face {
        Face::Messages => wire::error(kind, words),
        Face::Responses | Face::Chat => openai::error(kind, words),
    };
    whole(status, &error)
}

fn whole(status: u16, body: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(body.to_string())).map_err(|never: Infallible| match never {});
    let mut response = Response::new(BodyExt::boxed(body));
    *response.status_mut() =
        hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(
        "content-type",
        hyper::header::HeaderValue::from_static("application/json"),
    );
    response
}
