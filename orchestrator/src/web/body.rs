//! Taking a request's body in, whoever sent it: not too much, not too slowly, not too many at once. Nothing of it is
//! looked at.

use std::time::Duration;

use axum::{
    body::{Bytes, to_bytes},
    extract::Request,
    http::{StatusCode, request::Parts},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// How much somebody may send us.
pub(super) struct Bounds {
    /// Bytes.
    pub(super) size: usize,
    /// How long it may take.
    pub(super) patience: Duration,
}

/// A request whose body is here, and its seat for as long as it is looked at.
pub(super) struct Taken<'a> {
    pub(super) parts: Parts,
    pub(super) body: Bytes,
    _seat: SemaphorePermit<'a>,
}

/// Takes a request in. Refused: there is no seat, or it is too much or too slow.
pub(super) async fn take<'a>(
    request: Request,
    seats: &'a Semaphore,
    bounds: &Bounds,
) -> Result<Taken<'a>, StatusCode> {
    let seat = seats.try_acquire().map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let (parts, body) = request.into_parts();
    let body = timeout(bounds.patience, to_bytes(body, bounds.size))
        .await
        .map_err(|_| StatusCode::REQUEST_TIMEOUT)?
        .map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    Ok(Taken {
        parts,
        body,
        _seat: seat,
    })
}

impl Taken<'_> {
    /// A header, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
