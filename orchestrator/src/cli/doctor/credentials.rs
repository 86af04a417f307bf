//! Whether the logins for addresses that sources read are there. Nothing is sent.

use super::Look;
use crate::config::Credentials;

/// One look a login.
pub(super) fn looks(credentials: &Credentials) -> Vec<Look> {
    let one = |name: &str| {
        let login = credentials.get(name)?;
        let about = format!("credential {name}");
        Some(match &login.secret {
            Some(_) => Look::found(&about, format!("for {}", login.hosts.join(", "))),
            None => Look::missing(
                &about,
                format!("`{}` is not set", login.variable),
                "set the variable where `loops` runs",
            ),
        })
    };
    credentials.names().filter_map(one).collect()
}
