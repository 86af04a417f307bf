//! Reviews of a pull request: what was decided, what was said about which line, and answering there.

use loops::time::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{GitHubError, Repository, comments::second, pulls::Login};

/// A review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Its id.
    pub id: u64,
    /// Who gave it; empty if the account is gone.
    pub author: String,
    /// Whether a program did.
    pub author_is_bot: bool,
    /// GitHub's word: `APPROVED`, `CHANGES_REQUESTED`, `COMMENTED`, `DISMISSED`, `PENDING`.
    pub state: String,
    /// What was said beside it; may be empty.
    pub body: String,
    /// The commit that was looked at.
    pub commit: Option<String>,
    /// When; none: it is not handed in yet.
    pub submitted_at: Option<Timestamp>,
    /// Where people see it.
    pub url: String,
}

/// What was said about a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewComment {
    /// Its id.
    pub id: u64,
    /// The review that it belongs to.
    pub review: Option<u64>,
    /// Who wrote it; empty if the account is gone.
    pub author: String,
    /// Whether a program did.
    pub author_is_bot: bool,
    /// The words.
    pub body: String,
    /// The file.
    pub path: String,
    /// The line in the new version; none: the file, or lines that are not there any more.
    pub line: Option<u64>,
    /// The comment that it answers.
    pub in_reply_to: Option<u64>,
    /// The lines of the diff around it.
    pub diff_hunk: String,
    /// The commit that was looked at.
    pub commit: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Where people see it.
    pub url: String,
}

#[derive(Deserialize)]
pub(super) struct RawReview {
    id: u64,
    user: Option<Login>,
    state: String,
    body: Option<String>,
    commit_id: Option<String>,
    submitted_at: Option<Timestamp>,
    html_url: String,
}

#[derive(Deserialize)]
struct RawComment {
    id: u64,
    pull_request_review_id: Option<u64>,
    user: Option<Login>,
    body: Option<String>,
    path: String,
    line: Option<u64>,
    in_reply_to_id: Option<u64>,
    diff_hunk: Option<String>,
    commit_id: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    html_url: String,
}

impl From<RawReview> for Review {
    fn from(raw: RawReview) -> Self {
        Self {
            id: raw.id,
            author_is_bot: raw.user.as_ref().is_some_and(Login::is_bot),
            author: raw.user.map(|user| user.login).unwrap_or_default(),
            state: raw.state,
            body: raw.body.unwrap_or_default(),
            commit: raw.commit_id,
            submitted_at: raw.submitted_at,
            url: raw.html_url,
        }
    }
}

impl From<RawComment> for ReviewComment {
    fn from(raw: RawComment) -> Self {
        Self {
            id: raw.id,
            review: raw.pull_request_review_id,
            author_is_bot: raw.user.as_ref().is_some_and(Login::is_bot),
            author: raw.user.map(|user| user.login).unwrap_or_default(),
            body: raw.body.unwrap_or_default(),
            path: raw.path,
            line: raw.line,
            in_reply_to: raw.in_reply_to_id,
            diff_hunk: raw.diff_hunk.unwrap_or_default(),
            commit: raw.commit_id,
            created_at: raw.created_at,
            updated_at: raw.updated_at,
            url: raw.html_url,
        }
    }
}

impl Repository {
    /// The reviews of a pull request, oldest first.
    ///
    /// # Errors
    /// If GitHub does not give them.
    pub async fn reviews(&self, number: u64) -> Result<Vec<Review>, GitHubError> {
        let doing = self.of_pull("read the reviews of", number);
        let ask = self.get(&["pulls", &number.to_string(), "reviews"], &doing);
        let all: Vec<RawReview> = self.all(ask, None).await?;
        Ok(all.into_iter().map(Review::from).collect())
    }

    /// What was said about lines, new or changed since a moment. What was said in the very second may come again.
    ///
    /// # Errors
    /// If GitHub does not give it.
    pub async fn review_comments(
        &self,
        number: u64,
        since: Option<Timestamp>,
    ) -> Result<Vec<ReviewComment>, GitHubError> {
        let doing = self.of_pull("read the review comments of", number);
        let mut ask = self
            .get(&["pulls", &number.to_string(), "comments"], &doing)
            .query("sort", "updated")
            .query("direction", "asc");
        if let Some(since) = since {
            ask = ask.query("since", second(since));
        }
        let all: Vec<RawComment> = self.all(ask, None).await?;
        Ok(all.into_iter().map(ReviewComment::from).collect())
    }

    /// Answers a review comment in its thread.
    ///
    /// # Errors
    /// If GitHub does not take it, or nobody knows whether it did.
    pub async fn reply(&self, number: u64, to: u64, body: &str) -> Result<ReviewComment, GitHubError> {
        let doing = self.of_pull("answer a review comment of", number);
        let path = [
            "pulls",
            &number.to_string(),
            "comments",
            &to.to_string(),
            "replies",
        ];
        let ask = self.post(&path, &json!({ "body": body }), &doing);
        Ok(self.call(ask).await?.json::<RawComment>(&doing)?.into())
    }
}
