//! Several services on one Postgres: one leads, the others stand by, and any of them may die or freeze.

use std::time::{Duration, Instant};

use harness::{
    postgres,
    world::{Child, Repository, World},
};

use crate::small_story::{TITLE, lead, reviewer, told, worker};

const SETTINGS: &str = "  patience: 2s\ndatabase: ${DATABASE_URL}\nnode:\n  lease: 3s\n";

fn session() -> String {
    format!("# Task: {TITLE}\n")
}

fn ask(world: &World, sql: &str) -> String {
    postgres::sql(world.database(), sql)
}

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

/// Two services with state folders of their own, of which the first leads and has a run whose worker waits for the
/// model.
async fn two() -> (World, Repository, Child, Child) {
    let (world, origin) = told().await;
    world.database();
    world.settings(SETTINGS);
    world.lead(lead).worker(TITLE, worker).reviewer(TITLE, reviewer);
    let spec = world.path(".loops/fix.yaml");
    let text = std::fs::read_to_string(&spec).unwrap();
    std::fs::write(&spec, text.replace("{ every: 10m }", "{ every: 1s }")).unwrap();
    world.model().hold(&session());
    let mut first = world.spawn(["serve", "--state", "one", "--grace", "0"]);
    assert!(first.says("serving the loops").await, "it never served");
    let mut second = world.spawn(["serve", "--state", "two", "--grace", "0"]);
    assert!(second.says("standing by").await, "it never stood by");
    once(
        &world,
        "SELECT 1 FROM attempts WHERE role = 'work' AND doing = 'agent'",
    )
    .await;
    (world, origin, first, second)
}

/// The run ends with its one proposal; the one service that is left ends.
async fn comes_to_one_proposal(world: &World, origin: &Repository, left: Child) {
    world.model().release(&session());
    once(world, "SELECT 1 FROM proposals WHERE state = 'open'").await;
    left.interrupt();
    let ended = world.end(left).await;
    assert_eq!(ended.code, 0, "{ended}");
    assert_eq!(ask(world, "SELECT count(*) FROM proposals"), "1");
    assert_eq!(origin.branches().len(), 2, "{:?}", origin.branches());
}

#[tokio::test]
async fn when_the_one_that_leads_is_killed_the_other_goes_on_with_its_run() {
    let (world, origin, first, mut second) = two().await;
    first.kill();
    let since = Instant::now();
    world.end(first).await;
    assert!(second.says("this one leads now").await, "it never led");
    eprintln!("taken over after {:?}", since.elapsed());
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
    comes_to_one_proposal(&world, &origin, second).await;
    world.close().await;
}

#[tokio::test]
async fn a_leader_that_freezes_is_followed_and_writes_nothing_when_it_wakes() {
    let (world, origin, first, mut second) = two().await;
    first.signal("STOP");
    let since = Instant::now();
    assert!(second.says("this one leads now").await, "it never led");
    eprintln!("taken over after {:?}", since.elapsed());
    first.signal("CONT");
    let woken = world.end(first).await;
    assert_eq!(woken.code, 1, "{woken}");
    assert!(woken.stderr.contains("another loops has taken over"), "{woken}");
    comes_to_one_proposal(&world, &origin, second).await;
    world.close().await;
}

#[tokio::test]
async fn a_leader_that_ends_in_good_order_leaves_its_run_to_the_other() {
    let (world, origin, first, mut second) = two().await;
    first.interrupt();
    let ended = world.end(first).await;
    assert_eq!(ended.code, 0, "{ended}");
    assert!(second.says("this one leads now").await, "it never led");
    comes_to_one_proposal(&world, &origin, second).await;
    world.close().await;
}

#[tokio::test]
async fn without_epochs_a_leader_that_froze_leads_on_beside_the_one_that_followed_it() {
    let (world, _origin, first, mut second) = two().await;
    // The control: whoever follows has the epoch of the one before.
    ask(
        &world,
        "CREATE FUNCTION same() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.epoch = OLD.epoch; RETURN NEW; END $$;
         CREATE TRIGGER same BEFORE UPDATE ON leader FOR EACH ROW EXECUTE FUNCTION same()",
    );
    first.signal("STOP");
    assert!(second.says("this one leads now").await, "it never led");
    let now = ask(
        &world,
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
    );
    first.signal("CONT");
    // Longer than the one with an epoch of its own takes to see that it is over.
    let both =
        format!("SELECT 1 FROM nodes WHERE role = 'leads' AND seen_at > {now} + 4000 HAVING count(*) = 2");
    once(&world, &both).await;
    first.interrupt();
    let woken = world.end(first).await;
    assert!(!woken.stderr.contains("another loops has taken over"), "{woken}");
    world.model().release(&session());
    second.interrupt();
    world.end(second).await;
    world.close().await;
}
