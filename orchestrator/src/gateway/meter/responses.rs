//! Reads the usage out of answers of the Responses API. It stands in the last event alone: of a cut stream nothing is
//! known, and what was reserved counts.

use loops::budget::Usage;
use serde::Deserialize;

use super::{Failure, Seen, apart, failure};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Figures {
    input_tokens: u64,
    input_tokens_details: Option<InputDetails>,
    output_tokens: u64,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InputDetails {
    cached_tokens: u64,
    cache_write_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: u64,
}

impl Figures {
    fn usage(self) -> Usage {
        let input = self.input_tokens_details.unwrap_or_default();
        let output = self.output_tokens_details.unwrap_or_default();
        apart(
            self.input_tokens,
            input.cached_tokens,
            input.cache_write_tokens.unwrap_or(0),
            self.output_tokens,
            output.reasoning_tokens,
        )
    }
}

/// An answer; only what is counted of it.
#[derive(Debug, Deserialize)]
struct Response {
    #[serde(default)]
    usage: Option<Figures>,
    #[serde(default)]
    error: Option<Problem>,
}

#[derive(Debug, Deserialize)]
struct Problem {
    #[serde(default)]
    code: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

impl Problem {
    fn word(self) -> String {
        self.code
            .or(self.kind)
            .unwrap_or_else(|| "server_error".to_owned())
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
enum Event {
    #[serde(
        rename = "response.created",
        alias = "response.queued",
        alias = "response.in_progress"
    )]
    Waiting,
    #[serde(rename = "response.completed", alias = "response.incomplete")]
    Whole { response: Response },
    #[serde(rename = "response.failed")]
    Failed { response: Response },
    #[serde(rename = "error")]
    Error {
        #[serde(default)]
        code: Option<String>,
        #[serde(default)]
        error: Option<Problem>,
    },
    #[serde(other)]
    Other,
}

/// What was read of a stream so far.
#[derive(Debug, Default)]
pub(super) struct Reader {
    begun: bool,
    stopped: bool,
    usage: Option<Usage>,
    refused: Option<Failure>,
}

impl Reader {
    pub(super) fn read(&mut self, data: &[u8]) {
        let Ok(event) = serde_json::from_slice::<Event>(data) else {
            return;
        };
        match event {
            // It may still say no: what only says that it was heard is held back.
            Event::Waiting => {}
            Event::Whole { response } => {
                self.begun = true;
                self.stopped = true;
                self.usage = response.usage.map(Figures::usage);
            }
            Event::Failed { response } => match response.usage {
                // What failed on the way is billed for what it used until then.
                Some(figures) => {
                    self.begun = true;
                    self.stopped = true;
                    self.usage = Some(figures.usage());
                }
                None => self.refuse(response.error),
            },
            Event::Error { code, error } => {
                let kind = None;
                self.refuse(error.or(Some(Problem { code, kind })));
            }
            Event::Other => self.begun = true,
        }
    }

    fn refuse(&mut self, problem: Option<Problem>) {
        if !self.begun {
            let word = problem.map_or_else(|| "server_error".to_owned(), Problem::word);
            self.refused = Some(failure(&word));
        }
    }

    pub(super) fn begun(&self) -> bool {
        self.begun
    }

    pub(super) fn stopped(&self) -> bool {
        self.stopped
    }

    pub(super) fn refused(&self) -> Option<&Failure> {
        self.refused.as_ref()
    }

    pub(super) fn seen(&self, _max_tokens: u64) -> Seen {
        self.usage.map_or(Seen::Nothing, Seen::All)
    }
}

/// Reads an answer that came whole.
pub(super) fn whole(body: &[u8]) -> Seen {
    match serde_json::from_slice::<Response>(body) {
        Ok(Response {
            usage: Some(figures), ..
        }) => Seen::All(figures.usage()),
        _ => Seen::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Meter, *};
    use crate::gateway::api::Api;

    const CREATED: &str =
        "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"usage\":null}}\n\n";
    const DELTA: &str = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n";
    const DONE: &str = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"usage\":{\"input_tokens\":100,\"input_tokens_details\":{\"cached_tokens\":60,\"cache_write_tokens\":30},\"output_tokens\":42,\"output_tokens_details\":{\"reasoning_tokens\":40},\"total_tokens\":142}}}\n\n";

    fn meter(parts: &[&str]) -> Meter {
        let mut meter = Meter::new(Api::Responses);
        meter.feed(parts.concat().as_bytes());
        meter
    }

    fn usage() -> Usage {
        Usage {
            input_tokens: 10,
            cache_read_tokens: 60,
            cache_write_tokens: 30,
            output_tokens: 42,
            reasoning_tokens: 40,
        }
    }

    #[test]
    fn a_whole_stream_is_counted_as_the_provider_says_wherever_it_is_cut_into_pieces() {
        let stream = [CREATED, DELTA, DONE].concat();
        for size in [1, 2, 7, 64, stream.len()] {
            let mut meter = Meter::new(Api::Responses);
            stream.as_bytes().chunks(size).for_each(|piece| meter.feed(piece));
            assert_eq!(meter.seen(1_000), Seen::All(usage()), "{size}");
            assert!(meter.stopped());
        }
        let incomplete = DONE.replace("response.completed", "response.incomplete");
        assert_eq!(meter(&[CREATED, &incomplete]).seen(1), Seen::All(usage()));
    }

    #[test]
    fn of_a_cut_stream_nothing_is_known() {
        let cut = meter(&[CREATED, DELTA]);
        assert_eq!(
            (cut.seen(1_000), cut.begun(), cut.stopped()),
            (Seen::Nothing, true, false)
        );
    }

    #[test]
    fn what_only_says_that_it_was_heard_is_no_beginning() {
        assert!(!meter(&[CREATED]).begun());
        for (event, status) in [
            (
                "{\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"rate_limit_exceeded\"}}}",
                429,
            ),
            (
                "{\"type\":\"error\",\"code\":\"server_error\",\"message\":\"x\"}",
                500,
            ),
            (
                "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"code\":null}}",
                400,
            ),
        ] {
            let said = meter(&[CREATED, &format!("data: {event}\n\n")]);
            assert_eq!(said.refused().unwrap().status, status, "{event}");
        }
    }

    #[test]
    fn what_failed_on_the_way_is_counted_for_what_it_used() {
        let failed = DONE.replace("response.completed", "response.failed");
        assert_eq!(meter(&[CREATED, DELTA, &failed]).seen(1_000), Seen::All(usage()));
    }

    #[test]
    fn a_whole_answer_is_counted_as_the_provider_says() {
        let body = DONE.lines().nth(1).unwrap();
        let body: serde_json::Value = serde_json::from_str(body.trim_start_matches("data: ")).unwrap();
        assert_eq!(whole(body["response"].to_string().as_bytes()), Seen::All(usage()));
        assert_eq!(whole(b"{\"usage\":null}"), Seen::Nothing);
        assert_eq!(whole(b"<html>"), Seen::Nothing);
    }
}
