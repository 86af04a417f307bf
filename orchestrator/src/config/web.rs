//! Where the service listens for what comes in from outside, and what others call that place.

use std::{collections::BTreeMap, net::SocketAddr};

use reqwest::Url;
use serde::Deserialize;

use super::{Problem, SecretRef, secret::Named};

/// Where the service listens. Without it nothing comes in over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    /// Address and port.
    pub listen: SocketAddr,
    /// What it is called from outside, without a slash at its end.
    pub public_url: Option<Url>,
    /// What senders of signals sign with, by the names that loops use.
    pub secrets: BTreeMap<String, Named>,
}

/// The part of the file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    listen: Option<String>,
    public_url: Option<String>,
    secrets: BTreeMap<String, SecretRef>,
}

impl File {
    /// What is written; none: nothing comes in.
    pub(super) fn resolve(
        self,
        env: &dyn Fn(&str) -> Option<String>,
        problems: &mut Vec<Problem>,
    ) -> Option<Web> {
        let mut wrong = |what: String| problems.push(Problem { at: None, what });
        let mut secrets = BTreeMap::new();
        for (name, variable) in self.secrets {
            let named = Named::read(variable, env);
            if let Some(why) = named.too_short() {
                wrong(format!("`web.secrets.{}`: {why}", name.escape_debug()));
            }
            secrets.insert(name, named);
        }
        let public_url = self.public_url.as_deref().and_then(|text| {
            let url = Url::parse(text.trim_end_matches('/'));
            let url = url
                .ok()
                .filter(|url| url.scheme() == "https" && url.query().is_none());
            if url.is_none() {
                wrong(format!(
                    "`web.public_url`: `{}` must be an address that begins with `https://`",
                    text.escape_debug()
                ));
            }
            url
        });
        let Some(text) = self.listen else {
            if self.public_url.is_some() {
                wrong("`web.public_url` needs `web.listen`, like `127.0.0.1:8080`".to_owned());
            }
            if !secrets.is_empty() {
                wrong("`web.secrets` needs `web.listen`, like `127.0.0.1:8080`".to_owned());
            }
            return None;
        };
        match text.parse() {
            Ok(listen) => Some(Web {
                listen,
                public_url,
                secrets,
            }),
            Err(_) => {
                wrong(format!(
                    "`web.listen`: `{}` is no address with a port, like `127.0.0.1:8080` (`0.0.0.0:8080` for all networks)",
                    text.escape_debug()
                ));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;

    #[test]
    fn an_address_has_a_port_and_the_public_one_is_safe() {
        let read = |text: &str| {
            let config = Config::read(Path::new("loops.yaml"), text, Some("/s".into()), &|_| None);
            config.map(|config| config.web).map_err(|error| error.to_string())
        };
        assert_eq!(read("").unwrap(), None);
        let web = read("web: { listen: '127.0.0.1:8080', public_url: 'https://loops.example/' }");
        assert_eq!(
            web.unwrap().unwrap().public_url.unwrap().host_str(),
            Some("loops.example")
        );
        for (text, words) in [
            ("web: { listen: localhost }", "is no address with a port"),
            ("web: { secrets: { desk: '${A}' } }", "needs `web.listen`"),
            (
                "web: { listen: '127.0.0.1:80', secrets: { desk: hunter2 } }",
                "`${NAME}`",
            ),
            ("web: { public_url: 'https://a.example' }", "needs `web.listen`"),
            (
                "web: { listen: '0.0.0.0:80', public_url: 'http://a.example' }",
                "begins with `https://`",
            ),
        ] {
            assert!(read(text).unwrap_err().contains(words), "{text}");
        }
    }
}
