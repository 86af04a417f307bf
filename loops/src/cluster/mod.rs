//! Which signals speak of the same problem. Deterministic, incremental, without a model.
//!
//! People's texts are compared by likeness: telling words, rare ones counting more and typing errors forgiven, against
//! what the texts of each finding have in common. Where each side says what the other does not, they are two problems. Machines' reports are compared exactly, after ids, times and numbers are masked. A reply
//! that only agrees goes where the message goes that it answers.
//!
//! What people said about what is one and what is not ([`Ties`]) wins over all of it.
//!
//! Two texts with the same words in another sense (`log in`, `log out`) are kept apart by a list of opposites. True
//! paraphrases are not found here: the lead agent merges those, and what it merged stays merged, because the caller
//! gives each known state with the finding that it belongs to *now*.

mod adopt;
mod bag;
mod compare;
mod family;
mod feature;
mod fingerprint;
mod index;
mod languages;
mod lexicon;
mod place;
mod state;
mod ties;
pub(crate) mod words;

#[cfg(test)]
mod tests;

pub use index::{Assignment, Cluster, Index, Known};
pub(crate) use lexicon::is_polite;
pub use state::BadState;
pub use ties::{Party, Tie, Ties};
