//! Who we are, and who may do what. Permissions are asked of GitHub and believed for a few minutes only.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use loops::time::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{GitHubError, Hub, Repository, ask::Ask};
use crate::clock;

/// How long what somebody may do is believed.
const BELIEVED: Duration = Duration::from_secs(3 * 60);
/// More people than this are not remembered.
const MAX_KNOWN: usize = 1_000;

/// Who we are at GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// The name under which what we write appears.
    pub login: String,
    /// Whether the login is an App's.
    pub app: bool,
}

/// What somebody may do in a repository, each including those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Nothing beyond what everybody may.
    None,
    /// Look.
    Read,
    /// Sort issues.
    Triage,
    /// Push.
    Write,
    /// Change most settings.
    Maintain,
    /// Everything.
    Admin,
}

impl Permission {
    /// Whether it is enough to push.
    #[must_use]
    pub fn writes(self) -> bool {
        self >= Self::Write
    }

    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "none" => Self::None,
            "read" | "pull" => Self::Read,
            "triage" => Self::Triage,
            "write" | "push" => Self::Write,
            "maintain" => Self::Maintain,
            "admin" => Self::Admin,
            _ => return None,
        })
    }
}

/// What was learned of people.
#[derive(Debug, Default)]
pub(super) struct Known {
    me: tokio::sync::OnceCell<Me>,
    permissions: Mutex<HashMap<String, (Permission, Timestamp)>>,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct AppFacts {
    slug: String,
}

#[derive(Deserialize)]
struct Granted {
    permission: String,
    role_name: Option<String>,
}

impl Hub {
    /// Who we are. Asked once.
    ///
    /// # Errors
    /// If GitHub does not say.
    pub(super) async fn me(&self, owner: &str) -> Result<Me, GitHubError> {
        let ask = || self.ask_me(owner);
        self.0.users.me.get_or_try_init(ask).await.cloned()
    }

    async fn ask_me(&self, owner: &str) -> Result<Me, GitHubError> {
        let (wire, doing) = (self.wire(), "tell who we are");
        if wire.login.is_app() {
            let answer = wire.call(&Ask::get(&["app"], doing).of_app()).await?;
            let login = format!("{}[bot]", answer.json::<AppFacts>(doing)?.slug);
            return Ok(Me { login, app: true });
        }
        match wire.call(&Ask::get(&["user"], doing).owner(owner)).await {
            Ok(answer) => Ok(Me {
                login: answer.json::<User>(doing)?.login,
                app: false,
            }),
            // The token of a workflow is an App's, which is nobody's.
            Err(GitHubError::Forbidden { .. }) => {
                let ask = Ask::graphql("query { viewer { login } }", json!({}), doing).owner(owner);
                let data = self.graphql(ask.repeatable()).await?;
                let login = data.pointer("/viewer/login").and_then(|login| login.as_str());
                let login = login.ok_or_else(|| GitHubError::Unexpected {
                    doing: doing.to_owned(),
                    why: "there is no name in it".to_owned(),
                })?;
                Ok(Me {
                    login: login.to_owned(),
                    app: true,
                })
            }
            Err(error) => Err(error),
        }
    }
}

impl Repository {
    /// Who we are here.
    ///
    /// # Errors
    /// If GitHub does not say.
    pub async fn me(&self) -> Result<Me, GitHubError> {
        self.hub().me(self.owner()).await
    }

    /// Who we are here, if that was asked before.
    pub(crate) fn known_me(&self) -> Option<Me> {
        self.hub().0.users.me.get().cloned()
    }

    /// What `user` may do here; asked at most every few minutes.
    ///
    /// # Errors
    /// If GitHub does not say. Whom GitHub does not know may do nothing.
    pub async fn permission(&self, user: &str) -> Result<Permission, GitHubError> {
        let key = format!("{}\n{}", self.full_name(), user).to_lowercase();
        let known = &self.hub().0.users.permissions;
        let now = clock::now();
        {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((permission, at)) = known.get(&key)
                && *at <= now
                && now.since(*at) < BELIEVED
            {
                return Ok(*permission);
            }
            if known.len() >= MAX_KNOWN {
                known.clear();
            }
        }
        let doing = format!(
            "tell what `{}` may do in `{}`",
            super::answer::cut(user),
            self.full_name()
        );
        let permission = match self
            .call(self.get(&["collaborators", user, "permission"], &doing))
            .await
        {
            Ok(answer) => {
                let granted: Granted = answer.json(&doing)?;
                // A role that an organisation made has its own name, and stands on one of the five.
                let role = granted.role_name.as_deref().and_then(Permission::of);
                role.or_else(|| Permission::of(&granted.permission))
                    .unwrap_or(Permission::None)
            }
            Err(GitHubError::NotFound { .. }) => Permission::None,
            Err(error) => return Err(error),
        };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key, (permission, now));
        Ok(permission)
    }
}
