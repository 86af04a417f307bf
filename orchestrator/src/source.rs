//! What any source gives, files and forges alike. Plain data; nothing is read here.

use loops::{id::SignalId, signal::Signal};

/// What a source had to say since it was last read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// New signals, and new versions of old ones (the same id). Each id at most once.
    pub signals: Vec<Signal>,
    /// Signals that the source says were taken away: their text is to be erased.
    pub deleted: Vec<SignalId>,
    /// What could not be read, and why; the rest was.
    pub skipped: Vec<Skipped>,
    /// Where to go on next time. To be stored only when the signals are.
    pub cursor: String,
    /// Whether there is more than one batch holds: read again with the cursor.
    pub more: bool,
}

/// A part of a source that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file and the line, the message within it, the issue.
    pub place: String,
    /// What is wrong with it.
    pub why: String,
}
