//! The life of a pull request.

use harness::github::Protection;
use serde_json::{Value, json};

use super::Shop;

#[tokio::test]
async fn a_second_pull_request_of_one_branch_is_refused() {
    let shop = Shop::open().await;
    shop.branch("loops/fix");
    assert_eq!(shop.offer("loops/fix").await.status, 201);
    let second = shop.offer("loops/fix").await;
    assert_eq!(
        (second.status, &second.body["message"]),
        (422, &json!("Validation Failed"))
    );
    let words = "A pull request already exists for acme:loops/fix.";
    assert_eq!(second.body["errors"][0]["message"], words);
    shop.hub.world().close("acme/shop", 1, "ann");
    assert_eq!(
        shop.offer("loops/fix").await.status,
        201,
        "a closed one is in nobody's way"
    );
    shop.hub.check();
}

#[tokio::test]
async fn a_branch_without_commits_or_a_draft_where_there_are_none_is_refused() {
    let shop = Shop::open().await;
    let head = shop.hub.world().head("acme/shop", "main").unwrap();
    shop.hub.world().force_push("acme/shop", "empty", &head, "ann");
    let empty = shop.offer("empty").await;
    assert_eq!(
        empty.body["errors"][0]["message"],
        "No commits between main and empty"
    );
    shop.branch("full");
    shop.hub.world().repo("acme/shop").drafts = false;
    let draft = shop.offer("full").await;
    assert_eq!(
        draft.body["message"],
        "Draft pull requests are not supported in this repository."
    );
    assert_eq!(shop.offer("missing").await.body["errors"][0]["field"], "head");
    shop.hub.check();
}

#[tokio::test]
async fn whether_it_can_be_merged_is_computed_from_git() {
    let shop = Shop::open().await;
    shop.branch("fix");
    shop.offer("fix").await;
    let state = || async { shop.get("/repos/acme/shop/pulls/1").await.body["mergeable_state"].clone() };
    assert_eq!(state().await, "draft");
    shop.hub.world().set_draft("acme/shop", 1, "ann", false);
    assert_eq!(state().await, "clean");
    shop.hub.world().protect("acme/shop", "main", &["tests"]);
    assert_eq!(state().await, "blocked");
    let sha = shop.hub.world().head("acme/shop", "fix").unwrap();
    shop.hub.world().check("acme/shop", &sha, "tests", "success");
    assert_eq!(state().await, "clean");
    shop.hub.world().commit(
        "acme/shop",
        "main",
        "bob",
        &[("fix.txt", Some("other\n"))],
        "Collide",
    );
    assert_eq!(state().await, "dirty");
    shop.hub.check();
}

#[tokio::test]
async fn a_merge_of_another_head_than_expected_is_refused() {
    let shop = Shop::open().await;
    let old = shop.branch("fix");
    shop.offer("fix").await;
    shop.hub.world().set_draft("acme/shop", 1, "ann", false);
    let new = shop
        .hub
        .world()
        .commit("acme/shop", "fix", "bob", &[("more.txt", Some("x"))], "More");
    let merge = |sha: &str| shop.ask("PUT", "/repos/acme/shop/pulls/1/merge", json!({ "sha": sha }));
    let stale = merge(&old).await;
    assert_eq!(
        (
            stale.status,
            stale.body["message"].as_str().unwrap().contains("modified")
        ),
        (409, true)
    );
    assert_eq!(merge(&new).await.body["merged"], true);
    let pull = shop.get("/repos/acme/shop/pulls/1").await.body;
    assert_eq!(
        (&pull["state"], &pull["merged"]),
        (&json!("closed"), &json!(true))
    );
    let file = shop.get("/repos/acme/shop/contents/more.txt").await;
    assert_eq!(file.body["content"], "eA==\n");
    shop.hub.check();
}

#[tokio::test]
async fn a_draft_becomes_ready_by_graphql_and_merges_by_itself_when_green() {
    let shop = Shop::open().await;
    shop.branch("fix");
    let id = shop.offer("fix").await.body["node_id"].clone();
    let protection = Protection {
        checks: vec!["tests".to_owned()],
        ..Protection::default()
    };
    shop.hub
        .world()
        .repo("acme/shop")
        .protected
        .insert("main".to_owned(), protection);
    shop.hub.world().repo("acme/shop").auto_merge = true;
    let ask = |name: &str| {
        let query = format!(
            "mutation($id: ID!) {{ {name}(input: {{pullRequestId: $id}}) {{ pullRequest {{ id }} }} }}"
        );
        shop.ask(
            "POST",
            "/graphql",
            json!({ "query": query, "variables": { "id": id } }),
        )
    };
    let early = ask("enablePullRequestAutoMerge").await;
    assert!(
        early.body["errors"][0]["message"].as_str().is_some(),
        "{:?}",
        early.body
    );
    let ready = ask("markPullRequestReadyForReview").await;
    assert_eq!(
        ready.body["data"]["markPullRequestReadyForReview"]["pullRequest"]["isDraft"],
        false
    );
    let auto = ask("enablePullRequestAutoMerge").await;
    assert_eq!(auto.body["errors"], Value::Null, "{:?}", auto.body);
    let sha = shop.hub.world().head("acme/shop", "fix").unwrap();
    shop.hub.world().check("acme/shop", &sha, "tests", "success");
    assert!(shop.hub.world().pull("acme/shop", 1).merged.is_some());
    shop.hub.check();
}

#[tokio::test]
async fn a_pull_request_whose_branch_was_forced_away_does_not_open_again() {
    let shop = Shop::open().await;
    shop.branch("fix");
    shop.offer("fix").await;
    shop.hub.world().close("acme/shop", 1, "ann");
    let reopen = || shop.ask("PATCH", "/repos/acme/shop/pulls/1", json!({ "state": "open" }));
    assert_eq!(reopen().await.status, 200);
    shop.hub.world().close("acme/shop", 1, "ann");
    let main = shop.hub.world().head("acme/shop", "main").unwrap();
    shop.hub.world().force_push("acme/shop", "fix", &main, "bob");
    assert_eq!(reopen().await.status, 422);
    shop.hub.check();
}

#[tokio::test]
async fn reviewers_have_to_be_collaborators_and_not_the_author() {
    let shop = Shop::open().await;
    shop.branch("fix");
    shop.offer("fix").await;
    let ask = |login: &str| {
        let path = "/repos/acme/shop/pulls/1/requested_reviewers";
        shop.ask("POST", path, json!({ "reviewers": [login] }))
    };
    assert_eq!(ask("nobody").await.status, 422);
    assert_eq!(ask("ann").await.status, 422);
    shop.hub
        .world()
        .grant("acme/shop", "bob", harness::github::Role::Read);
    assert_eq!(ask("bob").await.body["requested_reviewers"][0]["login"], "bob");
    shop.hub.check();
}
