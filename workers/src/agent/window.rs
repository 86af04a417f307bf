//! Keeps a conversation under the model's window.
//!
//! Each trim breaks the prompt cache from its place on, so it is done rarely and then in a large step: old tool
//! results first, then long texts within old calls. What the model said and what it was told stay. How many tokens a
//! request has is estimated from its bytes and corrected by what the provider counted.

use serde_json::Value;

use super::messages::{Block, Message};

/// Bytes per token, before anything was observed.
const BYTES_PER_TOKEN: f64 = 3.5;

/// Texts up to this many bytes are not worth trimming.
const SMALL: usize = 400;

/// A first estimate of how many tokens a text of so many bytes has.
pub fn estimate_tokens(bytes: usize) -> u64 {
    (bytes as f64 / BYTES_PER_TOKEN).ceil() as u64
}

/// How full the window is.
#[derive(Debug)]
pub(super) struct Window {
    /// Tokens that a request may have, so that its answer still fits.
    room: u64,
    /// Tokens per byte, as last observed.
    density: f64,
}

impl Window {
    /// The window of a model that reads and writes `size` tokens at once and answers with up to `answer`.
    pub(super) fn new(size: u64, answer: u32) -> Self {
        let room = size.saturating_sub(u64::from(answer)) * 9 / 10;
        Self {
            room,
            density: 1.0 / BYTES_PER_TOKEN,
        }
    }

    /// Learns from a request of `bytes` that the provider counted as `tokens`.
    pub(super) fn observe(&mut self, bytes: usize, tokens: u64) {
        if bytes > 0 && tokens > 0 {
            self.density = (tokens as f64 / bytes as f64).clamp(0.15, 1.0);
        }
    }

    /// The most bytes that the answers of one turn may have together: a quarter of the window.
    pub(super) fn turn_bytes(&self) -> usize {
        (self.room as f64 / 4.0 * BYTES_PER_TOKEN) as usize
    }

    /// How many bytes a request of `bytes` must lose, if it is too large: so many that it is half full after it.
    pub(super) fn excess(&self, bytes: usize) -> Option<usize> {
        let tokens = bytes as f64 * self.density;
        (tokens > self.room as f64)
            .then(|| bytes - ((self.room as f64 / 2.0 / self.density) as usize).min(bytes))
    }
}

/// Takes about `bytes` out of messages before the newest `kept` ones; says how many it took.
pub(super) fn trim(messages: &mut [Message], bytes: usize, kept: usize) -> usize {
    let old = messages.len().saturating_sub(kept);
    let mut freed = 0;
    for part in [trim_result as fn(&mut Block) -> usize, trim_call] {
        // The first message is the brief.
        for block in messages[..old]
            .iter_mut()
            .skip(1)
            .flat_map(|message| &mut message.content)
        {
            if freed >= bytes {
                return freed;
            }
            freed += part(block);
        }
    }
    freed
}

fn trim_result(block: &mut Block) -> usize {
    let Block::ToolResult(result) = block else {
        return 0;
    };
    let size = result
        .content
        .as_str()
        .map_or_else(|| result.content.to_string().len(), str::len);
    if size <= SMALL {
        return 0;
    }
    let note = format!("[{size} bytes were cut here to save room; call the tool again if you need them]");
    let freed = size - note.len();
    result.content = Value::String(note);
    freed
}

fn trim_call(block: &mut Block) -> usize {
    let Block::ToolUse(call) = block else { return 0 };
    let Some(fields) = call.input.as_object_mut() else {
        return 0;
    };
    let mut freed = 0;
    for text in fields.values_mut() {
        if let Some(size) = text.as_str().map(str::len).filter(|size| *size > SMALL) {
            let note = format!("[{size} bytes were cut here to save room]");
            freed += size - note.len();
            *text = Value::String(note);
        }
    }
    freed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::agent::messages::ToolUse;

    fn turn(id: usize, input: &str, answer: &str) -> [Message; 2] {
        let call = ToolUse {
            id: format!("t{id}"),
            name: "write".into(),
            input: json!({"path": "a", "text": input}),
            ..ToolUse::default()
        };
        [
            Message::assistant(vec![Block::ToolUse(call)]),
            Message::user(vec![Block::tool_result(
                &format!("t{id}"),
                answer.to_owned(),
                true,
            )]),
        ]
    }

    fn conversation(turns: usize) -> Vec<Message> {
        let long = "x".repeat(5000);
        let mut messages = vec![Message::user(vec![Block::text(&long)])];
        messages.extend((0..turns).flat_map(|id| turn(id, &long, &long)));
        messages
    }

    #[test]
    fn the_oldest_results_go_first_and_the_brief_and_the_newest_stay() {
        let before = conversation(10);
        let mut messages = before.clone();
        assert!(trim(&mut messages, 12_000, 6) >= 12_000);
        assert_eq!(messages[0], before[0]);
        for message in [2, 4, 6] {
            assert_ne!(messages[message], before[message], "{message}");
        }
        assert_eq!(messages[7..], before[7..]);
        assert!(trim(&mut messages, 1_000_000, 6) > 0);
        assert_ne!(
            messages[1], before[1],
            "long texts of calls go when results do not suffice"
        );
        assert_eq!(messages[15..], before[15..]);
        assert_eq!(trim(&mut messages, 1_000_000, 6), 0);
    }

    #[test]
    fn the_estimate_is_corrected_by_what_the_provider_counted() {
        let mut window = Window::new(100_000, 10_000);
        assert_eq!(window.room, 81_000);
        assert_eq!(window.excess(280_000), None);
        window.observe(100_000, 50_000);
        assert_eq!(window.excess(280_000), Some(280_000 - 81_000));
        assert_eq!(window.excess(160_000), None);
    }
}
