//! Table `splits`: signals that a person took out of a finding, and where they belong since then.

use ::loops::{
    id::{FindingId, SignalId},
    time::Timestamp,
};

use super::{Reader, StoreError, Tx, query::statements};

/// What a person said of one signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// The signal.
    pub signal: SignalId,
    /// The finding that it is evidence of.
    pub finding: FindingId,
    /// The finding that it is no evidence of.
    pub apart_from: FindingId,
    /// When they said so.
    pub at: Timestamp,
}

statements! { "splits":
    SAY = "INSERT INTO splits (loop, signal, finding, apart_from, at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (loop, signal) DO UPDATE SET finding = excluded.finding, apart_from = excluded.apart_from,
        at = excluded.at";
    OF_LOOP = "SELECT signal, finding, apart_from, at FROM splits WHERE loop = $1 ORDER BY at, signal";
}

/// Remembers a split; of one signal, the last word counts.
pub async fn say(tx: &mut Tx, loop_name: &str, split: Split) -> Result<(), StoreError> {
    SAY.run(tx, |q| {
        q.bind(loop_name)
            .bind(split.signal.to_string())
            .bind(split.finding.to_string())
            .bind(split.apart_from.to_string())
            .bind(split.at.0)
    })
    .await
    .map(drop)
}

/// All splits of a loop, oldest first.
pub async fn of_loop(from: impl Reader, loop_name: &str) -> Result<Vec<Split>, StoreError> {
    let read = |row: &super::query::Row| {
        Ok(Split {
            signal: row.parsed("signal")?,
            finding: row.parsed("finding")?,
            apart_from: row.parsed("apart_from")?,
            at: row.time("at")?,
        })
    };
    OF_LOOP.all(from, |q| q.bind(loop_name), read).await
}
