//! A change that asks for other dependencies: it is proven, and waits for a person before anything of it leaves.

use harness::{
    model::Script,
    world::{Ran, Repository, World},
};
use serde_json::{Value, json};

use crate::small_story::{
    FILES, RUN, TITLE, came_to_the_fix, end_of_work, lead, people_said, proposed, reviewer, spec,
};

const ADDED: &str = "`flask` 2.1 is added (`requirements.txt`)";

/// A loop with this in its boundaries, whose worker mends the bug and adds a dependency.
async fn told(dependencies: &str) -> (World, Repository) {
    let world = World::start().await;
    world.settings("  patience: 2s\n");
    let origin = world.repository(&FILES);
    let yaml = spec().yaml();
    let with = yaml.replace("boundaries:\n", &format!("boundaries:\n  {dependencies}\n"));
    assert_ne!(yaml, with);
    world.write(".loops/fix.yaml", &with);
    people_said(&world);
    let work = |script: Script| {
        end_of_work(script.call("run", json!({"command": "echo flask==2.1 > requirements.txt"})))
    };
    world.lead(lead).worker(TITLE, work).reviewer(TITLE, reviewer);
    (world, origin)
}

/// The run's one task, which waits.
async fn asked(world: &World, origin: &Repository) -> String {
    let ran = world.loops(RUN).await;
    let run = &ran.json()["run"];
    assert_eq!(run["state"], json!("done"), "{ran}");
    assert_eq!(run["tasks"][0]["state"], json!("asked"), "{ran}");
    assert_eq!(origin.branches(), ["main"], "nothing has left");
    run["tasks"][0]["id"].as_str().unwrap().to_owned()
}

fn of(ran: &Ran) -> Value {
    ran.json()
}

#[tokio::test]
async fn a_change_with_other_dependencies_waits_until_a_person_has_seen_which_and_said_yes() {
    let (world, origin) = told("dependencies: ask").await;
    let id = asked(&world, &origin).await;
    let shown = world.loops(["review", &id]).await;
    assert!(shown.stdout.contains(ADDED), "{shown}");
    let status = of(&world.loops(["status", "--format", "json"]).await);
    assert_eq!(status["plans"][0]["dependencies"], json!([ADDED]), "{status:#}");
    let words = world.loops(["revise", &id, "do it without flask"]).await;
    assert!(
        words.code != 0 && words.stderr.contains("asks for dependencies"),
        "{words}"
    );
    // Others go on meanwhile; the change is proposed where it was proven.
    origin.commit("another file", &[("other.py", "")]);
    let asks = world.model().requests().len();
    let ran = world.loops(["approve", &id, "--format", "json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    assert_eq!(proposed(&origin, &ran).len(), 1, "{ran}");
    assert_eq!(world.model().requests().len(), asks, "nobody had to work again");
    world.close().await;
}

#[tokio::test]
async fn a_change_whose_dependencies_are_refused_never_leaves() {
    let (world, origin) = told("dependencies: ask").await;
    let id = asked(&world, &origin).await;
    let said = world
        .loops(["reject", &id, "--reason", "we do not want flask"])
        .await;
    assert_eq!(said.code, 0, "{said}");
    let again = world.loops(["approve", &id]).await;
    assert!(again.code != 0 && again.stderr.contains("refused"), "{again}");
    assert_eq!(origin.branches(), ["main"]);
    world.close().await;
}

#[tokio::test]
async fn what_is_allowed_is_not_asked_and_what_is_forbidden_is_not_proven() {
    let (world, origin) = told("dependencies: allow").await;
    came_to_the_fix(&origin, &world.loops(RUN).await);
    world.close().await;
    let (world, origin) = told("dependencies: forbid").await;
    let ran = world.loops(RUN).await;
    assert_eq!(of(&ran)["run"]["tasks"][0]["state"], json!("failed"), "{ran}");
    assert_eq!(origin.branches(), ["main"]);
    world.close().await;
}
