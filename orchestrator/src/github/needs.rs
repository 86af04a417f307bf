//! What the login may not do that loops need, found out without changing anything. What a fine-grained token may write
//! cannot be asked, except for pushing.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{GitHubError, Repository, ask::Ask};

/// What an App needs: the permission, whether to write, and what for.
const WANTED: &[(&str, bool, &str)] = &[
    ("contents", true, "push branches"),
    ("pull_requests", true, "open pull requests and answer reviews"),
    ("issues", true, "read issues and comment under pull requests"),
    ("checks", true, "show evidence as a check, and read others'"),
    ("statuses", true, "show evidence as a commit status"),
    ("actions", false, "read why a job failed"),
];

/// A permission that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// Its name on GitHub's page, for example `issues: write`; or a scope.
    pub permission: String,
    /// What it is for.
    pub purpose: &'static str,
}

#[derive(Deserialize)]
struct Installation {
    #[serde(default)]
    permissions: BTreeMap<String, String>,
}

impl Repository {
    /// What the login lacks here.
    ///
    /// # Errors
    /// If the repository cannot be seen at all, or GitHub cannot be asked.
    pub async fn lacks(&self) -> Result<Vec<Lack>, GitHubError> {
        let doing = format!("tell what we may do in `{}`", self.full_name());
        let facts = self.facts().await?;
        if self.hub().wire().login.is_app() {
            let path = ["repos", self.owner(), self.short_name(), "installation"];
            let ask = Ask::get(&path, &doing).of_app();
            let held: Installation = self.hub().wire().call(&ask).await?.json(&doing)?;
            return Ok(lacking(&held.permissions));
        }
        let mut lacks = vec![];
        if !facts.can_push {
            lacks.push(Lack {
                permission: "contents: write".to_owned(),
                purpose: "push branches",
            });
        }
        for (permission, path, purpose) in [
            ("issues: read", &["issues"] as &[&str], "read issues"),
            ("pull_requests: read", &["pulls"], "read pull requests"),
            ("actions: read", &["actions", "runs"], "read why a job failed"),
            (
                "checks: read",
                &["commits", &facts.default_branch, "check-runs"],
                "see whether checks pass",
            ),
            (
                "statuses: read",
                &["commits", &facts.default_branch, "status"],
                "see whether checks pass",
            ),
        ] {
            match self.call(self.get(path, &doing).query("per_page", 1)).await {
                Err(GitHubError::Forbidden { .. } | GitHubError::NotFound { .. }) => lacks.push(Lack {
                    permission: permission.to_owned(),
                    purpose,
                }),
                // Switched off, or empty: nothing that a permission would change.
                Err(
                    GitHubError::Gone { .. } | GitHubError::Conflict { .. } | GitHubError::Invalid { .. },
                ) => {}
                answer => drop(answer?),
            }
        }
        Ok(lacks)
    }
}

fn lacking(held: &BTreeMap<String, String>) -> Vec<Lack> {
    let enough = |name: &str, write: bool| match held.get(name).map(String::as_str) {
        Some("write" | "admin") => true,
        Some("read") => !write,
        _ => false,
    };
    WANTED
        .iter()
        .filter(|(name, write, _)| !enough(name, *write))
        .map(|(name, write, purpose)| Lack {
            permission: format!("{name}: {}", if *write { "write" } else { "read" }),
            purpose,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_lacks_what_it_was_not_given() {
        let mut held: BTreeMap<String, String> = WANTED
            .iter()
            .map(|(name, ..)| ((*name).to_owned(), "write".to_owned()))
            .collect();
        assert_eq!(lacking(&held), []);
        held.insert("issues".to_owned(), "read".to_owned());
        held.insert("actions".to_owned(), "read".to_owned());
        held.remove("checks");
        let names: Vec<String> = lacking(&held).into_iter().map(|lack| lack.permission).collect();
        assert_eq!(names, ["issues: write", "checks: write"]);
    }
}
