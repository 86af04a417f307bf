//! What is remembered: loops, runs, signals, findings, work, proof, proposals and the ledger. The only SQL.
//!
//! Reading takes a [`Store`] or an open transaction; writing takes a [`Tx`], so that whoever decides something
//! writes all of it, ledger rows included, in one transaction. Nothing here decides, sends or asks a model, and
//! no transaction may be held while an agent works.

pub mod attempts;
pub mod baselines;
mod batch;
pub mod boards;
pub mod calls;
pub mod cursors;
pub mod decisions;
pub mod derived;
pub mod egress;
mod error;
pub mod evidence;
pub mod figures;
mod file;
pub mod findings;
pub mod handed;
pub mod heard;
pub mod leader;
pub mod ledger;
pub mod lock;
pub mod loops;
mod migrations;
pub mod r#move;
pub mod nodes;
mod open;
pub mod orders;
pub mod outbox;
pub mod packs;
pub mod plans;
pub mod proposals;
pub mod pulls;
mod query;
pub mod resolve;
mod row;
pub mod runs;
pub mod said;
pub mod saves;
pub mod server;
pub mod signals;
pub mod sizes;
pub mod splits;
pub mod tasks;
#[cfg(test)]
mod tests;
pub mod ticks;
pub mod transcripts;
pub mod turns;
mod value;
pub mod verdicts;
pub mod wake;
mod words;

pub use self::{
    error::{Remedy, StoreError},
    file::FILE,
    lock::StateLock,
    open::{Snapshot, Store, Tx},
    query::Reader,
};
