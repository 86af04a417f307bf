//! A service that may have few runs under way at once: who waits, who is next, and that every tick has its receipt.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use harness::world::{LoopFile, Repository, World};
use orchestrator::{
    clock,
    engine::{Service, Word},
    store::ticks::{self, Receipt, Tick},
};

use super::{
    node::{Node, turn_to},
    story::TURN,
};

const START: &str = "2026-05-04T00:00:00Z";

fn minute(n: i64) -> DateTime<Utc> {
    START.parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(n)
}

/// A world of loops that never have anything to do, each with its schedule.
async fn world(loops: &[(&str, &str)]) -> World {
    let world = World::start().await;
    Repository::create(&world.path("quiet.git"), &[("README.md", "quiet")]);
    for (name, schedule) in loops {
        let yaml = LoopFile::new(name, "true")
            .repository("../quiet.git")
            .source(&format!("../{name}.jsonl"))
            .yaml()
            .replace("{ every: 10m }", schedule);
        world.write(&format!(".loops/{name}.yaml"), &yaml);
        world.write(&format!("{name}.jsonl"), "");
    }
    world
}

/// Turns the clock to that minute and rings, as often as the service is not taken to have slept.
async fn pass(service: &mut Service<'_>, to: i64) {
    while clock::now().utc() < minute(to) {
        turn_to((clock::now().utc() + TimeDelta::minutes(1)).min(minute(to)));
        service.ring().await.unwrap();
    }
}

fn under_way(service: &Service<'_>) -> Vec<String> {
    let mut all: Vec<String> = service.under_way().map(str::to_owned).collect();
    all.sort();
    all
}

async fn receipts(node: &Node, name: &str) -> Vec<Tick> {
    let mut all = ticks::list(node.store(), name, 1_000).await.unwrap();
    all.reverse();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_waited_longest_is_next_and_each_tick_has_its_receipt_meanwhile() {
    let _turn = TURN.lock().await;
    turn_to(minute(0));
    let crons = ["'1 * * * *'", "'2 * * * *'", "'3 * * * *'", "'4 * * * *'"]
        .map(|cron| format!("{{ cron: {cron} }}"));
    // By name the other way round than by time.
    let loops: Vec<(&str, &str)> = ["d", "c", "b", "a"]
        .into_iter()
        .zip(crons.iter().map(String::as_str))
        .collect();
    let world = world(&loops).await;
    let node = Node::open(&world).await;
    let mut service = node.service().with_places(2);
    service.begin().await.unwrap();
    pass(&mut service, 10).await;
    assert_eq!(
        (under_way(&service), service.waiting()),
        (vec!["c".to_owned(), "d".to_owned()], vec!["b", "a"])
    );
    for (name, _) in &loops {
        assert_eq!(receipts(&node, name).await.len(), 1, "{name} has its receipt");
    }
    let waits = node
        .words()
        .iter()
        .filter(|word| matches!(word, Word::Waits(..)))
        .count();
    assert_eq!(waits, 2, "it is told once");
    let status = world.loops(["status", "--format", "json"]).await.json();
    let places: Vec<&str> = status["waiting_for_a_place"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["loop"].as_str())
        .collect();
    for name in ["a", "b"] {
        assert!(places.contains(&name), "{status:#}");
    }

    // One that is paused meanwhile does not take its turn, and says so.
    assert_eq!(world.loops(["pause", "b"]).await.code, 0);
    assert!(service.end_one().await.unwrap());
    assert_eq!(service.waiting(), [""; 0]);
    assert!(under_way(&service).contains(&"a".to_owned()));
    let passed = &receipts(&node, "b").await[0];
    assert_eq!(
        (passed.why.as_deref(), passed.run),
        (Some("the loop is paused"), None)
    );
    while service.end_one().await.unwrap() {}
    assert!(receipts(&node, "a").await[0].run.is_some());

    // What waits when the service is killed is begun by the next one.
    assert_eq!(world.loops(["resume", "b"]).await.code, 0);
    pass(&mut service, 65).await;
    assert_eq!(service.waiting(), ["b", "a"]);
    drop(service);
    node.specs_changed();
    let mut service = node.service().with_places(2);
    service.begin().await.unwrap();
    while service.end_one().await.unwrap() {}
    for (name, _) in &loops {
        assert!(
            receipts(&node, name).await.last().unwrap().run.is_some(),
            "{name}"
        );
    }
    drop(service);
    node.close().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_loud_loop_keeps_nobody_from_a_place() {
    let _turn = TURN.lock().await;
    turn_to(minute(0));
    let world = world(&[
        ("loud", "{ every: 1m, overlap: queue }"),
        ("replaced", "{ every: 2m, overlap: cancel_running }"),
        ("calm", "{ every: 10m }"),
        ("still", "{ every: 10m }"),
    ])
    .await;
    let node = Node::open(&world).await;
    let mut service = node.service().with_places(1);
    service.begin().await.unwrap();
    // Each run takes three minutes, so that they want many times what one place has.
    for round in 1..=40 {
        pass(&mut service, round * 3).await;
        if service.under_way().next().is_some() {
            service.end_one().await.unwrap();
        }
        assert!(service.under_way().count() <= 1);
    }
    let mut started: BTreeMap<String, usize> = BTreeMap::new();
    let mut order = Vec::new();
    for word in node.words() {
        if let Word::Started(name, _) = word {
            *started.entry(name.clone()).or_default() += 1;
            order.push(name);
        }
    }
    for name in ["calm", "still"] {
        assert!(started[name] >= 6, "{name}: {order:?}");
    }
    assert!(
        started["replaced"] >= 6,
        "who replaces itself keeps its turn: {order:?}"
    );
    // Forty runs for the four of them: it has its share, and no more.
    assert!(started["loud"] <= 20, "{order:?}");
    service.drain(std::time::Duration::ZERO).await.unwrap();
    let none = node
        .words()
        .into_iter()
        .find(|word| matches!(word, Word::Trouble(..)));
    assert!(none.is_none(), "{none:?}");
    for name in ["loud", "replaced", "calm", "still"] {
        let all = receipts(&node, name).await;
        let open = all.iter().filter(|tick| tick.receipt == Receipt::Running).count();
        assert!(all.len() >= 12 && open <= 1, "{name}: {all:?}");
    }
    drop(service);
    node.close().await;
    world.close().await;
}
