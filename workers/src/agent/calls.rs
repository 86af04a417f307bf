//! Answers the calls of one turn, with a tool or with what is wrong with the call.
//!
//! Whatever the model wrote, each call gets an answer: an invented tool and an input that is not JSON are explained to
//! it and nothing is done.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    conversation::{Keeper, Tools},
    cut::{self, cut_middle},
    messages::ToolUse,
};
use crate::{
    order::Entry,
    tools::{ToolAnswer, ToolDefinition},
};

/// The most bytes of one answer, and the fewest that it is cut to when there are many at once.
const MAX_ANSWER: usize = 64 << 10;
const MIN_ANSWER: usize = 2 << 10;

/// Where the calls of a turn are answered.
pub(super) struct Desk<'a, T, K> {
    pub(super) tools: &'a T,
    pub(super) keeper: &'a K,
    /// The tools that the model was told of.
    pub(super) known: &'a [ToolDefinition],
    /// The most tokens of an answer of the model, for the words about a call that was cut off.
    pub(super) max_tokens: u32,
    /// The most bytes of an answer in this turn.
    pub(super) most: usize,
}

/// One answer.
pub(super) struct Answered {
    pub(super) ok: bool,
    pub(super) text: String,
    /// Whether a tool took the call.
    pub(super) taken: bool,
    pub(super) took: Duration,
}

impl<T: Tools, K: Keeper> Desk<'_, T, K> {
    /// Answers calls, all at the same time. The transcript has them in order: what was called, then what was answered.
    /// `cut_off`: the model reached its token limit while it wrote the last one.
    pub(super) async fn answer_all(&self, calls: &[ToolUse], cut_off: bool) -> Vec<Answered> {
        for call in calls {
            self.keeper.entry(Entry::Called {
                tool: call.name.clone(),
                input: shown(&call.input),
            });
        }
        let last = calls.len().saturating_sub(1);
        let running = calls.iter().enumerate();
        let running = running.map(|(n, call)| self.answer(call, cut_off && n == last));
        let answers = join_all(running).await;
        for (call, answered) in calls.iter().zip(&answers) {
            self.keeper.entry(Entry::Answered {
                tool: call.name.clone(),
                ok: answered.ok,
                text: cut_middle(&answered.text, cut::ENTRY),
                duration_ms: u64::try_from(answered.took.as_millis()).unwrap_or(u64::MAX),
            });
        }
        answers
    }

    async fn answer(&self, call: &ToolUse, cut_off: bool) -> Answered {
        let begun = Instant::now();
        let objection = self.objection(call, cut_off);
        let taken = objection.is_none();
        let ToolAnswer { ok, text } = match objection {
            Some(text) => ToolAnswer { ok: false, text },
            None => self.tools.call(&call.id, &call.name, call.input.clone()).await,
        };
        let text = match text.trim() {
            "" => "(no output)".to_owned(),
            _ => self.cut(&text),
        };
        Answered {
            ok,
            text,
            taken,
            took: begun.elapsed(),
        }
    }

    fn cut(&self, text: &str) -> String {
        cut_middle(text, self.most.clamp(MIN_ANSWER, MAX_ANSWER))
    }

    /// Why no tool can take this call, in words for the model.
    fn objection(&self, call: &ToolUse, cut_off: bool) -> Option<String> {
        if !self.known.iter().any(|tool| tool.name == call.name) {
            let names: Vec<_> = self.known.iter().map(|tool| format!("`{}`", tool.name)).collect();
            return Some(format!(
                "There is no tool `{}`. There are: {}.",
                call.name,
                names.join(", ")
            ));
        }
        let bare = call.input.as_object().is_none_or(Map::is_empty);
        if cut_off && (bare || call.invalid_input().is_some()) {
            return Some(format!(
                "Your answer was cut off at {} tokens within this call, so nothing was done. Make a smaller call: \
                 several edits, or a file in several parts.",
                self.max_tokens
            ));
        }
        let why = match serde_json::from_str::<Value>(call.invalid_input()?) {
            Ok(_) => "it is not an object".to_owned(),
            Err(error) => error.to_string(),
        };
        Some(format!(
            "The input of this call is not valid JSON ({why}), so nothing was done. Call it again."
        ))
    }
}

/// An input as it stands in the transcript: as JSON, or as cut text if it is long.
fn shown(input: &Value) -> Value {
    let text = input.to_string();
    if text.len() > cut::ENTRY {
        Value::String(cut_middle(&text, cut::ENTRY))
    } else {
        input.clone()
    }
}
