//! What an attempt may ask of the Messages API.

use serde_json::{Map, Value};

use super::{Asked, array, object, only, parse, short, streams, text};
use crate::gateway::reply::Refusal;

/// Fields of a request.
const FIELDS: [&str; 15] = [
    "model",
    "messages",
    "max_tokens",
    "system",
    "tools",
    "tool_choice",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "thinking",
    "output_config",
    "cache_control",
    "metadata",
];

/// Fields of a tool that the attempt itself carries out.
const TOOL_FIELDS: [&str; 7] = [
    "type",
    "name",
    "description",
    "input_schema",
    "cache_control",
    "strict",
    "input_examples",
];

/// Kinds of content.
const BLOCKS: [&str; 7] = [
    "text",
    "image",
    "document",
    "tool_use",
    "tool_result",
    "thinking",
    "redacted_thinking",
];

/// Reads a request and refuses what is not on the list.
pub(in crate::gateway) fn read(bytes: &[u8]) -> Result<Asked, Refusal> {
    let (body, model) = parse(bytes, &FIELDS)?;
    let fields = object("the request", &body)?;
    let max_tokens = fields
        .get("max_tokens")
        .and_then(Value::as_u64)
        .filter(|&count| count > 0)
        .ok_or_else(|| Refusal::invalid("`max_tokens` must be a whole number above zero"))?;
    let stream = streams(fields)?;
    let thinking = fields
        .get("thinking")
        .and_then(|thinking| thinking.get("budget_tokens"));
    let thinking = thinking.and_then(Value::as_u64).unwrap_or(0);
    mark("the request", fields)?;
    output_config(fields)?;
    if let Some(metadata) = fields.get("metadata") {
        only("`metadata`", object("`metadata`", metadata)?, &["user_id"])?;
    }
    match fields.get("system") {
        None | Some(Value::String(_)) => {}
        Some(blocks) => content("`system`", blocks, &["text"])?,
    }
    tools(fields)?;
    messages(fields)?;
    Ok(Asked {
        model,
        max_tokens: Some(max_tokens),
        thinking,
        stream,
        body,
    })
}

fn output_config(fields: &Map<String, Value>) -> Result<(), Refusal> {
    let Some(config) = fields.get("output_config") else {
        return Ok(());
    };
    let config = object("`output_config`", config)?;
    only("`output_config`", config, &["effort", "format"])?;
    text(config, "effort").map(|_| ())
}

fn tools(fields: &Map<String, Value>) -> Result<(), Refusal> {
    let Some(tools) = fields.get("tools") else {
        return Ok(());
    };
    for (index, tool) in array("`tools`", tools)?.iter().enumerate() {
        let place = format!("`tools[{index}]`");
        let tool = object(&place, tool)?;
        match tool.get("type").map(Value::as_str) {
            None | Some(Some("custom")) => {}
            Some(kind) => {
                let kind = kind.unwrap_or("not text");
                return Err(Refusal::invalid(format!(
                    "{place} has the type `{}`: only tools that the attempt itself carries out (`custom`) are allowed",
                    short(kind)
                )));
            }
        }
        only(&place, tool, &TOOL_FIELDS)?;
        mark(&place, tool)?;
    }
    Ok(())
}

fn messages(fields: &Map<String, Value>) -> Result<(), Refusal> {
    let messages = fields
        .get("messages")
        .ok_or_else(|| Refusal::invalid("`messages` is missing"))?;
    for (index, message) in array("`messages`", messages)?.iter().enumerate() {
        let place = format!("`messages[{index}]`");
        let message = object(&place, message)?;
        only(&place, message, &["role", "content"])?;
        if !matches!(
            message.get("role").and_then(Value::as_str),
            Some("user" | "assistant")
        ) {
            return Err(Refusal::invalid(format!(
                "{place} must have the role `user` or `assistant`"
            )));
        }
        match message.get("content") {
            Some(Value::String(_)) => {}
            Some(blocks) => content(&format!("`messages[{index}].content`"), blocks, &BLOCKS)?,
            None => return Err(Refusal::invalid(format!("{place} has no `content`"))),
        }
    }
    Ok(())
}

/// A list of blocks, each of an allowed kind; the blocks in a tool's result, too.
fn content(place: &str, blocks: &Value, allowed: &[&str]) -> Result<(), Refusal> {
    for (index, block) in array(place, blocks)?.iter().enumerate() {
        let place = format!("{place}[{index}]");
        let block = object(&place, block)?;
        let kind = text(block, "type")?.unwrap_or("missing");
        if !allowed.contains(&kind) {
            let kind = short(kind);
            return Err(Refusal::invalid(format!(
                "{place} has the type `{kind}`, which is not allowed here"
            )));
        }
        mark(&place, block)?;
        match kind {
            "image" => source(&place, block, "base64")?,
            // A document in base64 has as many pages, and costs, as its packed bytes do not show.
            "document" => source(&place, block, "text")?,
            "tool_result" => match block.get("content") {
                None | Some(Value::String(_)) => {}
                Some(inner) => content(&format!("{place}.content"), inner, &["text", "image"])?,
            },
            _ => {}
        }
    }
    Ok(())
}

/// Where an image or a document comes from: out of the request itself, never from a URL or the provider's store.
fn source(place: &str, block: &Map<String, Value>, wanted: &str) -> Result<(), Refusal> {
    let place = format!("{place}.source");
    let source = object(&place, block.get("source").unwrap_or(&Value::Null))?;
    only(&place, source, &["type", "media_type", "data"])?;
    if text(source, "type")? == Some(wanted) {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "{place} must have the type `{wanted}`: nothing is fetched for an attempt"
    )))
}

/// Cache marks are those with the five-minute lifetime: the price table knows no other.
fn mark(place: &str, fields: &Map<String, Value>) -> Result<(), Refusal> {
    let Some(mark) = fields.get("cache_control").filter(|mark| !mark.is_null()) else {
        return Ok(());
    };
    let place = format!("`cache_control` of {place}");
    let mark = object(&place, mark)?;
    only(&place, mark, &["type", "ttl"])?;
    match (text(mark, "type")?, text(mark, "ttl")?) {
        (Some("ephemeral"), None | Some("5m")) => Ok(()),
        _ => Err(Refusal::invalid(format!(
            "{place} must be `ephemeral`, with no other `ttl` than `5m`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn base() -> Value {
        json!({"model": "top", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]})
    }

    fn refused(path: &str, value: Value) -> String {
        let mut body = base();
        *body.pointer_mut(path).unwrap() = value;
        read(body.to_string().as_bytes()).expect_err(path).message
    }

    fn refused_with(key: &str, value: Value) -> String {
        let mut body = base();
        body[key] = value;
        read(body.to_string().as_bytes()).expect_err(key).message
    }

    fn refused_block(block: Value) -> String {
        refused("/messages/0/content", json!([block]))
    }

    #[test]
    fn a_whole_agent_request_passes_unchanged() {
        let body = json!({
            "model": "top", "max_tokens": 4096, "stream": true,
            "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
            "tools": [{"name": "read", "description": "d", "input_schema": {"type": "object"},
                       "cache_control": {"type": "ephemeral", "ttl": "5m"}}],
            "tool_choice": {"type": "auto"}, "output_config": {"effort": "high"},
            "messages": [
                {"role": "user", "content": "fix it"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                    {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"path": "a"}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true,
                    "content": [{"type": "text", "text": "no such file"}]}]},
            ],
        });
        let asked = read(body.to_string().as_bytes()).unwrap();
        assert_eq!(
            (asked.model.as_str(), asked.max_tokens, asked.stream),
            ("top", Some(4096), true)
        );
        assert_eq!(asked.body.to_string(), body.to_string());
    }

    #[test]
    fn every_way_out_through_the_provider_is_refused_by_name() {
        for key in [
            "mcp_servers",
            "container",
            "service_tier",
            "context_management",
            "speed",
            "fallbacks",
            "new",
        ] {
            let message = refused_with(key, json!("auto"));
            assert_eq!(
                message,
                format!("the field `{key}` of the request is not allowed here")
            );
        }
        for kind in [
            "web_search_20250305",
            "web_fetch_20250910",
            "code_execution_20250825",
            "bash_20250124",
            "mcp",
        ] {
            let message = refused_with("tools", json!([{"type": kind, "name": "x"}]));
            assert!(
                message.contains(kind) && message.contains("`tools[0]`"),
                "{message}"
            );
        }
        assert!(
            refused_with("tools", json!([{"name": "x", "allowed_callers": []}]))
                .contains("`allowed_callers`")
        );
        assert!(refused_with("output_config", json!({"task_budget": {}})).contains("`task_budget`"));
        assert!(refused_with("metadata", json!({"note": "x"})).contains("`note`"));
        assert!(refused("/messages/0/role", json!("system")).contains("role"));
    }

    #[test]
    fn nothing_is_fetched_for_an_attempt() {
        let url = json!({"type": "url", "url": "http://evil.example/?leak"});
        for block in [
            json!({"type": "image", "source": url}),
            json!({"type": "image", "source": {"type": "file", "file_id": "f"}}),
            json!({"type": "document", "source": url}),
            json!({"type": "document", "source": {"type": "base64", "data": ""}}),
            json!({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": url}]}),
            json!({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_reference"}]}),
            json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
            json!({"type": "container_upload", "file_id": "f"}),
            json!({"type": "mcp_tool_use"}),
            json!({"text": "no type"}),
        ] {
            assert!(
                refused_block(block.clone()).contains("`messages[0].content`[0]"),
                "{block}"
            );
        }
    }

    #[test]
    fn the_dear_cache_is_refused() {
        let mark = json!({"type": "ephemeral", "ttl": "1h"});
        assert!(refused_block(json!({"type": "text", "text": "x", "cache_control": mark})).contains("`5m`"));
        assert!(refused_with("cache_control", mark).contains("`5m`"));
    }

    #[test]
    fn of_a_field_given_twice_only_the_checked_one_is_sent() {
        let body = r#"{"model":"top","max_tokens":9,"messages":[],"tools":[{"type":"web_search_20250305","type":"custom","name":"x"}]}"#;
        let sent = read(body.as_bytes()).unwrap().body.to_string();
        assert!(!sent.contains("web_search"), "{sent}");
    }

    #[test]
    fn nonsense_is_answered_and_never_a_panic() {
        for body in [
            "",
            "[]",
            "{}",
            "null",
            "{\"model\":1}",
            "{\"model\":\"m\",\"max_tokens\":0}",
            "\u{0}",
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
        assert!(read(&b"[".repeat(100_000)).is_err(), "depth is bounded");
        for (key, value) in [
            ("messages", json!({})),
            ("messages", json!([1])),
            ("tools", json!({})),
            ("stream", json!("yes")),
        ] {
            refused_with(key, value);
        }
    }
}
