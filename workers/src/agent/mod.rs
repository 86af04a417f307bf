//! The agent session: a model, tools, and turns until it is done.
//!
//! [`converse`] is the turn loop; whoever has tools (a worker's built-in agent, the lead agent) drives it. Model
//! calls go to the gateway and nowhere else; no key is known here. What the model says is data: it chooses among
//! the tools that it was given, and nothing else follows from its words.

pub mod builtin;
mod calls;
mod client;
mod conversation;
mod cut;
mod layout;
pub mod messages;
mod session;
mod sse;
mod stream;
mod transport;
mod watch;
mod window;

pub use client::{Client, ModelError, OVER_BUDGET, Patience, REHEARSED_HEADER};
pub use conversation::{Cause, Conversation, Ended, Keeper, Settings, Tools};
pub use cut::cut_middle;
pub use session::converse;
#[doc(hidden)]
pub use sse::events_in;
pub use stream::StreamError;
pub use window::estimate_tokens;
