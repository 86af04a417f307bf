//! Many findings at once: for people, best first; for the clustering, only what it keeps.

use ::loops::{finding::FindingState, id::FindingId, time::Timestamp};
use serde_json::Value;

use super::{Kept, columns, read};
use crate::store::{Reader, StoreError, query::statements};

/// Which findings are wanted. The default is all that were not merged into others.
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    /// Of this loop only.
    pub loop_name: Option<&'a str>,
    /// In this state only; merged ones are given only if asked for here.
    pub state: Option<FindingState>,
    /// Reported by people (`true`), or by machines alone (`false`).
    pub by_people: Option<bool>,
    /// With these words, in any case, in its title or in one of its signals.
    pub text: Option<&'a str>,
    /// With a signal of that time or later.
    pub since: Option<Timestamp>,
    /// With at least this score.
    pub min_score: Option<f64>,
    /// At most this many; none: all.
    pub limit: Option<u32>,
}

statements! { "findings":
    LIST = concat!("SELECT ", columns!(), " FROM findings
        WHERE (loop = $1 OR CAST($1 AS TEXT) IS NULL)
        AND (state = $2 OR (CAST($2 AS TEXT) IS NULL AND state <> 'merged')) AND score >= $3
        AND (CAST($5 AS BIGINT) IS NULL OR (CASE WHEN reporters > 0 THEN 1 ELSE 0 END) = $5)
        AND (CAST($6 AS TEXT) IS NULL OR LOWER(title) LIKE $6 ESCAPE '!' OR EXISTS (SELECT 1 FROM signals
            WHERE signals.finding = findings.id AND LOWER(signals.text) LIKE $6 ESCAPE '!'))
        AND last_at >= $7
        ORDER BY score DESC, last_at DESC, id LIMIT $4");
    CLUSTERS = "SELECT id, cluster FROM findings WHERE loop = $1 ORDER BY id";
}

/// Findings, best score first.
pub async fn list(from: impl Reader, filter: &Filter<'_>) -> Result<Vec<Kept>, StoreError> {
    let limit = filter.limit.map_or(i64::MAX, i64::from);
    LIST.all(
        from,
        |q| {
            q.bind(filter.loop_name)
                .bind(filter.state.map(FindingState::as_str))
                .bind(filter.min_score.unwrap_or(f64::MIN))
                .bind(limit)
                .bind(filter.by_people.map(i64::from))
                .bind(filter.text.map(pattern))
                .bind(filter.since.map_or(i64::MIN, |since| since.0))
        },
        read,
    )
    .await
}

/// Words as `LIKE` looks for them, wherever they stand.
fn pattern(words: &str) -> String {
    let mut pattern = String::from("%");
    for c in words.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// What the clustering kept of every finding of a loop, merged and refused ones too: new signals that are like them
/// belong to them. Give the result of [`super::resolved_all`] beside it.
pub async fn clusters(from: impl Reader, loop_name: &str) -> Result<Vec<(FindingId, Value)>, StoreError> {
    CLUSTERS
        .all(
            from,
            |q| q.bind(loop_name),
            |row| Ok((row.parsed("id")?, row.json("cluster")?)),
        )
        .await
}
