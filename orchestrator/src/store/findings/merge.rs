//! Findings that turned out to be one. What was merged keeps its row, so that old ids still lead somewhere.

use std::collections::HashMap;

use ::loops::{id::FindingId, time::Timestamp};

use crate::store::{Reader, StoreError, Tx, query::statements, signals};

statements! { "findings":
    MERGE = "UPDATE findings SET state = 'merged', merged_into = $2, updated_at = $3 WHERE id = $1";
    // `merge` cannot make a circle; the depth keeps one that was made by hand from holding us up.
    RESOLVED = "WITH RECURSIVE chain (id, next, depth) AS (
            SELECT id, merged_into, 0 FROM findings WHERE id = $1
            UNION ALL
            SELECT findings.id, findings.merged_into, chain.depth + 1
            FROM chain JOIN findings ON findings.id = chain.next WHERE chain.depth < 64
        ) SELECT id FROM chain WHERE next IS NULL";
    MERGED = "SELECT id, merged_into FROM findings WHERE loop = $1 AND merged_into IS NOT NULL";
}

/// Makes `from` a part of `into` and moves its signals there. What either of them was merged into before is meant in
/// its place. Returns the finding that has the signals now, whose figures are to be counted again.
pub async fn merge(
    tx: &mut Tx,
    from: FindingId,
    into: FindingId,
    at: Timestamp,
) -> Result<FindingId, StoreError> {
    let into_end = resolved(&mut *tx, into).await?;
    let from_end = resolved(&mut *tx, from).await?;
    if from_end == into_end {
        // Told twice is no harm; told in a circle is.
        return if from == into_end {
            Err(StoreError::Circular {
                from: from.to_string(),
                into: into.to_string(),
            })
        } else {
            Ok(into_end)
        };
    }
    MERGE
        .run(tx, |q| {
            q.bind(from_end.to_string()).bind(into_end.to_string()).bind(at.0)
        })
        .await?;
    signals::move_all(tx, from_end, into_end).await?;
    Ok(into_end)
}

/// What a finding is a part of now: itself, if it was never merged.
pub async fn resolved(from: impl Reader, id: FindingId) -> Result<FindingId, StoreError> {
    RESOLVED
        .first(from, |q| q.bind(id.to_string()), |row| row.parsed("id"))
        .await?
        .ok_or_else(|| StoreError::Missing {
            what: "finding",
            id: id.to_string(),
        })
}

/// Every merged finding of a loop, and what it is a part of now.
pub async fn resolved_all(
    from: impl Reader,
    loop_name: &str,
) -> Result<HashMap<FindingId, FindingId>, StoreError> {
    let read = |row: &crate::store::query::Row| Ok((row.parsed("id")?, row.parsed("merged_into")?));
    let steps: HashMap<FindingId, FindingId> = MERGED
        .all(from, |q| q.bind(loop_name), read)
        .await?
        .into_iter()
        .collect();
    let end_of = |mut id: FindingId| {
        for _ in 0..64 {
            match steps.get(&id) {
                Some(next) => id = *next,
                None => break,
            }
        }
        id
    };
    Ok(steps.keys().map(|id| (*id, end_of(*id))).collect())
}
