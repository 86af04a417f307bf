//! Whether enough was said for a finding to be worked on.

use crate::score::{Fact, people};

/// What a finding lacks; its words are shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooFew {
    /// Too few signals.
    #[error("{have} of the {need} signals that the loop asks for")]
    Signals {
        /// How many there are.
        have: u32,
        /// `min_signals` of the loop.
        need: u32,
    },
    /// Too few people.
    #[error("{have} of the {need} people that the loop asks for")]
    Reporters {
        /// How many there are.
        have: u32,
        /// `min_reporters` of the loop.
        need: u32,
    },
}

/// Whether these signals are enough. People are not counted where only machines spoke.
///
/// # Errors
/// What is lacking.
pub fn thresholds(facts: &[Fact], min_signals: u32, min_reporters: u32) -> Result<(), TooFew> {
    let signals = u32::try_from(facts.len()).unwrap_or(u32::MAX);
    if signals < min_signals {
        return Err(TooFew::Signals {
            have: signals,
            need: min_signals,
        });
    }
    let only_machines = facts.iter().all(|fact| fact.person.is_none());
    let have = people(facts);
    if !only_machines && have < min_reporters {
        return Err(TooFew::Reporters {
            have,
            need: min_reporters,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn fact(person: Option<&str>) -> Fact {
        Fact {
            at: Timestamp(0),
            person: person.map(str::to_owned),
            reactions: 0,
            severity: 0.0,
            labels: Vec::new(),
            paths: Vec::new(),
        }
    }

    #[test]
    fn a_lone_users_first_report_passes_the_defaults() {
        assert_eq!(thresholds(&[fact(Some("ann"))], 1, 1), Ok(()));
    }

    #[test]
    fn one_person_who_says_it_often_is_one_person() {
        let facts = [fact(Some("ann")), fact(Some("ann")), fact(None)];
        assert_eq!(
            thresholds(&facts, 3, 2),
            Err(TooFew::Reporters { have: 1, need: 2 })
        );
        assert_eq!(
            thresholds(&facts, 4, 1),
            Err(TooFew::Signals { have: 3, need: 4 })
        );
    }

    #[test]
    fn machines_need_no_people() {
        assert_eq!(thresholds(&[fact(None), fact(None)], 2, 5), Ok(()));
    }
}
