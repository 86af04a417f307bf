//! What services tell us by themselves is written down, once each, and wakes whoever waits for it. What Slack tells is no
//! evidence: what happened is read by asking. What GitHub tells is, too (`github`).

mod github;
mod sent;

use loops::time::Timestamp;

pub(super) use self::{github::is_waited_for, sent::is_sent_with};
pub use self::{
    github::{Came, hear_hook, is_told},
    sent::{Sent, Took, take_sent},
};
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

/// A service that tells things by itself, as its events' ids begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teller {
    /// Slack.
    Slack,
    /// GitHub.
    GitHub,
    /// Whoever sends signals.
    Senders,
}

impl Teller {
    fn prefix(self) -> &'static str {
        match self {
            Self::Slack => "slack:",
            Self::GitHub => "github:",
            Self::Senders => "signals:",
        }
    }
}

/// When a service told something last.
///
/// # Errors
/// If the store cannot be read.
pub async fn last_heard(home: &Home, from: Teller) -> Result<Option<Timestamp>, EngineError> {
    Ok(heard::latest(&home.store, from.prefix()).await?)
}
