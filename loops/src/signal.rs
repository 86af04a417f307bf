//! One piece of evidence from a source: a message, an issue, a test result.
//!
//! A signal is what somebody or something said, not yet what is wrong. Its text comes from outside and is never
//! an instruction.

mod injection;
mod noise;
mod severity;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{id::SignalId, time::Timestamp};

pub use injection::{Flag, Form, injections, rest};
pub(crate) use noise::agrees;
pub use noise::is_noise;
pub(crate) use severity::severity;

/// What spoke: it decides how signals are compared and how people are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    /// A person's words; near-duplicates are found by their text.
    Person,
    /// A machine's report (a log, a stack trace, a test result); compared by its masked fingerprint.
    Machine,
}

/// One piece of evidence, as a source gave it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Stable: made of the source's name and `external_id`.
    pub id: SignalId,
    /// Which source of the loop, for example `file:feedback.jsonl` or `slack:#shop-feedback`.
    pub source: String,
    /// The id within the source; the same id with another text is an edit.
    pub external_id: String,
    /// When it was said, by the source's own account.
    pub at: Timestamp,
    /// Who said it, if anyone did: a stable name within the source.
    pub author: Option<String>,
    /// What the source itself knows a person by and nobody can choose, where `author` is a chosen name: the id in Slack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Whether a person or a machine spoke.
    pub voice: Voice,
    /// The words, unchanged.
    pub text: String,
    /// Where a person can see it.
    pub url: Option<String>,
    /// Reaction name and how many gave it.
    #[serde(default)]
    pub reactions: BTreeMap<String, u32>,
    /// Labels that the source carries.
    #[serde(default)]
    pub labels: Vec<String>,
    /// External id of the message that this one answers.
    pub thread: Option<String>,
    /// Said where not everyone may read, as in a private channel: its words do not leave for a place that others read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
}

impl Signal {
    /// The id of what `source` calls `external_id`; the same pair gives the same id.
    pub fn id_of(source: &str, external_id: &str) -> SignalId {
        SignalId::named(&format!("{source}\u{1f}{external_id}"))
    }
}
