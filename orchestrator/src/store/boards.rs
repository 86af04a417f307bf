//! Tables `boards` and `ticked`: the dashboard issue of each repository, and the boxes in it that people ticked. A tick
//! counts once, however often it is read.

use std::collections::BTreeMap;

use ::loops::time::Timestamp;

use super::{
    Reader, StoreError, Tx,
    query::{Query, Row, statements},
};

/// The dashboard issue of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// `owner/name`.
    pub repository: String,
    /// The number.
    pub number: u64,
    /// Where people see it.
    pub url: String,
    /// Its text as we wrote it last.
    pub body: String,
    /// Since when somebody has it closed: it is left alone.
    pub closed_at: Option<Timestamp>,
    /// When anything about it was written last.
    pub updated_at: Timestamp,
}

statements! { "boards":
    PUT = "INSERT INTO boards (repository, number, url, body, closed_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (repository) DO UPDATE SET number = excluded.number, url = excluded.url, body = excluded.body,
        closed_at = excluded.closed_at, updated_at = excluded.updated_at";
    GET = "SELECT repository, number, url, body, closed_at, updated_at FROM boards WHERE repository = $1";
    HEARD = "SELECT heard_at FROM boards WHERE repository = $1";
    SET_HEARD = "UPDATE boards SET heard_at = $2 WHERE repository = $1";
    TAKEN = "SELECT COUNT(*) AS n FROM ticked WHERE repository = $1 AND subject = $2";
    TAKE = "INSERT INTO ticked (repository, subject, serial, who, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    TICKED = "SELECT subject, COUNT(*) AS n FROM ticked WHERE repository = $1 GROUP BY subject";
}

/// Writes down the issue of a repository, anew.
pub async fn put(tx: &mut Tx, board: &Board) -> Result<(), StoreError> {
    let bind = |q: Query| {
        q.bind(&board.repository)
            .bind(i64::try_from(board.number).unwrap_or(i64::MAX))
            .bind(&board.url)
            .bind(&board.body)
            .bind(board.closed_at.map(|at| at.0))
            .bind(board.updated_at.0)
    };
    PUT.run(tx, bind).await.map(drop)
}

/// The issue of a repository.
pub async fn get(from: impl Reader, repository: &str) -> Result<Option<Board>, StoreError> {
    GET.first(from, |q| q.bind(repository), read).await
}

/// Until when comments under the issue of a repository were read, by GitHub's clock.
pub async fn heard(from: impl Reader, repository: &str) -> Result<Option<Timestamp>, StoreError> {
    let found = HEARD
        .first(from, |q| q.bind(repository), |row| row.maybe_time("heard_at"))
        .await?;
    Ok(found.flatten())
}

/// Comments under the issue of a repository were read until then, by GitHub's clock.
pub async fn set_heard(tx: &mut Tx, repository: &str, until: Timestamp) -> Result<(), StoreError> {
    SET_HEARD
        .run(tx, |q| q.bind(repository).bind(until.0))
        .await
        .map(drop)
}

/// Whether a subject of a repository was taken before.
pub async fn is_taken(from: impl Reader, repository: &str, subject: &str) -> Result<bool, StoreError> {
    let found = TAKEN
        .first(
            from,
            |q| q.bind(repository).bind(subject),
            |row| row.number::<u32>("n"),
        )
        .await?;
    Ok(found.is_some_and(|n| n > 0))
}

/// Takes a tick: whoever gets `true` is the only one, ever, to do so for this box.
pub async fn take(
    tx: &mut Tx,
    repository: &str,
    subject: &str,
    serial: u32,
    who: Option<&str>,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let bind = |q: Query| {
        q.bind(repository)
            .bind(subject)
            .bind(i64::from(serial))
            .bind(who)
            .bind(at.0)
    };
    Ok(TAKE.run(tx, bind).await? > 0)
}

/// How often each subject of a repository was ticked.
pub async fn ticked(from: impl Reader, repository: &str) -> Result<BTreeMap<String, u32>, StoreError> {
    let rows = TICKED
        .all(
            from,
            |q| q.bind(repository),
            |row| Ok((row.text("subject")?, row.number("n")?)),
        )
        .await?;
    Ok(rows.into_iter().collect())
}

fn read(row: &Row) -> Result<Board, StoreError> {
    Ok(Board {
        repository: row.text("repository")?,
        number: row.number("number")?,
        url: row.text("url")?,
        body: row.text("body")?,
        closed_at: row.maybe_time("closed_at")?,
        updated_at: row.time("updated_at")?,
    })
}
