//! Apps: a JWT, an installation's short-lived token, and check runs, which only Apps make.

use std::time::Duration;

use harness::github::{APP_PRIVATE_KEY, APP_PUBLIC_KEY, Access, START, Selection};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::Shop;

fn jwt(app: u64, issued: i64, expires: i64) -> String {
    let key = EncodingKey::from_rsa_pem(APP_PRIVATE_KEY.as_bytes()).unwrap();
    let claims = json!({ "iss": app, "iat": issued, "exp": expires });
    encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap()
}

#[tokio::test]
async fn an_app_gets_a_token_that_ends_and_makes_check_runs_with_it() {
    let shop = Shop::open().await;
    let app = shop.hub.world().add_app("loops", "acme", APP_PUBLIC_KEY);
    let permissions = [("checks", Access::Write), ("contents", Access::Read)];
    shop.hub
        .world()
        .install(app, "acme", Selection::All, &permissions);
    let now = START / 1_000;
    let jwt = jwt(app, now - 30, now + 540);
    let found = shop
        .ask_as(&jwt, "GET", "/repos/acme/shop/installation", Value::Null)
        .await;
    let path = format!("/app/installations/{}/access_tokens", found.body["id"]);
    let narrowed = json!({ "repositories": ["shop"], "permissions": { "checks": "write" } });
    let made = shop.ask_as(&jwt, "POST", &path, narrowed).await;
    assert_eq!(
        (made.status, &made.body["expires_at"]),
        (201, &json!("2026-03-02T10:00:00Z"))
    );
    let token = made.body["token"].as_str().unwrap();
    let sha = shop.hub.world().head("acme/shop", "main").unwrap();
    let run = json!({ "name": "loops", "head_sha": sha, "conclusion": "success" });
    let path = "/repos/acme/shop/check-runs";
    let by_app = shop.ask_as(token, "POST", path, run.clone()).await;
    assert_eq!(
        (by_app.status, &by_app.body["app"]["slug"]),
        (201, &json!("loops"))
    );
    assert_eq!(
        shop.ask("POST", path, run).await.status,
        403,
        "a person's token makes none"
    );
    shop.hub.world().advance(Duration::from_secs(3_600));
    let late = shop.ask_as(token, "GET", "/repos/acme/shop", Value::Null).await;
    assert_eq!(
        (late.status, &late.body["message"]),
        (401, &json!("Bad credentials"))
    );
    shop.hub.check();
}

#[tokio::test]
async fn a_jwt_that_is_late_too_long_or_not_the_apps_is_refused() {
    let shop = Shop::open().await;
    let app = shop.hub.world().add_app("loops", "acme", APP_PUBLIC_KEY);
    let now = START / 1_000;
    for (jwt, status) in [
        (jwt(app, now, now + 600), 200),
        (jwt(app, now - 900, now - 300), 401),
        (jwt(app, now, now + 3_600), 401),
        (jwt(app, now + 300, now + 500), 401),
        (jwt(app + 1, now, now + 600), 401),
        (shop.token.clone(), 401),
    ] {
        assert_eq!(shop.ask_as(&jwt, "GET", "/app", Value::Null).await.status, status);
    }
    shop.hub.check();
}
