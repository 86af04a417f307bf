//! What stands beside a pull request: labels, who is asked to review, and the evidence at the commit: a check run where
//! the login is an App's, else a commit status.

use super::{Sending, Tried};
use crate::{
    engine::EngineError,
    github::{Conclusion, GitHubError, NewCheckRun, Status, StatusState},
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
        let description = self.held(&description).await?;
        if self.repository.me().await?.app && self.check_run(head, &context, &description, &pull.url).await? {
            self.done().await?.commit().await?;
            return Ok(Tried::Done);
        }
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

    /// The evidence as a check run, which only an App may make; false: this App may not, either. One that is there already
    /// is said anew.
    async fn check_run(
        &self,
        head: &str,
        name: &str,
        description: &str,
        url: &str,
    ) -> Result<bool, EngineError> {
        let id = format!("loops:{}", self.proposal.id);
        let page = loops::page::without_title(&self.proposal.body);
        let run = NewCheckRun {
            name: name.to_owned(),
            conclusion: Some(Conclusion::Success),
            url: Some(url.to_owned()),
            title: description.to_owned(),
            summary: page.to_owned(),
            external_id: Some(id.clone()),
        };
        let made = match self.repository.find_check_run(head, name, &id).await? {
            Some(there) => self.repository.edit_check_run(there, &run).await,
            None => self.repository.create_check_run(head, &run).await.map(drop),
        };
        match made {
            Ok(()) => Ok(true),
            // Without `checks: write`, which `doctor` names, a commit status says the same in less.
            Err(GitHubError::Forbidden { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
