//! What is said on a pull request: the one updating comment, and answers, each once. Every one holds a hidden marker, by
//! which it is found before it is said again.

use loops::{id::AttemptId, screen::secrets};

use super::{Sending, Tried, key};
use crate::{
    engine::{EngineError, talk},
    github::GitHubError,
    store::{
        outbox::{self, EffectState},
        pulls,
    },
};

impl Sending<'_> {
    /// The updating comment: edited where it stands, made where it does not.
    pub(super) async fn news(&self, number: u32, body: &str) -> Result<Tried, EngineError> {
        let Some(row) = pulls::get(&self.home.store, self.proposal.id).await? else {
            return Ok(Tried::NotYet);
        };
        if number < talk::last_said(&row) {
            return Ok(Tried::Obsolete("a later word took its place".to_owned()));
        }
        let marker = talk::marker(&self.proposal);
        let body = &self.held(body).await?;
        let known = talk::comment_of(&row);
        let (id, left) = match self.repository.find_comment(row.number, &marker).await? {
            Some(there) => {
                if there.body.replace("\r\n", "\n").trim_end() != body.trim_end() {
                    self.repository.edit_comment(there.id, body).await?;
                }
                (there.id, known.is_some_and(|known| known != there.id))
            }
            None => self.take_over(row.number, known, body).await?,
        };
        let mut tx = self.done().await?;
        talk::commented(&mut tx, &self.proposal, id, left).await?;
        tx.commit().await?;
        Ok(Tried::Done)
    }

    /// None of the comments is by the login that we have now. The one that we wrote under another is kept up if we may;
    /// else there is a new one. Gives which it is, and whether an old one stays as it is.
    async fn take_over(
        &self,
        number: u64,
        known: Option<u64>,
        body: &str,
    ) -> Result<(u64, bool), GitHubError> {
        let mut left = false;
        if let Some(known) = known {
            match self.repository.edit_comment(known, body).await {
                Ok(there) => return Ok((there.id, false)),
                Err(GitHubError::Forbidden { .. }) => left = true,
                // A person has taken it away.
                Err(GitHubError::NotFound { .. } | GitHubError::Gone { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let made = self.repository.comment(number, body).await?;
        Ok((made.id, left))
    }

    /// An answer, in a thread or under the pull request. `after`: not before the branch has this attempt's change.
    pub(super) async fn say(
        &self,
        thread: Option<u64>,
        words: &str,
        after: Option<AttemptId>,
    ) -> Result<Tried, EngineError> {
        let Some(row) = pulls::get(&self.home.store, self.proposal.id).await? else {
            return Ok(Tried::NotYet);
        };
        if let Some(attempt) = after {
            let branch = key("branch", self.proposal.id, &attempt);
            match outbox::get(&self.home.store, &branch)
                .await?
                .map(|branch| branch.state)
            {
                Some(EffectState::Done) => {}
                Some(EffectState::Pending) => return Ok(Tried::NotYet),
                Some(EffectState::Failed) | None => {
                    return Ok(Tried::Obsolete("its change did not reach the branch".to_owned()));
                }
            }
        }
        let marker = format!("<!-- loops:{} -->", self.key);
        let body = format!("{}\n\n{marker}\n", secrets::mask(&self.held(words).await?));
        match thread {
            None => {
                if self.repository.find_comment(row.number, &marker).await?.is_none() {
                    self.repository.comment(row.number, &body).await?;
                }
            }
            Some(first) => {
                let me = self.repository.me().await?;
                let said = self.repository.review_comments(row.number, None).await?;
                let there = said
                    .iter()
                    .any(|comment| me.is(&comment.author) && comment.body.contains(&marker));
                if !there {
                    match self.repository.reply(row.number, first, &body).await {
                        Err(GitHubError::NotFound { .. }) => {
                            return Ok(Tried::Obsolete("the thread is gone".to_owned()));
                        }
                        said => drop(said?),
                    }
                }
            }
        }
        self.done().await?.commit().await?;
        Ok(Tried::Done)
    }
}
