//! Table `heard`: what services told us by themselves. It wakes loops and is no evidence: what happened is read by asking.

use std::time::Duration;

use ::loops::time::Timestamp;

use super::{
    Reader, StoreError, Tx,
    query::{Query, statements},
};

/// For how long events are known again.
const KEPT: Duration = Duration::from_secs(7 * 86_400);

/// Something that was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Such as `message`.
    pub kind: String,
    /// The channel's id.
    pub place: String,
    /// When it came.
    pub at: Timestamp,
}

statements! { "heard":
    PUT = "INSERT INTO heard (id, kind, place, at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING";
    SINCE = "SELECT kind, place, at FROM heard WHERE at > $1 ORDER BY at, id LIMIT $2";
    LATEST = "SELECT MAX(at) AS at FROM heard";
    FORGET = "DELETE FROM heard WHERE at < $1";
}

/// Keeps what was told. False: it was told before.
pub async fn put(tx: &mut Tx, id: &str, heard: &Heard) -> Result<bool, StoreError> {
    let bind = |q: Query| q.bind(id).bind(&heard.kind).bind(&heard.place).bind(heard.at.0);
    let new = PUT.run(tx, bind).await? > 0;
    if new {
        FORGET.run(tx, |q| q.bind(heard.at.minus(KEPT).0)).await?;
    }
    Ok(new)
}

/// What was told after a moment, oldest first, at most `limit`.
pub async fn since(from: impl Reader, at: Timestamp, limit: u32) -> Result<Vec<Heard>, StoreError> {
    SINCE
        .all(
            from,
            |q| q.bind(at.0).bind(i64::from(limit)),
            |row| {
                Ok(Heard {
                    kind: row.text("kind")?,
                    place: row.text("place")?,
                    at: row.time("at")?,
                })
            },
        )
        .await
}

/// When something was told last.
pub async fn latest(from: impl Reader) -> Result<Option<Timestamp>, StoreError> {
    Ok(LATEST
        .first(from, |q| q, |row| row.maybe_time("at"))
        .await?
        .flatten())
}
