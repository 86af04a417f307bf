//! Answers in the provider's form: one JSON message, or a stream of events.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use loops::budget::Usage;
use serde_json::{Value, json};

use super::{
    cache::tokens,
    script::{Piece, Turn},
};

/// The texts of a message's content: words and tool results, in order.
pub(super) fn texts(content: &Value) -> Vec<String> {
    match content {
        Value::String(text) => vec![text.clone()],
        Value::Array(blocks) => blocks
            .iter()
            .flat_map(|block| match block["type"].as_str() {
                Some("text") => texts(&block["text"]),
                Some("tool_result") => texts(&block["content"]),
                _ => Vec::new(),
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The proof that thoughts are this model's own.
pub(super) fn signature(thoughts: &str) -> String {
    let mut hasher = DefaultHasher::new();
    thoughts.hash(&mut hasher);
    format!("sig-{:016x}", hasher.finish())
}

/// The ids of a turn's tool calls: the same request gets the same ids.
pub(super) fn call_id(session: &str, turn: usize, at: usize) -> String {
    let mut hasher = DefaultHasher::new();
    session.hash(&mut hasher);
    format!("toolu_{:08x}_{turn}_{at}", hasher.finish() as u32)
}

pub(super) fn output_tokens(turn: &Turn) -> u64 {
    tokens(
        turn.blocks
            .iter()
            .map(|piece| piece.block("").to_string().len())
            .sum(),
    )
}

fn usage_json(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
    })
}

fn envelope(model: &Value, content: Value, stop: Value, usage: &Usage) -> Value {
    json!({
        "id": "msg_scripted", "type": "message", "role": "assistant", "model": model, "content": content,
        "stop_reason": stop, "stop_sequence": null, "usage": usage_json(usage),
    })
}

/// The whole answer at once.
pub(super) fn message(model: &Value, turn: &Turn, id: impl Fn(usize) -> String, usage: &Usage) -> Value {
    let blocks: Vec<Value> = turn
        .blocks
        .iter()
        .enumerate()
        .map(|(n, piece)| piece.block(&id(n)))
        .collect();
    envelope(model, Value::Array(blocks), json!(turn.stop_reason()), usage)
}

/// An error body.
pub(super) fn error(kind: &str, words: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": words}})
}

/// One event of a stream.
pub(super) fn event(data: &Value) -> String {
    format!(
        "event: {}\ndata: {data}\n\n",
        data["type"].as_str().unwrap_or_default()
    )
}

/// The answer as the events of a stream.
pub(super) fn events(model: &Value, turn: &Turn, id: impl Fn(usize) -> String, usage: &Usage) -> Vec<String> {
    let first = Usage {
        output_tokens: 1,
        ..*usage
    };
    let mut events = vec![
        json!({"type": "message_start", "message": envelope(model, json!([]), Value::Null, &first)}),
        json!({"type": "ping"}),
    ];
    for (index, piece) in turn.blocks.iter().enumerate() {
        let (start, deltas) = pieces(piece, &id(index));
        events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
        let deltas = deltas
            .into_iter()
            .map(|delta| json!({"type": "content_block_delta", "index": index, "delta": delta}));
        events.extend(deltas);
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    let delta = json!({"stop_reason": turn.stop_reason(), "stop_sequence": null});
    events.push(
        json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": usage.output_tokens}}),
    );
    events.push(json!({"type": "message_stop"}));
    events.iter().map(event).collect()
}

/// A block as it begins, and what is then added to it.
fn pieces(piece: &Piece, id: &str) -> (Value, Vec<Value>) {
    match piece {
        Piece::Text(text) => (
            json!({"type": "text", "text": ""}),
            halves(text)
                .map(|half| json!({"type": "text_delta", "text": half}))
                .collect(),
        ),
        Piece::Thinking(text) => {
            let mut deltas: Vec<_> = halves(text)
                .map(|half| json!({"type": "thinking_delta", "thinking": half}))
                .collect();
            deltas.push(json!({"type": "signature_delta", "signature": signature(text)}));
            (
                json!({"type": "thinking", "thinking": "", "signature": ""}),
                deltas,
            )
        }
        Piece::Call { name, input } => (
            json!({"type": "tool_use", "id": id, "name": name, "input": {}}),
            halves(input)
                .map(|half| json!({"type": "input_json_delta", "partial_json": half}))
                .collect(),
        ),
        Piece::Any(block) => (block.clone(), Vec::new()),
    }
}

fn halves(text: &str) -> impl Iterator<Item = &str> {
    let (left, right) = text.split_at(text.floor_char_boundary(text.len() / 2));
    [left, right].into_iter().filter(|half| !half.is_empty())
}
