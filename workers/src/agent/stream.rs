//! A whole answer out of the events of a stream.
//!
//! A message is whole when `message_stop` came, every block was closed and a reason to stop was given; anything else
//! is an error, never a half message taken as whole. Events and deltas of unknown kinds are passed over, as the
//! provider asks of its clients. It reads no network and retries nothing.

use loops::budget::Usage;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    messages::{ApiError, Block, INVALID_INPUT, Reply, StopReason, Text, Thinking, WireUsage},
    sse::Event,
};

/// Why a stream gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// It ended before its end.
    #[error("the stream was cut before the answer was whole")]
    Cut,
    /// It does not read as an answer.
    #[error("the stream makes no sense: {0}")]
    Malformed(String),
    /// The provider said in it that it cannot go on.
    #[error("the model's provider broke off the stream: {} (`{}`)", .0.message, .0.kind)]
    Broken(ApiError),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        index: usize,
        content_block: Block,
    },
    ContentBlockDelta {
        index: usize,
        delta: Value,
    },
    ContentBlockStop {
        index: usize,
    },
    MessageDelta {
        delta: Ending,
        #[serde(default)]
        usage: WireUsage,
    },
    MessageStop,
    Error {
        error: ApiError,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
struct Start {
    #[serde(default)]
    usage: WireUsage,
}

#[derive(Deserialize)]
struct Ending {
    stop_reason: Option<String>,
}

/// Puts an answer together.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    content: Vec<Block>,
    /// The block that is being written: always the last one.
    open: bool,
    /// The JSON text of the open block's input.
    input: String,
    usage: Usage,
    stop: Option<StopReason>,
    started: bool,
    stopped: bool,
}

impl Assembler {
    /// Takes the next event. After `message_stop` further ones are passed over.
    pub(super) fn take(&mut self, event: &Event) -> Result<(), StreamError> {
        if self.stopped {
            return Ok(());
        }
        let part: Part = serde_json::from_str(&event.data)
            .map_err(|error| malformed(format!("an event `{}` is not readable: {error}", event.name)))?;
        if !self.started
            && !matches!(
                part,
                Part::MessageStart { .. } | Part::Error { .. } | Part::Unknown
            )
        {
            return Err(malformed("it does not begin with `message_start`"));
        }
        match part {
            Part::MessageStart { message } => {
                if std::mem::replace(&mut self.started, true) {
                    return Err(malformed("a second `message_start`"));
                }
                message.usage.update(&mut self.usage);
            }
            Part::ContentBlockStart { index, content_block } => self.open_block(index, content_block)?,
            Part::ContentBlockDelta { index, delta } => {
                self.expect_open(index)?;
                self.grow(&delta)?;
            }
            Part::ContentBlockStop { index } => {
                self.expect_open(index)?;
                self.close_block();
            }
            Part::MessageDelta { delta, usage } => {
                usage.update(&mut self.usage);
                self.stop = delta
                    .stop_reason
                    .as_deref()
                    .map(StopReason::read)
                    .or(self.stop.take());
            }
            Part::MessageStop => self.stopped = true,
            Part::Error { error } => return Err(StreamError::Broken(error)),
            Part::Unknown => {}
        }
        Ok(())
    }

    /// Whether the answer is whole, so that nothing more needs to be read.
    pub(super) fn is_whole(&self) -> bool {
        self.stopped
    }

    /// What has been counted so far, whether or not the answer became whole.
    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// The answer, at the end of the stream.
    pub(super) fn finish(self, rehearsed: bool) -> Result<Reply, StreamError> {
        if !self.stopped {
            return Err(StreamError::Cut);
        }
        if self.open {
            return Err(malformed("it ends within a block"));
        }
        let stop = self.stop.ok_or_else(|| malformed("it gives no reason to stop"))?;
        Ok(Reply {
            content: self.content,
            stop,
            usage: self.usage,
            rehearsed,
        })
    }

    fn open_block(&mut self, index: usize, block: Block) -> Result<(), StreamError> {
        if self.open || index != self.content.len() {
            return Err(malformed(format!("block `{index}` begins out of order")));
        }
        self.content.push(block);
        self.open = true;
        Ok(())
    }

    fn expect_open(&self, index: usize) -> Result<(), StreamError> {
        if self.open && index + 1 == self.content.len() {
            Ok(())
        } else {
            Err(malformed(format!("block `{index}` is not open")))
        }
    }

    fn grow(&mut self, delta: &Value) -> Result<(), StreamError> {
        let kind = delta["type"].as_str().unwrap_or_default();
        let piece = |key: &str| {
            delta[key]
                .as_str()
                .ok_or_else(|| malformed(format!("a `{kind}` has no text under `{key}`")))
        };
        match (kind, self.content.last_mut()) {
            ("text_delta", Some(Block::Text(Text { text, .. }))) => text.push_str(piece("text")?),
            ("thinking_delta", Some(Block::Thinking(Thinking { thinking, .. }))) => {
                thinking.push_str(piece("thinking")?);
            }
            ("signature_delta", Some(Block::Thinking(Thinking { signature, .. }))) => {
                signature.push_str(piece("signature")?);
            }
            ("input_json_delta", Some(Block::ToolUse(_) | Block::Other(_))) => {
                self.input.push_str(piece("partial_json")?);
            }
            ("citations_delta", Some(Block::Text(text))) => {
                let list = text.rest.entry("citations").or_insert_with(|| json!([]));
                if !list.is_array() {
                    *list = json!([]);
                }
                if let Some(list) = list.as_array_mut() {
                    list.push(delta["citation"].clone());
                }
            }
            ("text_delta" | "thinking_delta" | "signature_delta" | "input_json_delta", _) => {
                return Err(malformed(format!("a `{kind}` does not fit its block")));
            }
            _ => {}
        }
        Ok(())
    }

    fn close_block(&mut self) {
        self.open = false;
        let written = std::mem::take(&mut self.input);
        if written.is_empty() {
            return;
        }
        let input = match serde_json::from_str::<Value>(&written) {
            Ok(input @ Value::Object(_)) => input,
            // What is kept must be an object, or the provider refuses the whole conversation from then on.
            _ => json!({ INVALID_INPUT: written }),
        };
        match self.content.last_mut() {
            Some(Block::ToolUse(call)) => call.input = input,
            Some(Block::Other(block)) if block.is_object() => block["input"] = input,
            _ => {}
        }
    }
}

fn malformed(words: impl Into<String>) -> StreamError {
    StreamError::Malformed(words.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::sse::Decoder;

    const WHOLE: &str = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":100,\"cache_creation_input_tokens\":7,\"output_tokens\":1}}}\n\n",
        "event: ping\ndata: {\"type\":\"ping\"}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"sig\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"grüß \"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"Gott\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"read\",\"input\":{}}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"path\\\": \\\"a\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\".py\\\"}\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":2}\n\n",
        "event: brand_new\ndata: {\"type\":\"brand_new\",\"x\":1}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":42}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );

    fn read(pieces: &[&[u8]]) -> Result<Reply, StreamError> {
        let (mut decoder, mut assembler) = (Decoder::default(), Assembler::default());
        for piece in pieces {
            for event in decoder.push(piece).unwrap() {
                assembler.take(&event)?;
            }
        }
        assembler.finish(false)
    }

    #[test]
    fn a_whole_stream_gives_the_same_answer_wherever_it_is_split() {
        let reply = read(&[WHOLE.as_bytes()]).unwrap();
        assert_eq!(
            serde_json::to_value(&reply.content).unwrap(),
            json!([
                {"type": "thinking", "thinking": "hm", "signature": "sig"},
                {"type": "text", "text": "grüß Gott"},
                {"type": "tool_use", "id": "t1", "name": "read", "input": {"path": "a.py"}},
            ])
        );
        assert_eq!(reply.stop, StopReason::ToolUse);
        let usage = Usage {
            input_tokens: 5,
            output_tokens: 42,
            cache_read_tokens: 100,
            cache_write_tokens: 7,
            reasoning_tokens: 0,
        };
        assert_eq!(reply.usage, usage);
        for at in 0..=WHOLE.len() {
            let (left, right) = WHOLE.as_bytes().split_at(at);
            assert_eq!(read(&[left, right]).unwrap(), reply, "split at {at}");
        }
    }

    #[test]
    fn a_stream_cut_anywhere_is_never_an_answer() {
        for at in 0..WHOLE.len() - 1 {
            assert_eq!(
                read(&[&WHOLE.as_bytes()[..at]]),
                Err(StreamError::Cut),
                "cut at {at}"
            );
        }
    }

    #[test]
    fn an_error_in_the_stream_is_told() {
        let text = format!(
            "{}event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}}}\n\n",
            &WHOLE[..WHOLE.find("event: ping").unwrap()]
        );
        let error = read(&[text.as_bytes()]).unwrap_err();
        assert!(
            matches!(&error, StreamError::Broken(error) if error.kind == "overloaded_error"),
            "{error}"
        );
    }

    #[test]
    fn an_input_that_is_not_an_object_is_kept_as_words() {
        let text = WHOLE.replace(".py\\\"}", ".py");
        let reply = read(&[text.as_bytes()]).unwrap();
        let Block::ToolUse(call) = &reply.content[2] else {
            panic!()
        };
        assert_eq!(call.invalid_input(), Some("{\"path\": \"a.py"));
    }

    #[test]
    fn blocks_out_of_order_make_no_sense() {
        for (from, to) in [
            ("\"index\":1,\"content_block\"", "\"index\":3,\"content_block\""),
            (
                "content_block_stop\",\"index\":1",
                "content_block_stop\",\"index\":0",
            ),
            (
                "{\"type\":\"text_delta\",\"text\":\"Gott\"}",
                "{\"type\":\"text_delta\"}",
            ),
            (
                "{\"type\":\"text_delta\",\"text\":\"Gott\"}",
                "{\"type\":\"thinking_delta\",\"thinking\":\"Gott\"}",
            ),
            ("{\"type\":\"ping\"}", "{\"type\":"),
            ("\"stop_reason\":\"tool_use\"", "\"stop_reason\":null"),
        ] {
            assert_ne!(WHOLE, WHOLE.replace(from, to), "{from}");
            let error = read(&[WHOLE.replace(from, to).as_bytes()]).unwrap_err();
            assert!(matches!(error, StreamError::Malformed(_)), "{from}: {error}");
        }
    }
}
