//! What an attempt may ask for: allow-lists of fields, tools and kinds of content, one file an API.
//!
//! Whatever is not on the list is refused by name. Anything by which the provider would fetch, connect, store or run
//! something for the attempt would be a way around sandbox and meter, and what we do not know yet may be just that.
//! A request is parsed and written anew, so that what was checked is what is sent (a field given twice, of which the
//! provider takes the other, does not get through). Content is never changed.

use serde_json::{Map, Value};

use super::reply::Refusal;

pub(super) mod chat;
pub(super) mod messages;
pub(super) mod responses;

/// A request that may be made.
#[derive(Debug)]
pub(super) struct Asked {
    /// A model's name or alias.
    pub(super) model: String,
    /// How many tokens the answer may have; none: as many as the model writes.
    pub(super) max_tokens: Option<u64>,
    /// How many of them are promised to thinking: fewer in all would not be accepted.
    pub(super) thinking: u64,
    /// Whether the answer is to come as a stream.
    pub(super) stream: bool,
    /// All of it.
    pub(super) body: Value,
}

/// The request and its model, if it is an object of these fields.
fn parse(bytes: &[u8], allowed: &[&str]) -> Result<(Value, String), Refusal> {
    let body: Value = serde_json::from_slice(bytes)
        .map_err(|error| Refusal::invalid(format!("the request is not JSON: {error}")))?;
    let fields = body
        .as_object()
        .ok_or_else(|| Refusal::invalid("the request is not a JSON object"))?;
    only("the request", fields, allowed)?;
    let model = text(fields, "model")?
        .ok_or_else(|| Refusal::invalid("`model` is missing"))?
        .to_owned();
    Ok((body, model))
}

/// Whether the answer is to come as a stream.
fn streams(fields: &Map<String, Value>) -> Result<bool, Refusal> {
    flag(fields, "stream").map(Option::unwrap_or_default)
}

fn flag(fields: &Map<String, Value>, key: &str) -> Result<Option<bool>, Refusal> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(Refusal::invalid(format!("`{key}` must be true or false"))),
    }
}

/// How long an answer may be, in the field `key`; none: nothing is said of it.
fn bound(fields: &Map<String, Value>, key: &str) -> Result<Option<u64>, Refusal> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(count) if count > 0 => Ok(Some(count)),
            _ => Err(Refusal::invalid(format!(
                "`{key}` must be a whole number above zero"
            ))),
        },
    }
}

/// An object of texts and nothing else: labels that the provider hands back.
fn labels(place: &str, fields: &Map<String, Value>, key: &str) -> Result<(), Refusal> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(labels)) if labels.values().all(Value::is_string) => Ok(()),
        Some(_) => Err(Refusal::invalid(format!(
            "`{key}` of {place} must be an object of texts"
        ))),
    }
}

/// A picture that stands in the request itself, as the APIs of OpenAI write one.
fn picture(place: &str, url: Option<&str>) -> Result<(), Refusal> {
    if url.is_some_and(|url| url.starts_with("data:")) {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "{place} must hold its picture itself (`data:`): nothing is fetched for an attempt"
    )))
}

/// A tool that the attempt itself carries out, as the APIs of OpenAI name them.
fn own_tool(place: &str, kind: &str) -> Result<(), Refusal> {
    if matches!(kind, "function" | "custom") {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "{place} has the type `{}`: only tools that the attempt itself carries out (`function`, `custom`) are allowed",
        short(kind)
    )))
}

fn only(place: &str, fields: &Map<String, Value>, allowed: &[&str]) -> Result<(), Refusal> {
    match fields.keys().find(|key| !allowed.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(Refusal::invalid(format!(
            "the field `{}` of {place} is not allowed here",
            short(key)
        ))),
    }
}

fn object<'a>(place: &str, value: &'a Value) -> Result<&'a Map<String, Value>, Refusal> {
    value
        .as_object()
        .ok_or_else(|| Refusal::invalid(format!("{place} must be an object")))
}

fn array<'a>(place: &str, value: &'a Value) -> Result<&'a [Value], Refusal> {
    value
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| Refusal::invalid(format!("{place} must be a list")))
}

fn text<'a>(fields: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, Refusal> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::invalid(format!("`{key}` must be text"))),
    }
}

/// A name out of a request, cut so that an error stays readable.
fn short(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(60)
        .collect()
}
