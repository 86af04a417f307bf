//! GitHub's webhooks. It waits ten seconds for an answer and does not send again by itself: what is refused here for want
//! of a seat is found by the next reading, or sent again by a person (`Redeliver`).

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
    engine::{self, Came},
    github::{Hook, NotHeard, verify_hook},
};

/// GitHub sends up to 25 MB, but no issue, comment or review comes near this; a push of thousands of commits does, and is
/// fetched anyway.
const BOUNDS: Bounds = Bounds {
    size: 4 << 20,
    patience: Duration::from_secs(10),
};

pub(super) async fn events(State(door): State<Door>, request: Request) -> Result<StatusCode, StatusCode> {
    let taken = take(request, &door.github, &BOUNDS).await?;
    event(&door, &taken).await
}

async fn event(door: &Door, taken: &Taken<'_>) -> Result<StatusCode, StatusCode> {
    let Some(secret) = &door.secrets.github else {
        return Err(StatusCode::NOT_FOUND);
    };
    if let Err(error) = verify_hook(secret, taken.header("x-hub-signature-256"), &taken.body) {
        tracing::info!(%error, "a request to GitHub's address was refused");
        return Err(StatusCode::UNAUTHORIZED);
    }
    let (event, delivery) = (taken.header("x-github-event"), taken.header("x-github-delivery"));
    let hook = match Hook::read(event, delivery, &taken.body) {
        Ok(hook) => hook,
        Err(why @ (NotHeard::Ping | NotHeard::Ignored { .. } | NotHeard::NoRepository(_))) => {
            tracing::debug!(%why, "an event of GitHub is not kept");
            return Ok(StatusCode::NO_CONTENT);
        }
        Err(why) => {
            tracing::info!(%why, "an event of GitHub could not be read");
            return Err(StatusCode::BAD_REQUEST);
        }
    };
    match engine::hear_hook(&door.home, &hook).await {
        Ok(Came::Kept(signals)) => {
            tracing::debug!(event = hook.name(), signals, "an event of GitHub was kept");
            Ok(StatusCode::ACCEPTED)
        }
        Ok(Came::Known) => Ok(StatusCode::OK),
        Ok(Came::NotOurs) => Ok(StatusCode::NO_CONTENT),
        Err(error) => {
            tracing::warn!(%error, event = hook.name(), "an event of GitHub could not be kept");
            Err(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}
