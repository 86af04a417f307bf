//! What GitHub tells by itself: heard by the service's own code, in this process and in its own.

mod attacks;
mod examples;
mod heard;
mod sent;
mod served;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use harness::{
    github::{Delivery, GitHub, Role},
    world::{BOT, SHOP},
};
use loops::{
    spec::{self, Known, LoopSpec},
    time::Timestamp,
};
use orchestrator::{
    config::Config,
    engine::{Came, Home, hear_hook},
    github::{Hook, Hub},
    source::Stretch,
    store::{Store, loops as loop_rows, signals},
};
use serde_json::Value;
use workers::Machine;

/// What a signal says: who, what, in which thread, with which labels and reactions.
type Told = (String, String, Option<String>, Vec<String>, BTreeMap<String, u32>);

/// A shop on GitHub, and what the service keeps of it; nothing runs.
struct Ears {
    hub: GitHub,
    home: Home,
    _folder: tempfile::TempDir,
}

/// The specs that tests need: issues and pull requests of the shop.
const SOURCES: &str = "[{ github_issues: {} }, { github_pulls: {} }]";

impl Ears {
    /// A service that serves one loop, `fix`, with these sources.
    async fn open(sources: &str) -> Self {
        let hub = GitHub::start_at(orchestrator::clock::now().0 - 3_600_000).await;
        let token = {
            let mut there = hub.world();
            there.hold_deliveries = true;
            there.add_repository(SHOP);
            there.grant(SHOP, BOT, Role::Write);
            there.commit(SHOP, "main", "carol", &[("a.txt", Some("a"))], "The shop");
            there.add_hook("http://127.0.0.1:1/", "secret", &["*"]);
            there.classic_token(BOT, &["repo"])
        };
        let text = format!(
            "github: {{ api: '{}', token: '${{T}}', write_gap: 0s }}",
            hub.url()
        );
        let env = move |name: &str| (name == "T").then(|| token.clone());
        let config = Config::read(Path::new("loops.yaml"), &text, Some("/nowhere".into()), &env).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let machine = Machine { sandbox: None };
        let home = Home::new(
            store,
            Arc::new(machine),
            folder.path().to_owned(),
            Hub::new(&config.github).unwrap(),
        );
        let ears = Self {
            hub,
            home,
            _folder: folder,
        };
        ears.serve(&spec("fix", SHOP, sources)).await;
        ears
    }

    /// Writes down that a loop is served.
    async fn serve(&self, spec: &LoopSpec) {
        let mut tx = self.home.store.begin().await.unwrap();
        let value = serde_json::to_value(spec).unwrap();
        loop_rows::upsert(&mut tx, &spec.name, "v1", &value, "/loops/fix.yaml", Timestamp(1))
            .await
            .unwrap();
        loop_rows::serve(&mut tx, &spec.name, Some(Timestamp(1)))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// All that GitHub has had to tell so far, in its order.
    fn deliveries(&self) -> Vec<Delivery> {
        self.hub.world().deliveries.clone()
    }

    /// The last of it, as the service reads it.
    fn last(&self) -> Hook {
        hook(self.deliveries().last().unwrap())
    }

    async fn hears(&self, hook: &Hook) -> Came {
        hear_hook(&self.home, hook).await.unwrap()
    }

    /// What a loop keeps of the shop, by the signals' ids; what was taken away is left out.
    async fn kept(&self, loop_name: &str) -> BTreeMap<String, Told> {
        let all = Stretch::Roots {
            source: format!("github:{SHOP}"),
            after: String::new(),
            before: "~".to_owned(),
            here: Default::default(),
            childless: Default::default(),
        };
        let mut found = BTreeMap::new();
        for known in signals::in_stretch(&self.home.store, loop_name, &all)
            .await
            .unwrap()
        {
            let kept = signals::get(&self.home.store, loop_name, known.id).await.unwrap();
            let signal = kept.unwrap().signal;
            let told = (
                signal.author.unwrap_or_default(),
                signal.text,
                signal.thread,
                signal.labels,
                signal.reactions,
            );
            found.insert(signal.external_id, told);
        }
        found
    }

    /// The words that a loop keeps of one signal; none: it has none.
    async fn words(&self, id: &str) -> Option<String> {
        self.kept("fix").await.remove(id).map(|told| told.1)
    }
}

fn spec(name: &str, repository: &str, sources: &str) -> LoopSpec {
    let text = format!(
        "name: {name}\nkind: fix\nrepo: {repository}\nschedule: {{ every: 1h }}\nsources: {sources}\n"
    );
    let models = ["top", "standard", "small"].map(str::to_owned).to_vec();
    spec::read(name, &text, &Known { models }).unwrap()
}

fn hook(delivery: &Delivery) -> Hook {
    Hook::read(
        Some(&delivery.event),
        Some(&delivery.guid),
        delivery.payload.as_bytes(),
    )
    .unwrap()
}

/// A delivery whose body says something else, as if GitHub had sent that.
fn changed(delivery: &Delivery, change: impl FnOnce(&mut Value)) -> Delivery {
    let mut payload: Value = serde_json::from_str(&delivery.payload).unwrap();
    change(&mut payload);
    let mut other = delivery.clone();
    other.guid.push_str("-changed");
    other.payload = payload.to_string();
    other
}
