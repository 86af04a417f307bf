//! Prompt caches, counted as the provider documents them ("Prompt caching" in its guides).
//!
//! A prefix (tools, then system, then messages) can be read up to a breakpoint, or up to one of the blocks before a
//! breakpoint, at most twenty back, if a request wrote it there. Prefixes below a minimum are not written. An entry
//! lives five minutes from its last use. Tokens are a quarter of the bytes.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use loops::budget::Usage;
use serde_json::Value;

const LOOK_BACK: usize = 20;
const LIFE: Duration = Duration::from_secs(5 * 60);

/// How many tokens this many bytes are taken for.
pub fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(4) as u64
}

/// All that is cached.
#[derive(Debug, Default)]
pub struct Cache {
    now: Duration,
    minimum: Option<u64>,
    /// When each written prefix was last used, by its digest.
    entries: HashMap<u64, Duration>,
}

struct Prefix {
    digest: u64,
    tokens: u64,
    breakpoint: bool,
}

impl Cache {
    /// Turns the clock.
    pub fn advance(&mut self, by: Duration) {
        self.now += by;
    }

    /// The fewest tokens that are cached, whatever the model.
    pub fn set_minimum(&mut self, tokens: u64) {
        self.minimum = Some(tokens);
    }

    fn minimum_of(&self, model: &str) -> u64 {
        let large = ["claude-haiku-4-5", "claude-opus-4-5", "claude-opus-4-6"];
        let documented = if large.iter().any(|name| model.starts_with(name)) {
            4096
        } else {
            1024
        };
        self.minimum.unwrap_or(documented)
    }

    /// Counts the input of a request, and remembers what it wrote.
    pub fn count(&mut self, request: &Value) -> Usage {
        let prefixes = prefixes(request);
        let minimum = self.minimum_of(request["model"].as_str().unwrap_or_default());
        let all = prefixes.last().map_or(0, |prefix| prefix.tokens);
        let breakpoints: Vec<usize> = (0..prefixes.len())
            .filter(|at| prefixes[*at].breakpoint)
            .collect();

        let alive = |prefix: &Prefix| {
            self.entries
                .get(&prefix.digest)
                .is_some_and(|used| self.now - *used < LIFE)
        };
        let found = breakpoints.iter().filter_map(|&at| {
            let back = (at + 1).saturating_sub(LOOK_BACK)..=at;
            back.rev().find(|at| alive(&prefixes[*at]))
        });
        let read = found.max();
        if let Some(at) = read {
            self.entries.insert(prefixes[at].digest, self.now);
        }
        let cache_read_tokens = read.map_or(0, |at| prefixes[at].tokens);
        let written = breakpoints.iter().filter(|at| prefixes[**at].tokens >= minimum);
        let mut written_to = cache_read_tokens;
        for &at in written {
            self.entries.insert(prefixes[at].digest, self.now);
            written_to = written_to.max(prefixes[at].tokens);
        }
        Usage {
            input_tokens: all - written_to,
            output_tokens: 0,
            cache_read_tokens,
            cache_write_tokens: written_to - cache_read_tokens,
            reasoning_tokens: 0,
        }
    }
}

/// Every block of a request in the order of the cache, with what stands before and in it.
fn prefixes(request: &Value) -> Vec<Prefix> {
    let mut hasher = DefaultHasher::new();
    request["model"].as_str().hash(&mut hasher);
    let mut bytes = 0;
    blocks(request)
        .map(|(place, mut block)| {
            let breakpoint = block
                .as_object_mut()
                .is_some_and(|map| map.shift_remove("cache_control").is_some());
            let text = block.to_string();
            (place, &text).hash(&mut hasher);
            bytes += text.len();
            Prefix {
                digest: hasher.finish(),
                tokens: tokens(bytes),
                breakpoint,
            }
        })
        .collect()
}

fn blocks(request: &Value) -> impl Iterator<Item = (String, Value)> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let words = |value: &Value| match value.as_str() {
        Some(text) => vec![serde_json::json!({"type": "text", "text": text})],
        None => value.as_array().cloned().unwrap_or_default(),
    };
    let tools = list(&request["tools"])
        .into_iter()
        .map(|block| ("tool".to_owned(), block));
    let system = words(&request["system"])
        .into_iter()
        .map(|block| ("system".to_owned(), block));
    let messages = list(&request["messages"])
        .into_iter()
        .enumerate()
        .flat_map(move |(at, message)| {
            let place = format!("{at} {}", message["role"]);
            words(&message["content"])
                .into_iter()
                .map(move |block| (place.clone(), block))
        });
    tools.chain(system).chain(messages)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(lengths: &[(usize, bool)]) -> Value {
        let blocks: Vec<Value> = lengths
            .iter()
            .enumerate()
            .map(|(n, (length, mark))| {
                let mut block = json!({"type": "text", "text": format!("{n}{}", "x".repeat(*length))});
                if *mark {
                    block["cache_control"] = json!({"type": "ephemeral"});
                }
                block
            })
            .collect();
        json!({"model": "m", "messages": [{"role": "user", "content": blocks}]})
    }

    #[test]
    fn what_one_request_wrote_the_next_one_reads() {
        let mut cache = Cache::default();
        let first = cache.count(&request(&[(8000, true), (100, false)]));
        assert_eq!(
            (first.cache_read_tokens, first.cache_write_tokens > 2000),
            (0, true)
        );
        assert!(first.input_tokens > 20 && first.input_tokens < 50, "{first:?}");
        let second = cache.count(&request(&[(8000, true), (200, true)]));
        assert_eq!(second.cache_read_tokens, first.cache_write_tokens);
        assert_eq!(second.input_tokens, 0);
    }

    #[test]
    fn a_prefix_below_the_minimum_is_not_written() {
        let mut cache = Cache::default();
        for _ in 0..2 {
            let usage = cache.count(&request(&[(3000, true)]));
            assert_eq!((usage.cache_read_tokens, usage.cache_write_tokens), (0, 0));
        }
        let mut large = request(&[(8000, true)]);
        large["model"] = json!("claude-haiku-4-5");
        assert_eq!(cache.count(&large).cache_write_tokens, 0);
    }

    #[test]
    fn a_breakpoint_looks_back_twenty_blocks_and_no_further() {
        for (added, hit) in [(19, true), (20, false)] {
            let mut cache = Cache::default();
            cache.count(&request(&[(8000, true)]));
            let mut longer = vec![(8000, false)];
            longer.extend(vec![(10, false); added - 1]);
            longer.push((10, true));
            assert_eq!(
                cache.count(&request(&longer)).cache_read_tokens > 0,
                hit,
                "{added}"
            );
        }
    }

    #[test]
    fn an_entry_lives_five_minutes_from_its_last_use() {
        let mut cache = Cache::default();
        let marked = request(&[(8000, true)]);
        cache.count(&marked);
        for (minutes, hit) in [(4, true), (4, true), (5, false), (1, true)] {
            cache.advance(Duration::from_secs(minutes * 60));
            assert_eq!(cache.count(&marked).cache_read_tokens > 0, hit);
        }
    }

    #[test]
    fn another_model_or_another_beginning_reads_nothing() {
        let mut cache = Cache::default();
        cache.count(&request(&[(8000, true)]));
        let mut other = request(&[(8000, true)]);
        other["model"] = json!("n");
        assert_eq!(cache.count(&other).cache_read_tokens, 0);
        let mut other = request(&[(8000, true)]);
        other["system"] = json!("new");
        assert_eq!(cache.count(&other).cache_read_tokens, 0);
    }
}
