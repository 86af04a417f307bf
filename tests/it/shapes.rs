//! The other shapes that a loop can have: without a lead agent, reporting only, looked at before it is run, fed by
//! hand, without a sandbox; and an order that is carried out alone.

use harness::world::{LoopFile, Repository, Said, World};
use serde_json::{Value, json};

const TITLE: &str = "Greet people by name";
const CHECK: &str = "python3 -m unittest -v";
const REPORT: &str = "The greeting says Hello None instead of my name";

/// A world with one small bug, which its tests miss.
async fn world(more: &str) -> (World, Repository) {
    let world = World::start().await;
    let origin = world.repository(&[
        ("hello.py", "def greet(name):\n    return f\"Hello {None}\"\n"),
        ("test_hello.py", "import unittest\n\nfrom hello import greet\n\n\nclass GreetTest(unittest.TestCase):\n    def test_it_greets(self):\n        self.assertIn(\"Hello\", greet(\"Ada\"))\n"),
    ]);
    world.define(&LoopFile::new("fix", CHECK).more(more));
    world.feedback(&[Said::by("anna", REPORT)]);
    (world, origin)
}

/// What agents read a task to be called where no lead agent has given it a name.
const UNLED: &str = "what the reports below describe";

/// What mends it, whatever the task is called.
fn mends(world: &World, title: &str) {
    world.worker(title, |s| {
        s.call(
            "edit",
            json!({"path": "test_hello.py", "old": "greet(\"Ada\"))\n", "new": "greet(\"Ada\"))\n\n    def test_it_names(self):\n        self.assertEqual(greet(\"Ada\"), \"Hello Ada\")\n"}),
        )
        .call("edit", json!({"path": "hello.py", "old": "{None}", "new": "{name}"}))
        .say("The greeting printed None; it prints the name now, and a test says so.")
    });
    world.reviewer(title, |s| {
        s.call(
            "verdict",
            json!({"approve": true, "concerns": [], "summary": "It holds."}),
        )
    });
}

#[tokio::test]
async fn without_a_lead_every_finding_becomes_a_task_and_no_model_leads() {
    let (world, _) = world("lead: none\n").await;
    mends(&world, UNLED);
    let ran = world.loops(["run", "fix", "--format", "json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let run = ran.json()["run"].clone();
    assert_eq!(run["tasks"][0]["proposal"]["state"], "open", "{run:#}");
    let asked = world.model().requests();
    assert!(
        asked
            .iter()
            .all(|request| !request.body.to_string().contains("\"spawn\"")),
        "nobody was told of spawning"
    );
    world.close().await;
}

#[tokio::test]
async fn a_loop_that_only_reports_cannot_spawn_and_changes_nothing() {
    let (world, origin) = world("").await;
    world.write(
        ".loops/fix.yaml",
        &LoopFile::new("fix", CHECK)
            .yaml()
            .replace("as: local", "as: report, autonomy: report"),
    );
    world.lead(|s| {
        s.call(
            "spawn",
            json!({"findings": ["F1"], "worker": "fix", "title": TITLE, "goal": "mend it", "acceptance": []}),
        )
        .call(
            "finish",
            json!({"report": "The greeting prints None; see hello.py line 2."}),
        )
    });
    let ran = world.loops(["run", "fix", "--format", "json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let run = ran.json()["run"].clone();
    assert_eq!(run["tasks"], json!([]));
    assert_eq!(run["report"], "The greeting prints None; see hello.py line 2.");
    assert_eq!(origin.branches(), ["main"]);
    world.close().await;
}

#[tokio::test]
async fn a_dry_run_shows_what_would_be_done_asks_nobody_and_leaves_nothing_behind() {
    let (world, _) = world("budget: { task: 1 USD, run: 2 USD, day: 9 USD }\n").await;
    let ran = world.loops(["run", "fix", "--dry-run", "--format", "json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let plan = ran.json()["dry_run"].clone();
    assert_eq!(plan["findings"].as_array().map(Vec::len), Some(1), "{plan:#}");
    assert_eq!(
        (plan["tasks"].clone(), plan["worst_case"].clone()),
        (json!(1), json!(2.0))
    );
    assert_eq!(world.model().requests().len(), 0);
    assert_eq!(world.loops(["runs", "--format", "json"]).await.json(), json!([]));
    assert_eq!(
        world.loops(["findings", "--format", "json"]).await.json(),
        json!([])
    );
    world.close().await;
}

#[tokio::test]
async fn what_is_imported_by_hand_is_worked_on_by_the_next_run_and_read_once() {
    let (world, _) = world("lead: none\n").await;
    world.feedback(&[]);
    world.write("more.jsonl", &Said::by("ben", REPORT).line());
    let first = world.loops(["import", "more.jsonl", "--format", "json"]).await;
    assert_eq!(
        (first.code, first.json()["new"].clone()),
        (0, json!(1)),
        "{first}"
    );
    assert_eq!(
        world
            .loops(["import", "more.jsonl", "--format", "json"])
            .await
            .json()["new"],
        0
    );
    mends(&world, UNLED);
    let run = world.loops(["run", "fix", "--format", "json"]).await.json()["run"].clone();
    assert_eq!(run["tasks"][0]["proposal"]["state"], "open", "{run:#}");
    world.close().await;
}

#[tokio::test]
async fn an_edited_report_moves_and_its_old_finding_is_counted_anew() {
    let (world, _) = world("lead: none\ntriage: { min_signals: 5 }\n").await;
    let said = |text| vec![Said::by("anna", REPORT).id("1"), Said::by("ben", text).id("2")];
    let count = |findings: Value| {
        let mut counts: Vec<i64> = findings
            .as_array()
            .unwrap()
            .iter()
            .map(|kept| kept["signals"].as_i64().unwrap())
            .collect();
        counts.sort_unstable();
        counts
    };
    world.feedback(&said("The greeting says Hello None instead of my name!"));
    assert_eq!(world.loops(["run", "fix"]).await.code, 0);
    assert_eq!(
        count(world.loops(["findings", "--format", "json"]).await.json()),
        [3]
    );
    world.feedback(&said("Printing an invoice for Switzerland fails with a timeout"));
    assert_eq!(world.loops(["run", "fix"]).await.code, 0);
    assert_eq!(
        count(world.loops(["findings", "--format", "json"]).await.json()),
        [1, 2]
    );
    world.close().await;
}

#[tokio::test]
async fn without_a_sandbox_the_page_says_so_loudly() {
    let (world, _) = world("lead: none\nsandbox: none\n").await;
    mends(&world, UNLED);
    let ran = world.loops(["run", "fix", "--format", "json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let id = ran.json()["run"]["tasks"][0]["proposal"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let page = world.loops(["review", &id, "--markdown"]).await;
    assert!(page.stdout.to_lowercase().contains("no sandbox"), "{page}");
    world.close().await;
}

#[tokio::test]
async fn an_order_is_carried_out_alone_and_a_bad_one_is_explained() {
    let (world, origin) = world("").await;
    let base = origin.head("main");
    let order = |reproduce: &str| {
        json!({
            "attempt": "attempt-00000000000000000000000000000001",
            "task": "task-00000000000000000000000000000001",
            "run": "run-00000000000000000000000000000001",
            "mirror": world.path("origin.git"), "base": base, "start": null,
            "scratch": world.path("scratch"), "setup_cache": world.path("cache"),
            "sandbox": {}, "setup": null, "timeout": "2m",
            "job": { "prove": {
                "change": { "tree": origin.git(&["rev-parse", "main^{tree}"]).trim(), "pack": "" },
                "commands": [{ "name": "unit", "run": CHECK }],
                "reproduce": reproduce, "weakened_tests": "forbid", "baseline": null,
            }},
        })
    };
    world.write("order.json", &order("off").to_string());
    let ran = world.loops(["worker", "exec", "--order", "order.json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let evidence = ran.json()["result"]["proved"]["evidence"].clone();
    assert_eq!(
        (evidence[0]["name"].clone(), evidence[0]["verdict"].clone()),
        (json!("unit"), json!("passed"))
    );
    assert!(ran.stderr.contains("\"report\":\"stage\""), "{ran}");

    world.write("order.json", "{\"attempt\": 7}");
    let bad = world.loops(["worker", "exec", "--order", "order.json"]).await;
    assert_eq!(bad.code, 2);
    assert!(bad.stderr.contains("is not an order"), "{bad}");
    world.close().await;
}

#[tokio::test]
async fn a_loop_without_a_check_is_refused_before_anything_is_spent() {
    let (world, _) = world("").await;
    let yaml = LoopFile::new("fix", CHECK).yaml();
    let from = yaml.find("checks:").unwrap();
    let to = yaml.find("proposal:").unwrap();
    world.write(".loops/fix.yaml", &format!("{}{}", &yaml[..from], &yaml[to..]));
    let ran = world.loops(["run", "fix"]).await;
    assert_eq!(ran.code, 2, "{ran}");
    assert!(
        ran.stderr.contains("nothing that it makes could be proven"),
        "{ran}"
    );
    assert_eq!(world.model().requests().len(), 0);
    world.close().await;
}

#[tokio::test]
async fn every_command_that_reads_takes_the_options_of_all() {
    let (world, _) = world("").await;
    for command in ["status", "runs", "findings", "review"] {
        let ran = world
            .loops(["--state", "elsewhere", "--format", "json", command])
            .await;
        assert_eq!(ran.code, 0, "{ran}");
    }
    world.close().await;
}

#[tokio::test]
async fn a_report_is_no_change_however_the_loop_says_it() {
    let (world, origin) = world("lead: none\n").await;
    let yaml = LoopFile::new("fix", CHECK).more("lead: none\n").yaml();
    world.write(".loops/fix.yaml", &yaml.replace("as: local", "as: report"));
    let ran = world.loops(["run", "fix", "--format", "json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    assert_eq!(ran.json()["run"]["tasks"], json!([]));
    assert_eq!(origin.branches(), ["main"]);
    world.close().await;
}

#[tokio::test]
async fn a_rehearsal_without_a_cassette_asks_nobody() {
    let (world, _) = world("lead: none\n").await;
    let yaml = LoopFile::new("fix", CHECK).more("lead: none\n").yaml();
    world.write(
        ".loops/fix.yaml",
        &yaml.replace("model: standard", "agent: rehearsal, model: standard"),
    );
    let ran = world.loops(["run", "fix"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.stderr.contains("no cassette is played"), "{ran}");
    assert_eq!(world.model().requests().len(), 0);
    world.close().await;
}

#[tokio::test]
async fn findings_that_were_merged_have_one_proposal() {
    let (world, _) = world("").await;
    world.feedback(&[Said::by(
        "ben",
        "Printing an invoice for Switzerland fails with a timeout",
    )]);
    let spawn = |finding: &str| json!({"findings": [finding], "worker": "fix", "title": TITLE, "goal": "The name must be printed", "acceptance": []});
    world.lead(|s| {
        s.call(
            "merge",
            json!({"findings": ["F2"], "into": "F1", "why": "one cause"}),
        )
        .call("spawn", spawn("F1"))
        .call("spawn", spawn("F2"))
        .call("wait", json!({}))
        .call("finish", json!({"report": "One change for both."}))
    });
    mends(&world, TITLE);
    let run = world.loops(["run", "fix", "--format", "json"]).await.json()["run"].clone();
    assert_eq!(run["tasks"].as_array().map(Vec::len), Some(1), "{run:#}");
    let known = world.loops(["findings", "--format", "json"]).await.json();
    let signals: Vec<i64> = known
        .as_array()
        .unwrap()
        .iter()
        .map(|kept| kept["signals"].as_i64().unwrap())
        .collect();
    assert_eq!(signals, [2], "the merged finding has the reports of both");
    world.close().await;
}

#[tokio::test]
async fn one_run_never_puts_more_before_people_than_max_open() {
    let (world, _) = world("lead: none\n").await;
    world.feedback(&[Said::by(
        "ben",
        "Printing an invoice for Switzerland fails with a timeout",
    )]);
    world.define(&LoopFile::new("fix", CHECK).max_open(1).more("lead: none\n"));
    mends(&world, UNLED);
    let run = world.loops(["run", "fix", "--format", "json"]).await.json()["run"].clone();
    assert_eq!(run["findings"].as_array().map(Vec::len), Some(1), "{run:#}");
    assert_eq!(run["tasks"].as_array().map(Vec::len), Some(1), "{run:#}");
    world.close().await;
}

#[tokio::test]
async fn one_file_is_read_once_however_it_is_spelled() {
    let (world, _) = world("lead: none\ntriage: { min_signals: 9 }\n").await;
    let whole = world.path("feedback.jsonl").display().to_string();
    let new = [
        world
            .loops(["import", "feedback.jsonl", "--format", "json"])
            .await
            .json()["new"]
            .clone(),
        world.loops(["import", &whole, "--format", "json"]).await.json()["new"].clone(),
    ];
    assert_eq!(new, [1, 0]);
    assert_eq!(world.loops(["run", "fix"]).await.code, 0);
    let known = world.loops(["findings", "--format", "json"]).await.json();
    assert_eq!(known[0]["signals"], 1, "{known:#}");
    world.close().await;
}

#[tokio::test]
async fn a_branch_that_somebody_has_checked_out_loses_no_proposal() {
    let (world, origin) = world("lead: none\n").await;
    mends(&world, UNLED);
    let run = world.loops(["run", "fix", "--format", "json"]).await.json()["run"].clone();
    let proposal = run["tasks"][0]["proposal"].clone();
    let (id, branch) = (
        proposal["id"].as_str().unwrap(),
        proposal["branch"].as_str().unwrap(),
    );
    let looked_at = world.path("looked-at").display().to_string();
    origin.git(&["worktree", "add", "--quiet", &looked_at, branch]);
    world.worker_told(REPORT, "say it differently", |s| {
        s.call(
            "edit",
            json!({"path": "hello.py", "old": "def greet(name):", "new": "def greet(name):  # by name"}),
        )
        .say("It says so now.")
    });
    let revised = world.loops(["revise", id, "say it differently"]).await;
    assert_eq!(revised.code, 0, "{revised}");
    let all = world.loops(["review", "--all", "--format", "json"]).await.json();
    assert_eq!(
        (all[0]["state"].clone(), all.as_array().map(Vec::len)),
        (json!("open"), Some(1)),
        "{all:#}"
    );
    assert_ne!(
        all[0]["branch"], branch,
        "the checked-out branch is the person's now"
    );
    let head = origin.head(all[0]["branch"].as_str().unwrap());
    assert_eq!(json!(head), all[0]["head"]);
    world.close().await;
}
