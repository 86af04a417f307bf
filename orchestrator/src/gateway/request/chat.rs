//! What an attempt may ask of the Chat Completions API.
//!
//! A stream is always asked to end with its usage (`stream_options.include_usage`): without it no call could be counted.

use serde_json::{Map, Value, json};

use super::{
    Asked, array, bound, flag, labels, object, only, own_tool, parse, picture, short, streams, text,
};
use crate::gateway::reply::Refusal;

/// Fields of a request.
const FIELDS: [&str; 28] = [
    "model",
    "messages",
    "max_completion_tokens",
    "max_tokens",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "stream",
    "stream_options",
    "response_format",
    "reasoning_effort",
    "verbosity",
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "seed",
    "stop",
    "n",
    "modalities",
    "store",
    "metadata",
    "user",
    "prompt_cache_key",
    "safety_identifier",
];

/// Reads a request and refuses what is not on the list.
pub(in crate::gateway) fn read(bytes: &[u8]) -> Result<Asked, Refusal> {
    let (mut body, model) = parse(bytes, &FIELDS)?;
    let fields = object("the request", &body)?;
    let max_tokens = match (
        bound(fields, "max_completion_tokens")?,
        bound(fields, "max_tokens")?,
    ) {
        (Some(_), Some(_)) => {
            return Err(Refusal::invalid(
                "`max_tokens` is the old name of `max_completion_tokens`: only one of them can be given",
            ));
        }
        (one, other) => one.or(other),
    };
    let stream = streams(fields)?;
    if flag(fields, "store")? == Some(true) {
        return Err(Refusal::invalid(
            "`store` must be false: nothing of an attempt is kept at the provider",
        ));
    }
    if fields
        .get("n")
        .is_some_and(|count| !count.is_null() && count != &json!(1))
    {
        return Err(Refusal::invalid(
            "`n` must be 1: each answer more would cost as much again",
        ));
    }
    if fields
        .get("modalities")
        .is_some_and(|kinds| !kinds.is_null() && kinds != &json!(["text"]))
    {
        return Err(Refusal::invalid(
            "`modalities` must be `[\"text\"]`: sound has no price here",
        ));
    }
    labels("the request", fields, "metadata")?;
    for key in [
        "reasoning_effort",
        "verbosity",
        "prompt_cache_key",
        "safety_identifier",
        "user",
    ] {
        text(fields, key)?;
    }
    tools(fields)?;
    messages(fields)?;
    usage(&mut body, stream)?;
    Ok(Asked {
        model,
        max_tokens,
        thinking: 0,
        stream,
        body,
    })
}

/// A stream has to say at its end what it used.
fn usage(body: &mut Value, stream: bool) -> Result<(), Refusal> {
    let Some(fields) = body.as_object_mut() else {
        return Ok(());
    };
    if let Some(options) = fields.get("stream_options").filter(|options| !options.is_null()) {
        let options = object("`stream_options`", options)?;
        only(
            "`stream_options`",
            options,
            &["include_usage", "include_obfuscation"],
        )?;
    }
    if !stream {
        return Ok(());
    }
    let options = fields.entry("stream_options").or_insert(Value::Null);
    if options.is_null() {
        *options = json!({});
    }
    options["include_usage"] = json!(true);
    Ok(())
}

fn tools(fields: &Map<String, Value>) -> Result<(), Refusal> {
    if let Some(tools) = fields.get("tools").filter(|tools| !tools.is_null()) {
        for (index, tool) in array("`tools`", tools)?.iter().enumerate() {
            own(
                &format!("`tools[{index}]`"),
                tool,
                &["name", "description", "parameters", "strict", "format"],
            )?;
        }
    }
    match fields.get("tool_choice") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(word)) if matches!(word.as_str(), "auto" | "none" | "required") => Ok(()),
        Some(choice) => {
            let fields = object("`tool_choice`", choice)?;
            if text(fields, "type")? != Some("allowed_tools") {
                return own("`tool_choice`", choice, &["name"]);
            }
            only("`tool_choice`", fields, &["type", "allowed_tools"])?;
            let place = "`tool_choice.allowed_tools`";
            let list = object(place, fields.get("allowed_tools").unwrap_or(&Value::Null))?;
            only(place, list, &["mode", "tools"])?;
            let tools = array(place, list.get("tools").unwrap_or(&Value::Null))?;
            tools.iter().try_for_each(|tool| own(place, tool, &["name"]))
        }
    }
}

/// A tool that stands under the name of its own type, and has these fields there.
fn own(place: &str, tool: &Value, allowed: &[&str]) -> Result<(), Refusal> {
    let tool = object(place, tool)?;
    let kind = text(tool, "type")?.unwrap_or("missing");
    own_tool(place, kind)?;
    only(place, tool, &["type", kind])?;
    only(
        place,
        object(place, tool.get(kind).unwrap_or(&Value::Null))?,
        allowed,
    )
}

fn messages(fields: &Map<String, Value>) -> Result<(), Refusal> {
    let messages = fields
        .get("messages")
        .ok_or_else(|| Refusal::invalid("`messages` is missing"))?;
    for (index, message) in array("`messages`", messages)?.iter().enumerate() {
        let place = format!("`messages[{index}]`");
        let message = object(&place, message)?;
        let role = text(message, "role")?.unwrap_or("missing");
        let allowed: &[&str] = match role {
            "system" | "developer" | "user" => &["role", "content", "name"],
            // What compatible services call the thoughts of an answer; they are handed back as they came.
            "assistant" => &[
                "role",
                "content",
                "name",
                "refusal",
                "tool_calls",
                "annotations",
                "reasoning",
                "reasoning_content",
                "reasoning_details",
            ],
            "tool" => &["role", "content", "tool_call_id"],
            _ => {
                return Err(Refusal::invalid(format!(
                    "{place} must have the role `system`, `developer`, `user`, `assistant` or `tool`"
                )));
            }
        };
        only(&place, message, allowed)?;
        for (at, call) in message
            .get("tool_calls")
            .filter(|calls| !calls.is_null())
            .map(|calls| array(&place, calls))
            .transpose()?
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            let place = format!("`messages[{index}].tool_calls[{at}]`");
            let call = object(&place, call)?;
            let kind = text(call, "type")?.unwrap_or("function");
            own_tool(&place, kind)?;
            only(&place, call, &["id", "type", "index", kind])?;
        }
        match message.get("content") {
            None | Some(Value::Null) if role == "assistant" => {}
            Some(Value::String(_)) => {}
            Some(parts) => content(&format!("`messages[{index}].content`"), parts)?,
            None => return Err(Refusal::invalid(format!("{place} has no `content`"))),
        }
    }
    Ok(())
}

fn content(place: &str, parts: &Value) -> Result<(), Refusal> {
    for (index, part) in array(place, parts)?.iter().enumerate() {
        let place = format!("{place}[{index}]");
        let part = object(&place, part)?;
        match text(part, "type")?.unwrap_or("missing") {
            "text" => only(&place, part, &["type", "text"])?,
            "refusal" => only(&place, part, &["type", "refusal"])?,
            "image_url" => {
                only(&place, part, &["type", "image_url"])?;
                let image = object(&place, part.get("image_url").unwrap_or(&Value::Null))?;
                only(&place, image, &["url", "detail"])?;
                picture(&place, text(image, "url")?)?;
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
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        body[key] = value;
        read(body.to_string().as_bytes())
    }

    fn refused(key: &str, value: Value) -> String {
        with(key, value).expect_err(key).message
    }

    #[test]
    fn a_whole_agent_request_passes_unchanged_but_for_its_usage() {
        let mut body = json!({
            "model": "m", "stream": true, "max_completion_tokens": 4096, "reasoning_effort": "high",
            "tools": [{"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}],
            "tool_choice": {"type": "function", "function": {"name": "read"}},
            "messages": [
                {"role": "developer", "content": "be brief"},
                {"role": "user", "content": [{"type": "text", "text": "x"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}}]},
                {"role": "assistant", "content": null, "reasoning_content": "hm",
                 "tool_calls": [{"id": "c", "type": "function", "function": {"name": "read", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "c", "content": "y"}],
        });
        let asked = read(body.to_string().as_bytes()).unwrap();
        assert_eq!((asked.max_tokens, asked.stream), (Some(4096), true));
        body["stream_options"] = json!({"include_usage": true});
        assert_eq!(asked.body.to_string(), body.to_string());
    }

    #[test]
    fn a_stream_cannot_hide_its_usage() {
        let body = r#"{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":false}}"#;
        let asked = read(body.as_bytes()).unwrap();
        assert_eq!(asked.body["stream_options"]["include_usage"], json!(true));
        assert!(
            with("stream", json!(false))
                .unwrap()
                .body
                .get("stream_options")
                .is_none()
        );
    }

    #[test]
    fn what_the_provider_would_do_for_an_attempt_is_refused_by_name() {
        for key in [
            "web_search_options",
            "service_tier",
            "prediction",
            "audio",
            "functions",
            "function_call",
            "prompt_cache_retention",
            "plugins",
        ] {
            assert_eq!(
                refused(key, json!({})),
                format!("the field `{key}` of the request is not allowed here")
            );
        }
        for kind in ["web_search", "mcp", "file_search", "code_interpreter", "computer"] {
            assert!(refused("tools", json!([{"type": kind, kind: {}}])).contains(kind));
            assert!(refused("tool_choice", json!({"type": kind, kind: {"name": "x"}})).contains(kind));
        }
        assert!(refused("tools", json!([{"type": "function", "function": {"url": "x"}}])).contains("`url`"));
        assert!(refused("store", json!(true)).contains("kept at the provider"));
        assert!(refused("n", json!(2)).contains("`n` must be 1"));
        assert!(refused("modalities", json!(["text", "audio"])).contains("sound"));
        assert!(refused("max_completion_tokens", json!(0)).contains("above zero"));
    }

    #[test]
    fn nothing_is_fetched_for_an_attempt() {
        for part in [
            json!({"type": "image_url", "image_url": {"url": "https://evil.example/?leak"}}),
            json!({"type": "image_url", "image_url": {}}),
            json!({"type": "file", "file": {"file_id": "f"}}),
            json!({"type": "file", "file": {"file_data": "data:application/pdf;base64,AA"}}),
            json!({"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}),
        ] {
            let messages = json!([{"role": "user", "content": [part]}]);
            assert!(
                refused("messages", messages).contains("`messages[0].content`[0]"),
                "{part}"
            );
        }
        let heard = json!([{"role": "assistant", "audio": {"id": "audio_1"}}]);
        assert!(refused("messages", heard).contains("`audio`"));
    }

    #[test]
    fn of_two_lengths_none_is_chosen_for_the_attempt() {
        let body = r#"{"model":"m","messages":[],"max_tokens":9,"max_completion_tokens":90000}"#;
        assert!(read(body.as_bytes()).unwrap_err().message.contains("only one"));
    }

    #[test]
    fn nonsense_is_answered_and_never_a_panic() {
        for body in [
            "",
            "[]",
            "{}",
            "{\"model\":\"m\"}",
            "{\"model\":\"m\",\"messages\":7}",
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
        for (key, value) in [
            ("messages", json!([1])),
            ("messages", json!([{"role": "function", "content": "x"}])),
            ("messages", json!([{"role": "user"}])),
            ("stream_options", json!({"chunk": 1})),
            ("tool_choice", json!("web")),
        ] {
            refused(key, value);
        }
    }
}
