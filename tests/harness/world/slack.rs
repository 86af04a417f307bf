//! A Slack beside the world, and how the service logs in there.

use crate::slack::{SCOPES, SIGNING_SECRET, Slack};

use super::World;

impl World {
    /// Starts a Slack that the service's settings lead to, with every scope; `slack` is added to the settings of Slack,
    /// `more` to all others.
    pub async fn slack(&self, slack: &str, more: &str) -> Slack {
        let there = Slack::start().await;
        let (bot, app) = {
            let mut world = there.world();
            (world.token(&SCOPES), world.token(&["connections:write"]))
        };
        self.slack_login(&there, &bot, &app, slack, more);
        there
    }

    /// A secret that the service finds in its environment.
    pub fn secret(&self, variable: &str) -> Option<String> {
        let all = self.secrets();
        all.iter()
            .find(|(name, _)| *name == variable)
            .map(|(_, secret)| secret.clone())
    }

    /// Writes settings with which the service logs in with these tokens.
    pub fn slack_login(&self, there: &Slack, bot: &str, app: &str, slack: &str, more: &str) {
        *self.secrets() = vec![
            ("LOOPS_TEST_SLACK", bot.to_owned()),
            ("LOOPS_TEST_SLACK_APP", app.to_owned()),
            ("LOOPS_TEST_SLACK_SIGNING", SIGNING_SECRET.to_owned()),
        ];
        self.settings(&format!(
            "slack:\n  api: {}\n  token: ${{LOOPS_TEST_SLACK}}\n  write_gap: 0s\n{slack}{more}",
            there.url()
        ));
    }
}
