//! Logins, conditions, meters, pages and names.

use std::time::Duration;

use harness::github::{Access, Match, Role, Selection};
use serde_json::{Value, json};

use super::{Shop, answer};

#[tokio::test]
async fn who_is_not_known_is_refused_and_who_may_not_see_finds_nothing() {
    let shop = Shop::open().await;
    shop.hub.world().repo("acme/shop").private = true;
    let stranger = shop.hub.world().classic_token("eve", &["repo"]);
    let narrow = shop.hub.world().classic_token("ann", &["public_repo"]);
    for (token, status, message) in [
        (shop.token.as_str(), 200, None),
        ("ghp_wrong", 401, Some("Bad credentials")),
        (&stranger, 404, Some("Not Found")),
        (&narrow, 404, Some("Not Found")),
    ] {
        let got = shop.ask_as(token, "GET", "/repos/acme/shop", Value::Null).await;
        assert_eq!((got.status, got.body["message"].as_str()), (status, message));
    }
    let nobody = answer(shop.client.get(format!("{}/user", shop.hub.url()))).await;
    assert_eq!(
        (nobody.status, &nobody.body["message"]),
        (401, &json!("Requires authentication"))
    );
    shop.hub.check();
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let shop = Shop::open().await;
    let only = Selection::only(["acme/shop"]);
    let reads = [("issues", Access::Read), ("pull_requests", Access::Write)];
    let token = shop.hub.world().fine_grained_token("ann", "acme", only, &reads);
    let body = json!({ "title": "Broken" });
    let refused = shop
        .ask_as(&token, "POST", "/repos/acme/shop/issues", body.clone())
        .await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.body["message"],
        "Resource not accessible by personal access token"
    );
    assert_eq!(refused.header("x-accepted-github-permissions"), "issues=write");
    let only = Selection::only(["acme/shop"]);
    let token = shop
        .hub
        .world()
        .fine_grained_token("ann", "acme", only, &[("issues", Access::Write)]);
    assert_eq!(
        shop.ask_as(&token, "POST", "/repos/acme/shop/issues", body)
            .await
            .status,
        201
    );
    shop.hub.check();
}

#[tokio::test]
async fn what_has_not_changed_costs_nothing() {
    let shop = Shop::open().await;
    let number = shop
        .hub
        .world()
        .open_issue("acme/shop", "bob", "It breaks", "Often.");
    let path = "/repos/acme/shop/issues?state=all";
    let first = shop.get(path).await;
    let tag = first.header("etag").to_owned();
    assert_eq!(
        (first.status, first.header("x-ratelimit-remaining")),
        (200, "4999")
    );
    assert_eq!(first.header("last-modified"), "Mon, 02 Mar 2026 09:00:00 GMT");
    let again = || {
        answer(
            shop.request("GET", path, &shop.token)
                .header("if-none-match", &tag),
        )
    };
    let same = again().await;
    assert_eq!((same.status, same.header("x-ratelimit-remaining")), (304, "4999"));
    shop.hub.world().react("acme/shop", number, "cat", "+1");
    let changed = again().await;
    assert_eq!(
        (changed.status, changed.header("x-ratelimit-remaining")),
        (200, "4998")
    );
    assert_eq!(changed.body[0]["reactions"]["+1"], 1);
    let seen: Vec<(bool, bool)> = shop
        .hub
        .requests()
        .iter()
        .map(|one| (one.conditional, one.cost))
        .collect();
    assert_eq!(seen, [(false, true), (true, false), (true, true)]);
    shop.hub.check();
}

#[tokio::test]
async fn the_hours_requests_end_and_come_back_with_the_next_hour() {
    let shop = Shop::open().await;
    shop.hub.world().token(&shop.token).limit = 1;
    assert_eq!(shop.get("/user").await.status, 200);
    let refused = shop.get("/user").await;
    assert_eq!(
        (refused.status, refused.header("x-ratelimit-remaining")),
        (403, "0")
    );
    assert_eq!(shop.get("/rate_limit").await.body["rate"]["remaining"], 0);
    shop.hub.world().advance(Duration::from_secs(3_600));
    assert_eq!(shop.get("/user").await.status, 200);
    shop.hub.check();
}

#[tokio::test]
async fn who_makes_too_much_in_a_minute_is_told_to_wait() {
    let shop = Shop::open().await;
    shop.hub.world().content_limits = (1, 500);
    let create = || shop.ask("POST", "/repos/acme/shop/issues", json!({ "title": "One more" }));
    assert_eq!(create().await.status, 201);
    let refused = create().await;
    assert_eq!((refused.status, refused.header("retry-after")), (403, "60"));
    shop.hub.world().advance(Duration::from_secs(60));
    assert_eq!(create().await.status, 201);
}

#[tokio::test]
async fn pages_shift_when_something_comes_in_between() {
    let shop = Shop::open().await;
    for title in ["one", "two", "three"] {
        shop.hub.world().open_issue("acme/shop", "bob", title, "");
        shop.hub.world().advance(Duration::from_secs(1));
    }
    shop.hub
        .world()
        .after(Match::new("GET", "/repos/acme/shop/issues"), |world| {
            world.open_issue("acme/shop", "bob", "four", "");
        });
    let titles = |page: Value| -> Vec<String> {
        let list = page.as_array().unwrap().iter();
        list.map(|issue| issue["title"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = shop.get("/repos/acme/shop/issues?per_page=2").await;
    let url = shop.hub.url();
    let next = format!("{url}/repos/acme/shop/issues?per_page=2&page=2");
    assert_eq!(
        first.header("link"),
        format!("<{next}>; rel=\"next\", <{next}>; rel=\"last\"")
    );
    assert_eq!(titles(first.body), ["three", "two"]);
    let second = shop.get("/repos/acme/shop/issues?per_page=2&page=2").await;
    assert_eq!(
        titles(second.body),
        ["two", "one"],
        "`two` is seen twice, and `four` not at all"
    );
    shop.hub.check();
}

#[tokio::test]
async fn an_old_name_leads_to_the_new_one() {
    let shop = Shop::open().await;
    shop.hub.world().rename("acme/shop", "store");
    let moved = shop.get("/repos/acme/shop/issues?state=all").await;
    assert_eq!(moved.status, 301);
    let target = moved
        .header("location")
        .strip_prefix(shop.hub.url())
        .unwrap()
        .to_owned();
    assert!(
        target.starts_with("/repositories/") && target.ends_with("/issues?state=all"),
        "{target}"
    );
    assert_eq!(shop.get(&target).await.status, 200);
    shop.hub.check();
}

#[tokio::test]
async fn it_answers_as_github_enterprise_too() {
    let shop = Shop::open().await;
    let got = shop.get("/api/v3/repos/acme/shop").await;
    assert_eq!(
        got.body["url"],
        format!("{}/repos/acme/shop", shop.hub.enterprise_url())
    );
    shop.hub.check();
}

#[tokio::test]
async fn a_role_in_a_team_counts() {
    let shop = Shop::open().await;
    shop.hub.world().add_team("acme", "core", &["tom"]);
    shop.hub
        .world()
        .repo("acme/shop")
        .teams
        .insert("core".to_owned(), Role::Maintain);
    shop.hub.world().add_user("eve");
    for (login, permission, role) in [
        ("tom", "write", "maintain"),
        ("ann", "write", "write"),
        ("eve", "read", "read"),
    ] {
        let got = shop
            .get(&format!("/repos/acme/shop/collaborators/{login}/permission"))
            .await;
        assert_eq!(
            (got.body["permission"].as_str(), got.body["role_name"].as_str()),
            (Some(permission), Some(role))
        );
    }
    assert_eq!(
        shop.get("/repos/acme/shop/collaborators/nobody/permission")
            .await
            .status,
        404
    );
    shop.hub.check();
}

#[tokio::test]
async fn the_closing_check_sees_what_does_not_fit_the_document() {
    let shop = Shop::open().await;
    shop.get("/repos/acme/shop/stargazers").await;
    shop.get("/repos/acme/shop/issues?sate=all").await;
    shop.ask(
        "POST",
        "/repos/acme/shop/issues",
        json!({ "title": "x", "labels": "bug" }),
    )
    .await;
    shop.ask(
        "POST",
        "/repos/acme/shop/pulls",
        json!({ "title": "x", "head": "a", "base": "b", "drafts": true }),
    )
    .await;
    shop.get(&format!("/user?access_token={}", shop.token)).await;
    let complaints = shop.hub.complaints();
    for words in [
        "unknown endpoint: GET /repos/acme/shop/stargazers",
        "no query parameter `sate`",
        "POST /repos/{owner}/{repo}/issues, request: at `/labels`",
        "no field `drafts` in the body",
        "an address held a credential: GET /user",
    ] {
        assert!(
            complaints.iter().any(|one| one.contains(words)),
            "{words} is not in {complaints:#?}"
        );
    }
    assert!(
        shop.hub
            .requests()
            .iter()
            .all(|one| one.headers.iter().all(|(name, _)| name != "authorization"))
    );
}
