//! What goes wrong on request: refusals, limits, cut connections, answers that never come, and edits between two pages.

use std::fmt;

use super::world::World;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing happens; this status is answered, without JSON.
    Status(u16),
    /// Nothing happens; `429` with this `retry-after` in seconds, if given.
    Limited(Option<u64>),
    /// Nothing happens; `ok: false` with this error.
    Error(&'static str),
    /// Nothing happens; the connection is closed without an answer.
    Cut,
    /// It happens; the connection is closed without an answer.
    CutAfter,
    /// Nothing happens; no answer ever comes.
    TimeOut,
    /// It happens; no answer ever comes.
    TimeOutAfter,
    /// It happens; the answer is half of its JSON.
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
    method: String,
    fault: Fault,
    left: usize,
    hits: usize,
}

/// All that is to go wrong.
#[derive(Default)]
pub(super) struct Faults {
    set: Vec<Set>,
    edits: Vec<(String, Edit)>,
}

impl fmt::Debug for Faults {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Faults")
            .field("set", &self.set)
            .finish_non_exhaustive()
    }
}

impl Faults {
    /// Faults that no request ever met: a test that sets one and never meets it shows nothing.
    pub(super) fn unmet(&self) -> Vec<String> {
        let unmet = self.set.iter().filter(|one| one.hits == 0);
        unmet
            .map(|one| format!("{:?} of `{}` was never met", one.fault, one.method))
            .collect()
    }
}

impl World {
    /// Lets the next `times` requests of a method go wrong.
    pub fn fault(&mut self, method: &str, fault: Fault, times: usize) -> FaultId {
        self.faults.set.push(Set {
            method: method.to_owned(),
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

    /// Edits the world once, just after the next request of a method was answered: between two pages, for instance.
    pub fn after(&mut self, method: &str, edit: impl FnOnce(&mut World) + Send + 'static) {
        self.faults.edits.push((method.to_owned(), Box::new(edit)));
    }

    pub(super) fn meet_fault(&mut self, method: &str) -> Option<Fault> {
        let meets = |one: &&mut Set| one.left > 0 && one.method == method;
        let set = self.faults.set.iter_mut().find(meets)?;
        set.left -= 1;
        set.hits += 1;
        Some(set.fault)
    }

    pub(super) fn run_edits(&mut self, method: &str) {
        if let Some(at) = self.faults.edits.iter().position(|(of, _)| of == method) {
            let (_, edit) = self.faults.edits.remove(at);
            edit(self);
        }
    }
}
