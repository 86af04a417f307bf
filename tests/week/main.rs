//! A week of the service in virtual time: the real engine, store, worker and sandbox, repositories in folders (`story`)
//! or on the fake GitHub (`hub`), and a scripted model. The clock is turned by hand from one moment at which something
//! is due to the next.
//!
//! A target of its own: the clock is one for the process.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod almanac;
mod cast;
mod hub;
mod node;
mod slack;
mod story;
