//! Pull requests: found, opened, edited, made ready, merged. What is said under them is elsewhere.

use hyper::Method;
use loops::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{GitHubError, Repository, answer::cut, ask::Ask};

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// Where people see it.
    pub url: String,
    /// Its title.
    pub title: String,
    /// Its page; empty if there is none.
    pub body: String,
    /// Where it stands.
    pub state: PullState,
    /// Whether it is a draft.
    pub draft: bool,
    /// The branch that it would merge.
    pub head_branch: String,
    /// The commit that this branch is at.
    pub head: String,
    /// Whether the branch is in this repository, not in a fork of it.
    pub from_here: bool,
    /// The branch that it would change.
    pub base_branch: String,
    /// The commit that this branch was at when the pull request was opened or its own branch was pushed to last: it does
    /// not follow the base branch.
    pub base: String,
    /// Who opened it.
    pub author: Option<String>,
    /// Who merged it.
    pub merged_by: Option<String>,
    /// The commit that merged it; while it is open, one that GitHub made for trying.
    pub merge_commit: Option<String>,
    /// Who closed it without a merge; asked for by [`Repository::closed_by`], else none.
    pub closed_by: Option<String>,
    /// Whether it can be merged; none: GitHub has not found out yet.
    pub mergeable: Option<bool>,
    /// Why or why not, in GitHub's word: `clean`, `dirty`, `blocked`, `behind`, `unstable`, `draft`, `unknown`, …
    pub mergeable_state: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// People whose review is asked for.
    pub requested_reviewers: Vec<String>,
    /// Teams whose review is asked for.
    pub requested_teams: Vec<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was closed or merged.
    pub closed_at: Option<Timestamp>,
    /// Its id in the other API.
    pub(super) node_id: String,
}

/// Where a pull request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullState {
    /// Open, draft or not.
    Open,
    /// Closed without a merge.
    Closed,
    /// Merged.
    Merged,
}

/// Who closed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closer {
    /// Their name.
    pub login: String,
    /// Whether a program did.
    pub is_bot: bool,
}

/// A pull request to be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewPull {
    /// Its title.
    pub title: String,
    /// Its page.
    pub body: String,
    /// The branch to be merged.
    pub head: String,
    /// The branch to be changed.
    pub base: String,
    /// Whether as a draft, where there are drafts.
    pub draft: bool,
}

/// What is to change in a pull request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EditPull {
    /// The new title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The new page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// `open` or `closed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
}

/// A name of somebody, as GitHub gives it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Login {
    pub(super) login: String,
    #[serde(rename = "type", default)]
    pub(super) kind: String,
}

impl Login {
    /// Whether a program speaks under this name.
    pub(super) fn is_bot(&self) -> bool {
        self.kind == "Bot" || self.login.ends_with("[bot]")
    }
}

/// A name of something.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Named {
    #[serde(alias = "slug")]
    pub(super) name: String,
}

#[derive(Deserialize)]
struct Raw {
    number: u64,
    node_id: String,
    html_url: String,
    title: String,
    body: Option<String>,
    state: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    merged: bool,
    merged_at: Option<String>,
    head: Ref,
    base: Ref,
    user: Option<Login>,
    merged_by: Option<Login>,
    merge_commit_sha: Option<String>,
    mergeable: Option<bool>,
    mergeable_state: Option<String>,
    #[serde(default)]
    labels: Vec<Named>,
    #[serde(default)]
    requested_reviewers: Vec<Login>,
    #[serde(default)]
    requested_teams: Vec<Team>,
    created_at: Timestamp,
    updated_at: Timestamp,
    closed_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Team {
    slug: String,
}

#[derive(Deserialize)]
struct Ref {
    #[serde(rename = "ref")]
    name: String,
    sha: String,
    repo: Option<Repo>,
}

#[derive(Deserialize)]
struct Repo {
    full_name: String,
}

#[derive(Deserialize)]
struct Merged {
    sha: String,
}

#[cfg(test)]
impl Pull {
    /// An open one, for tests of what is decided about it.
    pub(crate) fn of_test(base_branch: &str, head: &str) -> Self {
        Self {
            number: 1,
            url: String::new(),
            title: String::new(),
            body: String::new(),
            state: PullState::Open,
            draft: false,
            head_branch: "loops/fix/x".to_owned(),
            head: head.to_owned(),
            from_here: true,
            base_branch: base_branch.to_owned(),
            base: String::new(),
            author: None,
            merged_by: None,
            merge_commit: None,
            closed_by: None,
            mergeable: None,
            mergeable_state: String::new(),
            labels: vec![],
            requested_reviewers: vec![],
            requested_teams: vec![],
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            closed_at: None,
            node_id: String::new(),
        }
    }
}

impl From<Raw> for Pull {
    fn from(raw: Raw) -> Self {
        let here = raw.base.repo.as_ref().map(|repo| repo.full_name.clone());
        let state = match raw.state.as_str() {
            _ if raw.merged || raw.merged_at.is_some() => PullState::Merged,
            "open" => PullState::Open,
            _ => PullState::Closed,
        };
        let logins = |all: Vec<Login>| all.into_iter().map(|user| user.login).collect();
        Self {
            number: raw.number,
            url: raw.html_url,
            title: raw.title,
            body: raw.body.unwrap_or_default(),
            state,
            draft: raw.draft,
            from_here: raw.head.repo.is_some_and(|repo| Some(repo.full_name) == here),
            head_branch: raw.head.name,
            head: raw.head.sha,
            base_branch: raw.base.name,
            base: raw.base.sha,
            author: raw.user.map(|user| user.login),
            merged_by: raw.merged_by.map(|user| user.login),
            merge_commit: raw.merge_commit_sha,
            closed_by: None,
            mergeable: raw.mergeable,
            mergeable_state: raw.mergeable_state.unwrap_or_else(|| "unknown".to_owned()),
            labels: raw.labels.into_iter().map(|label| label.name).collect(),
            requested_reviewers: logins(raw.requested_reviewers),
            requested_teams: raw.requested_teams.into_iter().map(|team| team.slug).collect(),
            created_at: raw.created_at,
            updated_at: raw.updated_at,
            closed_at: raw.closed_at,
            node_id: raw.node_id,
        }
    }
}

impl Repository {
    /// A pull request by its number.
    ///
    /// # Errors
    /// If there is none, or GitHub cannot be asked.
    pub async fn pull(&self, number: u64) -> Result<Pull, GitHubError> {
        let doing = self.of_pull("look at", number);
        let answer = self
            .call(self.get(&["pulls", &number.to_string()], &doing))
            .await?;
        Ok(answer.json::<Raw>(&doing)?.into())
    }

    /// The newest pull request of a branch of this repository, in any state.
    ///
    /// # Errors
    /// If GitHub cannot be asked.
    pub async fn pull_of_branch(&self, branch: &str) -> Result<Option<Pull>, GitHubError> {
        let doing = format!(
            "look for the pull request of `{}` in `{}`",
            cut(branch),
            self.full_name()
        );
        let ask = self
            .get(&["pulls"], &doing)
            .query("state", "all")
            .query("head", format!("{}:{branch}", self.owner()))
            .query("sort", "created")
            .query("direction", "desc");
        let found: Vec<Raw> = self.all(ask, None).await?;
        let found = found.into_iter().map(Pull::from);
        // Where the owner of this repository has a fork of it, its branches have the same name.
        let newest = found
            .filter(|pull| pull.head_branch == branch && pull.from_here)
            .max_by_key(|pull| pull.number);
        match newest {
            // A list says less than the pull request itself.
            Some(pull) => self.pull(pull.number).await.map(Some),
            None => Ok(None),
        }
    }

    /// Opens a pull request; as a normal one where the repository has no drafts.
    ///
    /// # Errors
    /// [`GitHubError::Exists`] if the branch has one that is open, [`GitHubError::Ambiguous`] if nobody knows.
    pub async fn open_pull(&self, new: &NewPull) -> Result<Pull, GitHubError> {
        let doing = format!(
            "open a pull request for `{}` in `{}`",
            cut(&new.head),
            self.full_name()
        );
        let opened = match self.call(self.post(&["pulls"], new, &doing)).await {
            Err(GitHubError::Invalid { message, .. })
                if new.draft && message.to_lowercase().contains("draft") =>
            {
                let normal = NewPull {
                    draft: false,
                    ..new.clone()
                };
                self.call(self.post(&["pulls"], &normal, &doing)).await?
            }
            opened => opened?,
        };
        Ok(opened.json::<Raw>(&doing)?.into())
    }

    /// Changes title, page or state.
    ///
    /// # Errors
    /// If GitHub does not do it.
    pub async fn edit_pull(&self, number: u64, edit: &EditPull) -> Result<Pull, GitHubError> {
        let doing = self.of_pull("edit", number);
        // The same edit twice is one edit.
        let ask = self
            .patch(&["pulls", &number.to_string()], edit, &doing)
            .repeatable();
        Ok(self.call(ask).await?.json::<Raw>(&doing)?.into())
    }

    /// Makes a draft ready for review; one that is ready stays so.
    ///
    /// # Errors
    /// If GitHub does not do it.
    pub async fn ready(&self, number: u64) -> Result<(), GitHubError> {
        let pull = self.pull(number).await?;
        if !pull.draft {
            return Ok(());
        }
        let mutation = "mutation($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) \
                        { pullRequest { isDraft } } }";
        let doing = self.of_pull("make ready for review", number);
        let ask = Ask::graphql(mutation, json!({ "id": pull.node_id }), &doing);
        self.hub()
            .graphql(ask.owner(self.owner()).repeatable())
            .await
            .map(drop)
    }

    /// Adds labels; those that are not there are made by GitHub.
    ///
    /// # Errors
    /// If GitHub does not do it.
    pub async fn add_labels(&self, number: u64, labels: &[String]) -> Result<(), GitHubError> {
        if labels.is_empty() {
            return Ok(());
        }
        let doing = self.of_pull("label", number);
        let body = json!({ "labels": labels });
        let ask = self.post(&["issues", &number.to_string(), "labels"], &body, &doing);
        self.call(ask.repeatable()).await.map(drop)
    }

    /// Takes a label away; one that is not there is no error.
    ///
    /// # Errors
    /// If GitHub does not do it.
    pub async fn remove_label(&self, number: u64, label: &str) -> Result<(), GitHubError> {
        let doing = self.of_pull("take a label from", number);
        let mut ask = self.get(&["issues", &number.to_string(), "labels", label], &doing);
        ask.method = Method::DELETE;
        match self.call(ask).await {
            Err(GitHubError::NotFound { .. }) => Ok(()),
            done => done.map(drop),
        }
    }

    /// Asks people and teams for their review, and gives those of whom GitHub does not let us ask it.
    ///
    /// # Errors
    /// If nobody can be asked at all.
    pub async fn request_reviewers(
        &self,
        number: u64,
        users: &[String],
        teams: &[String],
    ) -> Result<Vec<String>, GitHubError> {
        if users.is_empty() && teams.is_empty() {
            return Ok(vec![]);
        }
        match self.request(number, users, teams).await {
            Err(GitHubError::Invalid { .. }) => {}
            done => return done.map(|()| vec![]),
        }
        // One who cannot be asked spoils it for all: each is asked alone.
        let mut refused = vec![];
        let one = |name: &String| vec![name.clone()];
        for (name, users, teams) in users
            .iter()
            .map(|user| (user, one(user), vec![]))
            .chain(teams.iter().map(|team| (team, vec![], one(team))))
        {
            match self.request(number, &users, &teams).await {
                Ok(()) => {}
                Err(GitHubError::Invalid { .. } | GitHubError::NotFound { .. }) => refused.push(name.clone()),
                Err(error) => return Err(error),
            }
        }
        Ok(refused)
    }

    async fn request(&self, number: u64, users: &[String], teams: &[String]) -> Result<(), GitHubError> {
        let doing = self.of_pull("ask for reviews of", number);
        let body = json!({ "reviewers": users, "team_reviewers": teams });
        let path = ["pulls", &number.to_string(), "requested_reviewers"];
        let ask = self.post(&path, &body, &doing).repeatable();
        self.call(ask).await.map(drop)
    }

    /// Merges what is at `head`, and gives the commit. By squashing where the repository allows it.
    ///
    /// # Errors
    /// [`GitHubError::Conflict`] if it cannot be merged, or is not at `head` any more.
    pub async fn merge(&self, number: u64, head: &str, title: &str) -> Result<String, GitHubError> {
        let doing = self.of_pull("merge", number);
        let facts = self.facts().await?;
        let method = facts.merge_methods.first().copied().unwrap_or("merge");
        let body = json!({ "sha": head, "commit_title": title, "merge_method": method });
        let ask = self.put(&["pulls", &number.to_string(), "merge"], &body, &doing);
        Ok(self.call(ask).await?.json::<Merged>(&doing)?.sha)
    }

    /// Who closed a pull request or an issue, if GitHub says.
    ///
    /// # Errors
    /// If there is none, or GitHub cannot be asked.
    pub async fn closer(&self, number: u64) -> Result<Option<Closer>, GitHubError> {
        #[derive(Deserialize)]
        struct Raw {
            closed_by: Option<Login>,
        }
        let doing = self.of_pull("look who closed", number);
        let answer = self
            .call(self.get(&["issues", &number.to_string()], &doing))
            .await?;
        let by = answer.json::<Raw>(&doing)?.closed_by;
        Ok(by.map(|by| Closer {
            is_bot: by.is_bot(),
            login: by.login,
        }))
    }

    /// Who closed a pull request or an issue, by name.
    ///
    /// # Errors
    /// As [`Self::closer`].
    pub async fn closed_by(&self, number: u64) -> Result<Option<String>, GitHubError> {
        Ok(self.closer(number).await?.map(|closer| closer.login))
    }

    /// For messages: what is done to which.
    pub(super) fn of_pull(&self, verb: &str, number: u64) -> String {
        format!("{verb} {}#{number}", self.full_name())
    }
}
