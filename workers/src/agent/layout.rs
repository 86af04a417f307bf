//! Lays a conversation out as one request, so that prompt caches hit.
//!
//! The stable comes first (tools, system, the shared blocks), and nothing volatile stands before a breakpoint. Of the
//! provider's four breakpoints two stay where they are (end of the system prompt, end of the shared blocks) and
//! two move: the end of this request, where the next one will look, and the end of the one before, which is found
//! even when a turn added more than the twenty blocks that the provider looks back. Nothing is decided here.

use std::collections::BTreeSet;

use bytes::Bytes;
use loops::spec::Effort;
use serde::{Serialize, Serializer, ser::SerializeSeq as _};

use super::{
    conversation::{Conversation, Settings},
    messages::{Block, Message, Role},
};
use crate::tools::ToolDefinition;

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    output_config: OutputConfig,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tools: &'a [ToolDefinition],
    system: [Marked<SystemText<'a>>; 1],
    messages: Messages<'a>,
}

#[derive(Serialize)]
struct OutputConfig {
    effort: Effort,
}

#[derive(Serialize)]
struct SystemText<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

/// A block with a breakpoint after it, or without.
#[derive(Serialize)]
struct Marked<B> {
    #[serde(flatten)]
    block: B,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
struct CacheControl {
    #[serde(rename = "type")]
    kind: &'static str,
}

fn marked<B>(block: B, mark: bool) -> Marked<B> {
    Marked {
        block,
        cache_control: mark.then_some(CacheControl { kind: "ephemeral" }),
    }
}

struct Messages<'a> {
    messages: &'a [Message],
    /// Message and block of each breakpoint.
    breakpoints: BTreeSet<(usize, usize)>,
}

#[derive(Serialize)]
struct Laid<'a> {
    role: Role,
    content: Vec<Marked<&'a Block>>,
}

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.messages.len()))?;
        for (at, message) in self.messages.iter().enumerate() {
            let blocks = message.content.iter().enumerate();
            let content = blocks
                .map(|(n, block)| marked(block, self.breakpoints.contains(&(at, n))))
                .collect();
            list.serialize_element(&Laid {
                role: message.role,
                content,
            })?;
        }
        list.end()
    }
}

/// The request that asks for the next answer.
pub(super) fn lay_out(conversation: &Conversation, settings: &Settings) -> Result<Bytes, serde_json::Error> {
    let request = Request {
        model: &settings.model,
        max_tokens: settings.max_tokens,
        stream: true,
        output_config: OutputConfig {
            effort: settings.effort,
        },
        tools: &conversation.tools,
        system: [marked(
            SystemText {
                kind: "text",
                text: &conversation.system,
            },
            true,
        )],
        messages: Messages {
            messages: &conversation.messages,
            breakpoints: breakpoints(conversation),
        },
    };
    serde_json::to_vec(&request).map(Bytes::from)
}

fn breakpoints(conversation: &Conversation) -> BTreeSet<(usize, usize)> {
    let messages = &conversation.messages;
    let shared = conversation.shared.checked_sub(1).map(|block| (0, block));
    let before = messages
        .iter()
        .rposition(|message| message.role == Role::Assistant)
        .and_then(|at| at.checked_sub(1));
    let ends = [before, messages.len().checked_sub(1)];
    let ends = ends.into_iter().flatten().filter_map(|at| {
        let last = messages[at].content.iter().rposition(may_be_marked)?;
        Some((at, last))
    });
    shared.into_iter().chain(ends).collect()
}

/// The provider takes no breakpoint on thoughts.
fn may_be_marked(block: &Block) -> bool {
    matches!(block, Block::Text(_) | Block::ToolUse(_) | Block::ToolResult(_))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::agent::messages::{Thinking, ToolUse};

    fn conversation() -> Conversation {
        let mut conversation = Conversation::new(
            "be good".into(),
            Vec::new(),
            vec!["notes".into()],
            "fix it".into(),
        );
        for n in 0..5 {
            let call = ToolUse {
                id: format!("t{n}"),
                name: "read".into(),
                input: json!({}),
                ..ToolUse::default()
            };
            let thought = Block::Thinking(Thinking {
                thinking: "hm".into(),
                ..Thinking::default()
            });
            conversation
                .messages
                .push(Message::assistant(vec![thought, Block::ToolUse(call)]));
            conversation.messages.push(Message::user(vec![Block::tool_result(
                &format!("t{n}"),
                "ok".into(),
                true,
            )]));
        }
        conversation
    }

    fn laid(conversation: &Conversation, effort: Effort) -> Value {
        serde_json::from_slice(&lay_out(conversation, &Settings::new("top", effort, 10)).unwrap()).unwrap()
    }

    fn marks(request: &Value) -> Vec<String> {
        fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
            match value {
                Value::Object(map) => {
                    if map.contains_key("cache_control") {
                        found.push(path.to_owned());
                    }
                    map.iter()
                        .for_each(|(key, value)| walk(value, &format!("{path}/{key}"), found));
                }
                Value::Array(list) => {
                    list.iter()
                        .enumerate()
                        .for_each(|(n, value)| walk(value, &format!("{path}/{n}"), found));
                }
                _ => {}
            }
        }
        let mut found = Vec::new();
        walk(request, "", &mut found);
        found
    }

    #[test]
    fn two_breakpoints_stay_and_two_move() {
        let request = laid(&conversation(), Effort::Medium);
        assert_eq!(
            marks(&request),
            [
                "/system/0",
                "/messages/0/content/0",
                "/messages/8/content/0",
                "/messages/10/content/0"
            ]
        );
        assert_eq!(
            request["messages"][0]["content"][1],
            json!({"type": "text", "text": "fix it"})
        );
    }

    #[test]
    fn a_first_request_marks_its_end() {
        let mut first = conversation();
        first.messages.truncate(1);
        assert_eq!(
            marks(&laid(&first, Effort::Medium)),
            ["/system/0", "/messages/0/content/0", "/messages/0/content/1"]
        );
    }

    #[test]
    fn thoughts_are_never_marked() {
        let mut paused = conversation();
        let thought = Block::Thinking(Thinking {
            thinking: "hm".into(),
            ..Thinking::default()
        });
        paused
            .messages
            .push(Message::assistant(vec![Block::text("so"), thought]));
        let marks = marks(&laid(&paused, Effort::Medium));
        assert_eq!(marks.last().unwrap(), "/messages/11/content/0");
    }

    #[test]
    fn what_was_sent_once_is_sent_the_same_again() {
        let mut without_marks = Vec::new();
        for length in [3, 5, 7] {
            let mut part = conversation();
            part.messages.truncate(length);
            let text = String::from_utf8(
                lay_out(&part, &Settings::new("top", Effort::High, 10))
                    .unwrap()
                    .into(),
            )
            .unwrap();
            without_marks.push(text.replace(r#","cache_control":{"type":"ephemeral"}"#, ""));
        }
        for pair in without_marks.windows(2) {
            let prefix = pair[0].trim_end_matches("]}");
            assert!(pair[1].starts_with(prefix), "{}\n{}", pair[0], pair[1]);
        }
    }

    #[test]
    fn effort_is_sent_as_the_order_says() {
        let request = laid(&conversation(), Effort::Medium);
        assert_eq!(request["output_config"], json!({"effort": "medium"}));
    }
}
