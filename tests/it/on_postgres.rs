//! The service with its state in a Postgres: the same words, the same promises.

use harness::{
    postgres,
    world::{Repository, World},
};

use crate::small_story::{RUN, came_to_the_fix, well};

/// The small story's settings, and where its state is.
const HERE: &str = "  patience: 2s\ndatabase: ${DATABASE_URL}\n";

/// The small story with its state in a Postgres.
async fn on_postgres() -> (World, Repository) {
    let (world, origin) = well().await;
    world.database();
    world.settings(HERE);
    (world, origin)
}

/// What waits for people: (title, tree).
async fn waiting(world: &World, origin: &Repository) -> Vec<(String, String)> {
    let review = world.loops(["review", "--all", "--format", "json"]).await.json();
    let all = review.as_array().unwrap().iter();
    all.map(|proposal| {
        let branch = proposal["branch"].as_str().unwrap();
        let tree = origin.git(&["rev-parse", &format!("{branch}^{{tree}}")]);
        (proposal["title"].as_str().unwrap().to_owned(), tree)
    })
    .collect()
}

#[tokio::test]
async fn feedback_becomes_a_merged_fix_with_the_state_in_postgres() {
    let (world, origin) = on_postgres().await;
    let would = world.loops(["run", "fix", "--dry-run", "--format", "json"]).await;
    assert_eq!(would.code, 0, "{would}");
    assert_eq!(
        would.json()["dry_run"]["findings"].as_array().map(Vec::len),
        Some(1)
    );
    let count = |table: &str| postgres::sql(world.database(), &format!("SELECT count(*) FROM {table}"));
    assert_eq!(count("signals"), "0", "a dry run writes nothing down");

    let ran = world.loops(RUN).await;
    came_to_the_fix(&origin, &ran);
    assert!(
        !world.state().join("loops.db").exists(),
        "there is no second state"
    );
    assert_eq!(
        (count("signals"), count("proposals")),
        ("3".to_owned(), "1".to_owned())
    );
    let id = ran.json()["run"]["tasks"][0]["proposal"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let page = world.loops(["review", &id]).await;
    assert!(page.code == 0 && page.stdout.contains("stats.py"), "{page}");
    let approved = world.loops(["approve", &id]).await;
    assert_eq!(approved.code, 0, "{approved}");
    let again = world.loops(RUN).await;
    assert_eq!(again.json()["run"]["state"], "nothing_to_do", "{again}");
    let audit = world.loops(["audit", "verify"]).await;
    assert!(audit.code == 0 && audit.stdout.contains("whole"), "{audit}");
    let doctor = world.loops(["doctor"]).await;
    assert!(doctor.stdout.contains("PostgreSQL "), "{doctor}");
    world.close().await;
}

#[tokio::test]
async fn a_run_on_postgres_that_is_killed_goes_on_and_comes_to_the_same() {
    let (world, origin) = on_postgres().await;
    let ran = world.loops(RUN).await;
    came_to_the_fix(&origin, &ran);
    let expected = waiting(&world, &origin).await;
    world.close().await;
    for line in ["triage ", "works: run", "T1 proposing"] {
        let (world, origin) = on_postgres().await;
        let mut child = world.spawn(RUN);
        assert!(child.says(line).await, "`{line}` was never said");
        child.kill();
        world.end(child).await;
        let again = world.loops(RUN).await;
        assert_eq!(again.code, 0, "{again}");
        assert!(again.stderr.contains(" goes on"), "after `{line}`: {again}");
        assert_eq!(
            waiting(&world, &origin).await,
            expected,
            "after `{line}`: {again}"
        );
        assert_eq!(origin.branches().len(), 2, "{:?}", origin.branches());
        world.close().await;
    }
}

#[tokio::test]
async fn a_second_loops_on_the_same_postgres_is_told_who_works_there() {
    let (world, _origin) = on_postgres().await;
    let mut child = world.spawn(RUN);
    assert!(child.says("T1 working").await, "it never worked");
    let second = world.loops(["run", "fix", "--state", "elsewhere"]).await;
    assert_eq!(second.code, 1, "{second}");
    assert!(
        second.stderr.contains(&format!("process {}", child.pid())),
        "{second}"
    );
    assert_eq!(world.end(child).await.code, 0);
    world.close().await;
}

#[tokio::test]
async fn a_state_that_was_moved_goes_on_where_it_was_and_can_be_moved_back() {
    let (world, origin) = well().await;
    let ran = world.loops(RUN).await;
    came_to_the_fix(&origin, &ran);
    let before = waiting(&world, &origin).await;
    world.database();
    let asked = world.model().requests().len();

    let moved = world.loops(["store", "move", "--to", "${DATABASE_URL}"]).await;
    assert_eq!(moved.code, 0, "{moved}");
    assert!(moved.stdout.contains("database: ${DATABASE_URL}"), "{moved}");
    assert!(moved.stdout.contains("whole on both sides"), "{moved}");
    let twice = world.loops(["store", "move", "--to", "${DATABASE_URL}"]).await;
    assert_eq!(twice.code, 1, "{twice}");
    assert!(twice.stderr.contains("already"), "{twice}");

    world.settings(HERE);
    std::fs::remove_file(world.state().join("loops.db")).unwrap();
    assert_eq!(waiting(&world, &origin).await, before);
    let again = world.loops(RUN).await;
    assert_eq!(again.json()["run"]["state"], "nothing_to_do", "{again}");
    assert_eq!(world.model().requests().len(), asked);

    let moved = world
        .loops(["store", "move", "--to", "state", "--format", "json"])
        .await;
    assert_eq!(moved.code, 0, "{moved}");
    assert!(moved.json()["rows"].as_u64() > Some(20), "{moved}");
    world.settings("  patience: 2s\n");
    assert_eq!(waiting(&world, &origin).await, before);
    let id = ran.json()["run"]["tasks"][0]["proposal"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(world.loops(["approve", &id]).await.code, 0);
    world.close().await;
}

#[tokio::test]
async fn without_its_address_nothing_is_kept_anywhere_else() {
    let (world, _origin) = well().await;
    world.settings(HERE);
    for command in [["run", "fix"], ["review", "--all"], ["audit", "verify"]] {
        let ran = world.loops(command).await;
        assert_eq!(ran.code, 2, "{ran}");
        assert!(ran.stderr.contains("`DATABASE_URL` is not set"), "{ran}");
    }
    let doctor = world.loops(["doctor"]).await;
    assert!(
        doctor.code == 1 && doctor.stdout.contains("`DATABASE_URL` is not set"),
        "{doctor}"
    );
    assert!(!world.state().join("loops.db").exists());
    assert_eq!(
        world.loops(["validate"]).await.code,
        0,
        "a spec can be judged without"
    );
    world.settings("");
    world.close().await;
}
