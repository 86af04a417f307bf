//! Logging in as an App. The key is made for this test and opens nothing.

use serde_json::json;

use super::*;
use crate::config::github::{AppKey, Login as Settings};

const KEY: &str = include_str!("app.pem");

async fn shop_of_app() -> (Stub, Repository) {
    let (stub, api) = Stub::start().await;
    let settings = Settings::App {
        id: 7,
        key: AppKey::Variable {
            name: "K".to_owned(),
            // As variables often carry it.
            key: Some(Secret::new(KEY.replace('\n', "\\n"))),
        },
    };
    let login = Login::read(&settings).unwrap().unwrap();
    (stub.clone(), hub(&api, login).repository("acme", "shop").unwrap())
}

const MAKE: &str = "POST /app/installations/5/access_tokens";
const ISSUE: &str = "GET /repos/acme/shop/issues/7";

fn made(token: &str, seconds: i64) -> Reply {
    reply(201, json!({ "token": token, "expires_at": soon(seconds) }))
}

#[tokio::test]
async fn one_token_is_made_for_all_who_ask_at_once() {
    let (stub, shop) = shop_of_app().await;
    stub.on("GET /users/acme/installation", [reply(200, json!({ "id": 5 }))])
        .on(MAKE, [made("ghs_one", 3_600)])
        .on(ISSUE, [reply(200, issue(7, "2026-11-01T00:00:00Z"))]);
    let all = (0..10).map(|_| shop.issue(7));
    for result in futures_util::future::join_all(all).await {
        result.unwrap();
    }
    let seen = stub.seen(MAKE);
    assert_eq!(seen.len(), 1);
    let bearer = &seen[0].headers["authorization"];
    assert_eq!(bearer.split('.').count(), 3, "a signed token: {bearer}");
    assert_eq!(stub.seen(ISSUE)[0].headers["authorization"], "Bearer ghs_one");
    assert!(!format!("{shop:?}").contains("ghs_one"));
}

#[tokio::test]
async fn a_token_is_made_anew_before_it_ends_and_when_it_is_refused() {
    let (stub, shop) = shop_of_app().await;
    let good = reply(200, issue(7, "2026-11-01T00:00:00Z"));
    stub.on("GET /users/acme/installation", [reply(200, json!({ "id": 5 }))])
        .on(
            MAKE,
            [
                made("ghs_short", 60),
                made("ghs_long", 3_600),
                made("ghs_next", 3_600),
            ],
        )
        .on(
            ISSUE,
            [
                good.clone(),
                good.clone(),
                reply(401, "{}"),
                good.clone(),
                reply(401, "{}"),
            ],
        );
    shop.issue(7).await.unwrap();
    shop.issue(7).await.unwrap();
    shop.issue(7).await.unwrap();
    let sent: Vec<String> = stub
        .seen(ISSUE)
        .iter()
        .map(|seen| seen.headers["authorization"].clone())
        .collect();
    assert_eq!(
        sent,
        [
            "Bearer ghs_short",
            "Bearer ghs_long",
            "Bearer ghs_long",
            "Bearer ghs_next"
        ]
    );
    // A login that is refused again is not tried for ever.
    let error = shop.issue(7).await.unwrap_err();
    assert_eq!(error.remedy(), crate::github::Remedy::AskHuman, "{error}");
    assert_eq!(stub.seen(ISSUE).len(), 6);
}

#[tokio::test]
async fn an_owner_without_the_app_is_told_what_to_do() {
    let (_stub, shop) = shop_of_app().await;
    let error = shop.issue(7).await.unwrap_err().to_string();
    assert!(
        error.contains("not installed for `acme`; install it there"),
        "{error}"
    );
}
