//! What is known of models without anybody writing it down: names, prices, sizes.
//!
//! Prices are dollars per million tokens, from the providers' public lists
//! (<https://platform.claude.com/docs/en/about-claude/pricing>, <https://developers.openai.com/api/docs/pricing>) as they
//! stood on [`AS_OF`]; cache writes at Anthropic are those with the five-minute lifetime, the only one that the gateway
//! lets through. `loops.yaml` overrides any of it.

use loops::budget::{LongPrompt, Price};

use super::{Model, Vendor};

/// The day when the table was compared with the provider's list.
pub const AS_OF: &str = "2026-11-21";

/// The aliases, and the models that they stand for.
pub const ALIASES: [(&str, &str); 3] = [
    ("top", "claude-opus-5-5"),
    ("standard", "claude-sonnet-5-5"),
    ("small", "claude-haiku-5-5"),
];

/// Calls to one model at once, across all attempts, unless `loops.yaml` says otherwise.
pub const MAX_CONCURRENT: usize = 16;

/// Name; input, output, cache read and cache write price; context window; longest output; takes an effort.
type Row = (&'static str, [f64; 4], u64, u64, bool);

const MILLION: u64 = 1_000_000;

const TABLE: [Row; 15] = [
    (
        "claude-fable-5-1",
        [10.0, 50.0, 0.25, 12.5],
        MILLION,
        128_000,
        true,
    ),
    ("claude-opus-5-5", [4.0, 20.0, 0.2, 5.0], MILLION, 128_000, true),
    ("claude-opus-5", [5.0, 25.0, 0.5, 6.25], MILLION, 128_000, true),
    ("claude-opus-4-8", [5.0, 25.0, 0.5, 6.25], MILLION, 128_000, true),
    ("claude-opus-4-7", [5.0, 25.0, 0.5, 6.25], MILLION, 128_000, true),
    ("claude-opus-4-6", [5.0, 25.0, 0.5, 6.25], MILLION, 128_000, true),
    (
        "claude-opus-4-5-20251101",
        [5.0, 25.0, 0.5, 6.25],
        200_000,
        64_000,
        true,
    ),
    ("claude-sonnet-5-5", [2.0, 10.0, 0.1, 2.5], MILLION, 128_000, true),
    ("claude-sonnet-5", [2.0, 10.0, 0.2, 2.5], MILLION, 128_000, true),
    ("claude-sonnet-4-6", [3.0, 15.0, 0.3, 3.75], MILLION, 64_000, true),
    (
        "claude-sonnet-4-5",
        [3.0, 15.0, 0.3, 3.75],
        200_000,
        64_000,
        false,
    ),
    (
        "claude-sonnet-4-5-20250929",
        [3.0, 15.0, 0.3, 3.75],
        200_000,
        64_000,
        false,
    ),
    (
        "claude-haiku-5-5",
        [0.1, 0.5, 0.01, 0.125],
        MILLION,
        128_000,
        true,
    ),
    ("claude-haiku-4-5", [1.0, 5.0, 0.1, 1.25], 200_000, 64_000, false),
    (
        "claude-haiku-4-5-20251001",
        [1.0, 5.0, 0.1, 1.25],
        200_000,
        64_000,
        false,
    ),
];

/// OpenAI's: a prompt of more than 272,000 tokens doubles what input costs, and output costs half as much again.
const OPENAI: [Row; 6] = [
    ("gpt-6.2-astra", [8.0, 40.0, 0.4, 10.0], 1_050_000, 128_000, true),
    ("gpt-6.2-sol", [2.0, 10.0, 0.1, 2.5], 1_050_000, 128_000, true),
    ("gpt-6.1-sol", [2.0, 10.0, 0.1, 2.5], 1_050_000, 128_000, true),
    ("gpt-6-astra", [10.0, 50.0, 1.0, 12.5], 1_050_000, 128_000, true),
    ("gpt-6-sol", [2.0, 10.0, 0.2, 2.5], 1_050_000, 128_000, true),
    ("gpt-6-luna", [0.1, 0.5, 0.01, 0.125], 1_050_000, 128_000, true),
];

/// The models that are known.
pub fn models() -> impl Iterator<Item = (String, Model)> {
    let anthropic = TABLE.iter().map(|row| (Vendor::Anthropic, row));
    let openai = OPENAI.iter().map(|row| (Vendor::Openai, row));
    anthropic.chain(openai).map(
        |(provider, &(name, [input, output, cache_read, cache_write], context, max_output, effort))| {
            let long_prompt = match provider {
                Vendor::Openai => Some(LongPrompt {
                    over_tokens: 272_000,
                    input: 2.0 * input,
                    output: 1.5 * output,
                    cache_read: 2.0 * cache_read,
                    cache_write: 2.0 * cache_write,
                }),
                Vendor::Anthropic => (name == "claude-haiku-5-5").then_some(LongPrompt {
                    over_tokens: 100_000,
                    input: 0.5,
                    output: 2.5,
                    cache_read: 0.05,
                    cache_write: 0.625,
                }),
            };
            let price = Price {
                input,
                output,
                cache_read,
                cache_write,
                as_of: AS_OF.to_owned(),
                long_prompt,
            };
            let model = Model {
                provider,
                price: Some(price),
                context,
                max_output,
                effort,
                max_concurrent: MAX_CONCURRENT,
            };
            (name.to_owned(), model)
        },
    )
}
