//! Which source an event is told to. What it says becomes what reading would have given, with the same ids.

use loops::spec::Source;

use crate::{
    github::{GitHubError, Hook, Repository},
    source::Batch,
};

impl Repository {
    /// What an event of this repository says of a source; none: it is not about it, or does not say enough. The batch
    /// has no cursor: a source is read from where it was read before.
    ///
    /// # Errors
    /// If GitHub does not say who we are, which is asked once.
    pub async fn hear(&self, source: &Source, hook: &Hook) -> Result<Option<Batch>, GitHubError> {
        Ok(match (source, hook.event.as_str()) {
            (Source::GithubIssues(source), "issues" | "issue_comment") => {
                Some(self.hear_issues(source, hook).await?)
            }
            (
                Source::GithubPulls(source),
                "issue_comment" | "pull_request" | "pull_request_review" | "pull_request_review_comment",
            ) => Some(self.hear_pulls(source, hook).await?),
            _ => None,
        })
    }
}
