//! Taking people's words away. What is left of a signal is its id, its times and where it belongs; the ledger's digest
//! of its words stays, and without the salt nobody can try out which words they were.

use ::loops::{id::SignalId, signal::Signal, time::Timestamp};

use super::{Kept, columns, look::read};
use crate::{
    source::Gone,
    store::{
        Reader, StoreError, Tx,
        query::{Query, statements},
    },
};

statements! { "signals":
    ERASE = "UPDATE signals SET text = '', author = NULL, account = NULL, url = NULL, salt = '', flags = '[]', erased_at = $3
        WHERE loop = $1 AND id = $2 AND erased_at IS NULL";
    BURY = "INSERT INTO signals (loop, id, source, external_id, edition, at, author, voice, text, url, reactions,
        labels, thread, salt, read_at, flags, private, erased_at)
        VALUES ($1, $2, $3, $4, 1, $5, NULL, 'machine', '', NULL, '{}', '[]', NULL, '', $5, '[]', 0, $5)
        ON CONFLICT (loop, id) DO NOTHING";
    OF_AUTHOR = concat!("SELECT ", columns!(), " FROM signals
        WHERE author = $1 AND erased_at IS NULL ORDER BY loop, id");
    OLDER = "SELECT loop, id FROM signals WHERE at < $1 AND erased_at IS NULL ORDER BY at, id LIMIT $2";
}

/// Takes a signal's words, author and link away for good; a source that gives them again is not heard. False: it is
/// not there, or was erased already.
pub async fn erase(tx: &mut Tx, loop_name: &str, id: SignalId, at: Timestamp) -> Result<bool, StoreError> {
    Ok(ERASE
        .run(tx, |q| q.bind(loop_name).bind(id.to_string()).bind(at.0))
        .await?
        > 0)
}

/// Notes that a signal that was never read was taken away at its source, so that what is still on its way of it is not
/// heard. Nothing changes where it is known.
pub async fn bury(tx: &mut Tx, loop_name: &str, gone: &Gone, at: Timestamp) -> Result<SignalId, StoreError> {
    let id = Signal::id_of(&gone.source, &gone.external_id);
    let bind = |q: Query| {
        q.bind(loop_name)
            .bind(id.to_string())
            .bind(&gone.source)
            .bind(&gone.external_id)
            .bind(at.0)
    };
    BURY.run(tx, bind).await?;
    Ok(id)
}

/// What one person said, in all loops, by the name that sources give them.
pub async fn of_author(from: impl Reader, author: &str) -> Result<Vec<Kept>, StoreError> {
    OF_AUTHOR.all(from, |q| q.bind(author), read).await
}

/// A signal whose words are older than somebody wants to keep them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Old {
    /// The loop that read it.
    pub loop_name: String,
    /// The signal.
    pub id: SignalId,
}

/// Signals that were said before a time and still have their words, oldest first, at most `limit`.
pub async fn older(from: impl Reader, before: Timestamp, limit: u32) -> Result<Vec<Old>, StoreError> {
    let row = |row: &crate::store::query::Row| {
        Ok(Old {
            loop_name: row.text("loop")?,
            id: row.parsed("id")?,
        })
    };
    OLDER
        .all(from, |q| q.bind(before.0).bind(i64::from(limit)), row)
        .await
}
