//! A sandbox's way out to the hosts that the loop allows: a relay of its own to the gateway, and the variables by which
//! programs find proxies. Which hosts these are is the gateway's to know; nothing is allowed or refused here.

use std::path::Path;

use crate::{
    order::Gateway,
    relay::{Relay, RelayError},
    sandbox::{PROXY_PORT, Policy},
};

/// The names under which programs look for a proxy. Of the lower-case ones curl knows `http_proxy` alone.
const PROXIES: &[&str] = &["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
/// What is reached without one: the sandbox's own servers.
const NEAR: &str = "localhost,127.0.0.1,::1";

/// An open way out. It closes, with every connection through it, when it is dropped.
#[derive(Debug)]
pub struct WayOut {
    relay: Relay,
    proxy: String,
}

impl WayOut {
    /// Opens it, with its socket in `folder`, which must be the sandbox's own. Must be called within a runtime.
    ///
    /// # Errors
    /// If the gateway's address makes no sense or the socket cannot be made.
    pub fn open(folder: &Path, gateway: &Gateway) -> Result<Self, RelayError> {
        let relay = Relay::start(&folder.join("gateway.sock"), gateway)?;
        // The token is of letters, digits and hyphens: nothing of it needs to be escaped.
        let proxy = format!("http://loops:{}@127.0.0.1:{PROXY_PORT}", gateway.token);
        Ok(Self { relay, proxy })
    }

    /// Lets a sandbox out by it.
    pub fn lead(&self, policy: &mut Policy) {
        policy.relay = Some(self.relay.socket().to_owned());
        let proxies = PROXIES.iter().map(|name| (*name, self.proxy.as_str()));
        let others = [
            ("NO_PROXY", NEAR),
            ("no_proxy", NEAR),
            // Node's own clients do not look for a proxy unless they are told to.
            ("NODE_USE_ENV_PROXY", "1"),
        ];
        let all = proxies.chain(others);
        policy
            .env
            .extend(all.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
