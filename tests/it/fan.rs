//! A run of many tasks: spawned together, waited for (any, a while, all), stopped, and read of in pages; on both engines.
//!
//! `LOOPS_FAN=10000 cargo nextest run -p tests --run-ignored only --no-capture fan` does it with as many as a run may have,
//! and prints what each part took.

use std::time::{Duration, Instant};

use harness::{
    model::Recorded,
    postgres,
    world::{LoopFile, Said, World},
};
use loops::{
    id::RunId,
    run::{Event, RunState},
};
use orchestrator::store::{Store, ledger, runs};
use serde_json::{Value, json};

use crate::small_story::{FILES, RUN};

/// Models are not waited for, and one person may have all of it to review.
const SETTINGS: &str = "  patience: 2s\nreview: { per_reviewer: 1000 }\n";

/// How many tasks the lead agent makes in one call.
const AT_ONCE: usize = 500;

/// A word that is like no other: people's reports with different ones are different problems.
fn word(number: usize) -> String {
    let mut rest = number.wrapping_mul(2_654_435_761) % 4_294_967_296;
    let mut word = String::new();
    for _ in 0..7 {
        word.push(char::from(b'a' + u8::try_from(rest % 26).unwrap()));
        rest = rest / 26 + number;
    }
    word
}

fn report(number: usize) -> String {
    let words: Vec<String> = (0..8).map(|place| word(number * 8 + place)).collect();
    words.join(" ")
}

/// A loop with so many findings, each a task of its own if the lead agent wants it.
async fn world(many: usize, settings: &str, on_postgres: bool) -> World {
    let world = World::start().await;
    let settings = if on_postgres {
        world.database();
        format!("{settings}database: ${{DATABASE_URL}}\n")
    } else {
        settings.to_owned()
    };
    world.settings(&settings);
    world.repository(&FILES);
    let triage = format!("triage: {{ max_findings: {many}, min_signals: 1, min_reporters: 1 }}\n");
    let file = LoopFile::new("fix", "true")
        .attempts(1)
        .max_open(u32::try_from(many).unwrap());
    world.define(&file.more(&triage));
    let said: Vec<Said> = (0..many)
        .map(|number| Said::by(&format!("person-{number}"), &report(number)))
        .collect();
    world.feedback(&said);
    world
}

fn task(number: usize) -> Value {
    json!({"findings": [format!("F{number}")], "worker": "fix", "title": format!("Part {number}"), "goal": "it is mended",
        "acceptance": ["it is"]})
}

/// The lead agent spawns all, waits for the first, then for all, but not for long; it stops the rest, and reads of them.
fn lead(world: &World, many: usize) {
    let tasks: Vec<Value> = (1..=many).map(task).collect();
    world.lead(|mut script| {
        for some in tasks.chunks(AT_ONCE) {
            script = script.call("spawn_all", json!({ "tasks": some }));
        }
        script
            .call("spawn_all", json!({ "tasks": [task(1), task(many + 1)] }))
            .call("wait", json!({ "any": true }))
            .call("wait", json!({ "timeout_s": 1 }))
            .call("cancel", json!({}))
            .call("wait", json!({}))
            .call("outcome", json!({ "offset": many - 50 }))
            .call("finish", json!({ "report": "The first few were looked at." }))
    });
    world
        .model()
        .session("# Task: Part ", |script| script.say("There is nothing to mend."));
}

/// What the lead agent's tools answered, in their order.
fn answers(world: &World) -> Vec<String> {
    let requests = world.model().requests();
    let lead = |request: &&Recorded| {
        request.body["messages"]
            .to_string()
            .contains("The loop `fix` has run")
    };
    let last = requests.iter().rfind(lead).expect("the lead agent was asked");
    let messages = last.body["messages"].as_array().unwrap();
    let blocks = messages
        .iter()
        .filter_map(|message| message["content"].as_array());
    let results = blocks.flatten().filter(|block| block["type"] == "tool_result");
    results
        .map(|block| match &block["content"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect()
}

/// The events that the ledger has of a run, played once more, give the state that is stored.
pub(crate) async fn replays(world: &World, run: &Value, on_postgres: bool) {
    let store = if on_postgres {
        Store::connect(world.database()).await.unwrap()
    } else {
        Store::open(&world.state()).await.unwrap()
    };
    let id: RunId = run["id"].as_str().unwrap().parse().unwrap();
    let (mut state, mut seq, mut count) = (RunState::default(), 0, 0);
    loop {
        let rows = ledger::rows_of_run(&store, id, seq, 1_000).await.unwrap();
        let Some(last) = rows.last() else { break };
        seq = last.seq;
        for row in rows {
            if let Ok(event) = serde_json::from_value::<Event>(row.data)
                && event.kind() == row.kind
            {
                state = state.decide(&event).0;
                count += 1;
            }
        }
    }
    let kept = runs::get(&store, id).await.unwrap().unwrap();
    assert!(count > 1, "{count} events");
    assert_eq!(state, kept.state::<RunState>().unwrap());
    store.close().await;
}

async fn story(many: usize, on_postgres: bool) -> World {
    let world = world(many, SETTINGS, on_postgres).await;
    lead(&world, many);
    let ran = world.loops(RUN).await;
    assert_eq!(ran.code, 0, "{ran}\n{:#?}", world.model().complaints());
    let run = &ran.json()["run"];
    let tasks = run["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), many, "{}", answers(&world).join("\n"));
    let said = answers(&world);
    let calls = many.div_ceil(AT_ONCE);
    for (place, said) in said.iter().take(calls).enumerate() {
        let made = AT_ONCE.min(many - place * AT_ONCE);
        assert!(said.ends_with(&format!("{made} made")), "{said}");
    }
    let again = &said[calls];
    assert!(again.contains("there is a task for it already"), "{again}");
    assert!(
        again.contains(&format!("there is no finding `F{}`", many + 1)),
        "{again}"
    );
    let [any, a_while, stopped, all, page] = &said[calls + 1..] else {
        panic!("{} answers", said.len())
    };
    assert!(any.contains("failed: no attempt changed anything"), "{any}");
    assert!(a_while.starts_with("the time is up"), "{a_while}");
    let count: usize = stopped.split(' ').next().unwrap().parse().unwrap();
    assert!(count > 0 && count < many, "{stopped}");
    assert!(all.contains(&format!("{count} cancelled")), "{all}");
    assert!(all.contains("`outcome` with `offset` tells of all"), "{all}");
    assert_eq!(page.lines().count(), 50, "{page}");
    assert!(page.contains(&format!("T{many} cancelled")), "{page}");
    replays(&world, run, on_postgres).await;
    world
}

#[tokio::test]
async fn two_hundred_tasks_are_spawned_waited_for_stopped_and_read_of_in_pages() {
    story(200, false).await.close().await;
}

#[tokio::test]
async fn two_hundred_tasks_are_spawned_waited_for_stopped_and_read_of_in_pages_on_postgres() {
    let world = story(200, true).await;
    let count = |what: &str| postgres::sql(world.database(), &format!("SELECT count(*) FROM {what}"));
    assert_eq!(count("ledger WHERE kind = 'task.spawned'"), "200");
    assert_eq!(count("orders"), "0", "nothing is left over");
    assert_eq!(count("tasks WHERE state IN ('queued', 'working')"), "0");
    world.close().await;
}

/// Kills a run while all of its tasks are open; how long it takes until it works on one of them again, from the start of the
/// process.
async fn killed_and_gone_on_with(many: usize) -> Duration {
    let world = world(many, SETTINGS, true).await;
    lead(&world, many);
    world.model().hold("# Task: Part ");
    let ask = |sql: &str| postgres::sql(world.database(), sql);
    let mut run = world.spawn(RUN);
    assert!(run.says(" begins").await, "it begins");
    let end = Instant::now() + Duration::from_secs(600);
    while ask("SELECT count(*) FROM orders WHERE state = 'held'") == "0"
        || ask("SELECT count(*) FROM tasks") != many.to_string()
    {
        assert!(Instant::now() < end, "it never came to its tasks");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    run.kill();
    world.end(run).await;
    let since = Instant::now();
    let mut again = world.spawn(RUN);
    assert!(again.says(" working").await, "it goes on");
    let took = since.elapsed();
    assert_eq!(
        ask("SELECT count(*) FROM tasks"),
        many.to_string(),
        "none was spawned twice"
    );
    let cancelled = world.loops(["cancel", &ask("SELECT id FROM runs")]).await;
    assert_eq!(cancelled.code, 0, "{cancelled}");
    world.end(again).await;
    let open = "SELECT count(*) FROM tasks WHERE state <> 'cancelled'";
    assert_eq!(ask(open), "0");
    world.model().release("# Task: Part ");
    world.close().await;
    took
}

#[tokio::test]
async fn a_run_that_is_killed_with_two_hundred_open_tasks_goes_on_with_them() {
    eprintln!("it worked again after {:?}", killed_and_gone_on_with(200).await);
}

/// How many tasks a recipe has.
fn many() -> usize {
    let said = std::env::var_os("LOOPS_FAN").and_then(|said| said.into_string().ok());
    said.and_then(|many| many.parse().ok()).unwrap_or(1_000)
}

#[tokio::test]
#[ignore = "a recipe: see the head of this file"]
async fn a_run_that_is_killed_with_as_many_open_tasks_as_one_likes_goes_on_with_them() {
    eprintln!(
        "{} tasks: it worked again after {:?}",
        many(),
        killed_and_gone_on_with(many()).await
    );
}

#[tokio::test]
#[ignore = "a recipe: see the head of this file"]
async fn a_fan_of_as_many_as_one_likes() {
    let many = many();
    let since = Instant::now();
    let world = story(many, true).await;
    let took = |what: &str| {
        let sql = format!("SELECT max(at) - min(at) FROM ledger WHERE kind = '{what}'");
        postgres::sql(world.database(), &sql)
    };
    let parts =
        ["finding.found", "task.spawned", "task.cancelled"].map(|what| format!("{what} {} ms", took(what)));
    eprintln!(
        "{many} tasks: {} s in all, from the first to the last {}",
        since.elapsed().as_secs(),
        parts.join(", ")
    );
    world.close().await;
}
