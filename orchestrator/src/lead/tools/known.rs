//! What the tasks of a run are called and what they are for: read once, and kept up by whoever spawns. Nobody but the lead
//! agent spawns tasks while it is at work, so what stands here is what stands in the store.

use std::collections::{BTreeMap, HashMap};

use loops::id::{FindingId, TaskId};

use crate::{
    engine::{EngineError, Running},
    store::tasks,
};

#[derive(Debug, Default)]
pub(super) struct Known {
    /// By the calls that spawned them.
    calls: HashMap<String, u32>,
    /// T1 is 1.
    tasks: BTreeMap<u32, (TaskId, Vec<FindingId>)>,
}

impl Known {
    pub(super) async fn of(running: &Running) -> Result<Self, EngineError> {
        let mut known = Self::default();
        for named in tasks::names(&running.engine.home.store, running.id).await? {
            known.add(named.call_id, named.number, (named.id, named.findings));
        }
        Ok(known)
    }

    pub(super) fn add(&mut self, call: String, number: u32, task: (TaskId, Vec<FindingId>)) {
        self.calls.insert(call, number);
        self.tasks.insert(number, task);
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// The number of the task that a call spawned.
    pub(super) fn by_call(&self, call: &str) -> Option<u32> {
        self.calls.get(call).copied()
    }

    pub(super) fn get(&self, number: u32) -> Option<TaskId> {
        self.tasks.get(&number).map(|(id, _)| *id)
    }

    /// By number: its name for life, and what it is for.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, TaskId, &[FindingId])> {
        self.tasks
            .iter()
            .map(|(number, (id, findings))| (*number, *id, findings.as_slice()))
    }
}
