//! Money and tokens: what a call may cost at most, what it did cost, and what a cap still bears.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign, Sub},
};

use serde::{Deserialize, Serialize};

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
        if self.0 != 0 && dollars.abs() < 0.01 { write!(f, "${dollars:.4}") } else { write!(f, "${dollars:.2}") }
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
}

impl Price {
    /// What `usage` costs, rounded up to a millionth of a dollar.
    pub fn cost(&self, usage: &Usage) -> Money {
        let micros = usage.input_tokens as f64 * self.input
            + usage.output_tokens as f64 * self.output
            + usage.cache_read_tokens as f64 * self.cache_read
            + usage.cache_write_tokens as f64 * self.cache_write;
        Money(micros.ceil() as i64)
    }

    /// The most that a call can cost: all its input at the dearest input price, and all the output it may write.
    pub fn worst_case(&self, input_tokens: u64, max_output_tokens: u64) -> Money {
        let dearest = self.input.max(self.cache_write);
        Money((input_tokens as f64 * dearest + max_output_tokens as f64 * self.output).ceil() as i64)
    }

    /// How many output tokens `left` still pays for after `input_tokens` at the dearest input price.
    pub fn affordable_output(&self, left: Money, input_tokens: u64) -> u64 {
        let rest = left.0 as f64 - input_tokens as f64 * self.input.max(self.cache_write);
        if rest <= 0.0 || self.output <= 0.0 { 0 } else { (rest / self.output).floor() as u64 }
    }
}

/// Which cap a call would have passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cap {
    /// The task's own.
    Task,
    /// The run's.
    Run,
    /// The loop's for the day, in the loop's zone.
    Day,
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Task => "task",
            Self::Run => "run",
            Self::Day => "day",
        })
    }
}
