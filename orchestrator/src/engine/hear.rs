//! What Slack tells us by itself is written down, once each, and wakes whoever waits for it. It is no evidence: what
//! happened is read by asking.

use loops::time::Timestamp;

use super::{EngineError, Home};
use crate::{
    clock,
    slack::Heard,
    store::heard::{self, Heard as Row},
};

/// Keeps an event; false: it is known already, or nobody waits for its kind.
///
/// # Errors
/// If the store cannot be written: it is to be sent again.
pub async fn hear(home: &Home, event: &Heard) -> Result<bool, EngineError> {
    let Heard::Event { id, kind, channel } = event else {
        return Ok(false);
    };
    let row = Row {
        kind: kind.clone(),
        place: channel.clone(),
        at: clock::now(),
    };
    let mut tx = home.store.begin().await?;
    let new = heard::put(&mut tx, &format!("slack:{id}"), &row).await?;
    tx.commit().await?;
    Ok(new)
}

/// When something was heard last.
///
/// # Errors
/// If the store cannot be read.
pub async fn last_heard(home: &Home) -> Result<Option<Timestamp>, EngineError> {
    Ok(heard::latest(&home.store).await?)
}
