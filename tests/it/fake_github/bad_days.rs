//! What goes wrong on request.

use std::time::Duration;

use harness::github::{Fault, Match};
use serde_json::json;

use super::Shop;

fn pulls() -> Match {
    Match::new("POST", "/repos/acme/shop/pulls")
}

#[tokio::test]
async fn an_effect_can_happen_though_its_answer_never_comes() {
    let shop = Shop::open().await;
    shop.branch("loops/fix");
    let fault = shop.hub.world().fault(pulls(), Fault::TimeOutAfter, 1);
    let body = json!({ "title": "A fix", "head": "loops/fix", "base": "main" });
    let request = shop
        .request("POST", "/repos/acme/shop/pulls", &shop.token)
        .json(&body);
    let error = request
        .timeout(Duration::from_millis(300))
        .send()
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(shop.hub.world().hits(fault), 1);
    let list = shop
        .get("/repos/acme/shop/pulls?head=acme:loops/fix&state=all")
        .await;
    assert_eq!(list.body.as_array().unwrap().len(), 1);
    assert_eq!(shop.hub.requests()[0].status, 0);
    shop.hub.check();
}

#[tokio::test]
async fn a_cut_connection_has_no_answer_and_no_effect_unless_it_is_cut_after() {
    for (fault, made) in [(Fault::Cut, 0), (Fault::CutAfter, 1)] {
        let shop = Shop::open().await;
        shop.branch("loops/fix");
        shop.hub.world().fault(pulls(), fault, 1);
        let body = json!({ "title": "A fix", "head": "loops/fix", "base": "main" });
        let request = shop
            .request("POST", "/repos/acme/shop/pulls", &shop.token)
            .json(&body);
        assert!(!request.send().await.unwrap_err().is_timeout());
        let list = shop.get("/repos/acme/shop/pulls").await;
        assert_eq!(list.body.as_array().unwrap().len(), made);
        shop.hub.check();
    }
}

#[tokio::test]
async fn a_bad_gateway_and_a_secondary_limit_have_no_effect() {
    let shop = Shop::open().await;
    let issues = || Match::new("POST", "/repos/acme/shop/issues");
    shop.hub.world().fault(issues(), Fault::Status(502), 1);
    shop.hub.world().fault(issues(), Fault::Secondary(Some(7)), 1);
    let create = || shop.ask("POST", "/repos/acme/shop/issues", json!({ "title": "One" }));
    let broken = create().await;
    assert_eq!((broken.status, broken.header("content-type")), (502, "text/html"));
    let slow = create().await;
    assert_eq!((slow.status, slow.header("retry-after")), (403, "7"));
    assert_eq!(create().await.body["number"], 1);
    shop.hub.check();
}

#[tokio::test]
async fn the_primary_limit_lasts_until_its_reset() {
    let shop = Shop::open().await;
    shop.hub
        .world()
        .fault(Match::new("", "/"), Fault::RateLimited(90), 1);
    let refused = shop.get("/user").await;
    assert_eq!(
        (refused.status, refused.header("x-ratelimit-remaining")),
        (403, "0")
    );
    shop.hub.world().advance(Duration::from_secs(89));
    assert_eq!(shop.get("/user").await.status, 403);
    shop.hub.world().advance(Duration::from_secs(1));
    assert_eq!(shop.get("/user").await.status, 200);
}

#[tokio::test]
async fn a_fault_that_was_never_met_fails_the_closing_check() {
    let shop = Shop::open().await;
    shop.hub.world().fault(pulls(), Fault::Cut, 1);
    assert_eq!(shop.hub.complaints().len(), 1);
}
