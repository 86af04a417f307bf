//! Signals as they are read back.

use ::loops::{
    id::{FindingId, SignalId},
    signal::{Signal, Voice},
};

use super::{Kept, columns, voice_word};
use crate::{
    source::Stretch,
    store::{
        Reader, StoreError,
        query::{Query, Row, statements},
    },
};

statements! { "signals":
    GET = concat!("SELECT ", columns!(), " FROM signals WHERE loop = $1 AND id = $2");
    EVERYWHERE = concat!("SELECT ", columns!(), " FROM signals WHERE id = $1 ORDER BY loop");
    OF_FINDING = concat!("SELECT ", columns!(), " FROM signals WHERE finding = $1 ORDER BY at, id LIMIT $2");
    UNASSIGNED = concat!("SELECT ", columns!(), " FROM signals
        WHERE loop = $1 AND finding IS NULL AND noise IS NULL AND erased_at IS NULL ORDER BY at, id LIMIT $2");
    IN_STRETCH = "SELECT id, external_id, thread FROM signals WHERE loop = $1 AND source = $2 AND erased_at IS NULL
        AND COALESCE(thread, external_id) > $3 AND COALESCE(thread, external_id) < $4";
    IN_PRIVATE = "SELECT COUNT(*) AS n FROM signals WHERE finding = $1 AND private = 1";
    COUNT = "SELECT COUNT(*) AS n FROM signals WHERE loop = $1";
}

/// The signal of that id, as that loop read it.
pub async fn get(from: impl Reader, loop_name: &str, id: SignalId) -> Result<Option<Kept>, StoreError> {
    GET.first(from, |q| q.bind(loop_name).bind(id.to_string()), read)
        .await
}

/// The signal of that id, as each loop read it.
pub async fn everywhere(from: impl Reader, id: SignalId) -> Result<Vec<Kept>, StoreError> {
    EVERYWHERE.all(from, |q| q.bind(id.to_string()), read).await
}

/// A finding's signals, oldest first, at most `limit`.
pub async fn of_finding(from: impl Reader, finding: FindingId, limit: u32) -> Result<Vec<Kept>, StoreError> {
    OF_FINDING
        .all(from, |q| q.bind(finding.to_string()).bind(i64::from(limit)), read)
        .await
}

/// A loop's signals that nobody has triaged, oldest first, at most `limit`.
pub async fn unassigned(from: impl Reader, loop_name: &str, limit: u32) -> Result<Vec<Kept>, StoreError> {
    UNASSIGNED
        .all(from, |q| q.bind(loop_name).bind(i64::from(limit)), read)
        .await
}

/// What a signal is known by in its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: SignalId,
    /// Its id within the source.
    pub external_id: String,
    /// What it answers.
    pub thread: Option<String>,
}

/// What is known of a stretch of a source, erased signals left out.
pub async fn in_stretch(
    from: impl Reader,
    loop_name: &str,
    stretch: &Stretch,
) -> Result<Vec<Known>, StoreError> {
    // What answers a thing stands where that thing does: just around it lies nothing else.
    let (source, after, before) = match stretch {
        Stretch::Roots {
            source,
            after,
            before,
            ..
        } => (source, after.clone(), before.clone()),
        Stretch::Answers { source, root, .. } => {
            let shorter = root.get(..root.len().saturating_sub(1)).unwrap_or_default();
            (source, shorter.to_owned(), format!("{root}z"))
        }
    };
    let bind = |q: Query| q.bind(loop_name).bind(source).bind(after).bind(before);
    IN_STRETCH
        .all(from, bind, |row| {
            Ok(Known {
                id: row.parsed("id")?,
                external_id: row.text("external_id")?,
                thread: row.maybe_text("thread")?,
            })
        })
        .await
}

/// How many of a finding's signals were said in private.
pub async fn in_private(from: impl Reader, finding: FindingId) -> Result<u64, StoreError> {
    Ok(IN_PRIVATE
        .first(from, |q| q.bind(finding.to_string()), |row| row.number("n"))
        .await?
        .unwrap_or(0))
}

/// How many signals a loop has read.
pub async fn count(from: impl Reader, loop_name: &str) -> Result<u64, StoreError> {
    Ok(COUNT
        .first(from, |q| q.bind(loop_name), |row| row.number("n"))
        .await?
        .unwrap_or(0))
}

fn read_voice(word: &str) -> Option<Voice> {
    [Voice::Person, Voice::Machine]
        .into_iter()
        .find(|voice| voice_word(*voice) == word)
}

pub(super) fn read(row: &Row) -> Result<Kept, StoreError> {
    Ok(Kept {
        signal: Signal {
            id: row.parsed("id")?,
            source: row.text("source")?,
            external_id: row.text("external_id")?,
            at: row.time("at")?,
            author: row.maybe_text("author")?,
            account: row.maybe_text("account")?,
            voice: row.word("voice", read_voice)?,
            text: row.text("text")?,
            url: row.maybe_text("url")?,
            reactions: row.json("reactions")?,
            labels: row.json("labels")?,
            thread: row.maybe_text("thread")?,
            private: row.flag("private")?,
        },
        loop_name: row.text("loop")?,
        edition: row.number("edition")?,
        noise: row.maybe_text("noise")?,
        finding: row.maybe_parsed("finding")?,
        salt: row.text("salt")?,
        flags: row.json("flags")?,
        read_at: row.time("read_at")?,
        erased_at: row.maybe_time("erased_at")?,
    })
}
