//! GitHub: reading issues and failed jobs, pushing branches, pull requests and what is said under them. The only place
//! that knows octocrab; what it gives and takes are words of ours.
//!
//! It decides nothing: what is to be opened, said or merged is told to it. It knows neither store nor engine nor specs
//! beyond their sources, and nothing that it was given by GitHub is run or trusted.

mod answer;
mod ask;
mod cache;
mod call;
mod checks;
mod comments;
mod download;
mod error;
mod git;
mod hook;
mod issues;
mod login;
mod logs;
mod needs;
mod pages;
mod pulls;
mod repository;
mod review;
mod source;
#[cfg(test)]
mod tests;
mod users;

use std::sync::Arc;

use reqwest::Url;

use crate::config::{GitHub, github::FullName};
use call::Wire;

pub use checks::{CheckRun, CheckState, Checks, Conclusion, NewCheckRun, Status, StatusState};
pub use comments::{Comment, HIDDEN};
pub use error::{GitHubError, Remedy};
pub use hook::{EVENTS, Hook, NotHeard, NotSigned, Use, use_of, verify as verify_hook};
pub use issues::{EditIssue, Issue, NewIssue};
pub use logs::Failure;
pub use needs::Lack;
pub use pulls::{Closer, EditPull, NewPull, Pull, PullState};
pub use repository::{Facts, Protection, Repository};
pub use review::{Review, ReviewComment};
pub use users::{Me, Permission};

/// The way to one GitHub, with one login. Cheap to clone; clones share limits, pace and what is cached.
#[derive(Debug, Clone)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    wire: Wire,
    users: users::Known,
}

impl Hub {
    /// The way to GitHub with this login; none: the settings have no login. Nothing is asked yet. Must be called
    /// within a Tokio runtime.
    ///
    /// # Errors
    /// If the login is named and cannot be used: a variable that is not set, a key file that others may read.
    pub fn new(settings: &GitHub) -> Result<Option<Self>, GitHubError> {
        let Some(login) = login::Login::read(&settings.login)? else {
            return Ok(None);
        };
        Ok(Some(Self::with(Wire::new(settings, login)?)))
    }

    fn with(wire: Wire) -> Self {
        Self(Arc::new(Inner {
            wire,
            users: users::Known::default(),
        }))
    }

    /// A repository. It is not looked whether there is one.
    ///
    /// # Errors
    /// If this cannot be the name of one.
    pub fn repository(&self, owner: &str, name: &str) -> Result<Repository, GitHubError> {
        let text = format!("{owner}/{name}");
        let name = FullName::parse(&text).ok_or_else(|| GitHubError::Invalid {
            doing: format!("look at `{}`", answer::cut(&text)),
            message: "that is not a repository's name; write `owner/name`".to_owned(),
        })?;
        Ok(Repository::new(self.clone(), name))
    }

    fn wire(&self) -> &Wire {
        &self.0.wire
    }

    /// The site that people see, without a slash at its end. From the address of the API, as GitHub, GitHub Enterprise
    /// Cloud with its own domain, and GitHub Enterprise Server have it.
    fn site(&self) -> Url {
        let mut site = self.wire().api.clone();
        let host = site.host_str().unwrap_or_default().to_owned();
        if let Some(host) = host
            .strip_prefix("api.")
            .filter(|host| *host == "github.com" || host.ends_with(".ghe.com"))
        {
            // A host without its first part is still a host.
            let _ = site.set_host(Some(host));
        }
        site.set_path("");
        site
    }
}
