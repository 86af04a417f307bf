//! GitHub as a source of signals: issues with their comments, and failed jobs. Everything read is somebody else's
//! words, and only ever data.

mod actions;
mod cursor;
mod issues;
