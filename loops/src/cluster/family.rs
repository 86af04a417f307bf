//! Many ways to say one thing: groups that are only loosely alike are one problem where nothing else is like them. Where
//! many problems share words, families grow together and nothing is united here: that is left to who can read.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    place::{Group, Groups, follow},
    vector::is_word,
};

/// Groups that are less alike than this have nothing to do with each other.
const OUTSIDE: f32 = 0.2;
/// Groups of a family are one problem from this mean likeness on.
const LOOSE: f32 = 0.35;
/// Each group of a family shares this many telling words with another one.
const SHARED: usize = 3;
/// No more groups than this are a family.
const LARGEST: usize = 16;

/// How alike groups are, where it is more than nothing.
type Near = BTreeMap<usize, BTreeMap<usize, f32>>;

impl Groups {
    /// Unites the families among the groups from `first_new` on, and with known ones.
    pub(super) fn unite_families(&mut self, first_new: usize, places: &mut [usize]) {
        let near = self.near(first_new);
        let mut moved = BTreeMap::new();
        let mut done: BTreeSet<usize> = BTreeSet::new();
        for start in near.keys() {
            if done.contains(start) {
                continue;
            }
            let family = family(*start, &near);
            done.extend(&family);
            for (from, into) in self.joins(&family, &near, first_new) {
                self.absorb(into, from);
                moved.insert(from, into);
            }
        }
        follow(&moved, places);
    }

    fn near(&self, first_new: usize) -> Near {
        let mut near = Near::new();
        for at in (first_new..self.all.len()).filter(|at| self.all[*at].count > 0) {
            for other in self
                .promising(&self.all[at].middle)
                .into_iter()
                .filter(|other| *other != at)
            {
                let likeness = self.likeness(at, other);
                if likeness > OUTSIDE {
                    near.entry(at).or_default().insert(other, likeness);
                    near.entry(other).or_default().insert(at, likeness);
                }
            }
        }
        near
    }

    /// Which new groups of a family join which group. Among several known ones, which stay apart, each new group goes to
    /// the most alike.
    fn joins(&self, family: &[usize], near: &Near, first_new: usize) -> Vec<(usize, usize)> {
        let (known, new): (Vec<usize>, Vec<usize>) = family.iter().partition(|at| **at < first_new);
        if family.len() > LARGEST {
            return Vec::new();
        }
        if known.len() < 2 {
            let is_one = self.is_one(family, near);
            return family
                .iter()
                .skip(1)
                .filter(|_| is_one)
                .map(|from| (*from, family[0]))
                .collect();
        }
        let best = |from: &usize| {
            known
                .iter()
                .filter_map(|into| Some((*into, *near.get(from)?.get(into)?)))
                .filter(|(into, likeness)| *likeness >= LOOSE && self.shared_words(*from, *into) >= SHARED)
                .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
        };
        new.iter()
            .filter_map(|from| best(from).map(|(into, _)| (*from, into)))
            .collect()
    }

    /// Whether all groups of a family are alike with each other, and each shares telling words with another.
    fn is_one(&self, family: &[usize], near: &Near) -> bool {
        let (mut sum, mut pairs) = (0.0, 0.0);
        for (n, a) in family.iter().enumerate() {
            if !family
                .iter()
                .any(|b| a != b && self.shared_words(*a, *b) >= SHARED)
            {
                return false;
            }
            for b in &family[n + 1..] {
                let Some(likeness) = near.get(a).and_then(|others| others.get(b)) else {
                    return false;
                };
                sum += likeness;
                pairs += 1.0;
            }
        }
        sum / pairs >= LOOSE
    }

    /// How many telling words a good part of the texts of both groups has.
    fn shared_words(&self, a: usize, b: usize) -> usize {
        let said = |group: &Group, feature: u32| group.sum.get(feature) >= 0.3 * group.count as f32;
        let (a, b) = (&self.all[a], &self.all[b]);
        let words = a
            .sum
            .0
            .iter()
            .map(|(feature, _)| *feature)
            .filter(|feature| is_word(*feature));
        words
            .filter(|feature| said(a, *feature) && said(b, *feature))
            .count()
    }
}

/// All groups that can be reached from one, in order.
fn family(start: usize, near: &Near) -> Vec<usize> {
    let mut family = BTreeSet::from([start]);
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        for other in near.get(&at).into_iter().flat_map(BTreeMap::keys) {
            if family.insert(*other) {
                open.push(*other);
            }
        }
    }
    family.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{vector::Vector, words::telling};

    fn groups_of(texts: &[&str]) -> usize {
        let texts: Vec<Vector> = texts.iter().map(|text| Vector::of(&telling(text))).collect();
        Groups::default()
            .place(&texts)
            .into_iter()
            .collect::<BTreeSet<usize>>()
            .len()
    }

    const ONE: &str = "mango tulip bronze yacht whisky juniper flock cedar";
    const TWO: &str = "mango tulip bronze yacht pigeon velvet garlic hockey";

    #[test]
    fn half_the_words_in_common_are_enough_where_nothing_else_is_alike() {
        assert_eq!(groups_of(&[ONE, TWO]), 1);
        assert_eq!(
            groups_of(&[ONE, "mango tulip basil orbit pigeon velvet garlic hockey"]),
            2
        );
    }

    #[test]
    fn a_third_that_is_like_one_of_them_only_keeps_all_apart() {
        assert_eq!(
            groups_of(&[ONE, TWO, "whisky juniper flock cedar basil orbit quartz nylon"]),
            3
        );
    }

    #[test]
    fn two_words_in_common_are_not_enough_however_short_the_texts() {
        assert_eq!(
            groups_of(&["mango tulip bronze yacht", "mango tulip garlic hockey"]),
            2
        );
    }

    #[test]
    fn among_several_known_groups_the_most_alike_is_joined() {
        let vector = |text: &str| Vector::of(&telling(text));
        let mut groups = Groups::default();
        let far = groups.add_known(
            1,
            vector("mango tulip bronze yacht pigeon velvet garlic hockey quartz nylon"),
        );
        let near = groups.add_known(
            1,
            vector("mango tulip bronze yacht whisky juniper flock cedar salmon ribbon"),
        );
        let placed = groups.place(&[vector(
            "mango tulip bronze yacht whisky basil orbit lemon walrus piano",
        )]);
        assert_eq!(placed, [near]);
        assert!(groups.mean(far).is_some_and(|(count, _)| count == 1));
    }
}
