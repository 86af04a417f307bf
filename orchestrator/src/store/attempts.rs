//! Table `attempts`: each try of a task, each proof, each review and the lead agent's session, with the versions of
//! everything that made it.

use ::loops::{
    id::{AttemptId, RunId, TaskId},
    time::Timestamp,
};
use workers::{order::TodoItem, sandbox::Shown};

use super::{
    Reader, StoreError, Tx,
    query::{Query, Row, statements},
    words::words,
};

words! {
    /// What an attempt is for.
    Role {
        /// The lead agent's session.
        Lead = "lead",
        /// A worker on a task.
        Work = "work",
        /// The checks on a change.
        Prove = "prove",
        /// An independent agent on a change.
        Review = "review",
    }
}

words! {
    /// How an attempt stands.
    AttemptState {
        /// It goes on, as far as we know.
        Running = "running",
        /// It did what it could.
        Done = "done",
        /// It could not be carried out.
        Failed = "failed",
        /// We stopped, or its machine did, before it ended.
        Lost = "lost",
    }
}

/// What is known when an attempt begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Its name for life.
    pub id: AttemptId,
    /// The task; none: the lead agent's session.
    pub task: Option<TaskId>,
    /// The run.
    pub run: RunId,
    /// The loop's name.
    pub loop_name: String,
    /// What it is for.
    pub role: Role,
    /// Its number among the task's attempts in this role, from 1.
    pub number: u32,
    /// The agent program.
    pub backend: Option<String>,
    /// The model's name.
    pub model: Option<String>,
    /// How hard it thinks.
    pub effort: Option<String>,
    /// The version of the loop's spec.
    pub spec_version: String,
    /// The version of the prompt.
    pub prompt_version: Option<String>,
    /// Whether the model's side is played back.
    pub rehearsed: bool,
    /// The words that it was sent back with.
    pub words: Option<String>,
    /// The commit that it works from.
    pub base: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
}

/// What is known when it has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// Its own last words; a claim, never evidence.
    pub summary: Option<String>,
    /// Why its session ended.
    pub ending: Option<String>,
    /// The tree that it left, if it changed anything.
    pub tree: Option<String>,
    /// What the sandbox could not limit.
    pub caveats: Vec<String>,
}

/// An attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// How it began.
    pub begun: Begun,
    /// How it stands.
    pub state: AttemptState,
    /// What it left; empty while it goes on.
    pub ended: Ended,
    /// The agent's to-do list.
    pub todo: Vec<TodoItem>,
    /// What it is busy with.
    pub doing: Option<String>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "id, task, run, loop, role, number, state, backend, model, effort, spec_version, prompt_version, rehearsed, \
         words, summary, ending, base, tree, caveats, todo, doing, started_at, ended_at"
    };
}

statements! { "attempts":
    INSERT = "INSERT INTO attempts (id, task, run, loop, role, number, state, backend, model, effort, spec_version,
        prompt_version, rehearsed, words, base, started_at)
        VALUES ($1, $2, $3, $4, $5, $6, 'running', $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    FINISH = "UPDATE attempts SET state = $2, summary = $3, ending = $4, tree = $5, caveats = $6, ended_at = $7,
        doing = NULL WHERE id = $1 AND state = 'running'";
    LOSE = "UPDATE attempts SET state = 'lost', ended_at = $2, doing = NULL WHERE run = $1 AND state = 'running'
        AND NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.attempt = attempts.id AND o.cancel_at IS NULL
            AND o.state IN ('waiting', 'held', 'done')) RETURNING id";
    SET_TODO = "UPDATE attempts SET todo = $2 WHERE id = $1";
    SET_POLICY = "UPDATE attempts SET policy = $2 WHERE id = $1";
    POLICY = "SELECT policy FROM attempts WHERE id = $1";
    SET_DOING = "UPDATE attempts SET doing = $2 WHERE id = $1 AND state = 'running'";
    GET = concat!("SELECT ", columns!(), " FROM attempts WHERE id = $1");
    OF_TASK = concat!("SELECT ", columns!(), " FROM attempts WHERE task = $1 ORDER BY started_at, id");
    OF_RUN = concat!("SELECT ", columns!(), " FROM attempts WHERE run = $1 ORDER BY started_at, id");
}

/// Adds a running attempt.
pub async fn insert(tx: &mut Tx, begun: &Begun) -> Result<(), StoreError> {
    let bind = |q: Query| {
        q.bind(begun.id.to_string())
            .bind(begun.task.map(|task| task.to_string()))
            .bind(begun.run.to_string())
            .bind(&begun.loop_name)
            .bind(begun.role.as_str())
            .bind(i64::from(begun.number))
            .bind(&begun.backend)
            .bind(&begun.model)
            .bind(&begun.effort)
            .bind(&begun.spec_version)
            .bind(&begun.prompt_version)
            .bind(i64::from(begun.rehearsed))
            .bind(&begun.words)
            .bind(&begun.base)
            .bind(begun.started_at.0)
    };
    INSERT.run(tx, bind).await.map(drop)
}

/// Ends a running attempt. False: it is not running any more (it was given up as lost, say), and what came is not kept.
pub async fn finish(
    tx: &mut Tx,
    id: AttemptId,
    state: AttemptState,
    ended: &Ended,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let caveats = serde_json::to_string(&ended.caveats)?;
    let bind = |q: Query| {
        q.bind(id.to_string())
            .bind(state.as_str())
            .bind(&ended.summary)
            .bind(&ended.ending)
            .bind(&ended.tree)
            .bind(caveats)
            .bind(at.0)
    };
    Ok(FINISH.run(tx, bind).await? > 0)
}

/// Gives up all running attempts of a run as lost, but for those whose orders somebody wants still; which they were.
pub async fn lose_running(tx: &mut Tx, run: RunId, at: Timestamp) -> Result<Vec<AttemptId>, StoreError> {
    LOSE.all(tx, |q| q.bind(run.to_string()).bind(at.0), |row| row.parsed("id"))
        .await
}

/// Keeps the agent's to-do list, whole.
pub async fn set_todo(tx: &mut Tx, id: AttemptId, todo: &[TodoItem]) -> Result<(), StoreError> {
    let todo = serde_json::to_string(todo)?;
    SET_TODO
        .run(tx, |q| q.bind(id.to_string()).bind(todo))
        .await
        .map(drop)
}

/// Says what a running attempt is busy with; one that has ended is busy with nothing.
pub async fn set_doing(tx: &mut Tx, id: AttemptId, doing: &str) -> Result<(), StoreError> {
    SET_DOING
        .run(tx, |q| q.bind(id.to_string()).bind(doing))
        .await
        .map(drop)
}

/// Keeps what the sandbox of an attempt was.
pub async fn set_policy(tx: &mut Tx, id: AttemptId, policy: &serde_json::Value) -> Result<(), StoreError> {
    let policy = policy.to_string();
    SET_POLICY
        .run(tx, |q| q.bind(id.to_string()).bind(policy))
        .await
        .map(drop)
}

/// What the sandbox of an attempt was; none: it came to none, or goes on still.
pub async fn policy(from: impl Reader, id: AttemptId) -> Result<Option<Shown>, StoreError> {
    let read = |row: &Row| row.maybe_text("policy");
    let text = POLICY.first(from, |q| q.bind(id.to_string()), read).await?;
    Ok(text
        .flatten()
        .map(|text| serde_json::from_str(&text))
        .transpose()?)
}

/// The attempt of that id.
pub async fn get(from: impl Reader, id: AttemptId) -> Result<Option<Attempt>, StoreError> {
    GET.first(from, |q| q.bind(id.to_string()), read).await
}

/// A task's attempts in all roles, oldest first.
pub async fn of_task(from: impl Reader, task: TaskId) -> Result<Vec<Attempt>, StoreError> {
    OF_TASK.all(from, |q| q.bind(task.to_string()), read).await
}

/// A run's attempts, the lead agent's session among them, oldest first.
pub async fn of_run(from: impl Reader, run: RunId) -> Result<Vec<Attempt>, StoreError> {
    OF_RUN.all(from, |q| q.bind(run.to_string()), read).await
}

fn read(row: &Row) -> Result<Attempt, StoreError> {
    Ok(Attempt {
        begun: Begun {
            id: row.parsed("id")?,
            task: row.maybe_parsed("task")?,
            run: row.parsed("run")?,
            loop_name: row.text("loop")?,
            role: row.word("role", Role::parse)?,
            number: row.number("number")?,
            backend: row.maybe_text("backend")?,
            model: row.maybe_text("model")?,
            effort: row.maybe_text("effort")?,
            spec_version: row.text("spec_version")?,
            prompt_version: row.maybe_text("prompt_version")?,
            rehearsed: row.flag("rehearsed")?,
            words: row.maybe_text("words")?,
            base: row.maybe_text("base")?,
            started_at: row.time("started_at")?,
        },
        state: row.word("state", AttemptState::parse)?,
        ended: Ended {
            summary: row.maybe_text("summary")?,
            ending: row.maybe_text("ending")?,
            tree: row.maybe_text("tree")?,
            caveats: row.json("caveats")?,
        },
        todo: row.json("todo")?,
        doing: row.maybe_text("doing")?,
        ended_at: row.maybe_time("ended_at")?,
    })
}
