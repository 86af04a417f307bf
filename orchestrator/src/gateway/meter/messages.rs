//! Reads the usage out of answers of the Messages API.

use loops::budget::Usage;
use serde::Deserialize;

use super::{Failure, Seen, estimated};

/// The usage of an answer, as the API has it.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct Figures {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
}

impl Figures {
    fn raise(self, usage: &mut Usage) {
        // Later figures are sums, so the larger one holds.
        usage.input_tokens = usage.input_tokens.max(self.input_tokens.unwrap_or(0));
        usage.output_tokens = usage.output_tokens.max(self.output_tokens.unwrap_or(0));
        usage.cache_read_tokens = usage
            .cache_read_tokens
            .max(self.cache_read_input_tokens.unwrap_or(0));
        usage.cache_write_tokens = usage
            .cache_write_tokens
            .max(self.cache_creation_input_tokens.unwrap_or(0));
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Message,
    },
    ContentBlockStart {
        content_block: Kind,
    },
    ContentBlockDelta {
        delta: serde_json::Value,
    },
    MessageDelta {
        #[serde(default)]
        usage: Figures,
    },
    MessageStop,
    Error {
        error: Kind,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Default, Deserialize)]
struct Message {
    #[serde(default)]
    usage: Option<Figures>,
}

#[derive(Debug, Deserialize)]
struct Kind {
    #[serde(rename = "type", default)]
    kind: String,
}

/// What was read of a stream so far.
#[derive(Debug, Default)]
pub(super) struct Reader {
    usage: Option<Usage>,
    text_bytes: u64,
    /// Whether there was any: what is shown of it does not say how much it was.
    thought: bool,
    stopped: bool,
    refused: Option<Failure>,
}

impl Reader {
    pub(super) fn read(&mut self, data: &[u8]) {
        let Ok(event) = serde_json::from_slice::<Event>(data) else {
            return;
        };
        match event {
            Event::MessageStart { message } => {
                if let Some(figures) = message.usage {
                    figures.raise(self.usage.get_or_insert_default());
                }
            }
            Event::ContentBlockStart { content_block } => {
                self.thought |= content_block.kind.contains("thinking");
            }
            Event::ContentBlockDelta { delta } => {
                let texts = ["text", "thinking", "partial_json", "signature"];
                let bytes = texts
                    .iter()
                    .filter_map(|key| delta.get(key)?.as_str())
                    .map(|text| text.len() as u64);
                self.text_bytes += bytes.sum::<u64>();
            }
            Event::MessageDelta { usage } => {
                if let Some(so_far) = &mut self.usage {
                    usage.raise(so_far);
                }
            }
            Event::MessageStop => self.stopped = true,
            Event::Error { error } if self.usage.is_none() => self.refused = Some(failure(error.kind)),
            Event::Error { .. } | Event::Other => {}
        }
    }

    pub(super) fn begun(&self) -> bool {
        self.usage.is_some()
    }

    pub(super) fn stopped(&self) -> bool {
        self.stopped
    }

    pub(super) fn refused(&self) -> Option<&Failure> {
        self.refused.as_ref()
    }

    pub(super) fn seen(&self, max_tokens: u64) -> Seen {
        match self.usage {
            None => Seen::Nothing,
            Some(usage) if self.stopped => Seen::All(usage),
            Some(usage) => {
                let output = if self.thought {
                    max_tokens
                } else {
                    estimated(self.text_bytes).min(max_tokens)
                };
                Seen::Part(Usage {
                    output_tokens: usage.output_tokens.max(output),
                    ..usage
                })
            }
        }
    }
}

/// The status that the error would have had in place of an answer.
fn failure(kind: String) -> Failure {
    let status = match kind.as_str() {
        "overloaded_error" => 529,
        "rate_limit_error" => 429,
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "permission_error" => 403,
        _ => 500,
    };
    Failure { status, kind }
}

/// Reads an answer that came whole.
pub(super) fn whole(body: &[u8]) -> Seen {
    match serde_json::from_slice::<Message>(body) {
        Ok(Message { usage: Some(figures) }) => {
            let mut usage = Usage::default();
            figures.raise(&mut usage);
            Seen::All(usage)
        }
        _ => Seen::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Meter, *};
    use crate::gateway::api::Api;

    const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":7,\"cache_read_input_tokens\":90,\"cache_creation_input_tokens\":null,\"output_tokens\":1}}}\n\n";
    const TEXT: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"0123456789\"}}\n\n";
    const THINK: &str = "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\"}}\n\n";
    const DELTA: &str = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":42}}\n\n";
    const STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

    fn usage(output_tokens: u64) -> Usage {
        Usage {
            input_tokens: 7,
            cache_read_tokens: 90,
            output_tokens,
            cache_write_tokens: 0,
            reasoning_tokens: 0,
        }
    }

    fn seen(parts: &[&str]) -> Seen {
        let mut meter = Meter::new(Api::Messages);
        meter.feed(parts.concat().as_bytes());
        meter.seen(1_000)
    }

    #[test]
    fn a_whole_stream_is_counted_as_the_provider_says_wherever_it_is_cut_into_pieces() {
        let stream = [START, TEXT, DELTA, STOP].concat();
        for size in [1, 2, 7, 64, stream.len()] {
            let mut meter = Meter::new(Api::Messages);
            stream.as_bytes().chunks(size).for_each(|piece| meter.feed(piece));
            assert_eq!(meter.seen(1_000), Seen::All(usage(42)), "{size}");
        }
        assert_eq!(seen(&[&stream.replace('\n', "\r\n")]), Seen::All(usage(42)));
    }

    #[test]
    fn a_cut_stream_keeps_its_input_and_is_never_charged_less_than_came() {
        assert_eq!(seen(&[START, TEXT, TEXT]), Seen::Part(usage(20)));
        assert_eq!(seen(&[START, TEXT, DELTA]), Seen::Part(usage(42)));
    }

    #[test]
    fn a_cut_after_any_thinking_is_charged_all_that_it_might_have_written() {
        assert_eq!(seen(&[START, THINK]), Seen::Part(usage(1_000)));
        const END: &str = "data: {\"type\":\"content_block_stop\",\"index\":0}\n\n";
        assert_eq!(seen(&[START, THINK, END, TEXT]), Seen::Part(usage(1_000)));
    }

    #[test]
    fn a_stream_that_never_began_says_nothing() {
        assert_eq!(
            seen(&[
                "event: ping\ndata: {\"type\":\"ping\"}\n\n",
                "data: {\n\ndata: 7\n\n"
            ]),
            Seen::Nothing
        );
        assert_eq!(seen(&[DELTA, STOP]), Seen::Nothing);
    }

    #[test]
    fn a_whole_answer_is_counted_as_the_provider_says() {
        assert_eq!(whole(br#"{"type":"message","usage":{"input_tokens":7,"cache_read_input_tokens":90,"output_tokens":3}}"#), Seen::All(usage(3)));
        assert_eq!(whole(b"<html>"), Seen::Nothing);
    }
}
