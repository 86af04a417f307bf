//! What comes in from outside over HTTP. The only axum besides the gateway's tests.
//!
//! A request is believed for its signature alone, and is looked at in this order: its size, its signature and age, its
//! words. It is kept and answered at once; what it is about is read later, by asking. Nothing of a request is ever run,
//! and no answer says why it was refused: who signs rightly needs no reason, who does not shall learn nothing.

mod connections;
mod metrics;
mod server;
mod slack;

pub use self::server::{Server, ServerError};
