//! A gateway between an attempt and a provider that takes whatever it is sent and says what came.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::Request, response::IntoResponse as _};
use loops::{
    budget::{Caps, Money},
    id::{AttemptId, RunId, TaskId},
};
use orchestrator::{
    config::Config,
    gateway::{Admission, Gateway, Outside, Patience, Role, Token},
    store::Store,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::Row;

/// The key that no attempt may see or use.
pub(super) const KEY: &str = "sk-crown-jewels";

/// What came to the provider: one text a request, with path, headers and body.
type Came = Arc<Mutex<Vec<String>>>;

/// A gateway and its provider.
pub(super) struct Door {
    pub(super) gateway: Gateway,
    pub(super) provider: String,
    came: Came,
    _folder: TempDir,
}

/// Answers in the form of each API. With `"end_user": "silent"`… in its body it says nothing of what it used.
async fn answer(State(came): State<Came>, request: Request<axum::body::Body>) -> axum::response::Response {
    let (head, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 32 << 20).await.unwrap_or_default();
    let headers: String = head
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap_or_default()))
        .collect();
    let body = String::from_utf8_lossy(&body).into_owned();
    came.lock()
        .unwrap()
        .push(format!("{} {}\n{headers}\n{body}", head.method, head.uri));
    if body.contains("say-nothing-of-usage") {
        return axum::Json(json!({"id": "m", "content": [{"type": "text", "text": "fine"}]})).into_response();
    }
    let granted = ["max_tokens", "max_output_tokens", "max_completion_tokens"]
        .iter()
        .find_map(|key| serde_json::from_str::<serde_json::Value>(&body).ok()?[key].as_u64())
        .unwrap_or(1_000_000);
    if body.contains("\"stream\":true") {
        let start = json!({"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": [], "usage": {"input_tokens": 70, "output_tokens": 1}}});
        let text = format!("event: message_start\ndata: {start}\n\n");
        let said = futures_util::stream::unfold(Some(text), async |text| match text {
            Some(text) => Some((Ok::<_, std::io::Error>(text), None)),
            // It never says what it used.
            None => std::future::pending().await,
        });
        return (
            [("content-type", "text/event-stream")],
            axum::body::Body::from_stream(said),
        )
            .into_response();
    }
    let echo = [(
        "x-echo",
        headers
            .lines()
            .find(|line| line.contains(KEY))
            .unwrap_or("none")
            .to_owned(),
    )];
    (echo, axum::Json(json!({"id": "m", "type": "message", "role": "assistant", "object": "response", "status": "completed", "output": [],
        "content": [{"type": "text", "text": "fine"}], "choices": [], "stop_reason": "end_turn",
        "usage": {"input_tokens": 10, "output_tokens": granted, "prompt_tokens": 10, "completion_tokens": granted}})))
    .into_response()
}

impl Door {
    pub(super) async fn open() -> Self {
        Self::open_to(Outside::system()).await
    }

    /// The same with another world outside.
    pub(super) async fn open_to(outside: Outside) -> Self {
        let came = Came::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = listener.local_addr().unwrap().to_string();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&came));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let folder = TempDir::new().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let price = "price: { input: 1, output: 10, cache_read: 0.1, cache_write: 1, as_of: 2026-11-21 }, max_output: 4096, max_concurrent: 100";
        let text = format!(
            "models:\n  patience: 1s\n  providers:\n    anthropic: {{ base_url: 'http://{provider}', key: '${{KEY}}' }}\n    openai: {{ base_url: \
             'http://{provider}/v1', key: '${{KEY}}' }}\n  known:\n    ours: {{ {price} }}\n    dear: {{ {price} }}\n    unpriced: {{ context: 1000 }}\n    \
             other: {{ provider: openai, {price} }}\n"
        );
        let env = |name: &str| (name == "KEY").then(|| KEY.to_owned());
        let config = Config::read(Path::new("loops.yaml"), &text, Some("/nowhere".into()), &env).unwrap();
        let patience = Patience {
            first: Duration::from_millis(1),
            longest: Duration::from_millis(5),
            total: Duration::from_secs(1),
        };
        let gateway = Gateway::start_with(&config.models, store, None, None, patience, outside)
            .await
            .unwrap();
        Self {
            gateway,
            provider,
            came,
            _folder: folder,
        }
    }

    pub(super) fn place(&self) -> String {
        self.gateway.address.trim_start_matches("http://").to_owned()
    }

    pub(super) fn admission(name: &str) -> Admission {
        Admission {
            repository: None,
            attempt: AttemptId::named(name),
            number: 1,
            task: Some(TaskId::named("task")),
            run: RunId::named("run"),
            loop_name: "feedback".to_owned(),
            role: Role::Work,
            caps: Caps::default(),
            zone: "UTC".to_owned(),
            network: Vec::new(),
            models: None,
            label: "fix".to_owned(),
        }
    }

    pub(super) fn admit(&self, name: &str) -> Token {
        self.gateway.admit(Self::admission(name))
    }

    /// Whether anything that holds these words came to the provider; what came is forgotten.
    pub(super) fn came(&self, words: &str) -> bool {
        let came = std::mem::take(&mut *self.came.lock().unwrap());
        came.iter().any(|request| request.contains(words))
    }

    /// What the run has spent.
    pub(super) async fn spent(&self) -> Money {
        self.gateway.spent(RunId::named("run")).await.unwrap().1
    }
}

/// A POST over a bare connection, with the path as it is written; the status and the rest of the answer.
pub(super) async fn post(place: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    send(place, "POST", path, headers, body).await
}

pub(super) async fn send(place: &str, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(place).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {place}\r\ncontent-type: application/json\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    // Who is refused early may not be read to the end.
    let _ = stream
        .write_all(&[head.as_bytes(), body.as_bytes()].concat())
        .await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (
        answer.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0),
        answer,
    )
}

/// The header by which an attempt says who it is.
pub(super) fn key(token: &str) -> String {
    format!("x-api-key: {token}\r\n")
}

/// An attack that is a story of its own at the door: it says whether it was stopped, and whether the harm was seen without
/// the one wall.
pub(super) struct Case {
    pub(super) tried: &'static str,
    pub(super) by: &'static str,
    pub(super) control: &'static str,
    pub(super) play: for<'a> fn(&'a Door) -> futures_util::future::BoxFuture<'a, (bool, bool)>,
}

impl Case {
    pub(super) fn row(&self) -> Row {
        Row {
            tried: self.tried.to_owned(),
            by: self.by.to_owned(),
            control: self.control.to_owned(),
        }
    }
}

/// Plays each at a door of its own.
pub(super) async fn play(cases: &[Case]) {
    for case in cases {
        let door = Door::open().await;
        let (stopped, harm) = (case.play)(&door).await;
        assert!(stopped, "NOT STOPPED: {}", case.tried);
        assert!(harm, "NO HARM IN THE CONTROL: {}", case.tried);
    }
}
