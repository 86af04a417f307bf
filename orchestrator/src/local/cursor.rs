//! How far files were read. A file that only grew is read from where it ended; one that was rewritten is read again,
//! and its signals come with the same ids.

use std::{collections::BTreeMap, fs::Metadata, time::UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A file that changed less than this before it was read may change again within the same tick of the file system's
/// clock: its time does not prove that it is unchanged.
const FRESH_MS: i64 = 2_000;

/// How far the files of one source were read.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// By name: JSONL files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) lines: BTreeMap<String, Lines>,
    /// By name of the export: what it was, and by file of a day the same.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) exports: BTreeMap<String, Export>,
}

/// How far a JSONL file was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lines {
    /// Bytes that were read.
    pub(super) bytes: u64,
    /// Lines that were read.
    pub(super) lines: u64,
    /// Whether the last of them had no end yet.
    #[serde(default)]
    pub(super) open: bool,
    /// SHA-256 of these bytes, in hex.
    pub(super) digest: String,
    /// What the file looked like when it was read to its end.
    pub(super) mark: Option<String>,
}

/// How far an export was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Export {
    /// What the zip looked like; nothing for a folder.
    pub(super) mark: Option<String>,
    /// What each file of a day looked like.
    pub(super) days: BTreeMap<String, String>,
}

impl Cursor {
    pub(super) fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    pub(super) fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Files that are not there any more are forgotten.
    pub(super) fn forget_all_but(&mut self, names: &[String]) {
        self.lines.retain(|name, _| names.contains(name));
        self.exports.retain(|name, _| names.contains(name));
    }
}

/// What a file looks like from outside: size and time. Nothing if it changed just now.
pub(crate) fn mark(meta: &Metadata) -> Option<String> {
    let changed = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let age = crate::clock::now()
        .0
        .saturating_sub(i64::try_from(changed.as_millis()).unwrap_or(i64::MAX));
    (age >= FRESH_MS).then(|| format!("{}:{}", meta.len(), changed.as_nanos()))
}
