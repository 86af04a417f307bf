//! Table `proposals`: changes with their evidence, put before people. A finding has at most one that is open, a task
//! exactly one for life.

use ::loops::{
    id::{AttemptId, FindingId, ProposalId, RunId, TaskId},
    time::Timestamp,
};

use super::{
    Reader, StoreError, Tx,
    query::{Query, Row, statements},
    words::words,
};

words! {
    /// How a proposal stands.
    ProposalState {
        /// Its branch and page are being made.
        Preparing = "preparing",
        /// It waits for a person.
        Open = "open",
        /// It was sent back with words, and is being worked on.
        Revising = "revising",
        /// A person approved it; it is not merged yet.
        Approved = "approved",
        /// It is in the base branch.
        Merged = "merged",
        /// A person said no.
        Rejected = "rejected",
        /// Nobody answered it for so long that it was taken back.
        Expired = "expired",
    }
}

impl ProposalState {
    /// Whether nothing more is to come of it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Merged | Self::Rejected | Self::Expired)
    }
}

/// A change with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Its name for life.
    pub id: ProposalId,
    /// The loop's name.
    pub loop_name: String,
    /// The run that made it.
    pub run: RunId,
    /// The task that it answers.
    pub task: TaskId,
    /// The working attempt whose change it is.
    pub attempt: AttemptId,
    /// The finding that names it.
    pub finding: FindingId,
    /// Its branch.
    pub branch: String,
    /// The branch that it is to be merged into.
    pub base_branch: String,
    /// The commit that the change is made against.
    pub base: String,
    /// The proposed commit.
    pub head: String,
    /// One line.
    pub title: String,
    /// The page, Markdown.
    pub body: String,
    /// How it stands.
    pub state: ProposalState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When anything about it was written last.
    pub updated_at: Timestamp,
}

/// What another attempt brings to a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The working attempt whose change it is now.
    pub attempt: AttemptId,
    /// The commit that the change is made against.
    pub base: String,
    /// The proposed commit.
    pub head: String,
    /// One line.
    pub title: String,
    /// The page, Markdown.
    pub body: String,
}

macro_rules! columns {
    () => {
        "id, loop, run, task, attempt, finding, branch, base_branch, base, head, title, body, state, created_at, \
         updated_at"
    };
}

statements! { "proposals":
    INSERT = "INSERT INTO proposals (id, loop, run, task, attempt, finding, branch, base_branch, base, head, title, body,
        state, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    SET_STATE = "UPDATE proposals SET state = $3, updated_at = $4 WHERE id = $1 AND state = $2";
    REVISE = "UPDATE proposals SET attempt = $2, base = $3, head = $4, title = $5, body = $6, state = 'preparing',
        updated_at = $7 WHERE id = $1 AND state = 'revising'";
    SET_BRANCH = "UPDATE proposals SET branch = $2, updated_at = $3 WHERE id = $1";
    SET_BODY = "UPDATE proposals SET body = $2, updated_at = $3 WHERE id = $1";
    GET = concat!("SELECT ", columns!(), " FROM proposals WHERE id = $1");
    OF_TASK = concat!("SELECT ", columns!(), " FROM proposals WHERE task = $1");
    LIST = concat!("SELECT ", columns!(), " FROM proposals WHERE (loop = $1 OR CAST($1 AS TEXT) IS NULL)
        AND (state = $2 OR CAST($2 AS TEXT) IS NULL) ORDER BY created_at, id");
    OF_RUN = concat!("SELECT ", columns!(), " FROM proposals WHERE run = $1 ORDER BY created_at, id");
    OPEN_COUNT = "SELECT COUNT(*) AS n FROM proposals
        WHERE loop = $1 AND state IN ('preparing', 'open', 'revising', 'approved')
        AND NOT EXISTS (SELECT 1 FROM pulls WHERE pulls.proposal = proposals.id AND pulls.hands_off IS NOT NULL)";
}

/// Adds a proposal. Error: a conflict, if its finding has an open one or its task has any.
pub async fn insert(tx: &mut Tx, proposal: &Proposal) -> Result<(), StoreError> {
    let bind = |q: Query| {
        q.bind(proposal.id.to_string())
            .bind(&proposal.loop_name)
            .bind(proposal.run.to_string())
            .bind(proposal.task.to_string())
            .bind(proposal.attempt.to_string())
            .bind(proposal.finding.to_string())
            .bind(&proposal.branch)
            .bind(&proposal.base_branch)
            .bind(&proposal.base)
            .bind(&proposal.head)
            .bind(&proposal.title)
            .bind(&proposal.body)
            .bind(proposal.state.as_str())
            .bind(proposal.created_at.0)
            .bind(proposal.updated_at.0)
    };
    INSERT.run_or_conflict(tx, bind).await.map(drop)
}

/// Moves a proposal on, if it stands where the caller thinks. False: it does not, and nothing was written.
pub async fn set_state(
    tx: &mut Tx,
    id: ProposalId,
    old: ProposalState,
    new: ProposalState,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let bind = |q: Query| {
        q.bind(id.to_string())
            .bind(old.as_str())
            .bind(new.as_str())
            .bind(at.0)
    };
    Ok(SET_STATE.run(tx, bind).await? > 0)
}

/// Gives a proposal that is being revised its new change, and makes it `preparing`. False: it is not being revised.
pub async fn revise(
    tx: &mut Tx,
    id: ProposalId,
    revision: &Revision,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let bind = |q: Query| {
        q.bind(id.to_string())
            .bind(revision.attempt.to_string())
            .bind(&revision.base)
            .bind(&revision.head)
            .bind(&revision.title)
            .bind(&revision.body)
            .bind(at.0)
    };
    Ok(REVISE.run(tx, bind).await? > 0)
}

/// Writes the page anew.
pub async fn set_body(tx: &mut Tx, id: ProposalId, body: &str, at: Timestamp) -> Result<(), StoreError> {
    match SET_BODY
        .run(tx, |q| q.bind(id.to_string()).bind(body).bind(at.0))
        .await?
    {
        0 => Err(StoreError::Missing {
            what: "proposal",
            id: id.to_string(),
        }),
        _ => Ok(()),
    }
}

/// Gives a proposal another branch.
pub async fn set_branch(tx: &mut Tx, id: ProposalId, branch: &str, at: Timestamp) -> Result<(), StoreError> {
    SET_BRANCH
        .run(tx, |q| q.bind(id.to_string()).bind(branch).bind(at.0))
        .await
        .map(drop)
}

/// The proposal of that id.
pub async fn get(from: impl Reader, id: ProposalId) -> Result<Option<Proposal>, StoreError> {
    GET.first(from, |q| q.bind(id.to_string()), read).await
}

/// The proposal that answers a task.
pub async fn of_task(from: impl Reader, task: TaskId) -> Result<Option<Proposal>, StoreError> {
    OF_TASK.first(from, |q| q.bind(task.to_string()), read).await
}

/// The proposals that a run made, oldest first.
pub async fn of_run(from: impl Reader, run: RunId) -> Result<Vec<Proposal>, StoreError> {
    OF_RUN.all(from, |q| q.bind(run.to_string()), read).await
}

/// Proposals of one loop or all, in one state or all, oldest first.
pub async fn list(
    from: impl Reader,
    loop_name: Option<&str>,
    state: Option<ProposalState>,
) -> Result<Vec<Proposal>, StoreError> {
    LIST.all(
        from,
        |q| q.bind(loop_name).bind(state.map(ProposalState::as_str)),
        read,
    )
    .await
}

/// How many of a loop's proposals are neither merged nor rejected nor expired. What people took over is theirs, and
/// counts no more.
pub async fn open_count(from: impl Reader, loop_name: &str) -> Result<u32, StoreError> {
    Ok(OPEN_COUNT
        .first(from, |q| q.bind(loop_name), |row| row.number("n"))
        .await?
        .unwrap_or(0))
}

fn read(row: &Row) -> Result<Proposal, StoreError> {
    Ok(Proposal {
        id: row.parsed("id")?,
        loop_name: row.text("loop")?,
        run: row.parsed("run")?,
        task: row.parsed("task")?,
        attempt: row.parsed("attempt")?,
        finding: row.parsed("finding")?,
        branch: row.text("branch")?,
        base_branch: row.text("base_branch")?,
        base: row.text("base")?,
        head: row.text("head")?,
        title: row.text("title")?,
        body: row.text("body")?,
        state: row.word("state", ProposalState::parse)?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
