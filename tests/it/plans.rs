//! A loop that asks first: its tasks wait as plans, and people approve, change or refuse them before any worker begins.

use harness::world::{Child, Said, World};
use serde_json::{Value, json};

use crate::cast::{Ratings, run};

const PLAN_FIRST: &str = "autonomy: plan_first";
/// What the lead agent's session is chosen by.
const ABOUT: &str = "ZeroDivisionError";

/// The shop, whose loop asks first. With `keys` as further keys of the spec.
async fn asking(keys: &str) -> Ratings {
    let shop = Ratings::world().await;
    ask(&shop.world, 5, keys);
    shop
}

fn ask(world: &World, max_open: u32, keys: &str) {
    let yaml = Ratings::file()
        .max_open(max_open)
        .more(keys)
        .yaml()
        .replace("proposal: {", &format!("proposal: {{ {PLAN_FIRST},"));
    assert!(yaml.contains(PLAN_FIRST), "{yaml}");
    world.write(".loops/fix.yaml", &yaml);
}

/// A lead agent that spawns one task and ends, as one does that need not wait; and the rest as always.
fn planning(shop: Ratings) -> Ratings {
    shop.world.lead_about(ABOUT, |s| {
        s.call(
            "spawn",
            json!({"findings": ["F1"], "worker": "fix", "title": Ratings::TITLE, "goal": "mean([]) is 0", "acceptance": ["mean([]) is 0"]}),
        )
        .call("wait", json!({}))
        .call("finish", json!({"report": "One plan waits."}))
    });
    shop.well_played()
}

async fn planned(shop: &Ratings) -> String {
    let run = run(&shop.world).await;
    assert_eq!(
        (&run["state"], &run["tasks"][0]["state"]),
        (&json!("done"), &json!("planned")),
        "{run:#}"
    );
    assert_eq!(run["tasks"][0]["attempts"], json!([]), "no worker began");
    run["tasks"][0]["id"].as_str().unwrap().to_owned()
}

async fn listed(world: &World) -> Vec<Value> {
    let all = world.loops(["review", "--format", "json"]).await.json();
    all.as_array().unwrap().clone()
}

async fn said(child: &mut Child, words: &str) {
    assert!(child.says(words).await, "the service never said `{words}`");
}

#[tokio::test]
async fn a_plan_waits_beside_its_ended_run_and_its_approval_brings_a_proposal() {
    let shop = planning(asking("").await);
    let task = planned(&shop).await;
    let told = &shop.world.model().requests_of(ABOUT)[1].last_texts();
    assert!(
        told.iter()
            .any(|text| text.contains("waits for a person's approval")),
        "the lead agent knows: {told:?}"
    );
    let plans = listed(&shop.world).await;
    assert_eq!(plans.len(), 1, "{plans:#?}");
    assert_eq!(
        (&plans[0]["id"], &plans[0]["state"]),
        (&json!(task), &json!("waiting"))
    );
    let shown = shop.world.loops(["review", &task]).await;
    for words in [
        Ratings::TITLE,
        "It is done when",
        "2 signals from 2 people",
        "ratings/**",
        "3.00",
        "loops approve",
    ] {
        assert!(shown.stdout.contains(words), "{words}: {shown}");
    }
    assert_eq!(shop.world.loops(["show", &task]).await.stdout, shown.stdout);
    let status = shop.world.loops(["status"]).await;
    assert!(status.stdout.contains("1 plan for you"), "{status}");

    shop.said_again();
    let again = run(&shop.world).await;
    assert_eq!(
        (&again["state"], &again["findings"]),
        (&json!("nothing_to_do"), &json!([])),
        "what is planned is not handed out again: {again:#}"
    );
    assert_eq!(shop.findings().await, ["4 working"]);

    let moved = shop
        .origin
        .commit("Say hello", &[("ratings/hello.py", "HELLO = 1\n")]);
    let approved = shop.world.loops(["approve", &task, "--format", "json"]).await;
    assert_eq!(approved.code, 0, "{approved}");
    let proposal = &approved.json()["run"]["tasks"][0]["proposal"];
    assert_eq!(
        (&proposal["state"], &proposal["base"]),
        (&json!("open"), &json!(moved)),
        "it is made on the base of now: {approved}"
    );
    assert_eq!(shop.findings().await, ["4 proposed"]);
    assert_eq!(
        shop.world.model().requests_of(ABOUT).len(),
        3,
        "the lead agent was not asked again"
    );
    let merged = shop.world.loops(["approve", &task]).await;
    assert_eq!(merged.code, 0, "now the id names the proposal: {merged}");
    assert_eq!(shop.findings().await, ["4 fixed"]);
    shop.world.close().await;
}

#[tokio::test]
async fn the_service_goes_on_with_a_plan_that_another_process_approves() {
    let shop = planning(asking("").await);
    let task = planned(&shop).await;
    let mut service = shop.world.spawn(["serve"]);
    said(&mut service, "next at").await;
    let approved = shop.world.loops(["approve", &task]).await;
    assert!(
        approved.stdout.contains("goes on with it by itself"),
        "{approved}"
    );
    said(&mut service, "a plan was approved").await;
    said(&mut service, " done").await;
    service.interrupt();
    assert_eq!(shop.world.end(service).await.code, 0);
    assert_eq!(shop.findings().await, ["2 proposed"]);
    shop.world.close().await;
}

#[tokio::test]
async fn a_run_under_way_takes_up_an_approval_without_ending_first() {
    const OTHER: &str = "Write invoices in the right language";
    let shop = asking("").await;
    shop.world.feedback(&[Said::by(
        "eva",
        "The invoice PDF is in the wrong language, mine came in Danish",
    )]);
    shop.world.lead_about(ABOUT, |s| {
        let spawn = |finding: &str, title: &str| {
            ("spawn", json!({"findings": [finding], "worker": "fix", "title": title, "goal": title, "acceptance": [title]}))
        };
        s.calls([spawn("F1", Ratings::TITLE), spawn("F2", OTHER)])
            .call("finish", json!({"report": "Two plans wait."}))
    });
    let shop = shop.well_played();
    for _ in 0..2 {
        shop.world.worker(OTHER, |s| s.say("There is nothing to change."));
    }
    let run = run(&shop.world).await;
    let ids: Vec<&str> = (0..2).map(|n| run["tasks"][n]["id"].as_str().unwrap()).collect();
    let worker = format!("# Task: {}\n", Ratings::TITLE);
    shop.world.model().hold(&worker);
    let mut service = shop.world.spawn(["serve"]);
    said(&mut service, "next at").await;
    assert_eq!(shop.world.loops(["approve", ids[0]]).await.code, 0);
    shop.world.model().is_asked(&worker).await;
    assert_eq!(shop.world.loops(["approve", ids[1]]).await.code, 0);
    shop.world.model().is_asked(&format!("# Task: {OTHER}\n")).await;
    shop.world.model().release(&worker);
    said(&mut service, " done").await;
    service.interrupt();
    let ran = shop.world.end(service).await;
    assert_eq!(
        ran.stderr.matches("a plan was approved").count(),
        1,
        "one run: {ran}"
    );
    let tasks = shop
        .world
        .loops(["show", run["id"].as_str().unwrap(), "--format", "json"])
        .await
        .json();
    let states = [0, 1].map(|n| tasks["run"]["tasks"][n]["state"].as_str().unwrap().to_owned());
    assert_eq!(states, ["proposed", "failed"]);
    shop.world.close().await;
}

#[tokio::test]
async fn a_persons_words_become_a_part_of_the_plan_and_reach_the_worker() {
    const WORDS: &str = "Leave stats.py alone but for one line";
    let shop = planning(asking("").await);
    let task = planned(&shop).await;
    let revised = shop.world.loops(["revise", &task, WORDS]).await;
    assert_eq!(revised.code, 0, "{revised}");
    assert_eq!(
        shop.world.model().requests_of(Ratings::TITLE).len(),
        0,
        "it waits on"
    );
    let shown = shop.world.loops(["review", &task]).await;
    assert!(
        shown.stdout.contains(WORDS) && shown.stdout.contains("waiting since"),
        "{shown}"
    );
    let too_many = "x".repeat(17_000);
    let refused = shop.world.loops(["revise", &task, &too_many]).await;
    assert_eq!(refused.code, 1, "{refused}");

    let approved = shop.world.loops(["approve", &task]).await;
    assert_eq!(approved.code, 0, "{approved}");
    let brief = shop
        .world
        .model()
        .requests()
        .into_iter()
        .find(|request| request.last_texts().join("").contains("# Task: "))
        .unwrap();
    assert!(brief.last_texts().join("").contains(WORDS));
    shop.world.close().await;
}

#[tokio::test]
async fn a_refused_plan_is_remembered_as_a_refusal_of_its_findings() {
    let shop = planning(asking("").await);
    let task = planned(&shop).await;
    let rejected = shop
        .world
        .loops(["reject", &task, "--reason", "we want the error"])
        .await;
    assert_eq!(rejected.code, 0, "{rejected}");
    assert_eq!(shop.findings().await, ["2 refused"]);
    for late in [
        shop.world.loops(["approve", &task]).await,
        shop.world.loops(["revise", &task, "no, do it"]).await,
    ] {
        assert!(
            late.code == 1 && late.stderr.contains("refused by tester"),
            "{late}"
        );
    }
    shop.said_again();
    let again = run(&shop.world).await;
    assert_eq!(again["state"], "nothing_to_do", "{again:#}");
    let all = shop
        .world
        .loops(["review", "--all", "--format", "json"])
        .await
        .json();
    assert_eq!(
        (&all[0]["state"], &all[0]["words"]),
        (&json!("refused"), &json!("we want the error"))
    );
    assert_eq!(listed(&shop.world).await, [] as [Value; 0]);
    shop.world.close().await;
}

#[tokio::test]
async fn without_a_lead_agent_plans_wait_too_and_count_as_open() {
    let shop = asking("lead: none\n").await;
    ask(&shop.world, 1, "lead: none\n");
    planned(&shop).await;
    assert_eq!(
        shop.world.model().requests().len(),
        0,
        "nobody was asked anything"
    );
    shop.world.feedback(&[Said::by(
        "eva",
        "The invoice PDF is in the wrong language, mine came in Danish",
    )
    .at("2026-03-04T09:00:00Z")]);
    let held = shop.world.loops(["run", "fix"]).await;
    assert!(
        held.stderr.contains("1 proposals and plans wait for a person"),
        "{held}"
    );
    assert_eq!(listed(&shop.world).await.len(), 1);
    shop.world.close().await;
}
