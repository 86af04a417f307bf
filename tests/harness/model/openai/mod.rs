//! The scripted model's other faces: OpenAI's Responses and Chat Completions APIs. The same sessions play there; what is
//! asked is checked as strictly as the provider does, as far as our requests go.

use std::collections::HashSet;

use serde_json::Value;

use super::wire::signature;

mod chat;
mod responses;

/// The API that a request came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    Messages,
    Responses,
    Chat,
}

/// What of a request chooses the session and its turn.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) system: String,
    pub(super) first: String,
    /// How many answers it already holds.
    pub(super) turn: usize,
}

impl Face {
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/v1/messages" => Some(Self::Messages),
            "/v1/responses" => Some(Self::Responses),
            "/v1/chat/completions" => Some(Self::Chat),
            _ => None,
        }
    }
}

pub(super) use chat::{answer as chat_answer, asked as chat_asked, events as chat_events};
pub(super) use responses::{
    answer as responses_answer, asked as responses_asked, events as responses_events,
};

/// An error body.
pub(super) fn error(kind: &str, words: &str) -> Value {
    serde_json::json!({"error": {"message": words, "type": kind, "param": null, "code": null}})
}

/// Calls that wait for their results, and results that wait for nothing.
#[derive(Debug, Default)]
struct Calls<'a> {
    open: HashSet<&'a str>,
}

impl<'a> Calls<'a> {
    fn made(&mut self, id: Option<&'a str>) -> Result<(), String> {
        let id = id.filter(|id| !id.is_empty()).ok_or("a call has no id")?;
        if self.open.insert(id) {
            return Ok(());
        }
        Err(format!("Duplicate call id `{id}`"))
    }

    fn answered(&mut self, id: Option<&'a str>) -> Result<(), String> {
        if id.is_some_and(|id| self.open.remove(id)) {
            return Ok(());
        }
        Err(format!("No tool call found for the output with call id {id:?}."))
    }

    fn closed(&self) -> Result<(), String> {
        match self.open.iter().next() {
            None => Ok(()),
            Some(id) => Err(format!("No tool output found for function call {id}.")),
        }
    }
}

fn only(value: &Value, place: &str, known: &[&str]) -> Result<(), String> {
    let map = value
        .as_object()
        .ok_or_else(|| format!("Invalid type for '{place}': expected an object."))?;
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(format!("Unknown parameter: '{place}.{key}'.")),
    }
}

/// The text of content that is a string or a list of parts with a `text`.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

/// The proof that thoughts are this model's own, as they are handed back.
fn sealed(thoughts: &str) -> String {
    format!("{}.{thoughts}", signature(thoughts))
}

fn is_ours(sealed: &str) -> bool {
    sealed
        .split_once('.')
        .is_some_and(|(seal, thoughts)| seal == signature(thoughts))
}

fn halves(text: &str) -> impl Iterator<Item = &str> {
    let (left, right) = text.split_at(text.floor_char_boundary(text.len() / 2));
    [left, right].into_iter().filter(|half| !half.is_empty())
}
