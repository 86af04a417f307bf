//! The state as a SQLite file: in WAL mode, with every commit on the disk before it counts (`synchronous = FULL`).

use std::{
    fs::{DirBuilder, OpenOptions},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Store, StoreError, migrations, open::Engine};

/// The database's name within the state folder.
pub const FILE: &str = "loops.db";

/// How long a statement waits for another process that writes.
const BUSY: Duration = Duration::from_secs(10);

/// How long a task waits for its turn to write. Far above any transaction that we make.
const TURN: Duration = Duration::from_secs(30);

/// How many reads go on at once.
const READERS: u32 = 4;

/// A reader that nobody has needed for so long ends.
const IDLE: Duration = Duration::from_secs(30);

/// What each connection keeps of the file for itself, KiB, as SQLite has it (negative: not pages). The system keeps
/// the file in memory besides, once for all of them.
const CACHE: &str = "-512";

/// Opens the state in `folder`, made if it is not there.
pub(super) async fn open(folder: &Path) -> Result<Store, StoreError> {
    make_folder(folder)?;
    let path = folder.join(FILE);
    make_file(&path)?;
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .busy_timeout(BUSY)
        .foreign_keys(false)
        .synchronous(SqliteSynchronous::Full)
        // What was erased is not left in free pages of the file.
        .pragma("secure_delete", "ON")
        .pragma("cache_size", CACHE)
        // sqlx would log whole statements; ours are named in spans.
        .disable_statement_logging();
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(TURN)
            .idle_timeout(None)
            .max_lifetime(None)
            // The connection is a thread of this process: there is no network to have failed in between.
            .test_before_acquire(false)
    };
    let writer = pool()
        .max_connections(1)
        .connect_lazy_with(options.clone().journal_mode(SqliteJournalMode::Wal));
    let readers = pool()
        .max_connections(READERS)
        // Each is a thread and a cache.
        .idle_timeout(IDLE)
        .connect_lazy_with(options.pragma("query_only", "ON"));
    let mut connection = writer
        .acquire()
        .await
        .map_err(|error| StoreError::from_sqlx(error, &path))?;
    migrations::file::apply(&mut connection, &path).await?;
    drop(connection);
    Ok(Store {
        engine: Engine::Sqlite { writer, readers },
        place: path.into(),
        epoch: Default::default(),
    })
}

/// A transaction that writes. A plain BEGIN takes the write lock only at the first write, and then fails if another
/// process wrote in between: it did for 139 of 160 transactions under 8 tasks when tried.
pub(super) async fn begin(writer: &SqlitePool) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
    match writer.begin_with("BEGIN IMMEDIATE").await {
        // A full disk or a failed read ends SQLite's transaction by itself; sqlx then takes the connection for one that
        // is still within it, for ever. A new one knows better.
        Err(sqlx::Error::InvalidSavePointStatement) => {
            let broken = writer.acquire().await?;
            // What is wrong with it is known.
            let _ = broken.close().await;
            writer.begin_with("BEGIN IMMEDIATE").await
        }
        begun => begun,
    }
}

/// Writes all of it into a new folder.
pub(super) async fn copy(writer: &SqlitePool, folder: &Path) -> Result<Result<(), sqlx::Error>, StoreError> {
    make_folder(folder)?;
    let file = folder.join(FILE).display().to_string();
    let copied = sqlx::query("VACUUM INTO $1").bind(file).execute(writer).await;
    Ok(copied.map(drop))
}

/// Makes the state folder, for this user only. One that is there keeps the rights that somebody gave it.
pub(super) fn make_folder(folder: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| StoreError::Folder {
            path: folder.to_owned(),
            source,
        })
}

/// SQLite would make the file readable for everybody; its side files take over the rights of this one.
fn make_file(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StoreError::Folder {
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::value::Connection, *};

    #[tokio::test]
    async fn a_transaction_that_sqlite_ended_by_itself_does_not_spoil_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let (Connection::Sqlite(connection), _) = tx.transacting() else {
            panic!("it is a file");
        };
        // What SQLite does when it finds the disk full.
        sqlx::query("ROLLBACK").execute(connection).await.unwrap();
        drop(tx);
        store.begin().await.unwrap().commit().await.unwrap();
    }
}
