//! Table `baselines`: what the checks say on a base commit without any change, once for each commit.

use ::loops::time::Timestamp;
use workers::order::Baseline;

use super::{Reader, StoreError, Tx, query::statements};

statements! { "baselines":
    PUT = "INSERT INTO baselines (repository, base, checks, baseline, at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (repository, base, checks) DO UPDATE SET baseline = excluded.baseline, at = excluded.at";
    FORGET_OLD = "DELETE FROM baselines WHERE at < $1";
    GET = "SELECT baseline FROM baselines WHERE repository = $1 AND base = $2 AND checks = $3";
}

/// Keeps what the checks said on `base`. `checks` is a digest of everything that their answer depends on besides the
/// commit: commands, limits, setup.
pub async fn put(
    tx: &mut Tx,
    repository: &str,
    base: &str,
    checks: &str,
    baseline: &[Baseline],
    at: Timestamp,
) -> Result<(), StoreError> {
    let baseline = serde_json::to_string(baseline)?;
    PUT.run(tx, |q| {
        q.bind(repository)
            .bind(base)
            .bind(checks)
            .bind(baseline)
            .bind(at.0)
    })
    .await
    .map(drop)
}

/// Takes away what was said before a time; how many.
pub async fn forget_old(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    FORGET_OLD.run(tx, |q| q.bind(before.0)).await
}

/// What the checks said on `base`, if they ran there.
pub async fn get(
    from: impl Reader,
    repository: &str,
    base: &str,
    checks: &str,
) -> Result<Option<Vec<Baseline>>, StoreError> {
    GET.first(
        from,
        |q| q.bind(repository).bind(base).bind(checks),
        |row| row.json("baseline"),
    )
    .await
}
