//! Plays a cassette: answers as the provider would, from what is written down. Costs nothing and asks nobody.

use hyper::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderValue},
};
use loops::budget::Usage;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    cassette::Found,
    reply::{Body, REHEARSED, json_response, whole},
};

/// Bytes that make a token, roughly: rehearsed figures are for show and cost nothing.
const BYTES_PER_TOKEN: u64 = 4;

/// An answer from a cassette.
pub(super) struct Played {
    message: Value,
    pub(super) usage: Usage,
}

/// Makes the answer of the turn that was found for `body`, which asked for `model`.
pub(super) fn answer(found: &Found<'_>, model: &str, body: &Value) -> Played {
    let content: Vec<Value> = found
        .turn
        .content
        .iter()
        .enumerate()
        .map(|(index, block)| named(found, index, block))
        .collect();
    let written: usize = content.iter().map(|block| block.to_string().len()).sum();
    let usage = found.turn.usage.unwrap_or_else(|| Usage {
        input_tokens: (body.to_string().len() as u64).div_ceil(BYTES_PER_TOKEN),
        output_tokens: (written as u64).div_ceil(BYTES_PER_TOKEN),
        ..Usage::default()
    });
    let message = json!({
        "id": format!("msg_{}", id(found, None)),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": found.turn.ending(),
        "stop_sequence": null,
        "usage": figures(&usage),
    });
    Played { message, usage }
}

impl Played {
    /// As an HTTP answer, whole or as a stream of events.
    pub(super) fn into_response(self, stream: bool) -> Response<Body> {
        let mut response = if stream {
            let mut response = Response::new(whole(events(&self.message, &self.usage).into()));
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            response
        } else {
            json_response(StatusCode::OK, self.message.to_string())
        };
        response
            .headers_mut()
            .insert(REHEARSED, HeaderValue::from_static("1"));
        response
    }
}

/// A block with an id of its own if it calls a tool: the same turn always gives the same id, another turn another.
fn named(found: &Found<'_>, index: usize, block: &Value) -> Value {
    let mut block = block.clone();
    if block.get("type").and_then(Value::as_str) == Some("tool_use") {
        block["id"] = json!(format!("toolu_{}", id(found, Some(index))));
    }
    block
}

fn id(found: &Found<'_>, block: Option<usize>) -> String {
    let digest = Sha256::digest(format!("{}/{}/{block:?}", found.session, found.number));
    hex::encode(&digest[..12])
}

fn figures(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
    })
}

/// The events that make up `message`, in the provider's order.
fn events(message: &Value, usage: &Usage) -> String {
    let mut text = String::new();
    let mut say = |event: Value| {
        let name = event
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        text.push_str(&format!("event: {name}\ndata: {event}\n\n"));
    };
    let mut start = message.clone();
    start["content"] = json!([]);
    start["stop_reason"] = Value::Null;
    start["usage"]["output_tokens"] = json!(1);
    say(json!({"type": "message_start", "message": start}));
    let blocks = message
        .get("content")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    for (index, block) in blocks.iter().enumerate() {
        let (opening, deltas) = in_pieces(block);
        say(json!({"type": "content_block_start", "index": index, "content_block": opening}));
        for delta in deltas {
            say(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        say(json!({"type": "content_block_stop", "index": index}));
    }
    let ending = json!({"stop_reason": message["stop_reason"], "stop_sequence": null});
    say(json!({"type": "message_delta", "delta": ending, "usage": {"output_tokens": usage.output_tokens}}));
    say(json!({"type": "message_stop"}));
    text
}

/// A block as it opens, and what comes after.
fn in_pieces(block: &Value) -> (Value, Vec<Value>) {
    let mut opening = block.clone();
    let field = |key: &str| block.get(key).cloned().unwrap_or(Value::Null);
    let deltas = match block.get("type").and_then(Value::as_str) {
        Some("text") => {
            opening["text"] = json!("");
            vec![json!({"type": "text_delta", "text": field("text")})]
        }
        Some("tool_use") => {
            opening["input"] = json!({});
            vec![json!({"type": "input_json_delta", "partial_json": field("input").to_string()})]
        }
        Some("thinking") => {
            opening["thinking"] = json!("");
            opening["signature"] = json!("");
            vec![
                json!({"type": "thinking_delta", "thinking": field("thinking")}),
                json!({"type": "signature_delta", "signature": block.get("signature").cloned().unwrap_or(json!(""))}),
            ]
        }
        _ => Vec::new(),
    };
    (opening, deltas)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::{
        api::Api,
        cassette::Turn,
        meter::{Meter, Seen},
        record::assemble,
    };

    fn turn() -> Turn {
        serde_json::from_value(json!({"content": [
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "text", "text": "I look.\nThen I fix."},
            {"type": "tool_use", "name": "read", "input": {"path": "a\"b", "lines": [1, 2]}},
            {"type": "tool_use", "name": "read", "input": {}},
        ]}))
        .unwrap()
    }

    #[test]
    fn a_played_stream_says_the_same_as_a_played_whole_answer() {
        let turn = turn();
        let played = answer(
            &Found {
                session: 0,
                number: 3,
                turn: &turn,
            },
            "m",
            &json!({"messages": []}),
        );
        let stream = events(&played.message, &played.usage);
        let (message, usage) = assemble(stream.as_bytes()).unwrap();
        assert_eq!(
            message.content,
            played.message["content"].as_array().unwrap().clone()
        );
        assert_eq!(
            (message.stop_reason.as_deref(), usage),
            (Some("tool_use"), played.usage)
        );
        let mut meter = Meter::new(Api::Messages);
        meter.feed(stream.as_bytes());
        assert_eq!(meter.seen(1), Seen::All(played.usage));
    }

    #[test]
    fn tool_calls_get_ids_that_are_their_own_and_stay_the_same() {
        let turn = turn();
        let ids = |session, number| {
            let played = answer(
                &Found {
                    session,
                    number,
                    turn: &turn,
                },
                "m",
                &json!({}),
            );
            [2, 3].map(|index| {
                played.message["content"][index]["id"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
        };
        let [first, second] = ids(0, 0);
        assert_ne!(first, second);
        assert_eq!(ids(0, 0), [first.clone(), second]);
        assert!(!ids(0, 1).contains(&first) && !ids(1, 0).contains(&first));
    }
}
