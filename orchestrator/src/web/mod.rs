//! What comes in from outside over HTTP. The only axum besides the gateway's tests.
//!
//! A request is believed for its signature alone, and is looked at in this order: its size, its signature and age, its
//! words. It is kept and answered at once; nothing that takes long is asked of anybody meanwhile. Nothing of a request is
//! ever run, and who does not sign rightly learns nothing from the answer.

mod body;
mod connections;
mod github;
mod metrics;
mod server;
mod signals;
mod slack;

pub use self::server::{Secrets, Server, ServerError};
