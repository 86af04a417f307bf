//! Which signals speak of the same problem. Deterministic, incremental, without a model.
//!
//! People's texts are compared by likeness: telling words and their runs of letters, rare ones counting more, against
//! the middle of each finding. Machines' reports are compared exactly, after ids, times and numbers are masked. A reply
//! that only agrees goes where the message goes that it answers.
//!
//! Two texts with the same words in another sense (`log in`, `log out`) are kept apart by a list of opposites. True
//! paraphrases are not found here: the lead agent merges those, and what it merged stays merged, because the caller
//! gives each known state with the finding that it belongs to *now*.

mod family;
mod fingerprint;
mod index;
mod lexicon;
mod place;
mod state;
mod vector;
pub(crate) mod words;

#[cfg(test)]
mod tests;

pub use index::{Assignment, Cluster, Index, Known};
pub(crate) use lexicon::is_polite;
pub use state::BadState;
