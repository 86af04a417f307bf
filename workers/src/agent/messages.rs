//! The words of the Anthropic Messages API: what is sent, what comes back.
//!
//! Shapes follow the provider's public API reference ("Messages" and "Streaming messages"). Whatever the provider
//! sends and we do not know (fields, kinds of blocks) is kept as it came and goes back unmodified; nothing here
//! talks to a network or decides anything.

use loops::budget::Usage;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Us: words, tool results.
    User,
    /// The model.
    Assistant,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub content: Vec<Block>,
}

/// Fields that came with a block and that we do not know.
pub type Rest = Map<String, Value>;

/// One piece of a message.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    /// Words.
    Text(Text),
    /// A model's thoughts, signed by the provider; they go back exactly as they came.
    Thinking(Thinking),
    /// A call of a tool.
    ToolUse(ToolUse),
    /// What a tool answered.
    ToolResult(ToolResult),
    /// Any other kind (redacted thinking among them), as it came.
    #[serde(untagged)]
    Other(Value),
}

/// Words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Text {
    /// The words.
    pub text: String,
    /// What else came with it.
    #[serde(flatten)]
    pub rest: Rest,
}

/// A model's thoughts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Thinking {
    /// The thoughts.
    pub thinking: String,
    /// The provider's proof that they are its own.
    #[serde(default)]
    pub signature: String,
    /// What else came with it.
    #[serde(flatten)]
    pub rest: Rest,
}

/// A call of a tool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ToolUse {
    /// The provider's id of the call; its answer names it.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its input, an object.
    pub input: Value,
    /// What else came with it.
    #[serde(flatten)]
    pub rest: Rest,
}

/// The key under which an input that was not a JSON object is kept, as text.
pub const INVALID_INPUT: &str = "invalid_json";

impl ToolUse {
    /// What the model wrote in place of an input, if it was not a JSON object.
    pub fn invalid_input(&self) -> Option<&str> {
        match self.input.as_object() {
            Some(object) if object.len() == 1 => object.get(INVALID_INPUT)?.as_str(),
            _ => None,
        }
    }
}

/// What a tool answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The call that it answers.
    pub tool_use_id: String,
    /// The answer: text, or a list of blocks.
    #[serde(default)]
    pub content: Value,
    /// Whether the tool could not do what it was asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
    /// What else came with it.
    #[serde(flatten)]
    pub rest: Rest,
}

impl<'de> Deserialize<'de> for Block {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        let kind = value.get("type").and_then(Value::as_str).map(str::to_owned);
        let kind = kind.ok_or_else(|| serde::de::Error::custom("a content block has no `type`"))?;
        if !matches!(kind.as_str(), "text" | "thinking" | "tool_use" | "tool_result") {
            return Ok(Self::Other(value));
        }
        if let Some(object) = value.as_object_mut() {
            object.shift_remove("type");
        }
        let known = match kind.as_str() {
            "text" => serde_json::from_value(value).map(Self::Text),
            "thinking" => serde_json::from_value(value).map(Self::Thinking),
            "tool_use" => serde_json::from_value(value).map(Self::ToolUse),
            _ => serde_json::from_value(value).map(Self::ToolResult),
        };
        known.map_err(|error| serde::de::Error::custom(format!("a `{kind}` block is not readable: {error}")))
    }
}

impl Block {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Text {
            text: text.into(),
            rest: Rest::new(),
        })
    }

    /// The answer to a tool call.
    pub fn tool_result(call: &str, text: String, ok: bool) -> Self {
        let content = Value::String(text);
        Self::ToolResult(ToolResult {
            tool_use_id: call.to_owned(),
            content,
            is_error: !ok,
            rest: Rest::new(),
        })
    }

    /// Whether it may stand in a request: the provider refuses words that are only white space.
    pub fn is_blank(&self) -> bool {
        matches!(self, Self::Text(text) if text.text.trim().is_empty())
    }
}

impl Message {
    /// A message of ours.
    pub fn user(content: Vec<Block>) -> Self {
        Self {
            role: Role::User,
            content,
        }
    }

    /// A message of the model.
    pub fn assistant(content: Vec<Block>) -> Self {
        Self {
            role: Role::Assistant,
            content,
        }
    }

    /// The tools that it calls, in order.
    pub fn calls(&self) -> impl Iterator<Item = &ToolUse> {
        self.content.iter().filter_map(|block| match block {
            Block::ToolUse(call) => Some(call),
            _ => None,
        })
    }

    /// Its words, with thoughts and calls left out.
    pub fn words(&self) -> String {
        let texts = self.content.iter().filter_map(|block| match block {
            Block::Text(text) => Some(text.text.trim()),
            _ => None,
        });
        texts
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join("\n\n")
    }
}

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// It said what it had to say.
    EndTurn,
    /// It calls tools.
    ToolUse,
    /// It reached the most tokens of an answer.
    MaxTokens,
    /// The whole conversation reached the model's window.
    WindowFull,
    /// The provider made a pause in a long turn; the same conversation is sent again.
    Pause,
    /// It will not answer this.
    Refusal,
    /// Another reason, in the provider's word.
    Other(String),
}

impl StopReason {
    pub(super) fn read(word: &str) -> Self {
        match word {
            "end_turn" | "stop_sequence" => Self::EndTurn,
            "tool_use" => Self::ToolUse,
            "max_tokens" => Self::MaxTokens,
            "model_context_window_exceeded" => Self::WindowFull,
            "pause_turn" => Self::Pause,
            "refusal" => Self::Refusal,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A whole answer of the model. There is no half one: a stream that was cut gives an error instead.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// What it said.
    pub content: Vec<Block>,
    /// Why it stopped.
    pub stop: StopReason,
    /// Tokens of this call, as the provider counted them.
    pub usage: Usage,
    /// Whether a cassette answered in place of a model.
    pub rehearsed: bool,
}

/// Token counts as they stand in `message_start` and `message_delta`; later ones are totals, not additions.
#[derive(Debug, Default, Deserialize)]
pub(super) struct WireUsage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
}

impl WireUsage {
    /// Takes over every count that is given.
    pub(super) fn update(&self, usage: &mut Usage) {
        let counts = [
            (self.input_tokens, &mut usage.input_tokens),
            (self.output_tokens, &mut usage.output_tokens),
            (self.cache_read_input_tokens, &mut usage.cache_read_tokens),
            (self.cache_creation_input_tokens, &mut usage.cache_write_tokens),
        ];
        for (given, kept) in counts {
            *kept = given.unwrap_or(*kept);
        }
    }
}

/// An error in the API's own form.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ApiError {
    /// Its kind: `rate_limit_error`, `overloaded_error`, `billing_error` …
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Its words.
    #[serde(default)]
    pub message: String,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ApiError,
}

impl ApiError {
    /// Reads the body of an answer that is not a success; a body in another form is quoted.
    pub(super) fn read(body: &[u8]) -> Self {
        serde_json::from_slice::<ErrorBody>(body)
            .map(|body| body.error)
            .unwrap_or_else(|_| {
                let quoted: String = String::from_utf8_lossy(body).trim().chars().take(200).collect();
                Self {
                    kind: "unreadable".to_owned(),
                    message: quoted,
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blocks_go_back_exactly_as_they_came() {
        let blocks = json!([
            {"type": "text", "text": "hi", "citations": null},
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "xyz"},
            {"type": "tool_use", "id": "t1", "name": "read", "input": {"z": 1, "a": 2}, "caller": {"type": "direct"}},
            {"type": "tool_result", "tool_use_id": "t1", "content": "ok"},
            {"type": "something_new", "deep": {"er": [1, 2]}},
        ]);
        let read: Vec<Block> = serde_json::from_value(blocks.clone()).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), blocks.to_string());
        assert!(matches!(&read[3], Block::ToolUse(call) if call.name == "read"));
        assert!(matches!(&read[5], Block::Other(_)));
    }

    #[test]
    fn a_known_block_without_its_fields_is_an_error() {
        let error = serde_json::from_value::<Block>(json!({"type": "tool_use", "name": "read"})).unwrap_err();
        assert!(error.to_string().contains("`tool_use` block"), "{error}");
        assert!(serde_json::from_value::<Block>(json!({"text": "no type"})).is_err());
        assert!(serde_json::from_value::<Block>(json!("text")).is_err());
    }

    #[test]
    fn an_error_body_of_another_form_is_quoted() {
        let error = ApiError::read(b"<html>Bad gateway</html>");
        assert_eq!(
            (error.kind.as_str(), error.message.as_str()),
            ("unreadable", "<html>Bad gateway</html>")
        );
        let error =
            ApiError::read(br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#);
        assert_eq!(error.kind, "overloaded_error");
    }
}
