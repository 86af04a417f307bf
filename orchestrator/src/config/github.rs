//! How the service logs in to GitHub, and which repositories it serves. Secrets are named here, files are only named,
//! and nothing is asked of GitHub.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use loops::spec::{Allowance, Span};
use reqwest::Url;
use serde::Deserialize;

use super::{Problem, Secret, SecretRef, allowance, models::is_loopback, secret::Named};

/// The API of github.com.
const PUBLIC_API: &str = "https://api.github.com";
/// The variable that is looked at when no login is written.
const USUAL: &str = "GITHUB_TOKEN";
/// How often it is looked whether a repository's loops have changed.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// GitHub asks for a second between writes.
const WRITE_GAP: Duration = Duration::from_secs(1);
/// How long a request waits for a limit to pass, before the caller is told to come back later.
const PATIENCE: Duration = Duration::from_secs(120);

/// GitHub: where, as whom, and which repositories.
#[derive(Debug, Clone)]
pub struct GitHub {
    /// The address of the API, without a slash at its end.
    pub api: Url,
    /// Who the service is there.
    pub login: Login,
    /// What GitHub signs its webhooks with; none: no events come in.
    pub webhook: Option<Named>,
    /// Repositories whose `.loops` folder on the base branch is served.
    pub repositories: Vec<FullName>,
    /// What the loops that one of them defines may use.
    pub limits: Allowance,
    /// How often it is looked whether their base branches have moved.
    pub look_every: Duration,
    /// How long to wait between writes.
    pub write_gap: Duration,
    /// How long one request waits for a limit to pass.
    pub patience: Duration,
}

/// Who the service is at GitHub.
#[derive(Debug, Clone)]
pub enum Login {
    /// Nobody: GitHub is not used.
    None,
    /// A person (or a machine account) by a personal token, classic or fine-grained.
    Token {
        /// The variable that holds it.
        name: String,
        /// The token; none: the variable is not set.
        token: Option<Secret>,
    },
    /// A GitHub App, installed wherever there are repositories to serve.
    App {
        /// Its id, from its settings page.
        id: u64,
        /// Its private key.
        key: AppKey,
    },
}

/// The private key of a GitHub App: PEM.
#[derive(Debug, Clone)]
pub enum AppKey {
    /// In a variable.
    Variable {
        /// Its name.
        name: String,
        /// What it holds; none: it is not set.
        key: Option<Secret>,
    },
    /// In a file that nobody else may read.
    File(PathBuf),
}

/// A repository's owner and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FullName {
    /// The person or organisation.
    pub owner: String,
    /// The repository.
    pub name: String,
}

impl FullName {
    /// Reads `owner/name`; none: it cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (owner, name) = text.split_once('/')?;
        let letters = |text: &str, more: &str| {
            !text.is_empty()
                && text.len() <= 100
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let good = letters(owner, "-_")
            && !owner.starts_with('-')
            && letters(name, "-_.")
            && !matches!(name, "." | "..")
            && !name.ends_with(".git");
        good.then(|| Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
        })
    }

    /// `owner/name` in small letters, which is one repository to GitHub however it is written.
    #[must_use]
    pub fn key(&self) -> String {
        self.to_string().to_ascii_lowercase()
    }
}

impl fmt::Display for FullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// The part of the file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    api: Option<String>,
    token: Option<SecretRef>,
    app: Option<App>,
    webhook: Option<SecretRef>,
    repositories: Vec<String>,
    limits: allowance::File,
    look_every: Option<String>,
    write_gap: Option<String>,
    patience: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct App {
    id: u64,
    key: Option<SecretRef>,
    key_file: Option<PathBuf>,
}

impl File {
    /// Checks what is written and fills in the defaults; paths are relative to `folder`.
    pub(super) fn resolve(
        self,
        folder: &Path,
        env: &dyn Fn(&str) -> Option<String>,
        problems: &mut Vec<Problem>,
    ) -> Option<GitHub> {
        let limits = self.limits.resolve(problems);
        let mut wrong = |what: String| problems.push(Problem { at: None, what });
        let api = address(self.api.as_deref().unwrap_or(PUBLIC_API))
            .map_err(|why| wrong(format!("`github.api`: {why}")))
            .ok();
        let login = login(self.token, self.app, folder, env)
            .map_err(|why| wrong(why.to_owned()))
            .ok();
        let webhook = self.webhook.map(|name| Named::read(name, env));
        if let Some(why) = webhook.as_ref().and_then(Named::too_short) {
            wrong(format!("`github.webhook`: {why}"));
        }
        let mut repositories: Vec<FullName> = Vec::new();
        for text in &self.repositories {
            match FullName::parse(text) {
                Some(name) if repositories.iter().any(|other| other.key() == name.key()) => {
                    wrong(format!("`github.repositories`: `{name}` stands there twice"));
                }
                Some(name) => repositories.push(name),
                None => wrong(format!(
                    "`github.repositories`: `{}` is not a repository; write `owner/name`",
                    text.escape_debug()
                )),
            }
        }
        let mut span = |key: &str, written: Option<String>, usual: Duration, most: u64| match written
            .map(|text| text.parse::<Span>())
        {
            None => usual,
            Some(Ok(Span(span))) if span <= Duration::from_secs(most) => span,
            Some(Ok(span)) => {
                wrong(format!("`github.{key}`: `{span}` is too long; at most {most} s"));
                usual
            }
            Some(Err(why)) => {
                wrong(format!("`github.{key}`: {why}"));
                usual
            }
        };
        let look_every = span("look_every", self.look_every, LOOK_EVERY, 86_400).max(Duration::from_secs(1));
        let write_gap = span("write_gap", self.write_gap, WRITE_GAP, 60);
        let patience = span("patience", self.patience, PATIENCE, 3600);
        if matches!(login, Some(Login::None)) && !repositories.is_empty() {
            wrong(format!(
                "`github.repositories` needs a login: write `github.token` or `github.app`, or set `{USUAL}`"
            ));
        }
        if matches!(login, Some(Login::None)) && webhook.is_some() {
            wrong(format!(
                "`github.webhook` needs a login, to read what events are about: write `github.token` or `github.app`, or \
                 set `{USUAL}`"
            ));
        }
        Some(GitHub {
            api: api?,
            login: login?,
            webhook,
            repositories,
            limits,
            look_every,
            write_gap,
            patience,
        })
    }
}

/// Who we are, by what is written.
fn login(
    token: Option<SecretRef>,
    app: Option<App>,
    folder: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Login, &'static str> {
    let secret = |name: &str| {
        let value = env(name).map(|value| value.trim().to_owned());
        value.filter(|value| !value.is_empty()).map(Secret::new)
    };
    match (token, app) {
        (Some(_), Some(_)) => Err("`github` has both `token` and `app`; write one of them"),
        (Some(SecretRef(name)), None) => Ok(Login::Token {
            token: secret(&name),
            name,
        }),
        (None, Some(App { id: 0, .. })) => Err("`github.app.id` is the number on the App's settings page"),
        (None, Some(App { id, key, key_file })) => {
            let key = match (key, key_file) {
                (Some(SecretRef(name)), None) => AppKey::Variable {
                    key: secret(&name),
                    name,
                },
                (None, Some(path)) => AppKey::File(folder.join(path)),
                _ => {
                    return Err(
                        "`github.app` needs its private key: `key: ${NAME}`, or `key_file: path` (one of them)",
                    );
                }
            };
            Ok(Login::App { id, key })
        }
        (None, None) => Ok(match secret(USUAL) {
            Some(token) => Login::Token {
                name: USUAL.to_owned(),
                token: Some(token),
            },
            None => Login::None,
        }),
    }
}

/// A token may travel only over TLS, or to this machine itself.
fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim_end_matches('/'))
        .map_err(|error| format!("`{}` is not an address: {error}", text.escape_debug()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address must not hold a name or password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() || url.cannot_be_a_base() {
        return Err(format!("`{url}` must end with its path"));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        _ => {
            return Err(format!(
                "`{url}` must begin with `https://` (`http://` only to this machine itself)"
            ));
        }
    }
    if url.host_str() == Some("github.com") {
        return Err(format!("`{url}` is the site; its API is `{PUBLIC_API}`"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "GITHUB_TOKEN" => Some("ghp_usual".to_owned()),
            "OTHER" => Some("ghp_other\n".to_owned()),
            _ => None,
        }
    }

    fn read(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<GitHub, String> {
        Config::read(Path::new("/etc/loops.yaml"), text, Some("/s".into()), env)
            .map(|config| config.github)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_login_the_usual_variable_is_one() {
        let github = read("", &env).unwrap();
        assert_eq!(github.api.as_str(), "https://api.github.com/");
        let Login::Token { name, token } = &github.login else {
            panic!("{github:?}")
        };
        assert_eq!(
            (name.as_str(), token.as_ref().unwrap().expose()),
            ("GITHUB_TOKEN", "ghp_usual")
        );
        assert!(!format!("{github:?}").contains("ghp_"));
        assert!(matches!(read("", &|_| None).unwrap().login, Login::None));
    }

    #[test]
    fn what_is_written_is_the_login_even_where_it_is_not_set() {
        let github = read("github: { token: '${OTHER}' }", &env).unwrap();
        let Login::Token { token, .. } = github.login else {
            panic!()
        };
        assert_eq!(token.unwrap().expose(), "ghp_other");
        let github = read("github: { token: '${UNSET}' }", &env).unwrap();
        assert!(matches!(github.login, Login::Token { token: None, .. }));
        let github = read("github: { app: { id: 7, key_file: keys/app.pem } }", &env).unwrap();
        let Login::App {
            id: 7,
            key: AppKey::File(path),
        } = github.login
        else {
            panic!()
        };
        assert_eq!(path, Path::new("/etc/keys/app.pem"));
    }

    #[test]
    fn a_webhooks_secret_is_named_and_not_a_short_one() {
        let hook = |value: &'static str| {
            read("github: { token: '${A}', webhook: '${HOOK}' }", &move |name| {
                (name == "HOOK").then(|| value.to_owned())
            })
        };
        let webhook = hook("0123456789abcdef\n").unwrap().webhook.unwrap();
        assert_eq!(
            (webhook.name.as_str(), webhook.value.unwrap().expose()),
            ("HOOK", "0123456789abcdef")
        );
        assert!(
            hook("").unwrap().webhook.unwrap().value.is_none(),
            "it is not set"
        );
        let told = hook("0123456789abcde").unwrap_err();
        assert!(
            told.contains("shorter than 16") && !told.contains("0123456789"),
            "{told}"
        );
    }

    #[test]
    fn what_cannot_be_is_told_with_what_is_allowed() {
        let problems = |text: &str| read(text, &|_| None).unwrap_err();
        for (text, words) in [
            (
                "github: { api: 'http://ghe.example/api/v3' }",
                "must begin with `https://`",
            ),
            (
                "github: { api: 'https://github.com' }",
                "its API is `https://api.github.com`",
            ),
            (
                "github: { api: 'https://a:b@ghe.example' }",
                "must not hold a name or password",
            ),
            (
                "github: { token: '${A}', app: { id: 1, key: '${B}' } }",
                "both `token` and `app`",
            ),
            ("github: { app: { id: 1 } }", "needs its private key"),
            (
                "github: { app: { id: 0, key: '${B}' } }",
                "the number on the App's settings page",
            ),
            (
                "github: { token: '${A}', repositories: [shop] }",
                "write `owner/name`",
            ),
            (
                "github: { token: '${A}', repositories: [a/.., 'a/b/c', '-a/b', 'a/b.git'] }",
                "`a/b.git` is not",
            ),
            (
                "github: { token: '${A}', repositories: [a/b, a/b] }",
                "stands there twice",
            ),
            (
                "github: { token: '${A}', repositories: [a/b, A/B] }",
                "`A/B` stands there twice",
            ),
            ("github: { repositories: [a/b] }", "needs a login"),
            ("github: { webhook: '${HOOK}' }", "needs a login"),
            ("github: { webhook: hush-hush }", "`${NAME}`"),
            ("github: { write_gap: soon }", "`soon` is not a length of time"),
            ("github: { patience: 2d }", "`2d` is too long"),
        ] {
            let told = problems(text);
            assert!(told.contains(words), "{text}: {told}");
        }
        let told = problems("github: { token: ghp_secret123 }");
        assert!(
            told.contains("`${NAME}`") && !told.contains("ghp_secret123"),
            "{told}"
        );
        let github = read(
            "github: { api: 'https://ghe.example/api/v3/', write_gap: 0s }",
            &|_| None,
        )
        .unwrap();
        assert_eq!(github.api.as_str(), "https://ghe.example/api/v3");
        assert_eq!(github.write_gap, Duration::ZERO);
        assert!(read("github: { api: 'http://127.0.0.1:4000' }", &|_| None).is_ok());
    }
}
