//! The service seen from outside: one file a story.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agent;
mod bad_models;
mod carry_out;
mod five_bugs;
mod prove;
mod sandbox;
mod small_story;
mod tools;
mod trace;
