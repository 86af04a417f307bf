//! Table `heard`: that services told us something by themselves, once each. It wakes loops and is no evidence.

use std::time::Duration;

use ::loops::time::Timestamp;

use super::{
    Reader, StoreError, Tx,
    query::{Query, Row, statements},
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
    NEWS = "SELECT kind, place, COUNT(*) AS n, MIN(at) AS first, MAX(at) AS last FROM heard WHERE at > $1 AND kind <> ''
        GROUP BY kind, place ORDER BY kind, place";
    LATEST = "SELECT MAX(at) AS at FROM heard WHERE id >= $1 AND id < $2";
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

/// What was told of one kind in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Such as `message`.
    pub kind: String,
    /// The channel's id, or the repository.
    pub place: String,
    /// How often.
    pub count: usize,
    /// When the first of it came,
    pub first: Timestamp,
    /// and the last.
    pub last: Timestamp,
}

/// What was told after a moment, by kinds and places, however much it is.
pub async fn news(from: impl Reader, at: Timestamp) -> Result<Vec<News>, StoreError> {
    let read = |row: &Row| {
        Ok(News {
            kind: row.text("kind")?,
            place: row.text("place")?,
            count: row.number("n")?,
            first: row.time("first")?,
            last: row.time("last")?,
        })
    };
    NEWS.all(from, |q| q.bind(at.0), read).await
}

/// When something was told last, by a service whose events' ids begin with `prefix`, which ends with `:`.
pub async fn latest(from: impl Reader, prefix: &str) -> Result<Option<Timestamp>, StoreError> {
    // The character after `:` is `;`.
    let end = format!("{};", prefix.trim_end_matches(':'));
    Ok(LATEST
        .first(from, |q| q.bind(prefix).bind(end), |row| row.maybe_time("at"))
        .await?
        .flatten())
}
