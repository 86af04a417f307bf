//! The tables of a SQLite file, whose folder several processes may open at once.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};
use sqlx::{Row as _, SqliteConnection};

use super::{Applied, SQLITE, Standing, judge, known, lay};
use crate::store::{StoreError, lock};

/// Brings the database at `path` (which `connection` has open) up to date. Where nothing is to be done, which is
/// nearly always, this is two small reads.
pub(in crate::store) async fn apply(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<(), StoreError> {
    let known = known(SQLITE);
    if judge(&applied(connection, path).await?, &known, path)? == Standing::Current {
        return Ok(());
    }
    // Two processes may find the same fresh folder; one lays the tables, the other waits and then finds them.
    let _guard = guard(path).await?;
    let standing = judge(&applied(connection, path).await?, &known, path)?;
    if standing == Standing::Behind {
        nobody_else_works(path)?;
    }
    if standing != Standing::Current {
        lay(connection, known, path).await?;
    }
    Ok(())
}

async fn applied(connection: &mut SqliteConnection, path: &Path) -> Result<Vec<Applied>, StoreError> {
    let failed = |error| StoreError::from_sqlx(error, path);
    let tables: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table'")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if tables == 0 {
        return Ok(Vec::new());
    }
    let rows = sqlx::query("SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version")
        .fetch_all(connection)
        .await
        .map_err(|error| match StoreError::from_sqlx(error, path) {
            // There are tables, but not the one in which sqlx keeps account.
            StoreError::Database { path, .. } => StoreError::NotOurs { path },
            other => other,
        })?;
    rows.into_iter()
        .map(|row| {
            Ok(Applied {
                version: row.try_get(0)?,
                checksum: row.try_get(1)?,
            })
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(failed)
}

/// Held while tables are laid. On the folder itself, so that no file is left behind.
async fn guard(path: &Path) -> Result<Flock<File>, StoreError> {
    let folder: PathBuf = path.parent().unwrap_or(Path::new(".")).to_owned();
    let failed = |source| StoreError::Folder {
        path: folder.clone(),
        source,
    };
    let file = File::open(&folder).map_err(failed)?;
    // Waits, so not on a thread that others (whoever has the lock, perhaps) want to go on with.
    let waited = tokio::task::spawn_blocking(|| Flock::lock(file, FlockArg::LockExclusive)).await;
    waited
        .map_err(|error| failed(error.into()))?
        .map_err(|(_, errno)| failed(errno.into()))
}

/// A reader from a newer build must not change the tables under an older service that runs.
fn nobody_else_works(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    match lock::holder(folder)? {
        Some(pid) if pid != Some(std::process::id()) => Err(StoreError::Held {
            folder: folder.to_owned(),
            pid,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_not_changed_under_another_process_that_works() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loops.db");
        let _lock = lock::StateLock::take(folder.path()).unwrap();
        nobody_else_works(&path).unwrap();
        std::fs::write(folder.path().join("lock"), "1").unwrap();
        assert!(matches!(
            nobody_else_works(&path),
            Err(StoreError::Held { pid: Some(1), .. })
        ));
    }
}
