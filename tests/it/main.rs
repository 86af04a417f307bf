//! The service seen from outside: one file a story.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agent;
mod carry_out;
mod five_bugs;
mod prove;
mod sandbox;
mod tools;
mod trace;
