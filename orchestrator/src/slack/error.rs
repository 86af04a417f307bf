//! Why Slack did not do what it was asked, in words for a person, and what may be done about it. No error holds a token.

use loops::{text::one_line, time::Timestamp};

/// Why Slack did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SlackError {
    /// The login cannot be used.
    #[error("the Slack login cannot be used: {0}")]
    Login(String),
    /// Slack does not take the token.
    #[error(
        "Slack refused the token while asked to {doing} (`{code}`): it is wrong or revoked; install the app again and take its new token"
    )]
    Unauthorized {
        /// What was asked.
        doing: String,
        /// Slack's word.
        code: String,
    },
    /// The app was not given a scope.
    #[error(
        "Slack does not let us {doing}: the app has no scope `{needed}`; add it under `OAuth & Permissions`, install the app again, and take its new token"
    )]
    MissingScope {
        /// What was asked.
        doing: String,
        /// The scope that it takes, or several of which one is enough.
        needed: String,
    },
    /// There is no channel of that name that the app can see.
    #[error(
        "there is no channel `{channel}` that the app can see: check its name; in a private one, invite the app (`/invite`) and give it `groups:read`"
    )]
    NoChannel {
        /// As it was written.
        channel: String,
    },
    /// The app is not in the channel.
    #[error("the app is not in `{channel}`: invite it there with `/invite @its-name`")]
    NotInChannel {
        /// What the channel is called.
        channel: String,
    },
    /// What was asked about is gone.
    #[error("Slack cannot {doing}: it is gone (`{code}`)")]
    Gone {
        /// What was asked.
        doing: String,
        /// Slack's word.
        code: String,
    },
    /// Slack says no.
    #[error("Slack did not {doing}: `{code}`")]
    Refused {
        /// What was asked.
        doing: String,
        /// Slack's word.
        code: String,
    },
    /// A limit is reached; the request was not carried out.
    #[error("Slack's rate limit is reached; asked to {doing}, it answers again at {until}")]
    RateLimited {
        /// What was asked.
        doing: String,
        /// When to come back.
        until: Timestamp,
    },
    /// It could not be reached, or failed; nothing was changed there.
    #[error("Slack could not be asked to {doing}: {why}")]
    Unreachable {
        /// What was asked.
        doing: String,
        /// Why not.
        why: String,
    },
    /// Something was to be said, and nobody knows whether it was.
    #[error("nobody knows whether Slack did {doing}: {why}")]
    Ambiguous {
        /// What was asked.
        doing: String,
        /// What came in between.
        why: String,
    },
    /// An answer that we do not understand.
    #[error("Slack's answer when asked to {doing} is not understood: {why}")]
    Unexpected {
        /// What was asked.
        doing: String,
        /// What is odd about it.
        why: String,
    },
}

/// What may be done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The same may go well later.
    Retry,
    /// Look whether it was done before it is done again.
    Look,
    /// A person must change something: the token, a scope, a setting.
    AskHuman,
    /// The same will not go well.
    GiveUp,
}

impl SlackError {
    /// What may be done about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::RateLimited { .. } | Self::Unreachable { .. } | Self::Unexpected { .. } => Remedy::Retry,
            Self::Ambiguous { .. } => Remedy::Look,
            Self::Login(_)
            | Self::Unauthorized { .. }
            | Self::MissingScope { .. }
            | Self::NoChannel { .. }
            | Self::NotInChannel { .. } => Remedy::AskHuman,
            Self::Gone { .. } | Self::Refused { .. } => Remedy::GiveUp,
        }
    }

    /// What Slack's word for an error means. `needed` is the scope that it names, `writes` whether something was to
    /// be said.
    pub(super) fn of(
        code: &str,
        needed: Option<&str>,
        doing: &str,
        channel: Option<&str>,
        writes: bool,
    ) -> Self {
        let (doing, code) = (doing.to_owned(), one_line(code, 80));
        match code.as_str() {
            "invalid_auth"
            | "not_authed"
            | "account_inactive"
            | "token_revoked"
            | "token_expired"
            | "org_login_required"
            | "not_allowed_token_type" => Self::Unauthorized { doing, code },
            "missing_scope" | "no_permission" => Self::MissingScope {
                doing,
                needed: one_line(needed.unwrap_or("(Slack does not say which)"), 200),
            },
            "channel_not_found" | "not_in_channel" => Self::NotInChannel {
                channel: channel.map_or(doing, str::to_owned),
            },
            "thread_not_found" | "message_not_found" | "is_archived" | "cant_update_message" => {
                Self::Gone { doing, code }
            }
            // Slack's own trouble: whether a message went out nobody knows.
            "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" if writes => {
                Self::Ambiguous { doing, why: code }
            }
            "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" => {
                Self::Unreachable { doing, why: code }
            }
            _ => Self::Refused { doing, code },
        }
    }
}
