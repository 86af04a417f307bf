//! The service seen from outside: one file a story.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agent;
mod carry_out;
mod cast;
mod decisions;
mod five_bugs;
mod no_news;
mod prove;
mod run_json;
mod sandbox;
mod screens;
mod shapes;
mod tools;
mod trace;
