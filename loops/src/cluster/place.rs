//! Which texts are alike: each against the middles of groups, groups against each other, then each text once more.
//! A middle washes typos out, and makes the cost grow with groups, not with texts.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use super::{
    lexicon,
    vector::{Vector, word_feature},
    words,
};

/// From this likeness on (cosine, 0 to 1) a text belongs to a group.
const SAME: f32 = 0.55;
/// From this likeness on two groups are one, whatever else there is.
const SAME_GROUPS: f32 = 0.7;
/// A feature that is rarer than this is not more telling: it may be a typo.
const RAREST: f32 = 2.5;
/// Texts that are taken for seen before the first one, so that rarity means little while there are few.
const PRIOR_TEXTS: f32 = 40.0;
/// By how many of its heaviest features a text is looked up.
const LOOKED_UP: usize = 24;
/// What more groups than this have does not narrow the search,
const CROWDED: usize = 256;
/// but this many features are looked up however many have them.
const SEARCHED: usize = 6;
/// How many groups, most promising first, a text is compared with.
const COMPARED: usize = 24;
/// A middle keeps this many features while it grows.
const MIDDLE: usize = 320;
/// How often texts are put to the group that is nearest by then.
const ROUNDS: usize = 2;

/// Texts that are one problem.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    /// What earlier runs left of it, and of how many texts; nothing for a new one.
    base: (u32, Vector),
    /// How many texts there are in `sum`.
    pub(super) count: u32,
    /// The sum of the texts' vectors.
    pub(super) sum: Vector,
    /// The middle: `sum` by rarity, of length 1.
    pub(super) middle: Vector,
}

/// Groups of texts, and how rare each feature is among them.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) all: Vec<Group>,
    postings: HashMap<u32, Vec<usize>>,
    seen: HashMap<u32, u32>,
    texts: u32,
}

impl Groups {
    /// A group that an earlier run left: the mean of `count` texts.
    pub(super) fn add_known(&mut self, count: u32, mean: Vector) -> usize {
        self.see(&mean);
        let mut sum = Vector::default();
        sum.add(&mean, count as f32);
        self.open(Group {
            base: (count, sum.clone()),
            count,
            sum,
            middle: Vector::default(),
        })
    }

    /// The mean of a group's texts, and how many there are.
    pub(super) fn mean(&self, at: usize) -> Option<(u32, Vector)> {
        let group = self.all.get(at).filter(|group| group.count > 0)?;
        let mut mean = Vector::default();
        mean.add(&group.sum, 1.0 / group.count as f32);
        Some((group.count, mean))
    }

    /// The group of each text. Texts must come in an order that they themselves make.
    pub(super) fn place(&mut self, texts: &[Vector]) -> Vec<usize> {
        let first_new = self.all.len();
        texts.iter().for_each(|text| self.see(text));
        for at in 0..first_new {
            self.refresh(at);
        }
        let weighted: Vec<Vector> = texts
            .iter()
            .map(|text| text.weighted(|feature| self.rarity(feature)))
            .collect();
        let mut places: Vec<usize> = Vec::with_capacity(texts.len());
        for (text, weighted) in texts.iter().zip(&weighted) {
            let at = self
                .nearest(text, weighted)
                .unwrap_or_else(|| self.open(Group::default()));
            self.join(at, text);
            self.post(weighted, at);
            places.push(at);
        }
        for _ in 0..ROUNDS {
            self.unite(first_new, &mut places);
            for ((text, weighted), place) in texts.iter().zip(&weighted).zip(&mut places) {
                *place = self.nearest(text, weighted).unwrap_or(*place);
            }
            self.rebuild(texts, &places);
        }
        self.unite_families(first_new, &mut places);
        places
    }

    /// The group that a text belongs to, if there is one; nothing is changed.
    pub(super) fn find(&self, text: &Vector) -> Option<usize> {
        self.nearest(text, &text.weighted(|feature| self.rarity(feature)))
    }

    fn see(&mut self, text: &Vector) {
        self.texts += 1;
        for (feature, _) in &text.0 {
            *self.seen.entry(*feature).or_default() += 1;
        }
    }

    /// How telling a feature is: the logarithm of how rarely it is seen, with a prior.
    fn rarity(&self, feature: u32) -> f32 {
        let seen = self.seen.get(&feature).copied().unwrap_or(0) as f32;
        ((self.texts as f32 + PRIOR_TEXTS) / (seen + 1.0))
            .ln()
            .clamp(0.1, RAREST)
    }

    fn open(&mut self, group: Group) -> usize {
        self.all.push(group);
        let at = self.all.len() - 1;
        self.refresh(at);
        let middle = self.all[at].middle.clone();
        self.post(&middle, at);
        at
    }

    fn join(&mut self, at: usize, text: &Vector) {
        let group = &mut self.all[at];
        group.count += 1;
        group.sum.add(text, 1.0);
        group.sum.shorten(MIDDLE);
        self.refresh(at);
    }

    fn refresh(&mut self, at: usize) {
        self.all[at].middle = self.all[at].sum.weighted(|feature| self.rarity(feature));
    }

    /// Makes a group findable by the features by which a text like this one looks.
    fn post(&mut self, weighted: &Vector, at: usize) {
        for (feature, _) in weighted.heaviest(LOOKED_UP * 2) {
            let list = self.postings.entry(feature).or_default();
            if let Err(place) = list.binary_search(&at) {
                list.insert(place, at);
            }
        }
    }

    /// The groups that share the most telling features with a text, most promising first.
    pub(super) fn promising(&self, weighted: &Vector) -> Vec<usize> {
        let heaviest = weighted.heaviest(LOOKED_UP).into_iter();
        let mut lists: Vec<(&Vec<usize>, f32)> = heaviest
            .filter_map(|(feature, weight)| self.postings.get(&feature).map(|list| (list, weight)))
            .collect();
        lists.sort_by_key(|(list, _)| list.len());
        let mut votes: HashMap<usize, f32> = HashMap::new();
        for (n, (list, weight)) in lists.into_iter().enumerate() {
            if n >= SEARCHED && list.len() > CROWDED {
                break;
            }
            for at in list {
                *votes.entry(*at).or_default() += weight * weight;
            }
        }
        let mut found: Vec<(usize, f32)> = votes
            .into_iter()
            .filter(|(at, _)| self.all[*at].count > 0)
            .collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found.truncate(COMPARED);
        found.into_iter().map(|(at, _)| at).collect()
    }

    fn nearest(&self, text: &Vector, weighted: &Vector) -> Option<usize> {
        self.promising(weighted)
            .into_iter()
            .map(|at| (at, weighted.dot(&self.all[at].middle)))
            .filter(|(_, likeness)| *likeness >= SAME)
            .filter(|(at, _)| !opposed((1.0, text), (self.all[*at].count as f32, &self.all[*at].sum)))
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
            .map(|(at, _)| at)
    }

    /// Unites new groups that are alike with each other and with known ones. Two known ones are never united: what is
    /// one finding has been decided, and people may have worked on it.
    fn unite(&mut self, first_new: usize, places: &mut [usize]) {
        let mut pairs = Vec::new();
        for at in first_new..self.all.len() {
            if self.all[at].count == 0 {
                continue;
            }
            for other in self.promising(&self.all[at].middle) {
                let likeness = self.likeness(at, other);
                if other != at && likeness >= SAME_GROUPS {
                    pairs.push((likeness, other.min(at), other.max(at)));
                }
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut moved = BTreeMap::new();
        for (_, into, from) in pairs {
            if self.all[into].count > 0
                && self.all[from].count > 0
                && self.likeness(into, from) >= SAME_GROUPS
            {
                self.absorb(into, from);
                moved.insert(from, into);
            }
        }
        follow(&moved, places);
    }

    pub(super) fn absorb(&mut self, into: usize, from: usize) {
        let gone = std::mem::take(&mut self.all[from]);
        let group = &mut self.all[into];
        group.count += gone.count;
        group.sum.add(&gone.sum, 1.0);
        group.sum.shorten(MIDDLE);
        self.post(&gone.middle, into);
        self.refresh(into);
    }

    pub(super) fn likeness(&self, a: usize, b: usize) -> f32 {
        let (a, b) = (&self.all[a], &self.all[b]);
        if opposed((a.count as f32, &a.sum), (b.count as f32, &b.sum)) {
            0.0
        } else {
            a.middle.dot(&b.middle)
        }
    }

    fn rebuild(&mut self, texts: &[Vector], places: &[usize]) {
        let mut touched: BTreeMap<usize, Vec<&Vector>> = BTreeMap::new();
        for (text, place) in texts.iter().zip(places) {
            touched.entry(*place).or_default().push(text);
        }
        for group in &mut self.all {
            group.count = group.base.0;
            group.sum = group.base.1.clone();
        }
        for (at, members) in touched {
            let group = &mut self.all[at];
            group.count += members.len() as u32;
            for member in members {
                group.sum.add(member, 1.0);
                group.sum.shorten(MIDDLE);
            }
        }
        for at in 0..self.all.len() {
            self.refresh(at);
        }
    }
}

pub(super) fn follow(moved: &BTreeMap<usize, usize>, places: &mut [usize]) {
    for place in places {
        while let Some(into) = moved.get(place) {
            *place = *into;
        }
    }
}

/// The features of the pairs of words that turn a sentence into its opposite.
static OPPOSITES: LazyLock<Vec<(u32, u32)>> = LazyLock::new(|| {
    let feature = |word: &str| word_feature(&words::stem(word));
    lexicon::OPPOSITES
        .iter()
        .map(|(a, b)| (feature(a), feature(b)))
        .collect()
});

/// Whether one says `log in` where the other says `log out`, or both name status codes and none in common. Each side is
/// a number of texts and the sum of their vectors; a group says what half of its texts say.
fn opposed(a: (f32, &Vector), b: (f32, &Vector)) -> bool {
    let says = |side: (f32, &Vector), word: u32| side.1.get(word) >= 0.17 * side.0;
    let silent = |side: (f32, &Vector), word: u32| side.1.get(word) <= 0.05 * side.0;
    let against = |a, b, x, y| says(a, x) && silent(a, y) && says(b, y) && silent(b, x);
    let (codes_a, codes_b): (Vec<u32>, Vec<u32>) = (a.1.codes().collect(), b.1.codes().collect());
    let other_codes =
        !codes_a.is_empty() && !codes_b.is_empty() && !codes_a.iter().any(|code| codes_b.contains(code));
    other_codes
        || OPPOSITES
            .iter()
            .any(|(x, y)| against(a, b, *x, *y) || against(a, b, *y, *x))
}
