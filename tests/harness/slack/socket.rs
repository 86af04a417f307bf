//! Socket Mode: events over WebSockets that the app has opened, each to be acknowledged.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use super::{Shared, read::Answer, world::World};

/// A socket that is open.
#[derive(Debug)]
pub(super) struct Socket {
    id: usize,
    to: mpsc::UnboundedSender<Option<String>>,
}

impl World {
    pub(super) fn open_socket(&mut self) -> Answer {
        if !self.socket_mode {
            return Err("socket_mode_not_enabled".into());
        }
        Ok(json!({ "url": format!("{}/?ticket=1&app_id=A0LOOPS", self.socket_url) }))
    }

    /// Closes every socket, with a word before (`warning`, `refresh_requested`) or, if it is empty, without any.
    pub fn close_sockets(&mut self, reason: &str) {
        for socket in self.sockets.drain(..) {
            // One that is closed already needs no word.
            if !reason.is_empty() {
                let goodbye =
                    json!({ "type": "disconnect", "reason": reason, "debug_info": { "host": "fake" } });
                let _ = socket.to.send(Some(goodbye.to_string()));
            }
            let _ = socket.to.send(None);
        }
    }

    /// Sends anything over every open socket.
    pub fn send_raw(&mut self, text: &str) {
        for socket in &self.sockets {
            let _ = socket.to.send(Some(text.to_owned()));
        }
    }
}

/// Sends events that wait and were not sent, over the first open socket.
pub(super) fn send_what_waits(state: &Shared) {
    let mut world = state.lock();
    if !world.socket_mode {
        return;
    }
    let Some(to) = world.sockets.first().map(|socket| socket.to.clone()) else {
        return;
    };
    for delivery in &mut world.deliveries {
        // It is sent again only when a test says so.
        if delivery.waits && delivery.sent <= delivery.answers.len() {
            delivery.sent += 1;
            let envelope = json!({
                "type": "events_api", "envelope_id": delivery.id, "accepts_response_payload": false,
                "retry_attempt": delivery.answers.len(), "retry_reason": "", "payload": delivery.body,
            });
            let _ = to.send(Some(envelope.to_string()));
        }
    }
}

/// Serves sockets.
pub(super) async fn serve(state: Arc<Shared>, listener: std::net::TcpListener) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener that does not block");
    let mut count = 0;
    while let Ok((connection, _)) = listener.accept().await {
        count += 1;
        tokio::spawn(one(Arc::clone(&state), connection, count));
    }
}

async fn one(state: Arc<Shared>, connection: tokio::net::TcpStream, id: usize) {
    let Ok(socket) = tokio_tungstenite::accept_async(connection).await else {
        return;
    };
    let (mut to, mut from) = socket.split();
    let (sender, mut waiting) = mpsc::unbounded_channel();
    let hello = json!({
        "type": "hello", "num_connections": 1, "connection_info": { "app_id": "A0LOOPS" },
        "debug_info": { "host": "fake", "approximate_connection_time": 18060 },
    });
    if to.send(Message::text(hello.to_string())).await.is_err() {
        return;
    }
    state.lock().sockets.push(Socket { id, to: sender });
    state.delivered.notify_waiters();
    state.wake.notify_one();
    loop {
        tokio::select! {
            next = waiting.recv() => match next {
                Some(Some(text)) => {
                    if to.send(Message::text(text)).await.is_err() {
                        break;
                    }
                }
                _ => {
                    // The other side may be gone already.
                    let _ = to.close().await;
                    break;
                }
            },
            said = from.next() => match said {
                Some(Ok(Message::Text(text))) => {
                    let ack: Value = serde_json::from_str(&text).unwrap_or_default();
                    let mut world = state.lock();
                    let found = world.deliveries.iter_mut().find(|one| ack["envelope_id"] == one.id.as_str());
                    if let Some(delivery) = found {
                        delivery.waits = false;
                        delivery.answers.push(200);
                    }
                    drop(world);
                    state.delivered.notify_waiters();
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
        }
    }
    state.lock().sockets.retain(|socket| socket.id != id);
    state.delivered.notify_waiters();
}
