//! The gateway with what really stands on its two sides: the providers' own clients before it, a Postgres behind it.

mod clients;
mod shared;
mod ways_out;

use std::path::Path;

use harness::model::Model;
use loops::{
    budget::Caps,
    id::{AttemptId, RunId, TaskId},
};
use orchestrator::{
    config::Config,
    gateway::{Admission, Gateway, Role, Token},
    store::Store,
};

const KEY: &str = "sk-very-secret-key";

/// A gateway in front of the scripted model, which provides one model by each kind of API.
async fn gateway(model: &Model, store: Store) -> Gateway {
    let address = model.address();
    let price = "price: { input: 1, output: 10, cache_read: 0.1, cache_write: 1, as_of: 2026-11-21 }, max_output: 4096";
    let text = format!(
        "models:\n  patience: 2s\n  providers:\n    anthropic: {{ base_url: '{address}', key: '${{KEY}}' }}\n    openai: {{ base_url: \
         '{address}/v1', key: '${{KEY}}' }}\n  known:\n    ours: {{ {price}, max_concurrent: 500 }}\n    other: {{ provider: openai, {price} }}\n"
    );
    let env = |name: &str| (name == "KEY").then(|| KEY.to_owned());
    let config = Config::read(Path::new("loops.yaml"), &text, Some("/nowhere".into()), &env).unwrap();
    Gateway::start(&config.models, store, None, None).await.unwrap()
}

fn admit(gateway: &Gateway, name: &str, caps: Caps) -> Token {
    gateway.admit(Admission {
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
    })
}
