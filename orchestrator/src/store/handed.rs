//! Table `handed`: the findings that a run's lead agent was handed, under the names F1, F2 …

use ::loops::id::{FindingId, RunId};

use super::{Reader, StoreError, Tx, query::statements};

statements! { "handed":
    PUT = "INSERT INTO handed (run, number, finding) VALUES ($1, $2, $3) ON CONFLICT (run, number) DO NOTHING";
    OF_RUN = "SELECT finding FROM handed WHERE run = $1 ORDER BY number";
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

/// What a run's lead agent was handed; the first is F1.
pub async fn of_run(from: impl Reader, run: RunId) -> Result<Vec<FindingId>, StoreError> {
    OF_RUN
        .all(from, |q| q.bind(run.to_string()), |row| row.parsed("finding"))
        .await
}
