//! The problem behind one or many signals. A finding lives across runs.
//!
//! What happens to it is decided by people and runs; here stands only which step can follow which.

mod threshold;
mod title;

use serde::{Deserialize, Serialize};

use crate::{id::FindingId, score::Score, time::Timestamp};

pub use threshold::{TooFew, thresholds};
pub use title::title;

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
    pub const ALL: [Self; 6] = [
        Self::Open,
        Self::Working,
        Self::Proposed,
        Self::Fixed,
        Self::Refused,
        Self::Merged,
    ];

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

    /// Where an event leads; nothing if it cannot happen to a finding in this state.
    ///
    /// New signals wake a fixed finding and nothing else: a refused one stays refused until a person says otherwise, and
    /// what was merged into another stays there.
    pub fn after(self, event: Event) -> Option<Self> {
        use FindingState as S;
        Some(match (self, event) {
            (S::Merged, Event::NewSignals) => S::Merged,
            (S::Merged, _) => return None,
            (_, Event::MergedInto) => S::Merged,
            (_, Event::Refused { .. }) => S::Refused,
            (S::Open | S::Working, Event::TakenUp) => S::Working,
            (S::Working | S::Open, Event::GivenBack) => S::Open,
            (S::Working | S::Proposed, Event::Proposed) => S::Proposed,
            (S::Proposed, Event::Revised) => S::Working,
            (S::Proposed, Event::Closed) => S::Open,
            (S::Proposed | S::Fixed, Event::Fixed) => S::Fixed,
            (S::Fixed, Event::NewSignals | Event::Reverted) => S::Open,
            (same, Event::NewSignals) => same,
            (S::Refused | S::Open | S::Fixed, Event::Reopened) => S::Open,
            _ => return None,
        })
    }

    /// Whether a run may hand it to the lead agent.
    pub fn is_free(self) -> bool {
        self == Self::Open
    }

    /// The state with that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What can happen to a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// A run began to work on it.
    TakenUp,
    /// The run ended without a proposal.
    GivenBack,
    /// A change for it was put before people.
    Proposed,
    /// A person sent the proposal back with words.
    Revised,
    /// The proposal was closed without a word on the problem itself.
    Closed,
    /// A person merged the proposal.
    Fixed,
    /// The merged change was taken back.
    Reverted,
    /// A person or the lead agent said that it is not worth work.
    Refused {
        /// Not this, and nothing of its kind; the caller remembers the kind.
        never: bool,
    },
    /// A person took a refusal back.
    Reopened,
    /// New signals came for it.
    NewSignals,
    /// It turned out to be part of another one.
    MergedInto,
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

#[cfg(test)]
mod tests {
    use super::{Event as E, FindingState as S, *};

    fn walk(events: &[Event]) -> Option<FindingState> {
        events
            .iter()
            .try_fold(S::Open, |state, event| state.after(*event))
    }

    #[test]
    fn a_fixed_finding_with_new_signals_is_open_again() {
        assert_eq!(walk(&[E::TakenUp, E::Proposed, E::Fixed]), Some(S::Fixed));
        assert_eq!(
            walk(&[E::TakenUp, E::Proposed, E::Fixed, E::NewSignals]),
            Some(S::Open)
        );
    }

    #[test]
    fn a_refused_finding_stays_refused_until_a_person_reopens_it() {
        for never in [false, true] {
            let refused = [E::TakenUp, E::Proposed, E::Refused { never }];
            assert_eq!(
                walk(&refused).and_then(|state| state.after(E::NewSignals)),
                Some(S::Refused)
            );
            assert_eq!(walk(&refused).and_then(|state| state.after(E::TakenUp)), None);
            assert_eq!(
                walk(&refused).and_then(|state| state.after(E::Reopened)),
                Some(S::Open)
            );
        }
    }

    #[test]
    fn new_signals_do_not_disturb_work_that_goes_on() {
        for state in [S::Open, S::Working, S::Proposed, S::Merged] {
            assert_eq!(state.after(E::NewSignals), Some(state));
        }
    }

    #[test]
    fn nothing_but_signals_reaches_what_was_merged_into_another() {
        for event in [
            E::TakenUp,
            E::Proposed,
            E::Fixed,
            E::Reopened,
            E::MergedInto,
            E::Refused { never: false },
        ] {
            assert_eq!(S::Merged.after(event), None);
        }
    }
}
