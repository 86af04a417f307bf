//! A GitHub beside the world, and how the service logs in there.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::github::{GitHub, Role};

use super::World;

/// Who the service is on GitHub.
pub const BOT: &str = "loops-bot";
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

/// The service reads what lies in its own past, by the real clock: in Unix milliseconds.
fn an_hour_ago() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.expect("it is after 1970").as_millis();
    i64::try_from(millis).expect("it is before the year 292,000,000") - 3_600_000
}
