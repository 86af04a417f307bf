//! Pull requests and comments on them, as GitHub's lists give them.

use std::collections::BTreeMap;

use loops::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::github::pulls::{Login, Named};

/// An entry of the list of issues.
#[derive(Debug, Deserialize)]
pub(super) struct RawPull {
    pub(super) number: u64,
    pub(super) title: String,
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) state: String,
    pub(super) user: Option<Login>,
    #[serde(default)]
    pub(super) labels: Vec<Named>,
    #[serde(default)]
    pub(super) reactions: BTreeMap<String, Value>,
    pub(super) pull_request: Option<Value>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) html_url: String,
}

/// A comment, under a pull request or on one of its lines.
#[derive(Debug, Deserialize)]
pub(super) struct RawComment {
    pub(super) id: u64,
    pub(super) body: Option<String>,
    pub(super) user: Option<Login>,
    #[serde(default)]
    pub(super) reactions: BTreeMap<String, Value>,
    /// Under which it stands; of one on a line that is `pull_request_url`.
    #[serde(alias = "pull_request_url")]
    pub(super) issue_url: String,
    /// The file, of one on a line.
    pub(super) path: Option<String>,
    pub(super) line: Option<u64>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) html_url: String,
}

impl RawComment {
    /// The number that it stands under.
    pub(super) fn number(&self) -> Option<u64> {
        self.issue_url.rsplit('/').next()?.parse().ok()
    }

    /// Its words, with its place if it is on a line.
    pub(super) fn text(&self) -> String {
        let body = self.body.clone().unwrap_or_default();
        match (&self.path, self.line) {
            (Some(path), Some(line)) => format!("{path}:{line}: {body}"),
            (Some(path), None) => format!("{path}: {body}"),
            (None, _) => body,
        }
    }
}
