//! What people (or the lead agent) said about what is one problem and what is not. It wins over any likeness.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::id::{FindingId, SignalId};

/// What a tie speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// One signal.
    Signal(SignalId),
    /// A finding of an earlier run, with whatever signals are like it.
    Finding(FindingId),
}

/// What was said about two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tie {
    /// They are one problem: a merge.
    One(Party, Party),
    /// They are not: a split.
    Apart(Party, Party),
}

/// All that was said, brought into agreement.
#[derive(Debug, Clone, Default)]
pub struct Ties {
    /// Which of them are one, by a number for each such set.
    nodes: HashMap<Party, u32>,
    apart: BTreeMap<u32, BTreeSet<u32>>,
    /// The finding of each set: the oldest, for ids sort by age.
    findings: BTreeMap<u32, FindingId>,
    overruled: Vec<Tie>,
}

impl Ties {
    /// Takes ties in the order in which they were said, oldest first. Where some contradict each other, also over
    /// several steps, later ones win.
    pub fn new(said: impl IntoIterator<Item = Tie>) -> Self {
        let mut ties = Self::default();
        let mut said: Vec<Tie> = said.into_iter().collect();
        said.reverse();
        for tie in said {
            let (Tie::One(a, b) | Tie::Apart(a, b)) = tie;
            let (a, b) = (ties.node_or_new(a), ties.node_or_new(b));
            let are_apart = ties.are_apart(a, b);
            match tie {
                Tie::One(..) if are_apart => ties.overruled.push(tie),
                Tie::One(..) => ties.make_one(a.min(b), a.max(b)),
                Tie::Apart(..) if a == b => ties.overruled.push(tie),
                Tie::Apart(..) => {
                    ties.apart.entry(a).or_default().insert(b);
                    ties.apart.entry(b).or_default().insert(a);
                }
            }
        }
        ties.overruled.reverse();
        for (party, node) in &ties.nodes {
            if let Party::Finding(finding) = party {
                let oldest = ties.findings.entry(*node).or_insert(*finding);
                *oldest = (*oldest).min(*finding);
            }
        }
        ties
    }

    /// What was said and does not hold, because something later contradicts it; oldest first.
    pub fn overruled(&self) -> &[Tie] {
        &self.overruled
    }

    /// The finding that stands for this one: the oldest of all that are one with it.
    pub fn finding(&self, finding: FindingId) -> FindingId {
        self.node(Party::Finding(finding))
            .and_then(|node| self.finding_of(node))
            .unwrap_or(finding)
    }

    pub(super) fn node(&self, party: Party) -> Option<u32> {
        self.nodes.get(&party).copied()
    }

    pub(super) fn finding_of(&self, node: u32) -> Option<FindingId> {
        self.findings.get(&node).copied()
    }

    pub(super) fn are_apart(&self, a: u32, b: u32) -> bool {
        self.apart.get(&a).is_some_and(|from| from.contains(&b))
    }

    fn node_or_new(&mut self, party: Party) -> u32 {
        let next = self.nodes.len() as u32;
        *self.nodes.entry(party).or_insert(next)
    }

    fn make_one(&mut self, into: u32, from: u32) {
        if into == from {
            return;
        }
        self.nodes
            .values_mut()
            .filter(|node| **node == from)
            .for_each(|node| *node = into);
        for other in self.apart.remove(&from).unwrap_or_default() {
            self.apart.entry(into).or_default().insert(other);
            let back = self.apart.entry(other).or_default();
            back.remove(&from);
            back.insert(into);
        }
    }
}

/// Where those are of which something was said, while texts are placed.
#[derive(Debug, Default)]
pub(super) struct Bonds {
    pub(super) ties: Ties,
    settled: HashMap<usize, Vec<u32>>,
}

impl Bonds {
    /// Whether nobody said that this set is not what is in that group.
    pub(super) fn may_settle(&self, node: u32, group: usize) -> bool {
        self.settled
            .get(&group)
            .is_none_or(|there| !there.iter().any(|other| self.ties.are_apart(node, *other)))
    }

    pub(super) fn settle(&mut self, node: u32, group: usize) {
        let there = self.settled.entry(group).or_default();
        if !there.contains(&node) {
            there.push(node);
        }
    }

    /// Takes over what is said of one group to another; nothing happens and the answer is no where that contradicts.
    pub(super) fn unite(&mut self, into: usize, from: usize) -> bool {
        let nodes = self.settled.get(&from).cloned().unwrap_or_default();
        let may = nodes.iter().all(|node| self.may_settle(*node, into));
        if may {
            self.settled.remove(&from);
            nodes.into_iter().for_each(|node| self.settle(node, into));
        }
        may
    }
}
