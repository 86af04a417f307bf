//! Table `plans`: tasks that wait for a person's yes, as the person was shown them: before any worker begins, or, where
//! the change asks for other dependencies, before it is proposed.

use ::loops::{
    boundary::dependencies::Asked,
    budget::Money,
    id::{FindingId, RunId, TaskId},
    task::Task,
    time::Timestamp,
};

use super::{
    Reader, StoreError, Tx,
    query::{Query, Row, statements},
    words::words,
};

words! {
    /// How a plan stands.
    PlanState {
        /// A person has yet to answer.
        Waiting = "waiting",
        /// A person approved it; whoever drives the run takes it up.
        Approved = "approved",
        /// A person said no.
        Refused = "refused",
        /// Nobody answered in time.
        Expired = "expired",
    }
}

/// A task that waits for a person, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The task; a task has at most one plan.
    pub task: TaskId,
    /// The run that made it.
    pub run: RunId,
    /// The loop's name.
    pub loop_name: String,
    /// One line.
    pub title: String,
    /// What is to be so afterwards; with the words of those who sent it back.
    pub goal: String,
    /// How one can tell that it is.
    pub acceptance: Vec<String>,
    /// The findings that it is for.
    pub findings: Vec<FindingId>,
    /// Globs of paths that may be changed.
    pub paths: Vec<String>,
    /// What it may cost at most.
    pub cost_cap: Money,
    /// What a proven change would depend on, which is what is asked then; none: it is a plan of work.
    pub asked: Option<Asked>,
    /// How it stands.
    pub state: PlanState,
    /// What a person said of it last, or why it is refused.
    pub words: Option<String>,
    /// Who said so.
    pub who: Option<String>,
    /// Since when it is approved, refused or expired.
    pub decided_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When anything about it was written last.
    pub updated_at: Timestamp,
}

impl Plan {
    /// A plan of this task, waiting since `at`.
    pub fn of(task: &Task, run: RunId, loop_name: &str, cost_cap: Money, at: Timestamp) -> Self {
        Self {
            task: task.id,
            run,
            loop_name: loop_name.to_owned(),
            title: task.title.clone(),
            goal: task.goal.clone(),
            acceptance: task.acceptance.clone(),
            findings: task.findings.clone(),
            paths: task.write.clone(),
            cost_cap,
            asked: None,
            state: PlanState::Waiting,
            words: None,
            who: None,
            decided_at: None,
            created_at: at,
            updated_at: at,
        }
    }
}

macro_rules! columns {
    () => {
        "plans.task, plans.run, plans.loop, plans.title, plans.goal, plans.acceptance, plans.findings, plans.paths, \
         plans.cost_cap, plans.asked, plans.state, plans.words, plans.who, plans.decided_at, plans.created_at, plans.updated_at"
    };
}

statements! { "plans":
    INSERT = "INSERT INTO plans (task, run, loop, title, goal, acceptance, findings, paths, cost_cap, state, created_at,
        updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting', $10, $10) ON CONFLICT (task) DO NOTHING";
    DECIDE = "UPDATE plans SET state = $2, words = $3, who = $4, decided_at = $5, updated_at = $5
        WHERE task = $1 AND state = 'waiting'";
    REVISE = "UPDATE plans SET goal = $2, words = $3, who = $4, updated_at = $5 WHERE task = $1 AND state = 'waiting'";
    ASK = "UPDATE plans SET asked = $2, state = 'waiting', words = NULL, who = NULL, decided_at = NULL, updated_at = $3
        WHERE task = $1";
    GET = concat!("SELECT ", columns!(), " FROM plans WHERE task = $1");
    LIST = concat!("SELECT ", columns!(), " FROM plans WHERE (loop = $1 OR CAST($1 AS TEXT) IS NULL)
        AND (state = $2 OR CAST($2 AS TEXT) IS NULL) ORDER BY created_at, task");
    OPEN_COUNT = "SELECT COUNT(*) AS n FROM plans JOIN tasks ON tasks.id = plans.task
        WHERE plans.loop = $1 AND plans.state IN ('waiting', 'approved') AND tasks.state IN ('planned', 'asked')";
    NOT_TAKEN_UP = concat!("SELECT ", columns!(), " FROM plans JOIN tasks ON tasks.id = plans.task
        WHERE plans.state = 'approved' AND tasks.state IN ('planned', 'asked')
        AND (plans.loop = $1 OR CAST($1 AS TEXT) IS NULL) ORDER BY plans.decided_at, plans.task");
    ANSWERED = concat!("SELECT ", columns!(), " FROM plans JOIN tasks ON tasks.id = plans.task
        WHERE plans.run = $1 AND plans.state <> 'waiting' AND tasks.state IN ('planned', 'asked')
        ORDER BY plans.decided_at, plans.task");
}

/// Keeps a plan, waiting; one that is there already stays as it is, and that is false.
pub async fn insert(tx: &mut Tx, plan: &Plan) -> Result<bool, StoreError> {
    let acceptance = serde_json::to_string(&plan.acceptance)?;
    let findings = serde_json::to_string(&plan.findings)?;
    let paths = serde_json::to_string(&plan.paths)?;
    let bind = |q: Query| {
        q.bind(plan.task.to_string())
            .bind(plan.run.to_string())
            .bind(&plan.loop_name)
            .bind(&plan.title)
            .bind(&plan.goal)
            .bind(acceptance)
            .bind(findings)
            .bind(paths)
            .bind(plan.cost_cap.0)
            .bind(plan.created_at.0)
    };
    Ok(INSERT.run(tx, bind).await? > 0)
}

/// Lets a task wait (again) because of what its change depends on. Its plan must be there.
pub async fn ask(tx: &mut Tx, task: TaskId, asked: &Asked, at: Timestamp) -> Result<(), StoreError> {
    let asked = serde_json::to_string(asked)?;
    let bind = |q: Query| q.bind(task.to_string()).bind(asked).bind(at.0);
    ASK.run(tx, bind).await.map(drop)
}

/// Answers a plan that waits. False: it does not wait any more, and nothing was written.
pub async fn decide(
    tx: &mut Tx,
    task: TaskId,
    state: PlanState,
    words: Option<&str>,
    who: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let bind = |q: Query| {
        q.bind(task.to_string())
            .bind(state.as_str())
            .bind(words)
            .bind(who)
            .bind(at.0)
    };
    Ok(DECIDE.run(tx, bind).await? > 0)
}

/// Gives a plan that waits another goal, because of somebody's words. False: it does not wait any more.
pub async fn revise(
    tx: &mut Tx,
    task: TaskId,
    goal: &str,
    words: &str,
    who: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let bind = |q: Query| {
        q.bind(task.to_string())
            .bind(goal)
            .bind(words)
            .bind(who)
            .bind(at.0)
    };
    Ok(REVISE.run(tx, bind).await? > 0)
}

/// The plan of a task.
pub async fn get(from: impl Reader, task: TaskId) -> Result<Option<Plan>, StoreError> {
    GET.first(from, |q| q.bind(task.to_string()), read).await
}

/// Plans of one loop or all, in one state or all, oldest first.
pub async fn list(
    from: impl Reader,
    loop_name: Option<&str>,
    state: Option<PlanState>,
) -> Result<Vec<Plan>, StoreError> {
    LIST.all(
        from,
        |q| q.bind(loop_name).bind(state.map(PlanState::as_str)),
        read,
    )
    .await
}

/// How many of a loop's plans wait for a person, or are approved and not begun.
pub async fn open_count(from: impl Reader, loop_name: &str) -> Result<u32, StoreError> {
    Ok(OPEN_COUNT
        .first(from, |q| q.bind(loop_name), |row| row.number("n"))
        .await?
        .unwrap_or(0))
}

/// Plans of one loop or all that are approved and that nobody has taken up, first approved first.
pub async fn not_taken_up(from: impl Reader, loop_name: Option<&str>) -> Result<Vec<Plan>, StoreError> {
    NOT_TAKEN_UP.all(from, |q| q.bind(loop_name), read).await
}

/// Plans of a run that were answered, one way or the other, and whose task does not know it yet.
pub async fn answered(from: impl Reader, run: RunId) -> Result<Vec<Plan>, StoreError> {
    ANSWERED.all(from, |q| q.bind(run.to_string()), read).await
}

fn read(row: &Row) -> Result<Plan, StoreError> {
    Ok(Plan {
        task: row.parsed("task")?,
        run: row.parsed("run")?,
        loop_name: row.text("loop")?,
        title: row.text("title")?,
        goal: row.text("goal")?,
        acceptance: row.json("acceptance")?,
        findings: row.json("findings")?,
        paths: row.json("paths")?,
        cost_cap: Money(row.number("cost_cap")?),
        asked: row
            .maybe_text("asked")?
            .map(|text| serde_json::from_str(&text))
            .transpose()?,
        state: row.word("state", PlanState::parse)?,
        words: row.maybe_text("words")?,
        who: row.maybe_text("who")?,
        decided_at: row.maybe_time("decided_at")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
