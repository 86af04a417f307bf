//! Slack's events. It waits three seconds for an answer and sends again what it did not hear one for, so an event is kept
//! and answered, and nothing is asked of anybody meanwhile.

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};

use super::server::Door;
use crate::{
    clock, engine,
    slack::{Heard, verify},
};

pub(super) async fn events(
    State(door): State<Door>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<String, StatusCode> {
    let Some(secret) = &door.slack else {
        return Err(StatusCode::NOT_FOUND);
    };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (time, signature) = (header("x-slack-request-timestamp"), header("x-slack-signature"));
    if let Err(error) = verify(secret, time, signature, &body, clock::now()) {
        tracing::info!(%error, "a request to Slack's address was refused");
        return Err(StatusCode::UNAUTHORIZED);
    }
    let read = serde_json::from_slice(&body).ok();
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
