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
        match self.repository.find_comment(row.number, &marker).await? {
            Some(there) if there.body.replace("\r\n", "\n").trim_end() == body.trim_end() => {}
            Some(there) => drop(self.repository.edit_comment(there.id, body).await?),
            None => drop(self.repository.comment(row.number, body).await?),
        }
        self.done().await?.commit().await?;
        Ok(Tried::Done)
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
