//! What the app may not do that loops need, found out without changing anything.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;

use super::{Slack, SlackError, call::Ask};

/// How long Slack may take to say what the token may do.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What loops do in Slack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uses {
    /// Channels are read.
    pub reads: bool,
    /// One of them is private, or may be.
    pub private: bool,
    /// Something is said there, and answers to it are heard.
    pub writes: bool,
}

/// A scope that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// Its name on Slack's page.
    pub scope: &'static str,
    /// What it is for.
    pub purpose: &'static str,
}

/// All scopes that the app may need: the scope, what for, and whether that is done.
type Wanted = (&'static str, &'static str, fn(&Uses) -> bool);

const WANTED: &[Wanted] = &[
    ("channels:read", "find channels by their names", |_| true),
    ("channels:history", "read public channels", |_| true),
    ("groups:read", "find private channels", |uses| uses.private),
    ("groups:history", "read private channels", |uses| uses.private),
    ("users:read", "know what people are called", |uses| {
        uses.reads || uses.writes
    }),
    ("chat:write", "say what loops are to say", |uses| uses.writes),
    (
        "reactions:read",
        "hear of thumbs on what loops have said",
        |uses| uses.writes,
    ),
];

impl Slack {
    /// The scopes that the token has. Slack says so in a header alone, which slack-morphism does not hand on.
    ///
    /// # Errors
    /// If Slack does not say so.
    pub async fn scopes(&self) -> Result<BTreeSet<String>, SlackError> {
        // First the usual way, whose errors say more.
        self.me().await?;
        let doing = "tell what the token may do";
        let unreachable = |error: reqwest::Error| SlackError::Unreachable {
            doing: doing.to_owned(),
            why: self.wire().secret().scrub(&error.without_url().to_string()),
        };
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .build()
            .map_err(unreachable)?;
        let api = self.0.settings.api.as_str().trim_end_matches('/');
        let request = client
            .post(format!("{api}/auth.test"))
            .bearer_auth(self.wire().secret().expose());
        let answer = request.send().await.map_err(unreachable)?;
        let held = answer
            .headers()
            .get("x-oauth-scopes")
            .and_then(|value| value.to_str().ok());
        let held = held.ok_or_else(|| SlackError::Unexpected {
            doing: doing.to_owned(),
            why: "there is no header `x-oauth-scopes`".to_owned(),
        })?;
        Ok(held
            .split(',')
            .map(|scope| scope.trim().to_owned())
            .filter(|scope| !scope.is_empty())
            .collect())
    }

    /// What the token lacks for these uses.
    ///
    /// # Errors
    /// If Slack does not say so.
    pub async fn lacks(&self, uses: Uses) -> Result<Vec<Lack>, SlackError> {
        Ok(lacking(&self.scopes().await?, uses))
    }

    /// Whether a channel can be read: the first message is asked for.
    ///
    /// # Errors
    /// If it cannot.
    pub async fn can_read(&self, channel: &str) -> Result<(), SlackError> {
        let found = self.channel(channel).await?;
        let doing = format!("read `{channel}`");
        let ask = Ask::to("conversations.history", &doing).about(channel);
        let params = [("channel", found.id), ("limit", "1".to_owned())];
        self.wire().read::<Value>(&ask, &params).await.map(drop)
    }
}

fn lacking(held: &BTreeSet<String>, uses: Uses) -> Vec<Lack> {
    WANTED
        .iter()
        .filter(|(scope, _, when)| when(&uses) && !held.contains(*scope))
        .map(|&(scope, purpose, _)| Lack { scope, purpose })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = include_str!("../../../docs/slack-app.yaml");

    #[test]
    fn the_manifest_asks_for_every_scope_that_may_be_needed_and_no_other() {
        let manifest: Value = serde_saphyr::from_str(MANIFEST).unwrap();
        let asked: BTreeSet<String> =
            serde_json::from_value(manifest["oauth_config"]["scopes"]["bot"].clone()).unwrap();
        let wanted: BTreeSet<String> = WANTED.iter().map(|(scope, ..)| (*scope).to_owned()).collect();
        assert_eq!(asked, wanted);
        let events = manifest["settings"]["event_subscriptions"]["bot_events"].clone();
        let events: Vec<String> = serde_json::from_value(events).unwrap();
        assert_eq!(events, ["message.channels", "message.groups", "reaction_added"]);
    }

    #[test]
    fn only_what_is_done_is_needed() {
        let held: BTreeSet<String> = ["channels:read", "channels:history"].map(str::to_owned).into();
        let names = |uses| {
            lacking(&held, uses)
                .iter()
                .map(|lack| lack.scope)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(Uses::default()), [""; 0]);
        let reads = Uses {
            reads: true,
            ..Uses::default()
        };
        assert_eq!(names(reads), ["users:read"]);
        let all = Uses {
            reads: true,
            private: true,
            writes: true,
        };
        assert_eq!(
            names(all),
            [
                "groups:read",
                "groups:history",
                "users:read",
                "chat:write",
                "reactions:read"
            ]
        );
    }
}
