//! Which texts are alike: each against groups, groups against each other, then each text once more. What most texts of
//! a group say washes typing errors out, and makes the cost grow with groups, not with texts.

use std::collections::{BTreeMap, HashMap};

use super::{
    bag::Bag,
    compare::{Apart, Overlap, Side},
    feature::Features,
    ties::Bonds,
};

/// From this likeness on a text belongs to a group.
const SAME: f32 = 0.62;
/// From this likeness on two groups are one, whatever else there is.
const SAME_GROUPS: f32 = 0.62;
/// By how many of its heaviest features a text is looked up.
const LOOKED_UP: usize = 24;
/// After so many groups were met, only
const CROWDED: usize = 4_096;
/// this many features, the rarest ones, are looked up.
const SEARCHED: usize = 3;
/// How many groups, most promising first, a text is compared with.
const COMPARED: usize = 8;
/// and those that share this part of what the best one shares.
const CLOSE: f32 = 0.6;
/// A group keeps this many features,
const KEPT: usize = 96;
/// and so many while it grows.
const GROWS: usize = 128;
/// How often texts are put to the group that is nearest by then.
const ROUNDS: usize = 1;

/// Texts that are one problem: how many, and the sum of their bags.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    pub(super) count: u32,
    pub(super) sum: Bag,
}

impl Group {
    pub(super) fn side(&self) -> Side<'_> {
        Side {
            sum: &self.sum,
            count: self.count,
        }
    }

    /// Whether its texts are one sentence, said again: most of what they say is said by more than half of them.
    pub(super) fn is_one_sentence(&self) -> bool {
        let half = self.count as f32 / 2.0;
        let often: f32 = self
            .sum
            .iter()
            .map(|(_, weight)| *weight)
            .filter(|weight| *weight > half)
            .sum();
        often >= 0.6 * self.sum.iter().map(|(_, weight)| weight).sum::<f32>()
    }

    /// Takes the texts of another group over.
    pub(super) fn take(&mut self, other: &Self) {
        self.count += other.count;
        for (number, weight) in &other.sum {
            match self.sum.binary_search_by_key(number, |(there, _)| *there) {
                Ok(there) => self.sum[there].1 += weight,
                Err(there) => self.sum.insert(there, (*number, *weight)),
            }
        }
        shorten(&mut self.sum, GROWS);
    }
}

/// A text that is to be put into a group.
#[derive(Debug, Clone, Default)]
pub(super) struct Item {
    /// What it says.
    pub(super) bag: Bag,
    /// What people said about it; see [`Bonds`].
    pub(super) node: Option<u32>,
    /// The group into which people put it.
    pub(super) pinned: Option<usize>,
}

/// Groups of texts, and the features by which they are found.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) all: Vec<Group>,
    pub(super) features: Features,
    pub(super) bonds: Bonds,
    /// By feature: the groups that have it.
    postings: Vec<Vec<u32>>,
    /// How many groups earlier runs left,
    known: usize,
    /// and how those were that this one has changed.
    before: HashMap<usize, Group>,
}

/// Room that is used again from one search to the next.
#[derive(Debug, Default)]
pub(super) struct Search {
    lists: Vec<(usize, u32, f32)>,
    votes: Vec<f32>,
    met: Vec<u32>,
    pub(super) found: Vec<(u32, f32)>,
    apart: Apart,
}

impl Groups {
    /// A group that an earlier run left.
    pub(super) fn add_known(&mut self, group: Group) -> usize {
        self.features.see(group.sum.iter().map(|(number, _)| *number));
        let at = self.all.len();
        for (number, _) in &group.sum {
            self.post(*number, at);
        }
        self.all.push(group);
        at
    }

    /// The first group that no earlier run left.
    pub(super) fn first_new(&self) -> usize {
        self.known
    }

    /// The group of each text. The texts must come in an order that they themselves make.
    pub(super) fn place(&mut self, items: &[Item]) -> Vec<usize> {
        self.known = self.all.len();
        self.before.clear();
        for item in items {
            self.features.see(item.bag.iter().map(|(number, _)| *number));
        }
        self.features.weigh();
        let mut search = Search::default();
        let mut places = vec![usize::MAX; items.len()];
        let mut homes: HashMap<u32, usize> = HashMap::new();
        for n in self.order(items) {
            let item = &items[n];
            let home = item.pinned.or_else(|| homes.get(&item.node?).copied());
            let at = home
                .or_else(|| self.nearest(item, &mut search))
                .unwrap_or_else(|| {
                    self.all.push(Group::default());
                    self.all.len() - 1
                });
            if let Some(node) = item.node {
                homes.insert(node, at);
                self.bonds.settle(node, at);
            }
            self.join(at, &item.bag);
            places[n] = at;
        }
        for _ in 0..ROUNDS {
            self.unite(&mut places, &mut search);
            let was = places.clone();
            for (item, place) in items.iter().zip(&mut places) {
                if item.node.is_none() {
                    *place = self.nearest(item, &mut search).unwrap_or(*place);
                }
            }
            self.rebuild(items, &was, &places);
        }
        self.adopt(&mut places, &mut search);
        self.unite_families(&mut places, &mut search);
        places
    }

    /// Texts without typing errors come first, whole ones before shortened ones.
    fn order(&self, items: &[Item]) -> Vec<usize> {
        let rare = |bag: &Bag| {
            bag.iter()
                .filter(|(number, _)| self.features.is_rare(*number))
                .count()
        };
        let mut order: Vec<(usize, usize, usize)> = items
            .iter()
            .enumerate()
            .map(|(n, item)| (rare(&item.bag), usize::MAX - item.bag.len(), n))
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(_, _, n)| n).collect()
    }

    /// The group that a text belongs to, if there is one; nothing is changed.
    pub(super) fn nearest(&self, item: &Item, search: &mut Search) -> Option<usize> {
        let text = Side {
            sum: &item.bag,
            count: 1,
        };
        self.promising(text, search, CLOSE, COMPARED);
        let mut best: Option<(f32, usize)> = None;
        for (at, _) in &search.found {
            let at = *at as usize;
            let likeness = search
                .apart
                .overlap(&self.features, text, self.all[at].side())
                .same();
            let better = best.is_none_or(|(than, other)| likeness > than || (likeness == than && at < other));
            if likeness >= SAME && better && item.node.is_none_or(|node| self.bonds.may_settle(node, at)) {
                best = Some((likeness, at));
            }
        }
        best.map(|(_, at)| at)
    }

    /// Finds the groups that share the most telling features with some texts, most promising first: no more than `most`,
    /// and those that share at least `part` of what the best one does.
    pub(super) fn promising(&self, texts: Side, search: &mut Search, part: f32, most: usize) {
        let size = |number: u32| self.postings.get(number as usize).map_or(0, Vec::len);
        let lists = &mut search.lists;
        lists.clear();
        lists.extend(
            texts
                .core(&self.features)
                .map(|(number, weight)| (size(number), number, weight))
                .filter(|(size, _, _)| *size > 0),
        );
        if lists.len() > LOOKED_UP {
            lists.sort_unstable_by(|a, b| b.2.total_cmp(&a.2).then(a.1.cmp(&b.1)));
            lists.truncate(LOOKED_UP);
        }
        lists.sort_unstable_by_key(|(size, number, _)| (*size, *number));
        search.votes.resize(self.all.len(), 0.0);
        let (mut met, mut best) = (0, 0.0f32);
        for (n, (size, number, weight)) in search.lists.iter().enumerate() {
            met += size;
            if n >= SEARCHED && met > CROWDED {
                break;
            }
            for at in &self.postings[*number as usize] {
                let votes = &mut search.votes[*at as usize];
                if *votes == 0.0 {
                    search.met.push(*at);
                }
                *votes += weight;
                best = best.max(*votes);
            }
        }
        search.found.clear();
        for at in search.met.drain(..) {
            let votes = std::mem::take(&mut search.votes[at as usize]);
            if votes >= part * best && self.all[at as usize].count > 0 {
                search.found.push((at, votes));
            }
        }
        let by_votes = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if search.found.len() > most {
            search.found.select_nth_unstable_by(most, by_votes);
            search.found.truncate(most);
        }
        search.found.sort_unstable_by(by_votes);
    }

    fn post(&mut self, number: u32, at: usize) {
        let number = number as usize;
        if self.postings.len() <= number {
            self.postings
                .resize_with(self.features.len().max(number + 1), Vec::new);
        }
        self.postings[number].push(at as u32);
    }

    fn join(&mut self, at: usize, bag: &Bag) {
        self.remember(at);
        self.all[at].count += 1;
        self.add(at, bag, true);
    }

    fn remember(&mut self, at: usize) {
        if at < self.known {
            self.before.entry(at).or_insert_with(|| self.all[at].clone());
        }
    }

    /// Adds to a group's sum, and makes the group findable by what is new in it, where `is_new` says that it may be.
    fn add(&mut self, at: usize, bag: &Bag, is_new: bool) {
        for (number, weight) in bag {
            let sum = &mut self.all[at].sum;
            match sum.binary_search_by_key(number, |(there, _)| *there) {
                Ok(there) => sum[there].1 += weight,
                Err(there) => {
                    sum.insert(there, (*number, *weight));
                    if is_new {
                        self.post(*number, at);
                    }
                }
            }
        }
        let sum = &mut self.all[at].sum;
        if sum.len() > GROWS {
            shorten(sum, KEPT);
        }
    }

    /// Unites new groups that are alike with each other and with known ones. Two known ones are never united: what is
    /// one finding has been decided, and people may have worked on it.
    fn unite(&mut self, places: &mut [usize], search: &mut Search) {
        let mut pairs = Vec::new();
        for at in self.known..self.all.len() {
            if self.all[at].count == 0 {
                continue;
            }
            self.promising(self.all[at].side(), search, CLOSE, COMPARED);
            for (other, _) in std::mem::take(&mut search.found) {
                let other = other as usize;
                if other != at {
                    let likeness = self.overlap(at, other, search).same();
                    if likeness >= SAME_GROUPS {
                        pairs.push((likeness, other.min(at), other.max(at)));
                    }
                }
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut moved = BTreeMap::new();
        for (_, into, from) in pairs {
            if self.all[into].count > 0
                && self.all[from].count > 0
                && self.overlap(into, from, search).same() >= SAME_GROUPS
                && self.absorb(into, from)
            {
                moved.insert(from, into);
            }
        }
        follow(&moved, places);
    }

    /// Puts all of one group into another, unless people said that they are not one. Returns whether it did.
    pub(super) fn absorb(&mut self, into: usize, from: usize) -> bool {
        if !self.bonds.unite(into, from) {
            return false;
        }
        self.remember(into);
        let gone = std::mem::take(&mut self.all[from]);
        self.all[into].count += gone.count;
        self.add(into, &gone.sum, true);
        true
    }

    pub(super) fn overlap(&self, a: usize, b: usize, search: &mut Search) -> Overlap {
        search
            .apart
            .overlap(&self.features, self.all[a].side(), self.all[b].side())
    }

    /// Makes the groups anew of where their texts are now.
    fn rebuild(&mut self, items: &[Item], was: &[usize], places: &[usize]) {
        for group in &mut self.all[self.known..] {
            group.count = 0;
            group.sum.clear();
        }
        for (at, before) in &self.before {
            self.all[*at] = before.clone();
        }
        for (item, (was, at)) in items.iter().zip(was.iter().zip(places)) {
            self.remember(*at);
            self.all[*at].count += 1;
            self.add(*at, &item.bag, was != at);
        }
    }
}

/// Keeps the `most` heaviest features.
pub(super) fn shorten(sum: &mut Bag, most: usize) {
    if sum.len() > most {
        sum.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        sum.truncate(most);
        sum.sort_unstable_by_key(|(number, _)| *number);
    }
}

/// An order of bags that knows nothing of when they came.
pub(super) fn by_bag(a: &Bag, b: &Bag) -> std::cmp::Ordering {
    let bits = |(number, weight): &(u32, f32)| (*number, weight.to_bits());
    a.iter().map(bits).cmp(b.iter().map(bits))
}

pub(super) fn follow(moved: &BTreeMap<usize, usize>, places: &mut [usize]) {
    for place in places {
        while let Some(into) = moved.get(place) {
            *place = *into;
        }
    }
}
