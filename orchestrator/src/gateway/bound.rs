//! How many input tokens a request can have at most. Never fewer than it has; how many more is what a reservation
//! holds back for nothing.
//!
//! A byte-level tokenizer makes at most one token of a byte, and the JSON that carries a text is at least as long as
//! the text. What a provider adds on its own (the frame around messages, the prompt that explains tools) is covered
//! by the JSON's own punctuation and a constant. An image costs by its size in pixels, which a few bytes can hold,
//! so each counts as the largest. Once a call has told how many tokens its messages had, the next call of the same
//! conversation is bounded by that figure and the bytes that came after.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::api::Api;

/// What a provider puts around a request at most: with tools, prompts of 300 to 800 tokens are documented.
const FRAME: u64 = 1_500;

/// A part of a conversation whose length in tokens is known.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// How many messages.
    messages: usize,
    /// Digest of everything that stands before them, and of them.
    digest: [u8; 32],
    /// How many tokens they had, as the provider said.
    tokens: u64,
}

/// A request, measured.
#[derive(Debug)]
pub(super) struct Measured {
    /// It has at most so many input tokens.
    pub(super) at_most: u64,
    messages: usize,
    digest: [u8; 32],
}

impl Measured {
    /// What is learned when the provider says how many tokens the request had.
    pub(super) fn learned(&self, tokens: u64) -> Known {
        Known {
            messages: self.messages,
            digest: self.digest,
            tokens,
        }
    }
}

/// Measures a request that goes to `model`.
pub(super) fn measure(api: Api, model: &str, body: &Value, known: Option<&Known>) -> Measured {
    let prompt = api.prompt();
    let mut digest = Sha256::new();
    digest.update(api.path().as_bytes());
    digest.update(model.as_bytes());
    // Whatever else than messages makes up the prompt; a change of it makes all that is known worthless.
    let mut prompt_bytes = 0;
    for key in prompt.before {
        let part = body.get(*key).map(unmarked).unwrap_or_default();
        digest.update([0]);
        digest.update(part.as_bytes());
        prompt_bytes += part.len() as u64;
    }
    let messages = match body.get(prompt.conversation) {
        Some(Value::Array(messages)) => messages.as_slice(),
        // A conversation may be a single text.
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let mut bytes = prompt_bytes;
    let mut pictures = 0;
    let mut from_known = None;
    for (index, message) in messages.iter().enumerate() {
        let text = unmarked(message);
        digest.update([0]);
        digest.update(text.as_bytes());
        bytes += text.len() as u64;
        pictures += images(message);
        if let Some(known) = known
            && known.messages == index + 1
            && known.digest == <[u8; 32]>::from(digest.clone().finalize())
        {
            (bytes, pictures) = (0, 0);
            from_known = Some(known.tokens);
        }
    }
    Measured {
        at_most: FRAME + from_known.unwrap_or(0) + bytes + prompt.picture * pictures,
        messages: messages.len(),
        digest: digest.finalize().into(),
    }
}

/// A message, or a list of blocks, as text without its cache marks: an agent moves those along as its conversation
/// grows, and they are no tokens. Only marks of blocks are left out; what looks like one inside a tool's input counts.
fn unmarked(value: &Value) -> String {
    fn strip(value: &mut Value) {
        match value {
            Value::Array(blocks) => blocks.iter_mut().for_each(|block| {
                if let Value::Object(fields) = block {
                    fields.shift_remove("cache_control");
                    if let Some(content) = fields.get_mut("content") {
                        strip(content);
                    }
                }
            }),
            Value::Object(fields) => {
                if let Some(content) = fields.get_mut("content") {
                    strip(content);
                }
            }
            _ => {}
        }
    }
    let mut value = value.clone();
    strip(&mut value);
    value.to_string()
}

/// Images anywhere in a message, also in the results of tools.
fn images(value: &Value) -> u64 {
    match value {
        Value::Array(items) => items.iter().map(images).sum(),
        Value::Object(fields) => {
            let kind = fields.get("type").and_then(Value::as_str);
            let this = matches!(kind, Some("image" | "input_image" | "image_url"));
            u64::from(this) + fields.values().map(images).sum::<u64>()
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(texts: &[&str]) -> Value {
        let messages: Vec<_> = texts
            .iter()
            .map(|text| json!({"role": "user", "content": text}))
            .collect();
        json!({"system": "be brief", "messages": messages})
    }

    #[test]
    fn a_request_counts_at_least_one_token_a_byte() {
        let text = "é🦀".repeat(500);
        assert!(measure(Api::Messages, "m", &request(&[&text]), None).at_most >= text.len() as u64 + FRAME);
    }

    #[test]
    fn a_tiny_image_counts_as_the_largest_wherever_it_stands() {
        let image =
            json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}});
        let body = json!({"messages": [
            {"role": "user", "content": [image]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [image]}]},
        ]});
        assert!(measure(Api::Messages, "m", &body, None).at_most > 2 * Api::Messages.prompt().picture);
    }

    #[test]
    fn what_the_provider_said_of_a_conversation_bounds_its_next_call() {
        let long = "words ".repeat(10_000);
        let known = measure(Api::Messages, "m", &request(&[&long]), None).learned(12_000);
        let next = measure(Api::Messages, "m", &request(&[&long, "and now?"]), Some(&known)).at_most;
        assert!((12_000..14_000).contains(&next), "{next}");
    }

    #[test]
    fn a_moved_cache_mark_changes_nothing_and_a_tool_input_that_looks_like_one_counts() {
        let turn = |text: &str, marked: bool| {
            let mut block = json!({"type": "text", "text": text});
            if marked {
                block["cache_control"] = json!({"type": "ephemeral"});
            }
            json!({"role": "user", "content": [block]})
        };
        let long = "words ".repeat(10_000);
        let before = json!({"messages": [turn(&long, true)]});
        let after = json!({"messages": [turn(&long, false), turn("x", true)]});
        let known = measure(Api::Messages, "m", &before, None).learned(12_000);
        assert!(measure(Api::Messages, "m", &after, Some(&known)).at_most < 15_000);

        let call = |input: Value| {
            json!({"messages": [{"role": "assistant", "content": [
            {"type": "tool_use", "id": "t", "name": "n", "input": input}]}]})
        };
        let known = measure(Api::Messages, "m", &call(json!({})), None).learned(10);
        let hidden = call(json!({"cache_control": long}));
        assert!(measure(Api::Messages, "m", &hidden, Some(&known)).at_most > long.len() as u64);
    }

    #[test]
    fn a_changed_conversation_is_measured_anew() {
        let long = "words ".repeat(10_000);
        let known = measure(Api::Messages, "m", &request(&[&long]), None).learned(12_000);
        let whole = long.len() as u64;
        assert!(measure(Api::Messages, "other", &request(&[&long]), Some(&known)).at_most > whole);
        let other = long.replacen('w', "v", 1);
        assert!(measure(Api::Messages, "m", &request(&[&other, "x"]), Some(&known)).at_most > whole);
        let mut prompt = request(&[&long, "x"]);
        prompt["system"] = json!("be long");
        assert!(measure(Api::Messages, "m", &prompt, Some(&known)).at_most > whole);
    }
}
