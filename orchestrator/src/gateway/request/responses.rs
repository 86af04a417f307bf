//! What an attempt may ask of the Responses API.
//!
//! Nothing is kept by the provider: `store` is written as false where it is left out, because the API takes silence for
//! a yes; what could only refer to something kept (`previous_response_id`, `conversation`, item references) is refused.

use serde_json::{Map, Value, json};

use super::{
    Asked, array, bound, flag, labels, object, only, own_tool, parse, picture, short, streams, text,
};
use crate::gateway::reply::Refusal;

/// Fields of a request.
const FIELDS: [&str; 24] = [
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
    "background",
    "include",
    "reasoning",
    "text",
    "temperature",
    "top_p",
    "top_logprobs",
    "truncation",
    "metadata",
    "client_metadata",
    "prompt_cache_key",
    "safety_identifier",
    "user",
    "previous_response_id",
];

/// What an answer may hold besides.
const INCLUDED: [&str; 2] = ["reasoning.encrypted_content", "message.output_text.logprobs"];

/// Fields of a tool that the attempt itself carries out.
const TOOL_FIELDS: [&str; 6] = ["type", "name", "description", "parameters", "strict", "format"];

/// Reads a request and refuses what is not on the list.
pub(in crate::gateway) fn read(bytes: &[u8]) -> Result<Asked, Refusal> {
    let (mut body, model) = parse(bytes, &FIELDS)?;
    let fields = object("the request", &body)?;
    let max_tokens = bound(fields, "max_output_tokens")?;
    let stream = streams(fields)?;
    kept(fields)?;
    included(fields)?;
    for (key, allowed) in [
        ("reasoning", &["effort", "summary", "generate_summary"][..]),
        ("text", &["format", "verbosity"]),
        ("stream_options", &["include_obfuscation"]),
    ] {
        if let Some(inner) = fields.get(key).filter(|inner| !inner.is_null()) {
            only(&format!("`{key}`"), object(&format!("`{key}`"), inner)?, allowed)?;
        }
    }
    labels("the request", fields, "metadata")?;
    labels("the request", fields, "client_metadata")?;
    for key in [
        "instructions",
        "truncation",
        "prompt_cache_key",
        "safety_identifier",
        "user",
    ] {
        text(fields, key)?;
    }
    tools(fields)?;
    match fields.get("input") {
        Some(Value::String(_)) => {}
        Some(items) => input(items)?,
        None => return Err(Refusal::invalid("`input` is missing")),
    }
    body["store"] = json!(false);
    Ok(Asked {
        model,
        max_tokens,
        thinking: 0,
        stream,
        body,
    })
}

/// Nothing is kept at the provider, and nothing goes on there when nobody listens.
fn kept(fields: &Map<String, Value>) -> Result<(), Refusal> {
    if flag(fields, "store")? == Some(true) {
        return Err(Refusal::invalid(
            "`store` must be false: nothing of an attempt is kept at the provider",
        ));
    }
    if flag(fields, "background")? == Some(true) {
        return Err(Refusal::invalid(
            "`background` must be false: what goes on while nobody listens escapes the budget",
        ));
    }
    if fields.get("previous_response_id").is_some_and(|id| !id.is_null()) {
        return Err(Refusal::invalid(
            "`previous_response_id` is not allowed here: it needs answers kept at the provider; send the whole `input`",
        ));
    }
    Ok(())
}

fn included(fields: &Map<String, Value>) -> Result<(), Refusal> {
    let Some(list) = fields.get("include").filter(|list| !list.is_null()) else {
        return Ok(());
    };
    for one in array("`include`", list)? {
        let name = one.as_str().unwrap_or("not text");
        if !INCLUDED.contains(&name) {
            return Err(Refusal::invalid(format!(
                "`{}` in `include` is not allowed here",
                short(name)
            )));
        }
    }
    Ok(())
}

fn tools(fields: &Map<String, Value>) -> Result<(), Refusal> {
    if let Some(tools) = fields.get("tools").filter(|tools| !tools.is_null()) {
        for (index, tool) in array("`tools`", tools)?.iter().enumerate() {
            let place = format!("`tools[{index}]`");
            let tool = object(&place, tool)?;
            own_tool(&place, text(tool, "type")?.unwrap_or("missing"))?;
            only(&place, tool, &TOOL_FIELDS)?;
        }
    }
    match fields.get("tool_choice") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(word)) if matches!(word.as_str(), "auto" | "none" | "required") => Ok(()),
        Some(Value::Object(choice)) => chosen(choice),
        Some(_) => Err(Refusal::invalid(
            "`tool_choice` must be `auto`, `none`, `required` or a tool",
        )),
    }
}

/// One of the attempt's own tools, or a list of them.
fn chosen(choice: &Map<String, Value>) -> Result<(), Refusal> {
    let kind = text(choice, "type")?.unwrap_or("missing");
    if kind != "allowed_tools" {
        only("`tool_choice`", choice, &["type", "name"])?;
        return own_tool("`tool_choice`", kind);
    }
    only("`tool_choice`", choice, &["type", "mode", "tools"])?;
    let tools = array("`tool_choice.tools`", choice.get("tools").unwrap_or(&Value::Null))?;
    for (index, tool) in tools.iter().enumerate() {
        let place = format!("`tool_choice.tools[{index}]`");
        let tool = object(&place, tool)?;
        only(&place, tool, &["type", "name"])?;
        own_tool(&place, text(tool, "type")?.unwrap_or("missing"))?;
    }
    Ok(())
}

fn input(items: &Value) -> Result<(), Refusal> {
    for (index, item) in array("`input`", items)?.iter().enumerate() {
        let place = format!("`input[{index}]`");
        let item = object(&place, item)?;
        // A message may leave its type out.
        let kind = match text(item, "type")? {
            None if item.contains_key("role") => "message",
            None => "missing",
            Some(kind) => kind,
        };
        match kind {
            "message" => {
                only(
                    &place,
                    item,
                    &["type", "role", "content", "id", "status", "phase"],
                )?;
                if !matches!(
                    text(item, "role")?,
                    Some("user" | "assistant" | "system" | "developer")
                ) {
                    return Err(Refusal::invalid(format!(
                        "{place} must have the role `user`, `assistant`, `system` or `developer`"
                    )));
                }
                content(&format!("`input[{index}].content`"), item.get("content"))?;
            }
            "function_call" => only(
                &place,
                item,
                &["type", "id", "call_id", "name", "arguments", "status"],
            )?,
            "custom_tool_call" => only(
                &place,
                item,
                &["type", "id", "call_id", "name", "input", "status"],
            )?,
            "function_call_output" | "custom_tool_call_output" => {
                only(&place, item, &["type", "id", "call_id", "output", "status"])?;
                content(&format!("`input[{index}].output`"), item.get("output"))?;
            }
            "reasoning" => only(
                &place,
                item,
                &["type", "id", "summary", "content", "encrypted_content", "status"],
            )?,
            other => {
                return Err(Refusal::invalid(format!(
                    "{place} has the type `{}`, which is not allowed here",
                    short(other)
                )));
            }
        }
    }
    Ok(())
}

fn content(place: &str, value: Option<&Value>) -> Result<(), Refusal> {
    let parts = match value {
        Some(Value::String(_)) => return Ok(()),
        Some(parts) => array(place, parts)?,
        None => return Err(Refusal::invalid(format!("{place} is missing"))),
    };
    for (index, part) in parts.iter().enumerate() {
        let place = format!("{place}[{index}]");
        let part = object(&place, part)?;
        match text(part, "type")?.unwrap_or("missing") {
            "input_text" => only(&place, part, &["type", "text"])?,
            "output_text" => only(&place, part, &["type", "text", "annotations", "logprobs"])?,
            "refusal" => only(&place, part, &["type", "refusal"])?,
            "input_image" => {
                only(&place, part, &["type", "image_url", "detail"])?;
                picture(&place, text(part, "image_url")?)?;
            }
            other => {
                return Err(Refusal::invalid(format!(
                    "{place} has the type `{}`, which is not allowed here",
                    short(other)
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(key: &str, value: Value) -> Result<Asked, Refusal> {
        let mut body = json!({"model": "m", "input": "hi"});
        body[key] = value;
        read(body.to_string().as_bytes())
    }

    fn refused(key: &str, value: Value) -> String {
        with(key, value).expect_err(key).message
    }

    #[test]
    fn a_whole_agent_request_passes_unchanged_but_for_store() {
        let mut body = json!({
            "model": "m", "stream": true, "instructions": "be brief", "max_output_tokens": 4096,
            "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "high", "summary": "auto"},
            "text": {"verbosity": "low"}, "tool_choice": "auto", "parallel_tool_calls": true, "prompt_cache_key": "k",
            "tools": [
                {"type": "function", "name": "read", "parameters": {"type": "object"}, "strict": false},
                {"type": "custom", "name": "patch", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}}],
            "input": [
                {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "x"}]},
                {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA"}]},
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA", "content": null},
                {"type": "function_call", "call_id": "c", "name": "read", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "y"}]},
                {"type": "custom_tool_call", "call_id": "d", "name": "patch", "input": "*"},
                {"type": "custom_tool_call_output", "call_id": "d", "output": "done"},
                {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
                 "content": [{"type": "output_text", "text": "z", "annotations": []}]}],
        });
        let asked = read(body.to_string().as_bytes()).unwrap();
        assert_eq!((asked.max_tokens, asked.stream), (Some(4096), true));
        body["store"] = json!(false);
        assert_eq!(asked.body.to_string(), body.to_string());
    }

    #[test]
    fn nothing_is_kept_at_the_provider() {
        assert!(refused("store", json!(true)).contains("kept at the provider"));
        assert!(refused("previous_response_id", json!("resp_1")).contains("send the whole `input`"));
        assert!(refused("background", json!(true)).contains("escapes the budget"));
        for key in [
            "conversation",
            "prompt",
            "context_management",
            "prompt_cache_retention",
        ] {
            assert_eq!(
                refused(key, json!("x")),
                format!("the field `{key}` of the request is not allowed here")
            );
        }
        let reference = json!([{"type": "item_reference", "id": "msg_1"}]);
        assert!(refused("input", reference).contains("`item_reference`"));
        assert!(with("store", Value::Null).unwrap().body["store"] == json!(false));
    }

    #[test]
    fn tools_that_the_provider_would_run_are_refused_by_name() {
        for kind in [
            "web_search",
            "web_search_preview",
            "file_search",
            "code_interpreter",
            "computer_use_preview",
            "computer",
            "mcp",
            "image_generation",
            "shell",
            "local_shell",
            "apply_patch",
            "tool_search",
            "namespace",
        ] {
            let message = refused("tools", json!([{"type": kind}]));
            assert!(
                message.contains(&format!("`{kind}`")) && message.contains("`tools[0]`"),
                "{message}"
            );
            assert!(refused("tool_choice", json!({"type": kind})).contains(kind));
            let listed = json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": kind}]});
            assert!(refused("tool_choice", listed).contains(kind));
        }
        let extra = json!([{"type": "function", "name": "x", "server_url": "http://evil.example"}]);
        assert!(refused("tools", extra).contains("`server_url`"));
        for item in [
            "web_search_call",
            "mcp_call",
            "mcp_approval_response",
            "code_interpreter_call",
            "compaction",
        ] {
            assert!(refused("input", json!([{"type": item}])).contains(item));
        }
        assert!(refused("service_tier", json!("priority")).contains("`service_tier`"));
        assert!(refused("include", json!(["web_search_call.results"])).contains("web_search_call.results"));
    }

    #[test]
    fn nothing_is_fetched_for_an_attempt() {
        for part in [
            json!({"type": "input_image", "image_url": "https://evil.example/?leak"}),
            json!({"type": "input_image", "file_id": "file-1"}),
            json!({"type": "input_image"}),
            json!({"type": "input_file", "file_url": "https://evil.example/?leak"}),
            json!({"type": "input_file", "file_data": "data:application/pdf;base64,AA"}),
            json!({"type": "input_audio", "input_audio": {}}),
        ] {
            let message = json!([{"role": "user", "content": [part]}]);
            assert!(
                refused("input", message).contains("`input[0].content`[0]"),
                "{part}"
            );
            let output = json!([{"type": "function_call_output", "call_id": "c", "output": [part]}]);
            assert!(
                refused("input", output).contains("`input[0].output`[0]"),
                "{part}"
            );
        }
    }

    #[test]
    fn nonsense_is_answered_and_never_a_panic() {
        for body in [
            "",
            "[]",
            "{}",
            "{\"model\":1}",
            "{\"model\":\"m\"}",
            "{\"model\":\"m\",\"input\":7}",
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
        for (key, value) in [
            ("max_output_tokens", json!(0)),
            ("max_output_tokens", json!("many")),
            ("store", json!("no")),
            ("tools", json!({})),
            ("tool_choice", json!(7)),
            ("metadata", json!({"a": {"b": 1}})),
        ] {
            refused(key, value);
        }
    }
}
