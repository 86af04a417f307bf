//! The one path of every request: what is repeated, what is not, and where the token goes.

use serde_json::json;

use super::*;
use crate::github::{GitHubError, Remedy};

const ISSUE: &str = "GET /repos/acme/shop/issues/7";
const COMMENT: &str = "POST /repos/acme/shop/issues/7/comments";

#[tokio::test]
async fn a_read_is_repeated_and_a_write_is_not_when_github_fails() {
    let (stub, shop) = shop().await;
    let good = issue(7, "2026-11-01T00:00:00Z");
    stub.on(ISSUE, [reply(502, ""), reply(503, ""), reply(200, &good)])
        .on(
            COMMENT,
            [reply(502, "bad gateway"), reply(201, comment(1, 7, "hello"))],
        );
    assert_eq!(shop.issue(7).await.unwrap().title, "Title 7");
    assert_eq!(stub.seen(ISSUE).len(), 3);
    let error = shop.comment(7, "hello").await.unwrap_err();
    assert_eq!(error.remedy(), Remedy::Look, "{error}");
    assert_eq!(stub.seen(COMMENT).len(), 1);
}

#[tokio::test]
async fn a_write_without_an_answer_is_not_repeated() {
    let (stub, shop) = shop().await;
    let mut silent = reply(201, "");
    silent.silent = true;
    stub.on(COMMENT, [silent]);
    let error = shop.comment(7, "hello").await.unwrap_err();
    assert!(matches!(error, GitHubError::Ambiguous { .. }), "{error}");
    assert_eq!(stub.seen(COMMENT).len(), 1);
}

#[tokio::test]
async fn a_write_that_a_limit_held_back_is_made_once() {
    let (stub, shop) = shop().await;
    let limited = reply(403, r#"{"message":"API rate limit exceeded"}"#)
        .with("x-ratelimit-remaining", 0)
        .with("x-ratelimit-reset", 5);
    stub.on(COMMENT, [limited, reply(201, comment(1, 7, "hello"))]);
    assert_eq!(shop.comment(7, "hello").await.unwrap().id, 1);
    assert_eq!(stub.seen(COMMENT).len(), 2);
}

#[tokio::test]
async fn a_limit_that_lasts_is_told_and_nothing_more_is_asked() {
    let (stub, shop) = shop().await;
    stub.on(ISSUE, [reply(429, "{}").with("retry-after", 3600)]);
    for _ in 0..2 {
        let error = shop.issue(7).await.unwrap_err();
        let Remedy::Retry(Some(until)) = error.remedy() else {
            panic!("{error}")
        };
        assert!(until.since(crate::clock::now()) > Duration::from_secs(3_500));
    }
    assert_eq!(stub.count(), 1);
}

#[tokio::test]
async fn what_is_unchanged_is_not_sent_again() {
    let (stub, shop) = shop().await;
    let first = reply(200, issue(7, "2026-11-01T00:00:00Z")).with("etag", "\"a\"");
    stub.on(ISSUE, [first, reply(304, "")]);
    let one = shop.issue(7).await.unwrap();
    assert_eq!(shop.issue(7).await.unwrap(), one);
    let seen = stub.seen(ISSUE);
    assert_eq!(seen[0].headers.get("if-none-match"), None);
    assert_eq!(seen[1].headers["if-none-match"], "\"a\"");
}

#[tokio::test]
async fn a_renamed_repository_is_followed_for_reads_only() {
    let (stub, shop) = shop().await;
    let moved = |status| reply(status, "").with("location", "/repositories/1/issues/7");
    stub.on(ISSUE, [moved(301)])
        .on(
            "GET /repositories/1/issues/7",
            [reply(200, issue(7, "2026-11-01T00:00:00Z"))],
        )
        .on(COMMENT, [moved(307)]);
    assert_eq!(shop.issue(7).await.unwrap().number, 7);
    let error = shop.comment(7, "x").await.unwrap_err();
    assert!(matches!(error, GitHubError::Renamed { .. }), "{error}");
}

#[tokio::test]
async fn the_token_goes_to_github_and_nowhere_else() {
    let (stub, shop) = shop().await;
    let (other, elsewhere) = Stub::start().await;
    // Control: it does go to GitHub.
    stub.on(
        ISSUE,
        [reply(302, "").with("location", elsewhere.join("/steal").unwrap())],
    );
    assert!(shop.issue(7).await.is_err());
    assert_eq!(
        stub.seen(ISSUE)[0].headers["authorization"],
        format!("Bearer {TOKEN}")
    );
    assert_eq!(other.count(), 0);
    // Only a log is elsewhere, and it is asked for by nobody.
    let job = json!({
        "id": 5, "run_id": 4, "run_attempt": 2, "name": "test", "conclusion": "failure",
        "steps": [{ "name": "cargo test", "conclusion": "failure" }],
    });
    stub.on("GET /repos/acme/shop/actions/jobs/5", [reply(200, job)])
        .on(
            "GET /repos/acme/shop/actions/jobs/5/logs",
            [reply(302, "").with("location", elsewhere.join("/log").unwrap())],
        );
    other.on(
        "GET /log",
        [reply(200, "2026-11-01T00:00:00.0Z \u{1b}[31mit broke\u{1b}[0m\n")],
    );
    let failure = shop.failure_log(5).await.unwrap();
    assert_eq!(
        (failure.step.as_deref(), failure.log.as_str()),
        (Some("cargo test"), "it broke")
    );
    assert_eq!(other.seen("GET /log")[0].headers.get("authorization"), None);
}

#[tokio::test]
async fn the_token_is_in_no_error_and_no_debug() {
    let (stub, shop) = shop().await;
    let echo = json!({ "message": format!("you sent {TOKEN}") });
    for status in [400, 401, 403, 422, 500] {
        stub.on(ISSUE, [reply(status, &echo)]);
        let error = shop.issue(7).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }
    assert!(!format!("{shop:?}").contains("hush"));
    let access = shop.git_access().await.unwrap();
    assert!(!format!("{access:?} {}", access.address).contains("hush"));
    assert!(access.address.ends_with("/acme/shop.git"));
}

#[tokio::test]
async fn a_draft_is_a_normal_one_where_there_are_no_drafts() {
    let (stub, shop) = shop().await;
    let pull = json!({
        "number": 3, "node_id": "n", "html_url": "u", "title": "t", "body": null, "state": "open", "draft": false,
        "head": { "ref": "fix", "sha": "a" }, "base": { "ref": "main", "sha": "b" }, "user": { "login": "ann" },
        "created_at": "2026-11-01T00:00:00Z", "updated_at": "2026-11-01T00:00:00Z",
    });
    let none = r#"{"message":"Draft pull requests are not supported in this repository."}"#;
    let twice = r#"{"message":"Validation Failed","errors":[{"message":"A pull request already exists for acme:fix."}]}"#;
    stub.on(
        "POST /repos/acme/shop/pulls",
        [reply(422, none), reply(201, pull), reply(422, twice)],
    );
    let new = crate::github::NewPull {
        title: "t".to_owned(),
        body: String::new(),
        head: "fix".to_owned(),
        base: "main".to_owned(),
        draft: true,
    };
    assert!(!shop.open_pull(&new).await.unwrap().draft);
    let seen = stub.seen("POST /repos/acme/shop/pulls");
    assert!(seen[0].body.contains("\"draft\":true") && seen[1].body.contains("\"draft\":false"));
    let error = shop.open_pull(&new).await.unwrap_err();
    assert!(matches!(error, GitHubError::Exists { .. }), "{error}");
}

#[tokio::test]
async fn git_is_let_in_by_a_header_and_finds_the_branch() {
    let (stub, shop) = shop().await;
    let commit = "0a".repeat(20);
    let line = format!("{commit} refs/heads/loops/fix\0agent=test\n");
    let body = format!(
        "001e# service=git-upload-pack\n0000{:04x}{line}0000",
        line.len() + 4
    );
    let kind = "application/x-git-upload-pack-advertisement";
    let refs = "GET /acme/shop.git/info/refs";
    stub.on(
        refs,
        [reply(200, body).with("content-type", kind), reply(403, "no")],
    );
    assert_eq!(shop.branch_head("loops/fix").await.unwrap(), Some(commit.clone()));
    let sent = &stub.seen(refs)[0].headers["authorization"];
    // What `x-access-token` and the token are in base64.
    assert_eq!(sent, "Basic eC1hY2Nlc3MtdG9rZW46Z2hwX2h1c2hodXNoaHVzaA==");
    let error = shop.branch_head("loops/fix").await.unwrap_err();
    assert_eq!(error.remedy(), Remedy::AskHuman, "{error}");
    assert!(!format!("{error:?}").contains("eC1hY2"), "{error:?}");
    let error = shop.branch_head("--upload-pack=x").await.unwrap_err();
    assert!(matches!(error, GitHubError::Invalid { .. }), "{error}");
}

#[tokio::test]
async fn what_never_left_this_machine_is_not_in_doubt() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let hub = hub(&api, Login::Token(Secret::new(TOKEN.to_owned())));
    let shop = hub.repository("acme", "shop").unwrap();
    let error = shop.comment(7, "hello").await.unwrap_err();
    assert_eq!(error.remedy(), Remedy::Retry(None), "{error}");
}
