//! The problem behind one or many signals. A finding lives across runs.

use serde::{Deserialize, Serialize};

use crate::{id::FindingId, score::Score, time::Timestamp};

/// Where a finding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// Nobody has taken it on.
    Open,
    /// A run is working on it.
    Working,
    /// A proposal waits for a person.
    Proposed,
    /// A person merged a proposal for it.
    Fixed,
    /// A person or the lead agent said that it is not worth work; it stays so.
    Refused,
    /// It is part of another finding now.
    Merged,
}

impl FindingState {
    /// All states, in the order of a finding's life.
    pub const ALL: [Self; 6] =
        [Self::Open, Self::Working, Self::Proposed, Self::Fixed, Self::Refused, Self::Merged];

    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Working => "working",
            Self::Proposed => "proposed",
            Self::Fixed => "fixed",
            Self::Refused => "refused",
            Self::Merged => "merged",
        }
    }

    /// The state with that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// The problem behind signals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Its name for life.
    pub id: FindingId,
    /// One line that says what is wrong: the words of its most telling signal, shortened.
    pub title: String,
    /// What its signals have in common; see [`crate::cluster`].
    pub fingerprint: String,
    /// Where it stands.
    pub state: FindingState,
    /// How much it matters now, and why.
    pub score: Score,
    /// How many signals stand behind it.
    pub signals: u32,
    /// How many different people spoke.
    pub reporters: u32,
    /// When the first signal was given.
    pub first_at: Timestamp,
    /// When the last signal was given.
    pub last_at: Timestamp,
}
