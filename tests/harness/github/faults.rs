//! What goes wrong on request: refusals, cut connections, answers that never come, and edits between two pages.
//!
//! A fault meets a bounded number of requests, and each meeting is counted.

use std::fmt;

use super::world::World;

/// Which requests something meets: a method (any, if empty) and the beginning of the path, or all of it.
#[derive(Debug, Clone)]
pub struct Match {
    method: String,
    path_prefix: String,
    whole: bool,
}

impl Match {
    /// Requests of this method (`""`: any) whose path, without `/api/v3`, begins so.
    pub fn new(method: &str, path_prefix: &str) -> Self {
        Self {
            method: method.to_owned(),
            path_prefix: path_prefix.to_owned(),
            whole: false,
        }
    }

    /// The same, for this path and none below it.
    #[must_use]
    pub fn exact(self) -> Self {
        Self { whole: true, ..self }
    }

    fn meets(&self, method: &str, path: &str) -> bool {
        (self.method.is_empty() || self.method == method)
            && path.starts_with(&self.path_prefix)
            && (!self.whole || path == self.path_prefix)
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing happens; this status is answered (502 and 503 without JSON, as GitHub's front does).
    Status(u16),
    /// Nothing happens; the primary limit is used up until so many seconds from now.
    RateLimited(u64),
    /// Nothing happens; a secondary limit, with this many seconds in `retry-after` if given.
    Secondary(Option<u64>),
    /// Nothing happens; the connection is closed without an answer.
    Cut,
    /// It happens; the connection is closed without an answer.
    CutAfter,
    /// Nothing happens; no answer ever comes.
    TimeOut,
    /// It happens; no answer ever comes.
    TimeOutAfter,
    /// It happens; the answer's status is right and its body is half of the JSON.
    Torn,
}

impl Fault {
    /// Whether the request has its effect all the same.
    pub(super) fn lets_it_happen(self) -> bool {
        matches!(self, Self::CutAfter | Self::TimeOutAfter | Self::Torn)
    }
}

/// A fault's name, to ask later how often it was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultId(usize);

type Edit = Box<dyn FnOnce(&mut World) + Send>;

#[derive(Debug)]
struct Set {
    matching: Match,
    fault: Fault,
    left: usize,
    hits: usize,
}

/// All that is to go wrong.
#[derive(Default)]
pub(super) struct Faults {
    set: Vec<Set>,
    edits: Vec<(Match, Edit)>,
}

impl fmt::Debug for Faults {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Faults")
            .field("set", &self.set)
            .field("edits", &self.edits.len())
            .finish()
    }
}

impl Faults {
    fn meet(&mut self, method: &str, path: &str) -> Option<Fault> {
        let set = self
            .set
            .iter_mut()
            .find(|one| one.left > 0 && one.matching.meets(method, path))?;
        set.left -= 1;
        set.hits += 1;
        Some(set.fault)
    }

    /// Faults that no request ever met: a test that sets one and never meets it shows nothing.
    pub(super) fn unmet(&self) -> Vec<String> {
        let unmet = self.set.iter().filter(|one| one.hits == 0);
        unmet
            .map(|one| format!("{:?} on {:?} was never met", one.fault, one.matching))
            .collect()
    }
}

impl World {
    /// Lets the next `times` matching requests go wrong.
    pub fn fault(&mut self, matching: Match, fault: Fault, times: usize) -> FaultId {
        self.faults.set.push(Set {
            matching,
            fault,
            left: times,
            hits: 0,
        });
        FaultId(self.faults.set.len() - 1)
    }

    /// How often a fault was met.
    pub fn hits(&self, fault: FaultId) -> usize {
        self.faults.set[fault.0].hits
    }

    /// Edits the world once, just after the next matching request was answered: between two pages, for instance.
    pub fn after(&mut self, matching: Match, edit: impl FnOnce(&mut World) + Send + 'static) {
        self.faults.edits.push((matching, Box::new(edit)));
    }

    pub(super) fn meet_fault(&mut self, method: &str, path: &str) -> Option<Fault> {
        self.faults.meet(method, path)
    }

    pub(super) fn run_edits(&mut self, method: &str, path: &str) {
        let meets = |(matching, _): &(Match, Edit)| matching.meets(method, path);
        if let Some(at) = self.faults.edits.iter().position(meets) {
            let (_, edit) = self.faults.edits.remove(at);
            edit(self);
        }
    }
}
