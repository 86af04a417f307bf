//! What is kept of a finding between runs so that new signals can be compared with it: its middle, as hashed
//! features. No words can be read back from it.
//!
//! Form: `t1.<signals>.<hex>`, where the hex is, per feature, four bytes of hash and one byte of weight (255 is the
//! heaviest); or `m1.<hex>`, the digest of a machine's masked report; or `x1.<hex>`, the digest of a text without words.

use super::vector::Vector;

/// How many features are kept: the telling words and letter runs of a few sentences.
const KEPT: usize = 160;

/// What signals of one finding have in common.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    /// Compared exactly.
    Exact(String),
    /// Compared by likeness: how many texts it is the middle of, and the middle.
    Middle(u32, Vector),
}

/// Why stored text is not a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not what a cluster keeps (`t1.`, `m1.` or `x1.`)")]
pub struct BadState {
    text: String,
}

impl State {
    pub(super) fn write(&self) -> String {
        match self {
            Self::Exact(digest) => digest.clone(),
            Self::Middle(count, middle) => {
                let mut kept = middle.clone();
                kept.shorten(KEPT);
                let heaviest = kept.0.iter().map(|(_, w)| *w).fold(f32::MIN_POSITIVE, f32::max);
                let bytes = kept.0.iter().flat_map(|(feature, weight)| {
                    let level = (weight / heaviest * 255.0).round().clamp(1.0, 255.0) as u8;
                    let [a, b, c, d] = feature.to_be_bytes();
                    [a, b, c, d, level]
                });
                format!("t1.{count}.{}", hex::encode(bytes.collect::<Vec<_>>()))
            }
        }
    }

    pub(super) fn read(text: &str) -> Result<Self, BadState> {
        let bad = || BadState {
            text: text.chars().take(40).collect(),
        };
        if text.starts_with("m1.") || text.starts_with("x1.") {
            return Ok(Self::Exact(text.to_owned()));
        }
        let (count, digits) = text
            .strip_prefix("t1.")
            .and_then(|rest| rest.split_once('.'))
            .ok_or_else(bad)?;
        let count = count.parse().map_err(|_| bad())?;
        let bytes = hex::decode(digits).map_err(|_| bad())?;
        if !bytes.len().is_multiple_of(5) || bytes.len() > KEPT * 5 {
            return Err(bad());
        }
        let mut middle: Vec<(u32, f32)> = bytes
            .chunks_exact(5)
            .filter_map(|chunk| match chunk {
                [a, b, c, d, level] => {
                    Some((u32::from_be_bytes([*a, *b, *c, *d]), f32::from(*level) / 255.0))
                }
                _ => None,
            })
            .collect();
        middle.sort_by_key(|(feature, _)| *feature);
        middle.dedup_by_key(|(feature, _)| *feature);
        Ok(Self::Middle(count, Vector(middle)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::words::telling;

    #[test]
    fn a_state_survives_writing_and_reading() {
        let vector = Vector::of(&telling("the export of invoices is empty, error 500"));
        let text = State::Middle(3, vector.clone()).write();
        let Ok(State::Middle(3, back)) = State::read(&text) else {
            panic!("{text}")
        };
        let one = |v: &Vector| v.weighted(|_| 1.0);
        assert!(one(&back).dot(&one(&vector)) > 0.999);
        assert_eq!(back.codes().count(), 1);
        assert_eq!(State::Middle(3, back).write(), text);
    }

    #[test]
    fn stored_text_that_is_no_state_is_refused() {
        for text in [
            "",
            "t1.x.00",
            "t1.1.zz",
            "t1.1.0001",
            "t2.1.",
            "hello",
            &format!("t1.1.{}", "00".repeat(5 * 161)),
        ] {
            assert!(State::read(text).is_err(), "{text}");
        }
    }
}
