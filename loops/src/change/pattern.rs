//! Patterns that are written in the code.

use regex::Regex;

/// A pattern that is written in the code. The `regex` crate takes linear time, so hostile text cannot hold us up.
pub(crate) fn pattern(text: &'static str) -> Regex {
    match Regex::new(text) {
        Ok(regex) => regex,
        // Reached only by a slip in a constant; the tests of its room force each of them.
        Err(why) => unreachable!("`{text}` is no pattern: {why}"),
    }
}
