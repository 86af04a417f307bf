//! Names for things: one newtype per kind of thing, each a UUID with a prefix that says what it names.
//!
//! An id prints as `task-0192f0c1…` (prefix, hyphen, 32 hex digits). People type less: [`matches()`] says
//! whether what a person typed (`task-1f3a9c2e`, `1f3a9c2e`) means this id.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id of the form `{prefix}-<32 hex digits>`")]
pub struct BadId {
    text: String,
    prefix: &'static str,
}

/// How many hex digits of an id are shown to people. They are the last ones, which are random.
pub const SHORT_LEN: usize = 8;

/// Whether `typed` (a full id, or the end of one, with or without its prefix) names the id `full`.
pub fn matches(full: &str, typed: &str) -> bool {
    let Some((prefix, digits)) = full.split_once('-') else {
        return false;
    };
    let wanted = match typed.split_once('-') {
        Some((typed_prefix, rest)) if typed_prefix == prefix => rest,
        Some(_) => return false,
        None => typed,
    };
    wanted.len() >= 4 && digits.ends_with(wanted)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// What the id begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A new id: `millis` since the Unix epoch (ids sort by it) and ten random bytes.
            pub fn new(millis: u64, random: [u8; 10]) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

            /// The id that `name` always has: the same name gives the same id.
            pub fn named(name: &str) -> Self {
                Self(Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("loops:{}:{name}", $prefix).as_bytes()))
            }

            /// The form that people see: the prefix and the last eight hex digits.
            pub fn short(&self) -> String {
                let hex = self.0.simple().to_string();
                format!("{}-{}", $prefix, &hex[hex.len() - SHORT_LEN..])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}-{}", $prefix, self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                text.strip_prefix(concat!($prefix, "-"))
                    .and_then(|rest| Uuid::try_parse(rest).ok())
                    .map(Self)
                    .ok_or_else(|| BadId { text: text.to_owned(), prefix: $prefix })
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    )*};
}

ids! {
    /// One run of a loop.
    RunId = "run";
    /// One piece of evidence from a source.
    SignalId = "signal";
    /// The problem behind signals.
    FindingId = "finding";
    /// One narrow intent for one worker.
    TaskId = "task";
    /// One try of a task, a proof or a review.
    AttemptId = "attempt";
    /// A change with its evidence, put before people.
    ProposalId = "proposal";
    /// What a person said of a proposal.
    DecisionId = "decision";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_print_and_parse() {
        let id = TaskId::new(1_700_000_000_000, [7; 10]);
        assert_eq!(id.to_string().parse::<TaskId>(), Ok(id));
        assert!("run-00".parse::<TaskId>().is_err());
    }

    #[test]
    fn people_may_type_the_end_of_an_id() {
        let id = TaskId::new(1_700_000_000_000, [0xab; 10]);
        assert!(matches(&id.to_string(), &id.short()));
        assert!(matches(&id.to_string(), "abababab"));
        assert!(!matches(&id.to_string(), "run-abababab"));
        assert!(
            !matches(&id.to_string(), "aba"),
            "three digits are too few to mean anything"
        );
    }
}
