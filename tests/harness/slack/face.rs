//! The HTTP face: one request from its first byte to its answer, or to the lack of one.

use std::{collections::BTreeMap, io, sync::Arc};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{Request as HttpRequest, Response},
};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use super::{Request, Shared, faults::Fault};

/// More than any request of an API.
const LARGEST: usize = 16 << 20;

type Answered = io::Result<Response<Body>>;

/// Serves connections with plain hyper: its handler can end a connection without an answer, as a broken network does.
pub(super) async fn serve(state: Arc<Shared>, listener: std::net::TcpListener) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener that does not block");
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
}

/// What a request asks, from its query and its body.
fn params(query: &str, kind: &str, body: &Bytes) -> Value {
    let pairs = |text: &str| -> BTreeMap<String, String> {
        let url = format!("http://x/?{text}").parse::<axum::http::Uri>();
        let parsed = url
            .ok()
            .and_then(|uri| axum::extract::Query::try_from_uri(&uri).ok());
        parsed
            .map(|axum::extract::Query(pairs)| pairs)
            .unwrap_or_default()
    };
    let mut all = json!(pairs(query));
    let more = if kind.starts_with("application/json") {
        serde_json::from_slice(body).unwrap_or_default()
    } else {
        json!(pairs(&String::from_utf8_lossy(body)))
    };
    if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
        all.extend(more);
    }
    all
}

async fn answer(shared: Arc<Shared>, request: HttpRequest<Incoming>) -> Answered {
    let (parts, body) = request.into_parts();
    let body = to_bytes(Body::new(body), LARGEST)
        .await
        .map_err(io::Error::other)?;
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let method = parts.uri.path().trim_start_matches("/api/").to_owned();
    let asked = params(
        parts.uri.query().unwrap_or_default(),
        header("content-type"),
        &body,
    );
    let token = header("authorization").strip_prefix("Bearer ");
    let end = {
        let mut world = shared.lock();
        if parts.uri.to_string().contains("xox") || parts.uri.to_string().contains("xapp-") {
            world
                .complaints
                .push(format!("an address held a token: {method}"));
        }
        let fault = world.meet_fault(&method);
        let at = world.clock();
        let mut note = |answer: &str| {
            world.requests.push(Request {
                method: method.clone(),
                params: asked.clone(),
                answer: answer.to_owned(),
                at,
            });
        };
        match fault.filter(|fault| !fault.lets_it_happen()) {
            Some(Fault::Cut) => {
                note("");
                return Err(io::Error::other("the connection is cut"));
            }
            Some(Fault::TimeOut) => {
                note("");
                None
            }
            Some(Fault::Limited(after)) => {
                note("ratelimited");
                let headers = after.map(|after| ("retry-after", after.to_string()));
                let body = json!({ "ok": false, "error": "ratelimited" }).to_string();
                Some(built(
                    429,
                    headers.into_iter().collect(),
                    body,
                    "application/json",
                ))
            }
            Some(Fault::Status(status)) => {
                note(&status.to_string());
                Some(built(
                    status,
                    Vec::new(),
                    "<html>Oops</html>".to_owned(),
                    "text/html",
                ))
            }
            Some(Fault::Error(word)) => {
                note(word);
                let body = json!({ "ok": false, "error": word }).to_string();
                Some(built(200, Vec::new(), body, "application/json"))
            }
            _ => {
                let reply = world.carry_out(&method, token, &asked);
                let word = reply.body["error"].as_str().unwrap_or("ok").to_owned();
                world.requests.push(Request {
                    method: method.clone(),
                    params: asked.clone(),
                    answer: word,
                    at,
                });
                let mut text = reply.body.to_string();
                match fault {
                    Some(Fault::CutAfter) => {
                        drop(world);
                        shared.wake.notify_one();
                        return Err(io::Error::other("the connection is cut"));
                    }
                    Some(Fault::Torn) => text.truncate(text.len() / 2),
                    _ => {}
                }
                let answer = built(
                    reply.status,
                    reply.headers,
                    text,
                    "application/json; charset=utf-8",
                );
                (fault != Some(Fault::TimeOutAfter)).then_some(answer)
            }
        }
    };
    shared.lock().run_edits(&method);
    shared.wake.notify_one();
    match end {
        Some(response) => Ok(response),
        // The other side gives up in its own time.
        None => std::future::pending().await,
    }
}

fn built(status: u16, headers: Vec<(&'static str, String)>, body: String, kind: &str) -> Response<Body> {
    let mut response = Response::builder().status(status).header("content-type", kind);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response
        .body(Body::from(body))
        .expect("a status and headers of our own")
}
