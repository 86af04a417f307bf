//! What can go wrong with the store, in words for the person who has to mend it.

use std::path::{Path, PathBuf};

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The same again may go well a little later.
    Retry,
    /// The same again goes wrong again; it is a fault of ours.
    GiveUp,
    /// A person has to change something about the machine or the state folder.
    AskHuman,
}

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process works on this state.
    #[error(
        "another loops ({}) is working on the state in `{}`: wait for it, stop it, or name another folder with `--state`",
        .pid.map_or_else(|| "its process id could not be read".to_owned(), |pid| format!("process {pid}")), .folder.display()
    )]
    Held {
        /// The state folder.
        folder: PathBuf,
        /// The process that holds it, if its id could be read.
        pid: Option<u32>,
    },
    /// A file or folder of the state cannot be made or opened.
    #[error("`{}` cannot be used for the state: {source}", .path.display())]
    Folder {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database knows migrations that this binary does not.
    #[error(
        "the state in `{}` was written by a newer loops (migration {version}): update loops, or name another folder with `--state`",
        .path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// The first migration that is unknown here.
        version: i64,
    },
    /// A migration that was applied is not the one that this binary has.
    #[error(
        "the state in `{}` was laid out by a different build of loops (migration {version} differs): use that build, or name another folder with `--state`",
        .path.display()
    )]
    Altered {
        /// The database.
        path: PathBuf,
        /// The migration that differs.
        version: i64,
    },
    /// A database, but not one of ours.
    #[error("`{}` is a database of another program: name another folder with `--state`", .path.display())]
    NotOurs {
        /// The database.
        path: PathBuf,
    },
    /// The file is damaged, or no database at all.
    #[error(
        "`{}` is damaged or not a database ({why}): restore it from a backup, or move it away to begin anew",
        .path.display()
    )]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        why: String,
    },
    /// The file, its folder or its disk cannot be written.
    #[error("`{}` cannot be written: make the file and its folder writable, or name another folder with `--state`", .path.display())]
    ReadOnly {
        /// The database.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("the disk that holds `{}` is full: nothing was lost; make room and start again", .path.display())]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// The disk failed.
    #[error("reading or writing `{}` failed ({why}): look after the disk, then start again", .path.display())]
    Disk {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        why: String,
    },
    /// Somebody else writes for too long.
    #[error("`{}` is being written by something else for too long: try again", .path.display())]
    Busy {
        /// The database.
        path: PathBuf,
    },
    /// A row like it is there already, or it breaks a rule of its table.
    #[error("a rule of the store forbids this: {rule}")]
    Conflict {
        /// Which rule, as the database names it.
        rule: String,
    },
    /// A stored value makes no sense to this binary.
    #[error("a stored row cannot be read: `{table}.{column}`: {why}")]
    Undecodable {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// Why.
        why: String,
    },
    /// What a write is about is not there.
    #[error("there is no {what} `{id}`")]
    Missing {
        /// What kind of thing.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// A finding cannot become a part of itself.
    #[error("`{from}` cannot be merged into `{into}`: that one is already a part of it")]
    Circular {
        /// The finding that was to go.
        from: String,
        /// The finding that was to stay.
        into: String,
    },
    /// A value that JSON cannot hold.
    #[error("a value cannot be stored as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Anything else that the database says.
    #[error("the database in `{}` said no: {source}", .path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What it said.
        source: sqlx::Error,
    },
}

impl StoreError {
    /// What to do about it.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Busy { .. } => Remedy::Retry,
            Self::Conflict { .. }
            | Self::Undecodable { .. }
            | Self::Missing { .. }
            | Self::Circular { .. }
            | Self::Json(_)
            | Self::Database { .. } => Remedy::GiveUp,
            Self::Held { .. }
            | Self::Folder { .. }
            | Self::Newer { .. }
            | Self::Altered { .. }
            | Self::NotOurs { .. }
            | Self::Corrupt { .. }
            | Self::ReadOnly { .. }
            | Self::Full { .. }
            | Self::Disk { .. } => Remedy::AskHuman,
        }
    }

    /// Whether a unique row was there already, or a `CHECK` failed.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// Sorts what sqlx says. The numbers are SQLite's primary result codes (sqlite.org/rescode.html).
    pub(super) fn from_sqlx(error: sqlx::Error, path: &Path) -> Self {
        let path = path.to_owned();
        let Some(told) = error.as_database_error() else {
            return match error {
                // One writer: whoever waits this long waits for a transaction that nobody ends.
                sqlx::Error::PoolTimedOut => Self::Busy { path },
                source => Self::Database { path, source },
            };
        };
        let why = told.message().to_owned();
        match told
            .code()
            .and_then(|code| code.parse::<i32>().ok())
            .map(|code| code & 0xff)
        {
            Some(5 | 6) => Self::Busy { path },
            Some(8 | 14) => Self::ReadOnly { path },
            Some(10) => Self::Disk { path, why },
            Some(11 | 26) => Self::Corrupt { path, why },
            Some(13) => Self::Full { path },
            Some(19) => Self::Conflict { rule: why },
            _ => Self::Database { path, source: error },
        }
    }
}
