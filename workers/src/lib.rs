//! How one task is carried out: one machine, one order. No database, no forge, no key.
//!
//! A worker is a function, [`carry_out`]: an [`Order`] in, an [`Outcome`] out, [`Report`]s on the way. All three are
//! plain data, so the same worker runs inside the service, as a child process or on another machine.

pub mod agent;
mod attempt;
pub mod checks;
pub mod git;
pub mod order;
pub mod relay;
pub mod sandbox;
pub mod tools;
pub mod way_out;
pub mod workspace;

pub use attempt::{Machine, carry_out, carry_out_until};
pub use order::{Change, Job, Order, Outcome, Report};
