//! Table `turns`: the lead agent's conversation, message by message, so that it goes on after a restart.

use ::loops::{id::RunId, time::Timestamp};
use serde::{Serialize, de::DeserializeOwned};

use super::{Reader, StoreError, Tx, query::statements};

statements! { "turns":
    APPEND = "INSERT INTO turns (run, number, message, at) VALUES ($1, $2, $3, $4)";
    FORGET_RUN = "DELETE FROM turns WHERE run = $1 AND EXISTS (SELECT 1 FROM runs WHERE id = $1 AND ended_at IS NOT NULL)";
    FORGET_OLD = "DELETE FROM turns WHERE run IN (SELECT id FROM runs WHERE ended_at < $1)";
    LOAD = "SELECT message FROM turns WHERE run = $1 ORDER BY number";
}

/// Keeps message `number` (from 0) of a run's conversation. Error: a conflict, if that one is kept already.
pub async fn append(
    tx: &mut Tx,
    run: RunId,
    number: u32,
    message: &impl Serialize,
    at: Timestamp,
) -> Result<(), StoreError> {
    let message = serde_json::to_string(message)?;
    let bind = |q: super::query::Query| {
        q.bind(run.to_string())
            .bind(i64::from(number))
            .bind(message)
            .bind(at.0)
    };
    APPEND.run_or_conflict(tx, bind).await.map(drop)
}

/// Takes away the conversation of a run that has ended; how many messages.
pub async fn forget_run(tx: &mut Tx, run: RunId) -> Result<u64, StoreError> {
    FORGET_RUN.run(tx, |q| q.bind(run.to_string())).await
}

/// Takes away the conversations of runs that ended before a time; how many messages.
pub async fn forget_old(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    FORGET_OLD.run(tx, |q| q.bind(before.0)).await
}

/// A run's conversation so far, in order.
pub async fn load<T: DeserializeOwned>(from: impl Reader, run: RunId) -> Result<Vec<T>, StoreError> {
    LOAD.all(from, |q| q.bind(run.to_string()), |row| row.json("message"))
        .await
}
