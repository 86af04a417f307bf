//! What keeps people from being flooded: a limit for each reviewer over all loops, one dashboard issue, stale proposals
//! that are let go.

use std::time::{Duration, Instant};

use harness::{
    github::{Fault, GitHub, Match},
    world::{LoopFile, SHOP, World},
};
use serde_json::{Value, json};

use crate::cast::{Ratings, proposal, run};

const ISSUES: &str = "/repos/acme/shop/issues";
const BOARD: &str = "Loops: what is open here";
const PLAN_FIRST: &str = "autonomy: plan_first";

/// The numbers of dashboards in the shop.
fn boards(hub: &GitHub) -> Vec<u64> {
    let mut there = hub.world();
    let issues = &there.repo(SHOP).issues;
    let ours = issues.values().filter(|issue| issue.title == BOARD);
    ours.map(|issue| issue.number).collect()
}

fn body(hub: &GitHub, number: u64) -> String {
    let mut there = hub.world();
    there.issue(SHOP, number).body.clone().unwrap_or_default()
}

/// The only dashboard and its text.
fn board(hub: &GitHub) -> (u64, String) {
    let all = boards(hub);
    let [number] = all[..] else {
        panic!("one dashboard: {all:?}")
    };
    (number, body(hub, number))
}

fn edits(hub: &GitHub, number: u64) -> usize {
    let path = format!("{ISSUES}/{number}");
    let requests = hub.requests();
    requests
        .iter()
        .filter(|request| request.method == "PATCH" && request.path == path)
        .count()
}

async fn look(world: &World) -> Value {
    let ran = world.loops(["run", "fix", "--format", "json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    ran.json()["run"].clone()
}

/// The settings anew, with a `review` part.
fn review(shop: &Ratings, hub: &GitHub, yaml: &str) {
    shop.world.set_up(hub, &format!("review: {yaml}\n"));
}

fn asking(keys: &str, name: &str) -> String {
    LoopFile::new(name, Ratings::CHECK)
        .write(["ratings/**", "tests/**"])
        .on_github(SHOP)
        .more(keys)
        .yaml()
        .replace("proposal: {", "proposal: { reviewers: ['@carol'],")
}

#[tokio::test]
async fn a_reviewer_who_has_enough_to_do_holds_all_loops_back_until_it_is_answered() {
    let (shop, hub) = Ratings::on_github().await;
    let shop = shop.well_played();
    review(&shop, &hub, "{ per_reviewer: 1 }");
    for name in ["fix", "other"] {
        shop.world
            .write(&format!(".loops/{name}.yaml"), &asking("", name));
    }
    let id = proposal(&run(&shop.world).await).to_owned();
    let calls = shop.world.model().requests().len();
    let held = shop.world.loops(["run", "other"]).await;
    assert!(
        held.stderr.contains("1 thing waits for `carol`") && held.stderr.contains("counts as 1 of 1"),
        "{held}"
    );
    assert_eq!(
        shop.world.model().requests().len(),
        calls,
        "nobody was asked anything"
    );
    let status = shop.world.loops(["status"]).await;
    assert!(
        status
            .stdout
            .contains("nothing is started: 1 thing waits for `carol`"),
        "{status}"
    );
    look(&shop.world).await;
    let (_, told) = board(&hub);
    assert!(
        told.contains("findings wait for `other`") || told.contains("finding waits for `other`"),
        "{told}"
    );

    // Control: once it is answered, the other loop works.
    let number = hub
        .world()
        .repo(SHOP)
        .issues
        .values()
        .find(|issue| issue.pull.is_some())
        .unwrap()
        .number;
    hub.world().close(SHOP, number, "carol");
    look(&shop.world).await;
    assert_eq!(shop.shown(&id).await["state"], "rejected");
    let ran = shop.world.loops(["run", "other"]).await;
    assert!(!ran.stderr.contains("waits for `carol`"), "{ran}");
    assert!(shop.world.model().requests().len() > calls, "{ran}");
    shop.world.close().await;
}

#[tokio::test]
async fn where_codeowners_decides_what_is_planned_counts_for_the_owners_over_all_loops() {
    let (shop, hub) = Ratings::on_github().await;
    review(&shop, &hub, "{ per_reviewer: 1 }");
    hub.world().commit(
        SHOP,
        "main",
        "carol",
        &[(".github/CODEOWNERS", Some("* @carol\n"))],
        "Owners",
    );
    for name in ["fix", "other"] {
        let yaml = LoopFile::new(name, Ratings::CHECK)
            .write(["ratings/**", "tests/**"])
            .on_github(SHOP)
            .yaml()
            .replace("proposal: {", &format!("proposal: {{ {PLAN_FIRST},"));
        shop.world.write(&format!(".loops/{name}.yaml"), &yaml);
    }
    shop.world.lead_about("ZeroDivisionError", |s| {
        s.call(
            "spawn",
            json!({"findings": ["F1"], "worker": "fix", "title": Ratings::TITLE, "goal": "mean([]) is 0", "acceptance": ["mean([]) is 0"]}),
        )
        .call("finish", json!({"report": "One plan waits."}))
    });
    let shop = shop.well_played();
    run(&shop.world).await;
    let calls = shop.world.model().requests().len();
    let held = shop.world.loops(["run", "other"]).await;
    assert!(held.stderr.contains("1 thing waits for `carol`"), "{held}");
    assert_eq!(
        shop.world.model().requests().len(),
        calls,
        "nobody was asked anything"
    );
    shop.world.close().await;
}

#[tokio::test]
async fn an_idle_owner_of_something_else_makes_no_room_for_who_has_enough_to_do() {
    let (shop, hub) = Ratings::on_github().await;
    let shop = shop.well_played();
    review(&shop, &hub, "{ per_reviewer: 1 }");
    let owners = "* @carol\ndocs/ @dave\n";
    let files = [
        (".github/CODEOWNERS", Some(owners)),
        ("docs/a.md", Some("Of stars\n")),
    ];
    hub.world().commit(SHOP, "main", "carol", &files, "Owners");
    for name in ["fix", "other"] {
        let loop_file = LoopFile::new(name, Ratings::CHECK).write(["ratings/**", "tests/**", "docs/**"]);
        shop.world
            .write(&format!(".loops/{name}.yaml"), &loop_file.on_github(SHOP).yaml());
    }
    run(&shop.world).await;
    let calls = shop.world.model().requests().len();
    let held = shop.world.loops(["run", "other"]).await;
    assert!(held.stderr.contains("1 thing waits for `carol`"), "{held}");
    assert_eq!(
        shop.world.model().requests().len(),
        calls,
        "nobody was asked anything"
    );
    shop.world.close().await;
}

#[tokio::test]
async fn where_no_owner_can_be_asked_what_is_open_holds_the_loop_itself_back() {
    for owners in ["* carol@example.com\n", "* @loops-bot\n"] {
        let (shop, hub) = Ratings::on_github().await;
        let shop = shop.well_played();
        review(&shop, &hub, "{ per_reviewer: 1 }");
        let files = [(".github/CODEOWNERS", Some(owners))];
        hub.world().commit(SHOP, "main", "carol", &files, "Owners");
        run(&shop.world).await;
        let calls = shop.world.model().requests().len();
        let text = "The invoice PDF is in the wrong language, mine came in Danish";
        hub.world().open_issue(SHOP, "carol", "Invoices in Danish", text);
        let held = shop.world.loops(["run", "fix"]).await;
        assert!(
            held.stderr
                .contains("1 thing waits for whoever looks after `fix`"),
            "{owners}: {held}"
        );
        assert_eq!(shop.world.model().requests().len(), calls, "{owners}");
        shop.world.close().await;
    }
}

#[tokio::test]
async fn a_dashboard_is_one_issue_in_spite_of_lost_answers_and_is_edited_only_with_news() {
    let (shop, hub) = Ratings::on_github().await;
    let shop = shop.well_played();
    // Nothing is open yet: there is nothing to tell.
    let fault = hub
        .world()
        .fault(Match::new("POST", ISSUES).exact(), Fault::CutAfter, 1);
    run(&shop.world).await;
    for _ in 0..3 {
        look(&shop.world).await;
    }
    assert_eq!(hub.world().hits(fault), 1);
    let (number, text) = board(&hub);
    for words in [
        Ratings::TITLE,
        "## Open",
        "proofs hold",
        "<!-- loops:board:acme/shop -->",
        "pause it",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(edits(&hub, number), 0, "nothing has changed");

    hub.world().tick(SHOP, number, "carol", "pause it");
    look(&shop.world).await;
    let paused = body(&hub, number);
    assert!(
        paused.contains("let it go on") && !paused.contains("[x]"),
        "{paused}"
    );
    assert_eq!(edits(&hub, number), 1);
    let status = shop.world.loops(["status", "--format", "json"]).await.json();
    assert!(status["loops"][0]["paused_at"].is_string(), "{status:#}");

    // The old text, ticked once more, asks for nothing.
    assert_eq!(shop.world.loops(["resume", "fix"]).await.code, 0);
    let old = text.replace("[ ] pause it", "[x] pause it");
    hub.world().edit_body(SHOP, number, "carol", &old);
    look(&shop.world).await;
    let status = shop.world.loops(["status", "--format", "json"]).await.json();
    assert!(status["loops"][0]["paused_at"].is_null(), "{status:#}");

    // Somebody closes it: it stays closed, and nothing is written to it.
    hub.world().close(SHOP, number, "carol");
    let written = edits(&hub, number);
    assert_eq!(shop.world.loops(["pause", "fix"]).await.code, 0);
    look(&shop.world).await;
    assert_eq!((boards(&hub), edits(&hub, number)), (vec![number], written));
    hub.world().reopen(SHOP, number, "carol");
    look(&shop.world).await;
    assert!(body(&hub, number).contains("let it go on"));
    hub.check();
    shop.world.close().await;
}

#[tokio::test]
async fn a_plan_is_approved_by_a_comment_of_somebody_who_may_and_the_ledger_says_who() {
    let (shop, hub) = Ratings::on_github().await;
    let yaml = Ratings::file()
        .on_github(SHOP)
        .yaml()
        .replace("proposal: {", &format!("proposal: {{ {PLAN_FIRST},"));
    shop.world.write(".loops/fix.yaml", &yaml);
    shop.world.lead_about("ZeroDivisionError", |s| {
        s.call(
            "spawn",
            json!({"findings": ["F1"], "worker": "fix", "title": Ratings::TITLE, "goal": "mean([]) is 0", "acceptance": ["mean([]) is 0"]}),
        )
        .call("finish", json!({"report": "One plan waits."}))
    });
    let shop = shop.well_played();
    run(&shop.world).await;
    look(&shop.world).await;
    let (number, text) = board(&hub);
    let (_, rest) = text.split_once("A plan, `").unwrap();
    let task = rest.split('`').next().unwrap().to_owned();
    let said = |hub: &GitHub| -> Vec<String> {
        let mut there = hub.world();
        let comments = there.repo(SHOP).comments.values();
        comments
            .filter(|comment| comment.issue == number && comment.author == harness::world::BOT)
            .map(|comment| comment.body.clone())
            .collect()
    };
    {
        let mut there = hub.world();
        there.comment(SHOP, number, "mallory", &format!("/loops approve {task}"));
        there.comment(SHOP, number, "carol", "> /loops approve it\n\nShall we?");
        there.comment(SHOP, number, "carol", "/loops approve task-ffffff");
    }
    look(&shop.world).await;
    assert_eq!(
        shop.findings().await,
        ["2 working"],
        "nobody who may has approved it"
    );
    let first = said(&hub);
    assert!(
        first.len() == 1 && first[0].contains("no plan of that id"),
        "{first:#?}"
    );

    hub.world()
        .comment(SHOP, number, "carol", &format!("/loops approve {task}"));
    look(&shop.world).await;
    look(&shop.world).await;
    assert_eq!(shop.findings().await, ["2 proposed"]);
    let all = said(&hub);
    assert!(
        all.len() == 2 && all[1].contains(&format!("the plan `{task}` is approved")),
        "{all:#?}"
    );
    let shown = shop.world.loops(["show", &task]).await;
    assert!(shown.stdout.contains("carol on GitHub"), "{shown}");
    look(&shop.world).await;
    assert_eq!(said(&hub).len(), 2, "each is answered once");
    hub.check();
    shop.world.close().await;
}

#[tokio::test]
async fn a_plan_is_approved_and_a_refusal_taken_back_by_a_tick() {
    let (shop, hub) = Ratings::on_github().await;
    let yaml = Ratings::file()
        .on_github(SHOP)
        .yaml()
        .replace("proposal: {", &format!("proposal: {{ {PLAN_FIRST},"));
    shop.world.write(".loops/fix.yaml", &yaml);
    shop.world.lead_about("ZeroDivisionError", |s| {
        s.call(
            "spawn",
            json!({"findings": ["F1"], "worker": "fix", "title": Ratings::TITLE, "goal": "mean([]) is 0", "acceptance": ["mean([]) is 0"]}),
        )
        .call("finish", json!({"report": "One plan waits."}))
    });
    let shop = shop.well_played();
    run(&shop.world).await;
    look(&shop.world).await;
    let (number, text) = board(&hub);
    assert!(text.contains("A plan, `task-"), "{text}");
    hub.world().tick(SHOP, number, "carol", "approve this plan");
    look(&shop.world).await;
    let after = look(&shop.world).await;
    assert_eq!(shop.findings().await, ["2 proposed"], "{after:#}");
    let (_, text) = board(&hub);
    assert!(
        !text.contains("approve this plan") && !text.contains("[x]"),
        "{text}"
    );

    let pull = hub
        .world()
        .repo(SHOP)
        .issues
        .values()
        .find(|issue| issue.pull.is_some())
        .unwrap()
        .number;
    hub.world()
        .comment(SHOP, pull, "carol", "Not now, see @dave and <img src=x>");
    hub.world().close(SHOP, pull, "carol");
    look(&shop.world).await;
    look(&shop.world).await;
    let (_, text) = board(&hub);
    assert!(text.contains("## Refused") && text.contains("Not now"), "{text}");
    assert!(!text.contains("@dave") && !text.contains("<img"), "{text}");
    hub.world().tick(SHOP, number, "carol", "open it again");
    look(&shop.world).await;
    let listed = shop.world.loops(["findings", "--format", "json"]).await.json();
    assert_ne!(listed[0]["state"], "refused", "{listed:#}");
    shop.world.close().await;
}

#[tokio::test]
async fn a_proposal_that_nobody_answers_is_announced_then_let_go_and_not_refused() {
    let (shop, hub) = Ratings::on_github().await;
    let shop = shop.well_played();
    let id = proposal(&run(&shop.world).await).to_owned();
    let pull = hub
        .world()
        .repo(SHOP)
        .issues
        .values()
        .find(|issue| issue.pull.is_some())
        .unwrap()
        .number;
    review(&shop, &hub, "{ expire_after: 3s }");
    let began = Instant::now();
    while shop.shown(&id).await["state"] == "open" {
        look(&shop.world).await;
        assert!(began.elapsed() < Duration::from_secs(120), "it was never let go");
    }
    look(&shop.world).await;
    assert_eq!(shop.shown(&id).await["state"], "expired");
    let said: Vec<String> = hub
        .world()
        .repo(SHOP)
        .comments
        .values()
        .filter(|comment| comment.issue == pull)
        .map(|comment| comment.body.clone())
        .collect();
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(
        said[0].contains("It will be closed on") && said[1].contains("This is no refusal"),
        "{said:#?}"
    );
    assert!(said.iter().all(|body| body.contains("<!-- loops:")), "{said:#?}");
    {
        let mut there = hub.world();
        assert!(!there.issue(SHOP, pull).open);
        assert!(
            !there
                .repo(SHOP)
                .git
                .branches()
                .iter()
                .any(|(name, _)| name.starts_with("loops/"))
        );
    }
    assert_eq!(shop.findings().await, ["2 open"], "it is not refused");
    let calls = shop.world.model().requests().len();
    look(&shop.world).await;
    assert_eq!(shop.world.model().requests().len(), calls, "it waits for news");
    hub.check();
    shop.world.close().await;
}

/// The shop's only pull request.
fn pull(hub: &GitHub) -> u64 {
    let mut there = hub.world();
    let issues = there.repo(SHOP).issues.values();
    let pulls: Vec<u64> = issues
        .filter(|issue| issue.pull.is_some())
        .map(|issue| issue.number)
        .collect();
    assert_eq!(pulls.len(), 1, "{pulls:?}");
    pulls[0]
}

const DAY: u64 = 86_400;

/// A look by a service whose clock is so many days ahead, while GitHub's is so, too.
async fn look_after(shop: &Ratings, hub: &GitHub, began: i64, days: u64) {
    hub.world().now = began + i64::try_from(days * DAY).unwrap() * 1_000;
    let later = (days * DAY).to_string();
    let ran = shop
        .world
        .loops_with(["run", "fix"], |command| {
            command.env("LOOPS_TEST_LATER", later);
        })
        .await;
    assert_eq!(ran.code, 0, "{ran}");
}

#[tokio::test]
async fn a_comment_of_somebody_with_write_access_keeps_a_proposal_for_as_long_again() {
    // An outsider's word keeps nothing: the same story with another name is the control.
    for (who, kept) in [("carol", true), ("mallory", false)] {
        let (shop, hub) = Ratings::on_github().await;
        let shop = shop.well_played();
        hub.world().advance(Duration::from_secs(3_600));
        let began = hub.world().now;
        let id = proposal(&run(&shop.world).await).to_owned();
        let number = pull(&hub);
        let ours = || {
            let mut there = hub.world();
            let said = there.repo(SHOP).comments.values();
            let said = said.filter(|one| one.issue == number && one.author == harness::world::BOT);
            said.filter(|one| one.body.contains("It will be closed on"))
                .count()
        };
        look_after(&shop, &hub, began, 13).await;
        assert_eq!(ours(), 0, "a week before the end it is announced, not sooner");
        look_after(&shop, &hub, began, 15).await;
        assert_eq!(ours(), 1);
        hub.world().advance(Duration::from_secs(DAY));
        hub.world().comment(SHOP, number, who, "I am coming to it");
        look_after(&shop, &hub, began, 23).await;
        let state = shop.shown(&id).await["state"].clone();
        assert_eq!(state == "open", kept, "{who}: {state}");
        if kept {
            look_after(&shop, &hub, began, 31).await;
            assert_eq!(ours(), 2, "it is announced anew");
            look_after(&shop, &hub, began, 39).await;
            look_after(&shop, &hub, began, 39).await;
            assert_eq!(shop.shown(&id).await["state"], "expired");
        }
        assert!(!hub.world().issue(SHOP, number).open || kept);
        hub.check();
        shop.world.close().await;
    }
}

#[tokio::test]
async fn a_kill_between_looking_for_the_dashboard_and_writing_it_down_leaves_one() {
    // Looked for and not made; made and not written down. The control: GitHub shows nothing to who looks.
    for (method, hides, there_are) in [("GET", false, 1), ("POST", false, 1), ("POST", true, 2)] {
        let (shop, hub) = Ratings::on_github().await;
        let shop = shop.well_played();
        run(&shop.world).await;
        assert_eq!(boards(&hub), [0; 0], "it comes with the next look");
        let child = shop.world.spawn(["run", "fix"]);
        let pid = child.pid().to_string();
        hub.world()
            .after(Match::new(method, ISSUES).exact(), move |there| {
                there.hides_own = hides;
                let killed = std::process::Command::new("kill").args(["-KILL", &pid]).status();
                assert!(
                    killed.is_ok_and(|status| status.success()),
                    "it was there to be killed"
                );
            });
        let ran = shop.world.end(child).await;
        assert_eq!(ran.code, 128 + 9, "{ran}");
        assert_eq!(boards(&hub).len(), usize::from(method == "POST"));
        for _ in 0..2 {
            look(&shop.world).await;
        }
        assert_eq!(boards(&hub).len(), there_are, "{method} {hides}");
        hub.check();
        shop.world.close().await;
    }
}

#[tokio::test]
async fn two_of_those_who_own_what_was_changed_are_asked_to_review_it() {
    let (shop, hub) = Ratings::on_github().await;
    let shop = shop.well_played();
    {
        let mut there = hub.world();
        for person in ["dave", "erin", "fred"] {
            there.grant(SHOP, person, harness::github::Role::Write);
        }
        let owners = "* @fred\nratings/ @erin @dave\ntests/ @erin @loops-bot\ndocs/ @carol\n";
        let files = [(".github/CODEOWNERS", Some(owners))];
        there.commit(SHOP, "main", "carol", &files, "Say who owns what");
    }
    run(&shop.world).await;
    let number = pull(&hub);
    let asked: Vec<String> = hub.world().pull(SHOP, number).reviewers.iter().cloned().collect();
    assert_eq!(
        asked,
        ["dave", "erin"],
        "not who owns the rest, and not ourselves"
    );
    hub.check();
    shop.world.close().await;
}
