//! Where the service listens for what comes in from outside, and what others call that place.

use std::net::SocketAddr;

use reqwest::Url;
use serde::Deserialize;

use super::Problem;

/// Where the service listens. Without it nothing comes in over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    /// Address and port.
    pub listen: SocketAddr,
    /// What it is called from outside, without a slash at its end.
    pub public_url: Option<Url>,
}

/// The part of the file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    listen: Option<String>,
    public_url: Option<String>,
}

impl File {
    /// What is written; none: nothing comes in.
    pub(super) fn resolve(self, problems: &mut Vec<Problem>) -> Option<Web> {
        let mut wrong = |what: String| problems.push(Problem { at: None, what });
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
            return None;
        };
        match text.parse() {
            Ok(listen) => Some(Web { listen, public_url }),
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
