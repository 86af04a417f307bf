//! A GitHub beside the world, and how the service logs in there.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::github::{GitHub, Role};

use super::World;

/// Who the service is on GitHub.
pub const BOT: &str = "loops-bot";
/// What the GitHub of the stories signs its webhooks with.
pub const HOOK_SECRET: &str = "what-github-and-the-service-know";
/// The repository that most stories are about.
pub const SHOP: &str = "acme/shop";

impl World {
    /// Starts a GitHub that the service's settings lead to, with the repository [`SHOP`] of these files; [`BOT`] may
    /// write there, and the service has its token. `more` is added to the settings.
    pub async fn github(&self, files: &[(&str, &str)], more: &str) -> GitHub {
        let hub = GitHub::start_at(an_hour_ago()).await;
        let token = {
            let mut there = hub.world();
            there.add_repository(SHOP);
            there.grant(SHOP, BOT, Role::Write);
            there.grant(SHOP, "carol", Role::Maintain);
            let files: Vec<_> = files.iter().map(|&(path, text)| (path, Some(text))).collect();
            there.commit(SHOP, "main", "carol", &files, "The shop");
            there.classic_token(BOT, &["repo"])
        };
        self.log_in(&hub, &token, more);
        hub
    }

    /// Writes settings with which the service logs in with this token.
    pub fn log_in(&self, hub: &GitHub, token: &str, more: &str) {
        self.set_up(hub, more);
        token.clone_into(&mut self.token());
    }

    /// Writes the settings anew so that GitHub's webhooks come in, and has the GitHub send all its events there, signed. `github`
    /// is added to the settings of GitHub, `more` to all others. Gives the port that the service listens on.
    pub fn hook_up(&self, hub: &GitHub, github: &str, more: &str) -> u16 {
        let port = free_port();
        self.keep_secret("LOOPS_TEST_GITHUB_WEBHOOK", HOOK_SECRET);
        self.set_up(
            hub,
            &format!(
                "  webhook: ${{LOOPS_TEST_GITHUB_WEBHOOK}}\n{github}web: {{ listen: '127.0.0.1:{port}' }}\n{more}"
            ),
        );
        let url = format!("http://127.0.0.1:{port}/github");
        hub.world().add_hook(&url, HOOK_SECRET, &["*"]);
        port
    }

    /// Puts a secret into the service's environment.
    pub fn keep_secret(&self, variable: &'static str, secret: &str) {
        let mut secrets = self.secrets();
        secrets.retain(|(name, _)| *name != variable);
        secrets.push((variable, secret.to_owned()));
    }

    /// The token with which the service logs in at GitHub; empty: it does not.
    pub fn login_token(&self) -> String {
        self.token().clone()
    }

    /// Writes the settings anew, with `more`; the login stays.
    pub fn set_up(&self, hub: &GitHub, more: &str) {
        self.settings(&format!(
            "github:\n  api: {}\n  token: ${{LOOPS_TEST_GITHUB}}\n  write_gap: 0s\n{more}",
            hub.url()
        ));
    }
}

/// A port that nobody listens on just now.
///
/// # Panics
/// If there is none.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
    listener.local_addr().expect("it has an address").port()
}

/// The service reads what lies in its own past, by the real clock: in Unix milliseconds.
fn an_hour_ago() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.expect("it is after 1970").as_millis();
    i64::try_from(millis).expect("it is before the year 292,000,000") - 3_600_000
}
