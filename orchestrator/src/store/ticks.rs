//! Table `ticks`: one row for each occurrence of a loop's schedule, and what became of it.

use ::loops::{id::RunId, time::Timestamp};

use super::{
    Reader, StoreError, Tx,
    query::{Row, statements},
    words::words,
};

words! {
    /// What became of a tick.
    Receipt {
        /// Its run goes on.
        Running = "running",
        /// Its run ended.
        Ran = "ran",
        /// It started nothing, on purpose.
        Skipped = "skipped",
        /// It was to start a run and could not, or its run failed.
        Failed = "failed",
    }
}

/// One occurrence of a loop's schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// The loop's name.
    pub loop_name: String,
    /// When it was due.
    pub due_at: Timestamp,
    /// What became of it.
    pub receipt: Receipt,
    /// Why, for a skipped or failed one.
    pub why: Option<String>,
    /// The run that it started.
    pub run: Option<RunId>,
}

macro_rules! columns {
    () => {
        "loop, due_at, receipt, why, run"
    };
}

statements! { "ticks":
    CLAIM = "INSERT INTO ticks (loop, due_at, receipt, why, run) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    BEGIN = "INSERT INTO ticks (loop, due_at, receipt, run) VALUES ($1, $2, 'running', $3)
        ON CONFLICT (loop, due_at) DO UPDATE SET run = excluded.run WHERE ticks.receipt = 'running' AND ticks.run IS NULL";
    FAIL = "INSERT INTO ticks (loop, due_at, receipt, why) VALUES ($1, $2, 'failed', $3)
        ON CONFLICT (loop, due_at) DO UPDATE SET receipt = 'failed', why = excluded.why
        WHERE ticks.receipt = 'running' AND ticks.run IS NULL";
    UNBEGUN = concat!("SELECT ", columns!(), " FROM ticks WHERE receipt = 'running' AND run IS NULL ORDER BY loop, due_at");
    RECEIPT = "UPDATE ticks SET receipt = $3, why = $4, run = COALESCE($5, run) WHERE loop = $1 AND due_at = $2";
    END_OF_RUN = "UPDATE ticks SET receipt = $2, why = $3 WHERE run = $1 AND receipt = 'running'";
    GET = concat!("SELECT ", columns!(), " FROM ticks WHERE loop = $1 AND due_at = $2");
    LIST = concat!("SELECT ", columns!(), " FROM ticks WHERE loop = $1 ORDER BY due_at DESC LIMIT $2");
}

/// Takes a tick: whoever gets `true` is the only one, ever, to do so for this loop and due time.
pub async fn claim(tx: &mut Tx, tick: &Tick) -> Result<bool, StoreError> {
    let bind = |q: super::query::Query| {
        q.bind(&tick.loop_name)
            .bind(tick.due_at.0)
            .bind(tick.receipt.as_str())
            .bind(&tick.why)
            .bind(tick.run.map(|run| run.to_string()))
    };
    Ok(CLAIM.run(tx, bind).await? > 0)
}

/// Gives a tick to its run, whether or not it was taken before; false: it has another, or is over.
pub async fn begin(tx: &mut Tx, loop_name: &str, due_at: Timestamp, run: RunId) -> Result<bool, StoreError> {
    let run = run.to_string();
    Ok(BEGIN
        .run(tx, |q| q.bind(loop_name).bind(due_at.0).bind(run))
        .await?
        > 0)
}

/// A tick could not start its run; false: it has one, or is over.
pub async fn fail(tx: &mut Tx, loop_name: &str, due_at: Timestamp, why: &str) -> Result<bool, StoreError> {
    Ok(FAIL
        .run(tx, |q| q.bind(loop_name).bind(due_at.0).bind(why))
        .await?
        > 0)
}

/// Ticks that were taken and whose run was never written down: whoever took them died in between, or is about to.
pub async fn unbegun(from: impl Reader) -> Result<Vec<Tick>, StoreError> {
    UNBEGUN.all(from, |q| q, read).await
}

/// Says what became of a tick; without a run, the one that it has stays.
pub async fn receipt(tx: &mut Tx, tick: &Tick) -> Result<bool, StoreError> {
    let bind = |q: super::query::Query| {
        q.bind(&tick.loop_name)
            .bind(tick.due_at.0)
            .bind(tick.receipt.as_str())
            .bind(&tick.why)
            .bind(tick.run.map(|run| run.to_string()))
    };
    Ok(RECEIPT.run(tx, bind).await? > 0)
}

/// Says what became of the running ticks of a run; how many there were.
pub async fn end_of_run(
    tx: &mut Tx,
    run: RunId,
    receipt: Receipt,
    why: Option<&str>,
) -> Result<u64, StoreError> {
    END_OF_RUN
        .run(tx, |q| q.bind(run.to_string()).bind(receipt.as_str()).bind(why))
        .await
}

/// The tick of a loop at that time.
pub async fn get(from: impl Reader, loop_name: &str, due_at: Timestamp) -> Result<Option<Tick>, StoreError> {
    GET.first(from, |q| q.bind(loop_name).bind(due_at.0), read).await
}

/// A loop's ticks, latest due first, at most `limit`.
pub async fn list(from: impl Reader, loop_name: &str, limit: u32) -> Result<Vec<Tick>, StoreError> {
    LIST.all(from, |q| q.bind(loop_name).bind(i64::from(limit)), read)
        .await
}

fn read(row: &Row) -> Result<Tick, StoreError> {
    Ok(Tick {
        loop_name: row.text("loop")?,
        due_at: row.time("due_at")?,
        receipt: row.word("receipt", Receipt::parse)?,
        why: row.maybe_text("why")?,
        run: row.maybe_parsed("run")?,
    })
}
