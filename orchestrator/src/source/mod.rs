//! What any source gives, files and forges alike. Plain data; nothing is read here.

mod said;

use std::collections::{BTreeMap, BTreeSet};

use loops::{id::SignalId, signal::Signal, time::Timestamp};

pub use said::{Said, when};

/// What a source had to say since it was last read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// New signals, and new versions of old ones (the same id). Each id at most once.
    pub signals: Vec<Signal>,
    /// Signals that the source says were taken away: their text is to be erased.
    pub deleted: Vec<SignalId>,
    /// Of which parts of the source these signals are all that there is: what was known of them and is not among them
    /// was taken away.
    pub whole: Vec<Stretch>,
    /// Signals that were taken away, by the ids that their source gives them. Whether or not they were ever read: what
    /// is still on its way of them is not heard.
    pub gone: Vec<Gone>,
    /// When signals last changed at their source, where it says so: an older edition never takes a newer one's place.
    pub changed: BTreeMap<SignalId, Timestamp>,
    /// Signals whose reactions the source did not tell this time; what is known of them stays.
    pub silent: BTreeSet<SignalId>,
    /// What could not be read, and why; the rest was.
    pub skipped: Vec<Skipped>,
    /// Where to go on next time. To be stored only when the signals are.
    pub cursor: String,
    /// Whether there is more than one batch holds: read again with the cursor.
    pub more: bool,
}

/// Something that was taken away at its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// The signal's source.
    pub source: String,
    /// Its id there.
    pub external_id: String,
}

/// A part of a source that was read whole. Ids are the source's own; they sort by time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stretch {
    /// What stands by itself, between two ids that are not in it themselves.
    Roots {
        /// The signals' source.
        source: String,
        /// After this id,
        after: String,
        /// and before this one.
        before: String,
        /// All that is there.
        here: BTreeSet<String>,
        /// What of it nobody has answered.
        childless: BTreeSet<String>,
    },
    /// What answers one thing, between two ids that are not in it themselves.
    Answers {
        /// The signals' source.
        source: String,
        /// What they answer.
        root: String,
        /// After this id,
        after: String,
        /// and before this one.
        before: String,
        /// All that is there.
        here: BTreeSet<String>,
    },
}

impl Stretch {
    /// Whether a signal that is known, by its id and what it answers, is not there any more.
    pub fn misses(&self, id: &str, thread: Option<&str>) -> bool {
        let between = |id: &str, after: &str, before: &str| id > after && id < before;
        match (self, thread) {
            (
                Self::Roots {
                    after, before, here, ..
                },
                None,
            ) => between(id, after, before) && !here.contains(id),
            (
                Self::Roots {
                    after,
                    before,
                    here,
                    childless,
                    ..
                },
                Some(root),
            ) => between(root, after, before) && (!here.contains(root) || childless.contains(root)),
            (
                Self::Answers {
                    root,
                    after,
                    before,
                    here,
                    ..
                },
                Some(thread),
            ) => thread == root && between(id, after, before) && !here.contains(id),
            (Self::Answers { .. }, None) => false,
        }
    }
}

impl Batch {
    /// Of several versions of one signal, the last one read stays, in the first one's place; what was taken away goes.
    pub fn keep_last_versions(&mut self) {
        let mut at: BTreeMap<SignalId, usize> = BTreeMap::new();
        let mut kept: Vec<Signal> = Vec::with_capacity(self.signals.len());
        for signal in self.signals.drain(..) {
            match at.get(&signal.id) {
                Some(place) => kept[*place] = signal,
                None => {
                    at.insert(signal.id, kept.len());
                    kept.push(signal);
                }
            }
        }
        let deleted: BTreeSet<&SignalId> = self.deleted.iter().collect();
        kept.retain(|signal| !deleted.contains(&signal.id));
        self.signals = kept;
    }
}

/// A part of a source that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file and the line, the message within it, the issue.
    pub place: String,
    /// What is wrong with it.
    pub why: String,
}
