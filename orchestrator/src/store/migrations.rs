//! The tables, brought to what this binary knows. Forward only.
//!
//! The files are in the binary. sqlx's own `migrate!` would need its macro crates; reading an embedded folder
//! needs none of them.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use include_dir::{Dir, include_dir};
use nix::fcntl::{Flock, FlockArg};
use sqlx::{
    Row as _, SqlSafeStr as _, SqliteConnection,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use super::{StoreError, lock};

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../migrations");

/// Brings the database at `path` (which `connection` has open) up to date. Where nothing is to be done, which is
/// nearly always, this is two small reads.
pub(super) async fn apply(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let known = known();
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
        let migrator = Migrator::with_migrations(known);
        migrator
            .run_direct(None, connection, false)
            .await
            .map_err(|error| sort(error, path))?;
    }
    Ok(())
}

/// How the tables stand to what this binary knows.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// There are none yet.
    Fresh,
    /// An older loops laid them.
    Behind,
    /// They are what this binary knows.
    Current,
}

/// One migration as the database remembers it.
struct Applied {
    version: i64,
    checksum: Vec<u8>,
}

/// `20261121000000_first.sql` is version 20261121000000; files of another form are not migrations.
fn known() -> Vec<Migration> {
    let mut known: Vec<Migration> = FILES
        .files()
        .filter_map(|file| {
            let (version, description) = file.path().to_str()?.strip_suffix(".sql")?.split_once('_')?;
            let sql = file.contents_utf8()?.into_sql_str();
            let kind = MigrationType::Simple;
            Some(Migration::new(
                version.parse().ok()?,
                description.replace('_', " ").into(),
                kind,
                sql,
                false,
            ))
        })
        .collect();
    known.sort();
    known
}

fn judge(applied: &[Applied], known: &[Migration], path: &Path) -> Result<Standing, StoreError> {
    let path = || path.to_owned();
    for row in applied {
        match known.iter().find(|migration| migration.version == row.version) {
            None => {
                return Err(StoreError::Newer {
                    path: path(),
                    version: row.version,
                });
            }
            Some(migration) if *migration.checksum != row.checksum => {
                return Err(StoreError::Altered {
                    path: path(),
                    version: row.version,
                });
            }
            Some(_) => {}
        }
    }
    Ok(match applied.len() {
        0 => Standing::Fresh,
        some if some < known.len() => Standing::Behind,
        _ => Standing::Current,
    })
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

fn sort(error: MigrateError, path: &Path) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            StoreError::from_sqlx(error, path)
        }
        other => StoreError::Database {
            path: path.to_owned(),
            source: other.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_in_the_folder_is_a_migration() {
        assert_eq!(known().len(), FILES.files().count());
        assert!(!known().is_empty());
    }

    #[test]
    fn a_migration_from_the_future_is_told_from_one_that_changed() {
        let path = Path::new("loops.db");
        let known = known();
        let same = |index: usize| Applied {
            version: known[index].version,
            checksum: known[index].checksum.to_vec(),
        };
        assert_eq!(judge(&[], &known, path).unwrap(), Standing::Fresh);
        let all: Vec<_> = (0..known.len()).map(same).collect();
        assert_eq!(judge(&all, &known, path).unwrap(), Standing::Current);
        let future = Applied {
            version: 99_999_999_999_999,
            checksum: vec![],
        };
        assert!(matches!(
            judge(&[future], &known, path),
            Err(StoreError::Newer { .. })
        ));
        let other = Applied {
            checksum: vec![1],
            ..same(0)
        };
        assert!(matches!(
            judge(&[other], &known, path),
            Err(StoreError::Altered { .. })
        ));
    }

    #[test]
    fn tables_of_an_older_loops_are_behind() {
        let mut known = known();
        let first = Applied {
            version: known[0].version,
            checksum: known[0].checksum.to_vec(),
        };
        let kind = MigrationType::Simple;
        known.push(Migration::new(
            i64::MAX,
            "next".into(),
            kind,
            "SELECT 1".into_sql_str(),
            false,
        ));
        assert_eq!(
            judge(&[first], &known, Path::new("loops.db")).unwrap(),
            Standing::Behind
        );
    }

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
