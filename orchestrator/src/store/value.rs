//! Statements with their parameters, and the two engines that they run on.
//!
//! Parameters are texts, whole numbers and fractions, which both engines know. Postgres cannot hold the character NUL
//! in a text, so a text that has one is kept with U+FFFD in its place on both: see [`keepable`].

use std::borrow::Cow;

use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use sqlx::{
    PgConnection, Postgres, SqlStr, Sqlite, SqliteConnection, postgres::PgArguments, sqlite::SqliteArguments,
};

use super::row::Fetched;

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(Option<String>),
    Number(Option<i64>),
    Float(Option<f64>),
}

/// The text as it is kept: without NUL.
pub(super) fn keepable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

macro_rules! values {
    ($($from:ty => |$value:ident| $into:expr;)+) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $into
            }
        })+
    };
}
values! {
    &str => |text| Self::Text(Some(keepable(text).into_owned()));
    &&str => |text| (*text).into();
    &String => |text| text.as_str().into();
    Option<&str> => |text| Self::Text(text.map(|text| keepable(text).into_owned()));
    &Option<String> => |text| text.as_deref().into();
    i64 => |number| Self::Number(Some(number));
    Option<i64> => |number| Self::Number(number);
    f64 => |number| Self::Float(Some(number));
    Option<f64> => |number| Self::Float(number);
}

// Texts that we own already are not copied once more.
impl From<String> for Value {
    fn from(text: String) -> Self {
        Some(text).into()
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text.map(|text| match keepable(&text) {
            Cow::Owned(other) => other,
            Cow::Borrowed(_) => text,
        }))
    }
}

/// A connection of either engine, lent for one statement.
#[derive(Debug)]
pub(super) enum Connection<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

/// How much of a query's answer is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    All,
    First,
}

/// A statement that takes its parameters, in the order of their numbers.
#[derive(Debug, Clone)]
pub struct Query {
    sql: SqlStr,
    values: Vec<Value>,
    once: bool,
}

impl Query {
    pub(super) fn new(sql: SqlStr) -> Self {
        Self {
            sql,
            values: Vec::new(),
            once: false,
        }
    }

    /// A statement that is not worth remembering.
    pub(super) fn once(sql: SqlStr) -> Self {
        Self {
            once: true,
            ..Self::new(sql)
        }
    }

    /// Gives the next parameter.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// All rows, or the first.
    pub(super) async fn fetch(
        self,
        connection: Connection<'_>,
        wanted: Wanted,
    ) -> Result<Vec<Fetched>, sqlx::Error> {
        Ok(match (connection, wanted) {
            (Connection::Sqlite(connection), Wanted::All) => {
                let rows = self.sqlite().fetch_all(connection).await?;
                rows.into_iter().map(Fetched::Sqlite).collect()
            }
            (Connection::Sqlite(connection), Wanted::First) => {
                let row = self.sqlite().fetch_optional(connection).await?;
                row.into_iter().map(Fetched::Sqlite).collect()
            }
            (Connection::Postgres(connection), Wanted::All) => {
                let rows = self.postgres().fetch_all(connection).await?;
                rows.into_iter().map(Fetched::Postgres).collect()
            }
            (Connection::Postgres(connection), Wanted::First) => {
                let row = self.postgres().fetch_optional(connection).await?;
                row.into_iter().map(Fetched::Postgres).collect()
            }
        })
    }

    /// Row after row.
    pub(super) fn stream(self, connection: Connection<'_>) -> BoxStream<'_, Result<Fetched, sqlx::Error>> {
        match connection {
            Connection::Sqlite(connection) => self.sqlite().fetch(connection).map_ok(Fetched::Sqlite).boxed(),
            Connection::Postgres(connection) => self
                .postgres()
                .fetch(connection)
                .map_ok(Fetched::Postgres)
                .boxed(),
        }
    }

    /// Writes; how many rows that touched.
    pub(super) async fn run(self, connection: Connection<'_>) -> Result<u64, sqlx::Error> {
        Ok(match connection {
            Connection::Sqlite(connection) => self.sqlite().execute(connection).await?.rows_affected(),
            Connection::Postgres(connection) => self.postgres().execute(connection).await?.rows_affected(),
        })
    }

    fn sqlite(self) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
        let query = sqlx::query(self.sql).persistent(!self.once);
        self.values.into_iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
            Value::Float(number) => query.bind(number),
        })
    }

    fn postgres(self) -> sqlx::query::Query<'static, Postgres, PgArguments> {
        let query = sqlx::query(self.sql).persistent(!self.once);
        self.values.into_iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
            Value::Float(number) => query.bind(number),
        })
    }
}
