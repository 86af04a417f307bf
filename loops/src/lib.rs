//! What a loop is.
//!
//! This crate is pure: no clock, no network, no disk, no database, no async. Time, ids and randomness are
//! arguments. Everything that decides something lives here, so that it can be replayed and tested without a
//! machine around it; everything that waits lives in `workers` and `orchestrator`.

pub mod board;
pub mod boundary;
pub mod budget;
pub mod capacity;
pub mod change;
pub mod cluster;
pub mod command;
pub mod evidence;
pub mod finding;
pub mod id;
pub mod lease;
pub mod library;
pub mod owners;
pub mod page;
pub mod redact;
pub mod run;
pub mod schedule;
pub mod score;
pub mod screen;
pub mod signal;
pub mod spec;
pub mod task;
pub mod text;
pub mod time;
pub mod trouble;
