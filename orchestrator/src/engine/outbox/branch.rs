//! A proposal's branch on GitHub.

use super::{Sending, Tried};
use crate::{
    clock,
    engine::{
        EngineError,
        propose::{PutBranch, branch_name},
    },
    github::GitHubError,
    store::{outbox, proposals, pulls},
};

/// How many names are tried for a branch before a person is asked.
const NAMES: u32 = 9;

impl Sending<'_> {
    pub(super) async fn branch(
        &self,
        put: &PutBranch,
        effect: &outbox::Effect,
    ) -> Result<Tried, EngineError> {
        if effect.key != self.key {
            return Ok(Tried::Obsolete("a later attempt took its place".to_owned()));
        }
        let mirror = self.home.mirror(&put.repository);
        let pushed = self
            .repository
            .push(&mirror, &put.branch, &put.head, put.expected.as_deref())
            .await;
        match pushed {
            Ok(()) => {
                self.done().await?.commit().await?;
                Ok(Tried::Done)
            }
            Err(GitHubError::Moved { found, .. }) => {
                let found = found.as_deref().unwrap_or("it is gone");
                self.moved(put, effect.refusals, found).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Somebody else has the branch. Before there is a pull request another name is as good; after, it is theirs.
    async fn moved(&self, put: &PutBranch, refusals: u32, found: &str) -> Result<Tried, EngineError> {
        let now = clock::now();
        let mut tx = self.home.store.begin().await?;
        let tried = if pulls::get(&mut tx, self.proposal.id).await?.is_some() {
            let why = format!(
                "somebody has pushed to `{}` ({}): it is theirs now",
                put.branch,
                &found[..12.min(found.len())]
            );
            pulls::leave_alone(&mut tx, self.proposal.id, &why).await?;
            let (preparing, open) = (
                proposals::ProposalState::Preparing,
                proposals::ProposalState::Open,
            );
            proposals::set_state(&mut tx, self.proposal.id, preparing, open, now).await?;
            Tried::GivenUp(why)
        } else if refusals < NAMES {
            let name = branch_name(&self.proposal.loop_name, &self.proposal.title, self.proposal.id);
            let branch = format!("{name}-{}", refusals + 2);
            let renamed = PutBranch {
                branch: branch.clone(),
                expected: None,
                ..put.clone()
            };
            outbox::amend(&mut tx, self.key, &renamed).await?;
            outbox::refused(&mut tx, self.key, "the branch's name was taken", now).await?;
            proposals::set_branch(&mut tx, self.proposal.id, &branch, now).await?;
            Tried::Done
        } else {
            Tried::GivenUp(format!("`{}` and {NAMES} names like it are taken", put.branch))
        };
        tx.commit().await?;
        Ok(tried)
    }
}
