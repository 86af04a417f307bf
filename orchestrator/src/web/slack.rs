//! Slack's events. It waits three seconds for an answer and sends again what it did not hear one for, so an event is kept
//! and answered, and nothing is asked of anybody meanwhile.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::StatusCode,
};

use super::{
    body::{Bounds, Taken, take},
    server::Door,
};
use crate::{
    clock, engine,
    slack::{Heard, verify},
};

/// Slack sends a few kilobytes at once: what is more, or takes longer, is not Slack's.
const BOUNDS: Bounds = Bounds {
    size: 1 << 20,
    patience: Duration::from_secs(3),
};

pub(super) async fn events(State(door): State<Door>, request: Request) -> Result<String, StatusCode> {
    // Slack sends again what we are too busy for.
    let taken = take(request, &door.slack, &BOUNDS).await?;
    event(&door, &taken).await
}

async fn event(door: &Door, taken: &Taken<'_>) -> Result<String, StatusCode> {
    let Some(secret) = &door.secrets.slack else {
        return Err(StatusCode::NOT_FOUND);
    };
    let (time, signature) = (
        taken.header("x-slack-request-timestamp"),
        taken.header("x-slack-signature"),
    );
    if let Err(error) = verify(secret, time, signature, &taken.body, clock::now()) {
        tracing::info!(%error, "a request to Slack's address was refused");
        return Err(StatusCode::UNAUTHORIZED);
    }
    let read = serde_json::from_slice(&taken.body).ok();
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
