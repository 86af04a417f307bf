//! The clusters of one loop: those known from earlier runs, and those that this run's signals open.

use std::collections::{BTreeMap, HashMap};

use super::{
    BadState, Party, Ties,
    bag::{Reader, tidy},
    fingerprint,
    place::{Group, Groups, Item, Search, by_bag},
    state::{Kept, State},
};
use crate::{
    id::{FindingId, SignalId},
    signal::{Signal, Voice, agrees},
};

/// A finding of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The finding to which signals like it belong now: after A was merged into B, A's state comes with B's id. B's own
    /// state is to come first, for [`Index::state`] gives the first.
    pub finding: FindingId,
    /// What was kept of it: [`Index::state`] of the run before, [`crate::finding::Finding::fingerprint`] in the store.
    pub state: String,
}

/// Where a signal belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cluster {
    /// To a finding of an earlier run.
    Existing(FindingId),
    /// To the n-th new one of this index, counted from 0.
    New(usize),
}

/// A signal and where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    /// The signal.
    pub signal: SignalId,
    /// Its cluster.
    pub cluster: Cluster,
}

/// The clusters of one loop.
#[derive(Debug, Default)]
pub struct Index {
    reader: Reader,
    groups: Groups,
    /// The cluster of each group.
    of_group: Vec<Option<Cluster>>,
    /// The cluster of each digest,
    exact: HashMap<String, Cluster>,
    /// and of those that people keep apart from what is equal to them.
    own: HashMap<u32, Cluster>,
    /// What is to be kept of each cluster.
    keeps: HashMap<Cluster, Keeps>,
    signals: HashMap<SignalId, Cluster>,
    opened: usize,
}

/// What a cluster is compared by.
#[derive(Debug)]
enum Keeps {
    Group(usize),
    Digest(Box<str>),
}

/// Where a root signal was put, before new clusters have numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Place {
    Group(usize),
    Exact(String),
    Own(u32, String),
}

impl Index {
    /// The findings that earlier runs left.
    ///
    /// # Errors
    /// If a state is not one that [`Index::state`] wrote.
    pub fn from_known(known: impl IntoIterator<Item = Known>) -> Result<Self, BadState> {
        let mut index = Self::default();
        for Known { finding, state } in known {
            let cluster = Cluster::Existing(finding);
            match State::read(&state)? {
                State::Exact(digest) => {
                    let keeps = Keeps::Digest(digest.as_str().into());
                    index.keeps.entry(cluster).or_insert(keeps);
                    index.exact.entry(digest).or_insert(cluster);
                }
                State::Said(count, said) => {
                    let at = index.add_known(count.max(1), &said);
                    index.keeps.entry(cluster).or_insert(Keeps::Group(at));
                    index.of_group.push(Some(cluster));
                }
            }
        }
        Ok(index)
    }

    fn add_known(&mut self, count: u32, said: &[Kept]) -> usize {
        let features = &mut self.groups.features;
        let mut sum: Vec<(u32, f32)> = said
            .iter()
            .map(|kept| (features.number(kept.hash, kept.sketch), kept.share * count as f32))
            .collect();
        sum.sort_unstable_by_key(|(number, _)| *number);
        sum.dedup_by_key(|(number, _)| *number);
        self.groups.add_known(Group { count, sum })
    }

    /// What people said about what is one problem and what is not; it wins over any likeness. To be given after the
    /// signals of earlier runs. A finding that is one with an older one draws signals there.
    #[must_use]
    pub fn with_ties(mut self, ties: Ties) -> Self {
        for (at, cluster) in self.of_group.iter_mut().enumerate() {
            if let Some(Cluster::Existing(finding)) = cluster {
                if let Some(node) = ties.node(Party::Finding(*finding)) {
                    self.groups.bonds.settle(node, at);
                }
                *finding = ties.finding(*finding);
            }
        }
        for cluster in self.exact.values_mut().chain(self.signals.values_mut()) {
            if let Cluster::Existing(finding) = cluster {
                *finding = ties.finding(*finding);
            }
        }
        self.groups.bonds.ties = ties;
        self
    }

    /// Where earlier runs put signals, so that replies find what they answer.
    #[must_use]
    pub fn with_signals(mut self, signals: impl IntoIterator<Item = (SignalId, FindingId)>) -> Self {
        self.signals.extend(
            signals
                .into_iter()
                .map(|(signal, finding)| (signal, Cluster::Existing(finding))),
        );
        self
    }

    /// What is to be kept of a cluster for the next run. Of a finding that others were merged into, this is its own:
    /// the state that was given first.
    pub fn state(&self, cluster: Cluster) -> Option<String> {
        match self.keeps.get(&cluster)? {
            Keeps::Digest(digest) => Some(digest.to_string()),
            Keeps::Group(at) => {
                let group = &self.groups.all[*at];
                let share = |(number, weight): &(u32, f32)| {
                    let feature = self.groups.features.get(*number);
                    Kept {
                        hash: feature.hash,
                        sketch: feature.sketch,
                        share: weight / group.count.max(1) as f32,
                    }
                };
                Some(State::Said(group.count, group.sum.iter().map(share).collect()).write())
            }
        }
    }

    /// Puts each signal into a cluster, in the order given. The clusters do not depend on that order: signals are
    /// taken in an order that their texts make. A reply that only agrees with something unknown is left out.
    pub fn assign(&mut self, signals: &[Signal]) -> Vec<Assignment> {
        let (roots, replies) = self.split(signals);
        let mut read = self.read(roots.iter().chain(&replies).copied());
        let answers = read.split_off(roots.len());
        self.place_roots(&roots, read);
        self.place_replies(replies.into_iter().zip(answers).collect());
        signals
            .iter()
            .filter_map(|signal| {
                self.signals.get(&signal.id).map(|cluster| Assignment {
                    signal: signal.id,
                    cluster: *cluster,
                })
            })
            .collect()
    }

    /// What people's texts say; nothing for machines' ones. Features get the same numbers whatever the order.
    fn read<'a>(&mut self, signals: impl Iterator<Item = &'a Signal>) -> Vec<Item> {
        let features = &mut self.groups.features;
        let ties = &self.groups.bonds.ties;
        let first = features.len();
        let mut items: Vec<Item> = signals
            .map(|signal| Item {
                bag: match signal.voice {
                    Voice::Person => self.reader.read(&signal.text, features),
                    Voice::Machine => Vec::new(),
                },
                node: ties.node(Party::Signal(signal.id)),
                pinned: None,
            })
            .collect();
        let new = features.renumber(first);
        self.reader.renumber(first, &new);
        for item in &mut items {
            for (number, _) in item
                .bag
                .iter_mut()
                .filter(|(number, _)| *number as usize >= first)
            {
                *number = new[*number as usize - first];
            }
            tidy(&mut item.bag);
        }
        items
    }

    /// Signals that stand alone, and replies to signals that are known or among these. What people spoke of stands
    /// alone.
    fn split<'a>(&self, signals: &'a [Signal]) -> (Vec<&'a Signal>, Vec<&'a Signal>) {
        if signals.iter().all(|signal| signal.thread.is_none()) {
            return (signals.iter().collect(), Vec::new());
        }
        let here: HashMap<SignalId, &Signal> = signals.iter().map(|signal| (signal.id, signal)).collect();
        let leads_somewhere = |signal: &Signal| {
            let mut next = parent(signal);
            for _ in 0..signals.len().min(64) {
                match next {
                    Some(id) if self.signals.contains_key(&id) => return true,
                    Some(id) => match here.get(&id) {
                        Some(above) if above.thread.is_none() => return true,
                        Some(above) => next = parent(above),
                        None => return false,
                    },
                    None => return false,
                }
            }
            false
        };
        let is_tied = |signal: &Signal| self.groups.bonds.ties.node(Party::Signal(signal.id)).is_some();
        let (replies, roots): (Vec<_>, Vec<_>) = signals
            .iter()
            .partition(|signal| signal.voice == Voice::Person && !is_tied(signal) && leads_somewhere(signal));
        (
            roots
                .into_iter()
                .filter(|signal| is_tied(signal) || !(signal.thread.is_some() && agrees(&signal.text)))
                .collect(),
            replies,
        )
    }

    fn place_roots(&mut self, roots: &[&Signal], read: Vec<Item>) {
        let (mut said, mut exact) = (Vec::with_capacity(read.len()), Vec::new());
        for (signal, item) in roots.iter().zip(read) {
            if item.bag.is_empty() {
                let digest = match signal.voice {
                    Voice::Machine => fingerprint::machine(&signal.text),
                    Voice::Person => fingerprint::wordless(&signal.text),
                };
                exact.push((digest, item.node, signal.id));
            } else {
                said.push((item, signal.id));
            }
        }
        let mut places = self.place_said(said);
        places.extend(self.place_exact(exact, &places));
        self.number(places);
    }

    /// Equal texts are one item, except those of which people spoke.
    fn place_said(&mut self, mut said: Vec<(Item, SignalId)>) -> Vec<(SignalId, Place)> {
        said.sort_unstable_by(|(a, x), (b, y)| {
            by_bag(&a.bag, &b.bag)
                .then(a.node.cmp(&b.node))
                .then_with(|| x.cmp(y))
        });
        let mut items: Vec<Item> = Vec::with_capacity(said.len());
        let mut of_item = Vec::with_capacity(said.len());
        for (item, signal) in said {
            let same = items
                .last()
                .is_some_and(|last| last.bag == item.bag && last.node == item.node);
            if !same {
                items.push(item);
            }
            of_item.push((signal, items.len() - 1));
        }
        for item in &mut items {
            item.pinned = item.node.and_then(|node| self.home(node));
        }
        let placed = self.groups.place(&items);
        self.of_group.resize(self.groups.all.len(), None);
        of_item
            .into_iter()
            .map(|(signal, item)| (signal, Place::Group(placed[item])))
            .collect()
    }

    /// The group of the finding that people named for a set of signals. One that had none gets an empty one.
    fn home(&mut self, node: u32) -> Option<usize> {
        let finding = self.groups.bonds.ties.finding_of(node)?;
        let cluster = Cluster::Existing(finding);
        if let Some(Keeps::Group(at)) = self.keeps.get(&cluster) {
            return Some(*at);
        }
        let there = self.of_group.iter().position(|of| *of == Some(cluster));
        Some(there.unwrap_or_else(|| {
            let at = self.groups.add_known(Group::default());
            self.of_group.push(Some(cluster));
            self.keeps.entry(cluster).or_insert(Keeps::Group(at));
            at
        }))
    }

    fn place_exact(
        &mut self,
        mut exact: Vec<(String, Option<u32>, SignalId)>,
        said: &[(SignalId, Place)],
    ) -> Vec<(SignalId, Place)> {
        exact.sort_unstable();
        let ties = &self.groups.bonds.ties;
        let mut homes: BTreeMap<u32, Place> = BTreeMap::new();
        for (signal, place) in said {
            if let Some(node) = ties.node(Party::Signal(*signal)) {
                homes.insert(node, place.clone());
            }
        }
        let mut there: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let mut places = Vec::with_capacity(exact.len());
        for (digest, node, signal) in exact {
            let Some(node) = node else {
                places.push((signal, Place::Exact(digest)));
                continue;
            };
            if let Some(finding) = ties.finding_of(node) {
                let cluster = Cluster::Existing(finding);
                self.exact.entry(digest.clone()).or_insert(cluster);
                self.own.insert(node, cluster);
                places.push((signal, Place::Own(node, digest)));
                continue;
            }
            let beside = there.entry(digest.clone()).or_default();
            let of_digest = match self.exact.get(&digest) {
                Some(Cluster::Existing(finding)) => ties.node(Party::Finding(*finding)),
                _ => None,
            };
            let may = !beside
                .iter()
                .chain(&of_digest)
                .any(|other| ties.are_apart(node, *other));
            let place = homes.entry(node).or_insert_with(|| {
                if may {
                    Place::Exact(digest.clone())
                } else {
                    Place::Own(node, digest.clone())
                }
            });
            if *place == Place::Exact(digest) {
                beside.push(node);
            }
            places.push((signal, place.clone()));
        }
        places
    }

    /// Gives places that have no cluster yet the next numbers, in the order of their signals' ids.
    fn number(&mut self, places: Vec<(SignalId, Place)>) {
        let mut least: BTreeMap<&Place, SignalId> = BTreeMap::new();
        let mut of_group: Vec<Option<(SignalId, &Place)>> = vec![None; self.of_group.len()];
        for (signal, place) in places
            .iter()
            .filter(|(_, place)| self.cluster_of(place).is_none())
        {
            let id = match place {
                Place::Group(at) => &mut of_group[*at].get_or_insert((*signal, place)).0,
                _ => least.entry(place).or_insert(*signal),
            };
            *id = (*id).min(*signal);
        }
        let others = least.into_iter().map(|(place, signal)| (signal, place));
        let mut new: Vec<(SignalId, &Place)> = of_group.into_iter().flatten().chain(others).collect();
        new.sort_unstable();
        for (_, place) in new {
            let cluster = Cluster::New(self.opened);
            self.opened += 1;
            let keeps = match place {
                Place::Group(at) => {
                    self.of_group[*at] = Some(cluster);
                    Keeps::Group(*at)
                }
                Place::Exact(digest) => {
                    self.exact.insert(digest.clone(), cluster);
                    Keeps::Digest(digest.as_str().into())
                }
                Place::Own(node, digest) => {
                    self.own.insert(*node, cluster);
                    Keeps::Digest(digest.as_str().into())
                }
            };
            self.keeps.insert(cluster, keeps);
        }
        self.signals.reserve(places.len());
        for (signal, place) in &places {
            if let Some(cluster) = self.cluster_of(place) {
                self.signals.insert(*signal, cluster);
            }
        }
    }

    fn cluster_of(&self, place: &Place) -> Option<Cluster> {
        match place {
            Place::Group(at) => self.of_group.get(*at).copied().flatten(),
            Place::Exact(digest) => self.exact.get(digest).copied(),
            Place::Own(node, _) => self.own.get(node).copied(),
        }
    }

    /// A reply belongs to what it answers, unless it speaks plainly of another problem. Its words do not move a middle.
    fn place_replies(&mut self, mut replies: Vec<(&Signal, Item)>) {
        let mut search = Search::default();
        replies.sort_by_key(|(signal, _)| signal.id);
        let mut left = replies.len() + 1;
        while replies.len() < left {
            left = replies.len();
            let mut waiting = Vec::new();
            for (signal, item) in replies {
                let Some(above) = parent(signal).and_then(|id| self.signals.get(&id).copied()) else {
                    waiting.push((signal, item));
                    continue;
                };
                let own = self
                    .groups
                    .nearest(&item, &mut search)
                    .and_then(|at| self.of_group.get(at).copied().flatten());
                self.signals.insert(signal.id, own.unwrap_or(above));
            }
            replies = waiting;
        }
    }
}

/// The signal that this one answers.
fn parent(signal: &Signal) -> Option<SignalId> {
    signal
        .thread
        .as_ref()
        .map(|thread| Signal::id_of(&signal.source, thread))
        .filter(|id| *id != signal.id)
}
