//! Who may carry out an order, and until when: one order's lease as a state machine, and which orders are next.
//!
//! A lease is held by a token that only grows. Whoever lost it (it did not renew in time, or somebody took the order
//! back) holds an old token, and whatever it says then changes nothing. No clock is asked here: times are arguments.
//! The store holds the same rules in its statements, and its tests hold the two together.

mod fair;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::fair::{Lane, share};
use crate::time::Timestamp;

/// After so many holders that were lost an order is given up.
pub const MAX_LOSSES: u32 = 3;

/// How an order stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Nobody has it.
    Waiting,
    /// Somebody carries it out.
    Held {
        /// Who.
        holder: String,
        /// Without another word it is lost after this.
        until: Timestamp,
    },
    /// What became of it is known.
    Done,
    /// Nobody wants it any more.
    Cancelled,
}

/// The lease of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// How it stands.
    pub standing: Standing,
    /// The token of its last holder; 0: nobody had it yet.
    pub token: i64,
    /// How many holders were lost.
    pub losses: u32,
    /// Before this nobody takes it.
    pub ready_at: Timestamp,
    /// Whether its holder is to stop.
    pub cancelled: bool,
}

/// What happens to a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody takes the order, and gets the next token.
    Claimed {
        /// Who.
        holder: String,
        /// Until when, if it says no more.
        until: Timestamp,
    },
    /// Its holder is still there.
    Renewed {
        /// Who.
        holder: String,
        /// Until when now.
        until: Timestamp,
    },
    /// A holder says what became of it.
    Done {
        /// By which token.
        token: i64,
    },
    /// A holder gives it back unfinished: it ends, in good order.
    GivenBack {
        /// By which token.
        token: i64,
    },
    /// It is looked whether a holder was lost.
    LookedAfter,
    /// Nobody wants the order any more.
    Cancelled,
}

impl Default for Lease {
    fn default() -> Self {
        Self {
            standing: Standing::Waiting,
            token: 0,
            losses: 0,
            ready_at: Timestamp(0),
            cancelled: false,
        }
    }
}

impl Lease {
    /// The lease after `event`; none: it does not fit, and nothing changes.
    #[must_use]
    pub fn after(&self, event: &Event, now: Timestamp) -> Option<Self> {
        let mut next = self.clone();
        match event {
            Event::Claimed { holder, until } => {
                if self.standing != Standing::Waiting || self.ready_at > now || self.is_given_up() {
                    return None;
                }
                next.token += 1;
                next.standing = Standing::Held {
                    holder: holder.clone(),
                    until: *until,
                };
            }
            Event::Renewed { holder, until } => {
                if !self.is_held_by(holder) {
                    return None;
                }
                next.standing = Standing::Held {
                    holder: holder.clone(),
                    until: *until,
                };
            }
            Event::Done { token } => {
                if !self.holds(*token) {
                    return None;
                }
                next.standing = if self.cancelled {
                    Standing::Cancelled
                } else {
                    Standing::Done
                };
            }
            Event::GivenBack { token } => {
                if !self.holds(*token) {
                    return None;
                }
                next.standing = self.free_again();
            }
            Event::LookedAfter => match &self.standing {
                Standing::Held { until, .. } if *until < now => {
                    next.losses += 1;
                    next.ready_at = now.plus(pause(next.losses));
                    next.standing = self.free_again();
                }
                _ => return None,
            },
            Event::Cancelled => match self.standing {
                Standing::Waiting => next.standing = Standing::Cancelled,
                Standing::Held { .. } if !self.cancelled => next.cancelled = true,
                _ => return None,
            },
        }
        Some(next)
    }

    /// Whether whoever has `token` may still write anything down.
    pub fn holds(&self, token: i64) -> bool {
        matches!(self.standing, Standing::Held { .. }) && self.token == token
    }

    /// Whether it is taken by nobody any more, because too many of its holders were lost.
    pub fn is_given_up(&self) -> bool {
        self.standing == Standing::Waiting && self.losses >= MAX_LOSSES
    }

    fn is_held_by(&self, who: &str) -> bool {
        matches!(&self.standing, Standing::Held { holder, .. } if holder == who)
    }

    fn free_again(&self) -> Standing {
        if self.cancelled {
            Standing::Cancelled
        } else {
            Standing::Waiting
        }
    }
}

/// How long an order is left alone after so many of its holders were lost: not at all after the first, for whoever
/// was lost may have had nothing to do with the order; then 2 s, 4 s and so on, a minute at most.
pub fn pause(losses: u32) -> Duration {
    match losses {
        0 | 1 => Duration::ZERO,
        more => Duration::from_secs(1 << (more - 1).min(6)).min(Duration::from_secs(60)),
    }
}
