//! Table `signals`: what sources gave, each piece once, with the finding that it is evidence of.
//!
//! People's words stand here and nowhere else in the store for good: [`erase`] takes them away and leaves the id.

use std::borrow::Cow;

use ::loops::{
    id::{FindingId, SignalId},
    signal::{Flag, Signal, Voice, injections},
    time::Timestamp,
};

use super::{
    Reader, StoreError, Tx,
    query::{Query, Row, statements},
    value::keepable,
};
use crate::source::Stretch;

/// A signal and what the store knows about it besides.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// What the source gave; its words are empty if they were erased.
    pub signal: Signal,
    /// The loop that read it.
    pub loop_name: String,
    /// 1, and one more for each edit of its words.
    pub edition: u32,
    /// Why it is no evidence of a problem.
    pub noise: Option<String>,
    /// The finding that it is evidence of.
    pub finding: Option<FindingId>,
    /// Salts the ledger's digest of its words; hex. Erased with them.
    pub salt: String,
    /// Known forms of prompt injection in its words. Erased with them.
    pub flags: Vec<Flag>,
    /// When we read it.
    pub read_at: Timestamp,
    /// When its words were taken away.
    pub erased_at: Option<Timestamp>,
}

/// What reading a signal brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// It was never seen before.
    New,
    /// Its words are others than before. It is to be triaged anew, and left the finding that it was in.
    Edited {
        /// The finding that it was in, whose figures are to be counted again.
        was_in: Option<FindingId>,
    },
    /// Its words are the same; reactions, labels, link or thread are not, and were kept.
    Refreshed {
        /// The finding that it is in, whose score may have changed.
        finding: Option<FindingId>,
    },
    /// Nothing about it is new, or it was erased and stays so.
    Unchanged,
}

macro_rules! columns {
    () => {
        "loop, id, source, external_id, edition, at, author, voice, text, url, reactions, labels, thread, noise, \
         finding, salt, flags, read_at, erased_at"
    };
}

statements! { "signals":
    INSERT = "INSERT INTO signals (loop, id, source, external_id, edition, at, author, voice, text, url, reactions,
        labels, thread, salt, read_at, flags) VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        ON CONFLICT (loop, id) DO NOTHING";
    EDIT = "UPDATE signals SET edition = edition + 1, at = $3, author = $4, voice = $5, text = $6, url = $7,
        reactions = $8, labels = $9, thread = $10, salt = $11, read_at = $12, flags = $13, noise = NULL, finding = NULL
        WHERE loop = $1 AND id = $2";
    REFRESH = "UPDATE signals SET url = $3, reactions = $4, labels = $5, thread = $6, read_at = $7
        WHERE loop = $1 AND id = $2";
    SET_FINDING = "UPDATE signals SET finding = $3, noise = NULL WHERE loop = $1 AND id = $2";
    SET_NOISE = "UPDATE signals SET noise = $3, finding = NULL WHERE loop = $1 AND id = $2";
    MOVE = "UPDATE signals SET finding = $2 WHERE finding = $1";
    ERASE = "UPDATE signals SET text = '', author = NULL, url = NULL, salt = '', flags = '[]', erased_at = $3
        WHERE loop = $1 AND id = $2 AND erased_at IS NULL";
    GET = concat!("SELECT ", columns!(), " FROM signals WHERE loop = $1 AND id = $2");
    EVERYWHERE = concat!("SELECT ", columns!(), " FROM signals WHERE id = $1 ORDER BY loop");
    OF_FINDING = concat!("SELECT ", columns!(), " FROM signals WHERE finding = $1 ORDER BY at, id LIMIT $2");
    UNASSIGNED = concat!("SELECT ", columns!(), " FROM signals
        WHERE loop = $1 AND finding IS NULL AND noise IS NULL AND erased_at IS NULL ORDER BY at, id LIMIT $2");
    IN_STRETCH = "SELECT id, external_id, thread FROM signals WHERE loop = $1 AND source = $2 AND erased_at IS NULL
        AND COALESCE(thread, external_id) > $3 AND COALESCE(thread, external_id) < $4";
    COUNT = "SELECT COUNT(*) AS n FROM signals WHERE loop = $1";
}

/// Keeps a signal that a source gave. `salt` is fresh randomness for the ledger's digest of its words (see
/// [`super::ledger::digest`]); it is used for new words only.
pub async fn upsert(
    tx: &mut Tx,
    loop_name: &str,
    signal: &Signal,
    salt: [u8; 16],
    at: Timestamp,
) -> Result<Reading, StoreError> {
    let signal = &mut as_kept(signal);
    let Some(known) = get(&mut *tx, loop_name, signal.id).await? else {
        insert(tx, loop_name, signal, salt, at).await?;
        return Ok(Reading::New);
    };
    // The same message may come from an export, which knows no links.
    if signal.url.is_none() && known.signal.url.is_some() {
        signal.to_mut().url.clone_from(&known.signal.url);
    }
    if known.erased_at.is_some() {
        return Ok(Reading::Unchanged);
    }
    if known.signal.text != signal.text {
        edit(tx, loop_name, signal, salt, at).await?;
        return Ok(Reading::Edited {
            was_in: known.finding,
        });
    }
    if about(&known.signal) != about(signal) {
        refresh(tx, loop_name, signal, at).await?;
        return Ok(Reading::Refreshed {
            finding: known.finding,
        });
    }
    Ok(Reading::Unchanged)
}

/// Says which finding a signal is evidence of.
pub async fn set_finding(
    tx: &mut Tx,
    loop_name: &str,
    id: SignalId,
    finding: FindingId,
) -> Result<(), StoreError> {
    let bind = |q: Query| q.bind(loop_name).bind(id.to_string()).bind(finding.to_string());
    must_touch(SET_FINDING.run(tx, bind).await?, id)
}

/// Says why a signal is no evidence of a problem.
pub async fn set_noise(tx: &mut Tx, loop_name: &str, id: SignalId, why: &str) -> Result<(), StoreError> {
    must_touch(
        SET_NOISE
            .run(tx, |q| q.bind(loop_name).bind(id.to_string()).bind(why))
            .await?,
        id,
    )
}

/// Gives all signals of one finding to another; how many.
pub(super) async fn move_all(tx: &mut Tx, from: FindingId, into: FindingId) -> Result<u64, StoreError> {
    MOVE.run(tx, |q| q.bind(from.to_string()).bind(into.to_string()))
        .await
}

/// Takes a signal's words, author and link away for good; a source that gives them again is not heard. False: it is
/// not there, or was erased already.
pub async fn erase(tx: &mut Tx, loop_name: &str, id: SignalId, at: Timestamp) -> Result<bool, StoreError> {
    Ok(ERASE
        .run(tx, |q| q.bind(loop_name).bind(id.to_string()).bind(at.0))
        .await?
        > 0)
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

/// How many signals a loop has read.
pub async fn count(from: impl Reader, loop_name: &str) -> Result<u64, StoreError> {
    Ok(COUNT
        .first(from, |q| q.bind(loop_name), |row| row.number("n"))
        .await?
        .unwrap_or(0))
}

async fn insert(
    tx: &mut Tx,
    loop_name: &str,
    signal: &Signal,
    salt: [u8; 16],
    at: Timestamp,
) -> Result<(), StoreError> {
    let (reactions, labels) = lists(signal)?;
    let flags = serde_json::to_string(&injections(&signal.text))?;
    let bind = |q: Query| {
        q.bind(loop_name)
            .bind(signal.id.to_string())
            .bind(&signal.source)
            .bind(&signal.external_id)
            .bind(signal.at.0)
            .bind(&signal.author)
            .bind(voice_word(signal.voice))
            .bind(&signal.text)
            .bind(&signal.url)
            .bind(reactions)
            .bind(labels)
            .bind(&signal.thread)
            .bind(hex::encode(salt))
            .bind(at.0)
            .bind(flags)
    };
    INSERT.run(tx, bind).await.map(drop)
}

async fn edit(
    tx: &mut Tx,
    loop_name: &str,
    signal: &Signal,
    salt: [u8; 16],
    at: Timestamp,
) -> Result<(), StoreError> {
    let (reactions, labels) = lists(signal)?;
    let flags = serde_json::to_string(&injections(&signal.text))?;
    let bind = |q: Query| {
        q.bind(loop_name)
            .bind(signal.id.to_string())
            .bind(signal.at.0)
            .bind(&signal.author)
            .bind(voice_word(signal.voice))
            .bind(&signal.text)
            .bind(&signal.url)
            .bind(reactions)
            .bind(labels)
            .bind(&signal.thread)
            .bind(hex::encode(salt))
            .bind(at.0)
            .bind(flags)
    };
    EDIT.run(tx, bind).await.map(drop)
}

async fn refresh(tx: &mut Tx, loop_name: &str, signal: &Signal, at: Timestamp) -> Result<(), StoreError> {
    let (reactions, labels) = lists(signal)?;
    let bind = |q: Query| {
        q.bind(loop_name)
            .bind(signal.id.to_string())
            .bind(&signal.url)
            .bind(reactions)
            .bind(labels)
            .bind(&signal.thread)
            .bind(at.0)
    };
    REFRESH.run(tx, bind).await.map(drop)
}

/// The signal as it will be read back, so that one that is the same is known again.
fn as_kept(signal: &Signal) -> Cow<'_, Signal> {
    let texts = [Some(&signal.text), signal.url.as_ref(), signal.thread.as_ref()];
    if !texts.into_iter().flatten().any(|text| text.contains('\0')) {
        return Cow::Borrowed(signal);
    }
    let kept = |text: &String| keepable(text).into_owned();
    Cow::Owned(Signal {
        text: kept(&signal.text),
        url: signal.url.as_ref().map(kept),
        thread: signal.thread.as_ref().map(kept),
        ..signal.clone()
    })
}

/// What may change about a signal without its words being others.
fn about(signal: &Signal) -> impl PartialEq + '_ {
    (&signal.url, &signal.reactions, &signal.labels, &signal.thread)
}

fn lists(signal: &Signal) -> Result<(String, String), StoreError> {
    Ok((
        serde_json::to_string(&signal.reactions)?,
        serde_json::to_string(&signal.labels)?,
    ))
}

fn must_touch(rows: u64, id: SignalId) -> Result<(), StoreError> {
    if rows > 0 {
        Ok(())
    } else {
        Err(StoreError::Missing {
            what: "signal",
            id: id.to_string(),
        })
    }
}

fn voice_word(voice: Voice) -> &'static str {
    match voice {
        Voice::Person => "person",
        Voice::Machine => "machine",
    }
}

fn read_voice(word: &str) -> Option<Voice> {
    [Voice::Person, Voice::Machine]
        .into_iter()
        .find(|voice| voice_word(*voice) == word)
}

fn read(row: &Row) -> Result<Kept, StoreError> {
    Ok(Kept {
        signal: Signal {
            id: row.parsed("id")?,
            source: row.text("source")?,
            external_id: row.text("external_id")?,
            at: row.time("at")?,
            author: row.maybe_text("author")?,
            voice: row.word("voice", read_voice)?,
            text: row.text("text")?,
            url: row.maybe_text("url")?,
            reactions: row.json("reactions")?,
            labels: row.json("labels")?,
            thread: row.maybe_text("thread")?,
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
