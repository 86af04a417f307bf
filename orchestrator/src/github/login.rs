//! Who we are at GitHub: a personal token, or an App with a token for each owner that installed it. Tokens are made
//! anew before they end, by one caller at a time, and are shown nowhere.

use std::{
    collections::HashMap,
    fmt,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use loops::time::Timestamp;
use octocrab::auth::{EncodingKey, create_jwt};
use serde::Deserialize;
use serde_json::json;

use super::{GitHubError, ask::Ask, call::Wire};
use crate::{
    clock,
    config::{Secret, github as config},
};

/// A token that ends sooner than this is not used any more: what begins with it may take a while.
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// A larger file is not a key.
const MAX_KEY: u64 = 64 * 1024;

/// Who we are.
pub(super) enum Login {
    /// A personal token.
    Token(Secret),
    /// An App.
    App(Box<App>),
}

/// An App and its tokens.
pub(super) struct App {
    id: u64,
    key: EncodingKey,
    /// By owner, lower case. The inner lock is held while one is made.
    tokens: Mutex<HashMap<String, Slot>>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Held>>>;

/// A token of an installation.
#[derive(Clone)]
struct Held {
    token: Secret,
    until: Timestamp,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
    #[serde(default)]
    suspended_at: Option<String>,
}

#[derive(Deserialize)]
struct Made {
    token: String,
    expires_at: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(token) => f.debug_tuple("Token").field(token).finish(),
            Self::App(app) => f.debug_struct("App").field("id", &app.id).finish_non_exhaustive(),
        }
    }
}

impl Login {
    /// The login that the settings name; none: there is none.
    pub(super) fn read(settings: &config::Login) -> Result<Option<Self>, GitHubError> {
        let unset =
            |name: &str, what: &str| GitHubError::Login(format!("`{name}` is not set; it is to hold {what}"));
        match settings {
            config::Login::None => Ok(None),
            config::Login::Token { name, token } => {
                let token = token.clone().ok_or_else(|| unset(name, "a personal token"))?;
                if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Err(GitHubError::Login(format!("`{name}` does not hold a token")));
                }
                Ok(Some(Self::Token(token)))
            }
            config::Login::App { id, key } => {
                let (pem, place) = match key {
                    config::AppKey::Variable { name, key } => {
                        let key = key.as_ref().ok_or_else(|| unset(name, "the App's private key"))?;
                        (key.clone(), name.clone())
                    }
                    config::AppKey::File(path) => (key_file(path)?, path.display().to_string()),
                };
                // Variables often carry the lines of a key with `\n` written out.
                let pem = pem.expose().replace("\\n", "\n");
                let key = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| {
                    GitHubError::Login(format!(
                        "`{place}` does not hold an App's private key (PEM, beginning with `-----BEGIN`)"
                    ))
                })?;
                Ok(Some(Self::App(Box::new(App {
                    id: *id,
                    key,
                    tokens: Mutex::default(),
                }))))
            }
        }
    }

    /// Whether it is an App.
    pub(super) fn is_app(&self) -> bool {
        matches!(self, Self::App(_))
    }

    /// The token to be sent for what belongs to `owner`.
    pub(super) async fn token(&self, owner: &str, wire: &Wire) -> Result<Secret, GitHubError> {
        match self {
            Self::Token(token) => Ok(token.clone()),
            Self::App(app) => app.token(owner, wire).await,
        }
    }

    /// The proof that we are the App itself.
    pub(super) fn app_token(&self) -> Result<Secret, GitHubError> {
        match self {
            Self::Token(token) => Ok(token.clone()),
            Self::App(app) => create_jwt(app.id.into(), &app.key)
                .map(Secret::new)
                .map_err(|error| GitHubError::Login(format!("the App's key cannot sign: {error}"))),
        }
    }

    /// Forgets a token that GitHub refused. Whether another may be had.
    pub(super) async fn refused(&self, owner: &str, token: &Secret) -> bool {
        let Self::App(app) = self else { return false };
        let slot = app.slot(owner);
        let mut held = slot.lock().await;
        if held.as_ref().is_some_and(|held| held.token == *token) {
            *held = None;
        }
        true
    }
}

impl App {
    fn slot(&self, owner: &str) -> Slot {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.entry(owner.to_lowercase()).or_default().clone()
    }

    async fn token(&self, owner: &str, wire: &Wire) -> Result<Secret, GitHubError> {
        let slot = self.slot(owner);
        // Whoever comes while one is made waits here, and then finds it.
        let mut held = slot.lock().await;
        if let Some(held) = held
            .as_ref()
            .filter(|held| held.until > clock::now().plus(MARGIN))
        {
            return Ok(held.token.clone());
        }
        let made = self.make(owner, wire).await?;
        *held = Some(made.clone());
        Ok(made.token)
    }

    async fn make(&self, owner: &str, wire: &Wire) -> Result<Held, GitHubError> {
        let doing = format!("log in as the App for `{owner}`");
        let look = Ask::get(&["users", owner, "installation"], &doing).of_app();
        let installation: Installation = match wire.call(&look).await {
            Ok(answer) => answer.json(&doing)?,
            Err(GitHubError::NotFound { .. }) => {
                return Err(GitHubError::Login(format!(
                    "the App is not installed for `{owner}`; install it there, for the repositories to be served"
                )));
            }
            Err(error) => return Err(error),
        };
        if installation.suspended_at.is_some() {
            return Err(GitHubError::Login(format!("the App is suspended for `{owner}`")));
        }
        let id = installation.id.to_string();
        // Another token does no harm, so this may be asked twice.
        let make = Ask::post(
            &["app", "installations", &id, "access_tokens"],
            &json!({}),
            &doing,
        )
        .of_app()
        .repeatable();
        let made: Made = wire.call(&make).await?.json(&doing)?;
        let until = made.expires_at.as_deref().and_then(Timestamp::parse);
        Ok(Held {
            token: Secret::new(made.token),
            until: until.unwrap_or_else(|| clock::now().plus(Duration::from_secs(3600))),
        })
    }
}

/// A key from a file that nobody else may read.
fn key_file(path: &Path) -> Result<Secret, GitHubError> {
    let shown = path.display();
    let failed = |error| GitHubError::Login(format!("the key file `{shown}` cannot be read: {error}"));
    let meta = std::fs::metadata(path).map_err(failed)?;
    if !meta.is_file() || meta.len() > MAX_KEY {
        return Err(GitHubError::Login(format!("`{shown}` is not a key file")));
    }
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(GitHubError::Login(format!(
            "the key file `{shown}` can be read by others (mode {mode:o}); type `chmod 600 {shown}`"
        )));
    }
    std::fs::read_to_string(path).map(Secret::new).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(value: Option<&str>) -> config::Login {
        config::Login::Token {
            name: "T".to_owned(),
            token: value.map(|value| Secret::new(value.to_owned())),
        }
    }

    #[test]
    fn a_login_that_cannot_be_is_told_without_its_value() {
        assert!(Login::read(&config::Login::None).unwrap().is_none());
        let told = |settings: &config::Login| Login::read(settings).unwrap_err().to_string();
        assert!(told(&token(None)).contains("`T` is not set"));
        let odd = told(&token(Some("ghp_a\nb")));
        assert!(
            odd.contains("does not hold a token") && !odd.contains("ghp_a"),
            "{odd}"
        );
        let key = config::AppKey::Variable {
            name: "K".to_owned(),
            key: Some(Secret::new("-----BEGIN nothing".to_owned())),
        };
        let odd = told(&config::Login::App { id: 1, key });
        assert!(odd.contains("`K`") && !odd.contains("nothing"), "{odd}");
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.pem");
        std::fs::write(&path, "x").unwrap();
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o640);
        let told = key_file(&path).unwrap_err().to_string();
        assert!(told.contains("mode 640") && told.contains("chmod 600"), "{told}");
        mode(0o600);
        assert_eq!(key_file(&path).unwrap().expose(), "x");
        assert!(
            key_file(&folder.path().join("none"))
                .unwrap_err()
                .to_string()
                .contains("cannot be read")
        );
    }
}
