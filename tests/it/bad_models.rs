//! Models that fail, lie and wander: each run ends clearly, nothing is lost, and nothing is spent beyond a cap.

use std::time::{Duration, Instant};

use harness::{
    model::{Fault, Script, Turn},
    world::{LEAD, Ran, World},
};
use loops::{budget::Money, id::RunId};
use orchestrator::store::{Store, calls};
use serde_json::{Value, json};

use crate::small_story::{
    CHECK, RUN, TITLE, came_to_nothing, came_to_the_fix, end_of_work, follow, lead, reviewer, spec, task,
    told, well, worker,
};

/// Standard error says all of this, and is no longer than a person reads.
fn says(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, code, "{ran}");
    for words in words {
        assert!(ran.stderr.contains(words), "`{words}` is not in {ran}");
    }
    let error = ran
        .stderr
        .lines()
        .skip_while(|line| !line.starts_with("error:"))
        .count();
    assert!((1..=3).contains(&error), "an error has one to three lines: {ran}");
    assert!(!ran.stderr.contains("panicked"), "{ran}");
}

/// What the run cost, by the sum in the store.
async fn spent(world: &World, ran: &Ran) -> Money {
    let run: RunId = ran.json()["run"]["id"].as_str().unwrap().parse().unwrap();
    let store = Store::open(&world.state()).await.unwrap();
    calls::spend_of_run(&store, run).await.unwrap().cost
}

#[tokio::test]
async fn a_model_that_is_overloaded_and_rate_limited_is_waited_for() {
    let (world, origin) = told().await;
    world.settings("  patience: 10s\n");
    world.lead(|s| lead(s.faults(4, Fault::Overloaded)));
    world.worker(TITLE, |s| {
        worker(s.fault(Fault::ServerError).fault(Fault::RateLimited(1)))
    });
    world.reviewer(TITLE, reviewer);
    let begun = Instant::now();
    came_to_the_fix(&origin, &world.loops(RUN).await);
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "`retry-after` was not waited for"
    );
    let refused = world
        .model()
        .requests()
        .iter()
        .filter(|request| request.status != 200)
        .count();
    assert_eq!(refused, 6);
    world.close().await;
}

#[tokio::test]
async fn a_model_that_never_gets_well_fails_the_run_and_the_next_one_takes_the_findings_up_again() {
    let (world, origin) = well().await;
    world.settings("  patience: 300ms\n");
    for fault in [Fault::Overloaded, Fault::CutBeforeFirstByte] {
        world.model().outage(Some(fault));
        says(
            &world.loops(RUN).await,
            1,
            &[
                "the lead agent could not do its work",
                "nothing is lost: `loops run fix`",
            ],
        );
        came_to_nothing(&world, &origin).await;
    }
    world.model().outage(None);
    came_to_the_fix(&origin, &world.loops(RUN).await);
    world.close().await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again_and_nothing_is_done_twice() {
    let (world, origin) = told().await;
    world.lead(|s| {
        let s = s
            .call("signals", json!({"finding": "F1"}))
            .fault(Fault::CutInStream)
            .fault(Fault::CutBeforeFirstByte);
        follow(s.call("spawn", task()))
    });
    world.worker(TITLE, |s| {
        let s = s
            .fault(Fault::Malformed)
            .call("read", json!({"path": "stats.py"}));
        end_of_work(
            s.fault(Fault::CutInStream)
                .fault(Fault::ErrorInStream("overloaded_error")),
        )
    });
    world.reviewer(TITLE, |s| reviewer(s.fault(Fault::CutInStream)));
    let ran = world.loops(RUN).await;
    came_to_the_fix(&origin, &ran);
    assert_eq!(ran.json()["run"]["tasks"].as_array().unwrap().len(), 1, "{ran}");
    assert_eq!(
        ran.json()["run"]["usage"]["estimated"],
        true,
        "what broke off was paid for, too: {ran}"
    );
    world.close().await;
}

#[tokio::test]
async fn invented_tools_and_inputs_that_are_no_json_are_answered_and_mended() {
    let (world, origin) = told().await;
    world.lead(|s| {
        let s = s.call("merge_pull_request", json!({"now": true}));
        let s = s.turn(Turn::new().call_raw("spawn", "{\"findings\": [\"F1\", "));
        let s = s.call(
            "spawn",
            json!({"findings": ["F9"], "worker": "fix", "title": "x", "goal": "x", "acceptance": []}),
        );
        let s = s.call("spawn", json!({"findings": "F1"}));
        follow(s.call("spawn", task()))
    });
    world.worker(TITLE, |s| {
        let s = s
            .call("sudo", json!({}))
            .turn(Turn::new().call_raw("edit", "path=stats.py"));
        end_of_work(s.call("read", json!({"file": "stats.py"})))
    });
    world.reviewer(TITLE, |s| {
        reviewer(s.turn(Turn::new().call_raw("verdict", "yes")))
    });
    let ran = world.loops(RUN).await;
    came_to_the_fix(&origin, &ran);
    let heard: Vec<String> = world
        .model()
        .requests()
        .iter()
        .flat_map(|request| request.last_texts())
        .collect();
    for words in [
        "no tool `merge_pull_request`",
        "not valid JSON",
        "no finding `F9`",
        "There is no tool `sudo`",
    ] {
        assert!(
            heard.iter().any(|text| text.contains(words)),
            "{words} is not in {heard:#?}"
        );
    }
    world.close().await;
}

#[tokio::test]
async fn a_worker_that_only_claims_success_brings_nothing_before_people() {
    let (world, origin) = told().await;
    world.lead(lead);
    world.worker(TITLE, |s| {
        s.call("run", json!({"command": CHECK}))
            .say("I fixed it. All tests pass now.")
    });
    let ran = world.loops(RUN).await;
    assert_eq!(ran.code, 4, "{ran}");
    assert_eq!(
        ran.json()["run"]["tasks"][0]["why"],
        "no attempt changed anything",
        "{ran}"
    );
    came_to_nothing(&world, &origin).await;
    world.close().await;
}

#[tokio::test]
async fn a_model_that_never_stops_is_stopped() {
    let (world, origin) = told().await;
    world.lead(lead);
    world.worker(TITLE, |s| s.call("read", json!({"path": "stats.py"})).forever());
    let ran = world.loops(RUN).await;
    assert_eq!(ran.code, 4, "{ran}");
    came_to_nothing(&world, &origin).await;
    let asked = world.model().requests_of(&format!("# Task: {TITLE}\n")).len();
    assert!(asked < 40, "it was asked {asked} times");
    world.close().await;

    let (world, origin) = told().await;
    world.lead(|s| s.call("list", json!({})).forever());
    says(
        &world.loops(RUN).await,
        1,
        &["the lead agent could not do its work", "because"],
    );
    came_to_nothing(&world, &origin).await;
    assert!(world.model().requests_of(LEAD).len() < 40);
    world.close().await;
}

#[tokio::test]
async fn a_model_that_answers_nothing_fails_the_run() {
    let (world, origin) = told().await;
    world.lead(|s| s.turn(Turn::new()).forever());
    says(
        &world.loops(RUN).await,
        1,
        &["the lead agent could not do its work", "empty"],
    );
    came_to_nothing(&world, &origin).await;
    world.close().await;
}

#[tokio::test]
async fn a_key_that_is_refused_is_named_and_not_tried_again() {
    let (world, origin) = well().await;
    world.model().outage(Some(Fault::WrongKey));
    says(
        &world.loops(RUN).await,
        1,
        &[
            "no model could be asked",
            "the model key was refused",
            "LOOPS_TEST_KEY",
            "loops doctor",
        ],
    );
    assert_eq!(world.model().requests().len(), 1);
    came_to_nothing(&world, &origin).await;
    world.model().outage(None);
    came_to_the_fix(&origin, &world.loops(RUN).await);
    world.close().await;
}

#[tokio::test]
async fn without_a_key_nobody_is_asked_and_the_findings_wait_for_one() {
    let (world, origin) = well().await;
    for _ in 0..2 {
        let ran = world
            .loops_with(RUN, |command| {
                command.env_remove("LOOPS_TEST_KEY");
            })
            .await;
        says(
            &ran,
            1,
            &[
                "no model could be asked",
                "set the environment variable `LOOPS_TEST_KEY`",
            ],
        );
    }
    assert!(world.model().requests().is_empty());
    came_to_the_fix(&origin, &world.loops(RUN).await);
    world.close().await;
}

/// Reads on and on, never the same.
fn reads_on(script: Script) -> Script {
    let next = |body: &Value| {
        let turn = body["messages"].as_array().map_or(1, Vec::len);
        Turn::new().call("read", json!({"path": "stats.py", "offset": 1, "limit": turn}))
    };
    script.reply(next).forever()
}

#[tokio::test]
async fn a_budget_that_is_too_small_stops_the_run_and_is_never_passed() {
    let cases = [
        ("the run", "{ task: 0.08 USD, run: 0.08 USD, day: 1 USD }", 0.08),
        (
            "the day",
            "{ task: 0.08 USD, run: 0.08 USD, day: 0.08 USD }",
            0.08,
        ),
        ("the task", "{ task: 0.04 USD, run: 1 USD, day: 1 USD }", 1.0),
    ];
    for (which, caps, most) in cases {
        let (world, origin) = told().await;
        world.define(&spec().more(&format!("budget: {caps}\n")));
        if which == "the task" {
            world.lead(lead).worker(TITLE, reads_on);
        } else {
            world.lead(reads_on);
        }
        let ran = world.loops(RUN).await;
        says(
            &ran,
            3,
            &["a budget stopped the run", "because", "raise `budget` in"],
        );
        let spent = spent(&world, &ran).await;
        assert!(
            spent <= Money::usd(most) && spent > Money::ZERO,
            "{which}: {spent}"
        );
        came_to_nothing(&world, &origin).await;
        world.close().await;
    }
}
