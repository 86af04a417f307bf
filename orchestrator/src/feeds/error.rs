//! Why a feed could not be read at all, in words for the person who wrote its source.

use crate::local::SourceError;

/// Why a feed could not be read at all. Parts that could not be read are not errors, see [`crate::source::Skipped`].
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The files cannot be found or read.
    #[error(transparent)]
    Files(#[from] SourceError),
    /// The disk's reader broke.
    #[error("reading stopped: {0}")]
    Stopped(String),
    /// Nobody answers there.
    #[error("`{host}` does not answer: {why}")]
    Silent {
        /// Who was asked.
        host: String,
        /// What the network said.
        why: String,
    },
    /// The answer is a refusal.
    #[error("`{host}` answers {status}: {hint}")]
    Refused {
        /// Who was asked.
        host: String,
        /// The status.
        status: u16,
        /// What that usually means.
        hint: &'static str,
    },
    /// The answer is another address.
    #[error("`{host}` sends us on to `{to}`; write that address if it is right")]
    Moved {
        /// Who was asked.
        host: String,
        /// Where it points.
        to: String,
    },
    /// The answer is longer than what is read.
    #[error(
        "`{host}` answers with more than {limit_mib} MiB; ask for less, by `since_param` or in the address"
    )]
    TooLong {
        /// Who was asked.
        host: String,
        /// What is read at most.
        limit_mib: usize,
    },
    /// The answer is not what the source says that it is.
    #[error("`{name}`: {why}")]
    Unreadable {
        /// The file or address.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no login of that name.
    #[error("there is no login `{0}`: write it under `credentials` in loops.yaml")]
    NoCredential(String),
    /// The login's variable is not set.
    #[error("the login `{name}` is empty: set the variable `{variable}`")]
    EmptyCredential {
        /// The login.
        name: String,
        /// Where its secret is looked for.
        variable: String,
    },
    /// The login is not for that host.
    #[error(
        "the login `{name}` is not for `{host}`: add it to `credentials.{name}.hosts` in loops.yaml if it is"
    )]
    NotForHost {
        /// The login.
        name: String,
        /// The host that the source names.
        host: String,
    },
    /// The TLS library did not start.
    #[error("no connection can be made: {0}")]
    Tls(String),
}
