//! Table `tasks`: what workers are asked for, numbered within their run.

use std::collections::BTreeMap;

use ::loops::{
    id::{FindingId, RunId, TaskId},
    task::Task,
    time::Timestamp,
};

use serde_json::json;

use super::{
    Reader, StoreError, Tx,
    batch::batches,
    query::{Query, Row, statements},
};

/// How many tasks one statement makes; their numbers are counted from what it is told.
const SPAWNED_AT_ONCE: usize = 500;

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

batches! { "tasks":
    KNOWN (call_id "text") = "SELECT t.id AS id, t.call_id AS call_id, t.number AS number FROM tasks AS t, ",
        "WHERE t.run = $2 AND t.call_id = r.call_id ORDER BY t.number";
    INSERT (id "text", call_id "text", worker "text", title "text", goal "text", acceptance "text", findings "text",
        write_globs "text") = "INSERT INTO tasks (id, run, loop, call_id, worker, title, goal, acceptance, findings,
        write_globs, state, created_at, updated_at, number) SELECT r.id, $2, $3, r.call_id, r.worker, r.title, r.goal,
        r.acceptance, r.findings, r.write_globs, $4, $5, $5, $6 + r.n FROM", "ORDER BY r.n";
    SET_STATES (id "text", state "text", why "text") = "UPDATE tasks SET state = r.state, why = r.why, updated_at = $2
        FROM", "WHERE tasks.id = r.id";
}

statements! { "tasks":
    LAST_NUMBER = "SELECT COALESCE(MAX(number), 0) AS number FROM tasks WHERE run = $1";
    SET_WORDS = "UPDATE tasks SET words = $2, words_at = $3, updated_at = $3 WHERE id = $1";
    SET_GOAL = "UPDATE tasks SET goal = $2, updated_at = $3 WHERE id = $1";
    GET = concat!("SELECT ", columns!(), " FROM tasks WHERE id = $1");
    BY_CALL = concat!("SELECT ", columns!(), " FROM tasks WHERE run = $1 AND call_id = $2");
    LAST_OF_FINDING = concat!("SELECT ", columns!(), " FROM tasks WHERE findings LIKE '%\"' || $1 || '\"%'
        ORDER BY created_at DESC, id DESC LIMIT 1");
    OF_FINDING = concat!("SELECT ", columns!(), " FROM tasks WHERE findings LIKE '%\"' || $1 || '\"%'
        ORDER BY created_at, id");
    OF_RUN = concat!("SELECT ", columns!(), " FROM tasks WHERE run = $1 ORDER BY number");
    PAGE = concat!("SELECT ", columns!(), " FROM tasks WHERE run = $1 AND number > $2 ORDER BY number LIMIT $3");
    NAMES = "SELECT id, number, call_id, findings FROM tasks WHERE run = $1 ORDER BY number";
}

/// A task by its names, as it stands after a call that spawned it, now or before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its name for life.
    pub id: TaskId,
    /// Its number within the run, from 1.
    pub number: u32,
    /// Whether it was there already; then nothing of it was written.
    pub known: bool,
}

/// How a task is called, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Its name for life.
    pub id: TaskId,
    /// Its number within the run, from 1.
    pub number: u32,
    /// What spawned it.
    pub call_id: String,
    /// The findings that it is for.
    pub findings: Vec<FindingId>,
}

/// Spawns tasks by the calls that want them, in one go, or finds those that the same calls spawned before (then what
/// `wanted` says of them is not looked at). In the order of `wanted`, in which no call stands twice.
pub async fn spawn_all(
    tx: &mut Tx,
    (run, loop_name): (RunId, &str),
    wanted: &[(&str, &Task)],
    state: &str,
    at: Timestamp,
) -> Result<Vec<Named>, StoreError> {
    let run = run.to_string();
    let calls: Vec<_> = wanted
        .iter()
        .map(|(call, _)| json!({ "call_id": call }))
        .collect();
    let read = |row: &Row| Ok((row.text("call_id")?, row.parsed("id")?, row.number("number")?));
    let mut known: BTreeMap<String, (TaskId, u32)> = KNOWN
        .all(tx, &calls, |query| query.bind(&run), read)
        .await?
        .into_iter()
        .map(|(call, id, number)| (call, (id, number)))
        .collect();
    let last = LAST_NUMBER.first(&mut *tx, |q| q.bind(&run), |row| row.number("number"));
    let mut number: u32 = last.await?.unwrap_or(0);
    let before = i64::from(number);
    let mut rows = Vec::new();
    let mut named = Vec::with_capacity(wanted.len());
    for (call, task) in wanted {
        if let Some((id, number)) = known.remove(*call) {
            named.push(Named {
                id,
                number,
                known: true,
            });
            continue;
        }
        number = number.saturating_add(1);
        named.push(Named {
            id: task.id,
            number,
            known: false,
        });
        rows.push(json!({
            "id": task.id,
            "call_id": call,
            "worker": task.worker,
            "title": task.title,
            "goal": task.goal,
            "acceptance": serde_json::to_string(&task.acceptance)?,
            "findings": serde_json::to_string(&task.findings)?,
            "write_globs": serde_json::to_string(&task.write)?,
        }));
    }
    for (chunk, some) in rows.chunks(SPAWNED_AT_ONCE).enumerate() {
        let before = before + i64::try_from(chunk * SPAWNED_AT_ONCE).unwrap_or(i64::MAX);
        let bind = |query: Query| {
            query
                .bind(&run)
                .bind(loop_name)
                .bind(state)
                .bind(at.0)
                .bind(before)
        };
        INSERT.run(tx, some, bind).await?;
    }
    Ok(named)
}

/// The same for one; all of it.
pub async fn spawn(
    tx: &mut Tx,
    run: RunId,
    loop_name: &str,
    call_id: &str,
    task: &Task,
    state: &str,
    at: Timestamp,
) -> Result<Kept, StoreError> {
    spawn_all(tx, (run, loop_name), &[(call_id, task)], state, at).await?;
    by_call(tx, run, call_id)
        .await?
        .ok_or_else(|| StoreError::Missing {
            what: "task",
            id: task.id.to_string(),
        })
}

/// Says how far tasks are, and why if that needs words.
pub async fn set_states(
    tx: &mut Tx,
    states: &[(TaskId, &str, Option<&str>)],
    at: Timestamp,
) -> Result<(), StoreError> {
    let rows: Vec<_> = states
        .iter()
        .map(|(id, state, why)| json!({ "id": id, "state": state, "why": why }))
        .collect();
    let touched = SET_STATES.run(tx, &rows, |query| query.bind(at.0)).await?;
    if touched == u64::try_from(states.len()).unwrap_or(u64::MAX) {
        return Ok(());
    }
    for (id, _, _) in states {
        if get(&mut *tx, *id).await?.is_none() {
            return Err(StoreError::Missing {
                what: "task",
                id: id.to_string(),
            });
        }
    }
    Ok(())
}

/// Says how far a task is, and why if that needs words.
pub async fn set_state(
    tx: &mut Tx,
    id: TaskId,
    state: &str,
    why: Option<&str>,
    at: Timestamp,
) -> Result<(), StoreError> {
    set_states(tx, &[(id, state, why)], at).await
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

/// A run's tasks after that of number `after`, by number, at most `limit`.
pub async fn page(from: impl Reader, run: RunId, after: u32, limit: u32) -> Result<Vec<Kept>, StoreError> {
    let bind = |q: Query| {
        q.bind(run.to_string())
            .bind(i64::from(after))
            .bind(i64::from(limit))
    };
    PAGE.all(from, bind, read).await
}

/// All tasks of a run by number: how they are called and what they are for. Their words stay where they are.
pub async fn names(from: impl Reader, run: RunId) -> Result<Vec<Name>, StoreError> {
    let read = |row: &Row| {
        Ok(Name {
            id: row.parsed("id")?,
            number: row.number("number")?,
            call_id: row.text("call_id")?,
            findings: row.json("findings")?,
        })
    };
    NAMES.all(from, |q| q.bind(run.to_string()), read).await
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
