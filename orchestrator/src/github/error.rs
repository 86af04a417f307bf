//! Why GitHub did not do what it was asked, in words for a person, and what may be done about it. No error holds a
//! token: what comes from outside is scrubbed before it gets here.

use loops::time::Timestamp;
use workers::git::GitError;

/// Why GitHub did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitHubError {
    /// The login cannot be used.
    #[error("the GitHub login cannot be used: {0}")]
    Login(String),
    /// GitHub does not take the login.
    #[error(
        "GitHub refused the login while asked to {doing} ({message}): the token or key is wrong, expired or revoked; make a new one"
    )]
    Unauthorized {
        /// What was asked.
        doing: String,
        /// GitHub's words.
        message: String,
    },
    /// The login may not do that.
    #[error("GitHub does not let us {doing}: {message}{}", needs(wanted.as_deref()))]
    Forbidden {
        /// What was asked.
        doing: String,
        /// GitHub's words.
        message: String,
        /// The permission that is missing, where GitHub says so.
        wanted: Option<String>,
    },
    /// It is not there, or the login may not know that it is.
    #[error(
        "GitHub finds nothing when asked to {doing}: it is not there, or the login may not see it{}",
        needs(wanted.as_deref())
    )]
    NotFound {
        /// What was asked.
        doing: String,
        /// The permission that it takes, where GitHub says so.
        wanted: Option<String>,
    },
    /// It was there, and is not any more.
    #[error("GitHub cannot {doing}: it is gone, or switched off for this repository ({message})")]
    Gone {
        /// What was asked.
        doing: String,
        /// GitHub's words.
        message: String,
    },
    /// The repository has another name now.
    #[error("GitHub cannot {doing}: the repository has been renamed or moved; write its new name")]
    Renamed {
        /// What was asked.
        doing: String,
    },
    /// There is one already.
    #[error("GitHub did not {doing}: there is one already ({message})")]
    Exists {
        /// What was asked.
        doing: String,
        /// GitHub's words.
        message: String,
    },
    /// What is there does not allow it: a conflict, a moved head, a check that is missing.
    #[error("GitHub cannot {doing} as things stand: {message}")]
    Conflict {
        /// What was asked.
        doing: String,
        /// GitHub's words.
        message: String,
    },
    /// Somebody else moved the branch.
    #[error("the branch `{branch}` was moved by somebody else: it is {}", at(found.as_deref()))]
    Moved {
        /// The branch.
        branch: String,
        /// The commit that it is at; none: it is not there.
        found: Option<String>,
    },
    /// What we sent makes no sense to GitHub.
    #[error("GitHub did not {doing}: {message}")]
    Invalid {
        /// What was asked.
        doing: String,
        /// GitHub's words.
        message: String,
    },
    /// A limit is reached; the request was not carried out.
    #[error("GitHub's rate limit is reached; asked to {doing}, it answers again at {until}")]
    RateLimited {
        /// What was asked.
        doing: String,
        /// When to come back.
        until: Timestamp,
    },
    /// It could not be reached, or failed; nothing was changed there.
    #[error("GitHub could not be asked to {doing}: {why}")]
    Unreachable {
        /// What was asked.
        doing: String,
        /// Why not.
        why: String,
    },
    /// Something was to be changed, and nobody knows whether it was.
    #[error("nobody knows whether GitHub did {doing}: {why}")]
    Ambiguous {
        /// What was asked.
        doing: String,
        /// What came in between.
        why: String,
    },
    /// An answer that we do not understand.
    #[error("GitHub's answer when asked to {doing} is not understood: {why}")]
    Unexpected {
        /// What was asked.
        doing: String,
        /// What is odd about it.
        why: String,
    },
    /// The git program failed here, not there.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// What may be done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The same may go well later; where it is known, not before then.
    Retry(Option<Timestamp>),
    /// Look whether it was done before it is done again.
    Look,
    /// A person must change something: the login, a permission, a setting.
    AskHuman,
    /// The same will not go well: what is there, or what was asked, must change.
    GiveUp,
}

impl GitHubError {
    /// What may be done about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::RateLimited { until, .. } => Remedy::Retry(Some(*until)),
            Self::Unreachable { .. } | Self::Unexpected { .. } => Remedy::Retry(None),
            Self::Ambiguous { .. } => Remedy::Look,
            Self::Login(_)
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Renamed { .. } => Remedy::AskHuman,
            Self::Gone { .. }
            | Self::Exists { .. }
            | Self::Conflict { .. }
            | Self::Moved { .. }
            | Self::Invalid { .. } => Remedy::GiveUp,
            Self::Git(error) => match error {
                GitError::TimedOut { .. } => Remedy::Retry(None),
                GitError::NotStarted(_) | GitError::File { .. } => Remedy::AskHuman,
                _ => Remedy::GiveUp,
            },
        }
    }
}

fn needs(wanted: Option<&str>) -> String {
    wanted.map_or_else(String::new, |wanted| format!("; it takes {wanted}"))
}

fn at(found: Option<&str>) -> String {
    found.map_or_else(|| "not there".to_owned(), |commit| format!("at `{commit}`"))
}
