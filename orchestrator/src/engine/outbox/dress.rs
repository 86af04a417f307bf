//! What stands beside a pull request: labels, who is asked to review, and a status at the commit.

use super::{Sending, Tried};
use crate::{
    engine::EngineError,
    github::{Status, StatusState},
    store::pulls,
};

impl Sending<'_> {
    pub(super) async fn dress(&self, labels: &[String], reviewers: &[String]) -> Result<Tried, EngineError> {
        let Some(pull) = pulls::get(&self.home.store, self.proposal.id).await? else {
            return Ok(Tried::NotYet);
        };
        if !labels.is_empty() {
            self.repository.add_labels(pull.number, labels).await?;
        }
        let names = || reviewers.iter().map(|name| name.trim_start_matches('@'));
        let teams: Vec<String> = names()
            .filter_map(|name| Some(name.split_once('/')?.1.to_owned()))
            .collect();
        let people: Vec<String> = names()
            .filter(|name| !name.contains('/'))
            .map(str::to_owned)
            .collect();
        if !(teams.is_empty() && people.is_empty()) {
            let refused = self
                .repository
                .request_reviewers(pull.number, &people, &teams)
                .await?;
            if !refused.is_empty() {
                tracing::info!(pull = pull.url, ?refused, "GitHub does not take these reviewers");
            }
        }
        self.done().await?.commit().await?;
        Ok(Tried::Done)
    }

    pub(super) async fn status(
        &self,
        head: &str,
        context: String,
        description: String,
    ) -> Result<Tried, EngineError> {
        if head != self.proposal.head {
            return Ok(Tried::Obsolete("a later attempt took its place".to_owned()));
        }
        let Some(pull) = pulls::get(&self.home.store, self.proposal.id).await? else {
            return Ok(Tried::NotYet);
        };
        let status = Status {
            context,
            state: StatusState::Success,
            description,
            url: Some(pull.url),
        };
        self.repository.put_status(head, &status).await?;
        self.done().await?.commit().await?;
        Ok(Tried::Done)
    }
}
