//! Opening the state and beginning to write, on either engine.
//!
//! A state is a SQLite file ([`super::file`]) or a schema of a Postgres ([`super::server`]). On both there is one
//! writer at a time, whatever the number of tasks and processes: whoever reads before it writes, reads what is true
//! when it commits, and the places of the ledger are given in the order of the commits.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};
use tracing::Instrument as _;

use super::{
    StoreError, file, leader,
    ledger::{self, Unwritten},
    r#move,
    row::Fetched,
    server,
    value::{Connection, Query, Wanted},
};

/// The state of a service. Cheap to clone; all clones share the connections.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) engine: Engine,
    /// The file or, without its password, the server's address: what errors name.
    pub(super) place: Arc<Path>,
    /// As which leader it writes.
    pub(super) epoch: leader::Epoch,
}

/// Where the tables are.
#[derive(Debug, Clone)]
pub(super) enum Engine {
    /// One connection writes, a few read; each is made when it is first asked for.
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    /// The same; the server sees to it that one writes.
    Postgres { writers: PgPool, readers: PgPool },
}

impl Store {
    /// Opens the SQLite state in `folder`, which is made (for this user only) if it is not there, and brings its
    /// tables up to date. Does not take the [`super::StateLock`].
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        file::open(folder).await
    }

    /// Opens the state in the Postgres at `address` (`postgres://user:password@host/database`; the schema is the
    /// first of its search path) and brings its tables up to date. Does not take the [`super::StateLock`].
    pub async fn connect(address: &str) -> Result<Self, StoreError> {
        server::connect(address).await
    }

    /// Begins to write. Waits for its turn: there is one writer, so a task that holds a [`Tx`] must end it before it
    /// asks for another, and must not wait for anything else while it holds it. A `Tx` that is dropped without
    /// [`Tx::commit`] leaves nothing behind.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let mut tx = self.begin_unfenced().await?;
        leader::check(&mut tx, self.epoch.load(Ordering::SeqCst)).await?;
        Ok(tx)
    }

    /// The same, whether or not another leads by now.
    pub(super) async fn begin_unfenced(&self) -> Result<Tx, StoreError> {
        let inner = match &self.engine {
            Engine::Sqlite { writer, .. } => {
                Inner::Sqlite(file::begin(writer).await.map_err(|error| self.sort(error))?)
            }
            Engine::Postgres { writers, .. } => {
                let begun = server::patiently(|| server::begin(writers)).await;
                Inner::Postgres(begun.map_err(|error| self.sort(error))?)
            }
        };
        Ok(Tx::new(inner, &self.place))
    }

    /// Begins to write where no two decisions meet: rows that each have one owner, and nothing of the ledger. On Postgres
    /// it does not wait for the one writer; on a file there is no difference. Whoever writes so guards each statement.
    pub async fn begin_beside(&self) -> Result<Tx, StoreError> {
        let Engine::Postgres { readers, .. } = &self.engine else {
            return self.begin_unfenced().await;
        };
        let begun = server::patiently(|| server::begin_beside(readers)).await;
        let inner = Inner::Postgres(begun.map_err(|error| self.sort(error))?);
        Ok(Tx::new(inner, &self.place))
    }

    /// Begins to read: all that is read through it is of one moment, whatever is written meanwhile.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let inner = match &self.engine {
            Engine::Sqlite { readers, .. } => {
                Inner::Sqlite(readers.begin().await.map_err(|error| self.sort(error))?)
            }
            Engine::Postgres { readers, .. } => {
                let begun = server::patiently(|| server::snapshot(readers)).await;
                Inner::Postgres(begun.map_err(|error| self.sort(error))?)
            }
        };
        Ok(Snapshot {
            inner,
            place: Arc::clone(&self.place),
        })
    }

    /// Writes all of it, as it is at this moment, into a new state folder: a SQLite file, whatever this is.
    pub async fn copy_to(&self, folder: &Path) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Sqlite { writer, .. } => {
                let copied = file::copy(writer, folder).await?;
                copied.map_err(|error| self.sort(error))
            }
            Engine::Postgres { .. } => {
                let copy = Self::open(folder).await?;
                r#move::copy(self, &copy).await?;
                copy.close().await;
                Ok(())
            }
        }
    }

    /// Closes all connections; on SQLite that folds the write-ahead log into the file. Not needed for safety.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Engine::Postgres { writers, readers } => {
                readers.close().await;
                writers.close().await;
            }
        }
    }

    /// Where it is, for people: the file, or the server's address without its password.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Reads once, by itself: all rows, or the first.
    pub(super) async fn read(&self, query: Query, wanted: Wanted) -> Result<Vec<Fetched>, StoreError> {
        match &self.engine {
            Engine::Sqlite { readers, .. } => {
                let mut connection = readers.acquire().await.map_err(|error| self.sort(error))?;
                let read = query.fetch(Connection::Sqlite(&mut connection), wanted).await;
                read.map_err(|error| self.sort(error))
            }
            Engine::Postgres { readers, .. } => {
                let read = server::patiently(|| async {
                    let mut connection = readers.acquire().await?;
                    let query = query.clone();
                    query.fetch(Connection::Postgres(&mut connection), wanted).await
                });
                read.await.map_err(|error| self.sort(error))
            }
        }
    }

    pub(super) fn sort(&self, error: sqlx::Error) -> StoreError {
        match error {
            // Of a file it means that somebody writes for too long.
            sqlx::Error::PoolTimedOut if !self.is_file() => StoreError::Away {
                path: self.place.to_path_buf(),
                why: "no connection could be had for half a minute".to_owned(),
            },
            error => StoreError::from_sqlx(error, &self.place),
        }
    }
}

/// A transaction of either engine.
#[derive(Debug)]
enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Inner {
    fn connection(&mut self) -> Connection<'_> {
        match self {
            Self::Sqlite(transaction) => Connection::Sqlite(transaction),
            Self::Postgres(transaction) => Connection::Postgres(transaction),
        }
    }
}

/// A transaction that only reads.
#[derive(Debug)]
pub struct Snapshot {
    inner: Inner,
    place: Arc<Path>,
}

/// A transaction that writes. All of it happens at [`Tx::commit`], or none of it.
#[derive(Debug)]
pub struct Tx {
    inner: Inner,
    place: Arc<Path>,
    /// What was recorded and is not in the ledger yet.
    pub(super) unwritten: Vec<Unwritten>,
}

impl Snapshot {
    /// What a statement needs: the connection, and the place that its error names.
    pub(super) fn transacting(&mut self) -> (Connection<'_>, &Path) {
        (self.inner.connection(), &self.place)
    }
}

impl Tx {
    fn new(inner: Inner, place: &Arc<Path>) -> Self {
        Self {
            inner,
            place: Arc::clone(place),
            unwritten: Vec::new(),
        }
    }

    /// What a statement needs: the connection, and the place that its error names.
    pub(super) fn transacting(&mut self) -> (Connection<'_>, &Path) {
        (self.inner.connection(), &self.place)
    }

    /// Whether it is one on a SQLite file.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.inner, Inner::Sqlite(_))
    }

    /// Where it writes, for people.
    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// Makes it so. When this returns, it survives a crash of the machine that holds the database.
    ///
    /// If a server goes away at this very moment, the error does not say whether it was done; whoever goes on looks.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        if !self.unwritten.is_empty() {
            ledger::write(&mut self).await?;
        }
        let Self { inner, place, .. } = self;
        let committing = async {
            match inner {
                Inner::Sqlite(transaction) => transaction.commit().await,
                Inner::Postgres(transaction) => transaction.commit().await,
            }
        };
        let span = tracing::debug_span!("query", table = "transaction", statement = "COMMIT");
        committing
            .instrument(span)
            .await
            .map_err(|error| StoreError::from_sqlx(error, &place))
    }
}
