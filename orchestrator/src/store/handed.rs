//! Table `handed`: the findings that a run's lead agent was handed, under the names F1, F2 …

use ::loops::id::{FindingId, RunId};

use super::{Reader, StoreError, Tx, query::statements};

statements! { "handed":
    PUT = "INSERT INTO handed (run, number, finding) VALUES ($1, $2, $3) ON CONFLICT (run, number) DO NOTHING";
    OF_RUN = "SELECT finding FROM handed WHERE run = $1 ORDER BY number";
    RUNS_OF = "SELECT runs.id AS run, runs.ended_at AS ended_at FROM handed JOIN runs ON runs.id = handed.run
        WHERE handed.finding = $1 ORDER BY runs.started_at, runs.id";
}

/// Hands a finding to a run's lead agent as F`number`.
pub async fn put(tx: &mut Tx, run: RunId, number: u32, finding: FindingId) -> Result<(), StoreError> {
    PUT.run(tx, |q| {
        q.bind(run.to_string())
            .bind(i64::from(number))
            .bind(finding.to_string())
    })
    .await
    .map(drop)
}

/// The runs that were handed a finding, oldest first, and whether each has ended.
pub async fn runs_of(from: impl Reader, finding: FindingId) -> Result<Vec<(RunId, bool)>, StoreError> {
    let read = |row: &super::query::Row| Ok((row.parsed("run")?, row.maybe_time("ended_at")?.is_some()));
    RUNS_OF.all(from, |q| q.bind(finding.to_string()), read).await
}

/// What a run's lead agent was handed; the first is F1.
pub async fn of_run(from: impl Reader, run: RunId) -> Result<Vec<FindingId>, StoreError> {
    OF_RUN
        .all(from, |q| q.bind(run.to_string()), |row| row.parsed("finding"))
        .await
}
