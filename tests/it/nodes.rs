//! More machines on one Postgres: nodes take orders, die, freeze, come back, and leave; the story comes out the same.
//!
//! The service itself carries out nothing here (`node.places: 0`), and the nodes reach no repository: what they work on
//! comes to them through the store.

use std::time::{Duration, Instant};

use harness::{
    postgres,
    world::{Child, Repository, World},
};

use crate::small_story::{RUN, TITLE, came_to_the_fix, well};

const LEASE: Duration = Duration::from_secs(3);
const SETTINGS: &str = "  patience: 2s\ndatabase: ${DATABASE_URL}\nnode:\n  places: 0\n  lease: 3s\n";

/// The small story, with its state in a Postgres and its work for nodes elsewhere.
async fn shared() -> (World, Repository) {
    let (world, origin) = well().await;
    world.database();
    world.settings(SETTINGS);
    (world, origin)
}

/// Starts a node with a state folder of its own; it is there when this returns.
async fn node(world: &World, name: &str, labels: &str) -> Child {
    let folder = format!("node-{name}");
    let mut args = vec![
        "worker", "--name", name, "--places", "4", "--state", &folder, "--grace", "0",
    ];
    if !labels.is_empty() {
        args.extend(["--labels", labels]);
    }
    let mut child = world.spawn_all(&args);
    if !child.says("works for the state").await {
        panic!("{name} never came up: {}", world.end(child).await);
    }
    child
}

/// The worker's session, by the words that the model knows it by.
fn session() -> String {
    format!("# Task: {TITLE}\n")
}

fn ask(world: &World, sql: &str) -> String {
    postgres::sql(world.database(), sql)
}

/// Waits until a query says something, and gives that.
async fn once(world: &World, sql: &str) -> String {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let said = ask(world, sql);
        if !said.is_empty() {
            return said;
        }
        assert!(Instant::now() < end, "it never came to `{sql}`");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The node that works on the task, in its session now.
const AT_WORK: &str = "SELECT n.name FROM orders AS o JOIN nodes AS n ON n.id = o.holder \
    JOIN attempts AS a ON a.id = o.attempt WHERE o.kind = 'fix' AND o.state = 'held' AND a.doing = 'agent'";

/// A run whose worker waits for the model on one of two nodes: the run, that node, the other.
async fn under_way(world: &World) -> (Child, Child, Child) {
    let (north, south) = (node(world, "north", "").await, node(world, "south", "").await);
    world.model().hold(&session());
    let run = world.spawn(RUN);
    match once(world, AT_WORK).await.as_str() {
        "north" => (run, north, south),
        _ => (run, south, north),
    }
}

#[tokio::test]
async fn a_task_is_carried_out_on_machines_that_have_no_repository() {
    let (world, origin) = shared().await;
    let north = node(&world, "north", "").await;
    let status = world.loops(["status"]).await;
    assert!(status.stdout.contains("node north"), "{status}");
    let ran = world.loops(RUN).await;
    came_to_the_fix(&origin, &ran);
    let mirrors = std::fs::read_dir(world.path("node-north/mirrors"))
        .unwrap()
        .count();
    assert!(mirrors > 0, "the node has what it worked on");
    assert_eq!(
        ask(&world, "SELECT count(*) FROM orders"),
        "0",
        "nothing is left over"
    );
    north.interrupt();
    let ended = world.end(north).await;
    assert_eq!(ended.code, 0, "{ended}");
    assert!(ended.stderr.contains("fix of fix"), "{ended}");
    assert_eq!(ask(&world, "SELECT count(*) FROM nodes"), "0", "it has left");
    world.close().await;
}

#[tokio::test]
async fn a_node_that_is_killed_is_missed_within_its_lease_and_another_goes_on() {
    let (world, origin) = shared().await;
    let (run, first, second) = under_way(&world).await;
    first.kill();
    let since = Instant::now();
    world.end(first).await;
    once(
        &world,
        "SELECT token FROM orders WHERE kind = 'fix' AND state = 'held' AND token = 2",
    )
    .await;
    let taken = since.elapsed();
    eprintln!("taken over after {taken:?}");
    assert!(
        taken < LEASE + Duration::from_secs(1) + Duration::from_millis(800),
        "{taken:?}: its lease, a second, and what a busy machine takes"
    );
    world.model().release(&session());
    let ran = world.end(run).await;
    came_to_the_fix(&origin, &ran);
    assert_eq!(
        ask(&world, "SELECT count(*) FROM attempts WHERE role = 'work'"),
        "1",
        "it is the same attempt"
    );
    drop(second);
    world.close().await;
}

/// A node that is frozen past its lease, and wakes while another has its order: what it says then.
async fn wakes_late(world: &World, unfenced: bool) -> (harness::world::Ran, harness::world::Ran) {
    let (run, first, second) = under_way(world).await;
    let held = "SELECT holder FROM orders WHERE kind = 'fix' AND state = 'held'";
    let holder = ask(world, held);
    first.signal("STOP");
    once(
        world,
        "SELECT token FROM orders WHERE kind = 'fix' AND state = 'held' AND token = 2",
    )
    .await;
    if unfenced {
        // What the table would say if nobody had counted: the frozen node has the order, as far as it goes.
        let back = format!("UPDATE orders SET token = 1, holder = '{holder}' WHERE kind = 'fix'");
        second.signal("STOP");
        ask(world, &back);
    }
    first.signal("CONT");
    if !unfenced {
        // It learns of its loss before the model says another word.
        let mut first = first;
        assert!(first.says("none of ours any more").await, "it never learned");
        world.model().release(&session());
        let ran = world.end(run).await;
        first.interrupt();
        let late = world.end(first).await;
        drop(second);
        return (ran, late);
    }
    world.model().release(&session());
    once(
        world,
        "SELECT 1 FROM attempts WHERE role = 'work' AND state = 'done'",
    )
    .await;
    second.signal("CONT");
    let ran = world.end(run).await;
    first.interrupt();
    let late = world.end(first).await;
    (ran, late)
}

#[tokio::test]
async fn a_node_that_was_frozen_past_its_lease_writes_nothing_down() {
    let (world, origin) = shared().await;
    let (ran, late) = wakes_late(&world, false).await;
    came_to_the_fix(&origin, &ran);
    let fix: Vec<&str> = late
        .stderr
        .lines()
        .filter(|line| line.contains("fix of fix"))
        .collect();
    let attempt = fix[0].split_whitespace().nth(2).unwrap();
    assert!(!late.stderr.contains(&format!("done      {attempt}")), "{late}");
    world.close().await;
}

#[tokio::test]
async fn without_the_token_its_late_word_would_count() {
    let (world, _origin) = shared().await;
    let (_, late) = wakes_late(&world, true).await;
    let fix: Vec<&str> = late
        .stderr
        .lines()
        .filter(|line| line.contains("fix of fix"))
        .collect();
    let attempt = fix[0].split_whitespace().nth(2).unwrap();
    assert!(late.stderr.contains(&format!("done      {attempt}")), "{late}");
    world.close().await;
}

#[tokio::test]
async fn a_node_that_is_told_to_end_gives_back_what_it_has_and_another_goes_on_at_once() {
    let (world, origin) = shared().await;
    let (run, first, second) = under_way(&world).await;
    let since = Instant::now();
    first.signal("TERM");
    let ended = world.end(first).await;
    assert_eq!(ended.code, 0, "{ended}");
    assert!(ended.stderr.contains("is for others"), "{ended}");
    once(
        &world,
        "SELECT token FROM orders WHERE kind = 'fix' AND state = 'held' AND token = 2",
    )
    .await;
    assert!(
        since.elapsed() < LEASE,
        "nobody waits for a lease to end: {:?}",
        since.elapsed()
    );
    assert_eq!(ask(&world, "SELECT losses FROM orders WHERE kind = 'fix'"), "0");
    world.model().release(&session());
    let ran = world.end(run).await;
    came_to_the_fix(&origin, &ran);
    drop(second);
    world.close().await;
}

#[tokio::test]
async fn what_needs_a_label_waits_for_a_node_that_has_it() {
    let (world, origin) = shared().await;
    let spec = world.path(".loops/fix.yaml");
    let text = std::fs::read_to_string(&spec).unwrap();
    let needing = text.replacen("fix: { model", "fix: { needs: [gpu], model", 1);
    assert_ne!(text, needing, "{text}");
    std::fs::write(&spec, needing).unwrap();
    let plain = node(&world, "plain", "").await;
    let run = world.spawn(RUN);
    once(
        &world,
        "SELECT 1 FROM orders WHERE kind = 'fix' AND state = 'waiting' AND packed = 1",
    )
    .await;
    let status = world.loops(["status"]).await;
    assert!(status.stdout.contains("waits for a node with `gpu`"), "{status}");
    let big = node(&world, "big", "gpu,big").await;
    let ran = world.end(run).await;
    came_to_the_fix(&origin, &ran);
    big.interrupt();
    let big = world.end(big).await;
    assert!(big.stderr.contains("fix of fix"), "{big}");
    plain.interrupt();
    let plain = world.end(plain).await;
    assert!(!plain.stderr.contains("fix of fix"), "{plain}");
    world.close().await;
}

#[tokio::test]
async fn a_cancelled_run_stops_a_worker_elsewhere_within_seconds() {
    let (world, _origin) = shared().await;
    let (run, mut first, second) = under_way(&world).await;
    let id = ask(&world, "SELECT id FROM runs");
    let since = Instant::now();
    let cancelled = world.loops(["cancel", &id]).await;
    assert_eq!(cancelled.code, 0, "{cancelled}");
    assert!(first.says("none of ours any more").await, "it was never stopped");
    eprintln!("stopped after {:?}", since.elapsed());
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    world.model().release(&session());
    world.end(run).await;
    assert_eq!(ask(&world, "SELECT count(*) FROM proposals"), "0");
    drop((first, second));
    world.close().await;
}

#[tokio::test]
async fn a_worker_says_what_it_needs() {
    let (world, _origin) = well().await;
    let refused = world.loops(["worker"]).await;
    assert_eq!(refused.code, 2, "{refused}");
    assert!(refused.stderr.contains("no `database`"), "{refused}");
    let refused = world.loops(["worker", "--labels", "GPU"]).await;
    assert!(
        refused.code == 2 && refused.stderr.contains("`GPU` is not a label"),
        "{refused}"
    );
    world.settings("  patience: 2s\nnode: { places: 0 }\n");
    let refused = world.loops(RUN).await;
    assert!(
        refused.code == 2 && refused.stderr.contains("`node.places` is 0"),
        "{refused}"
    );
    world.close().await;
}
