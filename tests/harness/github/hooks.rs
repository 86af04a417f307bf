//! Webhooks: events are signed and delivered, held, dropped, or delivered again in any order the test asks for.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;

use super::{Shared, world::World};

/// Longer than any receiver should take; GitHub waits ten seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who is told of events.
#[derive(Debug, Clone)]
pub struct Hook {
    /// Where to: `http://host:port/path`.
    pub url: String,
    /// What signs.
    pub secret: String,
    /// Which events; `*` for all.
    pub events: Vec<String>,
}

/// One event on its way to one hook.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// `X-GitHub-Delivery`; the same when it is delivered again.
    pub guid: String,
    /// `X-GitHub-Event`.
    pub event: String,
    /// The JSON, as it is signed.
    pub payload: String,
    /// How often it was sent.
    pub sent: usize,
    /// What was answered last; `None` if it never was.
    pub status: Option<u16>,
    pub(super) hook: usize,
    pub(super) waiting: usize,
}

impl World {
    /// Tells a URL (`http://host:port/path`) of these events from now on; `*` for all.
    pub fn add_hook(&mut self, url: &str, secret: &str, events: &[&str]) {
        self.hooks.push(Hook {
            url: url.to_owned(),
            secret: secret.to_owned(),
            events: events.iter().map(|&event| event.to_owned()).collect(),
        });
    }

    /// Sends a delivery (an index of `deliveries`) once more, or for the first time when deliveries are held.
    pub fn deliver(&mut self, delivery: usize) {
        self.deliveries[delivery].waiting += 1;
        self.to_send.push_back(delivery);
        self.wake.notify_one();
    }

    pub(super) fn emit(&mut self, at: usize, event: &str, mut payload: Value, by: &str) {
        let wants = |hook: &Hook| hook.events.iter().any(|one| one == "*" || one == event);
        let hooks: Vec<usize> = (0..self.hooks.len())
            .filter(|&hook| wants(&self.hooks[hook]))
            .collect();
        if hooks.is_empty() {
            return;
        }
        payload["repository"] = self.repo_json(at);
        payload["sender"] = self.user_json(by);
        let owner = &self.repositories[at].owner;
        if let Some(one) = self.installations.iter().find(|one| one.owner == *owner) {
            payload["installation"] = json!({ "id": one.id, "node_id": format!("INS_{}", one.id) });
        }
        for hook in hooks {
            let guid = format!("00000000-0000-4000-8000-{:012}", self.id());
            self.deliveries.push(Delivery {
                guid,
                event: event.to_owned(),
                payload: payload.to_string(),
                sent: 0,
                status: None,
                hook,
                waiting: 0,
            });
            if !self.hold_deliveries {
                self.deliver(self.deliveries.len() - 1);
            }
        }
    }
}

/// `X-Hub-Signature-256` of a payload: HMAC (RFC 2104) over SHA-256.
pub fn signature(secret: &str, payload: &[u8]) -> String {
    let mut key = [0_u8; 64];
    let secret = secret.as_bytes();
    if secret.len() > key.len() {
        key[..32].copy_from_slice(&Sha256::digest(secret));
    } else {
        key[..secret.len()].copy_from_slice(secret);
    }
    let inner = Sha256::new()
        .chain_update(key.map(|byte| byte ^ 0x36))
        .chain_update(payload)
        .finalize();
    let outer = Sha256::new()
        .chain_update(key.map(|byte| byte ^ 0x5c))
        .chain_update(inner)
        .finalize();
    format!("sha256={}", hex::encode(outer))
}

/// Sends what waits, one after the other, for as long as the hub lives.
pub(super) async fn deliver_forever(shared: Arc<Shared>) {
    loop {
        shared.wake.notified().await;
        loop {
            let next = {
                let mut world = shared.lock();
                world.to_send.pop_front().map(|at| {
                    let delivery = world.deliveries[at].clone();
                    let hook = world.hooks[delivery.hook].clone();
                    (at, delivery, hook)
                })
            };
            let Some((at, delivery, hook)) = next else { break };
            let status = tokio::time::timeout(PATIENCE, send(&hook, &delivery)).await;
            let mut world = shared.lock();
            let delivery = &mut world.deliveries[at];
            delivery.sent += 1;
            delivery.waiting -= 1;
            delivery.status = status.ok().and_then(|sent| sent.ok());
            shared.delivered.notify_waiters();
        }
    }
}

async fn send(hook: &Hook, delivery: &Delivery) -> anyhow::Result<u16> {
    let rest = hook.url.strip_prefix("http://").unwrap_or(&hook.url);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let stream = TcpStream::connect(host).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::post(format!("/{path}"))
        .header("host", host)
        .header("content-type", "application/json")
        .header("user-agent", "GitHub-Hookshot/fake")
        .header("x-github-event", &delivery.event)
        .header("x-github-delivery", &delivery.guid)
        .header("x-github-hook-id", delivery.hook + 1)
        .header(
            "x-hub-signature-256",
            signature(&hook.secret, delivery.payload.as_bytes()),
        )
        .body(Full::new(Bytes::from(delivery.payload.clone())))?;
    let answer = sender.send_request(request).await?;
    let status = answer.status().as_u16();
    answer.into_body().collect().await?;
    connection.abort();
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn a_signature_is_the_one_of_githubs_documentation() {
        assert_eq!(
            signature("It's a Secret to Everybody", b"Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
