//! Table `findings`: the problems behind signals, which live across runs.

mod list;
mod merge;
mod standing;
mod suppress;

use ::loops::{
    finding::{Finding, FindingState},
    id::FindingId,
    score::Score,
    time::Timestamp,
};
use serde_json::Value;

#[cfg(test)]
pub(in crate::store) use self::standing::BATCHES;
pub use self::{
    list::{Filter, clusters, list},
    merge::{merge, resolved, resolved_all},
    standing::{set_states, states},
    suppress::{Suppression, suppression},
};
use super::{
    Reader, StoreError, Tx,
    query::{Query, Row, statements},
};

/// A finding and what the store knows about it besides.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The finding.
    pub finding: Finding,
    /// The loop that found it.
    pub loop_name: String,
    /// What the clustering keeps of it.
    pub cluster: Value,
    /// What it became a part of; see [`resolved`] for the end of the chain.
    pub merged_into: Option<FindingId>,
    /// Why somebody refused it.
    pub refused_why: Option<String>,
    /// Whether nothing of its kind is wanted again.
    pub never: bool,
    /// How many signals it had when a run last looked at it without result; it waits for more.
    pub considered: u32,
    /// When it was last reported again after it had been fixed.
    pub came_back_at: Option<Timestamp>,
    /// When it was found.
    pub created_at: Timestamp,
    /// When anything about it was written last.
    pub updated_at: Timestamp,
}

macro_rules! columns {
    () => {
        "id, loop, title, fingerprint, cluster, state, score, score_parts, signals, reporters, first_at, last_at, \
         merged_into, refused_why, never, considered, came_back_at, created_at, updated_at"
    };
}
use columns;

statements! { "findings":
    INSERT = "INSERT INTO findings (id, loop, title, fingerprint, state, score, score_parts, signals, reporters,
        first_at, last_at, cluster, updated_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)";
    UPDATE = "UPDATE findings SET title = $3, fingerprint = $4, state = $5, score = $6, score_parts = $7, signals = $8,
        reporters = $9, first_at = $10, last_at = $11, cluster = $12, updated_at = $13 WHERE id = $1 AND loop = $2";
    SET_STATE = "UPDATE findings SET state = $2, updated_at = $3 WHERE id = $1";
    REFUSE = "UPDATE findings SET state = 'refused', refused_why = $2, never = $3, updated_at = $4 WHERE id = $1";
    CONSIDERED = "UPDATE findings SET considered = signals, updated_at = $2 WHERE id = $1";
    REOPEN = "UPDATE findings SET state = 'open', refused_why = NULL, never = 0, considered = 0, updated_at = $2
        WHERE id = $1 AND state = 'refused'";
    CAME_BACK = "UPDATE findings SET came_back_at = $2, updated_at = $2 WHERE id = $1";
    RETITLE = "UPDATE findings SET title = $2, updated_at = $3 WHERE id = $1";
    AGAIN = "UPDATE findings SET considered = 0, updated_at = $2 WHERE id = $1 AND state = 'open' AND considered > 0";
    GET = concat!("SELECT ", columns!(), " FROM findings WHERE id = $1");
}

/// Adds a finding of a loop.
pub async fn insert(
    tx: &mut Tx,
    loop_name: &str,
    finding: &Finding,
    cluster: &Value,
    at: Timestamp,
) -> Result<(), StoreError> {
    let query = bind(loop_name, finding, cluster, at)?;
    INSERT.run(tx, query).await.map(drop)
}

/// Writes everything about a finding anew: its figures, state and what the clustering keeps of it. A refusal and a
/// merge stay as they are.
pub async fn update(
    tx: &mut Tx,
    loop_name: &str,
    finding: &Finding,
    cluster: &Value,
    at: Timestamp,
) -> Result<(), StoreError> {
    let query = bind(loop_name, finding, cluster, at)?;
    must_touch(UPDATE.run(tx, query).await?, finding.id)
}

/// Says where a finding stands now. Which step may follow which is [`loops::finding`]'s to say.
pub async fn set_state(
    tx: &mut Tx,
    id: FindingId,
    state: FindingState,
    at: Timestamp,
) -> Result<(), StoreError> {
    let bind = |q: Query| q.bind(id.to_string()).bind(state.as_str()).bind(at.0);
    must_touch(SET_STATE.run(tx, bind).await?, id)
}

/// Remembers that somebody does not want this finding worked on, and why; with `never`, nothing of its kind again.
pub async fn refuse(
    tx: &mut Tx,
    id: FindingId,
    why: &str,
    never: bool,
    at: Timestamp,
) -> Result<(), StoreError> {
    let bind = |q: Query| q.bind(id.to_string()).bind(why).bind(i64::from(never)).bind(at.0);
    must_touch(REFUSE.run(tx, bind).await?, id)
}

/// Remembers that a run has looked at it as it is now; it waits for new signals.
pub async fn set_considered(tx: &mut Tx, id: FindingId, at: Timestamp) -> Result<(), StoreError> {
    must_touch(
        CONSIDERED.run(tx, |q| q.bind(id.to_string()).bind(at.0)).await?,
        id,
    )
}

/// Takes a refusal back: it may be worked on without news. False: it is not refused.
pub async fn reopen(tx: &mut Tx, id: FindingId, at: Timestamp) -> Result<bool, StoreError> {
    Ok(REOPEN.run(tx, |q| q.bind(id.to_string()).bind(at.0)).await? > 0)
}

/// Remembers that a fixed finding was reported again.
pub async fn set_came_back(tx: &mut Tx, id: FindingId, at: Timestamp) -> Result<(), StoreError> {
    must_touch(
        CAME_BACK.run(tx, |q| q.bind(id.to_string()).bind(at.0)).await?,
        id,
    )
}

/// Gives a finding another title: its own was words that are erased.
pub async fn retitle(tx: &mut Tx, id: FindingId, title: &str, at: Timestamp) -> Result<(), StoreError> {
    let bind = |q: Query| q.bind(id.to_string()).bind(title).bind(at.0);
    must_touch(RETITLE.run(tx, bind).await?, id)
}

/// Lets a finding be taken up again that a run has looked at in vain, without news. False: there is nothing to wait for.
pub async fn again(tx: &mut Tx, id: FindingId, at: Timestamp) -> Result<bool, StoreError> {
    Ok(AGAIN.run(tx, |q| q.bind(id.to_string()).bind(at.0)).await? > 0)
}

/// The finding of that id, merged or not.
pub async fn get(from: impl Reader, id: FindingId) -> Result<Option<Kept>, StoreError> {
    GET.first(from, |q| q.bind(id.to_string()), read).await
}

fn bind(
    loop_name: &str,
    finding: &Finding,
    cluster: &Value,
    at: Timestamp,
) -> Result<impl FnOnce(Query) -> Query, StoreError> {
    let parts = serde_json::to_string(&finding.score.parts)?;
    Ok(move |q: Query| {
        q.bind(finding.id.to_string())
            .bind(loop_name)
            .bind(&finding.title)
            .bind(&finding.fingerprint)
            .bind(finding.state.as_str())
            .bind(finding.score.total)
            .bind(parts)
            .bind(i64::from(finding.signals))
            .bind(i64::from(finding.reporters))
            .bind(finding.first_at.0)
            .bind(finding.last_at.0)
            .bind(cluster.to_string())
            .bind(at.0)
    })
}

fn must_touch(rows: u64, id: FindingId) -> Result<(), StoreError> {
    if rows > 0 {
        Ok(())
    } else {
        Err(StoreError::Missing {
            what: "finding",
            id: id.to_string(),
        })
    }
}

fn read(row: &Row) -> Result<Kept, StoreError> {
    Ok(Kept {
        finding: Finding {
            id: row.parsed("id")?,
            title: row.text("title")?,
            fingerprint: row.text("fingerprint")?,
            state: row.word("state", FindingState::parse)?,
            score: Score {
                total: row.float("score")?,
                parts: row.json("score_parts")?,
            },
            signals: row.number("signals")?,
            reporters: row.number("reporters")?,
            first_at: row.time("first_at")?,
            last_at: row.time("last_at")?,
        },
        loop_name: row.text("loop")?,
        cluster: row.json("cluster")?,
        merged_into: row.maybe_parsed("merged_into")?,
        refused_why: row.maybe_text("refused_why")?,
        never: row.flag("never")?,
        considered: row.number("considered")?,
        came_back_at: row.maybe_time("came_back_at")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

#[cfg(test)]
pub(super) fn all_statements() -> impl Iterator<Item = &'static super::query::Statement> {
    [ALL, list::ALL, merge::ALL, suppress::ALL].into_iter().flatten()
}
