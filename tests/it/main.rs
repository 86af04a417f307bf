//! The service seen from outside: one file a story.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agent;
mod bad_feedback;
mod bad_models;
mod bad_repositories;
mod carry_out;
mod cast;
mod conversation;
mod decisions;
mod docs;
mod fake_github;
mod findings;
mod five_bugs;
mod gateway;
mod github_green;
mod github_loops;
mod house;
mod interrupted;
mod no_news;
mod noise;
mod on_postgres;
mod one_at_a_time;
mod plans;
mod prove;
mod pull_requests;
mod run_json;
mod sandbox;
mod sandbox_attacks;
mod sandbox_layers;
mod screens;
mod serve;
mod shapes;
mod small_story;
mod tools;
mod trace;
