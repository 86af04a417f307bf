//! Many ways to say one thing: groups that are only loosely alike are one problem where nothing else is like them. Where
//! many problems share words, families grow together and nothing is united here: that is left to who can read.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    compare::Apart,
    place::{Group, Groups, Search, follow},
};

/// Groups that are less alike than this have nothing to do with each other.
const OUTSIDE: f32 = 0.3;
/// Groups of a family come together from this likeness on.
const LOOSE: f32 = 0.5;
/// or from this one on where some have come together before: the more that was said, the less of it is in common;
const LOOSE_GROWN: f32 = 0.45;
/// if they share this many telling words.
const SHARED: usize = 3;
/// No two groups of one problem are less alike than this.
const STRANGE: f32 = 0.08;
/// No more groups than this are a family.
const LARGEST: usize = 32;

/// With how many groups one is compared.
const COMPARED: usize = 32;

/// How alike two groups are, and how many telling words they share.
type Kin = (f32, usize);
/// How alike groups are, where it is more than nothing.
type Near = BTreeMap<usize, BTreeMap<usize, Kin>>;

impl Groups {
    /// Unites the families among the new groups, and with known ones.
    pub(super) fn unite_families(&mut self, places: &mut [usize], search: &mut Search) {
        let near = self.near(search);
        let mut moved = BTreeMap::new();
        let mut done: BTreeSet<usize> = BTreeSet::new();
        for start in near.keys() {
            if done.contains(start) {
                continue;
            }
            let family = family(*start, &near);
            done.extend(&family);
            for (from, into) in self.joins(&family, &near) {
                if self.absorb(into, from) {
                    moved.insert(from, into);
                }
            }
        }
        follow(&moved, places);
    }

    fn near(&self, search: &mut Search) -> Near {
        let mut near = Near::new();
        for at in (self.first_new()..self.all.len()).filter(|at| self.all[*at].count > 0) {
            self.promising(self.all[at].side(), search, 0.0, COMPARED);
            for (other, _) in std::mem::take(&mut search.found) {
                let other = other as usize;
                if other == at {
                    continue;
                }
                self.note_kin(at, other, &mut near, search);
            }
        }
        // What comes alone has the family that it would have had among all of them: the kin of its known kin, too.
        let known: Vec<usize> = near.keys().copied().filter(|at| *at < self.first_new()).collect();
        for at in known {
            self.promising(self.all[at].side(), search, 0.0, COMPARED);
            for (other, _) in std::mem::take(&mut search.found) {
                let other = other as usize;
                if other != at && other < self.first_new() {
                    self.note_kin(at, other, &mut near, search);
                }
            }
        }
        near
    }

    fn note_kin(&self, at: usize, other: usize, near: &mut Near, search: &mut Search) {
        let overlap = self.overlap(at, other, search);
        if overlap.alike() > OUTSIDE {
            let likeness = if overlap.contrasts() { 0.0 } else { overlap.alike() };
            let kin = (likeness, overlap.shared);
            near.entry(at).or_default().insert(other, kin);
            near.entry(other).or_default().insert(at, kin);
        }
    }

    /// Which new groups of a family join which group. Among several known ones, which stay apart, each new group goes to
    /// the most alike.
    fn joins(&self, family: &[usize], near: &Near) -> Vec<(usize, usize)> {
        let (known, new): (Vec<usize>, Vec<usize>) = family.iter().partition(|at| **at < self.first_new());
        if family.len() > LARGEST {
            return Vec::new();
        }
        if known.len() < 2 {
            return self.parts(family);
        }
        let best = |from: &usize| {
            known
                .iter()
                .filter_map(|into| Some((*into, *near.get(from)?.get(into)?)))
                .filter(|(_, (likeness, shared))| *likeness >= LOOSE && *shared >= SHARED)
                .max_by(|a, b| a.1.0.total_cmp(&b.1.0).then(b.0.cmp(&a.0)))
        };
        new.iter()
            .filter_map(|from| best(from).map(|(into, _)| (*from, into)))
            .collect()
    }

    /// Takes a family together pair by pair, the most alike first. What has come together is one problem if nothing else
    /// that is left is like it.
    fn parts(&self, family: &[usize]) -> Vec<(usize, usize)> {
        let mut left: Vec<(Group, Vec<usize>)> = family
            .iter()
            .map(|at| (self.all[*at].clone(), vec![*at]))
            .collect();
        let mut apart = Apart::default();
        let strangers = |members: &[usize], apart: &mut Apart| {
            members.iter().enumerate().any(|(n, a)| {
                members[n + 1..].iter().any(|b| {
                    let (a, b) = (self.all[*a].side(), self.all[*b].side());
                    apart.overlap(&self.features, a, b).alike() < STRANGE
                })
            })
        };
        loop {
            let mut best: Option<(f32, usize, usize)> = None;
            let mut like_another = BTreeSet::new();
            for (a, b) in (1..left.len()).flat_map(|b| (0..b).map(move |a| (a, b))) {
                let overlap = apart.overlap(&self.features, left[a].0.side(), left[b].0.side());
                let likeness = overlap.alike();
                if likeness > OUTSIDE {
                    like_another.extend([a, b]);
                }
                // One sentence said of two things; where there are many sentences that can no longer be told.
                let contrasts =
                    overlap.contrasts() && left[a].0.is_one_sentence() && left[b].0.is_one_sentence();
                let better = best.is_none_or(|(than, _, _)| likeness > than);
                let loose = if left[a].1.len() + left[b].1.len() > 2 {
                    LOOSE_GROWN
                } else {
                    LOOSE
                };
                if better && likeness >= loose && overlap.shared >= SHARED && !contrasts {
                    best = Some((likeness, a, b));
                }
            }
            let Some((_, into, from)) = best else {
                let alone: Vec<_> = left
                    .iter()
                    .enumerate()
                    .filter(|(n, (_, members))| !like_another.contains(n) && !strangers(members, &mut apart))
                    .collect();
                return alone
                    .into_iter()
                    .flat_map(|(_, (_, members))| {
                        let into = members.iter().copied().min().unwrap_or_default();
                        members
                            .iter()
                            .filter(move |at| **at != into)
                            .map(move |from| (*from, into))
                    })
                    .collect();
            };
            let (gone, members) = left.remove(from);
            left[into].0.take(&gone);
            left[into].1.extend(members);
        }
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
    use crate::cluster::{
        bag::{Reader, tidy},
        place::{Group, Item},
    };

    fn item(groups: &mut Groups, text: &str) -> Item {
        let mut bag = Reader::default().read(text, &mut groups.features);
        tidy(&mut bag);
        Item {
            bag,
            ..Item::default()
        }
    }

    fn groups_of(texts: &[&str]) -> usize {
        let mut groups = Groups::default();
        let texts: Vec<Item> = texts.iter().map(|text| item(&mut groups, text)).collect();
        groups
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
        let mut groups = Groups::default();
        let known = |groups: &mut Groups, text: &str| {
            let sum = item(groups, text).bag;
            groups.add_known(Group { count: 1, sum })
        };
        let far = known(
            &mut groups,
            "mango tulip bronze yacht pigeon velvet garlic hockey quartz nylon",
        );
        let near = known(
            &mut groups,
            "mango tulip bronze yacht whisky juniper flock cedar salmon ribbon",
        );
        let new = item(
            &mut groups,
            "mango tulip bronze yacht whisky basil orbit lemon walrus piano",
        );
        assert_eq!(groups.place(&[new]), [near]);
        assert_eq!(groups.all[far].count, 1);
    }

    /// Many problems share words: among all of them nothing would be united. What comes alone must see that, too.
    #[test]
    fn what_comes_alone_has_the_family_that_it_would_have_among_all() {
        let mut groups = Groups::default();
        let known = |groups: &mut Groups, text: &str| {
            let sum = item(groups, text).bag;
            groups.add_known(Group { count: 1, sum })
        };
        let near = known(&mut groups, ONE);
        let far = known(
            &mut groups,
            "whisky juniper flock cedar quartz nylon walrus piano",
        );
        let new = item(
            &mut groups,
            "mango tulip bronze yacht basil orbit lemon copper violin saddle trumpet lantern anchor pillow",
        );
        let at = groups.place(&[new])[0];
        let family = family(at, &groups.near(&mut Search::default()));
        assert!(at > far && family == [near, far, at], "{family:?}");
    }
}
