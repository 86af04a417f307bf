//! One repository: its name, what it is, and how its branches are guarded. Its issues and pull requests are elsewhere.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    GitHubError, Hub,
    answer::{Answer, cut},
    ask::Ask,
    pages,
};
use crate::config::github::FullName;

/// One repository. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Repository {
    hub: Hub,
    name: FullName,
}

/// What a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its name now; it may have been renamed.
    pub full_name: String,
    /// The branch that it opens with.
    pub default_branch: String,
    /// Whether only some people may see it.
    pub private: bool,
    /// Whether nothing may be changed any more.
    pub archived: bool,
    /// Whether it has issues.
    pub has_issues: bool,
    /// Whether the login may push; for an App this is not told here, and true.
    pub can_push: bool,
    /// How a pull request may be merged, the one we would take first: `squash`, `merge` or `rebase`.
    pub merge_methods: Vec<&'static str>,
}

/// How a branch is guarded, as far as everybody with read access is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Protection {
    /// Whether there is any rule or protection on it.
    pub protected: bool,
    /// The checks without which nothing is merged, sorted.
    pub required: Vec<String>,
}

#[derive(Deserialize)]
struct Raw {
    full_name: String,
    default_branch: String,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    archived: bool,
    #[serde(default = "yes")]
    has_issues: bool,
    permissions: Option<Permissions>,
    allow_squash_merge: Option<bool>,
    allow_merge_commit: Option<bool>,
    allow_rebase_merge: Option<bool>,
}

#[derive(Deserialize)]
struct Permissions {
    #[serde(default)]
    push: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default)]
    protected: bool,
    protection: Option<BranchProtection>,
}

#[derive(Deserialize)]
struct BranchProtection {
    required_status_checks: Option<RequiredChecks>,
}

#[derive(Deserialize)]
struct RequiredChecks {
    #[serde(default)]
    contexts: Vec<String>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    parameters: Value,
}

impl Repository {
    pub(super) fn new(hub: Hub, name: FullName) -> Self {
        Self { hub, name }
    }

    pub(super) fn hub(&self) -> &Hub {
        &self.hub
    }

    pub(super) fn owner(&self) -> &str {
        &self.name.owner
    }

    pub(super) fn short_name(&self) -> &str {
        &self.name.name
    }

    /// `owner/name`.
    #[must_use]
    pub fn full_name(&self) -> String {
        self.name.to_string()
    }

    /// Where people see it.
    #[must_use]
    pub fn page(&self) -> String {
        let site = self.hub.site();
        format!("{}/{}", site.as_str().trim_end_matches('/'), self.name)
    }

    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        let mut path = vec!["repos", &*self.name.owner, &*self.name.name];
        path.extend(rest);
        path
    }

    pub(super) fn get(&self, rest: &[&str], doing: &str) -> Ask {
        Ask::get(&self.path(rest), doing)
    }

    pub(super) fn post(&self, rest: &[&str], body: &impl Serialize, doing: &str) -> Ask {
        Ask::post(&self.path(rest), body, doing)
    }

    pub(super) fn patch(&self, rest: &[&str], body: &impl Serialize, doing: &str) -> Ask {
        Ask::with(hyper::Method::PATCH, &self.path(rest), body, doing)
    }

    pub(super) fn put(&self, rest: &[&str], body: &impl Serialize, doing: &str) -> Ask {
        Ask::with(hyper::Method::PUT, &self.path(rest), body, doing)
    }

    /// Asks in our name for what belongs to this repository's owner.
    pub(super) async fn call(&self, ask: Ask) -> Result<Answer, GitHubError> {
        self.hub.wire().call(&ask.owner(self.owner())).await
    }

    /// All of a list that comes in pages.
    pub(super) async fn all<T: serde::de::DeserializeOwned>(
        &self,
        ask: Ask,
        of: Option<&str>,
    ) -> Result<Vec<T>, GitHubError> {
        pages::all(self.hub.wire(), ask.owner(self.owner()), of).await
    }

    /// What it is.
    ///
    /// # Errors
    /// If it is not there, or the login may not see it.
    pub async fn facts(&self) -> Result<Facts, GitHubError> {
        let doing = format!("look at `{}`", self.name);
        let raw: Raw = self.call(self.get(&[], &doing)).await?.json(&doing)?;
        let methods = [
            ("squash", raw.allow_squash_merge),
            ("merge", raw.allow_merge_commit),
            ("rebase", raw.allow_rebase_merge),
        ];
        Ok(Facts {
            full_name: cut(&raw.full_name),
            default_branch: raw.default_branch,
            private: raw.private,
            archived: raw.archived,
            has_issues: raw.has_issues,
            can_push: raw.permissions.is_none_or(|permissions| permissions.push),
            // Who may not push is not told the methods.
            merge_methods: methods
                .into_iter()
                .filter(|(_, allowed)| allowed.unwrap_or(true))
                .map(|(method, _)| method)
                .collect(),
        })
    }

    /// How a branch is guarded. Needs no more than read access.
    ///
    /// # Errors
    /// If there is no such branch, or GitHub does not say.
    pub async fn protection(&self, branch: &str) -> Result<Protection, GitHubError> {
        let doing = format!(
            "tell how the branch `{}` of `{}` is guarded",
            cut(branch),
            self.name
        );
        let told: Branch = self
            .call(self.get(&["branches", branch], &doing))
            .await?
            .json(&doing)?;
        let mut required = told
            .protection
            .and_then(|protection| protection.required_status_checks)
            .map(|checks| checks.contexts)
            .unwrap_or_default();
        // Older GitHub Enterprise has no rules, and says that there is nothing.
        let rules: Vec<Rule> = match self
            .all(self.get(&["rules", "branches", branch], &doing), None)
            .await
        {
            Err(GitHubError::NotFound { .. }) => vec![],
            rules => rules?,
        };
        let mut protected = told.protected;
        for rule in rules {
            protected = true;
            if rule.kind == "required_status_checks" {
                let checks = rule
                    .parameters
                    .get("required_status_checks")
                    .and_then(Value::as_array);
                let names = checks
                    .into_iter()
                    .flatten()
                    .filter_map(|check| check.get("context")?.as_str());
                required.extend(names.map(str::to_owned));
            }
        }
        required.sort();
        required.dedup();
        Ok(Protection { protected, required })
    }
}

impl Hub {
    /// Asks the other API and gives what it found.
    pub(super) async fn graphql(&self, ask: Ask) -> Result<Value, GitHubError> {
        let mut answer: Value = self.wire().call(&ask).await?.json(&ask.doing)?;
        let errors = answer.get("errors").and_then(Value::as_array);
        if let Some(first) = errors.and_then(|errors| errors.first()) {
            let text = |key: &str| cut(first.get(key).and_then(Value::as_str).unwrap_or_default());
            let (doing, message) = (ask.doing, text("message"));
            return Err(match text("type").as_str() {
                "FORBIDDEN" | "INSUFFICIENT_SCOPES" => GitHubError::Forbidden {
                    doing,
                    message,
                    wanted: None,
                },
                "NOT_FOUND" => GitHubError::NotFound { doing, wanted: None },
                _ => GitHubError::Invalid { doing, message },
            });
        }
        Ok(answer.get_mut("data").map(Value::take).unwrap_or_default())
    }
}
