//! Table `calls`: calls to models, what is reserved for each, what it cost, and the sums that caps are compared with.
//!
//! A row counts with its reservation until it is settled. What a call may do is decided in `loops::budget`; here the
//! sums and the reservation are one transaction, so that no two callers are promised the same money. Each call leaves
//! a row in the ledger when it ends.

use ::loops::{
    budget::{Cap, Caps, Grant, Limit, Money, OverCap, Price, Shared, Usage, Whose, grant},
    id::{AttemptId, RunId, TaskId},
    time::Timestamp,
};

use serde_json::json;

use super::{
    Reader, StoreError, Tx,
    query::{Query, Row, statements},
    words::words,
};

words! {
    /// How a call ended.
    CallState {
        /// It is under way, and counts with what was reserved.
        Reserved = "reserved",
        /// The provider said what it used.
        Settled = "settled",
        /// Nobody knows all that it used; it is charged what it may have.
        Estimated = "estimated",
        /// It was not carried out, and costs nothing.
        Released = "released",
    }
}

/// The sums over some calls.
macro_rules! spend_where {
    ($column:literal) => {
        concat!(
            "SELECT COUNT(*) AS calls, CAST(COALESCE(SUM(cost), 0) AS BIGINT) AS cost, \
             CAST(COALESCE(SUM(input_tokens), 0) AS BIGINT) AS input_tokens, CAST(COALESCE(SUM(output_tokens), 0) AS BIGINT) AS output_tokens, \
             CAST(COALESCE(SUM(cache_read_tokens), 0) AS BIGINT) AS cache_read_tokens, \
             CAST(COALESCE(SUM(cache_write_tokens), 0) AS BIGINT) AS cache_write_tokens, \
             CAST(COALESCE(SUM(reasoning_tokens), 0) AS BIGINT) AS reasoning_tokens, \
             CAST(COALESCE(SUM(rehearsed), 0) AS BIGINT) AS rehearsed, \
             CAST(COALESCE(SUM(CASE WHEN state = 'estimated' THEN 1 ELSE 0 END), 0) AS BIGINT) AS estimated \
             FROM calls WHERE ",
            $column,
            " = $1"
        )
    };
}

statements! { "calls":
    /// What already counts against a task, in whichever runs it was worked on.
    TASK = "SELECT CAST(COALESCE(SUM(cost), 0) AS BIGINT) AS spent FROM calls WHERE task = $1";
    RUN = "SELECT CAST(COALESCE(SUM(cost), 0) AS BIGINT) AS spent FROM calls WHERE run = $1";
    /// Since the day, or the month, began.
    DAY = "SELECT CAST(COALESCE(SUM(cost), 0) AS BIGINT) AS spent FROM calls WHERE loop = $1 AND at >= $2";
    BEGIN = "INSERT INTO calls (id, attempt, task, run, loop, repository, model, role, state, reserved, cost, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'reserved', $9, $9, $10)";
    REHEARSE = "INSERT INTO calls (id, attempt, task, run, loop, repository, model, role, state, reserved, cost, input_tokens, \
                output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, rehearsed, at, ended_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'settled', 0, 0, $9, $10, $11, $12, $13, 1, $14, $15)";
    END = "UPDATE calls SET state = $2, cost = $3, input_tokens = $4, output_tokens = $5, cache_read_tokens = $6, \
           cache_write_tokens = $7, reasoning_tokens = $8, ended_at = $9 WHERE id = $1 AND state = 'reserved'";
    EVERYBODY = "SELECT CAST(COALESCE(SUM(cost), 0) AS BIGINT) AS spent FROM calls WHERE at >= $1";
    ROLE = "SELECT CAST(COALESCE(SUM(cost), 0) AS BIGINT) AS spent FROM calls WHERE role = $1 AND at >= $2";
    ROLE_IN_RUN = "SELECT CAST(COALESCE(SUM(cost), 0) AS BIGINT) AS spent FROM calls WHERE run = $1 AND role = $2";
    REPOSITORY = "SELECT CAST(COALESCE(SUM(cost), 0) AS BIGINT) AS spent FROM calls WHERE repository = $1 AND at >= $2";
    OPEN = "SELECT id, attempt, task, run, loop, repository, model, role, at, reserved FROM calls WHERE state = 'reserved'
        AND NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.attempt = calls.attempt AND o.state = 'held'
            AND o.expires_at >= $1)";
    OPEN_OF_ATTEMPT = "SELECT id, attempt, task, run, loop, repository, model, role, at, reserved FROM calls
        WHERE state = 'reserved' AND attempt = $1 AND at < $2";
    SPEND_OF_RUN = spend_where!("run");
    SPEND_OF_TASK = spend_where!("task");
    SPEND_OF_ATTEMPT = spend_where!("attempt");
}

/// A call that is about to be made.
#[derive(Debug, Clone)]
pub struct NewCall {
    /// Its id, unique for ever.
    pub id: String,
    /// The attempt that asks.
    pub attempt: AttemptId,
    /// Its task; none for the lead agent.
    pub task: Option<TaskId>,
    /// Its run.
    pub run: RunId,
    /// The loop's name.
    pub loop_name: String,
    /// The repository that defines the loop; none: the operator does.
    pub repository: Option<String>,
    /// The model's name.
    pub model: String,
    /// What the attempt does: `lead`, `work` or `review`.
    pub role: String,
    /// Now.
    pub at: Timestamp,
}

/// What a call would like to have.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// What may be spent.
    pub caps: &'a Caps,
    /// What may be spent together with others.
    pub shared: &'a [Shared],
    /// What the model costs.
    pub price: &'a Price,
    /// It has at most so many input tokens.
    pub input_tokens: u64,
    /// It would like to write so many tokens.
    pub wanted: u64,
    /// With fewer than this it is not worth making.
    pub floor: u64,
}

/// What calls used and cost. Calls under way count with their reservation, and with no tokens yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spend {
    /// How many calls.
    pub calls: u64,
    /// What they cost.
    pub cost: Money,
    /// What they used.
    pub usage: Usage,
    /// How many of them were played back from a cassette.
    pub rehearsed: u64,
    /// How many of them are charged what they may have cost, because nobody knows.
    pub estimated: u64,
}

/// Reserves what `wish` may cost, or says which cap does not bear it. Nothing is promised before the transaction is
/// committed.
pub async fn reserve(
    tx: &mut Tx,
    call: &NewCall,
    wish: &Wish<'_>,
) -> Result<Result<Grant, OverCap>, StoreError> {
    let mut limits = Vec::with_capacity(4 + wish.shared.len());
    if let (Some(limit), Some(task)) = (wish.caps.task, call.task) {
        let spent = TASK
            .first(&mut *tx, |query| query.bind(task.to_string()), spent)
            .await?;
        limits.push(Limit {
            cap: Cap::Task,
            limit,
            spent: spent.unwrap_or_default(),
        });
    }
    if let Some(limit) = wish.caps.run {
        let spent = RUN
            .first(&mut *tx, |query| query.bind(call.run.to_string()), spent)
            .await?;
        limits.push(Limit {
            cap: Cap::Run,
            limit,
            spent: spent.unwrap_or_default(),
        });
    }
    if let Some(limit) = wish.caps.day {
        let spent = of_loop(tx, &call.loop_name, wish.caps.day_start).await?;
        limits.push(Limit {
            cap: Cap::Day,
            limit,
            spent,
        });
    }
    if let Some(limit) = wish.caps.month {
        let spent = of_loop(tx, &call.loop_name, wish.caps.month_start).await?;
        limits.push(Limit {
            cap: Cap::Month,
            limit,
            spent,
        });
    }
    for shared in wish.shared {
        limits.push(Limit {
            cap: shared.cap.clone(),
            limit: shared.limit,
            spent: spent_together(tx, call, shared).await?,
        });
    }
    let grant = match grant(wish.price, wish.input_tokens, wish.wanted, wish.floor, &limits) {
        Ok(grant) => grant,
        Err(over) => return Ok(Err(over)),
    };
    BEGIN
        .run(tx, |query| {
            whose(query, call).bind(grant.reserved.0).bind(call.at.0)
        })
        .await?;
    Ok(Ok(grant))
}

/// What counts against a cap that several loops or runs share.
async fn spent_together(tx: &mut Tx, call: &NewCall, shared: &Shared) -> Result<Money, StoreError> {
    let found = match &shared.of {
        Whose::Everybody => {
            EVERYBODY
                .first(&mut *tx, |query| query.bind(shared.since.0), spent)
                .await?
        }
        Whose::Loops(loops) => {
            let mut sum = Money::ZERO;
            for name in loops {
                sum += of_loop(tx, name, shared.since).await?;
            }
            Some(sum)
        }
        Whose::Role(role) => {
            let bind = |query: Query| query.bind(role.clone()).bind(shared.since.0);
            ROLE.first(&mut *tx, bind, spent).await?
        }
        Whose::RoleInRun(role) => {
            let bind = |query: Query| query.bind(call.run.to_string()).bind(role.clone());
            ROLE_IN_RUN.first(&mut *tx, bind, spent).await?
        }
        Whose::Repository(repository) => {
            let bind = |query: Query| query.bind(repository.clone()).bind(shared.since.0);
            REPOSITORY.first(&mut *tx, bind, spent).await?
        }
    };
    Ok(found.unwrap_or_default())
}

async fn of_loop(tx: &mut Tx, name: &str, since: Timestamp) -> Result<Money, StoreError> {
    let bind = |query: Query| query.bind(name.to_owned()).bind(since.0);
    Ok(DAY.first(&mut *tx, bind, spent).await?.unwrap_or_default())
}

/// Ends a call that was reserved: what it cost counts from here on. A call that has ended already stays as it is.
pub async fn end(
    tx: &mut Tx,
    call: &NewCall,
    state: CallState,
    cost: Money,
    usage: &Usage,
    at: Timestamp,
) -> Result<(), StoreError> {
    let bind = |query: Query| {
        let query = query.bind(call.id.clone()).bind(state.as_str()).bind(cost.0);
        tokens(query, usage).bind(at.0)
    };
    if END.run(tx, bind).await? == 0 {
        return Err(StoreError::Missing {
            what: "open call",
            id: call.id.clone(),
        });
    }
    record(tx, call, state, cost, usage, false, at).await
}

/// Writes down a call that was played back from a cassette: its tokens are shown, and it costs nothing.
pub async fn rehearse(
    tx: &mut Tx,
    call: &NewCall,
    usage: &Usage,
    ended: Timestamp,
) -> Result<(), StoreError> {
    let bind = |query: Query| tokens(whose(query, call), usage).bind(call.at.0).bind(ended.0);
    REHEARSE.run(tx, bind).await?;
    record(tx, call, CallState::Settled, Money::ZERO, usage, true, ended).await
}

/// Charges what was reserved for every call that is still open, and says how many there were. Only when nobody can
/// be working on one: at the start. Calls of attempts that other nodes carry out are theirs.
pub async fn estimate_open(tx: &mut Tx, at: Timestamp) -> Result<usize, StoreError> {
    let open = OPEN.all(&mut *tx, |query| query.bind(at.0), read_open).await?;
    estimate(tx, open, at).await
}

/// The same for the calls of one attempt that were begun before `before`, because whoever made them is lost.
pub async fn estimate_lost(
    tx: &mut Tx,
    attempt: AttemptId,
    before: Timestamp,
    at: Timestamp,
) -> Result<usize, StoreError> {
    let bind = |query: Query| query.bind(attempt.to_string()).bind(before.0);
    let open = OPEN_OF_ATTEMPT.all(&mut *tx, bind, read_open).await?;
    estimate(tx, open, at).await
}

fn read_open(row: &Row) -> Result<(NewCall, Money), StoreError> {
    Ok((open_call(row)?, Money(row.number("reserved")?)))
}

async fn estimate(tx: &mut Tx, open: Vec<(NewCall, Money)>, at: Timestamp) -> Result<usize, StoreError> {
    for (call, reserved) in &open {
        end(tx, call, CallState::Estimated, *reserved, &Usage::default(), at).await?;
    }
    Ok(open.len())
}

/// The ledger's row of a call that has ended.
async fn record(
    tx: &mut Tx,
    call: &NewCall,
    state: CallState,
    cost: Money,
    usage: &Usage,
    rehearsed: bool,
    at: Timestamp,
) -> Result<(), StoreError> {
    let mut data = json!({
        "attempt": call.attempt, "task": call.task, "model": call.model, "state": state, "cost_usd": cost,
        "usage": usage, "rehearsed": rehearsed,
    });
    if let Some(repository) = &call.repository {
        data["repository"] = json!(repository);
    }
    tx.record(
        at,
        "call.ended",
        Some(&call.loop_name),
        Some(call.run),
        &call.id,
        data,
    )
    .await
}

/// What all runs of a loop spent since a moment.
pub async fn spend_since(from: impl Reader, loop_name: &str, since: Timestamp) -> Result<Money, StoreError> {
    let sum = DAY
        .first(from, |query| query.bind(loop_name).bind(since.0), spent)
        .await?;
    Ok(sum.unwrap_or_default())
}

/// What a run spent so far.
pub async fn spend_of_run(from: impl Reader, run: RunId) -> Result<Spend, StoreError> {
    let row = SPEND_OF_RUN
        .first(from, |query| query.bind(run.to_string()), spend)
        .await?;
    Ok(row.unwrap_or_default())
}

/// What all attempts of a task spent so far.
pub async fn spend_of_task(from: impl Reader, task: TaskId) -> Result<Spend, StoreError> {
    let row = SPEND_OF_TASK
        .first(from, |query| query.bind(task.to_string()), spend)
        .await?;
    Ok(row.unwrap_or_default())
}

/// What an attempt spent so far.
pub async fn spend_of_attempt(from: impl Reader, attempt: AttemptId) -> Result<Spend, StoreError> {
    let row = SPEND_OF_ATTEMPT
        .first(from, |query| query.bind(attempt.to_string()), spend)
        .await?;
    Ok(row.unwrap_or_default())
}

fn whose(query: Query, call: &NewCall) -> Query {
    query
        .bind(call.id.clone())
        .bind(call.attempt.to_string())
        .bind(call.task.map(|task| task.to_string()))
        .bind(call.run.to_string())
        .bind(call.loop_name.clone())
        .bind(call.repository.clone())
        .bind(call.model.clone())
        .bind(call.role.clone())
}

fn tokens(query: Query, usage: &Usage) -> Query {
    let counts = [
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    ];
    counts.into_iter().fold(query, |query, count| {
        query.bind(i64::try_from(count).unwrap_or(i64::MAX))
    })
}

fn open_call(row: &Row) -> Result<NewCall, StoreError> {
    Ok(NewCall {
        id: row.text("id")?,
        attempt: row.parsed("attempt")?,
        task: row.maybe_parsed("task")?,
        run: row.parsed("run")?,
        loop_name: row.text("loop")?,
        repository: row.maybe_text("repository")?,
        model: row.text("model")?,
        role: row.text("role")?,
        at: row.time("at")?,
    })
}

fn spent(row: &Row) -> Result<Money, StoreError> {
    row.number("spent").map(Money)
}

fn spend(row: &Row) -> Result<Spend, StoreError> {
    Ok(Spend {
        calls: row.number("calls")?,
        cost: Money(row.number("cost")?),
        usage: Usage {
            input_tokens: row.number("input_tokens")?,
            output_tokens: row.number("output_tokens")?,
            cache_read_tokens: row.number("cache_read_tokens")?,
            cache_write_tokens: row.number("cache_write_tokens")?,
            reasoning_tokens: row.number("reasoning_tokens")?,
        },
        rehearsed: row.number("rehearsed")?,
        estimated: row.number("estimated")?,
    })
}
