//! Writes what a model answers to a cassette, as it comes. Keeps no key and no token; the answers are kept as they are.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use loops::{budget::Usage, id::AttemptId};
use serde_json::{Map, Value, json};

use super::{
    cassette::{Cassette, CassetteError, Session, Turn, answered, first_user_text},
    token::Admission,
};

/// How much of the first message a recorded session is known by.
const MATCH_CHARS: usize = 120;

/// A cassette that is being written.
#[derive(Debug)]
pub(super) struct Recorder {
    path: PathBuf,
    tape: Mutex<Tape>,
}

#[derive(Debug)]
struct Tape {
    cassette: Cassette,
    /// Which session an attempt's answers go to.
    sessions: HashMap<AttemptId, usize>,
}

impl Recorder {
    /// Begins a new cassette in `path`; one that is there already is not written over.
    pub(super) fn begin(path: &Path) -> Result<Self, CassetteError> {
        let failed = |source| CassetteError::File {
            path: path.to_owned(),
            source,
        };
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(failed)?;
        let cassette = Cassette {
            note: "recorded".to_owned(),
            sessions: Vec::new(),
        };
        Ok(Self {
            path: path.to_owned(),
            tape: Mutex::new(Tape {
                cassette,
                sessions: HashMap::new(),
            }),
        })
    }

    /// Keeps the answer to `body`. A turn that comes a second time (after a cut, say) takes the place of the first.
    pub(super) fn keep(&self, from: &Admission, body: &Value, turn: Turn) -> Result<(), CassetteError> {
        let mut tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
        let Tape { cassette, sessions } = &mut *tape;
        let index = *sessions.entry(from.attempt).or_insert_with(|| {
            let first = brief(body);
            let line = first
                .lines()
                .find(|line| !line.trim().is_empty())
                .unwrap_or_default();
            cassette.sessions.push(Session {
                label: from.label.clone(),
                matches: vec![line.chars().take(MATCH_CHARS).collect()],
                attempt: Some(from.number),
                turns: Vec::new(),
            });
            cassette.sessions.len() - 1
        });
        let turns = &mut cassette.sessions[index].turns;
        let number = answered(body);
        if number > turns.len() {
            let why = format!("turn {} of session {} was never seen", turns.len() + 1, index + 1);
            return Err(CassetteError::Form {
                path: self.path.clone(),
                why,
            });
        }
        turns.truncate(number);
        turns.push(turn);
        let text = serde_json::to_string_pretty(cassette).map_err(|error| CassetteError::Form {
            path: self.path.clone(),
            why: error.to_string(),
        })?;
        self.write(&text).map_err(|source| CassetteError::File {
            path: self.path.clone(),
            source,
        })
    }

    /// Whole or not at all.
    fn write(&self, text: &str) -> std::io::Result<()> {
        let folder = self
            .path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.persist(&self.path)?;
        Ok(())
    }
}

/// The brief: the last text of the first message. What comes before it is the same for all sessions of a run.
fn brief(body: &Value) -> String {
    match body.pointer("/messages/0/content") {
        Some(Value::Array(blocks)) => {
            let last = blocks.iter().rev().find_map(|block| block.get("text")?.as_str());
            last.unwrap_or_default().to_owned()
        }
        _ => first_user_text(body),
    }
}

/// The turn in an answer that came whole.
pub(super) fn turn_of(message: &Value, usage: Usage) -> Option<Turn> {
    Some(Turn {
        content: message.get("content")?.as_array()?.clone(),
        stop_reason: message
            .get("stop_reason")
            .and_then(Value::as_str)
            .map(str::to_owned),
        usage: Some(usage),
        delay_ms: 0,
    })
}

/// Puts an answer together that came as a stream; none if it is not a whole one.
pub(super) fn assemble(stream: &[u8]) -> Option<(Turn, Usage)> {
    let mut meter = super::meter::Meter::new(super::api::Api::Messages);
    meter.feed(stream);
    let super::meter::Seen::All(usage) = meter.seen(u64::MAX) else {
        return None;
    };
    let mut blocks: Vec<Value> = Vec::new();
    let mut inputs: Map<String, Value> = Map::new();
    let mut stop_reason = None;
    let data = stream
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.strip_prefix(b"data:"));
    for event in data.filter_map(|data| serde_json::from_slice::<Value>(data).ok()) {
        match event.get("type").and_then(Value::as_str) {
            Some("content_block_start") => blocks.push(event.get("content_block")?.clone()),
            Some("content_block_delta") => extend(blocks.last_mut()?, event.get("delta")?, &mut inputs)?,
            Some("content_block_stop") => {
                if let Some(Value::String(text)) = inputs.remove("json")
                    && !text.is_empty()
                {
                    blocks.last_mut()?["input"] = serde_json::from_str(&text).ok()?;
                }
            }
            Some("message_delta") => {
                stop_reason = event
                    .pointer("/delta/stop_reason")
                    .and_then(Value::as_str)
                    .map(str::to_owned);
            }
            _ => {}
        }
    }
    Some((
        Turn {
            content: blocks,
            stop_reason,
            usage: Some(usage),
            delay_ms: 0,
        },
        usage,
    ))
}

/// Adds a piece to the block that it belongs to; a tool's input is gathered as text until its block ends.
fn extend(block: &mut Value, delta: &Value, inputs: &mut Map<String, Value>) -> Option<()> {
    let add = |key: &str, place: &mut Value| {
        let piece = delta.get(key)?.as_str()?;
        let before = place.as_str().unwrap_or_default();
        *place = json!(format!("{before}{piece}"));
        Some(())
    };
    match delta.get("type").and_then(Value::as_str)? {
        "text_delta" => add("text", &mut block["text"]),
        "thinking_delta" => add("thinking", &mut block["thinking"]),
        "signature_delta" => add("signature", &mut block["signature"]),
        "input_json_delta" => add("partial_json", inputs.entry("json").or_insert(Value::Null)),
        _ => Some(()),
    }
}
