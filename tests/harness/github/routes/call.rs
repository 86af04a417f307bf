//! A request on its way through an endpoint: what it asks for, and the part of a list that answers it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::github::{
    answer::{Refusal, Reply},
    people::Actor,
    world::World,
};

/// A request on its way through an endpoint.
#[derive(Debug)]
pub(in crate::github) struct Call<'a> {
    pub(in crate::github) world: &'a mut World,
    pub(in crate::github) actor: &'a Actor,
    /// Which repository; of no meaning where the path names none.
    pub(in crate::github) at: usize,
    pub(in crate::github) parameters: BTreeMap<&'static str, String>,
    pub(in crate::github) query: Vec<(String, String)>,
    pub(in crate::github) body: Value,
    pub(in crate::github) accept: String,
    /// The address without the query.
    pub(in crate::github) address: String,
}

impl Call<'_> {
    pub(super) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str) -> Result<u64, Refusal> {
        self.parameter(name).parse().map_err(|_| Refusal::not_found())
    }

    pub(super) fn asks(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A text of the body, if it is there.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.body[name].as_str().map(str::to_owned)
    }

    /// The texts of a list of the body.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let list = self.body[name].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    pub(super) fn login(&self) -> String {
        self.actor.login().to_owned()
    }

    /// A text that must be there and no longer than GitHub takes.
    pub(super) fn prose(&self, resource: &str, name: &str) -> Result<String, Refusal> {
        let text = self.text(name).filter(|text| !text.trim().is_empty());
        let text = text.ok_or_else(|| Refusal::field(resource, name, "missing_field"))?;
        bounded(resource, &text)?;
        Ok(text)
    }

    /// The part of a list that was asked for, with links to the other parts.
    pub(super) fn page(&self, mut all: Vec<Value>) -> Reply {
        if self.world.hides_own {
            all.retain(|one| one["user"]["login"] != self.actor.login());
        }
        let (part, link) = self.part(all);
        let reply = Reply::new(200, json!(part));
        if link.is_empty() {
            reply
        } else {
            reply.with("link", link)
        }
    }

    /// The same inside of an object that says how many there are.
    pub(super) fn page_in(&self, name: &str, all: Vec<Value>) -> Reply {
        let total = all.len();
        let (part, link) = self.part(all);
        let mut body = json!({ "total_count": total });
        body[name] = json!(part);
        let reply = Reply::new(200, body);
        if link.is_empty() {
            reply
        } else {
            reply.with("link", link)
        }
    }

    fn part(&self, all: Vec<Value>) -> (Vec<Value>, String) {
        let number = |name: &str| self.asks(name).and_then(|value| value.parse::<usize>().ok());
        let size = number("per_page").unwrap_or(30).clamp(1, 100);
        let page = number("page").unwrap_or(1).max(1);
        let last = all.len().div_ceil(size).max(1);
        let address = |page: usize| {
            let mut query: Vec<String> = self
                .query
                .iter()
                .filter(|(name, _)| name != "page")
                .map(|(name, value)| format!("{name}={}", escape(value)))
                .collect();
            query.push(format!("page={page}"));
            format!("<{}?{}>", self.address, query.join("&"))
        };
        let mut links = Vec::new();
        if page > 1 {
            links.push(format!("{}; rel=\"prev\"", address(page - 1)));
        }
        if page < last {
            links.push(format!("{}; rel=\"next\"", address(page + 1)));
            links.push(format!("{}; rel=\"last\"", address(last)));
        }
        if page > 1 {
            links.push(format!("{}; rel=\"first\"", address(1)));
        }
        let part = all.into_iter().skip((page - 1) * size).take(size).collect();
        (part, links.join(", "))
    }
}

/// No longer than GitHub takes.
pub(super) fn bounded(resource: &str, text: &str) -> Result<(), Refusal> {
    match text.chars().count() {
        0..=65_536 => Ok(()),
        _ => Err(Refusal::custom(
            resource,
            "body is too long (maximum is 65536 characters)",
        )),
    }
}

fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~,:".contains(&byte);
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
