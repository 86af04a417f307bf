//! Reads the usage out of answers of the Chat Completions API. A stream says it at its end, because the gateway asks for
//! it; of a cut stream nothing is known, and what was reserved counts.

use loops::budget::Usage;
use serde::{Deserialize, de::IgnoredAny};

use super::{Failure, Seen, apart, failure};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Figures {
    prompt_tokens: u64,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens: u64,
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

impl Figures {
    fn usage(self) -> Usage {
        let prompt = self.prompt_tokens_details.unwrap_or_default();
        let completion = self.completion_tokens_details.unwrap_or_default();
        apart(
            self.prompt_tokens,
            prompt.cached_tokens.unwrap_or(0),
            prompt.cache_write_tokens.unwrap_or(0),
            self.completion_tokens,
            completion.reasoning_tokens.unwrap_or(0),
        )
    }
}

/// An answer, or a piece of one; only what is counted of it.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    choices: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    usage: Option<Figures>,
    #[serde(default)]
    error: Option<Problem>,
}

#[derive(Debug, Deserialize)]
struct Problem {
    /// A word, or a number at some services.
    #[serde(default)]
    code: serde_json::Value,
    #[serde(default, rename = "type")]
    kind: Option<String>,
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
        if data == b"[DONE]" {
            self.stopped = true;
            return;
        }
        let Ok(answer) = serde_json::from_slice::<Answer>(data) else {
            return;
        };
        if let Some(problem) = answer.error {
            if !self.begun {
                let word = problem.code.as_str().map(str::to_owned).or(problem.kind);
                self.refused = Some(failure(word.as_deref().unwrap_or("server_error")));
            }
            return;
        }
        let Some(choices) = answer.choices else {
            return;
        };
        self.begun = true;
        if let Some(figures) = answer.usage {
            self.usage = Some(figures.usage());
            // A service may also say how far it is, piece by piece; the sum has no choices beside it.
            self.stopped |= choices.is_empty();
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
        match self.usage {
            Some(usage) if self.stopped => Seen::All(usage),
            _ => Seen::Nothing,
        }
    }
}

/// Reads an answer that came whole.
pub(super) fn whole(body: &[u8]) -> Seen {
    match serde_json::from_slice::<Answer>(body) {
        Ok(Answer {
            usage: Some(figures), ..
        }) => Seen::All(figures.usage()),
        _ => Seen::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Meter, *};
    use crate::gateway::api::Api;

    const WORD: &str =
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}],\"usage\":null}\n\n";
    const USAGE: &str = "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":42,\"prompt_tokens_details\":{\"cached_tokens\":60},\"completion_tokens_details\":{\"reasoning_tokens\":40}}}\n\n";
    const DONE: &str = "data: [DONE]\n\n";

    fn meter(parts: &[&str]) -> Meter {
        let mut meter = Meter::new(Api::Chat);
        meter.feed(parts.concat().as_bytes());
        meter
    }

    fn usage() -> Usage {
        Usage {
            input_tokens: 40,
            cache_read_tokens: 60,
            cache_write_tokens: 0,
            output_tokens: 42,
            reasoning_tokens: 40,
        }
    }

    #[test]
    fn a_whole_stream_is_counted_as_the_provider_says_wherever_it_is_cut_into_pieces() {
        let stream = [WORD, WORD, USAGE, DONE].concat();
        for size in [1, 2, 7, 64, stream.len()] {
            let mut meter = Meter::new(Api::Chat);
            stream.as_bytes().chunks(size).for_each(|piece| meter.feed(piece));
            assert_eq!(meter.seen(1_000), Seen::All(usage()), "{size}");
        }
        assert_eq!(
            meter(&[WORD, USAGE]).seen(1),
            Seen::All(usage()),
            "the sum is the end"
        );
    }

    #[test]
    fn of_a_cut_stream_nothing_is_known_and_a_figure_on_the_way_is_no_sum() {
        assert_eq!(meter(&[WORD, WORD]).seen(1_000), Seen::Nothing);
        let on_the_way = USAGE.replace("\"choices\":[]", "\"choices\":[{\"delta\":{}}]");
        assert_eq!(meter(&[WORD, &on_the_way]).seen(1_000), Seen::Nothing);
        assert_eq!(meter(&[WORD, &on_the_way, DONE]).seen(1_000), Seen::All(usage()));
    }

    #[test]
    fn a_stream_that_ends_without_its_usage_says_nothing() {
        let silent = meter(&[WORD, DONE]);
        assert_eq!((silent.seen(1_000), silent.stopped()), (Seen::Nothing, true));
    }

    #[test]
    fn an_error_before_the_first_piece_is_an_answer_of_its_own() {
        let error = "data: {\"error\":{\"type\":\"server_error\",\"code\":null,\"message\":\"x\"}}\n\n";
        assert_eq!(meter(&[error]).refused().unwrap().status, 500);
        assert_eq!(meter(&[WORD, error]).refused(), None);
        let limited = "data: {\"error\":{\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\"}}\n\n";
        assert_eq!(meter(&[limited]).refused().unwrap().status, 429);
    }

    #[test]
    fn a_whole_answer_is_counted_as_the_provider_says() {
        let body = USAGE.trim().trim_start_matches("data: ");
        assert_eq!(whole(body.as_bytes()), Seen::All(usage()));
        assert_eq!(whole(b"<html>"), Seen::Nothing);
    }
}
