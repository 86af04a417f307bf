//! Tables `ledger` and `seals`: the append-only record of every event, and the chain that shows whether it is whole.
//!
//! A row says ids, states, figures and salted digests, never people's words: those stand in tables that can be
//! erased. Rows are written in the transaction that decided what they tell; [`seal`] chains committed rows
//! afterwards, so that neither erasure nor parallel writers break the chain.

mod chain;
#[cfg(test)]
mod tests;
mod verify;

use ::loops::{id::RunId, time::Timestamp};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub(super) use self::verify::verify_in;
pub use self::{
    chain::seal,
    verify::{Broken, Verified, verify},
};
use super::{
    Reader, StoreError, Tx,
    batch::batches,
    query::{Row, statements},
};

/// More rows than this do not wait for the end of their transaction.
const MOST_UNWRITTEN: usize = 500;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its place in the ledger, from 1. Places go up; on Postgres some may be left out.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened: `run.started`, `signal.read`, `proposal.opened` …
    pub kind: String,
    /// The loop's name, if it is about one.
    pub loop_name: Option<String>,
    /// The run, if it is about one.
    pub run: Option<RunId>,
    /// The id of what it is about.
    pub subject: String,
    /// Ids, states, figures and salted digests.
    pub data: Value,
}

macro_rules! columns {
    () => {
        "seq, at, kind, loop, run, subject, data"
    };
}
use columns;

batches! { "ledger":
    RECORD (at "bigint", kind "text", loop "text", run "text", subject "text", data "text") =
        "INSERT INTO ledger (at, kind, loop, run, subject, data) SELECT at, kind, loop, run, subject, data FROM",
        "ORDER BY n";
}

statements! { "ledger":
    OF_RUN = concat!("SELECT ", columns!(), " FROM ledger WHERE run = $1 AND seq > $2 ORDER BY seq LIMIT $3");
    OF_SUBJECT = concat!("SELECT ", columns!(), " FROM ledger WHERE subject = $1 AND seq > $2 ORDER BY seq LIMIT $3");
}

/// A row that is written when its transaction is committed.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Unwritten {
    at: i64,
    kind: String,
    #[serde(rename = "loop")]
    loop_name: Option<String>,
    run: Option<String>,
    subject: String,
    data: String,
}

impl Tx {
    /// Records an event with what it decided. `data` holds no people's words; see [`digest`] for naming them.
    ///
    /// All rows of a transaction are written together, as it is committed: until then nobody reads them, not even through
    /// it.
    pub async fn record(
        &mut self,
        at: Timestamp,
        kind: &str,
        loop_name: Option<&str>,
        run: Option<RunId>,
        subject: &str,
        data: Value,
    ) -> Result<(), StoreError> {
        self.unwritten.push(Unwritten {
            at: at.0,
            kind: kind.to_owned(),
            loop_name: loop_name.map(str::to_owned),
            run: run.map(|run| run.to_string()),
            subject: subject.to_owned(),
            data: data.to_string(),
        });
        if self.unwritten.len() < MOST_UNWRITTEN {
            return Ok(());
        }
        write(self).await
    }
}

/// Writes down what was recorded.
pub(super) async fn write(tx: &mut Tx) -> Result<(), StoreError> {
    let rows = std::mem::take(&mut tx.unwritten);
    RECORD.run(tx, &rows, |query| query).await.map(drop)
}

/// Names words without saying them: SHA-256 over salt and words, hex. With the salt erased, nobody can try out which
/// words they were.
pub fn digest(salt: [u8; 16], words: &str) -> String {
    hex::encode(Sha256::new().chain_update(salt).chain_update(words).finalize())
}

/// A run's events after place `seq` (0: from the start), at most `limit`.
pub async fn rows_of_run(
    from: impl Reader,
    run: RunId,
    seq: i64,
    limit: u32,
) -> Result<Vec<Entry>, StoreError> {
    OF_RUN
        .all(
            from,
            |q| q.bind(run.to_string()).bind(seq).bind(i64::from(limit)),
            read,
        )
        .await
}

/// The events about one thing after place `seq` (0: from the start), at most `limit`.
pub async fn rows_of_subject(
    from: impl Reader,
    subject: &str,
    seq: i64,
    limit: u32,
) -> Result<Vec<Entry>, StoreError> {
    OF_SUBJECT
        .all(from, |q| q.bind(subject).bind(seq).bind(i64::from(limit)), read)
        .await
}

fn read(row: &Row) -> Result<Entry, StoreError> {
    Ok(Entry {
        seq: row.number("seq")?,
        at: row.time("at")?,
        kind: row.text("kind")?,
        loop_name: row.maybe_text("loop")?,
        run: row.maybe_parsed("run")?,
        subject: row.text("subject")?,
        data: row.json("data")?,
    })
}

#[cfg(test)]
pub(super) fn all_statements() -> impl Iterator<Item = &'static super::query::Statement> {
    [ALL, chain::ALL, verify::ALL].into_iter().flatten()
}
