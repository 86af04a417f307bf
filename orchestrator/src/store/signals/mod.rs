//! Table `signals`: what sources gave, each piece once, with the finding that it is evidence of.
//!
//! People's words stand here and nowhere else in the store for good: [`erase()`] takes them away and leaves the id.

mod erase;
mod look;

use std::borrow::Cow;

use ::loops::{
    id::{FindingId, SignalId},
    signal::{Flag, Signal, Voice, injections},
    time::Timestamp,
};

pub use self::{
    erase::{Old, bury, erase, of_author, older},
    look::{Known, count, everywhere, get, in_private, in_stretch, of_finding, unassigned},
};
use super::{
    StoreError, Tx,
    query::{Query, statements},
    value::keepable,
};

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
        "loop, id, source, external_id, edition, at, author, account, voice, text, url, reactions, labels, thread, private, \
         noise, finding, salt, flags, read_at, erased_at"
    };
}
use columns;

statements! { "signals":
    INSERT = "INSERT INTO signals (loop, id, source, external_id, edition, at, author, voice, text, url, reactions,
        labels, thread, salt, read_at, flags, private, account)
        VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        ON CONFLICT (loop, id) DO NOTHING";
    EDIT = "UPDATE signals SET edition = edition + 1, at = $3, author = $4, voice = $5, text = $6, url = $7,
        reactions = $8, labels = $9, thread = $10, salt = $11, read_at = $12, flags = $13, private = $14,
        account = $15, noise = NULL, finding = NULL
        WHERE loop = $1 AND id = $2";
    REFRESH = "UPDATE signals SET url = $3, reactions = $4, labels = $5, thread = $6, read_at = $7, private = $8, account = $9
        WHERE loop = $1 AND id = $2";
    SET_FINDING = "UPDATE signals SET finding = $3, noise = NULL WHERE loop = $1 AND id = $2";
    SET_NOISE = "UPDATE signals SET noise = $3, finding = NULL WHERE loop = $1 AND id = $2";
    MOVE = "UPDATE signals SET finding = $2 WHERE finding = $1";
    ADVANCE = "UPDATE signals SET changed_at = $3 WHERE loop = $1 AND id = $2 AND COALESCE(changed_at, $4) <= $4";
}

/// Notes when a signal last changed at its source, before its words are kept. False: a later edition is known, or with
/// `later` one of that very moment, so what is at hand is not to be kept. A signal that is not known is not noted.
pub async fn advance(
    tx: &mut Tx,
    loop_name: &str,
    id: SignalId,
    changed: Timestamp,
    later: bool,
) -> Result<bool, StoreError> {
    // A moment before: of the same one is not later.
    let at_most = if later {
        changed.0.saturating_sub(1)
    } else {
        changed.0
    };
    let bind = |q: Query| {
        q.bind(loop_name)
            .bind(id.to_string())
            .bind(changed.0)
            .bind(at_most)
    };
    if ADVANCE.run(tx, bind).await? > 0 {
        return Ok(true);
    }
    Ok(get(&mut *tx, loop_name, id).await?.is_none())
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
            .bind(i64::from(signal.private))
            .bind(&signal.account)
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
            .bind(i64::from(signal.private))
            .bind(&signal.account)
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
            .bind(i64::from(signal.private))
            .bind(&signal.account)
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
    (
        &signal.url,
        &signal.reactions,
        &signal.labels,
        &signal.thread,
        signal.private,
        &signal.account,
    )
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

#[cfg(test)]
pub(super) fn all_statements() -> impl Iterator<Item = &'static super::query::Statement> {
    [ALL, erase::ALL, look::ALL].into_iter().flatten()
}
