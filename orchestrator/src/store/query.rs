//! How statements are named, run and traced. The only place that calls sqlx for tables.
//!
//! Statements are constants in a dialect that SQLite and Postgres share: `$n` parameters, TEXT and BIGINT columns,
//! times as Unix milliseconds, money as millionths of a dollar, JSON as text, flags as 0 or 1. What tells the engines
//! apart besides: a sum of BIGINT is cast back to BIGINT, and after a statement that failed, Postgres does no more
//! within the transaction (see [`Statement::run_or_conflict`]).

use std::pin::Pin;

use sqlx::SqlSafeStr as _;
use tracing::Instrument as _;

use super::{
    Store, StoreError, Tx,
    open::Snapshot,
    row::Fetched,
    value::{Connection, Wanted},
};
pub(super) use super::{row::Row, value::Query};

/// What a query will bring. Boxed, with its parameters bound already, so that what waits for it may move between
/// threads whatever it borrowed them from.
pub(super) type Coming<'c, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'c>>;

/// Where one can read: the store, a snapshot of it, or a transaction that wants to see its own writes.
pub trait Reader: Send {
    /// All rows of a query.
    #[doc(hidden)]
    fn rows(&mut self, query: Query) -> Coming<'_, Vec<Fetched>>;
    /// Its first row.
    #[doc(hidden)]
    fn row(&mut self, query: Query) -> Coming<'_, Option<Fetched>>;
}

impl Reader for &Store {
    fn rows(&mut self, query: Query) -> Coming<'_, Vec<Fetched>> {
        Box::pin(self.read(query, Wanted::All))
    }

    fn row(&mut self, query: Query) -> Coming<'_, Option<Fetched>> {
        Box::pin(async { Ok(self.read(query, Wanted::First).await?.pop()) })
    }
}

macro_rules! reads_in_its_transaction {
    ($name:ident) => {
        impl Reader for &mut $name {
            fn rows(&mut self, query: Query) -> Coming<'_, Vec<Fetched>> {
                let (connection, path) = self.transacting();
                Box::pin(async {
                    let rows = query.fetch(connection, Wanted::All).await;
                    rows.map_err(|error| StoreError::from_sqlx(error, path))
                })
            }

            fn row(&mut self, query: Query) -> Coming<'_, Option<Fetched>> {
                let (connection, path) = self.transacting();
                Box::pin(async {
                    let rows = query.fetch(connection, Wanted::First).await;
                    Ok(rows
                        .map_err(|error| StoreError::from_sqlx(error, path))?
                        .pop())
                })
            }
        }
    };
}
reads_in_its_transaction!(Snapshot);
reads_in_its_transaction!(Tx);

/// One SQL statement and what people call it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Statement {
    pub(super) table: &'static str,
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

impl Statement {
    /// Writes, and says how many rows that touched. If it fails, nothing more can be done in the transaction.
    pub(super) fn run(self, tx: &mut Tx, bind: impl FnOnce(Query) -> Query) -> Coming<'_, u64> {
        let query = bind(self.query());
        let (connection, path) = tx.transacting();
        let work = async {
            query
                .run(connection)
                .await
                .map_err(|error| StoreError::from_sqlx(error, path))
        };
        Box::pin(work.instrument(self.span()))
    }

    /// The same for a statement that a rule of its table may forbid: after a conflict the transaction can go on.
    pub(super) fn run_or_conflict(self, tx: &mut Tx, bind: impl FnOnce(Query) -> Query) -> Coming<'_, u64> {
        // SQLite takes back the one statement by itself.
        if let (Connection::Sqlite(_), _) = tx.transacting() {
            return self.run(tx, bind);
        }
        let query = bind(self.query());
        let work = async move {
            self.mark(tx, "SAVEPOINT attempted").await?;
            let (connection, path) = tx.transacting();
            let done = query
                .run(connection)
                .await
                .map_err(|error| StoreError::from_sqlx(error, path));
            match &done {
                Ok(_) => self.mark(tx, "RELEASE SAVEPOINT attempted").await?,
                Err(error) if error.is_conflict() => self.mark(tx, "ROLLBACK TO SAVEPOINT attempted").await?,
                Err(_) => 0,
            };
            done
        };
        Box::pin(work.instrument(self.span()))
    }

    /// All rows.
    pub(super) fn all<'c, T: 'c>(
        self,
        mut from: impl Reader + 'c,
        bind: impl FnOnce(Query) -> Query,
        read: fn(&Row) -> Result<T, StoreError>,
    ) -> Coming<'c, Vec<T>> {
        let query = bind(self.query());
        let work = async move {
            let rows = from.rows(query).await?;
            rows.into_iter()
                .map(|row| read(&Row::new(row, self.table)))
                .collect()
        };
        Box::pin(work.instrument(self.span()))
    }

    /// The first row, if there is one.
    pub(super) fn first<'c, T: 'c>(
        self,
        mut from: impl Reader + 'c,
        bind: impl FnOnce(Query) -> Query,
        read: fn(&Row) -> Result<T, StoreError>,
    ) -> Coming<'c, Option<T>> {
        let query = bind(self.query());
        let work = async move {
            let row = from.row(query).await?;
            row.map(|row| read(&Row::new(row, self.table))).transpose()
        };
        Box::pin(work.instrument(self.span()))
    }

    fn mark<'t>(self, tx: &'t mut Tx, sql: &'static str) -> Coming<'t, u64> {
        Statement { sql, ..self }.run(tx, |q| q)
    }

    fn query(self) -> Query {
        Query::new(self.sql.into_sql_str())
    }

    fn span(self) -> tracing::Span {
        tracing::debug_span!("query", table = self.table, statement = self.name)
    }
}

/// Declares the statements of one table, and for the tests a list of them all.
macro_rules! statements {
    ($table:literal: $($(#[$doc:meta])* $name:ident = $sql:expr;)+) => {
        $($(#[$doc])* const $name: $crate::store::query::Statement =
            $crate::store::query::Statement { table: $table, name: stringify!($name), sql: $sql };)+
        #[cfg(test)]
        pub(super) const ALL: &[$crate::store::query::Statement] = &[$($name),+];
    };
}
pub(super) use statements;
