//! Who holds an order: taken, renewed, given back, lost. Each is one statement, guarded by the token, so that whoever
//! lost a lease changes nothing. [`::loops::lease`] is the same as a state machine; the tests hold the two together.
//!
//! None of it is in the ledger: an attempt's row and what became of it are.

use std::time::Duration;

use ::loops::{
    id::{AttemptId, RunId, TaskId},
    lease::{Lane, pause},
    time::Timestamp,
};

use serde_json::json;

use super::super::{
    Reader, StoreError, Tx,
    batch::batches,
    query::{Query, Row, Statement, statements},
};
use super::MAX_LOSSES;

/// An order that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its attempt.
    pub attempt: AttemptId,
    /// The loop's name.
    pub loop_name: String,
    /// The kind of worker, or `prove`, `review`.
    pub kind: String,
    /// What its holder must name whenever it says something.
    pub token: i64,
    /// How many holders were lost before.
    pub losses: u32,
    /// What is in it, as JSON.
    pub body: String,
}

/// Whose lease was renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewed {
    /// The attempt.
    pub attempt: AttemptId,
    /// By which token it is held.
    pub token: i64,
    /// Whether its holder is to stop.
    pub cancelled: bool,
}

/// What a node can take.
#[derive(Debug, Clone, Copy)]
pub struct Able {
    /// The oldest and the newest form of orders that it reads.
    pub protocols: (i64, i64),
    /// Whether it has mirrors, or a way to fetch them; without, it takes only what was packed for it.
    pub mirrors: bool,
}

/// How a claim ends on Postgres: rows that somebody takes at this moment are not waited for.
macro_rules! claim {
    ($skip:literal) => {
        concat!(
            "UPDATE orders SET state = 'held', holder = $1, expires_at = $2, token = token + 1
            WHERE state = 'waiting' AND attempt IN (SELECT attempt FROM orders WHERE state = 'waiting' AND loop = $3
                AND kind = $4 AND needs = $5 AND priority = $6 AND ready_at <= $7 AND losses < $8
                AND protocol BETWEEN $9 AND $10 AND packed >= $11 ORDER BY created_at, attempt LIMIT $12",
            $skip,
            ") RETURNING attempt, loop, kind, token, losses, body"
        )
    };
}

batches! { "orders":
    DONE (attempt "text", token "bigint", outcome "text") = "UPDATE orders SET outcome = r.outcome,
        state = CASE WHEN cancel_at IS NULL THEN 'done' ELSE 'cancelled' END, holder = NULL, expires_at = NULL FROM",
        "WHERE orders.attempt = r.attempt AND orders.token = r.token AND orders.state = 'held' RETURNING orders.attempt, orders.token";
    CANCEL_WAITING (task "text") = "UPDATE orders SET state = 'cancelled' FROM",
        "WHERE orders.task = r.task AND orders.state = 'waiting'";
    CANCEL_HELD (task "text") = "UPDATE orders SET cancel_at = $2 FROM",
        "WHERE orders.task = r.task AND orders.state = 'held' AND orders.cancel_at IS NULL";
}

statements! { "orders":
    LANES = "SELECT w.loop AS loop, w.kind AS kind, w.needs AS needs, w.priority AS priority, w.waiting AS waiting,
        w.oldest AS oldest, (SELECT COUNT(*) FROM orders AS h WHERE h.state = 'held' AND h.loop = w.loop) AS under_way
        FROM (SELECT loop, kind, needs, priority, COUNT(*) AS waiting, MIN(created_at) AS oldest FROM orders
            WHERE state = 'waiting' AND ready_at <= $1 AND losses < $2 AND protocol BETWEEN $3 AND $4 AND packed >= $5
            GROUP BY loop, kind, needs, priority) AS w ORDER BY w.priority DESC, w.oldest, w.loop, w.kind, w.needs";
    CLAIM = claim!("");
    RENEW = "UPDATE orders SET expires_at = $2 WHERE state = 'held' AND holder = $1
        RETURNING attempt, token, cancel_at";
    HOLDS = "UPDATE orders SET expires_at = expires_at WHERE attempt = $1 AND token = $2 AND state = 'held'";
    GIVE_BACK = "UPDATE orders SET state = CASE WHEN cancel_at IS NULL THEN 'waiting' ELSE 'cancelled' END,
        body = COALESCE($3, body), holder = NULL, expires_at = NULL
        WHERE attempt = $1 AND token = $2 AND state = 'held'";
    LOST = "SELECT attempt, token, losses FROM orders WHERE state = 'held' AND expires_at < $1 AND holder <> $2
        ORDER BY expires_at LIMIT 1000";
    LOSE = "UPDATE orders SET state = CASE WHEN cancel_at IS NULL THEN 'waiting' ELSE 'cancelled' END,
        losses = losses + 1, ready_at = $4, holder = NULL, expires_at = NULL
        WHERE attempt = $1 AND token = $2 AND state = 'held' AND expires_at < $3";
    CANCEL_WAITING_OF_RUN = "UPDATE orders SET state = 'cancelled' WHERE run = $1 AND state = 'waiting'";
    CANCEL_HELD_OF_RUN = "UPDATE orders SET cancel_at = $2 WHERE run = $1 AND state = 'held' AND cancel_at IS NULL";
    TAKE_BACK = "UPDATE orders SET state = 'waiting', ready_at = 0, holder = NULL, expires_at = NULL
        WHERE attempt = $1 AND token = $2 AND state = 'held' AND cancel_at IS NULL";
    EXPIRE_OURS = "UPDATE orders SET expires_at = 0 WHERE state = 'held' AND substr(holder, 1, length($1)) = $1";
    CLOSE = "DELETE FROM orders WHERE attempt = $1";
    SWEEP = "DELETE FROM orders WHERE state IN ('done', 'cancelled')
        AND run IN (SELECT id FROM runs WHERE ended_at IS NOT NULL)";
}

/// [`CLAIM`] for many at once.
const CLAIM_BESIDE_OTHERS: Statement = Statement {
    table: "orders",
    name: "CLAIM_BESIDE_OTHERS",
    sql: claim!(" FOR UPDATE SKIP LOCKED"),
};

/// What waits and may be taken now, in lanes of orders that are alike.
pub async fn lanes(from: impl Reader, able: Able, now: Timestamp) -> Result<Vec<Lane>, StoreError> {
    let read = |row: &Row| {
        Ok(Lane {
            loop_name: row.text("loop")?,
            kind: row.text("kind")?,
            needs: row.text("needs")?,
            priority: row.number("priority")?,
            waiting: row.number("waiting")?,
            under_way: row.number("under_way")?,
            oldest: row.number("oldest")?,
        })
    };
    let bind = |q: Query| {
        q.bind(now.0)
            .bind(i64::from(MAX_LOSSES))
            .bind(able.protocols.0)
            .bind(able.protocols.1)
            .bind(i64::from(!able.mirrors))
    };
    LANES.all(from, bind, read).await
}

/// Takes at most `limit` orders of a lane, the oldest first; those that somebody else takes meanwhile are not among them.
pub async fn claim(
    tx: &mut Tx,
    lane: &Lane,
    limit: u32,
    holder: &str,
    able: Able,
    (now, lease): (Timestamp, Duration),
) -> Result<Vec<Claim>, StoreError> {
    let statement = if tx.is_file() { CLAIM } else { CLAIM_BESIDE_OTHERS };
    let bind = |q: Query| {
        q.bind(holder)
            .bind(now.plus(lease).0)
            .bind(&lane.loop_name)
            .bind(&lane.kind)
            .bind(&lane.needs)
            .bind(lane.priority)
            .bind(now.0)
            .bind(i64::from(MAX_LOSSES))
            .bind(able.protocols.0)
            .bind(able.protocols.1)
            .bind(i64::from(!able.mirrors))
            .bind(i64::from(limit))
    };
    let read = |row: &Row| {
        Ok(Claim {
            attempt: row.parsed("attempt")?,
            loop_name: row.text("loop")?,
            kind: row.text("kind")?,
            token: row.number("token")?,
            losses: row.number("losses")?,
            body: row.text("body")?,
        })
    };
    statement.all(tx, bind, read).await
}

/// Renews all leases of a holder; those that it still has. What it thinks that it has and is not among them is lost.
pub async fn renew(tx: &mut Tx, holder: &str, until: Timestamp) -> Result<Vec<Renewed>, StoreError> {
    let read = |row: &Row| {
        Ok(Renewed {
            attempt: row.parsed("attempt")?,
            token: row.number("token")?,
            cancelled: row.maybe_time("cancel_at")?.is_some(),
        })
    };
    RENEW.all(tx, |q| q.bind(holder).bind(until.0), read).await
}

/// Whether the holder of that token still has the order; if so, nobody takes it before this transaction ends. Who
/// writes down anything about an attempt that it carries out asks this first.
pub async fn holds(tx: &mut Tx, attempt: AttemptId, token: i64) -> Result<bool, StoreError> {
    Ok(HOLDS.run(tx, |q| q.bind(attempt.to_string()).bind(token)).await? > 0)
}

/// Writes down what became of orders: each by its token, as JSON. Those that were still their holders' are the answer;
/// of the others nothing is written.
pub async fn done_all(
    tx: &mut Tx,
    ended: &[(AttemptId, i64, &str)],
) -> Result<Vec<(AttemptId, i64)>, StoreError> {
    let row = |(attempt, token, outcome): &(AttemptId, i64, &str)| json!({ "attempt": attempt, "token": token, "outcome": outcome });
    let rows: Vec<_> = ended.iter().map(row).collect();
    let read = |row: &Row| Ok((row.parsed("attempt")?, row.number("token")?));
    DONE.all(tx, &rows, |query| query, read).await
}

/// The same for one. False: the lease was lost, and nothing is written.
pub async fn done(tx: &mut Tx, attempt: AttemptId, token: i64, outcome: &str) -> Result<bool, StoreError> {
    Ok(!done_all(tx, &[(attempt, token, outcome)]).await?.is_empty())
}

/// Gives an order back unfinished, with what is to be in it from now on. False: the lease was lost.
pub async fn give_back(
    tx: &mut Tx,
    attempt: AttemptId,
    token: i64,
    body: Option<&str>,
) -> Result<bool, StoreError> {
    let bind = |q: Query| q.bind(attempt.to_string()).bind(token).bind(body);
    Ok(GIVE_BACK.run(tx, bind).await? > 0)
}

/// Takes orders back from holders that have said nothing for too long, but for those of `me`, who knows better; which
/// they were.
pub async fn look_after(tx: &mut Tx, me: &str, now: Timestamp) -> Result<Vec<AttemptId>, StoreError> {
    let read = |row: &Row| {
        Ok((
            row.parsed::<AttemptId>("attempt")?,
            row.number::<i64>("token")?,
            row.number::<u32>("losses")?,
        ))
    };
    let mut lost = Vec::new();
    for (attempt, token, losses) in LOST.all(&mut *tx, |q| q.bind(now.0).bind(me), read).await? {
        let ready = now.plus(pause(losses.saturating_add(1)));
        let bind = |q: Query| q.bind(attempt.to_string()).bind(token).bind(now.0).bind(ready.0);
        if LOSE.run(tx, bind).await? > 0 {
            lost.push(attempt);
        }
    }
    Ok(lost)
}

/// Nobody wants the orders of these tasks any more: those that wait are cancelled, and holders learn of it when they
/// renew.
pub async fn cancel_tasks(tx: &mut Tx, tasks: &[TaskId], now: Timestamp) -> Result<u64, StoreError> {
    let rows: Vec<_> = tasks.iter().map(|task| json!({ "task": task })).collect();
    let waiting = CANCEL_WAITING.run(tx, &rows, |query| query).await?;
    let held = CANCEL_HELD.run(tx, &rows, |query| query.bind(now.0)).await?;
    Ok(waiting + held)
}

/// The same for one.
pub async fn cancel_task(tx: &mut Tx, task: TaskId, now: Timestamp) -> Result<u64, StoreError> {
    cancel_tasks(tx, &[task], now).await
}

/// The same for all orders of a run.
pub async fn cancel_run(tx: &mut Tx, run: RunId, now: Timestamp) -> Result<u64, StoreError> {
    let waiting = CANCEL_WAITING_OF_RUN.run(tx, |q| q.bind(run.to_string())).await?;
    let held = CANCEL_HELD_OF_RUN
        .run(tx, |q| q.bind(run.to_string()).bind(now.0))
        .await?;
    Ok(waiting + held)
}

/// Ends the leases of holders whose names begin so: their process is gone for certain.
pub async fn expire_those_of(tx: &mut Tx, prefix: &str) -> Result<u64, StoreError> {
    EXPIRE_OURS.run(tx, |q| q.bind(prefix)).await
}

/// Takes an order back from a holder that is gone for certain, and not by the order's fault: it counts as no loss. False:
/// somebody has taken it since, or nobody wants it any more.
pub async fn take_back(tx: &mut Tx, attempt: AttemptId, token: i64) -> Result<bool, StoreError> {
    Ok(TAKE_BACK
        .run(tx, |q| q.bind(attempt.to_string()).bind(token))
        .await?
        > 0)
}

/// Takes an order away whoever holds it: what that says later counts for nothing.
pub async fn close(tx: &mut Tx, attempt: AttemptId) -> Result<bool, StoreError> {
    Ok(CLOSE.run(tx, |q| q.bind(attempt.to_string())).await? > 0)
}

/// Takes away what is left of runs that have ended.
pub async fn sweep(tx: &mut Tx) -> Result<u64, StoreError> {
    SWEEP.run(tx, |q| q).await
}
