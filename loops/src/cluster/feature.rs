//! The features of all texts of a loop: each stem once, with what is needed to compare it fast. Hashes and sketches are
//! written to the store, so neither may change without a new letter in [`super::state`].

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use super::{lexicon, words};

/// Hashes by this mask are codes; see [`code`].
const CODE_MASK: u32 = 0xffff_0000;
const CODE_BASE: u32 = 0xc0de_0000;
/// A feature that is rarer than this is not more telling: it may be a typo.
const RAREST: f32 = 2.5;
/// Texts that are taken for seen before the first one, so that rarity means little while there are few.
const PRIOR_TEXTS: f32 = 40.0;

/// FNV-1a, 32 bits (Fowler, Noll, Vo).
fn hash(kind: u8, bytes: &[u8]) -> u32 {
    std::iter::once(&kind).chain(bytes).fold(0x811c_9dc5, |h, byte| {
        (h ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// The hash of a stem: an odd number.
pub(super) fn stem(stem: &str) -> u32 {
    hash(b'w', stem.as_bytes()) | 1
}

/// The hash of a status code: it can be told from all others.
pub(super) fn code(code: u16) -> u32 {
    CODE_BASE | u32::from(code)
}

/// Whether the hash is a stem's or a code's. States of the first kind hold others, too.
pub(super) fn is_word(hash: u32) -> bool {
    hash & 1 == 1 || is_code(hash)
}

fn is_code(hash: u32) -> bool {
    hash & CODE_MASK == CODE_BASE
}

/// Which pairs of letters a word has, its borders among them: one bit a pair. Words that differ by a typing error or an
/// ending share most of their bits.
pub(super) fn sketch(word: &str) -> u64 {
    let (mut bits, mut before) = (0u64, '^');
    for c in word.chars().chain(['$']) {
        let mixed = (u64::from(u32::from(before)) << 32 | u64::from(u32::from(c)))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits |= 1 << (mixed >> 58);
        before = c;
    }
    bits
}

/// How alike two words look, 0 to 1: Dice's coefficient of their pairs of letters, stretched so that one typing error
/// in a word of middle length counts for nothing and chance for nothing, too.
pub(super) fn look_alike(a: u64, b: u64) -> f32 {
    let all = a.count_ones() + b.count_ones();
    if all == 0 {
        return 0.0;
    }
    let dice = 2.0 * (a & b).count_ones() as f32 / all as f32;
    ((dice - LOOKS_FROM) / (LOOKS_TO - LOOKS_FROM)).clamp(0.0, 1.0)
}

/// Words that share less look alike by chance,
const LOOKS_FROM: f32 = 0.4;
/// and words that share this much are the same.
const LOOKS_TO: f32 = 0.65;

/// One feature.
#[derive(Debug, Clone, Copy)]
pub(super) struct Feature {
    pub(super) hash: u32,
    /// How many texts have it.
    seen: u32,
    /// See [`sketch`]; 0 if it is not known.
    pub(super) sketch: u64,
    /// How telling it is: the logarithm of how rarely it is seen, with a prior.
    pub(super) rarity: f32,
    /// Whether it is a code or one side of a pair of opposites.
    pub(super) opposes: bool,
}

/// All features, by number.
#[derive(Debug, Default)]
pub(super) struct Features {
    by_hash: HashMap<u32, u32>,
    all: Vec<Feature>,
    texts: u32,
}

impl Features {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, number: u32) -> &Feature {
        &self.all[number as usize]
    }

    /// The number of a feature.
    pub(super) fn number(&mut self, hash: u32, sketch: u64) -> u32 {
        let next = self.all.len() as u32;
        let number = *self.by_hash.entry(hash).or_insert(next);
        if number == next {
            self.all.push(Feature {
                hash,
                seen: 0,
                sketch,
                rarity: RAREST,
                opposes: is_code(hash) || OPPOSITE_HASHES.contains(&hash),
            });
        } else if self.all[number as usize].sketch == 0 {
            self.all[number as usize].sketch = sketch;
        }
        number
    }

    /// Gives the features from number `first` on new numbers, in the order of their hashes, so that nothing depends on
    /// the order in which texts came. Returns the new number of each, counted from `first`.
    pub(super) fn renumber(&mut self, first: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (first as u32..self.all.len() as u32).collect();
        order.sort_unstable_by_key(|number| self.all[*number as usize].hash);
        let mut new = vec![0; order.len()];
        let sorted: Vec<Feature> = order.iter().map(|number| self.all[*number as usize]).collect();
        for (n, number) in order.into_iter().enumerate() {
            new[number as usize - first] = (first + n) as u32;
        }
        for (n, feature) in sorted.into_iter().enumerate() {
            self.by_hash.insert(feature.hash, (first + n) as u32);
            self.all[first + n] = feature;
        }
        new
    }

    /// Counts the features of one text.
    pub(super) fn see(&mut self, numbers: impl Iterator<Item = u32>) {
        self.texts += 1;
        for number in numbers {
            self.all[number as usize].seen += 1;
        }
    }

    /// Weighs all features by what has been seen so far.
    pub(super) fn weigh(&mut self) {
        let texts = self.texts as f32 + PRIOR_TEXTS;
        for feature in &mut self.all {
            feature.rarity = (texts / (feature.seen as f32 + 1.0)).ln().clamp(0.1, RAREST);
        }
    }

    /// Whether the feature was seen in one text at most: it may be a typing error.
    pub(super) fn is_rare(&self, number: u32) -> bool {
        self.all[number as usize].seen <= 1
    }

    /// Whether these are the two sides of a pair of opposites, or two codes.
    pub(super) fn opposed(&self, a: u32, b: u32) -> bool {
        let (a, b) = (self.all[a as usize].hash, self.all[b as usize].hash);
        (is_code(a) && is_code(b)) || OPPOSITES.contains(&(a.min(b), a.max(b)))
    }
}

/// The pairs of words that turn a sentence into its opposite.
static OPPOSITES: LazyLock<HashSet<(u32, u32)>> = LazyLock::new(|| {
    let of = |word: &str| stem(&words::stem(&words::fold(word)));
    lexicon::OPPOSITES
        .iter()
        .map(|(a, b)| (of(a), of(b)))
        .map(|(a, b)| (a.min(b), a.max(b)))
        .collect()
});

static OPPOSITE_HASHES: LazyLock<HashSet<u32>> =
    LazyLock::new(|| OPPOSITES.iter().flat_map(|(a, b)| [*a, *b]).collect());
