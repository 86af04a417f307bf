//! What the provider refuses: requests are checked as strictly as it does, or more so.
//!
//! Stricter is one rule: roles have to alternate (the provider would join two messages of one role).

use std::collections::HashSet;

use serde_json::Value;

use super::wire::signature;

const FIELDS: &[&str] = &[
    "model",
    "max_tokens",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "metadata",
    "thinking",
    "output_config",
    "service_tier",
];

type Checked = Result<(), String>;

macro_rules! ensure {
    ($holds:expr, $($words:tt)*) => {
        if !$holds {
            return Err(format!($($words)*));
        }
    };
}

/// Says what is wrong with a request.
pub(super) fn validate(request: &Value) -> Checked {
    let Some(fields) = request.as_object() else {
        return Err("the body is not an object".to_owned());
    };
    for field in fields.keys() {
        ensure!(
            FIELDS.contains(&field.as_str()),
            "{field}: Extra inputs are not permitted"
        );
    }
    ensure!(
        request["model"].as_str().is_some_and(|model| !model.is_empty()),
        "model: Field required"
    );
    ensure!(
        request["max_tokens"].as_u64().is_some_and(|tokens| tokens > 0),
        "max_tokens: Field required"
    );
    ensure!(
        request.get("stream").is_none_or(Value::is_boolean),
        "stream: Input should be a valid boolean"
    );
    let marks = count_marks(request);
    ensure!(
        marks <= 4,
        "A maximum of 4 blocks with cache_control may be provided. Found {marks}."
    );
    tools(request)?;
    system(&request["system"])?;
    messages(request)
}

fn count_marks(value: &Value) -> usize {
    match value {
        Value::Object(map) => {
            usize::from(map.contains_key("cache_control")) + map.values().map(count_marks).sum::<usize>()
        }
        Value::Array(list) => list.iter().map(count_marks).sum(),
        _ => 0,
    }
}

fn only(value: &Value, place: &str, known: &[&str]) -> Checked {
    let Some(map) = value.as_object() else {
        return Err(format!("{place}: Input should be an object"));
    };
    for key in map.keys() {
        ensure!(
            known.contains(&key.as_str()) || matches!(key.as_str(), "type" | "cache_control"),
            "{place}.{key}: Extra inputs are not permitted"
        );
    }
    if let Some(mark) = map.get("cache_control") {
        ensure!(
            mark["type"] == "ephemeral",
            "{place}.cache_control.type: Input should be 'ephemeral'"
        );
    }
    Ok(())
}

fn tools(request: &Value) -> Checked {
    let mut names = HashSet::new();
    for (n, tool) in request["tools"].as_array().into_iter().flatten().enumerate() {
        let place = format!("tools.{n}");
        only(tool, &place, &["name", "description", "input_schema"])?;
        let name = tool["name"].as_str().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        ensure!(
            !name.is_empty() && name.len() <= 128 && name.chars().all(plain),
            "{place}.name: String should match pattern"
        );
        ensure!(names.insert(name), "tools: Tool names must be unique.");
        ensure!(
            tool["input_schema"]["type"] == "object",
            "{place}.input_schema.type: Field required"
        );
    }
    Ok(())
}

fn system(system: &Value) -> Checked {
    match system {
        Value::Null | Value::String(_) => Ok(()),
        Value::Array(blocks) => blocks.iter().enumerate().try_for_each(|(n, block)| {
            ensure!(block["type"] == "text", "system.{n}.type: Input should be 'text'");
            text(block, &format!("system.{n}"))
        }),
        _ => Err("system: Input should be a string or a list".to_owned()),
    }
}

fn text(block: &Value, place: &str) -> Checked {
    only(block, place, &["text", "citations"])?;
    let blank = block["text"].as_str().is_none_or(|text| text.trim().is_empty());
    ensure!(
        !blank,
        "{place}: text content blocks must contain non-whitespace text"
    );
    Ok(())
}

fn messages(request: &Value) -> Checked {
    let messages = request["messages"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    ensure!(!messages.is_empty(), "messages: at least one message is required");
    let mut open: Vec<&str> = Vec::new();
    let mut ids = HashSet::new();
    for (n, message) in messages.iter().enumerate() {
        let place = format!("messages.{n}");
        only(message, &place, &["role", "content"])?;
        let role = if n % 2 == 0 { "user" } else { "assistant" };
        ensure!(
            message["role"] == role,
            "{place}: roles must alternate, expected `{role}`"
        );
        if message["content"]
            .as_str()
            .is_some_and(|text| !text.trim().is_empty())
        {
            ensure!(
                open.is_empty(),
                "{place}: `tool_use` ids were found without `tool_result` blocks: {open:?}"
            );
            continue;
        }
        let blocks = message["content"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        ensure!(
            !blocks.is_empty(),
            "{place}: all messages must have non-empty content"
        );
        results(blocks, &place, &std::mem::take(&mut open))?;
        for (m, block) in blocks.iter().enumerate() {
            check_block(block, &format!("{place}.content.{m}"), role)?;
            if block["type"] == "tool_use" {
                let id = block["id"].as_str().unwrap_or_default();
                ensure!(
                    !id.is_empty() && ids.insert(id),
                    "{place}.content.{m}: `tool_use` ids must be unique"
                );
                open.push(id);
            }
        }
    }
    ensure!(
        open.is_empty(),
        "`tool_use` ids were found without `tool_result` blocks immediately after: {open:?}"
    );
    ensure!(
        ids.is_empty() || request.get("tools").is_some(),
        "tools: Field required when tools were used"
    );
    Ok(())
}

/// Every call of the message before is answered, once, before anything else is said.
fn results(blocks: &[Value], place: &str, open: &[&str]) -> Checked {
    let results = blocks.iter().filter(|block| block["type"] == "tool_result");
    let answered: Vec<&str> = results
        .filter_map(|block| block["tool_use_id"].as_str())
        .collect();
    for id in &answered {
        ensure!(
            open.contains(id),
            "{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id}"
        );
    }
    for id in open {
        let times = answered.iter().filter(|answered| answered == &id).count();
        ensure!(
            times == 1,
            "{place}: `tool_use` id {id} was answered {times} times, expected once"
        );
    }
    let first = blocks
        .iter()
        .take(answered.len())
        .all(|block| block["type"] == "tool_result");
    ensure!(first, "{place}: `tool_result` blocks must come first");
    Ok(())
}

fn check_block(block: &Value, place: &str, role: &str) -> Checked {
    match (block["type"].as_str().unwrap_or_default(), role) {
        ("text", _) => text(block, place),
        ("tool_use", "assistant") => {
            only(block, place, &["id", "name", "input"])?;
            ensure!(block["name"].is_string(), "{place}.name: Field required");
            ensure!(
                block["input"].is_object(),
                "{place}.input: Input should be a valid dictionary"
            );
            Ok(())
        }
        ("thinking", "assistant") => {
            ensure!(
                block.get("cache_control").is_none(),
                "{place}: thinking blocks take no cache_control"
            );
            let own = block["thinking"].as_str().map(signature);
            ensure!(
                own.as_deref() == block["signature"].as_str(),
                "{place}: Invalid `signature` in `thinking` block"
            );
            Ok(())
        }
        ("redacted_thinking", "assistant") => only(block, place, &["data"]),
        ("tool_result", "user") => {
            only(block, place, &["tool_use_id", "content", "is_error"])?;
            let content = &block["content"];
            let fine = content.is_null() || content.is_string() || content.is_array();
            ensure!(fine, "{place}.content: Input should be a string or a list");
            Ok(())
        }
        (kind, role) => Err(format!(
            "{place}: `{kind}` blocks are not permitted in `{role}` messages"
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn good() -> Value {
        json!({
            "model": "m", "max_tokens": 10, "stream": true,
            "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
            "tools": [{"name": "read", "description": "d", "input_schema": {"type": "object"}}],
            "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hm", "signature": signature("hm")},
                    {"type": "tool_use", "id": "t", "name": "read", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]},
            ]
        })
    }

    #[test]
    fn a_good_request_passes() {
        assert_eq!(validate(&good()), Ok(()));
    }

    #[test]
    fn what_the_provider_refuses_is_refused() {
        for (pointer, value, words) in [
            ("/max_tokens", json!(0), "max_tokens"),
            ("/messages", json!([]), "at least one"),
            ("/messages/1/role", json!("user"), "alternate"),
            ("/messages/0/content", json!(" "), "non-empty"),
            ("/messages/1/content/1/input", json!("{"), "dictionary"),
            ("/messages/1/content/0/thinking", json!("changed"), "signature"),
            (
                "/messages/2/content/0/tool_use_id",
                json!("other"),
                "unexpected `tool_use_id`",
            ),
            ("/messages/2/content", json!("no answer"), "without `tool_result`"),
            (
                "/messages/2/content/0",
                json!({"type": "text", "text": "no"}),
                "answered 0 times",
            ),
            ("/tools/0/input_schema", json!({}), "input_schema"),
            ("/system/0/text", json!("\n"), "non-whitespace"),
            ("/system/0/cache_control", json!({"type": "forever"}), "ephemeral"),
        ] {
            let mut request = good();
            *request.pointer_mut(pointer).unwrap() = value;
            let error = validate(&request).unwrap_err();
            assert!(error.contains(words), "{pointer}: {error}");
        }
        let mut request = good();
        request["surprise"] = json!(1);
        assert!(validate(&request).unwrap_err().contains("surprise"));
        let mut request = good();
        request["messages"].as_array_mut().unwrap().pop();
        assert!(validate(&request).unwrap_err().contains("without `tool_result`"));
        let mark = json!({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}});
        let mut request = good();
        request["messages"][0]["content"] = json!([mark, mark, mark, mark]);
        assert!(validate(&request).unwrap_err().contains("Found 5"));
    }
}
