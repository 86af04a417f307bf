//! Signals that others send. Who signs rightly is told what was taken and what is wrong with the rest, line by line; who
//! does not learns not even whether there is such a loop.
//!
//! The signature is over the loop's name, the time and the body, so that none of the three can be another one.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use loops::time::Timestamp;
use serde_json::json;
use sha2::Sha256;

use super::{
    body::{Bounds, Taken, take},
    server::Door,
};
use crate::{
    clock,
    config::Secret,
    engine::{self, Sent},
};

/// A delivery is no export: who has more sends it in parts.
const BOUNDS: Bounds = Bounds {
    size: 4 << 20,
    patience: Duration::from_secs(10),
};
/// What is older, or further ahead, was not signed just now.
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// So many bad records are named; the others are counted.
const NAMED: usize = 100;

pub(super) async fn take_in(
    State(door): State<Door>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, StatusCode> {
    let taken = take(request, &door.signals, &BOUNDS).await?;
    let Some((secret, sent)) = signed(&door, &name, &taken) else {
        tracing::info!("signals that nobody signed for this loop just now were refused");
        return Err(StatusCode::UNAUTHORIZED);
    };
    let took = match engine::take_sent(&door.home, &name, secret, &sent).await {
        Ok(Some(took)) => took,
        // The secret is right, but this loop does not listen to it.
        Ok(None) => return Err(StatusCode::UNAUTHORIZED),
        Err(error) => {
            tracing::warn!(%error, "signals could not be kept");
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
    };
    let bad: Vec<_> = took
        .bad
        .iter()
        .take(NAMED)
        .map(|one| json!({ "place": one.place, "why": one.why }))
        .collect();
    let answer = json!({
        "taken": took.taken, "new": took.new, "known": took.known, "bad": bad, "bad_count": took.bad.len(),
    });
    let status = match took.taken == 0 && !took.bad.is_empty() {
        true => StatusCode::UNPROCESSABLE_ENTITY,
        false => StatusCode::OK,
    };
    Ok((status, Json(answer)).into_response())
}

/// The name of the secret that signed this for this loop, just now; none: none of them did.
fn signed<'a>(door: &'a Door, name: &str, taken: &'a Taken<'_>) -> Option<(&'a str, Sent<'a>)> {
    let time = taken.header("x-loops-timestamp")?;
    let given = hex::decode(taken.header("x-loops-signature")?.strip_prefix("v1=")?).ok()?;
    let at: i64 = time.parse().ok()?;
    if !is_just_now(at, clock::now()) {
        return None;
    }
    let all = door.secrets.signals.iter();
    let (secret, _) = all
        .filter(|(_, secret)| fits(secret, [name, time], &taken.body, &given))
        .last()?;
    let sent = Sent {
        body: &taken.body,
        signature: hex::encode(&given),
    };
    Some((secret, sent))
}

fn is_just_now(at: i64, now: Timestamp) -> bool {
    (now.0 / 1000).abs_diff(at) <= WINDOW.as_secs()
}

/// Whether a secret signs this so.
fn fits(secret: &Secret, [name, time]: [&str; 2], body: &[u8], given: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
        return false;
    };
    for part in [b"v1:", name.as_bytes(), b":", time.as_bytes(), b":", body] {
        mac.update(part);
    }
    // In constant time: how much of a guess was right must not show.
    mac.verify_slice(given).is_ok()
}
