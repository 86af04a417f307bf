//! Deliveries: signed, held, out of order, again.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use harness::github::signature;
use serde_json::Value;

use super::Shop;

type Seen = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

async fn receiver() -> (String, Seen) {
    let seen = Seen::default();
    let take = |State(seen): State<Seen>, headers: HeaderMap, body: Bytes| async move {
        seen.lock().unwrap().push((headers, body));
    };
    let router = Router::new()
        .route("/hook", post(take))
        .with_state(Arc::clone(&seen));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, seen)
}

#[tokio::test]
async fn a_delivery_is_signed_and_names_its_event() {
    let shop = Shop::open().await;
    let (url, seen) = receiver().await;
    shop.hub.world().add_hook(&url, "secret", &["issues"]);
    shop.hub.world().open_issue("acme/shop", "bob", "It breaks", "");
    shop.hub.world().comment("acme/shop", 1, "bob", "Still.");
    shop.hub.delivered().await;
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1, "comments were not asked for");
    let (headers, body) = &seen[0];
    assert_eq!(headers["x-github-event"], "issues");
    assert_eq!(headers["x-hub-signature-256"], signature("secret", body));
    let payload: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(
        (&payload["action"], &payload["issue"]["title"]),
        (&"opened".into(), &"It breaks".into())
    );
    assert_eq!(payload["repository"]["full_name"], "acme/shop");
    shop.hub.check();
}

#[tokio::test]
async fn deliveries_come_late_in_another_order_twice_or_not_at_all() {
    let shop = Shop::open().await;
    let (url, seen) = receiver().await;
    shop.hub.world().add_hook(&url, "secret", &["*"]);
    shop.hub.world().hold_deliveries = true;
    for title in ["one", "two", "three"] {
        shop.hub.world().open_issue("acme/shop", "bob", title, "");
    }
    for delivery in [2, 0, 0] {
        shop.hub.world().deliver(delivery);
    }
    shop.hub.delivered().await;
    let seen = seen.lock().unwrap();
    let title = |body: &Bytes| serde_json::from_slice::<Value>(body).unwrap()["issue"]["title"].clone();
    let titles: Vec<Value> = seen.iter().map(|(_, body)| title(body)).collect();
    assert_eq!(titles, ["three", "one", "one"]);
    assert_eq!(seen[1].0["x-github-delivery"], seen[2].0["x-github-delivery"]);
    assert_eq!(shop.hub.world().deliveries[1].status, None);
}
