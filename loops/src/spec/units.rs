//! The scalars that people write with a unit: `10m`, `4GiB`, `3 USD`.

use std::{fmt, str::FromStr, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::budget::Money;

/// A length of time: `500ms`, `30s`, `10m`, `6h`, `7d`, `2w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

/// An amount of memory: `512MiB`, `4GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

const SPANS: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

const SIZES: &[(&str, u64)] = &[
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Splits `10m` into 10 and the size of `m`.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at(at);
    let (_, size) = units.iter().find(|(name, _)| *name == unit.trim())?;
    digits.parse::<u64>().ok()?.checked_mul(*size)
}

impl FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        with_unit(text, SPANS)
            .map(|millis| Self(Duration::from_millis(millis)))
            .ok_or_else(|| format!("`{text}` is not a length of time; write a whole number and ms, s, m, h, d or w, like `10m`"))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (unit, size) = SPANS
            .iter()
            .rev()
            .find(|(_, size)| millis >= *size && millis.is_multiple_of(*size))
            .unwrap_or(&SPANS[0]);
        write!(f, "{}{unit}", millis / size)
    }
}

impl FromStr for Bytes {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        with_unit(text, SIZES)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not an amount of memory; write a whole number and KiB, MiB, GiB or TiB, like `4GiB`"))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SIZES
            .iter()
            .rev()
            .find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size))
        {
            Some((unit, size)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// An amount of money as written in a spec: `3 USD`, `0.50 USD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dollars(pub Money);

impl FromStr for Dollars {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.trim()
            .strip_suffix("USD")
            .and_then(|number| number.trim().parse::<f64>().ok())
            .filter(|dollars| dollars.is_finite() && (0.0..=1e9).contains(dollars))
            .map(|dollars| Self(Money::usd(dollars)))
            .ok_or_else(|| {
                format!("`{text}` is not an amount of money; write a number and USD, like `3 USD`")
            })
    }
}

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} USD", self.0.as_usd())
    }
}

macro_rules! written_as_text {
    ($($name:ident, $what:literal, $pattern:literal, $example:literal;)*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!($what, " with its unit, like `", $example, "`,"))
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern, "examples": [$example] })
            }
        }
    )*};
}

written_as_text! {
    Span, "a length of time", "^[0-9]+ ?(ms|s|m|h|d|w)$", "10m";
    Bytes, "an amount of memory", "^[0-9]+ ?(KiB|MiB|GiB|TiB)$", "4GiB";
    Dollars, "an amount of money", "^[0-9]+(\\.[0-9]+)? ?USD$", "3 USD";
}
