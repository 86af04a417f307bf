//! Table `loops`: each loop that was ever read, as it last stood, and whether it is paused.

use ::loops::time::Timestamp;
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
}

macro_rules! columns {
    () => {
        "name, version, spec, path, paused_at, updated_at"
    };
}

statements! { "loops":
    UPSERT = "INSERT INTO loops (name, version, spec, path, updated_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (name) DO UPDATE SET version = excluded.version, spec = excluded.spec, path = excluded.path,
        updated_at = excluded.updated_at WHERE loops.version <> excluded.version OR loops.path <> excluded.path";
    PAUSE = "UPDATE loops SET paused_at = $2 WHERE name = $1 AND paused_at IS NULL";
    RESUME = "UPDATE loops SET paused_at = NULL WHERE name = $1 AND paused_at IS NOT NULL";
    GET = concat!("SELECT ", columns!(), " FROM loops WHERE name = $1");
    LIST = concat!("SELECT ", columns!(), " FROM loops ORDER BY name");
}

/// Remembers a loop's spec; says whether that was news. Pausing is untouched.
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

fn read(row: &Row) -> Result<Loop, StoreError> {
    Ok(Loop {
        name: row.text("name")?,
        version: row.text("version")?,
        spec: row.json("spec")?,
        path: row.text("path")?,
        paused_at: row.maybe_time("paused_at")?,
        updated_at: row.time("updated_at")?,
    })
}
