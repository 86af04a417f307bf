//! The Responses API: a request's conversation, an answer whole, an answer as events.

use loops::budget::Usage;
use serde_json::{Value, json};

use super::{Asked, Calls, halves, is_ours, only, sealed, text};
use crate::model::script::{Piece, Turn};

const FIELDS: &[&str] = &[
    "model",
    "input",
    "instructions",
    "max_output_tokens",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "stream",
    "stream_options",
    "store",
    "include",
    "reasoning",
    "text",
    "temperature",
    "top_p",
    "prompt_cache_key",
    "metadata",
];

/// What a request says, or what is wrong with it.
pub(in crate::model) fn asked(request: &Value) -> Result<Asked, String> {
    only(request, "body", FIELDS)?;
    if request["model"].as_str().is_none_or(str::is_empty) {
        return Err("Missing required parameter: 'model'.".to_owned());
    }
    if request["store"] != false {
        return Err("this model keeps nothing: `store` must be false".to_owned());
    }
    if request["max_output_tokens"]
        .as_u64()
        .is_none_or(|tokens| tokens < 16)
    {
        return Err("Invalid 'max_output_tokens': expected a value >= 16.".to_owned());
    }
    for tool in request["tools"].as_array().into_iter().flatten() {
        only(
            tool,
            "tools",
            &["type", "name", "description", "parameters", "strict"],
        )?;
        if tool["type"] != "function" || tool["name"].as_str().is_none_or(str::is_empty) {
            return Err("Missing required parameter: 'tools[0].name'.".to_owned());
        }
    }
    let mut asked = Asked {
        system: text(&request["instructions"]),
        ..Asked::default()
    };
    let items = match &request["input"] {
        Value::String(one) => {
            asked.first.clone_from(one);
            return Ok(asked);
        }
        items => items.as_array().filter(|items| !items.is_empty()),
    };
    let (mut calls, mut answering) = (Calls::default(), false);
    for item in items.ok_or("Missing required parameter: 'input'.")? {
        let role = item["role"].as_str();
        let ours = match item["type"].as_str().or(role.map(|_| "message")) {
            Some("message") if matches!(role, Some("system" | "developer")) => {
                asked.system += &text(&item["content"]);
                continue;
            }
            Some("message") => {
                if role == Some("user") && asked.first.is_empty() {
                    asked.first = text(&item["content"]);
                }
                role == Some("assistant")
            }
            Some("reasoning") => {
                if !item["encrypted_content"].as_str().is_some_and(is_ours) {
                    return Err("The encrypted content could not be verified.".to_owned());
                }
                true
            }
            Some("function_call") => {
                calls.made(item["call_id"].as_str())?;
                true
            }
            Some("function_call_output") => {
                calls.answered(item["call_id"].as_str())?;
                false
            }
            kind => return Err(format!("Invalid value for 'input[].type': {kind:?}.")),
        };
        asked.turn += usize::from(ours && !answering);
        answering = ours;
    }
    calls.closed()?;
    Ok(asked)
}

fn item(piece: &Piece, id: &str) -> Value {
    match piece {
        Piece::Text(words) => {
            json!({"type": "message", "id": format!("msg_{id}"), "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": words, "annotations": [], "logprobs": []}]})
        }
        Piece::Thinking(thoughts) => json!({"type": "reasoning", "id": format!("rs_{id}"), "summary": [],
            "encrypted_content": sealed(thoughts)}),
        Piece::Call { name, input } => {
            json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id,
            "name": name, "arguments": input, "status": "completed"})
        }
        Piece::Any(item) => item.clone(),
    }
}

fn envelope(request: &Value, status: &str, output: Value, usage: Value) -> Value {
    json!({
        "id": "resp_scripted", "object": "response", "created_at": 1_763_700_000, "status": status, "error": null,
        "incomplete_details": null, "instructions": request["instructions"], "metadata": {},
        "max_output_tokens": request["max_output_tokens"], "model": request["model"], "output": output,
        "parallel_tool_calls": true, "previous_response_id": null, "reasoning": {"effort": null, "summary": null},
        "store": false, "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [],
        "top_p": 1.0, "truncation": "disabled", "usage": usage,
    })
}

fn figures(turn: &Turn, usage: &Usage) -> Value {
    let thought: usize = turn.blocks.iter().map(thoughts).sum();
    let reasoning = (thought as u64 / 4).min(usage.output_tokens);
    json!({
        "input_tokens": usage.all_input(), "input_tokens_details": {"cached_tokens": usage.cache_read_tokens},
        "output_tokens": usage.output_tokens, "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": usage.all_input() + usage.output_tokens,
    })
}

fn thoughts(piece: &Piece) -> usize {
    match piece {
        Piece::Thinking(thoughts) => thoughts.len(),
        _ => 0,
    }
}

/// The whole answer at once.
pub(in crate::model) fn answer(
    request: &Value,
    turn: &Turn,
    id: impl Fn(usize) -> String,
    usage: &Usage,
) -> Value {
    let items = turn
        .blocks
        .iter()
        .enumerate()
        .map(|(at, piece)| item(piece, &id(at)));
    let output = Value::Array(items.collect());
    envelope(request, "completed", output, figures(turn, usage))
}

/// The answer as the events of a stream.
pub(in crate::model) fn events(
    request: &Value,
    turn: &Turn,
    id: impl Fn(usize) -> String,
    usage: &Usage,
) -> Vec<String> {
    let begun = envelope(request, "in_progress", json!([]), Value::Null);
    let mut events = vec![
        json!({"type": "response.created", "response": begun}),
        json!({"type": "response.in_progress", "response": begun}),
    ];
    for (at, piece) in turn.blocks.iter().enumerate() {
        let done = item(piece, &id(at));
        let own = done["id"].clone();
        let mut opening = done.clone();
        let middle = match piece {
            Piece::Text(words) => {
                opening["content"] = json!([]);
                let part = json!({"type": "output_text", "text": "", "annotations": []});
                let place = json!({"item_id": own, "output_index": at, "content_index": 0});
                let mut middle = vec![with(
                    &place,
                    json!({"type": "response.content_part.added", "part": part}),
                )];
                middle.extend(halves(words).map(|half| {
                    with(
                        &place,
                        json!({"type": "response.output_text.delta", "delta": half, "logprobs": []}),
                    )
                }));
                middle.push(with(
                    &place,
                    json!({"type": "response.output_text.done", "text": words, "logprobs": []}),
                ));
                middle.push(with(
                    &place,
                    json!({"type": "response.content_part.done", "part": done["content"][0]}),
                ));
                middle
            }
            Piece::Call { input, .. } => {
                opening["arguments"] = json!("");
                let place = json!({"item_id": own, "output_index": at});
                let delta = |half| {
                    with(
                        &place,
                        json!({"type": "response.function_call_arguments.delta", "delta": half}),
                    )
                };
                let mut middle: Vec<Value> = halves(input).map(delta).collect();
                middle.push(with(
                    &place,
                    json!({"type": "response.function_call_arguments.done", "arguments": input}),
                ));
                middle
            }
            Piece::Thinking(_) | Piece::Any(_) => Vec::new(),
        };
        events.push(json!({"type": "response.output_item.added", "output_index": at, "item": opening}));
        events.extend(middle);
        events.push(json!({"type": "response.output_item.done", "output_index": at, "item": done}));
    }
    let whole = answer(request, turn, id, usage);
    events.push(json!({"type": "response.completed", "response": whole}));
    events
        .into_iter()
        .enumerate()
        .map(|(number, mut event)| {
            event["sequence_number"] = json!(number);
            crate::model::wire::event(&event)
        })
        .collect()
}

fn with(place: &Value, mut event: Value) -> Value {
    for (key, value) in place.as_object().into_iter().flatten() {
        event[key] = value.clone();
    }
    event
}
