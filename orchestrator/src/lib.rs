//! The service: durable, always on. It holds the keys, the ledger, and the only way out.

pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod engine;
pub mod feeds;
pub mod gateway;
pub mod github;
pub mod lead;
pub mod local;
pub mod slack;
pub mod source;
pub mod specs;
pub mod store;
pub mod web;
