//! What a worker has so far is saved on its way: after a kill the same attempt goes on, with its folder and its
//! conversation as they were. The control: where nothing is saved, it begins anew.

use std::time::{Duration, Instant};

use harness::{
    model::{Fault, Script},
    postgres,
    world::{Child, Ran, Repository, World},
};
use orchestrator::store::{Store, attempts, runs, saves};
use serde_json::Value;

use crate::small_story::{self, CHECK, RUN, TITLE, came_to_the_fix, lead, reviewer, told};

/// How many answers the worker has given when it is cut off: it has read and edited, and is asked what to run.
const TURN: usize = 3;
/// The brief, and each answer with what the tools said to it.
const MESSAGES: usize = 1 + 2 * TURN;

/// The small story with these settings, whose worker takes its time once, after its edits.
async fn slow(more: &str) -> (World, Repository) {
    let (world, origin) = told().await;
    if more.contains("database") {
        world.database();
    }
    world.settings(&format!("  patience: 2s\n{more}"));
    world.lead(lead).worker(TITLE, worker).reviewer(TITLE, reviewer);
    (world, origin)
}

fn worker(script: Script) -> Script {
    small_story::worker(script).put_in_the_way(TURN, Fault::Slow(Duration::from_secs(3)))
}

fn session() -> String {
    format!("# Task: {TITLE}\n")
}

/// The turns that the worker's session was asked for, from the request number `from` on.
fn turns(world: &World, from: usize) -> Vec<usize> {
    let requests = world.model().requests_of(&session());
    requests[from..].iter().map(|request| request.turn).collect()
}

async fn patiently<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "it never came to {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Kills a run on this machine while its worker thinks about its next step; how many requests it had made by then.
async fn killed_at_work(world: &World, saved: bool) -> usize {
    let child = world.spawn(RUN);
    patiently("the third answer", async || {
        (turns(world, 0).last() == Some(&TURN)).then_some(())
    })
    .await;
    if saved {
        let store = Store::open(&world.state()).await.unwrap();
        patiently("a save", async || {
            let run = runs::all_open(&store).await.unwrap().pop()?;
            let all = attempts::of_run(&store, run.id).await.unwrap();
            let work = all
                .iter()
                .find(|attempt| attempt.begun.role == attempts::Role::Work)?;
            let mut tx = store.begin_beside().await.unwrap();
            let save = saves::get::<Value>(&mut tx, work.begun.id).await.unwrap()?;
            (save.messages.len() == MESSAGES).then_some(())
        })
        .await;
        store.close().await;
    }
    child.kill();
    assert_eq!(world.end(child).await.code, 128 + 9);
    turns(world, 0).len()
}

/// How many attempts at the task there were, and what is still saved.
async fn attempts_of(world: &World, ran: &Ran) -> (usize, usize) {
    let store = Store::open(&world.state()).await.unwrap();
    let run = ran.json()["run"]["id"].as_str().unwrap().parse().unwrap();
    let all = attempts::of_run(&store, run).await.unwrap();
    let mut saved = 0;
    for attempt in &all {
        saved += usize::from(saves::there(&store, attempt.begun.id).await.unwrap());
    }
    let work = all
        .iter()
        .filter(|attempt| attempt.begun.role == attempts::Role::Work);
    (work.count(), saved)
}

#[tokio::test]
async fn killed_at_work_an_attempt_goes_on_from_its_last_saved_tree_and_conversation() {
    let (world, origin) = slow("node: { save_every: 0s }\n").await;
    let asked = killed_at_work(&world, true).await;
    let ran = world.loops(RUN).await;
    came_to_the_fix(&origin, &ran);
    assert_eq!(turns(&world, asked), [TURN, TURN + 1], "nothing is done again");
    let told = world.model().requests_of(&session())[asked]
        .last_texts()
        .join("\n");
    assert!(told.contains("Your machine was lost"), "{told}");
    assert_eq!(
        attempts_of(&world, &ran).await,
        (1, 0),
        "the same attempt, and nothing is left over"
    );
    world.close().await;
}

#[tokio::test]
async fn where_nothing_is_saved_the_same_kill_makes_it_begin_anew() {
    let (world, origin) = slow("node: { save_every: never }\n").await;
    let asked = killed_at_work(&world, false).await;
    let ran = world.loops(RUN).await;
    came_to_the_fix(&origin, &ran);
    assert_eq!(turns(&world, asked), [0, 1, 2, 3, 4], "all of it again");
    assert_eq!(attempts_of(&world, &ran).await, (2, 0));
    world.close().await;
}

async fn node(world: &World, name: &str) -> Child {
    let folder = format!("node-{name}");
    let args = [
        "worker", "--name", name, "--places", "4", "--state", &folder, "--grace", "0",
    ];
    let mut child = world.spawn_all(&args);
    assert!(child.says("works for the state").await, "{name} never came up");
    child
}

/// One of two nodes ends at work by this signal; the other's requests, and the story's end.
async fn a_node_ends(signal: &str, save_every: &str, saved: bool) -> (Vec<usize>, World) {
    let settings =
        format!("database: ${{DATABASE_URL}}\nnode: {{ places: 0, lease: 3s, save_every: {save_every} }}\n");
    let (world, origin) = slow(&settings).await;
    let north = node(&world, "north").await;
    let run = world.spawn(RUN);
    patiently("the third answer", async || {
        (turns(&world, 0).last() == Some(&TURN)).then_some(())
    })
    .await;
    if saved {
        let sql = format!("SELECT 1 FROM saves WHERE messages = {MESSAGES}");
        patiently("a save", async || {
            (!postgres::sql(world.database(), &sql).is_empty()).then_some(())
        })
        .await;
    }
    let south = node(&world, "south").await;
    let asked = turns(&world, 0).len();
    north.signal(signal);
    world.end(north).await;
    let ran = world.end(run).await;
    came_to_the_fix(&origin, &ran);
    drop(south);
    (turns(&world, asked), world)
}

#[tokio::test]
async fn a_node_that_takes_over_from_a_killed_one_goes_on_where_that_was() {
    let (asked, world) = a_node_ends("KILL", "0s", true).await;
    assert_eq!(asked, [TURN, TURN + 1]);
    world.close().await;
}

#[tokio::test]
async fn a_node_that_is_told_to_end_saves_what_it_has_and_says() {
    let (asked, world) = a_node_ends("TERM", "10m", false).await;
    assert_eq!(asked, [TURN, TURN + 1]);
    world.close().await;
}

#[tokio::test]
async fn the_test_command_is_the_worker_s_fourth_answer() {
    // What the numbers above lean on.
    let (world, origin) = slow("").await;
    let ran = world.loops(RUN).await;
    came_to_the_fix(&origin, &ran);
    let requests = world.model().requests_of(&session());
    assert_eq!(requests.len(), TURN + 2);
    assert!(requests[TURN + 1].body.to_string().contains(CHECK));
    world.close().await;
}
