//! What is kept of a finding between runs so that new signals can be compared with it: what its signals have in common,
//! as hashed features. No words can be read back from it.
//!
//! Form: `t2.<signals>.<base64>`, thirteen bytes a feature: four of hash, eight of looks and one of weight (255 is twice
//! the weight of a telling word); or `m1.<hex>`, the digest of a machine's masked report; or `x1.<hex>`, the digest of a
//! text without words. The form before, `t1.<signals>.<hex>`, is still read: it had no looks, and features that are
//! left out now.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

use super::feature::is_word;

/// How many features are kept: the telling words of a few sentences.
const KEPT: usize = 48;
/// The form before kept so many.
const KEPT_BEFORE: usize = 160;
/// The weight that the highest level stands for.
const HEAVIEST: f32 = 2.0;

/// A feature as it is kept: its hash, its looks, and its share of the finding's texts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Kept {
    pub(super) hash: u32,
    pub(super) sketch: u64,
    pub(super) share: f32,
}

/// What signals of one finding have in common.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    /// Compared exactly.
    Exact(String),
    /// Compared by likeness: of how many texts, and what they say.
    Said(u32, Vec<Kept>),
}

/// Why stored text is not a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not what a cluster keeps (`t2.`, `t1.`, `m1.` or `x1.`)")]
pub struct BadState {
    text: String,
}

impl State {
    pub(super) fn write(&self) -> String {
        match self {
            Self::Exact(digest) => digest.clone(),
            Self::Said(count, said) => {
                let mut kept = said.clone();
                kept.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.hash.cmp(&b.hash)));
                kept.truncate(KEPT);
                let mut bytes = Vec::with_capacity(kept.len() * 13);
                for feature in kept {
                    bytes.extend(feature.hash.to_be_bytes());
                    bytes.extend(feature.sketch.to_be_bytes());
                    bytes.push((feature.share / HEAVIEST * 255.0).round().clamp(1.0, 255.0) as u8);
                }
                format!("t2.{count}.{}", STANDARD_NO_PAD.encode(bytes))
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
        let rest = text.strip_prefix("t2.").or_else(|| text.strip_prefix("t1."));
        let (count, said) = rest.and_then(|rest| rest.split_once('.')).ok_or_else(bad)?;
        let count = count.parse().map_err(|_| bad())?;
        let said = if text.starts_with("t1.") {
            read_first(said)
        } else {
            read_second(said)
        };
        Ok(Self::Said(count, said.ok_or_else(bad)?))
    }
}

fn read_second(said: &str) -> Option<Vec<Kept>> {
    let bytes = STANDARD_NO_PAD.decode(said).ok()?;
    let (features, rest) = bytes.as_chunks::<13>();
    let kept = features.iter().map(|[h0, h1, h2, h3, looks @ .., level]| Kept {
        hash: u32::from_be_bytes([*h0, *h1, *h2, *h3]),
        sketch: u64::from_be_bytes(*looks),
        share: f32::from(*level) / 255.0 * HEAVIEST,
    });
    (rest.is_empty() && features.len() <= KEPT).then(|| kept.collect())
}

fn read_first(said: &str) -> Option<Vec<Kept>> {
    let bytes = hex::decode(said).ok()?;
    let (features, rest) = bytes.as_chunks::<5>();
    let kept = features.iter().map(|[h0, h1, h2, h3, level]| Kept {
        hash: u32::from_be_bytes([*h0, *h1, *h2, *h3]),
        sketch: 0,
        share: f32::from(*level) / 255.0,
    });
    (rest.is_empty() && features.len() <= KEPT_BEFORE)
        .then(|| kept.filter(|kept| is_word(kept.hash)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(hash: u32, share: f32) -> Kept {
        Kept {
            hash,
            sketch: u64::from(hash) << 7,
            share,
        }
    }

    #[test]
    fn a_state_survives_writing_and_reading() {
        let state = State::Said(3, vec![kept(9, 1.0), kept(7, 0.3)]);
        let text = state.write();
        let Ok(State::Said(3, back)) = State::read(&text) else {
            panic!("{text}")
        };
        assert_eq!((back[0].hash, back[0].sketch, back[1].hash), (9, 9 << 7, 7));
        assert!((back[0].share - 1.0).abs() < 0.01 && (back[1].share - 0.3).abs() < 0.01);
        assert_eq!(State::Said(3, back).write(), text);
    }

    #[test]
    fn of_many_features_the_heaviest_are_kept() {
        let many = (0..100).map(|n| kept(n, n as f32 / 100.0)).collect();
        let Ok(State::Said(1, back)) = State::read(&State::Said(1, many).write()) else {
            panic!("our own state")
        };
        assert_eq!((back.len(), back[0].hash), (KEPT, 99));
    }

    #[test]
    fn the_form_before_is_still_read_without_its_runs_of_letters() {
        let Ok(State::Said(4, back)) = State::read("t1.4.00000003ff0000000480") else {
            panic!("a state of the form before")
        };
        assert_eq!((back.len(), back[0].hash, back[0].share), (1, 3, 1.0));
    }

    #[test]
    fn stored_text_that_is_no_state_is_refused() {
        for text in [
            "",
            "t1.x.00",
            "t1.1.zz",
            "t1.1.0001",
            "t2.1.AA",
            "t2.-1.",
            "t3.1.",
            "hello",
            &format!("t1.1.{}", "00".repeat(5 * 161)),
            &State::Said(1, Vec::new())
                .write()
                .replace("t2.1.", &format!("t2.1.{}", "AAAA".repeat(13 * 17))),
        ] {
            assert!(State::read(text).is_err(), "{text}");
        }
    }
}
