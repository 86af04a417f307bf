//! What GitHub is asked: method, path, query, body, and in whose name. Built part by part, so that nothing from outside
//! can change which address is asked. Nothing is sent here.

use hyper::Method;
use reqwest::Url;
use serde::Serialize;
use serde_json::Value;

/// The usual form of answers.
const JSON: &str = "application/vnd.github+json";

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) to: To,
    query: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
    pub(super) accept: &'static str,
    /// Completes "cannot …": a verb and what it is about.
    pub(super) doing: String,
    pub(super) name: Name,
    /// Whether it may be sent again when nobody knows what became of it.
    pub(super) repeatable: bool,
}

/// Where to.
#[derive(Debug, Clone)]
pub(super) enum To {
    /// A path of the API, by its parts.
    Path(Vec<String>),
    /// An address that GitHub gave.
    Address(String),
    /// The other API.
    GraphQl,
}

/// In whose name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// Ours, for what belongs to this owner.
    Owner(String),
    /// The App's own.
    App,
}

impl Ask {
    fn new(method: Method, path: &[&str], body: Option<Value>, doing: &str) -> Self {
        Self {
            repeatable: method == Method::GET,
            method,
            to: To::Path(path.iter().map(|part| (*part).to_owned()).collect()),
            query: vec![],
            body,
            accept: JSON,
            doing: doing.to_owned(),
            name: Name::App,
        }
    }

    pub(super) fn get(path: &[&str], doing: &str) -> Self {
        Self::new(Method::GET, path, None, doing)
    }

    pub(super) fn post(path: &[&str], body: &impl Serialize, doing: &str) -> Self {
        Self::with(Method::POST, path, body, doing)
    }

    /// A request with a body.
    pub(super) fn with(method: Method, path: &[&str], body: &impl Serialize, doing: &str) -> Self {
        // Our own bodies are structs with text keys: they can always be written.
        let body = serde_json::to_value(body).unwrap_or_default();
        Self::new(method, path, Some(body), doing)
    }

    /// A question or command in the other API.
    pub(super) fn graphql(query: &str, variables: Value, doing: &str) -> Self {
        let body = serde_json::json!({ "query": query, "variables": variables });
        Self {
            to: To::GraphQl,
            ..Self::new(Method::POST, &[], Some(body), doing)
        }
    }

    pub(super) fn query(mut self, key: &'static str, value: impl ToString) -> Self {
        self.query.push((key, value.to_string()));
        self
    }

    pub(super) fn owner(mut self, owner: &str) -> Self {
        self.name = Name::Owner(owner.to_owned());
        self
    }

    pub(super) fn of_app(mut self) -> Self {
        self.name = Name::App;
        self
    }

    pub(super) fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Whether it changes something there, as far as pace and order go.
    pub(super) fn writes(&self) -> bool {
        self.method != Method::GET
    }

    /// The whole address under `api`; the error says what is wrong with it.
    pub(super) fn url(&self, api: &Url) -> Result<Url, String> {
        let mut url = api.clone();
        match &self.to {
            To::Address(address) => {
                url =
                    Url::parse(address).map_err(|error| format!("`{}`: {error}", address.escape_debug()))?;
                if url.origin() != api.origin() {
                    return Err("it leads to another host".to_owned());
                }
                return Ok(url);
            }
            To::GraphQl => {
                let path = match api.path().trim_end_matches('/') {
                    path if path.ends_with("/v3") => format!("{}/graphql", path.trim_end_matches("/v3")),
                    path => format!("{path}/graphql"),
                };
                url.set_path(&path);
            }
            To::Path(parts) => {
                if let Some(part) = parts.iter().find(|part| matches!(part.as_str(), "" | "." | "..")) {
                    return Err(format!("`{part}` cannot be a part of an address"));
                }
                let mut path = url
                    .path_segments_mut()
                    .map_err(|()| "the API's address has no path".to_owned())?;
                path.pop_if_empty().extend(parts);
            }
        }
        if !self.query.is_empty() {
            url.query_pairs_mut()
                .extend_pairs(self.query.iter().map(|(key, value)| (*key, value)));
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(api: &str, ask: &Ask) -> Result<String, String> {
        ask.url(&Url::parse(api).unwrap()).map(|url| url.to_string())
    }

    #[test]
    fn text_from_outside_stays_within_its_part() {
        let ask = Ask::get(&["repos", "acme", "shop", "branches", "a/../b?x#y"], "look").query("q", "a&b=c");
        assert_eq!(
            url("https://h.example/api/v3", &ask).unwrap(),
            "https://h.example/api/v3/repos/acme/shop/branches/a%2F..%2Fb%3Fx%23y?q=a%26b%3Dc"
        );
        for part in ["", ".", ".."] {
            assert!(url("https://h.example", &Ask::get(&["repos", part], "look")).is_err());
        }
    }

    #[test]
    fn the_other_api_stands_beside_the_first() {
        let ask = Ask::graphql("{}", Value::Null, "look");
        assert_eq!(
            url("https://api.github.com", &ask).unwrap(),
            "https://api.github.com/graphql"
        );
        assert_eq!(
            url("https://h.example/api/v3", &ask).unwrap(),
            "https://h.example/api/graphql"
        );
    }

    #[test]
    fn an_address_that_was_given_must_be_on_the_same_host() {
        let given = |address: &str| Ask {
            to: To::Address(address.to_owned()),
            ..Ask::get(&[], "look")
        };
        assert!(
            url(
                "https://h.example",
                &given("https://h.example/repositories/1?page=2")
            )
            .is_ok()
        );
        for other in [
            "https://other.example/x",
            "http://h.example/x",
            "https://h.example:444/",
            "x",
        ] {
            assert!(url("https://h.example", &given(other)).is_err(), "{other}");
        }
    }
}
