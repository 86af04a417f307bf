//! People's pull requests as a source, and our own evidence beside our own pull requests.

use std::path::Path;

use harness::{
    github::{APP_PRIVATE_KEY, APP_PUBLIC_KEY, Access, Fault, GitHub, Match, Selection},
    world::{BOT, SHOP},
};
use loops::spec::{GithubPulls, IssueState};
use orchestrator::{
    config::Config,
    github::{Hub, Repository},
};

use crate::cast::{Ratings, run};

/// A hub with the shop, and what the service's own reader sees of it.
async fn shop() -> (GitHub, Repository) {
    let hub = GitHub::start_at(hours_ago(48)).await;
    let token = {
        let mut there = hub.world();
        there.add_repository(SHOP);
        there.commit(SHOP, "main", "carol", &[("a.txt", Some("a"))], "The shop");
        there.commit(SHOP, "release", "carol", &[("a.txt", Some("b"))], "Released");
        there.grant(SHOP, BOT, harness::github::Role::Write);
        there.classic_token(BOT, &["repo"])
    };
    let text = format!(
        "github: {{ api: '{}', token: '${{T}}', write_gap: 0s }}",
        hub.url()
    );
    let env = move |name: &str| (name == "T").then(|| token.clone());
    let config = Config::read(Path::new("loops.yaml"), &text, Some("/nowhere".into()), &env).unwrap();
    let reader = Hub::new(&config.github).unwrap().unwrap();
    (hub, reader.repository("acme", "shop").unwrap())
}

fn hours_ago(hours: i64) -> i64 {
    orchestrator::clock::now().0 - hours * 3_600_000
}

/// A pull request of carol's from a branch of this name.
fn opened(hub: &GitHub, branch: &str, base: &str, body: &str) -> u64 {
    let mut there = hub.world();
    there.commit(
        SHOP,
        branch,
        "carol",
        &[(&*format!("{branch}.txt"), Some("x"))],
        branch,
    );
    let number = there.open_pull(SHOP, "carol", branch, base, &format!("About {branch}"));
    there.edit_body(SHOP, number, "carol", body);
    number
}

fn source() -> GithubPulls {
    GithubPulls {
        labels: vec![],
        states: vec![IssueState::Open],
        bases: vec![],
        comments: true,
        reviews: true,
    }
}

/// Reads to the end: what was given, as id and text, and the cursor.
async fn read(
    shop: &Repository,
    source: &GithubPulls,
    cursor: Option<String>,
) -> (Vec<(String, String)>, String) {
    let mut cursor = cursor;
    let mut all = Vec::new();
    loop {
        let batch = shop.read_pulls(source, cursor.as_deref()).await.unwrap();
        assert!(batch.skipped.is_empty(), "{:?}", batch.skipped);
        all.extend(
            batch
                .signals
                .into_iter()
                .map(|signal| (signal.external_id, signal.text)),
        );
        cursor = Some(batch.cursor);
        if !batch.more {
            return (all, cursor.unwrap());
        }
    }
}

fn ids(read: &[(String, String)]) -> Vec<&str> {
    let mut all: Vec<&str> = read.iter().map(|(id, _)| id.as_str()).collect();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn what_people_propose_and_say_about_it_is_read_once_and_ours_is_left_out() {
    let (hub, shop) = shop().await;
    let theirs = opened(&hub, "carry", "main", "It carries over");
    let ours = opened(&hub, "own", "main", "The page\n\n<!-- loops:proposal:x -->");
    let (comment, line, review) = {
        let mut there = hub.world();
        let issue = there.open_issue(SHOP, "dave", "No pull request", "It crashes");
        there.comment(SHOP, issue, "erin", "Not read");
        there.comment(SHOP, ours, "erin", "Not read, either");
        there.review(
            SHOP,
            ours,
            "erin",
            "CHANGES_REQUESTED",
            "That is the conversation's",
        );
        there.react(SHOP, theirs, "erin", "+1");
        let comment = there.comment(SHOP, theirs, "erin", "It fails for me");
        there.comment(SHOP, theirs, BOT, "We said so <!-- loops:news:x -->");
        let line = there.review_comment(SHOP, theirs, "erin", ("carry.txt", 1), "Why x?");
        let review = there.review(SHOP, theirs, "dave", "CHANGES_REQUESTED", "Please test it");
        there.review(SHOP, theirs, "dave", "APPROVED", "");
        (comment, line, review)
    };
    let (first, cursor) = read(&shop, &source(), None).await;
    let mut wanted = vec![
        format!("pull:{theirs}"),
        format!("comment:{comment}"),
        format!("line:{line}"),
        format!("review:{review}"),
    ];
    wanted.sort();
    assert_eq!(ids(&first), wanted, "{first:#?}");
    let text = |id: &str| first.iter().find(|(one, _)| one == id).unwrap().1.as_str();
    assert_eq!(text(&format!("pull:{theirs}")), "About carry\n\nIt carries over");
    assert_eq!(text(&format!("line:{line}")), "carry.txt:1: Why x?");
    assert_eq!(
        text(&format!("review:{review}")),
        "Changes requested: Please test it"
    );

    // Nothing is new, and after one look at it that costs nothing.
    let (again, cursor) = read(&shop, &source(), Some(cursor)).await;
    assert_eq!(ids(&again), [""; 0]);
    let before = hub.requests().len();
    let (again, cursor) = read(&shop, &source(), Some(cursor)).await;
    assert_eq!(ids(&again), [""; 0]);
    let asked = hub.requests().split_off(before);
    assert!(asked.len() >= 3, "control: it did ask");
    assert!(asked.iter().all(|request| !request.cost), "{asked:#?}");

    // A later review alone makes it be looked at again.
    hub.world().advance(std::time::Duration::from_secs(600));
    let later = hub
        .world()
        .review(SHOP, theirs, "erin", "COMMENTED", "One thing more");
    let (news, cursor) = read(&shop, &source(), Some(cursor)).await;
    assert!(ids(&news).contains(&&*format!("review:{later}")), "{news:#?}");
    // An edit has the same id.
    hub.world().edit_comment(SHOP, comment, "It fails for me, too");
    let (news, _) = read(&shop, &source(), Some(cursor)).await;
    assert!(
        news.contains(&(format!("comment:{comment}"), "It fails for me, too".to_owned())),
        "{news:#?}"
    );
    hub.check();
}

#[tokio::test]
async fn only_what_the_filters_ask_for_is_read() {
    let (hub, shop) = shop().await;
    let (on_main, on_release) = (
        opened(&hub, "one", "main", "1"),
        opened(&hub, "two", "release", "2"),
    );
    let closed = opened(&hub, "three", "main", "3");
    {
        let mut there = hub.world();
        there.label(SHOP, on_main, "help", "carol");
        for number in [on_main, on_release, closed] {
            there.comment(SHOP, number, "erin", "Said");
        }
        there.close(SHOP, closed, "carol");
    }
    let pulls = |read: &[(String, String)]| -> Vec<String> {
        let all = read.iter().filter(|(id, _)| id.starts_with("pull:"));
        all.map(|(id, _)| id.clone()).collect()
    };
    let comments =
        |read: &[(String, String)]| read.iter().filter(|(id, _)| id.starts_with("comment:")).count();
    for (asked, wanted) in [
        (source(), vec![on_main, on_release]),
        (
            GithubPulls {
                bases: vec!["release".into()],
                ..source()
            },
            vec![on_release],
        ),
        (
            GithubPulls {
                labels: vec!["help".into()],
                ..source()
            },
            vec![on_main],
        ),
        (
            GithubPulls {
                states: vec![IssueState::Closed],
                ..source()
            },
            vec![closed],
        ),
    ] {
        let (found, _) = read(&shop, &asked, None).await;
        let wanted: Vec<String> = wanted.iter().map(|number| format!("pull:{number}")).collect();
        assert_eq!(pulls(&found), wanted, "{asked:?}");
        assert_eq!(comments(&found), wanted.len(), "{asked:?}: {found:#?}");
    }
    let quiet = GithubPulls {
        comments: false,
        reviews: false,
        ..source()
    };
    assert_eq!(comments(&read(&shop, &quiet, None).await.0), 0);
    hub.check();
}

#[tokio::test]
async fn an_app_carries_the_evidence_as_one_check_run_and_a_token_as_a_status() {
    // Control: with a token GitHub takes no check run, and a status stands there.
    let (shop, hub) = Ratings::on_github().await;
    let shop = shop.well_played();
    run(&shop.world).await;
    {
        let mut there = hub.world();
        let repo = there.repo(SHOP);
        assert_eq!((repo.checks.len(), repo.statuses.len()), (0, 1));
    }
    hub.check();
    shop.world.close().await;

    let (shop, hub) = Ratings::on_github().await;
    let shop = shop.well_played();
    let now = hours_ago(0);
    {
        let mut there = hub.world();
        let behind = now - there.now;
        there.advance(std::time::Duration::from_millis(u64::try_from(behind).unwrap()));
        let app = there.add_app("loops", "acme", APP_PUBLIC_KEY);
        let all =
            ["contents", "issues", "pull_requests", "checks", "statuses"].map(|name| (name, Access::Write));
        there.install(app, "acme", Selection::All, &all);
        shop.world.write("app.pem", APP_PRIVATE_KEY);
        let text = format!(
            "github:\n  api: {}\n  app: {{ id: {app}, key_file: app.pem }}\n  write_gap: 0s\n",
            hub.url()
        );
        drop(there);
        shop.world.settings(&text);
    }
    let key = shop.world.path("app.pem");
    std::fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    // GitHub makes it, and the answer never comes: it is looked for, and not made twice.
    let fault = hub.world().fault(
        Match::new("POST", "/repos/acme/shop/check-runs"),
        Fault::CutAfter,
        1,
    );
    run(&shop.world).await;
    assert_eq!(hub.world().hits(fault), 1);
    {
        let mut there = hub.world();
        let head = there
            .repo(SHOP)
            .issues
            .values()
            .find_map(|issue| Some(issue.pull.as_ref()?.head_sha.clone()));
        let repo = there.repo(SHOP);
        let checks: Vec<_> = repo.checks.values().collect();
        assert_eq!((checks.len(), repo.statuses.len()), (1, 0), "{checks:#?}");
        let check = checks[0];
        assert_eq!(
            (check.name.as_str(), Some(&check.sha)),
            ("loops/fix", head.as_ref())
        );
        assert_eq!(check.conclusion.as_deref(), Some("success"));
        assert!(check.external_id.as_ref().unwrap().starts_with("loops:"));
        let summary = check.output[1].clone().unwrap();
        assert!(summary.contains("reproduc"), "the evidence: {summary}");
    }
    hub.check();
    shop.world.close().await;
}
