//! How statements are named, run, traced and read back. The only place that calls sqlx for tables.
//!
//! Statements are constants in a dialect that SQLite and Postgres share: `$n` parameters, TEXT and BIGINT columns,
//! times as Unix milliseconds, money as millionths of a dollar, JSON as text, flags as 0 or 1.

use std::{fmt::Display, pin::Pin, str::FromStr};

use ::loops::time::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::{
    Row as _, Sqlite,
    sqlite::{SqliteArguments, SqliteRow},
};
use tracing::Instrument as _;

use super::{
    Store, StoreError, Tx,
    open::{Snapshot, Transacting},
};

/// A query that takes its parameters.
pub(super) type Query = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

/// What a query will bring. Boxed, with its parameters bound already, so that what waits for it may move between
/// threads whatever it borrowed them from.
pub(super) type Coming<'c, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'c>>;

/// Where one can read: the store, a snapshot of it, or a transaction that wants to see its own writes.
pub trait Reader: Send {
    /// All rows of a query.
    #[doc(hidden)]
    fn rows(&mut self, query: Query) -> Coming<'_, Vec<SqliteRow>>;
    /// Its first row.
    #[doc(hidden)]
    fn row(&mut self, query: Query) -> Coming<'_, Option<SqliteRow>>;
}

impl Reader for &Store {
    fn rows(&mut self, query: Query) -> Coming<'_, Vec<SqliteRow>> {
        Box::pin(async {
            query
                .fetch_all(&self.readers)
                .await
                .map_err(|error| self.sort(error))
        })
    }

    fn row(&mut self, query: Query) -> Coming<'_, Option<SqliteRow>> {
        Box::pin(async {
            query
                .fetch_optional(&self.readers)
                .await
                .map_err(|error| self.sort(error))
        })
    }
}

macro_rules! reads_in_its_transaction {
    ($name:ident) => {
        impl Reader for &mut $name {
            fn rows(&mut self, query: Query) -> Coming<'_, Vec<SqliteRow>> {
                let Transacting { connection, path } = self.transacting();
                Box::pin(async {
                    query
                        .fetch_all(connection)
                        .await
                        .map_err(|error| StoreError::from_sqlx(error, path))
                })
            }

            fn row(&mut self, query: Query) -> Coming<'_, Option<SqliteRow>> {
                let Transacting { connection, path } = self.transacting();
                Box::pin(async {
                    query
                        .fetch_optional(connection)
                        .await
                        .map_err(|error| StoreError::from_sqlx(error, path))
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
    /// Writes, and says how many rows that touched.
    pub(super) fn run(self, tx: &mut Tx, bind: impl FnOnce(Query) -> Query) -> Coming<'_, u64> {
        let query = bind(sqlx::query(self.sql));
        let Transacting { connection, path } = tx.transacting();
        let work = async {
            let done = query.execute(connection).await;
            Ok(done
                .map_err(|error| StoreError::from_sqlx(error, path))?
                .rows_affected())
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
        let query = bind(sqlx::query(self.sql));
        let work = async move {
            let rows = from.rows(query).await?;
            rows.into_iter()
                .map(|row| {
                    read(&Row {
                        row,
                        table: self.table,
                    })
                })
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
        let query = bind(sqlx::query(self.sql));
        let work = async move {
            let row = from.row(query).await?;
            row.map(|row| {
                read(&Row {
                    row,
                    table: self.table,
                })
            })
            .transpose()
        };
        Box::pin(work.instrument(self.span()))
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

/// A stored row. Each reading method names the column, and says so if its value makes no sense.
pub(super) struct Row {
    row: SqliteRow,
    table: &'static str,
}

impl Row {
    fn get<T>(&self, column: &'static str) -> Result<T, StoreError>
    where
        T: for<'r> sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
    {
        self.row.try_get(column).map_err(|error| self.bad(column, error))
    }

    pub(super) fn bad(&self, column: &'static str, why: impl Display) -> StoreError {
        StoreError::Undecodable {
            table: self.table,
            column,
            why: why.to_string(),
        }
    }

    pub(super) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.get(column)
    }

    pub(super) fn maybe_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    /// Any whole number; the error says if it does not fit.
    pub(super) fn number<T: TryFrom<i64, Error: Display>>(
        &self,
        column: &'static str,
    ) -> Result<T, StoreError> {
        T::try_from(self.get::<i64>(column)?).map_err(|error| self.bad(column, error))
    }

    pub(super) fn float(&self, column: &'static str) -> Result<f64, StoreError> {
        self.get(column)
    }

    pub(super) fn flag(&self, column: &'static str) -> Result<bool, StoreError> {
        Ok(self.get::<i64>(column)? != 0)
    }

    pub(super) fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        self.get(column).map(Timestamp)
    }

    pub(super) fn maybe_time(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.get::<Option<i64>>(column)?.map(Timestamp))
    }

    /// Text that a type knows how to read: an id.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, column: &'static str) -> Result<T, StoreError> {
        self.text(column)?
            .parse()
            .map_err(|error| self.bad(column, error))
    }

    pub(super) fn maybe_parsed<T: FromStr<Err: Display>>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        self.maybe_text(column)?
            .map(|text| text.parse())
            .transpose()
            .map_err(|error| self.bad(column, error))
    }

    /// A word of a closed list.
    pub(super) fn word<T>(&self, column: &'static str, read: fn(&str) -> Option<T>) -> Result<T, StoreError> {
        let text = self.text(column)?;
        read(&text).ok_or_else(|| self.bad(column, format!("`{text}` is not one of its words")))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|error| self.bad(column, error))
    }
}
