//! What a person writes: a loop, in YAML. These types are the format; the parser, the errors and the JSON Schema
//! all come from them.

mod none_or;
mod types;
mod units;

pub use types::*;
pub use units::{Bytes, Dollars, Span};
