//! The service seen from outside: one file a story.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agent;
mod bad_feedback;
mod bad_models;
mod bad_repositories;
mod carry_out;
mod five_bugs;
mod interrupted;
mod one_at_a_time;
mod prove;
mod sandbox;
mod small_story;
mod tools;
mod trace;
