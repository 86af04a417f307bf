//! Tables `saves` and `saved_messages`: what an attempt has so far, its tree and its conversation, so that whoever goes
//! on with it does not begin anew. They live as long as the attempt's order; the tree's pack is in `packs`.
//!
//! Whoever writes here holds the order's lease, and asks for it in the same transaction.

use ::loops::{id::AttemptId, time::Timestamp};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Reader, StoreError, Tx,
    query::{Query, Row, statements},
};

/// What was saved last.
#[derive(Debug, Clone, PartialEq)]
pub struct Save<T> {
    /// The tree; none: it was the base's.
    pub tree: Option<String>,
    /// The conversation.
    pub messages: Vec<T>,
    /// When.
    pub saved_at: Timestamp,
}

statements! { "saves":
    PUT = "INSERT INTO saves (attempt, tree, messages, saved_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (attempt) DO UPDATE SET tree = excluded.tree, messages = excluded.messages, saved_at = excluded.saved_at";
    ADD = "INSERT INTO saved_messages (attempt, number, message) VALUES ($1, $2, $3)";
    CUT = "DELETE FROM saved_messages WHERE attempt = $1 AND number >= $2";
    GET = "SELECT tree, messages, saved_at FROM saves WHERE attempt = $1";
    MESSAGES = "SELECT message FROM saved_messages WHERE attempt = $1 AND number < $2 ORDER BY number";
    // The tree that the last save names, if nobody else has to do with it.
    LET_GO = "DELETE FROM packs WHERE id = (SELECT 'change-' || tree FROM saves WHERE attempt = $1 AND tree <> $2)
        AND substr(id, 8) NOT IN (SELECT tree FROM attempts WHERE tree IS NOT NULL)
        AND substr(id, 8) NOT IN (SELECT tree FROM saves WHERE tree IS NOT NULL AND attempt <> $1)";
    FORGET = "DELETE FROM saves WHERE attempt = $1";
    FORGET_MESSAGES = "DELETE FROM saved_messages WHERE attempt = $1";
    SWEEP = "DELETE FROM saves WHERE attempt NOT IN (SELECT attempt FROM orders)";
    SWEEP_MESSAGES = "DELETE FROM saved_messages WHERE attempt NOT IN (SELECT attempt FROM saves)";
}

/// Saves what an attempt has: its tree, and its conversation's messages from number `after` on. The pack of the tree
/// that was saved before is let go.
pub async fn put(
    tx: &mut Tx,
    attempt: AttemptId,
    tree: Option<&str>,
    (after, messages): (usize, &[impl Serialize]),
    now: Timestamp,
) -> Result<(), StoreError> {
    let number = |at: usize| i64::try_from(at).unwrap_or(i64::MAX);
    let id = attempt.to_string();
    LET_GO
        .run(tx, |q| q.bind(&id).bind(tree.unwrap_or_default()))
        .await?;
    CUT.run(tx, |q| q.bind(&id).bind(number(after))).await?;
    for (at, message) in messages.iter().enumerate() {
        let message = serde_json::to_string(message)?;
        ADD.run(tx, |q| q.bind(&id).bind(number(after + at)).bind(message))
            .await?;
    }
    let bind = |q: Query| {
        q.bind(&id)
            .bind(tree)
            .bind(number(after + messages.len()))
            .bind(now.0)
    };
    PUT.run(tx, bind).await.map(drop)
}

/// Whether something was saved.
pub async fn there(from: impl Reader, attempt: AttemptId) -> Result<bool, StoreError> {
    let found = GET
        .first(from, |q| q.bind(attempt.to_string()), |_| Ok(()))
        .await?;
    Ok(found.is_some())
}

/// What was saved last; none: nothing was.
pub async fn get<T: DeserializeOwned>(
    tx: &mut Tx,
    attempt: AttemptId,
) -> Result<Option<Save<T>>, StoreError> {
    let read = |row: &Row| {
        Ok((
            row.maybe_text("tree")?,
            row.number::<i64>("messages")?,
            row.time("saved_at")?,
        ))
    };
    let id = attempt.to_string();
    let Some((tree, count, saved_at)) = GET.first(&mut *tx, |q| q.bind(&id), read).await? else {
        return Ok(None);
    };
    let messages = MESSAGES
        .all(tx, |q| q.bind(&id).bind(count), |row| row.json("message"))
        .await?;
    Ok(Some(Save {
        tree,
        messages,
        saved_at,
    }))
}

/// Takes away what was saved of an attempt: what became of it is written down in this transaction.
pub async fn forget(tx: &mut Tx, attempt: AttemptId) -> Result<(), StoreError> {
    let id = attempt.to_string();
    FORGET.run(tx, |q| q.bind(&id)).await?;
    FORGET_MESSAGES.run(tx, |q| q.bind(&id)).await.map(drop)
}

/// Takes away what was saved of attempts whose orders are gone.
pub async fn sweep(tx: &mut Tx) -> Result<u64, StoreError> {
    let count = SWEEP.run(tx, |q| q).await?;
    SWEEP_MESSAGES.run(tx, |q| q).await?;
    Ok(count)
}
