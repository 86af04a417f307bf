//! The fake GitHub itself: that it refuses what GitHub refuses, and that its closing check sees what it should.

mod api;
mod apps;
mod bad_days;
mod git;
mod pulls;
mod shapes;
mod webhooks;

use std::{sync::Once, time::Duration};

use harness::github::{GitHub, Role};
use serde_json::{Value, json};

/// A shop with one developer, and her token.
struct Shop {
    hub: GitHub,
    token: String,
    client: reqwest::Client,
}

/// What was answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

fn client() -> reqwest::Client {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Another test of this program may have done so.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .user_agent("a test")
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

impl Shop {
    async fn open() -> Self {
        let hub = GitHub::start().await;
        hub.world().add_repository("acme/shop");
        hub.world().grant("acme/shop", "ann", Role::Write);
        let token = hub.world().classic_token("ann", &["repo"]);
        Self {
            hub,
            token,
            client: client(),
        }
    }

    fn request(&self, method: &str, path: &str, token: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, format!("{}{path}", self.hub.url()));
        request.header("authorization", format!("Bearer {token}"))
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        self.ask_as(&self.token, method, path, body).await
    }

    async fn ask_as(&self, token: &str, method: &str, path: &str, body: Value) -> Answer {
        let mut request = self.request(method, path, token);
        if !body.is_null() {
            request = request.json(&body);
        }
        answer(request).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, Value::Null).await
    }

    /// A branch with one commit, ready to be offered.
    fn branch(&self, name: &str) -> String {
        let files = [("fix.txt", Some("fixed\n"))];
        self.hub
            .world()
            .commit("acme/shop", name, "ann", &files, "Fix it")
    }

    async fn offer(&self, branch: &str) -> Answer {
        let body = json!({ "title": "A fix", "head": branch, "base": "main", "draft": true });
        self.ask("POST", "/repos/acme/shop/pulls", body).await
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await.unwrap();
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    Answer {
        status,
        headers,
        body,
    }
}
