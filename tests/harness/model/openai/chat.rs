//! The Chat Completions API: a request's conversation, an answer whole, an answer in pieces.

use loops::budget::Usage;
use serde_json::{Value, json};

use super::{Asked, Calls, halves, only, text};
use crate::model::script::{Piece, Turn};

const FIELDS: &[&str] = &[
    "model",
    "messages",
    "max_completion_tokens",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "stream",
    "stream_options",
    "reasoning_effort",
    "temperature",
    "top_p",
];

/// What a request says, or what is wrong with it.
pub(in crate::model) fn asked(request: &Value) -> Result<Asked, String> {
    only(request, "body", FIELDS)?;
    if request["model"].as_str().is_none_or(str::is_empty) {
        return Err("you must provide a model parameter".to_owned());
    }
    if request["max_completion_tokens"]
        .as_u64()
        .is_none_or(|tokens| tokens == 0)
    {
        return Err("Invalid 'max_completion_tokens': expected a value >= 1.".to_owned());
    }
    if request["stream"] != true && request.get("stream_options").is_some() {
        return Err("The 'stream_options' parameter is only allowed when 'stream' is enabled.".to_owned());
    }
    for tool in request["tools"].as_array().into_iter().flatten() {
        only(tool, "tools", &["type", "function"])?;
        only(
            &tool["function"],
            "tools.function",
            &["name", "description", "parameters", "strict"],
        )?;
    }
    let messages = request["messages"]
        .as_array()
        .filter(|messages| !messages.is_empty());
    let (mut asked, mut calls) = (Asked::default(), Calls::default());
    for message in messages.ok_or("Invalid 'messages': empty array.")? {
        match message["role"].as_str() {
            Some("system" | "developer") => asked.system += &text(&message["content"]),
            Some("user") => {
                calls.closed()?;
                if asked.first.is_empty() {
                    asked.first = text(&message["content"]);
                }
            }
            Some("assistant") => {
                calls.closed()?;
                asked.turn += 1;
                for call in message["tool_calls"].as_array().into_iter().flatten() {
                    calls.made(call["id"].as_str())?;
                }
            }
            Some("tool") => calls.answered(message["tool_call_id"].as_str())?,
            role => return Err(format!("Invalid value for 'messages[].role': {role:?}.")),
        }
    }
    calls.closed()?;
    Ok(asked)
}

fn figures(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.all_input(), "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens},
        "completion_tokens": usage.output_tokens, "completion_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.all_input() + usage.output_tokens,
    })
}

fn finish(turn: &Turn) -> &'static str {
    match turn.stop_reason() {
        "tool_use" => "tool_calls",
        "max_tokens" => "length",
        _ => "stop",
    }
}

fn envelope(request: &Value, kind: &str, choices: Value, usage: Value) -> Value {
    json!({"id": "chatcmpl-scripted", "object": kind, "created": 1_763_700_000, "model": request["model"],
        "choices": choices, "usage": usage})
}

fn calls(turn: &Turn, id: impl Fn(usize) -> String) -> Vec<Value> {
    let calls = turn
        .blocks
        .iter()
        .enumerate()
        .filter_map(|(at, piece)| match piece {
            Piece::Call { name, input } => {
                let function = json!({"name": name, "arguments": input});
                Some(json!({"id": id(at), "type": "function", "function": function}))
            }
            _ => None,
        });
    calls.collect()
}

fn words(turn: &Turn) -> String {
    let words = turn.blocks.iter().filter_map(|piece| match piece {
        Piece::Text(words) => Some(words.as_str()),
        _ => None,
    });
    words.collect()
}

/// The whole answer at once. Thoughts are not shown in this API.
pub(in crate::model) fn answer(
    request: &Value,
    turn: &Turn,
    id: impl Fn(usize) -> String,
    usage: &Usage,
) -> Value {
    let said = Some(words(turn)).filter(|said| !said.is_empty());
    let mut message = json!({"role": "assistant", "content": said, "refusal": null});
    let calls = calls(turn, id);
    if !calls.is_empty() {
        message["tool_calls"] = Value::Array(calls);
    }
    let choice = json!([{"index": 0, "message": message, "logprobs": null, "finish_reason": finish(turn)}]);
    envelope(request, "chat.completion", choice, figures(usage))
}

/// The answer as the pieces of a stream.
pub(in crate::model) fn events(
    request: &Value,
    turn: &Turn,
    id: impl Fn(usize) -> String,
    usage: &Usage,
) -> Vec<String> {
    let mut deltas = vec![json!({"role": "assistant", "content": ""})];
    deltas.extend(halves(&words(turn)).map(|half| json!({"content": half})));
    for (at, call) in calls(turn, id).into_iter().enumerate() {
        let arguments = call["function"]["arguments"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let mut opening = call;
        opening["index"] = json!(at);
        opening["function"]["arguments"] = json!("");
        deltas.push(json!({"tool_calls": [opening]}));
        let piece = |half| json!({"tool_calls": [{"index": at, "function": {"arguments": half}}]});
        deltas.extend(halves(&arguments).map(piece));
    }
    let piece = |delta: Value, finish: Value| {
        let choice = json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        envelope(request, "chat.completion.chunk", choice, Value::Null)
    };
    let mut pieces: Vec<Value> = deltas
        .into_iter()
        .map(|delta| piece(delta, Value::Null))
        .collect();
    pieces.push(piece(json!({}), json!(finish(turn))));
    if request["stream_options"]["include_usage"] == true {
        pieces.push(envelope(
            request,
            "chat.completion.chunk",
            json!([]),
            figures(usage),
        ));
    }
    let mut events: Vec<String> = pieces.iter().map(|piece| format!("data: {piece}\n\n")).collect();
    events.push("data: [DONE]\n\n".to_owned());
    events
}
