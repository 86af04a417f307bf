//! The clusters of one loop: those known from earlier runs, and those that this run's signals open.

use std::collections::{BTreeMap, HashMap};

use super::{BadState, fingerprint, place::Groups, state::State, vector::Vector, words};
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
    groups: Groups,
    /// The cluster of each group, by its place in `groups`.
    of_group: BTreeMap<usize, Cluster>,
    exact: HashMap<String, Cluster>,
    signals: BTreeMap<SignalId, Cluster>,
    opened: usize,
}

/// Where a root signal was put, before new clusters have numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Group(usize),
    Exact(String),
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
                    index.exact.entry(digest).or_insert(cluster);
                }
                State::Middle(count, mean) => {
                    let at = index.groups.add_known(count.max(1), mean);
                    index.of_group.insert(at, cluster);
                }
            }
        }
        Ok(index)
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
        let group = self
            .of_group
            .iter()
            .find(|(_, of)| **of == cluster)
            .and_then(|(at, _)| self.groups.mean(*at));
        match group {
            Some((count, mean)) => Some(State::Middle(count, mean).write()),
            None => self
                .exact
                .iter()
                .filter(|(_, of)| **of == cluster)
                .map(|(digest, _)| digest)
                .min()
                .cloned(),
        }
    }

    /// Puts each signal into a cluster, in the order given. The clusters do not depend on that order: signals are
    /// taken in an order that their texts make. A reply that only agrees with something unknown is left out.
    pub fn assign(&mut self, signals: &[Signal]) -> Vec<Assignment> {
        let (roots, replies) = self.split(signals);
        self.place_roots(&roots);
        self.place_replies(replies);
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

    /// Signals that stand alone, and replies to signals that are known or among these.
    fn split<'a>(&self, signals: &'a [Signal]) -> (Vec<&'a Signal>, Vec<&'a Signal>) {
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
        let (replies, roots): (Vec<_>, Vec<_>) = signals
            .iter()
            .partition(|signal| signal.voice == Voice::Person && leads_somewhere(signal));
        (
            roots
                .into_iter()
                .filter(|signal| !(signal.thread.is_some() && agrees(&signal.text)))
                .collect(),
            replies,
        )
    }

    fn place_roots(&mut self, roots: &[&Signal]) {
        let mut places: BTreeMap<SignalId, Place> = BTreeMap::new();
        let mut said: BTreeMap<(Voice, &str), Vec<SignalId>> = BTreeMap::new();
        for signal in roots {
            said.entry((signal.voice, &signal.text))
                .or_default()
                .push(signal.id);
        }
        let mut texts: BTreeMap<Vec<String>, (Vector, Vec<SignalId>)> = BTreeMap::new();
        for ((voice, text), ids) in said {
            let words = if voice == Voice::Person {
                words::telling(text)
            } else {
                Vec::new()
            };
            if words.is_empty() {
                let digest = match voice {
                    Voice::Machine => fingerprint::machine(text),
                    Voice::Person => fingerprint::wordless(text),
                };
                places.extend(ids.into_iter().map(|id| (id, Place::Exact(digest.clone()))));
                continue;
            }
            let key = words
                .iter()
                .map(|word| format!("{} {:?} {}", word.stem, word.code, word.weight))
                .collect();
            texts
                .entry(key)
                .or_insert_with(|| (Vector::of(&words), Vec::new()))
                .1
                .extend(ids);
        }
        let (vectors, ids): (Vec<Vector>, Vec<Vec<SignalId>>) = texts.into_values().unzip();
        for (group, ids) in self.groups.place(&vectors).into_iter().zip(ids) {
            places.extend(ids.into_iter().map(|id| (id, Place::Group(group))));
        }
        for (signal, place) in places {
            let cluster = self.cluster_of(place);
            self.signals.insert(signal, cluster);
        }
    }

    /// The cluster of a place; a new one gets the next number. Called in the order of signals' ids.
    fn cluster_of(&mut self, place: Place) -> Cluster {
        let next = Cluster::New(self.opened);
        let cluster = match place {
            Place::Group(at) => *self.of_group.entry(at).or_insert(next),
            Place::Exact(digest) => *self.exact.entry(digest).or_insert(next),
        };
        self.opened += usize::from(cluster == next);
        cluster
    }

    /// A reply belongs to what it answers, unless it speaks plainly of another problem. Its words do not move a middle.
    fn place_replies(&mut self, mut replies: Vec<&Signal>) {
        replies.sort_by_key(|signal| signal.id);
        let mut left = replies.len() + 1;
        while replies.len() < left {
            left = replies.len();
            let mut waiting = Vec::new();
            for signal in replies {
                let Some(above) = parent(signal).and_then(|id| self.signals.get(&id).copied()) else {
                    waiting.push(signal);
                    continue;
                };
                let own = self
                    .groups
                    .find(&Vector::of(&words::telling(&signal.text)))
                    .and_then(|at| self.of_group.get(&at).copied());
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
