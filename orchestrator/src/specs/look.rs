//! Asks GitHub whether a repository's base branch has moved, and only then fetches it. An unchanged repository costs
//! nothing of the rate limit.

use loops::spec::RepoForm;
use workers::git::Git;

use super::{Laid, SpecsError, lay::lay_out};
use crate::{
    config::github::FullName,
    engine::{EngineError, Home},
};

/// What a look at a repository found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// What lies on this machine is what the base branch has.
    Unchanged(Laid),
    /// It was laid out anew.
    New(Laid),
}

impl Found {
    /// What lies on this machine now.
    pub fn laid(self) -> Laid {
        match self {
            Self::Unchanged(laid) | Self::New(laid) => laid,
        }
    }
}

/// Brings what lies on this machine of a repository's loops up to date with its base branch.
///
/// # Errors
/// If the repository cannot be reached or read; then what was laid out before stays.
pub async fn look(home: &Home, name: &FullName) -> Result<Found, SpecsError> {
    let repo = name.to_string();
    let place = match RepoForm::parse(&repo) {
        Some(RepoForm::GitHub { owner, name }) => crate::engine::Place::GitHub { owner, name },
        _ => return Err(EngineError::NoLogin(repo).into()),
    };
    let repository = home
        .on_github(&place)?
        .ok_or_else(|| EngineError::NoLogin(repo.clone()))?;
    let branch = repository
        .facts()
        .await
        .map_err(EngineError::from)?
        .default_branch;
    let head = repository
        .branch_lately(&branch)
        .await
        .map_err(EngineError::from)?
        .ok_or_else(|| SpecsError::NoBranch {
            repository: repo,
            branch: branch.clone(),
        })?;
    let before = Laid::read(&home.folder, name);
    if let Some(before) = before
        .clone()
        .filter(|laid| laid.head == head && laid.branch == branch)
    {
        return Ok(Found::Unchanged(before));
    }
    let (mirror, head) = home.fetch(&place, &branch).await?;
    let laid = lay_out(&home.folder, &Git::at(&mirror), name, &branch, &head).await?;
    let same = before.is_some_and(|before| before.commit == laid.commit && before.branch == laid.branch);
    Ok(if same {
        Found::Unchanged(laid)
    } else {
        Found::New(laid)
    })
}
