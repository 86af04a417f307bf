//! How stored rows are read back, whichever engine they come from. What makes no sense is named by table and column.

use std::{fmt::Display, str::FromStr};

use ::loops::time::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::{Postgres, Row as _, Sqlite, postgres::PgRow, sqlite::SqliteRow};

use super::StoreError;

/// A row as an engine gave it.
#[derive(Debug)]
pub enum Fetched {
    /// By SQLite.
    Sqlite(SqliteRow),
    /// By Postgres.
    Postgres(PgRow),
}

/// A stored row. Each reading method names the column, and says so if its value makes no sense.
pub(super) struct Row {
    row: Fetched,
    table: &'static str,
}

impl Row {
    pub(super) fn new(row: Fetched, table: &'static str) -> Self {
        Self { row, table }
    }

    fn get<T>(&self, column: &'static str) -> Result<T, StoreError>
    where
        T: for<'r> sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
        T: for<'r> sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
    {
        match &self.row {
            Fetched::Sqlite(row) => row.try_get(column),
            Fetched::Postgres(row) => row.try_get(column),
        }
        .map_err(|error| self.bad(column, error))
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
