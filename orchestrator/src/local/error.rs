//! Why a source could not be read at all.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a source could not be read at all. Parts that could not be read are not errors, see [`super::Skipped`].
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is nothing.
    #[error("there is no file at `{path}`; check the `path` of the source, it counts from the spec's folder")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A device, a pipe, a socket.
    #[error("`{path}` is {what}; a source is a JSONL file, or a Slack export as a folder or a zip")]
    NotAFile {
        /// Where it is.
        path: PathBuf,
        /// What it is, with its article.
        what: &'static str,
    },
    /// A folder or a zip without what an export has.
    #[error(
        "`{path}` is not a Slack export: it has neither `channels.json` nor `users.json` nor a folder of days like `general/2026-11-03.json`"
    )]
    NotAnExport {
        /// Where it is.
        path: PathBuf,
    },
    /// The glob cannot be understood.
    #[error("`{pattern}` is not a glob: {why}")]
    BadGlob {
        /// What was written.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// Bigger than what is read.
    #[error("`{path}` has more than {limit}; split it")]
    TooMuch {
        /// Where it is.
        path: PathBuf,
        /// The limit with its unit.
        limit: String,
    },
    /// The zip is damaged or made to harm.
    #[error("`{path}` cannot be read as a zip: {why}")]
    BadZip {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The disk said no.
    #[error("cannot read `{path}`: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl SourceError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            _ => Self::Io { path, source },
        }
    }

    /// Whether the same read may go well a little later, without a person.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), io::ErrorKind::Interrupted | io::ErrorKind::TimedOut))
    }
}
