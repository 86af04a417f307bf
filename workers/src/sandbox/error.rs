//! Why there is no sandbox, in words that say how to mend it.

use std::path::{Path, PathBuf};

/// Why a sandbox could not be set up. No command has run then.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// bubblewrap is missing.
    #[error(
        "bubblewrap (`bwrap`) is not installed; install it (Debian, Ubuntu: `apt-get install bubblewrap`), or write `sandbox: none` to run without a sandbox"
    )]
    NoBubblewrap,
    /// Something that was asked for is not there yet, or not on this machine.
    #[error("{0}")]
    NotAvailable(String),
    /// A file or folder could not be made ready.
    #[error("`{path}`: {error}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The jail did not come up.
    #[error("the sandbox could not be set up: {0}")]
    Setup(String),
    /// A program could not be started, or was lost.
    #[error("`{program}` could not be started: {error}")]
    NotStarted {
        /// The program.
        program: String,
        /// What the system said.
        error: std::io::Error,
    },
}

impl SandboxError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::File { path, error }
    }
}
