//! Whether GitHub lets us in, and what it does not let us do. It asks; it changes nothing there.

use std::time::Duration;

use super::Look;
use crate::{
    config::{
        GitHub,
        github::{FullName, Login},
    },
    github::{Hub, Repository},
};

/// Nobody waits longer for one repository.
const PATIENCE: Duration = Duration::from_secs(30);

/// The login, and each repository that is served, or that a loop of the operator's folder works on (`named`).
pub(super) async fn looks(settings: &GitHub, named: &[FullName]) -> Vec<Look> {
    let mut repositories = settings.repositories.clone();
    for name in named {
        let same = |known: &FullName| known.to_string().eq_ignore_ascii_case(&name.to_string());
        if !repositories.iter().any(same) {
            repositories.push(name.clone());
        }
    }
    let hub = match Hub::new(settings) {
        Ok(Some(hub)) => hub,
        Ok(None) => {
            let mend = "needed only by loops that use GitHub: set `GITHUB_TOKEN`, see `docs/github.md`";
            return vec![Look::absent("github", "no login", Some(mend))];
        }
        Err(error) => return vec![Look::missing("github", error.to_string(), "see `docs/github.md`")],
    };
    if repositories.is_empty() {
        let host = settings.api.host_str().unwrap_or_default();
        let mend = "name repositories under `github.repositories` in `loops.yaml` to have their permissions looked at";
        return vec![Look {
            mend: Some(mend.to_owned()),
            ..Look::found("github", format!("there is a login for {host}"))
        }];
    }
    let mut looks = vec![];
    let by_token = matches!(settings.login, Login::Token { .. });
    for name in &repositories {
        looks.push(
            match tokio::time::timeout(PATIENCE, one(&hub, name, by_token)).await {
                Ok(look) => look,
                Err(_) => {
                    let found = format!("{name}: no answer within {} s", PATIENCE.as_secs());
                    Look::missing("github", found, "look at the network, or at GitHub's own state")
                }
            },
        );
    }
    looks
}

async fn one(hub: &Hub, name: &FullName, by_token: bool) -> Look {
    let asked = async {
        let repository: Repository = hub.repository(&name.owner, &name.name)?;
        let me = repository.me().await?;
        Ok::<_, crate::github::GitHubError>((me, repository.facts().await?, repository.lacks().await?))
    };
    let (me, facts, lacks) = match asked.await {
        Ok(answers) => answers,
        Err(error) => return Look::missing("github", format!("{name}: {error}"), "see `docs/github.md`"),
    };
    if facts.archived {
        let found = format!("{name} is archived: nothing can be pushed to it");
        return Look::missing("github", found, "take it out of `github.repositories`");
    }
    if lacks.is_empty() {
        let found = Look::found("github", format!("{name} as {}", me.login));
        if !by_token {
            return found;
        }
        // GitHub tells an App what it was given. Of a token only its scopes are told, and a fine-grained one has none.
        let mend = "what a token may write, besides pushing, cannot be told without writing: give it `issues: write`, \
                    `pull_requests: write` and `statuses: write` (a classic one: `repo`)";
        return Look {
            mend: Some(mend.to_owned()),
            ..found
        };
    }
    let all: Vec<String> = lacks
        .iter()
        .map(|lack| format!("`{}` (to {})", lack.permission, lack.purpose))
        .collect();
    Look::missing(
        "github",
        format!("{name} as {}: {} missing", me.login, all.join(", ")),
        "give the token or the App what is missing, see `docs/github.md`",
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::State;
    use super::*;
    use crate::config::Config;

    fn settings(text: &str, token: Option<&str>) -> GitHub {
        let env = |name: &str| token.filter(|_| name == "GITHUB_TOKEN").map(str::to_owned);
        Config::read(Path::new("loops.yaml"), text, Some("/s".into()), &env)
            .unwrap()
            .github
    }

    #[tokio::test]
    async fn no_login_is_no_fault_and_a_login_that_is_not_set_is_one() {
        let look = looks(&settings("", None), &[]).await.remove(0);
        assert_eq!(look.state, State::Absent);
        let look = looks(&settings("github: { token: '${WORK_TOKEN}' }", None), &[])
            .await
            .remove(0);
        assert_eq!(look.state, State::Missing);
        assert!(look.found.contains("`WORK_TOKEN` is not set"));
        let look = looks(&settings("", Some("ghp_hush")), &[]).await.remove(0);
        assert_eq!(look.state, State::Found);
        assert!(!format!("{look:?}").contains("hush"));
    }
}
