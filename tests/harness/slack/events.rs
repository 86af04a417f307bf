//! Events: what happened, in the envelope that Slack sends, over signed HTTP or a socket, at least once.

use std::{sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{Request, body::Bytes};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    SIGNING_SECRET, Shared,
    world::{TEAM, World},
};

/// An event that was or is to be sent.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its id, like `Ev000000001`: the same when it is sent again.
    pub id: String,
    /// All of it.
    pub body: Value,
    /// Whether it is still to be sent or acknowledged.
    pub waits: bool,
    /// What the other side answered, each time.
    pub answers: Vec<u16>,
    /// How often it was sent over a socket.
    pub sent: usize,
}

/// The signature of a body, as Slack makes it: HMAC-SHA256 of `v0:time:body`.
pub fn signature(secret: &str, timestamp: i64, body: &str) -> String {
    let text = format!("v0:{timestamp}:{body}");
    let mut key = [0_u8; 64];
    let secret = secret.as_bytes();
    if secret.len() > key.len() {
        key[..32].copy_from_slice(&Sha256::digest(secret));
    } else {
        key[..secret.len()].copy_from_slice(secret);
    }
    let pad = |with: u8| key.map(|byte| byte ^ with);
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(text.as_bytes())
        .finalize();
    let outer = Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner)
        .finalize();
    format!("v0={}", hex::encode(outer))
}

impl World {
    /// Something happened that Slack tells of.
    pub(super) fn happen(&mut self, event: Value) {
        if self.events_url.is_empty() && !self.socket_mode {
            return;
        }
        let id = format!("Ev{:09}", self.deliveries.len() + 1);
        let body = json!({
            "token": "unused", "team_id": TEAM, "api_app_id": "A0LOOPS", "event": event, "type": "event_callback",
            "event_id": id, "event_time": self.clock() / 1_000, "event_context": "c", "is_ext_shared_channel": false,
            "authorizations": [{
                "enterprise_id": null, "team_id": TEAM, "user_id": super::world::APP_USER, "is_bot": true,
                "is_enterprise_install": false,
            }],
        });
        self.deliveries.push(Delivery {
            id,
            body,
            waits: true,
            answers: Vec::new(),
            sent: 0,
        });
    }

    /// Sends an event once more, as Slack does that has not heard the answer.
    pub fn redeliver(&mut self, at: usize) {
        self.deliveries[at].waits = true;
    }
}

/// Sends what waits over HTTP, once each: whether it is sent again is the test's to say.
pub(super) async fn deliver_forever(state: Arc<Shared>) {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    loop {
        let next = {
            let world = state.lock();
            let url = world.events_url.clone();
            let waiting = world.deliveries.iter().position(|one| one.waits);
            waiting.filter(|_| !url.is_empty()).map(|at| {
                (
                    at,
                    url,
                    world.deliveries[at].body.to_string(),
                    world.clock() / 1_000,
                )
            })
        };
        let Some((at, url, body, now)) = next else {
            let woken = tokio::time::timeout(Duration::from_millis(50), state.wake.notified());
            // Woken or not, we look.
            let _ = woken.await;
            super::socket::send_what_waits(&state);
            continue;
        };
        let request = Request::post(&url)
            .header("content-type", "application/json")
            .header("x-slack-request-timestamp", now.to_string())
            .header("x-slack-signature", signature(SIGNING_SECRET, now, &body))
            .body(Full::new(Bytes::from(body)))
            .expect("a request of our own");
        let answer = match tokio::time::timeout(Duration::from_secs(3), client.request(request)).await {
            Ok(Ok(answer)) => answer.status().as_u16(),
            _ => 0,
        };
        let mut world = state.lock();
        world.deliveries[at].waits = false;
        world.deliveries[at].answers.push(answer);
        drop(world);
        state.delivered.notify_waiters();
    }
}
