//! Loops that a repository defines for itself: read from its base branch only, kept within what is the repository's, and
//! proposed to it by one pull request.

use harness::{
    github::{Fault, GitHub, Match},
    world::{Child, SHOP, World},
};
use serde_json::Value;

use crate::cast::Ratings;

const PULLS: &str = "/repos/acme/shop/pulls";
const SPEC: &str = ".loops/fix.yaml";
const LISTED: &str = "  repositories: [acme/shop]\n  look_every: 1s\n";

/// The loop of the shop, with these changes to its text.
fn spec(changes: &[(&str, &str)]) -> String {
    let mut text = Ratings::file().on_github(SHOP).yaml();
    for (from, to) in changes {
        assert!(text.contains(from), "{from} in {text}");
        text = text.replacen(from, to, 1);
    }
    text
}

/// A world whose settings list a shop on GitHub with these files; the operator's own folder is empty.
async fn world(files: &[(&str, &str)]) -> (World, GitHub) {
    let world = World::start().await;
    let hub = world.github(files, LISTED).await;
    (world, hub)
}

/// The numbers of the shop's pull requests, and whether each is open.
fn pulls(hub: &GitHub) -> Vec<(u64, bool)> {
    let mut there = hub.world();
    let issues = there.repo(SHOP).issues.values();
    issues
        .filter(|issue| issue.pull.is_some())
        .map(|issue| (issue.number, issue.open))
        .collect()
}

/// What was written to GitHub.
fn writes(hub: &GitHub) -> Vec<String> {
    let all = hub.requests();
    let is_write = |method: &str, path: &str| method != "GET" && !path.ends_with("git-upload-pack");
    all.iter()
        .filter(|request| is_write(&request.method, &request.path))
        .map(|request| format!("{} {}", request.method, request.path))
        .collect()
}

async fn validated(world: &World) -> Value {
    world.loops(["validate", "--format", "json"]).await.json()
}

async fn said(child: &mut Child, words: &str) {
    assert!(child.says(words).await, "the service never said `{words}`");
}

#[tokio::test]
async fn only_what_stands_on_the_base_branch_is_a_loop() {
    let (world, hub) = world(&[("README.md", "shop")]).await;
    let none = world.loops(["run", "fix", "--dry-run"]).await;
    assert!(none.all().contains("there is no loop `fix`"), "{none}");
    assert!(none.all().contains("loops init --pr --repo acme/shop"), "{none}");

    {
        let mut there = hub.world();
        there.commit(SHOP, "change", "carol", &[(SPEC, Some(&spec(&[])))], "Add a loop");
        there.open_pull(SHOP, "carol", "change", "main", "Add a loop");
    }
    let proposed = world.loops(["run", "fix", "--dry-run"]).await;
    assert!(proposed.all().contains("there is no loop `fix`"), "{proposed}");

    // Control: the same file on the base branch is one, with its prompt beside it.
    let own = spec(&[("model: standard", "prompt: own.md, model: standard")]);
    let files = [(SPEC, Some(&*own)), (".loops/own.md", Some("Mend {{ name }}"))];
    hub.world().commit(SHOP, "main", "carol", &files, "Add a loop");
    let merged = world.loops(["run", "fix", "--dry-run", "--format", "json"]).await;
    assert_eq!(merged.code, 0, "{merged}");
    let files = validated(&world).await;
    assert_eq!(
        files["files"][0]["file"], "acme/shop/.loops/fix.yaml",
        "{files:#}"
    );
    assert_eq!(files["files"][0]["ok"], true, "{files:#}");
    assert_eq!(writes(&hub), [""; 0], "nothing is said there");
    hub.check();
    world.close().await;
}

#[tokio::test]
async fn what_is_not_the_repositorys_is_refused_and_nothing_is_posted_about_it() {
    let (world, hub) = world(&[
        (
            ".loops/file.yaml",
            &spec(&[
                ("github_issues: {}", "file: { path: /etc/passwd }"),
                ("name: fix", "name: a"),
            ]),
        ),
        (
            ".loops/other.yaml",
            &spec(&[("repo: acme/shop", "repo: acme/other"), ("name: fix", "name: b")]),
        ),
        (
            ".loops/bare.yaml",
            &spec(&[("name: fix", "sandbox: none\nname: c")]),
        ),
        (
            ".loops/dear.yaml",
            &spec(&[("name: fix", "budget: { run: 60 USD, day: 70 USD }\nname: d")]),
        ),
        (
            ".loops/gone.yaml",
            &spec(&[("base: main", "base: gone"), ("name: fix", "name: e")]),
        ),
        (
            ".loops/z-good.yaml",
            &spec(&[("name: fix", "budget: { day: 20 USD }\nname: fix")]),
        ),
        (
            ".loops/z-too-many.yaml",
            &spec(&[("name: fix", "budget: { day: 31 USD }\nname: fix-2")]),
        ),
        (
            ".loops/zz-taken.yaml",
            &spec(&[("name: fix", "budget: { day: 30 USD }\nname: ours")]),
        ),
    ])
    .await;
    world.write(".loops/ours.yaml", &spec(&[("name: fix", "name: ours")]));
    let told = validated(&world).await;
    let all: Vec<(String, Vec<String>)> = told["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            let errors = file["errors"].as_array().unwrap();
            let keys = errors
                .iter()
                .map(|error| error["path"].as_str().unwrap().to_owned());
            (
                file["file"].as_str().unwrap().replace("acme/shop/", "> "),
                keys.collect(),
            )
        })
        .collect();
    let expected = [
        (".loops/ours.yaml", vec![]),
        ("> .loops/bare.yaml", vec!["sandbox"]),
        ("> .loops/dear.yaml", vec!["budget.run", "budget.day"]),
        ("> .loops/file.yaml", vec!["sources[0].file"]),
        ("> .loops/gone.yaml", vec!["base"]),
        ("> .loops/other.yaml", vec!["repo"]),
        ("> .loops/z-good.yaml", vec![]),
        ("> .loops/z-too-many.yaml", vec!["budget.day"]),
        ("> .loops/zz-taken.yaml", vec!["name"]),
    ];
    let expected: Vec<(String, Vec<String>)> = expected
        .iter()
        .map(|(file, keys)| {
            (
                (*file).to_owned(),
                keys.iter().map(|key| (*key).to_owned()).collect(),
            )
        })
        .collect();
    assert_eq!(all, expected, "{told:#}");
    let refused = world.loops(["run", "a", "--dry-run"]).await;
    assert_eq!(refused.code, 2, "{refused}");
    assert_eq!(writes(&hub), [""; 0]);
    hub.check();
    world.close().await;
}

#[tokio::test]
async fn a_name_that_another_repositorys_loop_had_is_not_for_taking() {
    let (world, hub) = world(&[(SPEC, &spec(&[]))]).await;
    assert_eq!(world.loops(["run", "fix"]).await.code, 0);
    // What was found for the shop would be another repository's to see.
    {
        let mut there = hub.world();
        there.commit(SHOP, "main", "carol", &[(SPEC, None)], "Away");
        there.add_repository("eve/own");
        there.grant("eve/own", harness::world::BOT, harness::github::Role::Write);
        let theirs = spec(&[("repo: acme/shop", "repo: eve/own")]);
        there.commit("eve/own", "main", "eve", &[(SPEC, Some(&theirs))], "Mine");
    }
    let token = hub.world().classic_token(harness::world::BOT, &["repo"]);
    world.log_in(&hub, &token, "  repositories: [acme/shop, eve/own]\n");
    let told = world.loops(["run", "fix"]).await;
    assert_eq!(told.code, 2, "{told}");
    assert!(told.all().contains("was a loop of `acme/shop`"), "{told}");
    hub.check();
    world.close().await;
}

#[tokio::test]
async fn a_loop_of_the_operators_is_not_for_its_repository_to_take_over() {
    let (world, hub) = world(&[]).await;
    world.set_up(&hub, LISTED);
    world.define(&Ratings::file().on_github(SHOP));
    assert_eq!(world.loops(["run", "fix"]).await.code, 0);
    hub.world()
        .commit(SHOP, "main", "carol", &[(SPEC, Some(&spec(&[])))], "Take it over");
    // The operator's file is broken for a moment.
    std::fs::write(world.path(".loops/fix.yaml"), "name: fix\nkind: [\n").unwrap();
    let told = world.loops(["run", "fix"]).await;
    assert_eq!(told.code, 2, "{told}");
    let validated = world.loops(["validate"]).await;
    assert!(
        format!("{told}{validated}").contains("was a loop of the operator's own folder"),
        "{told}\n{validated}"
    );
    hub.check();
    world.close().await;
}

#[tokio::test]
async fn the_service_follows_the_base_branch_and_keeps_the_last_good_form() {
    let often = spec(&[("every: 10m", "every: 1s")]);
    let (world, hub) = world(&[("README.md", "shop")]).await;
    world.set_up(&hub, &format!("{LISTED}  limits: {{ every: 1s }}\n"));
    let mut child = world.spawn(["serve"]);
    said(&mut child, "has no loops in `.loops` on `main`").await;
    hub.world()
        .commit(SHOP, "main", "carol", &[(SPEC, Some(&often))], "Add a loop");
    said(&mut child, "loop      fix: next at").await;
    said(&mut child, "run       fix: the tick of").await;
    hub.world().commit(
        SHOP,
        "main",
        "carol",
        &[(SPEC, Some("name: fix\nkind: none\n"))],
        "Break it",
    );
    said(&mut child, "`acme/shop/.loops/fix.yaml` has").await;
    said(&mut child, "run       fix: the tick of").await;
    hub.world()
        .commit(SHOP, "main", "carol", &[(SPEC, None)], "Away with it");
    said(&mut child, "has no loops in `.loops` on `main`").await;
    child.interrupt();
    world.end(child).await;
    hub.check();
    world.close().await;
}

#[tokio::test]
async fn the_last_good_form_is_served_after_a_restart_also_while_github_is_down() {
    let (world, hub) = world(&[(SPEC, &spec(&[]))]).await;
    let mut child = world.spawn(["serve"]);
    said(&mut child, "loop      fix: next at").await;
    let broken = [(SPEC, Some("name: fix\nkind: none\n"))];
    hub.world().commit(SHOP, "main", "carol", &broken, "Break it");
    said(&mut child, "`acme/shop/.loops/fix.yaml` has").await;
    child.interrupt();
    world.end(child).await;

    hub.world()
        .fault(Match::new("GET", "/repos/"), Fault::Status(503), 10_000);
    let mut child = world.spawn(["serve"]);
    said(&mut child, "the last good one stays").await;
    said(&mut child, "loop      fix: next at").await;
    child.interrupt();
    world.end(child).await;

    // It is held to what the operator allows now.
    world.set_up(&hub, &format!("{LISTED}  limits: {{ day: 1 USD }}\n"));
    let mut child = world.spawn(["serve"]);
    said(&mut child, "cannot be read now").await;
    child.interrupt();
    let ended = world.end(child).await;
    assert!(!ended.all().contains("loop      fix: next at"), "{ended}");
    world.close().await;
}

#[tokio::test]
async fn a_pace_and_a_number_of_loops_that_leave_others_nothing_are_refused() {
    let named = |name: &str| {
        spec(&[(
            "name: fix",
            &format!("name: {name}\nbudget: {{ task: 1 USD, run: 1 USD, day: 1 USD }}"),
        )])
    };
    let often = spec(&[("every: 10m", "every: 1s")]);
    let (world, hub) = world(&[
        (".loops/a.yaml", &often),
        (".loops/b.yaml", &named("b")),
        (".loops/c.yaml", &named("c")),
    ])
    .await;
    world.set_up(&hub, &format!("{LISTED}  limits: {{ loops: 1 }}\n"));
    let told = validated(&world).await;
    let errors: Vec<String> = told["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["errors"][0]["path"].as_str().unwrap_or("good").to_owned())
        .collect();
    assert_eq!(errors, ["schedule.every", "good", "name"], "{told:#}");
    hub.check();
    world.close().await;
}

#[tokio::test]
async fn loops_that_could_not_be_looked_at_are_not_called_right() {
    let (world, hub) = world(&[(SPEC, &spec(&[]))]).await;
    assert_eq!(world.loops(["validate"]).await.code, 0);
    let fault = hub
        .world()
        .fault(Match::new("GET", "/repos/acme/shop"), Fault::Status(404), 1_000);
    let told = world.loops(["validate"]).await;
    assert_ne!(told.code, 0, "{told}");
    assert!(told.stderr.contains("could not be looked at now"), "{told}");
    assert!(hub.world().hits(fault) > 0);
    world.close().await;
}

#[tokio::test]
async fn an_unchanged_repository_costs_nothing() {
    let (world, hub) = world(&[(SPEC, &spec(&[]))]).await;
    let mut child = world.spawn(["serve"]);
    said(&mut child, "loop      fix: next at").await;
    child.interrupt();
    world.end(child).await;
    let fetches = |hub: &GitHub| {
        let all = hub.requests();
        all.iter()
            .filter(|request| request.path.ends_with("git-upload-pack") && request.method == "POST")
            .count()
    };
    let before = fetches(&hub);
    let told = validated(&world).await;
    assert_eq!(told["files"][0]["ok"], true);
    // Where the branch is was asked; nothing was fetched.
    assert!(
        fetches(&hub) - before <= 1,
        "{} fetches more",
        fetches(&hub) - before
    );
    hub.check();
    world.close().await;
}

/// Types `loops init --pr`: its exit code, what it printed, and all that it said.
async fn init(world: &World, again: bool) -> (i32, Value, String) {
    let ran = if again {
        let args = ["init", "--pr", "--again", "--repo", SHOP, "--format", "json"];
        world.loops(args).await
    } else {
        world
            .loops(["init", "--pr", "--repo", SHOP, "--format", "json"])
            .await
    };
    let json = if ran.code == 0 { ran.json() } else { Value::Null };
    (ran.code, json, ran.all())
}

#[tokio::test]
async fn first_loops_are_proposed_once_updated_and_refused_for_good() {
    let (world, hub) = world(&[
        ("tests/test_a.py", "import unittest\n"),
        (".github/workflows/ci.yml", "on: push\n"),
    ])
    .await;
    {
        let mut there = hub.world();
        let text = "ZeroDivisionError: division by zero on products without ratings, the page crashes";
        let issue = there.open_issue(SHOP, "dave", "A product without ratings crashes the page", text);
        there.comment(
            SHOP,
            issue,
            "carol",
            "Same here: ZeroDivisionError: division by zero",
        );
    }
    let fault = hub.world().fault(Match::new("POST", PULLS), Fault::CutAfter, 1);
    let (code, opened, all) = init(&world, false).await;
    assert_eq!((code, hub.world().hits(fault)), (0, 1), "{all}");
    let [(number, true)] = pulls(&hub)[..] else {
        panic!("{:?}", pulls(&hub))
    };
    assert_eq!(opened["done"], "opened", "{all}");
    assert_eq!(opened["loops"][0]["loop"], "shop-issues", "{opened:#}");
    let body = hub.world().issue(SHOP, number).body.clone().unwrap();
    for words in [
        "<!-- loops:start ",
        "ratings",
        "Nothing runs here before it is merged",
        "shop-ci",
        "What it can never do",
    ] {
        assert!(body.contains(words), "{words} in\n{body}");
    }
    assert_eq!(world.model().requests().len(), 0, "no model is asked");

    let (_, again, _) = init(&world, false).await;
    assert_eq!(
        (&again["done"], pulls(&hub).len()),
        (&Value::from("unchanged"), 1)
    );
    // What the dry run finds changes each day; what it says of it is kept up.
    let another = "The invoice PDF is in the wrong language, mine came in Danish";
    hub.world()
        .open_issue(SHOP, "carol", "Invoices in Danish", another);
    let (_, kept_up, _) = init(&world, false).await;
    assert_eq!(kept_up["done"], "updated");
    let written = hub.world().issue(SHOP, number).body.clone().unwrap();
    assert_ne!(written, body, "control: it says something else today");
    // Until a maintainer writes into it.
    let theirs = format!("{written}\nCarol: we merge this on Friday.\n");
    hub.world().edit_body(SHOP, number, "carol", &theirs);
    let text = "Searching for umlauts finds nothing since the last release";
    hub.world().open_issue(SHOP, "carol", "No umlauts", text);
    let (code, left, _) = init(&world, false).await;
    assert_eq!((code, &left["done"]), (0, &Value::from("unchanged")));
    assert_eq!(hub.world().issue(SHOP, number).body.as_deref(), Some(&*theirs));
    let before = world.loops(["run", "shop-issues", "--dry-run"]).await;
    assert!(
        before.all().contains("there is no loop"),
        "not before it is merged: {before}"
    );

    hub.world().commit(
        SHOP,
        "main",
        "carol",
        &[
            ("tests/test_a.py", None),
            ("package.json", Some(r#"{"scripts":{"test":"x"}}"#)),
        ],
        "Node",
    );
    let (_, renewed, all) = init(&world, false).await;
    assert_eq!(
        (&renewed["done"], pulls(&hub).len()),
        (&Value::from("updated"), 1),
        "{all}"
    );

    hub.world().commit(
        SHOP,
        "loops/start",
        "carol",
        &[(".loops/issues.yaml", None)],
        "Not this one",
    );
    let head = hub.world().head(SHOP, "loops/start");
    let (_, theirs, _) = init(&world, false).await;
    assert_eq!(theirs["done"], "left_alone");
    assert_eq!(hub.world().head(SHOP, "loops/start"), head);

    hub.world().close(SHOP, number, "carol");
    let (code, _, all) = init(&world, false).await;
    assert!(
        code == 2 && all.contains("refused it before") && all.contains("--again"),
        "{all}"
    );
    hub.world().delete_branch(SHOP, "loops/start", "carol");
    let (code, _, all) = init(&world, false).await;
    assert_eq!(code, 2, "it is remembered without the branch, too: {all}");
    let (code, _, all) = init(&world, true).await;
    assert_eq!(
        (code, pulls(&hub).iter().filter(|(_, open)| *open).count()),
        (0, 1),
        "{all}"
    );

    // Control: once it is merged, they run.
    let last = pulls(&hub).last().unwrap().0;
    hub.world().merge(SHOP, last, "carol");
    let after = world.loops(["run", "shop-issues", "--dry-run"]).await;
    assert_eq!(after.code, 0, "{after}");
    let (code, _, all) = init(&world, true).await;
    assert!(code == 2 && all.contains("has loops in `.loops`"), "{all}");
    hub.check();
    world.close().await;
}

#[tokio::test]
async fn a_renamed_loop_brings_its_repository_no_new_money() {
    let budget = "budget: { day: DAY USD, run: DAY USD, task: DAY USD }\nname: fix";
    let with = |day: &str| spec(&[("name: fix", &budget.replace("DAY", day))]);
    let (world, hub) = world(&[("README.md", "shop"), (SPEC, &with("10"))]).await;
    {
        let mut there = hub.world();
        for n in 0..30 {
            let (path, text) = (
                format!("notes/{n}.md"),
                format!("Note {n}: {}", "words ".repeat(100)),
            );
            there.commit(SHOP, "main", "carol", &[(&*path, Some(&*text))], "A note");
        }
        let text = "ZeroDivisionError: division by zero on products without ratings, the page crashes";
        let issue = there.open_issue(SHOP, "dave", "A product without ratings crashes the page", text);
        there.comment(
            SHOP,
            issue,
            "carol",
            "Same here: ZeroDivisionError: division by zero",
        );
    }
    // What it spends is more than a first call needs.
    world.lead(|s| {
        let read = |s: harness::model::Script, n| {
            s.call("read", serde_json::json!({"path": format!("notes/{n}.md")}))
        };
        let reads = (0..30).fold(s, read);
        reads.call("finish", serde_json::json!({"report": "Nothing for me."}))
    });
    let first = world.loops(["run", "fix", "--format", "json"]).await;
    assert_eq!(first.code, 0, "{first}");
    let spent = first.json()["run"]["usage"]["cost_usd"].as_f64().unwrap();

    // The operator lets it have less, and whoever can push there gives the loop another name, within that.
    let day = format!("{spent:.6}");
    let renamed = with(&day).replace("name: fix", "name: mend");
    hub.world()
        .commit(SHOP, "main", "carol", &[(SPEC, Some(&renamed))], "Another name");
    let limits = |day: &str| format!("{LISTED}  limits: {{ day: {day} USD, run: {day} USD }}\n");
    world.set_up(&hub, &limits(&day));
    let second = world.loops(["run", "mend"]).await;
    assert_eq!(second.code, 3, "{second}");
    assert!(second.all().contains("repository `acme/shop`"), "{second}");

    // Control: with more for the repository it gets it.
    let more = with(&format!("{:.6}", spent * 3.0)).replace("name: fix", "name: mend");
    hub.world()
        .commit(SHOP, "main", "carol", &[(SPEC, Some(&more))], "More");
    world.set_up(&hub, &limits(&format!("{:.6}", spent * 5.0)));
    let third = world.loops(["run", "mend", "--format", "json"]).await;
    assert_eq!(third.code, 0, "{third}");
    hub.check();
    world.close().await;
}
