//! Table `tasks`: what workers are asked for, numbered within their run.

use ::loops::{
    id::{FindingId, RunId, TaskId},
    task::Task,
    time::Timestamp,
};

use super::{
    Reader, StoreError, Tx,
    query::{Query, Row, statements},
};

/// A task and how far it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The task.
    pub task: Task,
    /// The run that it belongs to.
    pub run: RunId,
    /// The loop's name.
    pub loop_name: String,
    /// Its number within the run, from 1: what people and the lead agent call `T1`, `T2` …
    pub number: u32,
    /// What spawned it: the lead agent's tool call, or the finding. Unique within the run, so that a call that is made
    /// again after a crash finds the task that it made.
    pub call_id: String,
    /// How far it is; the engine's word.
    pub state: String,
    /// Why, for a state that needs words.
    pub why: Option<String>,
    /// What somebody wants different in the next attempt, and since when.
    pub words: Option<(String, Timestamp)>,
    /// When it was spawned.
    pub created_at: Timestamp,
    /// When its state was written last.
    pub updated_at: Timestamp,
}

macro_rules! columns {
    () => {
        "id, run, loop, number, call_id, worker, title, goal, acceptance, findings, write_globs, state, why, \
         words, words_at, created_at, updated_at"
    };
}

statements! { "tasks":
    INSERT = "INSERT INTO tasks (id, run, loop, call_id, worker, title, goal, acceptance, findings, write_globs, state,
        created_at, updated_at, number) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12,
        COALESCE(MAX(number), 0) + 1 FROM tasks WHERE run = $2";
    SET_STATE = "UPDATE tasks SET state = $2, why = $3, updated_at = $4 WHERE id = $1";
    SET_WORDS = "UPDATE tasks SET words = $2, words_at = $3, updated_at = $3 WHERE id = $1";
    SET_GOAL = "UPDATE tasks SET goal = $2, updated_at = $3 WHERE id = $1";
    GET = concat!("SELECT ", columns!(), " FROM tasks WHERE id = $1");
    BY_CALL = concat!("SELECT ", columns!(), " FROM tasks WHERE run = $1 AND call_id = $2");
    LAST_OF_FINDING = concat!("SELECT ", columns!(), " FROM tasks WHERE findings LIKE '%\"' || $1 || '\"%'
        ORDER BY created_at DESC, id DESC LIMIT 1");
    OF_FINDING = concat!("SELECT ", columns!(), " FROM tasks WHERE findings LIKE '%\"' || $1 || '\"%'
        ORDER BY created_at, id");
    OF_RUN = concat!("SELECT ", columns!(), " FROM tasks WHERE run = $1 ORDER BY number");
}

/// Spawns a task, or finds the one that the same call spawned before (then `task` and `state` are not looked at).
pub async fn spawn(
    tx: &mut Tx,
    run: RunId,
    loop_name: &str,
    call_id: &str,
    task: &Task,
    state: &str,
    at: Timestamp,
) -> Result<Kept, StoreError> {
    if let Some(known) = by_call(&mut *tx, run, call_id).await? {
        return Ok(known);
    }
    let acceptance = serde_json::to_string(&task.acceptance)?;
    let findings = serde_json::to_string(&task.findings)?;
    let write = serde_json::to_string(&task.write)?;
    let bind = |q: Query| {
        q.bind(task.id.to_string())
            .bind(run.to_string())
            .bind(loop_name)
            .bind(call_id)
            .bind(&task.worker)
            .bind(&task.title)
            .bind(&task.goal)
            .bind(acceptance)
            .bind(findings)
            .bind(write)
            .bind(state)
            .bind(at.0)
    };
    INSERT.run(tx, bind).await?;
    by_call(tx, run, call_id)
        .await?
        .ok_or_else(|| StoreError::Missing {
            what: "task",
            id: task.id.to_string(),
        })
}

/// Says how far a task is, and why if that needs words.
pub async fn set_state(
    tx: &mut Tx,
    id: TaskId,
    state: &str,
    why: Option<&str>,
    at: Timestamp,
) -> Result<(), StoreError> {
    match SET_STATE
        .run(tx, |q| q.bind(id.to_string()).bind(state).bind(why).bind(at.0))
        .await?
    {
        0 => Err(StoreError::Missing {
            what: "task",
            id: id.to_string(),
        }),
        _ => Ok(()),
    }
}

/// Keeps what somebody wants different in the next attempt.
pub async fn set_words(tx: &mut Tx, id: TaskId, words: &str, at: Timestamp) -> Result<(), StoreError> {
    match SET_WORDS
        .run(tx, |q| q.bind(id.to_string()).bind(words).bind(at.0))
        .await?
    {
        0 => Err(StoreError::Missing {
            what: "task",
            id: id.to_string(),
        }),
        _ => Ok(()),
    }
}

/// Gives a task another goal.
pub async fn set_goal(tx: &mut Tx, id: TaskId, goal: &str, at: Timestamp) -> Result<(), StoreError> {
    match SET_GOAL
        .run(tx, |q| q.bind(id.to_string()).bind(goal).bind(at.0))
        .await?
    {
        0 => Err(StoreError::Missing {
            what: "task",
            id: id.to_string(),
        }),
        _ => Ok(()),
    }
}

/// The task of that id.
pub async fn get(from: impl Reader, id: TaskId) -> Result<Option<Kept>, StoreError> {
    GET.first(from, |q| q.bind(id.to_string()), read).await
}

/// The task that a call of a run spawned.
pub async fn by_call(from: impl Reader, run: RunId, call_id: &str) -> Result<Option<Kept>, StoreError> {
    BY_CALL
        .first(from, |q| q.bind(run.to_string()).bind(call_id), read)
        .await
}

/// The task that was spawned last of those that are for a finding.
pub async fn last_of_finding(from: impl Reader, finding: FindingId) -> Result<Option<Kept>, StoreError> {
    LAST_OF_FINDING
        .first(from, |q| q.bind(finding.to_string()), read)
        .await
}

/// All tasks that are for a finding, oldest first.
pub async fn of_finding(from: impl Reader, finding: FindingId) -> Result<Vec<Kept>, StoreError> {
    OF_FINDING.all(from, |q| q.bind(finding.to_string()), read).await
}

/// A run's tasks, by number.
pub async fn of_run(from: impl Reader, run: RunId) -> Result<Vec<Kept>, StoreError> {
    OF_RUN.all(from, |q| q.bind(run.to_string()), read).await
}

fn read(row: &Row) -> Result<Kept, StoreError> {
    Ok(Kept {
        task: Task {
            id: row.parsed("id")?,
            worker: row.text("worker")?,
            title: row.text("title")?,
            goal: row.text("goal")?,
            acceptance: row.json("acceptance")?,
            findings: row.json("findings")?,
            write: row.json("write_globs")?,
        },
        run: row.parsed("run")?,
        loop_name: row.text("loop")?,
        number: row.number("number")?,
        call_id: row.text("call_id")?,
        state: row.text("state")?,
        why: row.maybe_text("why")?,
        words: row.maybe_text("words")?.zip(row.maybe_time("words_at")?),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
