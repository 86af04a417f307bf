//! The gateway from outside: real HTTP on both sides.

mod apis;
mod caps;
mod cassettes;
mod conduct;
mod egress;
mod money;
mod provider;

use std::{path::Path, time::Duration};

use loops::{
    budget::{Caps, Money},
    id::{AttemptId, RunId, TaskId},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::provider::{Act, Came, Provider};
use super::{Admission, Cassette, Gateway, Outside, Patience, Role, Token};
use crate::{
    config::Config,
    store::{
        Store,
        calls::{Spend, spend_of_run},
    },
};

const KEY: &str = "sk-very-secret-key";

/// A gateway, its provider, and a place for its state.
struct World {
    gateway: Gateway,
    provider: Provider,
    store: Store,
    folder: TempDir,
    client: reqwest::Client,
}

impl World {
    async fn new(act: impl Fn(usize, &Came) -> Act + Send + Sync + 'static) -> Self {
        Self::build(act, None, false).await
    }

    async fn build(
        act: impl Fn(usize, &Came) -> Act + Send + Sync + 'static,
        playback: Option<Cassette>,
        record: bool,
    ) -> Self {
        Self::build_with(act, playback, record, Outside::system()).await
    }

    async fn build_with(
        act: impl Fn(usize, &Came) -> Act + Send + Sync + 'static,
        playback: Option<Cassette>,
        record: bool,
        outside: Outside,
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let provider = Provider::start(act).await;
        let store = Store::open(folder.path()).await.unwrap();
        let record = record.then(|| folder.path().join("tape.json"));
        let config = config(&provider.address);
        let patience = Patience {
            first: Duration::from_millis(1),
            longest: Duration::from_millis(5),
            total: Duration::from_secs(20),
        };
        let gateway = Gateway::start_with(&config.models, store.clone(), playback, record, patience, outside)
            .await
            .unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            gateway,
            provider,
            store,
            folder,
            client,
        }
    }

    fn admit(&self, name: &str, caps: Caps) -> Token {
        self.gateway.admit(admission(name, caps))
    }

    async fn post(&self, token: &str, body: &Value) -> reqwest::Response {
        self.post_to("/v1/messages", token, body).await
    }

    async fn post_to(&self, path: &str, token: &str, body: &Value) -> reqwest::Response {
        let request = self.client.post(format!("{}{path}", self.gateway.address));
        request
            .header("x-api-key", token)
            .body(body.to_string())
            .send()
            .await
            .unwrap()
    }

    /// The status and the error of an answer.
    async fn refused(&self, token: &str, body: &Value) -> (u16, String, String) {
        self.refused_at("/v1/messages", token, body).await
    }

    async fn refused_at(&self, path: &str, token: &str, body: &Value) -> (u16, String, String) {
        let response = self.post_to(path, token, body).await;
        let status = response.status().as_u16();
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        let error = |key: &str| body["error"][key].as_str().unwrap().to_owned();
        (status, error("type"), error("message"))
    }

    async fn spend(&self) -> Spend {
        spend_of_run(&self.store, RunId::named("run")).await.unwrap()
    }

    /// Waits until the spend is as wanted.
    async fn until(&self, wanted: impl Fn(&Spend) -> bool) -> Spend {
        let mut news = self.gateway.spending();
        loop {
            let spend = self.spend().await;
            if wanted(&spend) {
                return spend;
            }
            tokio::time::timeout(Duration::from_secs(10), news.changed())
                .await
                .unwrap()
                .unwrap();
        }
    }
}

fn config(base_url: &str) -> Config {
    let text = format!(
        "models:\n  providers:\n    anthropic: {{ base_url: '{base_url}', key: '${{KEY}}' }}\n    \
         openai: {{ base_url: '{base_url}/v1', key: '${{KEY}}' }}\n  known:\n    \
         plain:\n      max_output: 4096\n      max_concurrent: 2000\n      price: {{ input: 1, output: 10, cache_read: \
         0.1, cache_write: 1, as_of: 2026-11-21 }}\n    other:\n      provider: openai\n      max_output: 4096\n      effort: true\n      price: {{ input: 1, output: 10, \
         cache_read: 0.1, cache_write: 1, as_of: 2026-11-21 }}\n    unpriced: {{ context: 1000 }}\n  aliases: {{ standard: plain }}\n"
    );
    let env = |name: &str| (name == "KEY").then(|| KEY.to_owned());
    Config::read(Path::new("loops.yaml"), &text, Some("/nowhere".into()), &env).unwrap()
}

fn admission(name: &str, caps: Caps) -> Admission {
    Admission {
        attempt: AttemptId::named(name),
        number: 1,
        task: Some(TaskId::named("task")),
        run: RunId::named("run"),
        loop_name: "feedback".to_owned(),
        repository: None,
        role: Role::Work,
        caps,
        zone: "UTC".to_owned(),
        network: Vec::new(),
        models: None,
        label: "fix".to_owned(),
    }
}

fn capped(task: Money) -> Caps {
    Caps {
        task: Some(task),
        ..Caps::default()
    }
}

fn request(max_tokens: u64) -> Value {
    json!({"model": "standard", "max_tokens": max_tokens, "messages": [{"role": "user", "content": "mend the total"}]})
}

fn stream(max_tokens: u64) -> Value {
    let mut body = request(max_tokens);
    body["stream"] = json!(true);
    body
}
