//! What can go wrong with the store, in words for the person who has to mend it.

use std::path::{Path, PathBuf};

use sqlx::postgres::PgDatabaseError;

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
    /// Another process, on this machine or another, works on this state.
    #[error(
        "another loops ({who}) is working on the state in `{}`: wait for it, stop it, or name another database",
        .path.display()
    )]
    Claimed {
        /// The database.
        path: PathBuf,
        /// What it calls itself.
        who: String,
    },
    /// Another process has taken over while this one was frozen or cut off; nothing of it counts any more.
    #[error("another loops ({who}) has taken over the state in `{}`: this one ends", .path.display())]
    Deposed {
        /// The database.
        path: PathBuf,
        /// The leader's name as a node.
        who: String,
    },
    /// The address of a Postgres cannot be read.
    #[error(
        "the database's address is none: {why}; it looks like `postgres://user:password@host:5432/database`"
    )]
    Address {
        /// What is wrong with it.
        why: String,
    },
    /// No Postgres answers.
    #[error("the database at `{}` does not answer ({why}): start it, or mend its address", .path.display())]
    Away {
        /// The database.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
    /// The Postgres answers, but does not let us in.
    #[error("the database at `{}` does not let us in ({why}): look after its address, user and rights", .path.display())]
    Refused {
        /// The database.
        path: PathBuf,
        /// What it says.
        why: String,
    },
    /// The Postgres is older than what we were tried with.
    #[error("the database at `{}` is PostgreSQL {major}: update it to 15 or later", .path.display())]
    OldServer {
        /// The database.
        path: PathBuf,
        /// Its version.
        major: i64,
    },
    /// No schema of the search path exists.
    #[error("the database at `{}` has no schema to keep the state in: create the first one of its `search_path`", .path.display())]
    NoSchema {
        /// The database.
        path: PathBuf,
    },
    /// A state is to be moved to where something is already.
    #[error("there is something in `{}` already: name an empty database to move the state to", .path.display())]
    Occupied {
        /// The database.
        path: PathBuf,
    },
    /// A copy is not what it was made of. Nothing of it was kept.
    #[error("the copy in `{}` differs from what it was made of ({why}): nothing was kept of it", .path.display())]
    Miscopied {
        /// The database.
        path: PathBuf,
        /// Where they differ.
        why: String,
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
            Self::Busy { .. } | Self::Away { .. } => Remedy::Retry,
            Self::Conflict { .. }
            | Self::Undecodable { .. }
            | Self::Missing { .. }
            | Self::Circular { .. }
            | Self::Json(_)
            | Self::Miscopied { .. }
            | Self::Deposed { .. }
            | Self::Database { .. } => Remedy::GiveUp,
            Self::Held { .. }
            | Self::Claimed { .. }
            | Self::Address { .. }
            | Self::Refused { .. }
            | Self::OldServer { .. }
            | Self::NoSchema { .. }
            | Self::Occupied { .. }
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

    /// Whether the database could not do its work (it is away, full, cut off), rather than that it was asked for the wrong
    /// thing: what it held it still holds, and whoever asks later may go on from there.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Busy { .. }
            | Self::Away { .. }
            | Self::Refused { .. }
            | Self::ReadOnly { .. }
            | Self::Full { .. }
            | Self::Disk { .. } => true,
            // What sqlx says when a connection is gone in the middle of something.
            Self::Database { source, .. } => !matches!(source, sqlx::Error::Database(_)),
            _ => false,
        }
    }

    /// Whether a unique row was there already, or a `CHECK` failed.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// Sorts what sqlx says.
    pub(super) fn from_sqlx(error: sqlx::Error, path: &Path) -> Self {
        let Some(told) = error.as_database_error() else {
            return Self::of_connection(error, path);
        };
        let why = told.message().to_owned();
        let code = told.code().unwrap_or_default();
        let sorted = if told.try_downcast_ref::<PgDatabaseError>().is_some() {
            Self::of_postgres(&code, why, path)
        } else {
            Self::of_sqlite(&code, why, path)
        };
        sorted.unwrap_or_else(|| Self::Database {
            path: path.to_owned(),
            source: error,
        })
    }

    /// What no database said.
    fn of_connection(error: sqlx::Error, path: &Path) -> Self {
        let path = path.to_owned();
        match error {
            // Of a file: whoever waits this long waits for a transaction that nobody ends.
            sqlx::Error::PoolTimedOut => Self::Busy { path },
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => Self::Away {
                path,
                why: error.to_string(),
            },
            source => Self::Database { path, source },
        }
    }

    /// By SQLite's primary result codes (sqlite.org/rescode.html).
    fn of_sqlite(code: &str, why: String, path: &Path) -> Option<Self> {
        let path = path.to_owned();
        Some(match code.parse::<i32>().ok()? & 0xff {
            5 | 6 => Self::Busy { path },
            8 | 14 => Self::ReadOnly { path },
            10 => Self::Disk { path, why },
            11 | 26 => Self::Corrupt { path, why },
            13 => Self::Full { path },
            19 => Self::Conflict { rule: why },
            _ => return None,
        })
    }

    /// By Postgres's codes, class first (postgresql.org/docs, appendix "PostgreSQL Error Codes").
    fn of_postgres(code: &str, why: String, path: &Path) -> Option<Self> {
        let path = path.to_owned();
        Some(match code {
            // Serialisation, deadlock, a lock that was waited for too long.
            "40001" | "40P01" | "55P03" => Self::Busy { path },
            "25006" => Self::ReadOnly { path },
            "53100" => Self::Full { path },
            "58030" => Self::Disk { path, why },
            "XX001" | "XX002" => Self::Corrupt { path, why },
            // Also a transaction that the server ended because it said nothing, and too many connections.
            "57P01" | "57P02" | "57P03" | "25P03" | "53300" => Self::Away { path, why },
            "3D000" | "42501" => Self::Refused { path, why },
            _ => match code.get(..2)? {
                "23" => Self::Conflict { rule: why },
                "08" => Self::Away { path, why },
                "28" => Self::Refused { path, why },
                _ => return None,
            },
        })
    }
}
