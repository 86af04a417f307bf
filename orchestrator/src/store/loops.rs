//! Table `loops`: each loop that was ever read, as it last stood, whether it is paused, since when its schedule counts,
//! and how often its machinery failed.

use ::loops::{
    schedule::{Cause, Setback},
    time::Timestamp,
};
use serde_json::Value;

use super::{Reader, StoreError, Tx, query::Row, query::statements};

/// A loop as it last stood.
#[derive(Debug, Clone, PartialEq)]
pub struct Loop {
    /// Its name.
    pub name: String,
    /// The hash of the resolved spec.
    pub version: String,
    /// The resolved spec.
    pub spec: Value,
    /// The file that it came from.
    pub path: String,
    /// Since when it is paused, if it is.
    pub paused_at: Option<Timestamp>,
    /// When its spec was last read with a change.
    pub updated_at: Timestamp,
    /// Since when its schedule counts; none: nobody serves it.
    pub served_since: Option<Timestamp>,
    /// Failures of the machinery since it last did what it should.
    pub setback: Option<Setback>,
    /// The key of the repository on whose base branch it stands; none: it is the operator's.
    pub repository: Option<String>,
}

/// A loop without its spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its name.
    pub name: String,
    /// The hash of the resolved spec.
    pub version: String,
    /// The file that it came from.
    pub path: String,
    /// Since when its schedule counts; none: nobody serves it.
    pub served_since: Option<Timestamp>,
    /// When the latest of its ticks was due that have a receipt.
    pub last_tick: Option<Timestamp>,
}

/// Whether a loop's ticks may start something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Since when it is paused, if it is.
    pub paused_at: Option<Timestamp>,
    /// Failures of the machinery since it last did what it should.
    pub setback: Option<Setback>,
}

macro_rules! columns {
    () => {
        "name, version, spec, path, paused_at, updated_at, served_since, failures, failed_by, failed_at, repository"
    };
}

statements! { "loops":
    UPSERT = "INSERT INTO loops (name, version, spec, path, updated_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (name) DO UPDATE SET version = excluded.version, spec = excluded.spec, path = excluded.path,
        updated_at = excluded.updated_at, failures = 0 WHERE loops.version <> excluded.version OR loops.path <> excluded.path";
    BELONG = "UPDATE loops SET repository = $2 WHERE name = $1 AND COALESCE(repository, '') <> COALESCE($2, '')";
    PAUSE = "UPDATE loops SET paused_at = $2 WHERE name = $1 AND paused_at IS NULL";
    RESUME = "UPDATE loops SET paused_at = NULL WHERE name = $1 AND paused_at IS NOT NULL";
    GET = concat!("SELECT ", columns!(), " FROM loops WHERE name = $1");
    LIST = concat!("SELECT ", columns!(), " FROM loops ORDER BY name");
    HEADS = "SELECT name, version, path, served_since,
        (SELECT MAX(due_at) FROM ticks WHERE ticks.loop = loops.name) AS last_tick FROM loops ORDER BY name";
    STANDING = "SELECT paused_at, failures, failed_by, failed_at FROM loops WHERE name = $1";
    SERVE = "UPDATE loops SET served_since = $2 WHERE name = $1";
    FAIL = "UPDATE loops SET failures = $2, failed_by = $3, failed_at = $4 WHERE name = $1";
    RECOVER = "UPDATE loops SET failures = 0 WHERE name = $1 AND failures > 0";
}

/// Remembers a loop's spec; says whether that was news. Pausing is untouched; failures are forgotten with the spec that
/// they belong to.
pub async fn upsert(
    tx: &mut Tx,
    name: &str,
    version: &str,
    spec: &Value,
    path: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let spec = spec.to_string();
    Ok(UPSERT
        .run(tx, |q| {
            q.bind(name).bind(version).bind(spec).bind(path).bind(at.0)
        })
        .await?
        > 0)
}

/// Remembers which repository's base branch a loop stands on; none: it is the operator's.
pub async fn belong(tx: &mut Tx, name: &str, repository: Option<&str>) -> Result<(), StoreError> {
    BELONG.run(tx, |q| q.bind(name).bind(repository)).await.map(drop)
}

/// Pauses a loop; false: there is none of that name, or it is paused already.
pub async fn pause(tx: &mut Tx, name: &str, at: Timestamp) -> Result<bool, StoreError> {
    Ok(PAUSE.run(tx, |q| q.bind(name).bind(at.0)).await? > 0)
}

/// Lets a paused loop go on; false: there is none of that name, or it is not paused.
pub async fn resume(tx: &mut Tx, name: &str) -> Result<bool, StoreError> {
    Ok(RESUME.run(tx, |q| q.bind(name)).await? > 0)
}

/// The loop of that name.
pub async fn get(from: impl Reader, name: &str) -> Result<Option<Loop>, StoreError> {
    GET.first(from, |q| q.bind(name), read).await
}

/// All loops, by name.
pub async fn list(from: impl Reader) -> Result<Vec<Loop>, StoreError> {
    LIST.all(from, |q| q, read).await
}

/// All loops without their specs, by name.
pub async fn heads(from: impl Reader) -> Result<Vec<Head>, StoreError> {
    HEADS
        .all(
            from,
            |q| q,
            |row| {
                Ok(Head {
                    name: row.text("name")?,
                    version: row.text("version")?,
                    path: row.text("path")?,
                    served_since: row.maybe_time("served_since")?,
                    last_tick: row.maybe_time("last_tick")?,
                })
            },
        )
        .await
}

/// Whether the ticks of a loop may start something; none: there is no loop of that name.
pub async fn standing(from: impl Reader, name: &str) -> Result<Option<Standing>, StoreError> {
    let read = |row: &Row| {
        Ok(Standing {
            paused_at: row.maybe_time("paused_at")?,
            setback: setback(row)?,
        })
    };
    STANDING.first(from, |q| q.bind(name), read).await
}

/// From `since` on the loop's schedule counts; none: nobody serves it any more.
pub async fn serve(tx: &mut Tx, name: &str, since: Option<Timestamp>) -> Result<(), StoreError> {
    SERVE
        .run(tx, |q| q.bind(name).bind(since.map(|at| at.0)))
        .await
        .map(drop)
}

/// Remembers that a loop's machinery failed.
pub async fn fail(tx: &mut Tx, name: &str, setback: Setback) -> Result<(), StoreError> {
    let bind = |q: super::query::Query| {
        q.bind(name)
            .bind(i64::from(setback.failures))
            .bind(setback.cause.as_str())
            .bind(setback.last.0)
    };
    FAIL.run(tx, bind).await.map(drop)
}

/// Forgets failures: it did what it should, or a person wants it tried again. False: there were none.
pub async fn recover(tx: &mut Tx, name: &str) -> Result<bool, StoreError> {
    Ok(RECOVER.run(tx, |q| q.bind(name)).await? > 0)
}

fn setback(row: &Row) -> Result<Option<Setback>, StoreError> {
    let failures: u32 = row.number("failures")?;
    let last = row.maybe_time("failed_at")?;
    let Some(last) = last.filter(|_| failures > 0) else {
        return Ok(None);
    };
    Ok(Some(Setback {
        cause: row.word("failed_by", Cause::parse)?,
        failures,
        last,
    }))
}

fn read(row: &Row) -> Result<Loop, StoreError> {
    Ok(Loop {
        name: row.text("name")?,
        version: row.text("version")?,
        spec: row.json("spec")?,
        path: row.text("path")?,
        paused_at: row.maybe_time("paused_at")?,
        updated_at: row.time("updated_at")?,
        served_since: row.maybe_time("served_since")?,
        setback: setback(row)?,
        repository: row.maybe_text("repository")?,
    })
}
