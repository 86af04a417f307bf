//! GitHub as a source of signals: issues with their comments, people's pull requests, and failed jobs. Everything read is
//! somebody else's words, and only ever data.

mod actions;
mod common;
mod cursor;
mod issues;
mod pulls;
mod told;
