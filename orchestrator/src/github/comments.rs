//! What is said under an issue or a pull request, and saying it. Review comments are elsewhere.

use loops::time::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{GitHubError, Repository, pulls::Login};

/// How every hidden marker of ours begins. What holds one was written by us.
pub const HIDDEN: &str = "<!-- loops:";

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its id.
    pub id: u64,
    /// Who wrote it; empty if the account is gone.
    pub author: String,
    /// Whether a program did.
    pub author_is_bot: bool,
    /// The words.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Where people see it.
    pub url: String,
}

#[derive(Deserialize)]
pub(super) struct Raw {
    id: u64,
    user: Option<Login>,
    body: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    html_url: String,
}

impl From<Raw> for Comment {
    fn from(raw: Raw) -> Self {
        Self {
            id: raw.id,
            author_is_bot: raw.user.as_ref().is_some_and(Login::is_bot),
            author: raw.user.map(|user| user.login).unwrap_or_default(),
            body: raw.body.unwrap_or_default(),
            created_at: raw.created_at,
            updated_at: raw.updated_at,
            url: raw.html_url,
        }
    }
}

/// A moment as GitHub takes it: whole seconds.
pub(super) fn second(at: Timestamp) -> String {
    at.utc().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Repository {
    /// The comments under an issue or pull request that are new or changed since a moment, oldest first. Those of the
    /// very second may come again.
    ///
    /// # Errors
    /// If GitHub does not give them.
    pub async fn comments(&self, number: u64, since: Option<Timestamp>) -> Result<Vec<Comment>, GitHubError> {
        let doing = self.of_pull("read the comments under", number);
        let mut ask = self.get(&["issues", &number.to_string(), "comments"], &doing);
        if let Some(since) = since {
            ask = ask.query("since", second(since));
        }
        let all: Vec<Raw> = self.all(ask, None).await?;
        Ok(all.into_iter().map(Comment::from).collect())
    }

    /// Says something under an issue or pull request.
    ///
    /// # Errors
    /// If GitHub does not take it, or nobody knows whether it did.
    pub async fn comment(&self, number: u64, body: &str) -> Result<Comment, GitHubError> {
        let doing = self.of_pull("comment under", number);
        let ask = self.post(
            &["issues", &number.to_string(), "comments"],
            &json!({ "body": body }),
            &doing,
        );
        Ok(self.call(ask).await?.json::<Raw>(&doing)?.into())
    }

    /// Says it anew in the same place.
    ///
    /// # Errors
    /// If it is not there any more, or GitHub does not take it.
    pub async fn edit_comment(&self, id: u64, body: &str) -> Result<Comment, GitHubError> {
        let doing = format!("edit the comment {id} in `{}`", self.full_name());
        let path = ["issues", "comments", &id.to_string()];
        let ask = self.patch(&path, &json!({ "body": body }), &doing).repeatable();
        Ok(self.call(ask).await?.json::<Raw>(&doing)?.into())
    }

    /// The first comment of ours that holds `marker`. Others may write the marker, too; theirs do not count.
    ///
    /// # Errors
    /// If GitHub cannot be asked.
    pub async fn find_comment(&self, number: u64, marker: &str) -> Result<Option<Comment>, GitHubError> {
        let me = self.me().await?;
        let all = self.comments(number, None).await?;
        Ok(all
            .into_iter()
            .find(|comment| me.is(&comment.author) && comment.body.contains(marker)))
    }
}

impl super::Me {
    /// Whether this name is ours.
    #[must_use]
    pub fn is(&self, login: &str) -> bool {
        let plain = |name: &str| name.trim_end_matches("[bot]").to_lowercase();
        if self.app {
            plain(&self.login) == plain(login) && login.ends_with("[bot]")
        } else {
            self.login.eq_ignore_ascii_case(login)
        }
    }
}
