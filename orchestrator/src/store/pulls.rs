//! Table `pulls`: the pull requests that proposals stand as, and how far what was said on them was read.

use ::loops::{id::ProposalId, time::Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    Reader, StoreError, Tx,
    query::{Query, Row, statements},
};

/// A proposal's pull request.
#[derive(Debug, Clone, PartialEq)]
pub struct PullRow {
    /// The proposal that it is.
    pub proposal: ProposalId,
    /// `owner/name`.
    pub repository: String,
    /// Its number there.
    pub number: u64,
    /// Where a person sees it.
    pub url: String,
    /// Whether it was opened as a draft.
    pub draft: bool,
    /// How far what was said on it was read; see [`PullRow::talk`].
    pub talk: Value,
    /// How often it was sent back because of what was said or failed on it.
    pub rounds: u32,
    /// How often it was made anew because its base had moved.
    pub rebuilds: u32,
    /// Why it is left alone from now on, if it is.
    pub hands_off: Option<String>,
    /// When it was opened.
    pub opened_at: Timestamp,
}

impl PullRow {
    /// How far what was said was read, as the type that it was written from.
    pub fn talk<T: DeserializeOwned + Default>(&self) -> T {
        // What cannot be understood counts as nothing read: what was answered is known by its key all the same.
        T::deserialize(&self.talk).unwrap_or_default()
    }
}

macro_rules! columns {
    () => {
        "proposal, repository, number, url, draft, talk, rounds, rebuilds, hands_off, opened_at"
    };
}

statements! { "pulls":
    PUT = "INSERT INTO pulls (proposal, repository, number, url, draft, talk, opened_at) VALUES ($1, $2, $3, $4, $5, '{}', $6)
        ON CONFLICT (proposal) DO UPDATE SET number = excluded.number, url = excluded.url, draft = excluded.draft";
    SET_TALK = "UPDATE pulls SET talk = $2 WHERE proposal = $1";
    ONE_MORE_ROUND = "UPDATE pulls SET rounds = rounds + 1 WHERE proposal = $1";
    ONE_MORE_REBUILD = "UPDATE pulls SET rebuilds = rebuilds + 1 WHERE proposal = $1";
    LEAVE_ALONE = "UPDATE pulls SET hands_off = $2 WHERE proposal = $1 AND hands_off IS NULL";
    TAKE_UP_AGAIN = "UPDATE pulls SET hands_off = NULL WHERE proposal = $1";
    GET = concat!("SELECT ", columns!(), " FROM pulls WHERE proposal = $1");
    OF_REPOSITORY = concat!("SELECT ", columns!(), " FROM pulls WHERE repository = $1 ORDER BY number");
    REFUSED_SINCE = "SELECT p.proposal, p.repository, p.number, p.url, p.draft, p.talk, p.rounds, p.rebuilds, p.hands_off, p.opened_at
        FROM pulls p JOIN proposals o ON o.id = p.proposal
        WHERE o.state IN ('rejected', 'expired') AND o.updated_at >= $1 ORDER BY o.updated_at DESC LIMIT $2";
    OPEN = "SELECT p.proposal, p.repository, p.number, p.url, p.draft, p.talk, p.rounds, p.rebuilds, p.hands_off, p.opened_at
        FROM pulls p JOIN proposals o ON o.id = p.proposal
        WHERE o.state IN ('preparing', 'open', 'revising', 'approved') ORDER BY p.repository, p.number";
}

/// Writes down which pull request a proposal is.
pub async fn put(tx: &mut Tx, pull: &PullRow) -> Result<(), StoreError> {
    let bind = |q: Query| {
        q.bind(pull.proposal.to_string())
            .bind(&pull.repository)
            .bind(i64::try_from(pull.number).unwrap_or(i64::MAX))
            .bind(&pull.url)
            .bind(i64::from(pull.draft))
            .bind(pull.opened_at.0)
    };
    PUT.run(tx, bind).await.map(drop)
}

/// Writes down how far what was said was read.
pub async fn set_talk(tx: &mut Tx, proposal: ProposalId, talk: &impl Serialize) -> Result<(), StoreError> {
    let talk = serde_json::to_string(talk)?;
    SET_TALK
        .run(tx, |q| q.bind(proposal.to_string()).bind(talk))
        .await
        .map(drop)
}

/// It was sent back once more.
pub async fn one_more_round(tx: &mut Tx, proposal: ProposalId) -> Result<(), StoreError> {
    ONE_MORE_ROUND
        .run(tx, |q| q.bind(proposal.to_string()))
        .await
        .map(drop)
}

/// It was made anew once more.
pub async fn one_more_rebuild(tx: &mut Tx, proposal: ProposalId) -> Result<(), StoreError> {
    ONE_MORE_REBUILD
        .run(tx, |q| q.bind(proposal.to_string()))
        .await
        .map(drop)
}

/// It is left alone from now on. False: it was already.
pub async fn leave_alone(tx: &mut Tx, proposal: ProposalId, why: &str) -> Result<bool, StoreError> {
    Ok(LEAVE_ALONE
        .run(tx, |q| q.bind(proposal.to_string()).bind(why))
        .await?
        > 0)
}

/// It is not left alone any more.
pub async fn take_up_again(tx: &mut Tx, proposal: ProposalId) -> Result<(), StoreError> {
    TAKE_UP_AGAIN
        .run(tx, |q| q.bind(proposal.to_string()))
        .await
        .map(drop)
}

/// The pull request of a proposal.
pub async fn get(from: impl Reader, proposal: ProposalId) -> Result<Option<PullRow>, StoreError> {
    GET.first(from, |q| q.bind(proposal.to_string()), read).await
}

/// The pull requests of proposals in a repository, oldest first, whatever became of them.
pub async fn of_repository(from: impl Reader, repository: &str) -> Result<Vec<PullRow>, StoreError> {
    OF_REPOSITORY.all(from, |q| q.bind(repository), read).await
}

/// The pull requests of proposals that were refused or let go since a moment, the last first, at most `limit`.
pub async fn refused_since(
    from: impl Reader,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<PullRow>, StoreError> {
    REFUSED_SINCE
        .all(from, |q| q.bind(since.0).bind(i64::from(limit)), read)
        .await
}

/// The pull requests of proposals that are neither merged nor refused nor expired, by repository.
pub async fn open(from: impl Reader) -> Result<Vec<PullRow>, StoreError> {
    OPEN.all(from, |q| q, read).await
}

fn read(row: &Row) -> Result<PullRow, StoreError> {
    Ok(PullRow {
        proposal: row.parsed("proposal")?,
        repository: row.text("repository")?,
        number: row.number("number")?,
        url: row.text("url")?,
        draft: row.flag("draft")?,
        talk: row.json("talk")?,
        rounds: row.number("rounds")?,
        rebuilds: row.number("rebuilds")?,
        hands_off: row.maybe_text("hands_off")?,
        opened_at: row.time("opened_at")?,
    })
}
