//! Stopped at any point, by a person or by the machine: nothing is lost, nothing is done twice.
//!
//! Each test stops a run at the moment when it says a certain line, starts it again, and compares what came of it with
//! what comes of a run that nobody disturbs.

use harness::world::{LEAD, Ran, Repository, World};
use orchestrator::store::{Store, calls, runs};

use serde_json::Value;

use crate::{
    fan::replays,
    small_story::{RUN, TITLE, came_to_the_fix, well},
};

/// Every line that a run of the small story says, in the order in which it comes to them; each is a part of the one that
/// is printed.
const LINES: [&str; 18] = [
    " begins",
    "collect ",
    "triage ",
    "lead      signals",
    "lead      spawn",
    "task      T1",
    "T1 working",
    "works: workspace",
    "works: agent",
    "works: edit stats.py",
    "works: run",
    "works: capture",
    "T1 proving",
    "T1 reviewing",
    "reviews: read",
    "T1 proposing",
    "proposed as",
    "lead      finish",
];

/// What an undisturbed run proposes.
async fn undisturbed() -> Vec<(String, String)> {
    let (world, origin) = well().await;
    let ran = world.loops(RUN).await;
    came_to_the_fix(&origin, &ran);
    let mut at = 0;
    for line in LINES {
        let found = ran.stderr[at..]
            .find(line)
            .unwrap_or_else(|| panic!("`{line}` comes next in {ran}"));
        at += found;
    }
    let found = waiting(&world, &origin).await;
    world.close().await;
    found
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stop {
    Interrupt,
    Kill,
}

/// Stops a run at each of these lines, each in a world of its own, and lets it go on.
async fn stopped_at(how: Stop, lines: &[&str]) {
    let expected = undisturbed().await;
    for line in lines {
        let (world, origin) = well().await;
        let mut child = world.spawn(RUN);
        assert!(child.says(line).await, "`{line}` was never said");
        match how {
            Stop::Interrupt => child.interrupt(),
            Stop::Kill => child.kill(),
        }
        let ran = world.end(child).await;
        match how {
            Stop::Kill => assert_eq!(ran.code, 128 + 9, "{ran}"),
            // The run may end in the same moment.
            Stop::Interrupt if ran.code == 0 => {}
            Stop::Interrupt => {
                assert_eq!(ran.code, 130, "{ran}");
                assert!(ran.stderr.contains("nothing is lost"), "{ran}");
            }
        }
        let again = world.loops(RUN).await;
        if ran.code != 0 && *line != LINES[17] {
            assert!(
                again.stderr.contains(" goes on"),
                "after `{line}` the same run goes on: {again}"
            );
        }
        let run = again.json()["run"].clone();
        came_to_the_same(&world, &origin, &expected, again).await;
        replays(&world, &run, false).await;
        world.close().await;
    }
}

/// All proposals there ever were, as (title, tree).
async fn waiting(world: &World, origin: &Repository) -> Vec<(String, String)> {
    let review = world.loops(["review", "--all", "--format", "json"]).await.json();
    let word = |proposal: &Value, key: &str| proposal[key].as_str().unwrap().to_owned();
    let all = review.as_array().unwrap().iter();
    all.map(|proposal| {
        assert_eq!(proposal["state"], "open", "{review:#}");
        let tree = origin.git(&["rev-parse", &format!("{}^{{tree}}", word(proposal, "branch"))]);
        (word(proposal, "title"), tree)
    })
    .collect()
}

/// The run that was started again went to its end, and the one after it finds nothing to do.
async fn came_to_the_same(world: &World, origin: &Repository, expected: &[(String, String)], ran: Ran) {
    assert_eq!(ran.code, 0, "{ran}");
    let again = world.loops(RUN).await;
    assert_eq!(again.code, 0, "{again}");
    assert_eq!(again.json()["run"]["state"], "nothing_to_do", "{again}");
    assert_eq!(waiting(world, origin).await, expected, "{ran}");
    assert_eq!(origin.branches().len(), 2, "{:?}", origin.branches());
    every_call_is_counted(world).await;
}

/// Every answer that the model gave stands in the store, with what it cost or may have cost.
async fn every_call_is_counted(world: &World) {
    let answered = world
        .model()
        .requests()
        .iter()
        .filter(|request| request.status == 200)
        .count();
    let store = Store::open(&world.state()).await.unwrap();
    let mut counted = 0;
    for run in runs::list(&store, None, None, 100).await.unwrap() {
        counted += calls::spend_of_run(&store, run.id).await.unwrap().calls;
    }
    assert!(
        counted as usize >= answered,
        "{counted} calls are counted, and {answered} were answered"
    );
}

#[tokio::test]
async fn interrupted_at_any_stage_it_goes_on_to_the_same_proposal() {
    stopped_at(
        Stop::Interrupt,
        &[
            LINES[0], LINES[2], LINES[4], LINES[9], LINES[12], LINES[14], LINES[16],
        ],
    )
    .await;
}

#[tokio::test]
async fn killed_before_a_worker_works_it_goes_on_to_the_same_proposal() {
    stopped_at(Stop::Kill, &LINES[..6]).await;
}

#[tokio::test]
async fn killed_while_a_worker_works_it_goes_on_to_the_same_proposal() {
    stopped_at(Stop::Kill, &LINES[6..12]).await;
}

#[tokio::test]
async fn killed_after_a_worker_has_worked_it_goes_on_to_the_same_proposal() {
    stopped_at(Stop::Kill, &LINES[12..]).await;
}

#[tokio::test]
async fn killed_while_a_model_answers_the_call_is_charged_and_made_again() {
    let worker = format!("# Task: {TITLE}\n");
    let reviewer = format!("# Change under review: {TITLE}\n");
    let expected = undisturbed().await;
    for session in [LEAD, &worker, &reviewer] {
        let (world, origin) = well().await;
        world.model().hold(session);
        let child = world.spawn(RUN);
        world.model().is_asked(session).await;
        child.kill();
        assert_eq!(world.end(child).await.code, 128 + 9);
        world.model().release(session);
        let run = world.loops(RUN).await;
        assert_eq!(
            run.json()["run"]["usage"]["estimated"],
            true,
            "nobody knows what it used: {run}"
        );
        came_to_the_same(&world, &origin, &expected, run).await;
        world.close().await;
    }
}
