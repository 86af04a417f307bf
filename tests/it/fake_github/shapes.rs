//! One answer of each endpoint, held against GitHub's document: the closing check is what judges.

use harness::github::{Job, Protection, Role};
use serde_json::json;

use super::Shop;

#[tokio::test]
async fn what_is_read_has_githubs_shapes() {
    let shop = Shop::open().await;
    let sha = shop.branch("fix");
    {
        let mut world = shop.hub.world();
        world.grant("acme/shop", "boss", Role::Admin);
        world.grant("acme/shop", "bob", Role::Read);
        world.protect("acme/shop", "main", &["tests"]);
        let ruleset = Protection {
            checks: vec!["tests".to_owned()],
            ruleset: true,
            approvals: 1,
            strict: true,
        };
        world
            .repo("acme/shop")
            .protected
            .insert("ruled/by".to_owned(), ruleset);
        let issue = world.open_issue("acme/shop", "bob", "It breaks", "- [ ] retry");
        world.label("acme/shop", issue, "loops: fix", "ann");
        world.tick("acme/shop", issue, "ann", "retry");
        world.react("acme/shop", issue, "cat", "+1");
        let comment = world.comment("acme/shop", issue, "cat", "Here, too.");
        world.react_to_comment("acme/shop", comment, "dan", "heart");
        let pull = world.open_pull("acme/shop", "ann", "fix", "main", "A fix");
        world.review("acme/shop", pull, "bob", "CHANGES_REQUESTED", "No.");
        let first = world.review_comment("acme/shop", pull, "bob", ("fix.txt", 1), "Why?");
        world.reply("acme/shop", first, "ann", "Because.");
        world.check("acme/shop", &sha, "tests", "failure");
        world.status("acme/shop", &sha, "lint", "success");
        let workflow = world.add_workflow("acme/shop", "CI", "ci.yml");
        let job = Job::new("tests", "failure")
            .step("cargo test", "failure", 61_000)
            .log("boom\n");
        let run = world.add_run("acme/shop", workflow, "fix", "push", vec![job]);
        world.run_again("acme/shop", run, vec![Job::new("tests", "success")]);
        world.close("acme/shop", issue, "ann");
    }
    let comment = *shop.hub.world().repo("acme/shop").comments.keys().next().unwrap();
    let run = *shop.hub.world().repo("acme/shop").runs.keys().next().unwrap();
    let paths = [
        "/user".to_owned(),
        "/rate_limit".to_owned(),
        "/repos/acme/shop".to_owned(),
        "/repos/acme/shop/branches".to_owned(),
        "/repos/acme/shop/branches/main".to_owned(),
        "/repos/acme/shop/rules/branches/ruled%2Fby".to_owned(),
        "/repos/acme/shop/contents/README.md?ref=fix".to_owned(),
        "/repos/acme/shop/contents/".to_owned(),
        "/repos/acme/shop/collaborators/bob/permission".to_owned(),
        "/repos/acme/shop/labels".to_owned(),
        "/repos/acme/shop/issues?state=all&labels=bug&since=2026-01-01T00:00:00Z&sort=updated".to_owned(),
        "/repos/acme/shop/issues?state=all&per_page=1".to_owned(),
        "/repos/acme/shop/issues/1".to_owned(),
        "/repos/acme/shop/issues/2".to_owned(),
        "/repos/acme/shop/issues/1/labels".to_owned(),
        "/repos/acme/shop/issues/1/comments".to_owned(),
        "/repos/acme/shop/issues/1/reactions?content=%2B1".to_owned(),
        "/repos/acme/shop/issues/comments?since=2026-01-01T00:00:00Z&sort=updated&direction=asc".to_owned(),
        format!("/repos/acme/shop/issues/comments/{comment}"),
        format!("/repos/acme/shop/issues/comments/{comment}/reactions"),
        "/repos/acme/shop/pulls?head=acme:fix&state=open".to_owned(),
        "/repos/acme/shop/pulls/2".to_owned(),
        "/repos/acme/shop/pulls/2/commits".to_owned(),
        "/repos/acme/shop/pulls/2/files".to_owned(),
        "/repos/acme/shop/pulls/2/reviews".to_owned(),
        "/repos/acme/shop/pulls/2/comments".to_owned(),
        "/repos/acme/shop/pulls/comments?sort=updated&direction=asc".to_owned(),
        "/repos/acme/shop/commits/fix/status".to_owned(),
        format!("/repos/acme/shop/commits/{sha}/statuses"),
        format!("/repos/acme/shop/commits/{sha}/check-runs?filter=latest"),
        "/repos/acme/shop/git/ref/heads/fix".to_owned(),
        "/repos/acme/shop/git/matching-refs/heads/f".to_owned(),
        "/repos/acme/shop/actions/workflows".to_owned(),
        "/repos/acme/shop/actions/runs?status=success&branch=fix&created=%3E%3D2026-01-01".to_owned(),
        format!("/repos/acme/shop/actions/runs/{run}"),
        format!("/repos/acme/shop/actions/runs/{run}/jobs?filter=all"),
    ];
    for path in paths {
        let got = shop.get(&path).await;
        assert_eq!(got.status, 200, "{path}: {:?}", got.body);
        let empty = got.body.as_array().is_some_and(Vec::is_empty);
        assert!(!empty || path.contains("labels=bug"), "{path} shows nothing");
    }
    let boss = shop.hub.world().classic_token("boss", &["repo"]);
    let path = "/repos/acme/shop/branches/main/protection/required_status_checks";
    assert_eq!(
        shop.ask_as(&boss, "GET", path, json!(null)).await.body["contexts"],
        json!(["tests"])
    );
    assert_eq!(
        shop.get(path).await.status,
        404,
        "who is no admin does not see it"
    );
    shop.hub.check();
}

#[tokio::test]
async fn what_is_written_has_githubs_shapes() {
    let shop = Shop::open().await;
    let sha = shop.branch("fix");
    shop.hub.world().grant("acme/shop", "bob", Role::Read);
    let issue = json!({ "title": "Loops", "body": "- [ ] one", "labels": ["loops"] });
    let written = [
        ("POST", "/issues", issue, 201),
        (
            "PATCH",
            "/issues/1",
            json!({ "body": "- [x] one", "state": "closed", "state_reason": "not_planned" }),
            200,
        ),
        ("POST", "/issues/1/comments", json!({ "body": "Hello" }), 201),
        ("POST", "/issues/1/reactions", json!({ "content": "eyes" }), 201),
        ("POST", "/issues/1/reactions", json!({ "content": "eyes" }), 200),
        (
            "POST",
            "/issues/1/labels",
            json!({ "labels": ["bug", "new"] }),
            200,
        ),
        ("DELETE", "/issues/1/labels/bug", json!(null), 200),
        ("DELETE", "/issues/1/labels/bug", json!(null), 404),
        (
            "POST",
            "/labels",
            json!({ "name": "loops", "color": "ededed" }),
            422,
        ),
        (
            "POST",
            "/labels",
            json!({ "name": "loops: fix", "color": "00ff00", "description": "x" }),
            201,
        ),
        (
            "POST",
            "/pulls",
            json!({ "title": "A fix", "head": "fix", "base": "main", "body": "b", "draft": false }),
            201,
        ),
        (
            "PATCH",
            "/pulls/2",
            json!({ "title": "A better fix", "body": "c" }),
            200,
        ),
        (
            "POST",
            "/pulls/2/requested_reviewers",
            json!({ "reviewers": ["bob"] }),
            201,
        ),
        (
            "POST",
            "/pulls/2/reviews",
            json!({ "event": "COMMENT", "body": "So." }),
            200,
        ),
        ("POST", "/pulls/2/reviews", json!({ "event": "APPROVE" }), 422),
        (
            "POST",
            "/pulls/2/comments",
            json!({ "body": "Here", "commit_id": sha, "path": "fix.txt", "line": 1, "side": "RIGHT" }),
            201,
        ),
        ("PUT", "/pulls/2/merge", json!({ "merge_method": "rebase" }), 405),
        (
            "PUT",
            "/pulls/2/merge",
            json!({ "merge_method": "squash", "commit_title": "Fix (#2)" }),
            200,
        ),
    ];
    for (method, path, body, status) in written {
        let got = shop.ask(method, &format!("/repos/acme/shop{path}"), body).await;
        assert_eq!(got.status, status, "{method} {path}: {:?}", got.body);
    }
    let comment = *shop.hub.world().repo("acme/shop").comments.keys().next().unwrap();
    let line = *shop
        .hub
        .world()
        .repo("acme/shop")
        .review_comments
        .keys()
        .next()
        .unwrap();
    let status = json!({ "state": "success", "context": "loops", "description": "proven" });
    for (method, path, body, status) in [
        (
            "PATCH",
            format!("/issues/comments/{comment}"),
            json!({ "body": "News" }),
            200,
        ),
        ("DELETE", format!("/issues/comments/{comment}"), json!(null), 204),
        (
            "POST",
            format!("/pulls/2/comments/{line}/replies"),
            json!({ "body": "Done" }),
            201,
        ),
        ("POST", format!("/statuses/{sha}"), status, 201),
        ("DELETE", "/git/refs/heads/fix".to_owned(), json!(null), 204),
    ] {
        let got = shop.ask(method, &format!("/repos/acme/shop{path}"), body).await;
        assert_eq!(got.status, status, "{method} {path}: {:?}", got.body);
    }
    shop.hub.check();
}

#[tokio::test]
async fn a_jobs_log_is_on_another_server_and_gone_after_a_while() {
    let shop = Shop::open().await;
    let workflow = shop.hub.world().add_workflow("acme/shop", "CI", "ci.yml");
    let job = Job::new("tests", "failure").log("boom\n");
    let run = shop
        .hub
        .world()
        .add_run("acme/shop", workflow, "main", "push", vec![job]);
    let job = shop.hub.world().repo("acme/shop").runs[&run].jobs[0].id;
    let path = format!("/repos/acme/shop/actions/jobs/{job}/logs");
    let moved = shop.get(&path).await;
    assert_eq!(
        (moved.status, moved.header("location").starts_with(shop.hub.url())),
        (302, false)
    );
    let log = shop.client.get(moved.header("location")).send().await.unwrap();
    assert_eq!(log.text().await.unwrap(), "boom\n");
    shop.hub.check();
    let told = shop
        .client
        .get(moved.header("location"))
        .bearer_auth(&shop.token)
        .send()
        .await
        .unwrap();
    assert_eq!(told.status().as_u16(), 200);
    assert_eq!(
        shop.hub.complaints().len(),
        1,
        "a credential went where it must not go"
    );
    shop.hub
        .world()
        .repo("acme/shop")
        .runs
        .get_mut(&run)
        .unwrap()
        .jobs[0]
        .log = None;
    assert_eq!(shop.get(&path).await.status, 410);
}
