//! Where findings stand, many at once.

use ::loops::{finding::FindingState, id::FindingId, time::Timestamp};
use serde_json::json;

use crate::store::{StoreError, Tx, batch::batches};

batches! { "findings":
    STATES (id "text") = "SELECT f.id AS id, f.state AS state FROM findings AS f, ", "WHERE f.id = r.id ORDER BY r.n";
    SET_STATES (id "text", state "text") = "UPDATE findings SET state = r.state, updated_at = $2 FROM",
        "WHERE findings.id = r.id";
}

/// Where these stand; those that are not there are left out.
pub async fn states(tx: &mut Tx, ids: &[FindingId]) -> Result<Vec<(FindingId, FindingState)>, StoreError> {
    let rows: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
    let read =
        |row: &crate::store::query::Row| Ok((row.parsed("id")?, row.word("state", FindingState::parse)?));
    STATES.all(tx, &rows, |query| query, read).await
}

/// Says where they stand now. Which step may follow which is [`::loops::finding`]'s to say.
pub async fn set_states(
    tx: &mut Tx,
    states: &[(FindingId, FindingState)],
    at: Timestamp,
) -> Result<(), StoreError> {
    let row = |(id, state): &(FindingId, FindingState)| json!({ "id": id, "state": state.as_str() });
    let rows: Vec<_> = states.iter().map(row).collect();
    SET_STATES
        .run(tx, &rows, |query| query.bind(at.0))
        .await
        .map(drop)
}
