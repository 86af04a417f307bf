//! What a person writes: a loop, in YAML. These types are the format; the parser, the errors and the JSON Schema
//! all come from them.
//!
//! No file is opened here: text comes in, a loop or its errors go out.

mod agents;
mod check;
mod de;
mod error;
mod events;
mod feeds;
mod forms;
mod limits;
mod none_or;
mod overreach;
mod proof;
mod proposal;
mod read;
mod scalar;
mod schema;
mod sources;
mod tree;
mod trust;
mod types;
mod unavailable;
mod units;
mod version;
mod words;

pub use agents::*;
pub use error::{SpecError, render};
pub use events::{GITHUB_EVENTS, SLACK_EVENTS, is_github_event};
pub use feeds::*;
pub(crate) use forms::quiet_hours;
pub use forms::{RepoForm, is_host};
pub use limits::*;
pub use overreach::{Allowance, Overreach, overreach};
pub use proof::*;
pub use proposal::*;
pub use read::{Known, decode, error_at, read};
pub use schema::schema;
pub use sources::*;
pub use trust::*;
pub use types::*;
pub use unavailable::{Unavailable, unavailable, unserved};
pub use units::{Bytes, Dollars, Span};
pub use version::version;

#[cfg(test)]
mod tests;
