//! Table `turns`: the lead agent's conversation, message by message, so that it goes on after a restart.

use ::loops::{id::RunId, time::Timestamp};
use serde::{Serialize, de::DeserializeOwned};

use super::{Reader, StoreError, Tx, query::statements};

statements! { "turns":
    APPEND = "INSERT INTO turns (run, number, message, at) VALUES ($1, $2, $3, $4)";
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

/// A run's conversation so far, in order.
pub async fn load<T: DeserializeOwned>(from: impl Reader, run: RunId) -> Result<Vec<T>, StoreError> {
    LOAD.all(from, |q| q.bind(run.to_string()), |row| row.json("message"))
        .await
}
