//! The APIs that the gateway speaks, and what differs between them: where each is asked, who answers it, which field
//! bounds an answer, what makes up its prompt, and how it says no.

use serde_json::{Value, json};

use super::{
    reply::{OVER_BUDGET, Refusal},
    request::{Asked, chat, messages, responses},
};
use crate::config::Vendor;

/// One of the APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// Anthropic's Messages.
    Messages,
    /// OpenAI's Responses.
    Responses,
    /// OpenAI's Chat Completions, which many others speak, too.
    Chat,
}

/// What a model is given to read, as an API writes it.
pub(super) struct Prompt {
    /// What stands before the conversation; a change of it changes all.
    pub(super) before: &'static [&'static str],
    /// The conversation.
    pub(super) conversation: &'static str,
    /// More than the largest picture costs on any model in the table, tokens.
    pub(super) picture: u64,
}

const ALL: [Api; 3] = [Api::Messages, Api::Responses, Api::Chat];

impl Api {
    /// The API that is asked at `path`.
    pub(super) fn at(path: &str) -> Option<Self> {
        ALL.into_iter().find(|api| api.path() == path)
    }

    /// The API whose errors a client understands that asks at `path`, whatever is there.
    pub(super) fn nearest(path: &str, anthropic: bool) -> Self {
        if anthropic || path.starts_with("/v1/messages") {
            Self::Messages
        } else if path.starts_with("/v1/responses") {
            Self::Responses
        } else {
            Self::Chat
        }
    }

    /// Where it is asked here.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Messages => "/v1/messages",
            Self::Responses => "/v1/responses",
            Self::Chat => "/v1/chat/completions",
        }
    }

    /// Where it is asked at its provider, below the provider's own address.
    pub(super) fn upstream(self) -> &'static str {
        match self {
            Self::Messages => "/v1/messages",
            Self::Responses => "/responses",
            Self::Chat => "/chat/completions",
        }
    }

    /// Who answers it.
    pub(super) fn vendor(self) -> Vendor {
        match self {
            Self::Messages => Vendor::Anthropic,
            Self::Responses | Self::Chat => Vendor::Openai,
        }
    }

    /// Reads a request and refuses what is not on its list.
    pub(super) fn read(self, bytes: &[u8]) -> Result<Asked, Refusal> {
        match self {
            Self::Messages => messages::read(bytes),
            Self::Responses => responses::read(bytes),
            Self::Chat => chat::read(bytes),
        }
    }

    /// Bounds the answer to `body`.
    pub(super) fn bound(self, body: &mut Value, max_tokens: u64) {
        let key = match self {
            Self::Messages => "max_tokens",
            Self::Responses => "max_output_tokens",
            // The old name, for services that know no other, if that is how it was asked.
            Self::Chat if body.get("max_tokens").is_some_and(|old| !old.is_null()) => "max_tokens",
            Self::Chat => "max_completion_tokens",
        };
        body[key] = json!(max_tokens);
    }

    /// Models that take no effort refuse requests that name one; the field is dropped, and no more than it.
    pub(super) fn drop_effort(self, body: &mut Value) {
        let Some(fields) = body.as_object_mut() else {
            return;
        };
        let outer = match self {
            Self::Messages => "output_config",
            Self::Responses => "reasoning",
            Self::Chat => {
                fields.shift_remove("reasoning_effort");
                return;
            }
        };
        if let Some(config) = fields.get_mut(outer).and_then(Value::as_object_mut) {
            config.shift_remove("effort");
            if config.is_empty() {
                fields.shift_remove(outer);
            }
        }
    }

    /// What its models are given to read.
    pub(super) fn prompt(self) -> Prompt {
        match self {
            Self::Messages => Prompt {
                before: &["system", "tools", "tool_choice", "thinking", "output_config"],
                conversation: "messages",
                // Documented: about 4,800.
                picture: 6_000,
            },
            Self::Responses => Prompt {
                before: &["instructions", "tools", "tool_choice", "reasoning", "text"],
                conversation: "input",
                picture: OPENAI_PICTURE,
            },
            Self::Chat => Prompt {
                before: &["tools", "tool_choice", "response_format"],
                conversation: "messages",
                picture: OPENAI_PICTURE,
            },
        }
    }

    /// An error in the form that its clients understand.
    pub(super) fn error(self, kind: &str, message: &str) -> Value {
        match self {
            Self::Messages => json!({"type": "error", "error": {"type": kind, "message": message}}),
            Self::Responses | Self::Chat => {
                // The word that its clients take for "there is no money": they do not ask again.
                let code = (kind == OVER_BUDGET).then_some("insufficient_quota");
                json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
            }
        }
    }
}

/// At most 10,000 patches of a picture are read, at 2.46 tokens each on the model that counts them dearest.
const OPENAI_PICTURE: u64 = 25_000;

impl std::fmt::Display for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Messages => "Messages API",
            Self::Responses => "Responses API",
            Self::Chat => "Chat Completions API",
        })
    }
}
