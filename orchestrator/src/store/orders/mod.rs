//! Table `orders`: what is to be carried out. An order is posted in the transaction that begins its attempt, and is
//! gone in the one that writes down what became of it.
//!
//! Who holds it is the business of [`lease`]; where many end together, of the [`Desk`]; what is in it, of the engine. Nothing here decides.

mod desk;
pub mod lease;

use ::loops::{
    id::{AttemptId, RunId, TaskId},
    lease::{Lease, MAX_LOSSES, Standing},
    time::Timestamp,
};

use serde_json::json;

pub use self::desk::{Desk, Ended};
use super::{
    Reader, StoreError, Tx,
    batch::batches,
    query::{Row, statements},
    words::words,
};

words! {
    /// How an order stands.
    OrderState {
        /// Nobody has it.
        Waiting = "waiting",
        /// Somebody carries it out.
        Held = "held",
        /// What became of it is known.
        Done = "done",
        /// Nobody wants it any more.
        Cancelled = "cancelled",
    }
}

/// What is posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// The attempt that it carries out; it has one order at most.
    pub attempt: AttemptId,
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskId,
    /// The loop's name.
    pub loop_name: String,
    /// The kind of worker, or what else it is: `prove`, `review`.
    pub kind: String,
    /// Labels that a node must have; sorted, each once.
    pub needs: Vec<String>,
    /// Higher is sooner.
    pub priority: i64,
    /// The form of `body`.
    pub protocol: i64,
    /// Whether all that a node without a mirror needs is in `packs`.
    pub packed: bool,
    /// The order, as JSON.
    pub body: String,
    /// When.
    pub created_at: Timestamp,
}

/// An order, without what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Its attempt.
    pub attempt: AttemptId,
    /// The task.
    pub task: TaskId,
    /// The loop's name.
    pub loop_name: String,
    /// The kind of worker, or `prove`, `review`.
    pub kind: String,
    /// Labels that a node must have.
    pub needs: Vec<String>,
    /// Whether all that a node without a mirror needs is in `packs`.
    pub packed: bool,
    /// Who holds it, and until when.
    pub lease: Lease,
    /// What became of it, as JSON.
    pub outcome: Option<String>,
}

macro_rules! columns {
    () => {
        "attempt, task, loop, kind, needs, packed, state, token, holder, expires_at, losses, ready_at, cancel_at, outcome"
    };
}

batches! { "orders":
    POST (attempt "text", run "text", task "text", loop_name "text", kind "text", needs "text", priority "bigint",
        protocol "bigint", packed "bigint", body "text", created_at "bigint") = "INSERT INTO orders (attempt, run, task, loop,
        kind, needs, priority, protocol, packed, body, state, token, losses, ready_at, created_at) SELECT r.attempt, r.run,
        r.task, r.loop_name, r.kind, r.needs, r.priority, r.protocol, r.packed, r.body, 'waiting', 0, 0, 0, r.created_at
        FROM", "ORDER BY r.n";
    FORGET (attempt "text") = "DELETE FROM orders WHERE attempt IN (SELECT r.attempt FROM", ")";
}

statements! { "orders":
    GET = concat!("SELECT ", columns!(), " FROM orders WHERE attempt = $1");
    OF_RUN = concat!("SELECT ", columns!(), " FROM orders WHERE run = $1 ORDER BY created_at, attempt");
    OPEN = concat!("SELECT ", columns!(), " FROM orders WHERE state IN ('waiting', 'held') ORDER BY created_at, attempt
        LIMIT $1");
    BODY = "SELECT body FROM orders WHERE attempt = $1";
    PACKED = "UPDATE orders SET packed = 1 WHERE attempt = $1";
    BASES = "SELECT COUNT(*) AS n FROM orders";
}

#[cfg(test)]
pub(super) fn all_statements() -> impl Iterator<Item = &'static super::query::Statement> {
    ALL.iter().chain(lease::ALL)
}

/// Posts orders.
pub async fn post_all(tx: &mut Tx, orders: &[NewOrder]) -> Result<(), StoreError> {
    let row = |order: &NewOrder| {
        Ok(json!({
            "attempt": order.attempt,
            "run": order.run,
            "task": order.task,
            "loop_name": order.loop_name,
            "kind": order.kind,
            "needs": serde_json::to_string(&order.needs)?,
            "priority": order.priority,
            "protocol": order.protocol,
            "packed": i64::from(order.packed),
            "body": order.body,
            "created_at": order.created_at.0,
        }))
    };
    let rows = orders.iter().map(row).collect::<Result<Vec<_>, StoreError>>()?;
    POST.run(tx, &rows, |query| query).await.map(drop)
}

/// Posts an order.
pub async fn post(tx: &mut Tx, order: &NewOrder) -> Result<(), StoreError> {
    post_all(tx, std::slice::from_ref(order)).await
}

/// The order of an attempt; none: it has none, or what became of it is written down.
pub async fn get(from: impl Reader, attempt: AttemptId) -> Result<Option<Posted>, StoreError> {
    GET.first(from, |q| q.bind(attempt.to_string()), read).await
}

/// What is in an order, as JSON.
pub async fn body(from: impl Reader, attempt: AttemptId) -> Result<Option<String>, StoreError> {
    BODY.first(from, |q| q.bind(attempt.to_string()), |row| row.text("body"))
        .await
}

/// A run's orders, oldest first.
pub async fn of_run(from: impl Reader, run: RunId) -> Result<Vec<Posted>, StoreError> {
    OF_RUN.all(from, |q| q.bind(run.to_string()), read).await
}

/// Orders that wait or are held, oldest first, at most `limit`.
pub async fn open(from: impl Reader, limit: u32) -> Result<Vec<Posted>, StoreError> {
    OPEN.all(from, |q| q.bind(i64::from(limit)), read).await
}

/// How many there are.
pub async fn count(from: impl Reader) -> Result<u64, StoreError> {
    let count = BASES.first(from, |q| q, |row| row.number("n")).await?;
    Ok(count.unwrap_or(0))
}

/// Takes orders away: what became of them is written down in this transaction.
pub async fn forget_all(tx: &mut Tx, attempts: &[AttemptId]) -> Result<(), StoreError> {
    let rows: Vec<_> = attempts.iter().map(|id| json!({ "attempt": id })).collect();
    FORGET.run(tx, &rows, |query| query).await.map(drop)
}

/// The same for one.
pub async fn forget(tx: &mut Tx, attempt: AttemptId) -> Result<(), StoreError> {
    forget_all(tx, &[attempt]).await
}

/// Says that all that a node without a mirror needs is in `packs`.
pub async fn set_packed(tx: &mut Tx, attempt: AttemptId) -> Result<(), StoreError> {
    PACKED.run(tx, |q| q.bind(attempt.to_string())).await.map(drop)
}

fn read(row: &Row) -> Result<Posted, StoreError> {
    let state = row.word("state", OrderState::parse)?;
    let standing = match state {
        OrderState::Waiting => Standing::Waiting,
        OrderState::Held => Standing::Held {
            holder: row.text("holder")?,
            until: row.time("expires_at")?,
        },
        OrderState::Done => Standing::Done,
        OrderState::Cancelled => Standing::Cancelled,
    };
    Ok(Posted {
        attempt: row.parsed("attempt")?,
        task: row.parsed("task")?,
        loop_name: row.text("loop")?,
        kind: row.text("kind")?,
        needs: row.json("needs")?,
        packed: row.flag("packed")?,
        lease: Lease {
            standing,
            token: row.number("token")?,
            losses: row.number("losses")?,
            ready_at: row.time("ready_at")?,
            cancelled: row.maybe_time("cancel_at")?.is_some(),
        },
        outcome: row.maybe_text("outcome")?,
    })
}
