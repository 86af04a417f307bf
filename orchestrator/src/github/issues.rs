//! Issues that we keep ourselves, like the dashboard: found, made, edited. Reading issues as signals is elsewhere.

use loops::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    GitHubError, Repository,
    answer::cut,
    pulls::{Login, Named},
};

/// An issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Its number.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Its text; may be empty.
    pub body: String,
    /// Whether it is open.
    pub open: bool,
    /// Who opened it; empty if the account is gone.
    pub author: String,
    /// Whether a program did.
    pub author_is_bot: bool,
    /// Its labels.
    pub labels: Vec<String>,
    /// Whether it is a pull request.
    pub is_pull: bool,
    /// Who closed it, if GitHub says.
    pub closed_by: Option<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Where people see it.
    pub url: String,
}

/// An issue to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewIssue {
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: String,
    /// Its labels.
    pub labels: Vec<String>,
}

/// What is to change in an issue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EditIssue {
    /// The new title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The new text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// `open` or `closed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// All its labels from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct Raw {
    number: u64,
    title: String,
    body: Option<String>,
    state: String,
    user: Option<Login>,
    #[serde(default)]
    labels: Vec<Named>,
    pull_request: Option<Value>,
    closed_by: Option<Login>,
    created_at: Timestamp,
    updated_at: Timestamp,
    html_url: String,
}

impl From<Raw> for Issue {
    fn from(raw: Raw) -> Self {
        Self {
            number: raw.number,
            title: raw.title,
            body: raw.body.unwrap_or_default(),
            open: raw.state == "open",
            author_is_bot: raw.user.as_ref().is_some_and(Login::is_bot),
            author: raw.user.map(|user| user.login).unwrap_or_default(),
            labels: raw.labels.into_iter().map(|label| label.name).collect(),
            is_pull: raw.pull_request.is_some(),
            closed_by: raw.closed_by.map(|user| user.login),
            created_at: raw.created_at,
            updated_at: raw.updated_at,
            url: raw.html_url,
        }
    }
}

impl Repository {
    /// An issue by its number. A pull request is one, too.
    ///
    /// # Errors
    /// If there is none, or GitHub cannot be asked.
    pub async fn issue(&self, number: u64) -> Result<Issue, GitHubError> {
        let doing = self.of_pull("look at", number);
        let answer = self
            .call(self.get(&["issues", &number.to_string()], &doing))
            .await?;
        Ok(answer.json::<Raw>(&doing)?.into())
    }

    /// The issue of ours with this label whose text holds `marker`, in any state; the oldest, if there are several.
    ///
    /// # Errors
    /// If GitHub cannot be asked.
    pub async fn find_issue(&self, label: &str, marker: &str) -> Result<Option<Issue>, GitHubError> {
        let me = self.me().await?;
        let doing = format!(
            "look for our issue with the label `{}` in `{}`",
            cut(label),
            self.full_name()
        );
        let ask = self
            .get(&["issues"], &doing)
            .query("labels", label)
            .query("state", "all")
            .query("sort", "created")
            .query("direction", "asc");
        let all: Vec<Raw> = self.all(ask, None).await?;
        Ok(all
            .into_iter()
            .map(Issue::from)
            .find(|issue| !issue.is_pull && me.is(&issue.author) && issue.body.contains(marker)))
    }

    /// Makes an issue.
    ///
    /// # Errors
    /// [`GitHubError::Gone`] if the repository has no issues, [`GitHubError::Ambiguous`] if nobody knows.
    pub async fn create_issue(&self, new: &NewIssue) -> Result<Issue, GitHubError> {
        let doing = format!("open an issue in `{}`", self.full_name());
        let answer = self.call(self.post(&["issues"], new, &doing)).await?;
        Ok(answer.json::<Raw>(&doing)?.into())
    }

    /// Changes an issue.
    ///
    /// # Errors
    /// If GitHub does not do it.
    pub async fn edit_issue(&self, number: u64, edit: &EditIssue) -> Result<Issue, GitHubError> {
        let doing = self.of_pull("edit", number);
        let ask = self
            .patch(&["issues", &number.to_string()], edit, &doing)
            .repeatable();
        Ok(self.call(ask).await?.json::<Raw>(&doing)?.into())
    }
}
