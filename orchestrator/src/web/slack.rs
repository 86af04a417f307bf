//! Slack's events. It waits three seconds for an answer and sends again what it did not hear one for, so an event is kept
//! and answered, and nothing is asked of anybody meanwhile.

use std::time::Duration;

use axum::{
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{StatusCode, request::Parts},
};
use tokio::time::timeout;

use super::server::{Door, MAX_BODY};
use crate::{
    clock, engine,
    slack::{Heard, verify},
};

/// Slack sends a few kilobytes at once: who takes longer is not Slack.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) async fn events(State(door): State<Door>, request: Request) -> Result<String, StatusCode> {
    // Slack sends again what we are too busy for.
    let _seat = door
        .seats
        .try_acquire()
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let (parts, body) = request.into_parts();
    let body = timeout(PATIENCE, to_bytes(body, MAX_BODY))
        .await
        .map_err(|_| StatusCode::REQUEST_TIMEOUT)?
        .map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    event(&door, &parts, &body).await
}

async fn event(door: &Door, parts: &Parts, body: &Bytes) -> Result<String, StatusCode> {
    let Some(secret) = &door.slack else {
        return Err(StatusCode::NOT_FOUND);
    };
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let (time, signature) = (header("x-slack-request-timestamp"), header("x-slack-signature"));
    if let Err(error) = verify(secret, time, signature, body, clock::now()) {
        tracing::info!(%error, "a request to Slack's address was refused");
        return Err(StatusCode::UNAUTHORIZED);
    }
    let read = serde_json::from_slice(body).ok();
    let heard = read
        .as_ref()
        .and_then(Heard::read)
        .ok_or(StatusCode::BAD_REQUEST)?;
    if let Heard::Challenge(challenge) = heard {
        return Ok(challenge);
    }
    match engine::hear(&door.home, &heard).await {
        Ok(_) => Ok(String::new()),
        Err(error) => {
            tracing::warn!(%error, "an event of Slack could not be kept; it is sent again");
            Err(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}
