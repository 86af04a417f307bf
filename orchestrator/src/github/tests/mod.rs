//! Requests against a small server of this test, which answers what it was told to.

mod app;
mod path;
mod sources;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use loops::time::Timestamp;
use reqwest::Url;
use serde_json::Value;

use super::{Hub, Repository, call::Wire, login::Login};
use crate::config::{GitHub, Secret, github as config};

const TOKEN: &str = "ghp_hushhushhush";

/// One answer, as it is told.
#[derive(Clone)]
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    /// Never answers.
    silent: bool,
}

fn reply(status: u16, body: impl ToString) -> Reply {
    Reply {
        status,
        headers: vec![],
        body: body.to_string(),
        silent: false,
    }
}

impl Reply {
    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// What came in.
#[derive(Clone, Debug)]
struct Seen {
    path: String,
    headers: HashMap<String, String>,
    body: String,
}

/// By `METHOD /path`: the answers in turn; the last one stays.
#[derive(Clone, Default)]
struct Stub(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    replies: HashMap<String, VecDeque<Reply>>,
    seen: Vec<Seen>,
}

impl Stub {
    async fn start() -> (Self, Url) {
        let stub = Self::default();
        let router = Router::new().fallback(answer).with_state(stub.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (stub, Url::parse(&url).unwrap())
    }

    fn on(&self, what: &str, replies: impl IntoIterator<Item = Reply>) -> &Self {
        self.0
            .lock()
            .unwrap()
            .replies
            .insert(what.to_owned(), replies.into_iter().collect());
        self
    }

    fn seen(&self, what: &str) -> Vec<Seen> {
        let all = self.0.lock().unwrap().seen.clone();
        all.into_iter()
            .filter(|seen| seen.path.split('?').next() == Some(what))
            .collect()
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().seen.len()
    }
}

async fn answer(State(stub): State<Stub>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let what = format!("{} {}", parts.method, parts.uri.path());
    let reply = {
        let mut inner = stub.0.lock().unwrap();
        inner.seen.push(Seen {
            path: format!("{} {}", parts.method, parts.uri),
            headers: parts
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect(),
            body: String::from_utf8_lossy(&body).into_owned(),
        });
        match inner.replies.get_mut(&what) {
            Some(list) if list.len() > 1 => list.pop_front().unwrap(),
            Some(list) => list.front().unwrap().clone(),
            None => reply(404, r#"{"message":"Not Found"}"#),
        }
    };
    if reply.silent {
        std::future::pending::<()>().await;
    }
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}

fn hub(api: &Url, login: Login) -> Hub {
    let settings = GitHub {
        webhook: None,
        api: api.clone(),
        login: config::Login::None,
        repositories: vec![],
        limits: loops::spec::Allowance::default(),
        look_every: Duration::from_secs(60),
        write_gap: Duration::ZERO,
        patience: Duration::from_secs(20),
    };
    let mut wire = Wire::new(&settings, login).unwrap();
    wire.first_wait = Duration::from_millis(1);
    wire.timeout = Duration::from_millis(1_500);
    Hub::with(wire)
}

/// A server and `acme/shop` on it.
async fn shop() -> (Stub, Repository) {
    let (stub, api) = Stub::start().await;
    let hub = hub(&api, Login::Token(Secret::new(TOKEN.to_owned())));
    (stub, hub.repository("acme", "shop").unwrap())
}

fn issue(number: u64, updated: &str) -> Value {
    serde_json::json!({
        "id": 1_000 + number, "number": number, "title": format!("Title {number}"), "body": "Body",
        "state": "open", "user": { "login": "ann", "type": "User" }, "labels": [{ "name": "bug" }],
        "reactions": { "total_count": 2, "+1": 2, "-1": 0, "url": "u" },
        "created_at": "2026-11-01T00:00:00Z", "updated_at": updated,
        "html_url": format!("https://h/acme/shop/issues/{number}"),
    })
}

fn comment(id: u64, number: u64, body: &str) -> Value {
    serde_json::json!({
        "id": id, "body": body, "user": { "login": "ben", "type": "User" },
        "created_at": "2026-11-01T00:00:00Z", "updated_at": "2026-11-01T00:00:00Z",
        "issue_url": format!("https://h/repos/acme/shop/issues/{number}"),
        "html_url": format!("https://h/acme/shop/issues/{number}#issuecomment-{id}"),
    })
}

fn soon(seconds: i64) -> String {
    Timestamp(crate::clock::now().0 + seconds * 1_000).to_string()
}
