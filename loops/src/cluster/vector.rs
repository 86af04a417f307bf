//! Sparse vectors of hashed features: what is compared when two texts are. Hashes are written to the store, so
//! neither the hash nor the features may change without a new letter in [`super::state`].

use std::collections::BTreeMap;

use super::words::Word;

/// Hashes of words by this mask are codes; see [`code_feature`].
const CODE_MASK: u32 = 0xffff_0000;
const CODE_BASE: u32 = 0xc0de_0000;

/// Features with their weights, sorted by feature, each once.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Vector(pub(super) Vec<(u32, f32)>);

/// FNV-1a, 32 bits (Fowler, Noll, Vo), over a kind of feature and its bytes.
fn hash(kind: u8, bytes: &[u8]) -> u32 {
    std::iter::once(&kind).chain(bytes).fold(0x811c_9dc5, |h, byte| {
        (h ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// The feature of a whole word: an odd number. Those of runs of letters are even.
pub(super) fn word_feature(stem: &str) -> u32 {
    hash(b'w', stem.as_bytes()) | 1
}

/// Whether a feature is a whole word (or a code).
pub(super) fn is_word(feature: u32) -> bool {
    feature & 1 == 1 || feature & CODE_MASK == CODE_BASE
}

fn gram_feature(run: &[u8]) -> u32 {
    hash(b'g', run) & !1
}

/// The feature of a status code: it can be told from all others, so that a vector can be asked which it has.
pub(super) fn code_feature(code: u16) -> u32 {
    CODE_BASE | u32::from(code)
}

impl Vector {
    /// Each telling word gives itself, and its runs of three and four letters, which survive a typo. Every word has
    /// the same say, however long it is; saying it twice counts a little more.
    pub(super) fn of(words: &[Word]) -> Self {
        let mut said: BTreeMap<(&str, Option<u16>), (f32, f32)> = BTreeMap::new();
        for word in words {
            let entry = said.entry((&word.stem, word.code)).or_insert((word.weight, 0.0));
            entry.1 += 1.0;
        }
        let mut found: BTreeMap<u32, f32> = BTreeMap::new();
        for ((stem, code), (weight, times)) in said {
            let weight = weight * (1.0 + times.ln() * 0.5);
            if let Some(code) = code {
                found.insert(code_feature(code), weight);
                continue;
            }
            *found.entry(word_feature(stem)).or_default() += weight;
            let grams = grams(stem);
            if weight > 0.2 && !grams.is_empty() {
                let share = weight * (GRAM_ENERGY / grams.len() as f32).sqrt();
                for gram in grams {
                    *found.entry(gram).or_default() += share;
                }
            }
        }
        Self(found.into_iter().collect())
    }

    /// The weight of a feature; zero if it is not there.
    pub(super) fn get(&self, feature: u32) -> f32 {
        self.0
            .binary_search_by_key(&feature, |(f, _)| *f)
            .map_or(0.0, |at| self.0[at].1)
    }

    /// The status codes in it.
    pub(super) fn codes(&self) -> impl Iterator<Item = u32> + '_ {
        self.0
            .iter()
            .map(|(feature, _)| *feature)
            .filter(|feature| feature & CODE_MASK == CODE_BASE)
    }

    /// Adds `other`, `times` over.
    pub(super) fn add(&mut self, other: &Self, times: f32) {
        let mut sum = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        loop {
            match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if a.0 == b.0 => {
                    sum.push((a.0, a.1 + b.1 * times));
                    left.next();
                    right.next();
                }
                (Some(a), b) if b.is_none_or(|b| a.0 < b.0) => {
                    sum.push(**a);
                    left.next();
                }
                (_, Some(b)) => {
                    sum.push((b.0, b.1 * times));
                    right.next();
                }
                (_, None) => break,
            }
        }
        self.0 = sum;
    }

    /// Keeps the `most` heaviest features.
    pub(super) fn shorten(&mut self, most: usize) {
        if self.0.len() > most {
            self.0.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            self.0.truncate(most);
            self.0.sort_by_key(|(feature, _)| *feature);
        }
    }

    /// The heaviest features, heaviest first.
    pub(super) fn heaviest(&self, most: usize) -> Vec<(u32, f32)> {
        let mut all = self.0.clone();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        all.truncate(most);
        all
    }

    /// The same vector with each weight multiplied by `by(feature)` and length 1.
    pub(super) fn weighted(&self, by: impl Fn(u32) -> f32) -> Self {
        let mut scaled: Vec<(u32, f32)> = self.0.iter().map(|(f, w)| (*f, w * by(*f))).collect();
        let length = scaled.iter().map(|(_, w)| w * w).sum::<f32>().sqrt();
        if length > 0.0 {
            scaled.iter_mut().for_each(|(_, w)| *w /= length);
        }
        Self(scaled)
    }

    /// The inner product; the cosine where both have length 1.
    pub(super) fn dot(&self, other: &Self) -> f32 {
        let (mut a, mut b, mut sum) = (0, 0, 0.0);
        while let (Some(left), Some(right)) = (self.0.get(a), other.0.get(b)) {
            match left.0.cmp(&right.0) {
                std::cmp::Ordering::Less => a += 1,
                std::cmp::Ordering::Greater => b += 1,
                std::cmp::Ordering::Equal => {
                    sum += left.1 * right.1;
                    a += 1;
                    b += 1;
                }
            }
        }
        sum
    }
}

/// How much the runs of letters of a word say together, beside the word itself.
const GRAM_ENERGY: f32 = 1.0;

/// The runs of three and four characters of a word with its borders.
fn grams(stem: &str) -> Vec<u32> {
    let bordered = format!("^{stem}$");
    let starts: Vec<usize> = bordered
        .char_indices()
        .map(|(at, _)| at)
        .chain([bordered.len()])
        .collect();
    if starts.len() < 5 {
        return Vec::new();
    }
    let run = |length: usize| {
        starts
            .windows(length + 1)
            .map(|window| gram_feature(&bordered.as_bytes()[window[0]..window[length]]))
            .collect::<Vec<_>>()
    };
    let mut all = run(3);
    all.extend(run(4));
    all.sort_unstable();
    all.dedup();
    all
}
