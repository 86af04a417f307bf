//! How the service logs in to Slack, how fast it may ask there, and who is who. Secrets are named here; nothing is asked
//! of Slack.

use std::{collections::BTreeMap, time::Duration};

use loops::spec::Span;
use reqwest::Url;
use serde::Deserialize;

pub use super::secret::Named;
use super::{Problem, SecretRef, models::is_loopback};

/// Slack's own address.
const PUBLIC_API: &str = "https://slack.com/api";
/// The variable that is looked at when no token is written.
const USUAL: &str = "SLACK_BOT_TOKEN";
/// How often threads are read anew for edits, deletions and reactions; and, in the strict tier, the rest.
const SWEEP: Duration = Duration::from_secs(3600);
/// How long a reading waits for a limit to pass before it goes on another time.
const PATIENCE: Duration = Duration::from_secs(120);
/// Slack takes about one message a second in a channel.
const WRITE_GAP: Duration = Duration::from_secs(1);

/// Slack: as whom, and how.
#[derive(Debug, Clone)]
pub struct Slack {
    /// The address of the Web API, without a slash at its end.
    pub api: Url,
    /// The bot's token (`xoxb-…`); none: Slack is not used.
    pub token: Option<Named>,
    /// The app's token (`xapp-…`) for Socket Mode; none: it is not used.
    pub app_token: Option<Named>,
    /// What Slack signs its requests with; none: no events come in over HTTP.
    pub signing_secret: Option<Named>,
    /// How much Slack lets us ask.
    pub tier: Tier,
    /// How often all is read anew that Slack does not say has changed.
    pub sweep: Duration,
    /// How long a reading waits for a limit to pass.
    pub patience: Duration,
    /// How long to wait between two messages.
    pub write_gap: Duration,
    /// Who somebody is on GitHub, by the id in Slack (`U…`).
    pub people: BTreeMap<String, String>,
}

/// How much Slack lets an app ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// An app of one's own workspace, or one of the Marketplace: about fifty pages a minute.
    #[default]
    Usual,
    /// An app that is distributed outside of the Marketplace: one page of fifteen messages a minute.
    /// <https://docs.slack.dev/changelog/2025/05/29/rate-limit-changes-for-non-marketplace-apps/>
    Strict,
}

/// The part of the file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    api: Option<String>,
    token: Option<SecretRef>,
    app_token: Option<SecretRef>,
    signing_secret: Option<SecretRef>,
    tier: Tier,
    sweep: Option<String>,
    patience: Option<String>,
    write_gap: Option<String>,
    people: BTreeMap<String, String>,
}

impl File {
    pub(super) fn resolve(
        self,
        env: &dyn Fn(&str) -> Option<String>,
        problems: &mut Vec<Problem>,
    ) -> Option<Slack> {
        let mut wrong = |what: String| problems.push(Problem { at: None, what });
        let api = address(self.api.as_deref().unwrap_or(PUBLIC_API))
            .map_err(|why| wrong(format!("`slack.api`: {why}")))
            .ok();
        let named = |name: SecretRef| Named::read(name, env);
        let usual = || Some(named(SecretRef(USUAL.to_owned()))).filter(|named| named.value.is_some());
        let token = self.token.map(named).or_else(usual);
        let (app_token, signing_secret) = (self.app_token.map(named), self.signing_secret.map(named));
        if token.is_none() && (app_token.is_some() || signing_secret.is_some()) {
            wrong(format!(
                "`slack` needs the bot's token to read what events are about: write `slack.token`, or set `{USUAL}`"
            ));
        }
        for (id, login) in &self.people {
            if !is_user(id) {
                wrong(format!(
                    "`slack.people`: `{}` is no id of a person in Slack, like `U024BE7LH`: profile, three dots, \
                     `Copy member ID`",
                    id.escape_debug()
                ));
            }
            if !is_login(login) {
                wrong(format!(
                    "`slack.people`: `{}` is no login on GitHub, like `ada`",
                    login.escape_debug()
                ));
            }
        }
        let mut span = |key: &str, written: Option<String>, usual: Duration, most: u64| match written
            .map(|text| text.parse::<Span>())
        {
            None => usual,
            Some(Ok(Span(span))) if span <= Duration::from_secs(most) => span,
            Some(Ok(span)) => {
                wrong(format!("`slack.{key}`: `{span}` is too long; at most {most} s"));
                usual
            }
            Some(Err(why)) => {
                wrong(format!("`slack.{key}`: {why}"));
                usual
            }
        };
        let sweep = span("sweep", self.sweep, SWEEP, 7 * 86_400);
        let patience = span("patience", self.patience, PATIENCE, 3600);
        let write_gap = span("write_gap", self.write_gap, WRITE_GAP, 60);
        Some(Slack {
            api: api?,
            token,
            app_token,
            signing_secret,
            tier: self.tier,
            sweep,
            patience,
            write_gap,
            people: self.people,
        })
    }
}

/// An id of a person: `U` or `W`, then capitals and digits.
fn is_user(text: &str) -> bool {
    text.len() >= 3
        && text.starts_with(['U', 'W'])
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

fn is_login(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 39
        && !text.starts_with('-')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
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
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err(format!(
            "`{url}` must begin with `https://` (`http://` only to this machine itself)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "SLACK_BOT_TOKEN" => Some("xoxb-usual".to_owned()),
            "OTHER" => Some("xoxb-other\n".to_owned()),
            _ => None,
        }
    }

    fn read(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Slack, String> {
        Config::read(Path::new("/etc/loops.yaml"), text, Some("/s".into()), env)
            .map(|config| config.slack)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_token_slack_is_not_used_and_the_usual_variable_is_one() {
        assert!(read("", &|_| None).unwrap().token.is_none());
        let slack = read("", &env).unwrap();
        assert_eq!(slack.api.as_str(), "https://slack.com/api");
        assert_eq!(slack.token.as_ref().unwrap().name, "SLACK_BOT_TOKEN");
        assert!(!format!("{slack:?}").contains("xoxb"));
        let slack = read("slack: { token: '${OTHER}' }", &env).unwrap();
        assert_eq!(slack.token.unwrap().value.unwrap().expose(), "xoxb-other");
        let slack = read("slack: { token: '${UNSET}' }", &env).unwrap();
        assert!(slack.token.unwrap().value.is_none());
    }

    #[test]
    fn what_cannot_be_is_told_with_what_is_allowed() {
        for (text, words) in [
            (
                "slack: { api: 'http://slack.example' }",
                "must begin with `https://`",
            ),
            ("slack: { app_token: '${APP}' }", "needs the bot's token"),
            ("slack: { sweep: 30d }", "is too long"),
            ("slack: { patience: soon }", "`soon` is not a length of time"),
            ("slack: { people: { ada: ada } }", "`ada` is no id of a person"),
            ("slack: { people: { U024BE7LH: 'a b' } }", "`a b` is no login"),
            ("slack: { tier: fast }", "usual"),
            ("slack: { token: xoxb-1-secret }", "`${NAME}`"),
        ] {
            let told = read(text, &|_| None).unwrap_err();
            assert!(told.contains(words), "{text}: {told}");
            assert!(!told.contains("xoxb-1-secret"));
        }
        let slack = read(
            "slack: { tier: strict, write_gap: 0s, api: 'http://127.0.0.1:1/api' }",
            &|_| None,
        );
        assert_eq!(slack.unwrap().tier, Tier::Strict);
    }
}
