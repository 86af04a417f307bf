//! Table `transcripts`: what an attempt said and did, line by line, for people.

use std::borrow::Cow;

use ::loops::{
    id::{AttemptId, RunId},
    screen::secrets,
    time::Timestamp,
};
use serde_json::Value;
use workers::order::Entry;

use crate::config::secret::scrub;

use super::{Reader, StoreError, Tx, query::statements};

/// One line of a transcript.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its number within the attempt, from 1, without gaps.
    pub number: u32,
    /// When it was said or done.
    pub at: Timestamp,
    /// The line.
    pub entry: Entry,
}

statements! { "transcripts":
    LAST = "SELECT COALESCE(MAX(number), 0) AS number FROM transcripts WHERE attempt = $1";
    APPEND = "INSERT INTO transcripts (attempt, number, at, entry) VALUES ($1, $2, $3, $4)";
    // Of what has ended: what goes on still needs its words.
    FORGET_RUN = "DELETE FROM transcripts WHERE attempt IN (SELECT id FROM attempts WHERE run = $1 AND ended_at IS NOT NULL)";
    FORGET_OLD = "DELETE FROM transcripts WHERE attempt IN (SELECT id FROM attempts WHERE ended_at < $1)";
    AFTER = "SELECT number, at, entry FROM transcripts WHERE attempt = $1 AND number > $2 ORDER BY number LIMIT $3";
}

/// An entry without the secrets that it would keep: those of known forms, and those that this process holds. Every
/// piece of an entry comes whole, so that none is cut in two.
fn without_secrets(mut entry: Entry) -> Entry {
    match &mut entry {
        Entry::Told { text } | Entry::Said { text } | Entry::Answered { text, .. } | Entry::Note { text } => {
            mask(text);
        }
        Entry::Called { input, .. } => mask_all(input),
        Entry::Used { .. } => {}
    }
    entry
}

fn mask(text: &mut String) {
    if let Cow::Owned(other) = secrets::mask_known(text) {
        *text = other;
    }
    if let Cow::Owned(other) = scrub(text) {
        *text = other;
    }
}

fn mask_all(value: &mut Value) {
    match value {
        Value::String(text) => mask(text),
        Value::Array(values) => values.iter_mut().for_each(mask_all),
        Value::Object(fields) => fields.values_mut().for_each(mask_all),
        _ => {}
    }
}

/// Adds lines at the end, in their order, without secrets; the number of the last line after that.
pub async fn append(
    tx: &mut Tx,
    attempt: AttemptId,
    entries: &[(Timestamp, Entry)],
) -> Result<u32, StoreError> {
    let attempt = attempt.to_string();
    let mut number: u32 = LAST
        .first(&mut *tx, |q| q.bind(&attempt), |row| row.number("number"))
        .await?
        .unwrap_or(0);
    for (at, entry) in entries {
        number = number.saturating_add(1);
        let entry = serde_json::to_string(&without_secrets(entry.clone()))?;
        APPEND
            .run(tx, |q| {
                q.bind(&attempt).bind(i64::from(number)).bind(at.0).bind(entry)
            })
            .await?;
    }
    Ok(number)
}

/// Takes away what the ended attempts of a run said and did; how many lines.
pub async fn forget_run(tx: &mut Tx, run: RunId) -> Result<u64, StoreError> {
    FORGET_RUN.run(tx, |q| q.bind(run.to_string())).await
}

/// Takes away what attempts said and did that ended before a time; how many lines.
pub async fn forget_old(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    FORGET_OLD.run(tx, |q| q.bind(before.0)).await
}

/// At most `limit` lines after line `number` (0: from the start). Following a transcript is asking again with the
/// number of the last line that one has.
pub async fn after(
    from: impl Reader,
    attempt: AttemptId,
    number: u32,
    limit: u32,
) -> Result<Vec<Line>, StoreError> {
    let read = |row: &super::query::Row| {
        Ok(Line {
            number: row.number("number")?,
            at: row.time("at")?,
            entry: row.json("entry")?,
        })
    };
    AFTER
        .all(
            from,
            |q| {
                q.bind(attempt.to_string())
                    .bind(i64::from(number))
                    .bind(i64::from(limit))
            },
            read,
        )
        .await
}
