//! What an attempt left: a git tree against the base commit, read as a diff.
//!
//! Everything in here was written by an agent, and is data: it is read, compared and counted, never run. Nothing
//! in this room may panic, or take more than about linear time, whatever the bytes are.

mod cases;
mod languages;
mod mask;
mod parse;
mod paths;
mod pattern;
mod quoting;
mod split;
#[cfg(test)]
pub(crate) mod testing;
mod weakened;

pub(crate) use languages::is_other_code;
pub use parse::DiffError;
pub use paths::is_test_path;
pub(crate) use pattern::pattern;
pub use split::{Split, split};
pub use weakened::{Weakening, WeakeningKind, renamed_tests, weakened, weakened_by_results};

use serde::{Deserialize, Serialize};

/// Arguments for `git` that write what [`Diff::parse`] reads; the two trees come after them. `--raw` says the modes
/// of files that were renamed and not edited, which a patch alone does not.
pub const GIT_ARGS: &[&str] = &[
    "diff",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-relative",
    "--full-index",
    "--find-renames",
    "--ignore-submodules=none",
    "--submodule=short",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--unified=3",
    "--raw",
    "--patch",
];

/// A change, file by file, in git's order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// The files. One whose type changed (a file that became a link) is here twice: deleted, then added.
    pub files: Vec<FileChange>,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is new.
    Added,
    /// It is gone.
    Deleted,
    /// Its content or its mode is another.
    Modified,
    /// It has another name, and perhaps other content.
    Renamed,
    /// It was made from another file, which is still there.
    Copied,
}

/// One file of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// What became of it.
    pub status: Status,
    /// Its path on the base, from the repository's root; none for an added file.
    pub old_path: Option<String>,
    /// Its path in the change; none for a deleted file.
    pub new_path: Option<String>,
    /// Its mode on the base, like `0o100644`; none if there was none, or if the diff does not say.
    pub old_mode: Option<u32>,
    /// Its mode in the change.
    pub new_mode: Option<u32>,
    /// Whether git holds it for binary; then there are no hunks.
    pub binary: bool,
    /// Whether a path had bytes that are no UTF-8; they are shown as U+FFFD, so the path does not name the file.
    pub lossy_path: bool,
    /// The places that changed.
    pub hunks: Vec<Hunk>,
}

/// A place that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hunk {
    /// Its first line on the base, from 1; 0 for an empty range.
    pub old_start: u32,
    /// Its first line in the change, from 1; 0 for an empty range.
    pub new_start: u32,
    /// The function or heading that git names after `@@`.
    pub section: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// Which side a line is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// On both.
    Context,
    /// In the change only.
    Added,
    /// On the base only.
    Removed,
}

/// One line of a hunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Which side it is on.
    pub side: Side,
    /// Its number on the base, from 1.
    pub old: Option<u32>,
    /// Its number in the change, from 1.
    pub new: Option<u32>,
    /// Its text without the line feed; bytes that are no UTF-8 are shown as U+FFFD.
    pub text: String,
    /// Whether it ends the file without a line feed.
    pub no_newline: bool,
}

impl Diff {
    /// Reads what git wrote with [`GIT_ARGS`]; a plain `git diff` without `--raw` can be read, too, but does not say
    /// the modes of files that were only renamed.
    pub fn parse(bytes: &[u8]) -> Result<Self, DiffError> {
        parse::parse(bytes)
    }

    /// How many files changed; one whose type changed counts once.
    pub fn file_count(&self) -> usize {
        self.files
            .iter()
            .map(FileChange::path)
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    }

    /// How many lines were added.
    pub fn added(&self) -> usize {
        self.files.iter().map(FileChange::added).sum()
    }

    /// How many lines were removed.
    pub fn removed(&self) -> usize {
        self.files.iter().map(FileChange::removed).sum()
    }

    /// The paths that the change touches, on either side, each once, sorted.
    pub fn paths(&self) -> Vec<&str> {
        let paths: std::collections::BTreeSet<_> = self.files.iter().flat_map(FileChange::paths).collect();
        paths.into_iter().collect()
    }
}

impl FileChange {
    /// The name that people know it by: the new one, or, for a deleted file, the old one.
    pub fn path(&self) -> &str {
        self.new_path
            .as_deref()
            .or(self.old_path.as_deref())
            .unwrap_or_default()
    }

    /// Its paths: the old one and the new one, once if they are the same.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let old = self
            .old_path
            .as_deref()
            .filter(|old| Some(*old) != self.new_path.as_deref());
        old.into_iter().chain(self.new_path.as_deref())
    }

    /// How many lines were added.
    pub fn added(&self) -> usize {
        self.count(Side::Added)
    }

    /// How many lines were removed.
    pub fn removed(&self) -> usize {
        self.count(Side::Removed)
    }

    /// The lines of one side alone, in order.
    pub fn lines(&self, side: Side) -> impl Iterator<Item = &Line> {
        self.hunks
            .iter()
            .flat_map(|hunk| &hunk.lines)
            .filter(move |line| line.side == side)
    }

    fn count(&self, side: Side) -> usize {
        self.lines(side).count()
    }
}

#[cfg(test)]
mod tests;
