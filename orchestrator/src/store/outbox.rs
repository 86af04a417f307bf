//! Table `outbox`: what is to leave the system. Written in the transaction that decides it, carried out afterwards.

use ::loops::time::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    Reader, StoreError, Tx,
    query::{Row, statements},
    words::words,
};

words! {
    /// How an effect stands.
    EffectState {
        /// It is to be carried out, or may have been: look first.
        Pending = "pending",
        /// It was carried out.
        Done = "done",
        /// It was given up.
        Failed = "failed",
    }
}

/// Something that is to leave the system, or has.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// What makes it the same effect if it is decided again.
    pub key: String,
    /// What is to be done; see [`Effect::effect`].
    pub effect: Value,
    /// How it stands.
    pub state: EffectState,
    /// How often it was tried in vain.
    pub tries: u32,
    /// How many of those times it was refused: whoever was asked answered, and the answer was no. Outages are none.
    pub refusals: u32,
    /// What went wrong the last time.
    pub why: Option<String>,
    /// Not to be tried before.
    pub next_at: Timestamp,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// When it was carried out or given up.
    pub done_at: Option<Timestamp>,
}

impl Effect {
    /// What is to be done, as the type that it was put from.
    pub fn effect<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        T::deserialize(&self.effect).map_err(|error| StoreError::Undecodable {
            table: "outbox",
            column: "effect",
            why: error.to_string(),
        })
    }
}

macro_rules! columns {
    () => {
        "key, effect, state, tries, refusals, why, next_at, decided_at, done_at"
    };
}

statements! { "outbox":
    PUT = "INSERT INTO outbox (key, effect, state, decided_at) VALUES ($1, $2, 'pending', $3) ON CONFLICT (key) DO NOTHING";
    /// What was given up stays so until something else is wanted; what waits keeps its place.
    RENEW = "INSERT INTO outbox (key, effect, state, decided_at) VALUES ($1, $2, 'pending', $3)
        ON CONFLICT (key) DO UPDATE SET effect = excluded.effect, state = 'pending', decided_at = excluded.decided_at,
            done_at = NULL, why = CASE WHEN outbox.state = 'pending' THEN outbox.why ELSE NULL END,
            tries = CASE WHEN outbox.state = 'pending' THEN outbox.tries ELSE 0 END,
            refusals = CASE WHEN outbox.state = 'pending' THEN outbox.refusals ELSE 0 END,
            next_at = CASE WHEN outbox.state = 'pending' THEN outbox.next_at ELSE 0 END
        WHERE outbox.state = 'done' OR outbox.effect <> excluded.effect";
    /// What was given up or carried out begins anew; what waits is left as it is, unless something else is wanted.
    AGAIN = "INSERT INTO outbox (key, effect, state, decided_at) VALUES ($1, $2, 'pending', $3)
        ON CONFLICT (key) DO UPDATE SET effect = excluded.effect, state = 'pending', decided_at = excluded.decided_at,
            done_at = NULL, why = NULL, tries = 0, refusals = 0, next_at = 0
        WHERE outbox.state <> 'pending' OR outbox.effect <> excluded.effect";
    AMEND = "UPDATE outbox SET effect = $2 WHERE key = $1 AND state = 'pending'";
    DONE = "UPDATE outbox SET state = 'done', why = NULL, done_at = $2 WHERE key = $1 AND state = 'pending'";
    TRIED = "UPDATE outbox SET tries = tries + 1, why = $2, next_at = $3 WHERE key = $1 AND state = 'pending'";
    REFUSED = "UPDATE outbox SET tries = tries + 1, refusals = refusals + 1, why = $2, next_at = $3
        WHERE key = $1 AND state = 'pending'";
    FAILED = "UPDATE outbox SET state = 'failed', tries = tries + 1, why = $2, done_at = $3
        WHERE key = $1 AND state = 'pending'";
    PENDING = concat!("SELECT ", columns!(), " FROM outbox WHERE state = 'pending' ORDER BY decided_at, key LIMIT $1");
    FAILED_SINCE = concat!("SELECT ", columns!(), " FROM outbox WHERE state = 'failed' AND done_at >= $1
        ORDER BY done_at DESC, key LIMIT $2");
    GET = concat!("SELECT ", columns!(), " FROM outbox WHERE key = $1");
    LATEST = concat!("SELECT ", columns!(), " FROM outbox WHERE SUBSTR(key, 1, LENGTH(CAST($1 AS TEXT))) = $1
        ORDER BY decided_at DESC, key DESC LIMIT 1");
}

/// Decides an effect. False: one with this key was decided before, and stays as it is.
pub async fn put(tx: &mut Tx, key: &str, effect: &impl Serialize, at: Timestamp) -> Result<bool, StoreError> {
    let effect = serde_json::to_string(effect)?;
    Ok(PUT.run(tx, |q| q.bind(key).bind(effect).bind(at.0)).await? > 0)
}

/// Decides an effect of which only the last form counts, like the text of the dashboard: what was carried out under this
/// key before is history. False: the same waits already, or was given up.
pub async fn renew(
    tx: &mut Tx,
    key: &str,
    effect: &impl Serialize,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let effect = serde_json::to_string(effect)?;
    Ok(RENEW.run(tx, |q| q.bind(key).bind(effect).bind(at.0)).await? > 0)
}

/// Decides an effect that a person asks for, though it may have been given up before. False: the same waits already.
pub async fn again(
    tx: &mut Tx,
    key: &str,
    effect: &impl Serialize,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let effect = serde_json::to_string(effect)?;
    Ok(AGAIN.run(tx, |q| q.bind(key).bind(effect).bind(at.0)).await? > 0)
}

/// It was carried out. False: it was not pending.
pub async fn done(tx: &mut Tx, key: &str, at: Timestamp) -> Result<bool, StoreError> {
    Ok(DONE.run(tx, |q| q.bind(key).bind(at.0)).await? > 0)
}

/// Changes what is to be done, before it was. False: it is not pending.
pub async fn amend(tx: &mut Tx, key: &str, effect: &impl Serialize) -> Result<bool, StoreError> {
    let effect = serde_json::to_string(effect)?;
    Ok(AMEND.run(tx, |q| q.bind(key).bind(effect)).await? > 0)
}

/// It went wrong and is to be tried again, not before `next_at`. False: it was not pending.
pub async fn tried(tx: &mut Tx, key: &str, why: &str, next_at: Timestamp) -> Result<bool, StoreError> {
    Ok(TRIED.run(tx, |q| q.bind(key).bind(why).bind(next_at.0)).await? > 0)
}

/// It was refused and is to be tried again all the same, not before `next_at`. False: it was not pending.
pub async fn refused(tx: &mut Tx, key: &str, why: &str, next_at: Timestamp) -> Result<bool, StoreError> {
    Ok(REFUSED.run(tx, |q| q.bind(key).bind(why).bind(next_at.0)).await? > 0)
}

/// It went wrong and is given up. False: it was not pending.
pub async fn failed(tx: &mut Tx, key: &str, why: &str, at: Timestamp) -> Result<bool, StoreError> {
    Ok(FAILED.run(tx, |q| q.bind(key).bind(why).bind(at.0)).await? > 0)
}

/// What is to be carried out, oldest first, at most `limit`.
pub async fn pending(from: impl Reader, limit: u32) -> Result<Vec<Effect>, StoreError> {
    PENDING.all(from, |q| q.bind(i64::from(limit)), read).await
}

/// What was given up since a moment, the last first, at most `limit`.
pub async fn failed_since(
    from: impl Reader,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<Effect>, StoreError> {
    FAILED_SINCE
        .all(from, |q| q.bind(since.0).bind(i64::from(limit)), read)
        .await
}

/// The effect with that key.
pub async fn get(from: impl Reader, key: &str) -> Result<Option<Effect>, StoreError> {
    GET.first(from, |q| q.bind(key), read).await
}

/// Of the effects whose keys begin so, the one that was decided last.
pub async fn latest(from: impl Reader, prefix: &str) -> Result<Option<Effect>, StoreError> {
    LATEST.first(from, |q| q.bind(prefix), read).await
}

fn read(row: &Row) -> Result<Effect, StoreError> {
    Ok(Effect {
        key: row.text("key")?,
        effect: row.json("effect")?,
        state: row.word("state", EffectState::parse)?,
        tries: row.number("tries")?,
        refusals: row.number("refusals")?,
        why: row.maybe_text("why")?,
        next_at: row.time("next_at")?,
        decided_at: row.time("decided_at")?,
        done_at: row.maybe_time("done_at")?,
    })
}
