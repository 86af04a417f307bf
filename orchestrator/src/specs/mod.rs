//! The loops that repositories define for themselves: read from a commit of their base branch, and laid out in the
//! state folder as files, so that everything that reads a loop from a folder reads them, too.
//!
//! A work tree, a proposed change or another branch is never looked at: only what was merged counts. What is read is as
//! hostile as whoever can push there: links are not followed, and count and size are bounded. Whether a loop may be what
//! it asks to be is not judged here.

mod lay;
mod look;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use workers::git::GitError;

pub use look::{Found, look};

use crate::{config::github::FullName, engine::EngineError};

/// The folder of a repository in which its loops stand.
pub const FOLDER: &str = ".loops";

/// The name of the file that says which layout counts.
const CURRENT: &str = "current.json";

/// A repository's loops as they lie on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Laid {
    /// The repository, `owner/name`, as the operator lists it.
    pub repository: String,
    /// Its base branch.
    pub branch: String,
    /// The commit of that branch that was looked at last.
    pub head: String,
    /// The commit that the files were read from: the first one that had them so. It names their folder.
    pub commit: String,
    /// What they are, as one digest.
    digest: String,
    /// What was passed over, in words.
    pub notes: Vec<String>,
}

impl Laid {
    /// What lies under `state`, if anything does.
    pub fn read(state: &Path, name: &FullName) -> Option<Self> {
        let text = std::fs::read(root(state, name).join(CURRENT)).ok()?;
        let laid: Self = serde_json::from_slice(&text).ok()?;
        (laid.repository == name.to_string() && laid.folder(state, name).is_dir()).then_some(laid)
    }

    /// Where the files are.
    pub fn folder(&self, state: &Path, name: &FullName) -> PathBuf {
        root(state, name).join(&self.commit)
    }
}

/// Where everything of a repository lies.
fn root(state: &Path, name: &FullName) -> PathBuf {
    state.join("specs").join(&name.owner).join(&name.name)
}

/// Why a repository's loops could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SpecsError {
    /// The repository could not be reached or read.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Its branch is not there.
    #[error("`{repository}` has no branch `{branch}` yet; commit something first")]
    NoBranch {
        /// The repository.
        repository: String,
        /// Its default branch.
        branch: String,
    },
    /// There is more than is read.
    #[error("{0}")]
    TooMuch(String),
    /// A file of ours could not be written.
    #[error("`{path}`: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

impl From<GitError> for SpecsError {
    fn from(error: GitError) -> Self {
        Self::Engine(error.into())
    }
}

impl SpecsError {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::File { path, error }
    }
}
