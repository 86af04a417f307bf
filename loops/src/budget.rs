//! Money and tokens: what a call may cost at most, what it did cost, and what a cap still bears.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign, Sub},
};

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// US dollars, in millionths. In JSON a number of dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(pub i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// That many dollars, rounded to a millionth.
    pub fn usd(dollars: f64) -> Self {
        Self((dollars * 1e6).round() as i64)
    }

    /// As a number of dollars.
    pub fn as_usd(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dollars = self.as_usd();
        if self.0 != 0 && dollars.abs() < 0.01 {
            write!(f, "${dollars:.4}")
        } else {
            write!(f, "${dollars:.2}")
        }
    }
}

impl Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_usd())
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::usd)
    }
}

/// Tokens by how the provider bills them. `input_tokens` are those that were neither read from nor written to a
/// prompt cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Fresh input.
    #[serde(default)]
    pub input_tokens: u64,
    /// Output, thinking included.
    #[serde(default)]
    pub output_tokens: u64,
    /// Input read from a prompt cache.
    #[serde(default)]
    pub cache_read_tokens: u64,
    /// Input written to a prompt cache.
    #[serde(default)]
    pub cache_write_tokens: u64,
    /// How many of the output tokens were thoughts, where the provider says so. They are among `output_tokens`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reasoning_tokens: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Usage {
    /// All input, cached or not.
    pub fn all_input(&self) -> u64 {
        self.input_tokens + self.cache_read_tokens + self.cache_write_tokens
    }
}

impl Add for Usage {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens + other.input_tokens,
            output_tokens: self.output_tokens + other.output_tokens,
            cache_read_tokens: self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens: self.cache_write_tokens + other.cache_write_tokens,
            reasoning_tokens: self.reasoning_tokens + other.reasoning_tokens,
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// What a model costs: dollars per million tokens, and since when that has been so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Fresh input, dollars per million tokens.
    pub input: f64,
    /// Output, dollars per million tokens.
    pub output: f64,
    /// Input read from a cache, dollars per million tokens.
    pub cache_read: f64,
    /// Input written to a cache, dollars per million tokens.
    pub cache_write: f64,
    /// The day (YYYY-MM-DD) when somebody last looked at the provider's price list.
    pub as_of: String,
    /// What every token of a call costs instead, when the call's whole input is longer than a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_prompt: Option<LongPrompt>,
}

/// The price of a call with a long prompt, output included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LongPrompt {
    /// It applies to calls with more input tokens than this, cached ones counted.
    pub over_tokens: u64,
    /// Fresh input, dollars per million tokens.
    pub input: f64,
    /// Output, dollars per million tokens.
    pub output: f64,
    /// Input read from a cache, dollars per million tokens.
    pub cache_read: f64,
    /// Input written to a cache, dollars per million tokens.
    pub cache_write: f64,
}

/// The rates that hold for one call, dollars per million tokens.
#[derive(Debug, Clone, Copy)]
struct Rates {
    input: f64,
    output: f64,
    cache_read: f64,
    cache_write: f64,
}

impl Rates {
    /// The most that a token of input can cost.
    fn dearest_input(&self) -> f64 {
        self.input.max(self.cache_write).max(self.cache_read)
    }
}

impl Price {
    /// What `usage` costs, rounded up to a millionth of a dollar.
    pub fn cost(&self, usage: &Usage) -> Money {
        let rates = match &self.long_prompt {
            Some(long) if usage.all_input() > long.over_tokens => long.rates(),
            _ => self.rates(),
        };
        let micros = usage.input_tokens as f64 * rates.input
            + usage.output_tokens as f64 * rates.output
            + usage.cache_read_tokens as f64 * rates.cache_read
            + usage.cache_write_tokens as f64 * rates.cache_write;
        Money(micros.ceil() as i64)
    }

    /// The most that a call can cost that has at most `input_tokens`: all its input at the dearest input price,
    /// and all the output it may write.
    pub fn worst_case(&self, input_tokens: u64, max_output_tokens: u64) -> Money {
        let rates = self.dearest(input_tokens);
        Money(
            (input_tokens as f64 * rates.dearest_input() + max_output_tokens as f64 * rates.output).ceil()
                as i64,
        )
    }

    /// How many output tokens `left` still pays for after `input_tokens` at the dearest input price. A model whose
    /// output costs nothing may write as much as it likes, once its input is paid for.
    pub fn affordable_output(&self, left: Money, input_tokens: u64) -> u64 {
        let rates = self.dearest(input_tokens);
        let rest = left.0 as f64 - input_tokens as f64 * rates.dearest_input();
        if rest < 0.0 {
            0
        } else if rates.output <= 0.0 {
            u64::MAX
        } else {
            (rest / rates.output).floor() as u64
        }
    }

    /// The dearest rates that a call with at most `input_tokens` may meet: fewer tokens may still be billed as a
    /// short prompt, so where both prices are possible the higher of each counts.
    fn dearest(&self, input_tokens: u64) -> Rates {
        let short = self.rates();
        match &self.long_prompt {
            Some(long) if input_tokens > long.over_tokens => {
                let long = long.rates();
                Rates {
                    input: short.input.max(long.input),
                    output: short.output.max(long.output),
                    cache_read: short.cache_read.max(long.cache_read),
                    cache_write: short.cache_write.max(long.cache_write),
                }
            }
            _ => short,
        }
    }

    fn rates(&self) -> Rates {
        Rates {
            input: self.input,
            output: self.output,
            cache_read: self.cache_read,
            cache_write: self.cache_write,
        }
    }
}

impl LongPrompt {
    fn rates(&self) -> Rates {
        Rates {
            input: self.input,
            output: self.output,
            cache_read: self.cache_read,
            cache_write: self.cache_write,
        }
    }
}

/// How long a cap's money has to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// As long as one run.
    Run,
    /// Until midnight.
    Day,
    /// Until midnight of the month's last day.
    Month,
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Run => "run",
            Self::Day => "day",
            Self::Month => "month",
        })
    }
}

/// Which cap a call would have passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cap {
    /// The task's own.
    Task,
    /// The run's.
    Run,
    /// The loop's for the day, in the loop's zone.
    Day,
    /// The loop's for the month, in the loop's zone.
    Month,
    /// The whole service's.
    Service(Period),
    /// A team's, by its name.
    Team(String, Period),
    /// That of all attempts with one role.
    Role(String, Period),
    /// That of all loops which one repository defines, by `owner/name`.
    Repository(String, Period),
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task => f.write_str("task"),
            Self::Run => f.write_str("run"),
            Self::Day => f.write_str("day"),
            Self::Month => f.write_str("month"),
            Self::Service(_) => f.write_str("service"),
            Self::Team(name, _) => write!(f, "team `{name}`"),
            Self::Role(name, _) => write!(f, "role `{name}`"),
            Self::Repository(name, _) => write!(f, "repository `{name}`"),
        }
    }
}

impl Cap {
    /// ` a day` and its kin, where the name does not say it.
    fn every(&self) -> String {
        match self {
            Self::Task | Self::Run | Self::Day | Self::Month => String::new(),
            Self::Service(period)
            | Self::Team(_, period)
            | Self::Role(_, period)
            | Self::Repository(_, period) => format!(" a {period}"),
        }
    }
}

/// What may be spent; none: as much as it takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caps {
    /// By all attempts of the task.
    pub task: Option<Money>,
    /// By all attempts of the run, the lead agent's included.
    pub run: Option<Money>,
    /// By all runs of the loop since `day_start`.
    pub day: Option<Money>,
    /// When the loop's day began, in its zone.
    pub day_start: Timestamp,
    /// By all runs of the loop since `month_start`.
    pub month: Option<Money>,
    /// When the loop's month began, in its zone.
    pub month_start: Timestamp,
}

/// What several runs or loops may spend together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Which cap it is.
    pub cap: Cap,
    /// How much may be spent in all.
    pub limit: Money,
    /// Whose calls count.
    pub of: Whose,
    /// Only calls since then count; in a run all do.
    pub since: Timestamp,
}

/// Whose calls count against a cap that is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Every loop's.
    Everybody,
    /// Those of the loops with these names.
    Loops(Vec<String>),
    /// Those of every attempt with this role.
    Role(String),
    /// Those of the run's attempts with this role.
    RoleInRun(String),
    /// Those of every loop that this repository defined when the call was made, whatever it was called.
    Repository(String),
}

/// One cap, and what already counts against it: what was spent, and what is reserved for calls under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Whose cap it is.
    pub cap: Cap,
    /// How much may be spent in all.
    pub limit: Money,
    /// How much of it is gone or promised.
    pub spent: Money,
}

/// What a call may do, and what has to be reserved for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// How many tokens it may write.
    pub max_tokens: u64,
    /// The most that it can cost.
    pub reserved: Money,
}

/// A call that a cap does not bear.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the {cap}'s budget of {limit}{} does not bear this call: {spent} is spent or reserved, and the call needs {least}",
    cap.every()
)]
pub struct OverCap {
    /// The tightest cap.
    pub cap: Cap,
    /// How much may be spent in all.
    pub limit: Money,
    /// How much of it is gone or promised.
    pub spent: Money,
    /// What the call needs at least.
    pub least: Money,
}

/// Decides what a call gets that has at most `input_tokens` and would like to write `wanted` tokens: as many as the
/// tightest of `limits` still bears. It is refused if that is less than `floor` (or than `wanted`, if that is less),
/// because an answer cut so short is money thrown away.
pub fn grant(
    price: &Price,
    input_tokens: u64,
    wanted: u64,
    floor: u64,
    limits: &[Limit],
) -> Result<Grant, OverCap> {
    let floor = floor.min(wanted);
    let mut max_tokens = wanted;
    for limit in limits {
        let bears = price.affordable_output(limit.limit - limit.spent, input_tokens);
        if bears < floor || limit.spent > limit.limit {
            return Err(OverCap {
                cap: limit.cap.clone(),
                limit: limit.limit,
                spent: limit.spent,
                least: price.worst_case(input_tokens, floor),
            });
        }
        max_tokens = max_tokens.min(bears);
    }
    Ok(Grant {
        max_tokens,
        reserved: price.worst_case(input_tokens, max_tokens),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn price() -> Price {
        Price {
            input: 4.0,
            output: 20.0,
            cache_read: 0.2,
            cache_write: 5.0,
            as_of: "2026-11-21".to_owned(),
            long_prompt: Some(LongPrompt {
                over_tokens: 1_000,
                input: 8.0,
                output: 40.0,
                cache_read: 0.4,
                cache_write: 10.0,
            }),
        }
    }

    fn limit(limit: i64, spent: i64) -> Limit {
        Limit {
            cap: Cap::Task,
            limit: Money(limit),
            spent: Money(spent),
        }
    }

    #[test]
    fn a_call_costs_what_each_kind_of_token_costs() {
        let usage = Usage {
            input_tokens: 10,
            output_tokens: 20,
            cache_read_tokens: 100,
            cache_write_tokens: 3,
            reasoning_tokens: 15,
        };
        assert_eq!(price().cost(&usage), Money(40 + 400 + 20 + 15));
    }

    #[test]
    fn a_long_prompt_makes_every_token_dearer_cached_ones_counted() {
        let usage = Usage {
            input_tokens: 1,
            output_tokens: 1,
            cache_read_tokens: 1_000,
            ..Usage::default()
        };
        assert_eq!(price().cost(&usage), Money(8 + 40 + 400));
    }

    #[test]
    fn the_tightest_cap_sets_how_much_may_be_written() {
        let limits = [
            limit(1_000_000, 0),
            Limit {
                cap: Cap::Run,
                limit: Money(30_500),
                spent: Money(10_000),
            },
        ];
        let grant = grant(&price(), 100, 4_096, 256, &limits).unwrap();
        assert_eq!(
            grant,
            Grant {
                max_tokens: 1_000,
                reserved: Money(20_500)
            }
        );
    }

    #[test]
    fn a_cap_that_bears_less_than_the_floor_refuses_and_is_named() {
        let over = grant(&price(), 100, 4_096, 256, &[limit(5_000, 0)]).unwrap_err();
        assert_eq!(
            over.to_string(),
            "the task's budget of $0.0050 does not bear this call: $0.00 is spent or reserved, and the call needs $0.0056"
        );
        assert!(
            grant(&price(), 100, 10, 256, &[limit(5_000, 0)]).is_ok(),
            "a small wish needs no floor"
        );
    }

    #[test]
    fn a_free_model_is_never_refused_for_money() {
        let free = Price {
            input: 0.0,
            output: 0.0,
            cache_read: 0.0,
            cache_write: 0.0,
            as_of: "2026-11-21".to_owned(),
            long_prompt: None,
        };
        assert_eq!(
            grant(&free, 9_000, 500, 256, &[limit(0, 0)]).unwrap().reserved,
            Money::ZERO
        );
    }

    proptest! {
        #[test]
        fn a_grant_never_passes_a_cap_and_no_usage_within_it_costs_more(
            input in 0_u64..3_000, wanted in 1_u64..10_000, cap in 0_i64..500_000, spent in 0_i64..500_000,
            cached in 0_u64..3_000, written in 0_u64..10_000,
        ) {
            if let Ok(grant) = grant(&price(), input, wanted, 256, &[limit(cap, spent)]) {
                prop_assert!(spent + grant.reserved.0 <= cap);
                prop_assert!(grant.max_tokens <= wanted);
                let cache_write_tokens = cached.min(input);
                let usage = Usage {
                    input_tokens: input - cache_write_tokens,
                    cache_write_tokens,
                    cache_read_tokens: 0,
                    output_tokens: written.min(grant.max_tokens),
                    reasoning_tokens: 0,
                };
                prop_assert!(price().cost(&usage) <= grant.reserved);
            }
        }
    }
}
