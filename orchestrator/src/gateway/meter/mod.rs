//! Reads how much a call used out of its answer, in passing. It changes no byte of it.

use loops::budget::Usage;

use super::api::Api;

mod chat;
mod messages;
mod responses;

/// A line of an event stream longer than this is not read; the call then counts as cut.
const MAX_LINE: usize = 16 * 1024 * 1024;

/// Bytes of output that make a token at least. Texts have 2.5 to 4, but symbols and rare scripts have tokens of one byte
/// each, and what is not a bound is a way to be charged too little.
const BYTES_PER_TOKEN: u64 = 1;

/// What is known of a call's usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing: what was reserved must count.
    Nothing,
    /// The answer was cut. Input is as the provider said. Output is estimated from what came, and is the whole grant
    /// where there was thinking, of which only a part or nothing is shown.
    Part(Usage),
    /// All, as the provider said.
    All(Usage),
}

/// An error that came in a stream, in place of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// The status that it would have had without a stream.
    pub(super) status: u16,
    /// The provider's word for it.
    pub(super) kind: String,
}

/// Reads an answer that comes as a stream of events.
#[derive(Debug)]
pub(super) struct Meter {
    line: Vec<u8>,
    /// The line is too long to be kept.
    skipping: bool,
    reader: Reader,
}

#[derive(Debug)]
enum Reader {
    Messages(messages::Reader),
    Responses(responses::Reader),
    Chat(chat::Reader),
}

macro_rules! each {
    ($self:expr, $reader:ident => $what:expr) => {
        match $self {
            Reader::Messages($reader) => $what,
            Reader::Responses($reader) => $what,
            Reader::Chat($reader) => $what,
        }
    };
}

impl Meter {
    pub(super) fn new(api: Api) -> Self {
        Self {
            line: Vec::new(),
            skipping: false,
            reader: match api {
                Api::Messages => Reader::Messages(messages::Reader::default()),
                Api::Responses => Reader::Responses(responses::Reader::default()),
                Api::Chat => Reader::Chat(chat::Reader::default()),
            },
        }
    }

    /// Takes the next piece of the stream, cut anywhere.
    pub(super) fn feed(&mut self, mut piece: &[u8]) {
        while let Some(end) = piece.iter().position(|&byte| byte == b'\n') {
            self.keep(&piece[..end]);
            if !std::mem::take(&mut self.skipping)
                && let Some(data) = self.line.strip_prefix(b"data:")
            {
                each!(&mut self.reader, reader => reader.read(data.trim_ascii()));
            }
            self.line.clear();
            piece = &piece[end + 1..];
        }
        self.keep(piece);
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.line.len() + piece.len() > MAX_LINE {
            self.skipping = true;
            self.line = Vec::new();
        } else if !self.skipping {
            self.line.extend_from_slice(piece);
        }
    }

    /// Whether the provider has begun to answer: from here on it is billed.
    pub(super) fn begun(&self) -> bool {
        each!(&self.reader, reader => reader.begun())
    }

    /// Whether the provider said that the answer is whole.
    pub(super) fn stopped(&self) -> bool {
        each!(&self.reader, reader => reader.stopped())
    }

    /// The error that came in place of an answer.
    pub(super) fn refused(&self) -> Option<&Failure> {
        each!(&self.reader, reader => reader.refused())
    }

    /// What is known at the end, or at the cut, of a call that might write `max_tokens`.
    pub(super) fn seen(&self, max_tokens: u64) -> Seen {
        each!(&self.reader, reader => reader.seen(max_tokens))
    }
}

/// Reads an answer that came whole.
pub(super) fn whole(api: Api, body: &[u8]) -> Seen {
    match api {
        Api::Messages => messages::whole(body),
        Api::Responses => responses::whole(body),
        Api::Chat => chat::whole(body),
    }
}

/// The most tokens that a text of so many bytes was.
fn estimated(text_bytes: u64) -> u64 {
    text_bytes.div_ceil(BYTES_PER_TOKEN)
}

/// Tokens as the APIs of OpenAI count them (input with what was cached, output with what was thought), as ours.
fn apart(input: u64, cached: u64, written: u64, output: u64, reasoning: u64) -> Usage {
    let cached = cached.min(input);
    let written = written.min(input - cached);
    Usage {
        input_tokens: input - cached - written,
        output_tokens: output,
        cache_read_tokens: cached,
        cache_write_tokens: written,
        reasoning_tokens: reasoning.min(output),
    }
}

/// The status that an error of OpenAI's would have had in place of an answer.
fn failure(kind: &str) -> Failure {
    let status = match kind {
        "rate_limit_exceeded" | "rate_limit_error" | "requests" | "tokens" => 429,
        "server_is_overloaded" | "slow_down" | "overloaded_error" => 503,
        "invalid_request_error" | "invalid_prompt" | "context_length_exceeded" => 400,
        "insufficient_quota" => 402,
        "invalid_api_key" | "authentication_error" => 401,
        "permission_error" => 403,
        _ => 500,
    };
    Failure {
        status,
        kind: kind.to_owned(),
    }
}

/// What is read of an answer in these pieces, for each API as a stream and whole; for those who throw any bytes at it.
pub fn metered(pieces: &[&[u8]]) -> Vec<String> {
    let all = pieces.concat();
    let one = |api: Api| {
        let mut meter = Meter::new(api);
        pieces.iter().for_each(|piece| meter.feed(piece));
        let stream = (meter.begun(), meter.stopped(), meter.refused(), meter.seen(1_000));
        format!("{stream:?} {:?}", whole(api, &all))
    };
    [Api::Messages, Api::Responses, Api::Chat].map(one).into()
}
