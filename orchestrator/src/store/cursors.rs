//! Table `cursors`: how far each source of a loop has been read, in the source's own words.

use std::collections::BTreeMap;

use ::loops::time::Timestamp;

use super::{Reader, StoreError, Tx, query::statements};

statements! { "cursors":
    PUT = "INSERT INTO cursors (loop, source, cursor, read_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (loop, source) DO UPDATE SET cursor = excluded.cursor, read_at = excluded.read_at";
    GET = "SELECT cursor FROM cursors WHERE loop = $1 AND source = $2";
    OF_LOOP = "SELECT source, cursor FROM cursors WHERE loop = $1 ORDER BY source";
}

/// Moves a source's cursor. Belongs into the transaction that keeps what was read.
pub async fn put(
    tx: &mut Tx,
    loop_name: &str,
    source: &str,
    cursor: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    PUT.run(tx, |q| q.bind(loop_name).bind(source).bind(cursor).bind(at.0))
        .await
        .map(drop)
}

/// How far a source has been read; none: not at all.
pub async fn get(from: impl Reader, loop_name: &str, source: &str) -> Result<Option<String>, StoreError> {
    GET.first(from, |q| q.bind(loop_name).bind(source), |row| row.text("cursor"))
        .await
}

/// The cursors of all sources of a loop, by source.
pub async fn of_loop(from: impl Reader, loop_name: &str) -> Result<BTreeMap<String, String>, StoreError> {
    let read = |row: &super::query::Row| Ok((row.text("source")?, row.text("cursor")?));
    Ok(OF_LOOP
        .all(from, |q| q.bind(loop_name), read)
        .await?
        .into_iter()
        .collect())
}
