//! How a pull request ends by our hand: merged, or closed with a word.

use loops::{
    screen::clean::{self, Allowed},
    text::one_line,
};

use super::{Sending, Tried};
use crate::{
    engine::{EngineError, settle::record_merged, talk},
    github::{EditPull, GitHubError, Pull, PullState},
    store::{
        proposals::{self, Proposal, ProposalState},
        pulls,
    },
};

impl Sending<'_> {
    pub(super) async fn merge(&self, head: &str, base: &str) -> Result<Tried, EngineError> {
        if let Some(why) = self.unwanted(head).await? {
            return Ok(why);
        }
        let Some(row) = pulls::get(&self.home.store, self.proposal.id).await? else {
            return Ok(Tried::NotYet);
        };
        let pull = self.repository.pull(row.number).await?;
        let commit = match pull.state {
            PullState::Merged => pull.merge_commit.unwrap_or(pull.head),
            PullState::Closed => return Ok(Tried::GivenUp("it was closed".to_owned())),
            PullState::Open if pull.head != head => {
                // GitHub may have yet to notice our own push.
                if self
                    .repository
                    .branch_head(&self.proposal.branch)
                    .await?
                    .as_deref()
                    == Some(head)
                {
                    return Ok(Tried::NotYet);
                }
                return Ok(Tried::GivenUp(
                    "somebody has pushed to it since it was proven".to_owned(),
                ));
            }
            PullState::Open if pull.base_branch != self.proposal.base_branch => {
                return Ok(Tried::GivenUp(goes_elsewhere(&self.proposal, &pull)));
            }
            PullState::Open => {
                if self
                    .repository
                    .branch_head(&self.proposal.base_branch)
                    .await?
                    .as_deref()
                    != Some(base)
                {
                    return Ok(Tried::GivenUp(
                        "the base has moved since it was proven; approve it again".to_owned(),
                    ));
                }
                if pull.draft {
                    self.repository.ready(row.number).await?;
                }
                // GitHub was asked several things meanwhile, and somebody may have said something.
                if let Some(why) = self.unwanted(head).await? {
                    return Ok(why);
                }
                self.repository
                    .merge(row.number, head, &self.proposal.title)
                    .await?
            }
        };
        let mut tx = self.done().await?;
        record_merged(&mut tx, &self.proposal, &commit).await?;
        tx.commit().await?;
        Ok(Tried::Done)
    }

    /// Why the merge of this commit is not wanted as things stand now, if it is not. An approval holds for what was
    /// approved, and only as long as nobody has said anything else.
    async fn unwanted(&self, head: &str) -> Result<Option<Tried>, EngineError> {
        let Some(now) = proposals::get(&self.home.store, self.proposal.id).await? else {
            return Ok(Some(Tried::Obsolete("the proposal is gone".to_owned())));
        };
        if now.state != ProposalState::Approved {
            return Ok(Some(Tried::Obsolete(format!("the proposal is {}", now.state))));
        }
        if now.head != head {
            return Ok(Some(Tried::Obsolete(
                "the proposal has another change by now".to_owned(),
            )));
        }
        let row = pulls::get(&self.home.store, now.id).await?;
        let alone = row.and_then(|row| row.hands_off);
        Ok(alone.map(|why| Tried::GivenUp(format!("it is left alone: {why}"))))
    }

    pub(super) async fn close(&self, words: &str, head: &str) -> Result<Tried, EngineError> {
        let Some(row) = pulls::get(&self.home.store, self.proposal.id).await? else {
            // It was never opened; the branch may be there all the same. Who may not push may look.
            if self
                .repository
                .branch_head(&self.proposal.branch)
                .await?
                .is_some()
            {
                self.remove_branch(head).await?;
            }
            self.done().await?.commit().await?;
            return Ok(Tried::Done);
        };
        // The key counts how often it was opened again: each closing has its word.
        let marker = format!("<!-- loops:{} -->", self.key);
        if self.repository.find_comment(row.number, &marker).await?.is_none() {
            let words = clean::inline(&self.held(words).await?, &Allowed::default());
            self.repository
                .comment(row.number, &format!("{words}\n\n{marker}"))
                .await?;
        }
        let mut pull = self.repository.pull(row.number).await?;
        if pull.state == PullState::Open {
            let edit = EditPull {
                state: Some("closed"),
                ..EditPull::default()
            };
            pull = self.repository.edit_pull(row.number, &edit).await?;
        }
        self.remove_branch(head).await?;
        let mut tx = self.done().await?;
        talk::closed(&mut tx, &self.proposal, pull.closed_at).await?;
        tx.commit().await?;
        Ok(Tried::Done)
    }

    /// Takes the branch away if it is as we left it; if somebody has pushed to it, it is theirs and stays.
    async fn remove_branch(&self, head: &str) -> Result<(), GitHubError> {
        match self.repository.remove_branch(&self.proposal.branch, head).await {
            Err(GitHubError::Moved { .. }) => Ok(()),
            done => done,
        }
    }
}

/// Why a pull request is not merged whose base branch somebody has changed: it was proven for another one.
pub(crate) fn goes_elsewhere(proposal: &Proposal, pull: &Pull) -> String {
    format!(
        "somebody has changed its base branch to `{}`, and it was proven for `{}`",
        one_line(&pull.base_branch, 80),
        one_line(&proposal.base_branch, 80)
    )
}
