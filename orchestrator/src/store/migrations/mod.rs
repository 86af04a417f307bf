//! The tables, brought to what this binary knows. Forward only.
//!
//! A migration is a file of `migrations/` for both engines, followed by one of the same name of `migrations/sqlite/`
//! or `migrations/postgres/` for what differs; any of the two may be absent. On Postgres, `each.sql` ends it. The files
//! are in the binary. sqlx's own `migrate!` would need its macro crates; reading an embedded folder needs none of them.

pub(super) mod file;
pub(super) mod server;

use std::{collections::BTreeMap, path::Path};

use include_dir::{Dir, include_dir};
use sqlx::{
    SqlSafeStr as _,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use super::StoreError;

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../migrations");

/// The folder of what only one engine has.
const SQLITE: &str = "sqlite";
const POSTGRES: &str = "postgres";

/// What ends each migration of Postgres. Never to be changed: it is a part of their checksums.
const EACH: &str = include_str!("each.sql");

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

/// What an engine's migrations are. `20261121000000_first.sql` is version 20261121000000; files of another form are not
/// migrations.
fn known(engine: &str) -> Vec<Migration> {
    let own = FILES.get_dir(engine);
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    for folder in [Some(&FILES), own].into_iter().flatten() {
        for file in folder.files() {
            let name = file.path().file_name().and_then(|name| name.to_str());
            if let (Some(name), Some(text)) = (name, file.contents_utf8()) {
                *texts.entry(name).or_default() += text;
            }
        }
    }
    let each = if engine == POSTGRES { EACH } else { "" };
    let mut known: Vec<Migration> = texts
        .into_iter()
        .filter_map(|(name, text)| {
            let (version, description) = name.strip_suffix(".sql")?.split_once('_')?;
            let sql = sqlx::AssertSqlSafe(text + each).into_sql_str();
            let kind = MigrationType::Simple;
            let description = description.replace('_', " ").into();
            Some(Migration::new(
                version.parse().ok()?,
                description,
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

/// Lays what is missing.
async fn lay(
    connection: &mut impl sqlx::migrate::Migrate,
    known: Vec<Migration>,
    path: &Path,
) -> Result<(), StoreError> {
    Migrator::with_migrations(known)
        .run_direct(None, connection, false)
        .await
        .map_err(|error| sort(error, path))
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
        for engine in [SQLITE, POSTGRES] {
            let mut names: Vec<_> = [Some(&FILES), FILES.get_dir(engine)]
                .into_iter()
                .flatten()
                .flat_map(|folder| folder.files())
                .filter_map(|file| file.path().file_name())
                .collect();
            names.sort();
            names.dedup();
            assert!(!names.is_empty());
            assert_eq!(known(engine).len(), names.len());
        }
    }

    /// States that were laid before there was a second engine have its checksum.
    #[test]
    fn the_first_migration_of_sqlite_is_what_it_always_was() {
        let checksum = hex::encode(&known(SQLITE)[0].checksum);
        assert_eq!(&checksum[..16], "3735e826c6f46080");
    }

    #[test]
    fn a_migration_from_the_future_is_told_from_one_that_changed() {
        let path = Path::new("loops.db");
        let known = known(SQLITE);
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
        let mut known = known(SQLITE);
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
}
