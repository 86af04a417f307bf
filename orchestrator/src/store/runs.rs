//! Tables `runs` and `run_tasks`: what a tick or a person started, and how far it is. A loop has at most one open run.

use ::loops::{id::RunId, time::Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Reader, StoreError, Tx,
    batch::batches,
    query::{Row, statements},
    words::words,
};

words! {
    /// What started a run.
    TriggerKind {
        /// Somebody typed `loops run`.
        Person = "person",
        /// The loop's schedule.
        Schedule = "schedule",
        /// News from outside.
        Webhook = "webhook",
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its name for life.
    pub id: RunId,
    /// The loop's name.
    pub loop_name: String,
    /// The version of the loop's spec that it goes by.
    pub version: String,
    /// What started it.
    pub trigger: TriggerKind,
    /// The base commit that it works from, once that is known.
    pub base: Option<String>,
    /// The engine's own state; see [`Run::state`].
    pub state: Value,
    /// The state's phase, one word, for queries and lists.
    pub phase: String,
    /// What the lead agent said at the end.
    pub report: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; none: it is open.
    pub ended_at: Option<Timestamp>,
}

impl Run {
    /// The engine's state, as the type that it was saved from.
    pub fn state<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        T::deserialize(&self.state).map_err(|error| StoreError::Undecodable {
            table: "runs",
            column: "state",
            why: error.to_string(),
        })
    }
}

macro_rules! columns {
    () => {
        "id, loop, version, trigger_kind, base, state, phase, report, started_at, ended_at,
        (SELECT string_agg('\"' || t.task || '\":' || t.state, ',') FROM run_tasks AS t WHERE t.run = runs.id) AS tasks"
    };
}

batches! { "run_tasks":
    // `WHERE true` tells SQLite's reader that what follows belongs to the INSERT.
    PUT_TASKS (task "text", state "text") = "INSERT INTO run_tasks (run, task, state) SELECT $2, task, state FROM",
        "WHERE true ON CONFLICT (run, task) DO UPDATE SET state = excluded.state";
}

statements! { "runs":
    INSERT = "INSERT INTO runs (id, loop, version, trigger_kind, base, state, phase, report, started_at, ended_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    SAVE = "UPDATE runs SET state = $2, phase = $3, ended_at = $4 WHERE id = $1 AND ended_at IS NULL";
    AMEND = "UPDATE runs SET state = $2 WHERE id = $1 AND ended_at IS NOT NULL";
    REOPEN = "UPDATE runs SET state = $2, phase = $3, ended_at = NULL, cancel_at = NULL WHERE id = $1";
    CANCEL = "UPDATE runs SET cancel_at = $2 WHERE id = $1 AND ended_at IS NULL AND cancel_at IS NULL";
    WANTS_CANCEL = "SELECT COUNT(*) AS n FROM runs WHERE id = $1 AND cancel_at IS NOT NULL AND ended_at IS NULL";
    SET_BASE = "UPDATE runs SET base = $2 WHERE id = $1";
    SET_REPORT = "UPDATE runs SET report = $2 WHERE id = $1";
    GET = concat!("SELECT ", columns!(), " FROM runs WHERE id = $1");
    OPEN = concat!("SELECT ", columns!(), " FROM runs WHERE loop = $1 AND ended_at IS NULL");
    ALL_OPEN = concat!("SELECT ", columns!(), " FROM runs WHERE ended_at IS NULL ORDER BY started_at, id");
    LIST = concat!("SELECT ", columns!(), " FROM runs WHERE started_at < $1 OR (started_at = $1 AND id < $2)
        ORDER BY started_at DESC, id DESC LIMIT $3");
    LIST_OF_LOOP = concat!("SELECT ", columns!(), " FROM runs
        WHERE loop = $4 AND (started_at < $1 OR (started_at = $1 AND id < $2))
        ORDER BY started_at DESC, id DESC LIMIT $3");
}

/// Adds a run. Error: a conflict, if the loop has an open one.
pub async fn insert(tx: &mut Tx, run: &Run) -> Result<(), StoreError> {
    let (state, tasks) = apart(&run.state)?;
    let bind = |q: super::query::Query| {
        q.bind(run.id.to_string())
            .bind(&run.loop_name)
            .bind(&run.version)
            .bind(run.trigger.as_str())
            .bind(&run.base)
            .bind(state)
            .bind(&run.phase)
            .bind(&run.report)
            .bind(run.started_at.0)
            .bind(run.ended_at.map(|at| at.0))
    };
    INSERT.run_or_conflict(tx, bind).await?;
    put_tasks(tx, run.id, &tasks).await
}

/// Saves how far an open run is; with `ended_at` it is open no more. False: it is not there or has ended already.
pub async fn save(
    tx: &mut Tx,
    id: RunId,
    state: &impl Serialize,
    phase: &str,
    ended_at: Option<Timestamp>,
) -> Result<bool, StoreError> {
    save_changed(tx, id, state, (phase, ended_at)).await
}

/// The same, where `state` has those of its tasks only that are not as they were saved last: the others stay as they are.
pub async fn save_changed(
    tx: &mut Tx,
    id: RunId,
    state: &impl Serialize,
    (phase, ended_at): (&str, Option<Timestamp>),
) -> Result<bool, StoreError> {
    let (state, tasks) = apart(state)?;
    let bind = |q: super::query::Query| {
        q.bind(id.to_string())
            .bind(state)
            .bind(phase)
            .bind(ended_at.map(|at| at.0))
    };
    let saved = SAVE.run(tx, bind).await? > 0;
    if saved {
        put_tasks(tx, id, &tasks).await?;
    }
    Ok(saved)
}

/// A state as it is kept: its tasks are rows of their own.
fn apart(state: &impl Serialize) -> Result<(String, serde_json::Map<String, Value>), StoreError> {
    let mut state = serde_json::to_value(state)?;
    let tasks = match state.get_mut("tasks") {
        Some(Value::Object(tasks)) => std::mem::take(tasks),
        _ => serde_json::Map::new(),
    };
    Ok((state.to_string(), tasks))
}

async fn put_tasks(
    tx: &mut Tx,
    run: RunId,
    tasks: &serde_json::Map<String, Value>,
) -> Result<(), StoreError> {
    let rows: Vec<Value> = tasks
        .iter()
        .map(|(task, state)| json!({ "task": task, "state": state.to_string() }))
        .collect();
    let run = run.to_string();
    PUT_TASKS.run(tx, &rows, |query| query.bind(&run)).await.map(drop)
}

/// Writes down what a person's words change about a run that has ended and stays so. False: it is open.
pub async fn amend(tx: &mut Tx, id: RunId, state: &impl Serialize) -> Result<bool, StoreError> {
    let (state, tasks) = apart(state)?;
    let amended = AMEND.run(tx, |q| q.bind(id.to_string()).bind(state)).await? > 0;
    if amended {
        put_tasks(tx, id, &tasks).await?;
    }
    Ok(amended)
}

/// Opens a run again, because a person asked for more. Error: a conflict, if its loop has another open one.
pub async fn reopen(tx: &mut Tx, id: RunId, state: &impl Serialize, phase: &str) -> Result<(), StoreError> {
    let (state, tasks) = apart(state)?;
    REOPEN
        .run_or_conflict(tx, |q| q.bind(id.to_string()).bind(state).bind(phase))
        .await?;
    put_tasks(tx, id, &tasks).await
}

/// Remembers that somebody wants a run stopped; whoever drives it looks. False: it has ended, or that is known.
pub async fn cancel(tx: &mut Tx, id: RunId, at: Timestamp) -> Result<bool, StoreError> {
    Ok(CANCEL.run(tx, |q| q.bind(id.to_string()).bind(at.0)).await? > 0)
}

/// Whether somebody wants a run stopped that has not ended.
pub async fn wants_cancel(from: impl Reader, id: RunId) -> Result<bool, StoreError> {
    let wants: Option<u32> = WANTS_CANCEL
        .first(from, |q| q.bind(id.to_string()), |row| row.number("n"))
        .await?;
    Ok(wants.is_some_and(|n| n > 0))
}

/// Says which commit the run works from.
pub async fn set_base(tx: &mut Tx, id: RunId, base: &str) -> Result<(), StoreError> {
    SET_BASE
        .run(tx, |q| q.bind(id.to_string()).bind(base))
        .await
        .map(drop)
}

/// Keeps the lead agent's last words.
pub async fn set_report(tx: &mut Tx, id: RunId, report: &str) -> Result<(), StoreError> {
    SET_REPORT
        .run(tx, |q| q.bind(id.to_string()).bind(report))
        .await
        .map(drop)
}

/// The run of that id.
pub async fn get(from: impl Reader, id: RunId) -> Result<Option<Run>, StoreError> {
    GET.first(from, |q| q.bind(id.to_string()), read).await
}

/// The loop's open run.
pub async fn open_run(from: impl Reader, loop_name: &str) -> Result<Option<Run>, StoreError> {
    OPEN.first(from, |q| q.bind(loop_name), read).await
}

/// All open runs, oldest first.
pub async fn all_open(from: impl Reader) -> Result<Vec<Run>, StoreError> {
    ALL_OPEN.all(from, |q| q, read).await
}

/// Runs, newest first: at most `limit`, of one loop or of all, and only those before `before` (the last one of the
/// page before).
pub async fn list(
    from: impl Reader,
    loop_name: Option<&str>,
    before: Option<&Run>,
    limit: u32,
) -> Result<Vec<Run>, StoreError> {
    let (at, id) = before.map_or((i64::MAX, String::new()), |run| {
        (run.started_at.0, run.id.to_string())
    });
    match loop_name {
        Some(name) => {
            LIST_OF_LOOP
                .all(
                    from,
                    |q| q.bind(at).bind(id).bind(i64::from(limit)).bind(name),
                    read,
                )
                .await
        }
        None => {
            LIST.all(from, |q| q.bind(at).bind(id).bind(i64::from(limit)), read)
                .await
        }
    }
}

fn read(row: &Row) -> Result<Run, StoreError> {
    let mut state: Value = row.json("state")?;
    if let (Some(tasks), Value::Object(state)) = (row.maybe_text("tasks")?, &mut state) {
        // Rows hold what JSON is made of: ids, and states that were JSON when they were written.
        let rows: serde_json::Map<String, Value> =
            serde_json::from_str(&format!("{{{tasks}}}")).map_err(|error| row.bad("tasks", error))?;
        match state.get_mut("tasks") {
            // A run of before there were rows keeps what is in its own.
            Some(Value::Object(kept)) => kept.extend(rows),
            _ => drop(state.insert("tasks".to_owned(), Value::Object(rows))),
        }
    }
    Ok(Run {
        id: row.parsed("id")?,
        loop_name: row.text("loop")?,
        version: row.text("version")?,
        trigger: row.word("trigger_kind", TriggerKind::parse)?,
        base: row.maybe_text("base")?,
        state,
        phase: row.text("phase")?,
        report: row.maybe_text("report")?,
        started_at: row.time("started_at")?,
        ended_at: row.maybe_time("ended_at")?,
    })
}
