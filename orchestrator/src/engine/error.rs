//! Why a run cannot go on.

use loops::schedule::Cause;
use workers::git::GitError;

use crate::{
    gateway::GatewayError,
    github::{self, GitHubError},
    local::branch::BranchError,
    slack::{self, SlackError},
    store::StoreError,
};

/// Why a run cannot go on. What a single task meets is no such error: it ends the task.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store could not read or write.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The gateway could not be started.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// Git could not do what is needed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A branch could not be made or moved.
    #[error(transparent)]
    Branch(#[from] BranchError),
    /// GitHub could not be asked, or said no.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    /// The repository is on GitHub, and there is no login.
    #[error(
        "`{0}` is on GitHub, and there is no login: set `GITHUB_TOKEN`, or write `github:` in loops.yaml (`loops doctor` looks at it)"
    )]
    NoLogin(String),
    /// Slack could not be asked, or said no.
    #[error(transparent)]
    Slack(#[from] SlackError),
    /// The loop is about Slack, and there is no login.
    #[error(
        "the loop needs Slack, and there is no login: set `SLACK_BOT_TOKEN`, or write `slack:` in loops.yaml (see docs/slack.md; `loops doctor` looks at it)"
    )]
    NoSlack,
    /// A source could not be read.
    #[error("source `{source_name}` could not be read: {why}")]
    Source {
        /// Which.
        source_name: String,
        /// Why.
        why: String,
    },
    /// A prompt could not be made.
    #[error("prompt `{prompt}` could not be made: {why}")]
    Prompt {
        /// Which.
        prompt: String,
        /// Why.
        why: String,
    },
    /// A file of ours could not be read or written.
    #[error("`{path}`: {error}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The loop asks for something that is not there yet.
    #[error("not available yet: {0}")]
    NotYet(String),
    /// A worker that must not ask a model has no cassette to be played from.
    #[error(
        "worker `{0}` is a rehearsal, and no cassette is played; say which one with `--cassette FILE`, or `play:` in loops.yaml"
    )]
    NoCassette(String),
    /// The run belongs to another version of the spec, or its record makes no sense.
    #[error("{0}")]
    Record(String),
}

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The same may go better later.
    Retry,
    /// It will not.
    GiveUp,
    /// A person has to mend something.
    AskHuman,
}

impl EngineError {
    /// Which part of the machinery it is about.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Store(_) | Self::Record(_) | Self::Gateway(_) => Cause::State,
            Self::Git(_) | Self::Branch(_) | Self::GitHub(_) => Cause::Repository,
            Self::Source { .. } | Self::Slack(_) => Cause::Source,
            Self::Prompt { .. }
            | Self::File { .. }
            | Self::NotYet(_)
            | Self::NoCassette(_)
            | Self::NoLogin(_)
            | Self::NoSlack => Cause::Settings,
        }
    }

    /// Whether the store could not do its work: nothing more can be written down, and nothing need be, for what is there
    /// stands.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_outage())
    }

    /// What to do about it.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Store(_) | Self::Gateway(_) | Self::Git(_) | Self::Branch(BranchError::Git(_)) => {
                Remedy::Retry
            }
            Self::GitHub(error) => match error.remedy() {
                github::Remedy::Retry(_) | github::Remedy::Look => Remedy::Retry,
                github::Remedy::AskHuman => Remedy::AskHuman,
                github::Remedy::GiveUp => Remedy::GiveUp,
            },
            Self::Slack(error) => match error.remedy() {
                slack::Remedy::Retry | slack::Remedy::Look => Remedy::Retry,
                slack::Remedy::AskHuman => Remedy::AskHuman,
                slack::Remedy::GiveUp => Remedy::GiveUp,
            },
            Self::Branch(_)
            | Self::NoSlack
            | Self::NoLogin(_)
            | Self::Source { .. }
            | Self::Prompt { .. }
            | Self::File { .. }
            | Self::NotYet(_)
            | Self::NoCassette(_) => Remedy::AskHuman,
            Self::Record(_) => Remedy::GiveUp,
        }
    }
}
