//! The service: ticks by schedule, each with its receipt; steered while it runs; stopped, killed and started again.

use harness::world::{Child, LEAD, LoopFile, Said, World};
use serde_json::{Value, json};

const TITLE: &str = "Greet people by name";
const CHECK: &str = "python3 -m unittest -v";

/// A world with one small bug and a loop that ticks every second.
async fn world(schedule: &str) -> World {
    let world = World::start().await;
    world.repository(&[
        ("hello.py", "def greet(name):\n    return f\"Hello {None}\"\n"),
        (
            "test_hello.py",
            "import unittest\n\nfrom hello import greet\n\n\nclass GreetTest(unittest.TestCase):\n    def \
             test_it_greets(self):\n        self.assertIn(\"Hello\", greet(\"Ada\"))\n",
        ),
    ]);
    define(&world, schedule);
    world.feedback(&[Said::by(
        "anna",
        "The greeting says Hello None instead of my name",
    )]);
    world
}

fn define(world: &World, schedule: &str) {
    let yaml = LoopFile::new("fix", CHECK)
        .yaml()
        .replace("{ every: 10m }", schedule);
    world.write(".loops/fix.yaml", &yaml);
}

fn mends(world: &World) {
    world.lead(|s| {
        s.call(
            "spawn",
            json!({"findings": ["F1"], "worker": "fix", "title": TITLE, "goal": "The name must be printed", "acceptance": ["it is"]}),
        )
        .call("wait", json!({}))
        .call("finish", json!({"report": "It greets by name."}))
    });
    world.worker(TITLE, |s| {
        s.call(
            "edit",
            json!({"path": "test_hello.py", "old": "greet(\"Ada\"))\n", "new": "greet(\"Ada\"))\n\n    def \
                   test_it_names(self):\n        self.assertEqual(greet(\"Ada\"), \"Hello Ada\")\n"}),
        )
        .call(
            "edit",
            json!({"path": "hello.py", "old": "{None}", "new": "{name}"}),
        )
        .say("It prints the name now.")
    });
    world.reviewer(TITLE, |s| {
        s.call(
            "verdict",
            json!({"approve": true, "concerns": [], "summary": "It holds."}),
        )
    });
}

async fn said(child: &mut Child, words: &str) {
    assert!(child.says(words).await, "the service never said `{words}`");
}

async fn proposals(world: &World) -> Vec<Value> {
    let all = world.loops(["review", "--all", "--format", "json"]).await.json();
    all.as_array().unwrap().clone()
}

#[tokio::test]
async fn a_tick_brings_a_proposal_and_the_next_ones_cost_nothing() {
    let world = world("{ every: 1s }").await;
    mends(&world);
    let mut service = world.spawn(["serve"]);
    said(&mut service, "starts").await;
    said(&mut service, " done").await;
    let asked = world.model().requests().len();
    said(&mut service, "nothing to do").await;
    said(&mut service, "nothing to do").await;
    assert_eq!(
        world.model().requests().len(),
        asked,
        "a tick without news asks no model"
    );
    service.interrupt();
    let ran = world.end(service).await;
    assert_eq!(ran.code, 0, "{ran}");
    assert_eq!(proposals(&world).await.len(), 1);
    world.close().await;
}

#[tokio::test]
async fn a_paused_loop_leaves_receipts_and_does_nothing_until_it_is_resumed() {
    let world = world("{ every: 1s }").await;
    mends(&world);
    define(&world, "{ every: 1w }");
    let mut service = world.spawn(["serve"]);
    said(&mut service, "next at").await;
    assert_eq!(world.loops(["pause", "fix"]).await.code, 0);
    define(&world, "{ every: 1s }");
    said(&mut service, "skipped, the loop is paused").await;
    assert_eq!(world.model().requests().len(), 0);
    assert_eq!(world.loops(["resume", "fix"]).await.code, 0);
    said(&mut service, " done").await;
    assert_eq!(world.loops(["pause", "nobody"]).await.code, 2);
    service.interrupt();
    assert_eq!(world.end(service).await.code, 0);
    assert_eq!(proposals(&world).await.len(), 1);
    world.close().await;
}

#[tokio::test]
async fn a_spec_that_breaks_while_it_is_served_leaves_the_last_good_one() {
    let world = world("{ every: 1s }").await;
    mends(&world);
    let mut service = world.spawn(["serve"]);
    said(&mut service, "next at").await;
    define(&world, "{ evry: 1s }");
    said(&mut service, "the last good one stays").await;
    said(&mut service, "starts").await;
    service.interrupt();
    assert_eq!(world.end(service).await.code, 0);
    world.close().await;
}

#[tokio::test]
async fn killed_in_the_middle_it_goes_on_at_the_next_start_with_one_proposal() {
    let world = world("{ every: 1s, catch_up: latest }").await;
    mends(&world);
    let mut service = world.spawn(["serve"]);
    said(&mut service, "starts").await;
    world.model().is_asked(LEAD).await;
    service.kill();
    let _ = world.end(service).await;
    let mut service = world.spawn(["serve"]);
    said(&mut service, "goes on").await;
    said(&mut service, " done").await;
    service.interrupt();
    assert_eq!(world.end(service).await.code, 0);
    assert_eq!(proposals(&world).await.len(), 1);
    world.close().await;
}

#[tokio::test]
async fn a_run_is_cancelled_while_it_works_and_when_nobody_drives_it() {
    let world = world("{ every: 1s }").await;
    mends(&world);
    world.model().hold(LEAD);
    let mut service = world.spawn(["serve"]);
    said(&mut service, "starts").await;
    world.model().is_asked(LEAD).await;
    let runs = world.loops(["runs", "--format", "json"]).await.json();
    let id = runs[0]["id"].as_str().unwrap().to_owned();
    let cancelled = world.loops(["cancel", &id]).await;
    assert_eq!(cancelled.code, 0, "{cancelled}");
    said(&mut service, "cancelled").await;
    world.model().release(LEAD);
    service.kill();
    let _ = world.end(service).await;
    let again = world.loops(["cancel", &id]).await;
    assert_eq!(again.code, 2, "what has ended cannot be stopped: {again}");
    for run in world
        .loops(["runs", "--format", "json"])
        .await
        .json()
        .as_array()
        .unwrap()
    {
        if run["ended_at"].is_null() {
            assert_eq!(world.loops(["cancel", run["id"].as_str().unwrap()]).await.code, 0);
        }
    }
    let runs = world.loops(["runs", "--format", "json"]).await.json();
    assert!(
        runs.as_array()
            .unwrap()
            .iter()
            .all(|run| !run["ended_at"].is_null()),
        "{runs:#}"
    );
    world.close().await;
}

#[tokio::test]
async fn a_repository_that_is_gone_leaves_a_failed_receipt_and_is_left_alone_until_somebody_says_otherwise() {
    let world = world("{ every: 1s }").await;
    mends(&world);
    let origin = world.path("origin.git");
    std::fs::rename(&origin, world.path("away.git")).unwrap();
    let mut service = world.spawn(["serve"]);
    said(&mut service, "trouble").await;
    said(&mut service, "skipped, backing off after 1 failure until").await;
    let status = world.loops(["status", "--format", "json"]).await.json();
    let fix = &status["loops"][0];
    assert_eq!(fix["backing_off"]["cause"], "repository", "{status:#}");
    assert_eq!(fix["backing_off"]["failures"], 1);
    assert_eq!(status["service"]["up"], true);
    assert_eq!(status["service"]["process"], service.pid());
    let told = world.loops(["status"]).await;
    assert!(told.stdout.contains("the service is up: process"), "{told}");
    assert!(told.stdout.contains("backing off after 1 failure"), "{told}");
    std::fs::rename(world.path("away.git"), &origin).unwrap();
    assert_eq!(world.loops(["resume", "fix"]).await.code, 0);
    said(&mut service, " done").await;
    service.interrupt();
    assert_eq!(world.end(service).await.code, 0);
    let status = world.loops(["status", "--format", "json"]).await.json();
    assert_eq!(status["loops"][0]["backing_off"], Value::Null);
    assert_eq!(status["loops"][0]["open_proposals"], 1);
    world.close().await;
}

#[tokio::test]
async fn a_loop_that_is_silent_is_said_so_until_it_is_served_again() {
    let world = world("{ every: 1s, catch_up: none }").await;
    world.write("feedback.jsonl", "");
    let mut service = world.spawn(["serve"]);
    said(&mut service, "starts").await;
    service.interrupt();
    assert_eq!(world.end(service).await.code, 0);
    let down = world.loops(["status"]).await;
    assert!(down.stdout.contains("no service is up"), "{down}");
    assert!(
        !down.stdout.contains("silent"),
        "a minute of silence is nothing: {down}"
    );
    // Ten minutes later, by another clock than ours.
    let later = ["status", "--format", "json"];
    let status = world
        .loops_with(later, |command| {
            command.env("LOOPS_TEST_LATER", "600");
        })
        .await
        .json();
    let ticks = status["loops"][0]["silent"]["ticks"].as_u64().unwrap_or_default();
    assert!((590..=1_000).contains(&ticks), "{status:#}");
    let mut service = world.spawn_with(["serve"], |command| {
        command.env("LOOPS_TEST_LATER", "600");
    });
    said(&mut service, "ticks were missed").await;
    said(&mut service, "missed while nothing was running here").await;
    service.interrupt();
    assert_eq!(world.end(service).await.code, 0);
    world.close().await;
}

#[tokio::test]
async fn a_loop_with_triggers_is_refused_and_not_passed_over() {
    let world = world("{ every: 1w }").await;
    let yaml = LoopFile::new("fix", CHECK)
        .more("triggers: [{ github: issues.opened }]\n")
        .yaml();
    world.write(".loops/fix.yaml", &yaml);
    let mut service = world.spawn(["serve"]);
    said(
        &mut service,
        "not available yet: events of GitHub for a repository in a folder",
    )
    .await;
    service.interrupt();
    assert_eq!(world.end(service).await.code, 0);
    let validated = world.loops(["validate"]).await;
    assert!(
        validated.code == 0 && validated.stdout.contains("(`triggers[0].github`)"),
        "{validated}"
    );
    let by_hand = world.loops(["run", "fix", "--dry-run"]).await;
    assert!(
        by_hand.code == 0 && by_hand.stderr.contains("(`triggers[0].github`)"),
        "{by_hand}"
    );
    world.close().await;
}

/// Quiet hours that go on for the next day, less two hours; and those that are over for that long.
fn hours(quiet: bool) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let hour = now / 3600;
    let (from, to) = if quiet {
        (hour + 23, hour + 22)
    } else {
        (hour + 2, hour + 23)
    };
    format!("{:02}:00-{:02}:00", from % 24, to % 24)
}

#[tokio::test]
async fn in_quiet_hours_signals_are_read_and_nothing_is_started_until_they_end() {
    let world = world("{ every: 1w }").await;
    mends(&world);
    let with = |quiet: bool| {
        LoopFile::new("fix", CHECK)
            .more(&format!("triage: {{ quiet: \"{}\" }}\n", hours(quiet)))
            .yaml()
            .replace("{ every: 10m }", "{ every: 1s }")
    };
    world.write(".loops/fix.yaml", &with(true));
    let mut service = world.spawn(["serve"]);
    said(&mut service, "these are the loop's quiet hours").await;
    said(&mut service, "nothing to do").await;
    let findings = world.loops(["findings", "--format", "json"]).await.json();
    assert_eq!(findings[0]["state"], "open", "{findings:#}");
    // The receipt says it, too; the latest tick's may not be written yet.
    loop {
        let status = world.loops(["status"]).await;
        if status
            .stdout
            .contains("skipped, these are the loop's quiet hours")
        {
            break;
        }
        said(&mut service, "nothing to do").await;
    }
    assert_eq!(world.model().requests().len(), 0);
    world.write(".loops/fix.yaml", &with(false));
    said(&mut service, " done").await;
    service.interrupt();
    assert_eq!(world.end(service).await.code, 0);
    assert_eq!(
        proposals(&world).await.len(),
        1,
        "the same signals, after quiet hours"
    );
    world.close().await;
}

#[tokio::test]
async fn quiet_hours_are_said_to_a_person_and_do_not_hold_what_they_start() {
    let world = world("{ every: 10m }").await;
    mends(&world);
    let yaml = LoopFile::new("fix", CHECK)
        .more(&format!("triage: {{ quiet: \"{}\" }}\n", hours(true)))
        .yaml();
    world.write(".loops/fix.yaml", &yaml);
    let dry = world.loops(["run", "fix", "--dry-run"]).await;
    assert!(
        dry.stdout.contains("quiet hours: until ") && dry.stdout.contains("would start 1 task"),
        "{dry}"
    );
    let ran = world.loops(["run", "fix"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.stderr.contains("a person started this run"), "{ran}");
    assert_eq!(proposals(&world).await.len(), 1);
    world.close().await;
}
