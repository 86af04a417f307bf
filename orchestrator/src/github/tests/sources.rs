//! Issues as signals, over HTTP.

use loops::{
    signal::Voice,
    spec::{GithubIssues, IssueState},
};
use serde_json::json;

use super::*;
use crate::github::GitHubError;

fn source() -> GithubIssues {
    GithubIssues {
        labels: vec!["bug".to_owned()],
        states: vec![IssueState::Open],
        comments: true,
    }
}

#[tokio::test]
async fn issues_and_comments_are_read_once_and_what_we_wrote_is_left_out() {
    let (stub, shop) = shop().await;
    let at = soon(-3_600);
    let mut pull = issue(2, &at);
    pull["pull_request"] = json!({});
    let mut ours = issue(3, &at);
    ours["body"] = json!("Status\n<!-- loops:dashboard -->");
    let mut bot = issue(4, &at);
    bot["user"] = json!({ "login": "ci[bot]", "type": "Bot" });
    let broken = json!({ "number": 5, "title": 9 });
    let other = json!({ "id": 1_009, "number": 9, "title": "t", "state": "open", "labels": [], "created_at": at,
                        "updated_at": at, "html_url": "u" });
    let mut under_pull = comment(22, 2, "of a pull request");
    under_pull["html_url"] = json!("https://h/acme/shop/pull/2#issuecomment-22");
    stub.on("GET /user", [reply(200, json!({ "login": "loops-account" }))])
        .on(
            "GET /repos/acme/shop/issues",
            [reply(200, json!([issue(1, &at), pull, ours, bot, broken]))],
        )
        .on("GET /repos/acme/shop/issues/9", [reply(200, other)])
        .on(
            "GET /repos/acme/shop/issues/comments",
            [reply(
                200,
                json!([comment(21, 1, "me, too"), under_pull, comment(23, 9, "not a bug")]),
            )],
        );
    let batch = shop.read_issues(&source(), None).await.unwrap();
    let ids: Vec<&str> = batch
        .signals
        .iter()
        .map(|signal| signal.external_id.as_str())
        .collect();
    assert_eq!(ids, ["issue:1", "issue:4", "comment:21"]);
    let first = &batch.signals[0];
    assert_eq!(
        (first.source.as_str(), first.text.as_str()),
        ("github:acme/shop", "Title 1\n\nBody")
    );
    assert_eq!(first.reactions.iter().next(), Some((&"+1".to_owned(), &2)));
    assert_eq!(batch.signals[1].voice, Voice::Machine);
    assert_eq!(batch.signals[2].thread.as_deref(), Some("issue:1"));
    assert_eq!(batch.skipped.len(), 1);
    assert!(batch.skipped[0].place.contains("issue 5"), "{:?}", batch.skipped);
    assert!(!batch.more);
    let again = shop.read_issues(&source(), Some(&batch.cursor)).await.unwrap();
    assert_eq!((again.signals, again.cursor), (vec![], batch.cursor.clone()));
    // An edit has the same id, and other settings read anew.
    let mut edited = issue(1, &at);
    edited["body"] = json!("Now with more");
    stub.on("GET /repos/acme/shop/issues", [reply(200, json!([edited]))]);
    let edit = shop.read_issues(&source(), Some(&batch.cursor)).await.unwrap();
    assert_eq!(edit.signals.len(), 1);
    assert_eq!(edit.signals[0].id, batch.signals[0].id);
    let open = GithubIssues {
        labels: vec![],
        ..source()
    };
    let anew = shop.read_issues(&open, Some(&batch.cursor)).await.unwrap();
    assert!(
        anew.signals
            .iter()
            .any(|signal| signal.external_id == "comment:21")
    );
}

#[tokio::test]
async fn a_failed_job_is_one_signal_for_each_try() {
    let (stub, shop) = shop().await;
    let run = |attempt: u64| {
        json!({ "workflow_runs": [{ "id": 4, "run_attempt": attempt, "name": "CI", "path": ".github/workflows/ci.yml",
                 "event": "push", "head_repository": { "full_name": "Acme/Shop" }, "head_branch": "main", "created_at": soon(-600) }] })
    };
    let jobs = |id: u64| {
        json!({ "jobs": [
            { "id": id, "run_id": 4, "name": "test", "conclusion": "failure", "steps": [], "html_url": "u" },
            { "id": id + 50, "run_id": 4, "name": "lint", "conclusion": "success", "steps": [] },
        ] })
    };
    stub.on("GET /repos/acme/shop/actions/runs", [reply(200, run(1))])
        .on(
            "GET /repos/acme/shop/actions/runs/4/attempts/1/jobs",
            [reply(200, jobs(10))],
        )
        .on(
            "GET /repos/acme/shop/actions/runs/4/attempts/2/jobs",
            [reply(200, jobs(20))],
        )
        .on(
            "GET /repos/acme/shop/actions/jobs/10/logs",
            [reply(200, "2026-11-01T00:00:00.0Z boom\n")],
        );
    let source = loops::spec::GithubActions {
        workflows: vec!["ci.yml".to_owned()],
        branches: vec![],
        events: vec![],
    };
    let first = shop.read_actions(&source, "main", None).await.unwrap();
    assert_eq!(first.signals.len(), 1);
    assert_eq!(first.signals[0].external_id, "job:10/1");
    assert_eq!(first.signals[0].text, "CI / test failed on main\n\nboom");
    assert!(
        stub.seen("GET /repos/acme/shop/actions/runs")[0]
            .path
            .contains("branch=main")
    );
    let same = shop
        .read_actions(&source, "main", Some(&first.cursor))
        .await
        .unwrap();
    assert_eq!((same.signals.len(), &same.cursor), (0, &first.cursor));
    stub.on("GET /repos/acme/shop/actions/runs", [reply(200, run(2))]);
    let second = shop
        .read_actions(&source, "main", Some(&first.cursor))
        .await
        .unwrap();
    // Its log is gone; the failure is told all the same.
    assert_eq!(second.signals[0].external_id, "job:20/2");
    // So it is if whoever keeps the logs does not let us.
    stub.on(
        "GET /repos/acme/shop/actions/jobs/20/logs",
        [reply(403, json!({ "message": "no" }))],
    );
    let again = shop
        .read_actions(&source, "main", Some(&first.cursor))
        .await
        .unwrap();
    assert_eq!(again.signals[0].external_id, "job:20/2");
    // A log that cannot be reached now is asked for again: nothing is told without it.
    let log = "GET /repos/acme/shop/actions/jobs/20/logs";
    let read = async || shop.read_actions(&source, "main", Some(&first.cursor)).await;
    stub.on(log, [reply(502, "")]);
    let error = read().await.unwrap_err();
    assert!(matches!(error, GitHubError::Unreachable { .. }), "{error}");
    let nobody = reply(302, "").with("location", "http://127.0.0.1:1/log");
    stub.on(log, [nobody]);
    let error = read().await.unwrap_err();
    assert!(matches!(error, GitHubError::Unreachable { .. }), "{error}");
    // Whoever keeps the logs answers, and does not give it: that may be so for days.
    let (keeper, elsewhere) = Stub::start().await;
    keeper.on("GET /log", [reply(503, "")]);
    let there = reply(302, "").with("location", elsewhere.join("/log").unwrap());
    stub.on(log, [there]);
    assert_eq!(read().await.unwrap().signals[0].text, "CI / test failed on main");
    keeper.on("GET /log", [reply(200, "2026-11-01T00:00:00.0Z boom\n")]);
    assert!(read().await.unwrap().signals[0].text.ends_with("boom"));
    let other = loops::spec::GithubActions {
        workflows: vec!["nightly.yml".to_owned()],
        branches: vec![],
        events: vec![],
    };
    assert_eq!(
        shop.read_actions(&other, "main", None).await.unwrap().signals,
        vec![]
    );
}

#[tokio::test]
async fn a_run_that_an_outsider_can_start_or_fill_is_not_read() {
    let (stub, shop) = shop().await;
    let run = |id: u64, event: &str, from: Value| {
        json!({ "id": id, "run_attempt": 1, "name": "CI", "path": ".github/workflows/ci.yml", "event": event,
                "head_repository": from, "head_branch": "main", "created_at": soon(-600) })
    };
    let (here, fork) = (
        json!({ "full_name": "acme/shop" }),
        json!({ "full_name": "mallory/shop" }),
    );
    let runs = [
        run(1, "pull_request", fork.clone()),
        run(2, "push", fork),
        run(3, "push", json!(null)),
        run(4, "pull_request_target", here.clone()),
        run(5, "issue_comment", here.clone()),
        run(6, "push", here),
    ];
    stub.on(
        "GET /repos/acme/shop/actions/runs",
        [reply(200, json!({ "workflow_runs": runs }))],
    );
    for id in 1..=6 {
        let jobs = json!({ "jobs": [{ "id": id, "run_id": id, "name": "mallory says", "conclusion": "failure", "steps": [] }] });
        stub.on(
            &format!("GET /repos/acme/shop/actions/runs/{id}/attempts/1/jobs"),
            [reply(200, jobs)],
        );
    }
    let read = async |events: &[&str]| -> Vec<String> {
        let source = loops::spec::GithubActions {
            workflows: vec![],
            branches: vec![],
            events: events.iter().map(|event| (*event).to_owned()).collect(),
        };
        let batch = shop.read_actions(&source, "main", None).await.unwrap();
        batch
            .signals
            .into_iter()
            .map(|signal| signal.external_id)
            .collect()
    };
    assert_eq!(read(&[]).await, ["job:6/1"], "only what was pushed here");
    assert_eq!(
        read(&["pull_request", "pull_request_target"]).await,
        ["outside-job:4/1"],
        "a fork's run is not read whatever is asked for, and what anybody starts is not the house's own"
    );
    assert_eq!(
        read(&["push", "issue_comment"]).await,
        ["outside-job:5/1", "job:6/1"]
    );
}
