//! One statement over many rows: they go along as one parameter, a list in JSON, and stand in the statement as a table
//! `r` with the columns that were declared and their places `n`, from 1.
//!
//! The engines unfold such a list by different words, so each statement has two forms, made of one text. A batch of one
//! is the same statement.

use serde::Serialize;
use serde_json::Value;

use super::{
    StoreError, Tx,
    query::{Query, Row, Statement},
    value::keepable,
};

/// How many rows go at once: enough that the way there counts for nothing, few enough that none is held up for long.
const MOST: usize = 1_000;

/// A statement over rows that come as its first parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch {
    pub(super) file: Statement,
    pub(super) server: Statement,
}

impl Batch {
    /// Writes, and says how many rows that touched; `bind` gives what comes after the rows.
    pub(super) async fn run<T: Serialize>(
        self,
        tx: &mut Tx,
        rows: &[T],
        bind: impl Fn(Query) -> Query + Copy,
    ) -> Result<u64, StoreError> {
        let statement = self.of(tx);
        let mut touched = 0;
        for some in rows.chunks(MOST) {
            let list = list(some)?;
            touched += statement.run(tx, |query| bind(query.bind(list))).await?;
        }
        Ok(touched)
    }

    /// Writes, and reads what that gives back.
    pub(super) async fn all<T: Serialize, R>(
        self,
        tx: &mut Tx,
        rows: &[T],
        bind: impl Fn(Query) -> Query + Copy,
        read: fn(&Row) -> Result<R, StoreError>,
    ) -> Result<Vec<R>, StoreError> {
        let statement = self.of(tx);
        let mut found = Vec::with_capacity(rows.len());
        for some in rows.chunks(MOST) {
            let list = list(some)?;
            found.extend(
                statement
                    .all(&mut *tx, |query| bind(query.bind(list)), read)
                    .await?,
            );
        }
        Ok(found)
    }

    fn of(self, tx: &Tx) -> Statement {
        if tx.is_file() { self.file } else { self.server }
    }
}

/// The rows as JSON. NUL is kept as in any other parameter: see [`keepable`].
fn list<T: Serialize>(rows: &[T]) -> Result<String, StoreError> {
    let text = serde_json::to_string(rows)?;
    if !text.contains("\\u0000") {
        return Ok(text);
    }
    let mut rows: Value = serde_json::from_str(&text)?;
    keep(&mut rows);
    Ok(rows.to_string())
}

fn keep(value: &mut Value) {
    match value {
        Value::String(text) => *text = keepable(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(keep),
        Value::Object(values) => values.values_mut().for_each(keep),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Declares statements over rows, and for the tests a list of them all. What stands between `before` and `after` is the
/// table `r`; each column says its type as Postgres calls it.
macro_rules! batches {
    ($table:literal: $($(#[$doc:meta])* $name:ident ($($column:ident $kind:literal),+) = $before:expr, $after:expr;)+) => {
        $($(#[$doc])* const $name: $crate::store::batch::Batch = $crate::store::batch::Batch {
            file: $crate::store::query::Statement {
                table: $table,
                name: stringify!($name),
                sql: concat!(
                    $before, " (SELECT key + 1 AS n", $(", value ->> '", stringify!($column), "' AS ", stringify!($column),)+
                    " FROM json_each($1)) AS r ", $after
                ),
            },
            server: $crate::store::query::Statement {
                table: $table,
                name: stringify!($name),
                sql: concat!(
                    $before, " ROWS FROM (json_to_recordset($1::json) AS (", $(stringify!($column), " ", $kind, ", ",)+
                    "nothing text)) WITH ORDINALITY AS r(", $(stringify!($column), ", ",)+ "nothing, n) ", $after
                ),
            },
        };)+
        #[cfg(test)]
        pub(in crate::store) const BATCHES: &[$crate::store::batch::Batch] = &[$($name),+];
    };
}
pub(super) use batches;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_nul_in_a_row_is_kept_as_in_any_parameter_and_what_only_looks_like_one_stays() {
        let rows = [json!({"a": "x\0y", "b": ["\0", 7]}), json!({"a": "\\u0000"})];
        let kept: Value = serde_json::from_str(&list(&rows).unwrap()).unwrap();
        let expected = json!([{"a": "x\u{fffd}y", "b": ["\u{fffd}", 7]}, {"a": "\\u0000"}]);
        assert_eq!(kept, expected);
    }
}
