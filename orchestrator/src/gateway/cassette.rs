//! Cassettes: sessions with a model, written down, to be played back in its place.
//!
//! A cassette is JSON: `{"note": …, "sessions": [{"label": "fix", "match": ["total"], "attempt": 1, "turns":
//! [{"content": [blocks], "stop_reason": "tool_use"}]}]}`. Or it is JSON lines, one session each. An answer is found
//! by what a request itself says, never by what was asked before, so that sub-agents may run in any order and a
//! restart finds the same answers again.

use std::path::{Path, PathBuf};

use loops::budget::Usage;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Larger files are no cassettes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Why a cassette cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum CassetteError {
    /// The file cannot be read or written.
    #[error("cannot use the cassette `{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a cassette.
    #[error("`{}` is not a cassette: {why}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
}

/// Sessions with a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cassette {
    /// What it is, and who made it.
    #[serde(default)]
    pub note: String,
    /// The sessions; of two that fit, the first is played.
    pub sessions: Vec<Session>,
}

/// One session: what the model answered, turn by turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// The kind of session that it fits.
    pub label: String,
    /// All of these must stand in the first message of the user.
    #[serde(rename = "match", default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<String>,
    /// The try of the task that it fits; any, if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The answers in order.
    pub turns: Vec<Turn>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Its blocks; ids of tool calls are given when it is played.
    pub content: Vec<Value>,
    /// `end_turn`, `tool_use`, `max_tokens` …; worked out from the content if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// What it used; estimated from the bytes if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// How long the model takes over it, milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delay_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A turn that fits a request, and where it stands.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) session: usize,
    pub(super) number: usize,
    pub(super) turn: &'a Turn,
}

impl Cassette {
    /// Reads the cassette in `path`.
    pub fn load(path: &Path) -> Result<Self, CassetteError> {
        let failed = |source| CassetteError::File {
            path: path.to_owned(),
            source,
        };
        let length = std::fs::metadata(path).map_err(failed)?.len();
        if length > MAX_BYTES {
            let why = format!("it has {length} bytes; at most {MAX_BYTES} are allowed");
            return Err(CassetteError::Form {
                path: path.to_owned(),
                why,
            });
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        Self::parse(&text).map_err(|why| CassetteError::Form {
            path: path.to_owned(),
            why,
        })
    }

    /// Reads a cassette from text; the error says what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let cassette = match serde_json::from_str::<Self>(text) {
            Ok(cassette) => cassette,
            Err(whole) => {
                Self::parse_lines(text).map_err(|lines| lines.unwrap_or_else(|| whole.to_string()))?
            }
        };
        cassette.check()?;
        Ok(cassette)
    }

    /// One session a line. No error text: the lines do not look like sessions either.
    fn parse_lines(text: &str) -> Result<Self, Option<String>> {
        let mut sessions = Vec::new();
        for (index, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let session = serde_json::from_str(line)
                .map_err(|error| (!sessions.is_empty()).then(|| format!("line {}: {error}", index + 1)))?;
            sessions.push(session);
        }
        Ok(Self {
            note: String::new(),
            sessions,
        })
    }

    fn check(&self) -> Result<(), String> {
        if self.sessions.is_empty() {
            return Err("it has no sessions".to_owned());
        }
        for (session_index, session) in self.sessions.iter().enumerate() {
            let place = format!("session {} (`{}`)", session_index + 1, session.label);
            if session.turns.is_empty() {
                return Err(format!("{place} has no turns"));
            }
            for (index, turn) in session.turns.iter().enumerate() {
                turn.check()
                    .map_err(|why| format!("{place}, turn {}: {why}", index + 1))?;
            }
        }
        Ok(())
    }

    /// The turn that answers `body`, asked in the session of kind `label` on try `attempt` of its task.
    pub(super) fn find(&self, label: &str, attempt: u32, body: &Value) -> Result<Found<'_>, String> {
        let first = first_user_text(body);
        let fits = |session: &Session| {
            session.label == label
                && session.attempt.is_none_or(|number| number == attempt)
                && session
                    .matches
                    .iter()
                    .all(|wanted| first.contains(wanted.as_str()))
        };
        let Some((index, session)) = self
            .sessions
            .iter()
            .enumerate()
            .find(|(_, session)| fits(session))
        else {
            return Err(format!(
                "the cassette has no session `{label}` that fits attempt {attempt} and this first message"
            ));
        };
        let number = answered(body);
        session
            .turns
            .get(number)
            .map(|turn| Found {
                session: index,
                number,
                turn,
            })
            .ok_or_else(|| {
                format!(
                    "session {} (`{label}`) of the cassette ends after turn {}; turn {} was asked for",
                    index + 1,
                    session.turns.len(),
                    number + 1
                )
            })
    }
}

impl Turn {
    fn check(&self) -> Result<(), String> {
        if self.content.is_empty() {
            return Err("it has no content".to_owned());
        }
        for (index, block) in self.content.iter().enumerate() {
            let is = |key: &str, kind: fn(&Value) -> bool| block.get(key).is_some_and(kind);
            let whole = match block.get("type").and_then(Value::as_str) {
                Some("text") => is("text", Value::is_string),
                Some("thinking") => is("thinking", Value::is_string),
                Some("redacted_thinking") => is("data", Value::is_string),
                Some("tool_use") => is("name", Value::is_string) && is("input", Value::is_object),
                _ => {
                    return Err(format!(
                        "block {} must be `text`, `thinking` or `tool_use`",
                        index + 1
                    ));
                }
            };
            if !whole {
                return Err(format!(
                    "block {} lacks a field, or has one of the wrong type",
                    index + 1
                ));
            }
        }
        Ok(())
    }

    /// Why the answer ended.
    pub(super) fn ending(&self) -> &str {
        let calls = self
            .content
            .iter()
            .any(|block| block.get("type").and_then(Value::as_str) == Some("tool_use"));
        self.stop_reason
            .as_deref()
            .unwrap_or(if calls { "tool_use" } else { "end_turn" })
    }
}

/// How many answers a conversation holds already.
pub(super) fn answered(body: &Value) -> usize {
    let messages = body
        .get("messages")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    messages
        .iter()
        .filter(|message| message.get("role").and_then(Value::as_str) == Some("assistant"))
        .count()
}

/// The text of the first message of the user.
pub(super) fn first_user_text(body: &Value) -> String {
    match body.pointer("/messages/0/content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(blocks)) => {
            let texts = blocks.iter().filter_map(|block| block.get("text")?.as_str());
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cassette() -> Cassette {
        Cassette::parse(
            r#"{"note": "ours", "sessions": [
                {"label": "fix", "match": ["total"], "attempt": 2, "turns": [{"content": [{"type": "text", "text": "second"}]}]},
                {"label": "fix", "match": ["total", "cents"], "turns": [
                    {"content": [{"type": "tool_use", "name": "read", "input": {}}]},
                    {"content": [{"type": "text", "text": "done"}]}]}]}"#,
        )
        .unwrap()
    }

    fn request(text: &str, answers: usize) -> Value {
        let mut messages = vec![json!({"role": "user", "content": [{"type": "text", "text": text}]})];
        for _ in 0..answers {
            messages.push(json!({"role": "assistant", "content": "a"}));
            messages.push(json!({"role": "user", "content": "u"}));
        }
        json!({"messages": messages})
    }

    #[test]
    fn a_turn_is_found_by_label_first_message_try_and_number_of_answers() {
        let cassette = cassette();
        let found = |attempt, answers| {
            let body = request("the total loses cents", answers);
            cassette
                .find("fix", attempt, &body)
                .map(|found| (found.session, found.number))
                .unwrap()
        };
        assert_eq!((found(1, 0), found(1, 1), found(2, 0)), ((1, 0), (1, 1), (0, 0)));
    }

    #[test]
    fn what_is_not_on_the_cassette_is_said_with_session_and_turn() {
        let cassette = cassette();
        let said = |label, text, answers| cassette.find(label, 1, &request(text, answers)).unwrap_err();
        assert_eq!(
            said("fix", "total cents", 2),
            "session 2 (`fix`) of the cassette ends after turn 2; turn 3 was asked for"
        );
        assert!(said("fix", "dates", 0).contains("no session `fix`"));
        assert!(said("lead", "total cents", 0).contains("no session `lead`"));
    }

    #[test]
    fn the_demo_plays() {
        let demo = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/demo/cassette.json"));
        Cassette::parse(demo).unwrap();
    }

    #[test]
    fn lines_of_sessions_are_a_cassette_too() {
        let line = r#"{"label": "lead", "turns": [{"content": [{"type": "text", "text": "x"}]}]}"#;
        assert_eq!(
            Cassette::parse(&format!("{line}\n\n{line}\n"))
                .unwrap()
                .sessions
                .len(),
            2
        );
        assert!(
            Cassette::parse(&format!("{line}\n{{\n"))
                .unwrap_err()
                .starts_with("line 2: ")
        );
    }

    #[test]
    fn a_bad_cassette_says_what_and_where() {
        let error = |text: &str| Cassette::parse(text).unwrap_err();
        let turns = |turns: &str| {
            error(&format!(
                r#"{{"sessions": [{{"label": "fix", "turns": [{turns}]}}]}}"#
            ))
        };
        assert_eq!(turns(""), "session 1 (`fix`) has no turns");
        assert_eq!(
            turns(r#"{"content": []}"#),
            "session 1 (`fix`), turn 1: it has no content"
        );
        assert_eq!(
            turns(r#"{"content": [{"type": "tool_use", "name": "x"}]}"#),
            "session 1 (`fix`), turn 1: block 1 lacks a field, or has one of the wrong type"
        );
        assert!(turns(r#"{"contents": []}"#).contains("unknown field `contents`"));
        assert!(error("{\"sessions\": []}").contains("no sessions"));
        assert!(error("{").contains("line 1"));
    }
}
