//! Proofs on moved bases that are under way beside the look at GitHub, one for each proposal and few at once. Nothing is
//! written from here: whoever looks takes what came of one, so that a kill loses a proof and nothing else, and it is
//! due again.

use std::{
    collections::HashMap,
    future::Future,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use loops::{
    id::{AttemptId, ProposalId},
    time::Timestamp,
};
use tokio::{sync::Notify, task::JoinHandle};

use super::{EngineError, Proven};

/// A proof is a test suite, which wants the machine for itself; runs prove, too.
const AT_ONCE: usize = 1;
/// After a proof that could not be made the next one waits for so long, in milliseconds.
const RESTS: i64 = 3_600_000;

/// What came of a proof: what was proven, or why it does not hold there.
pub(super) type Outcome = Result<Result<Proven, String>, EngineError>;

/// All of this process; clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rebuilds(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    slots: Mutex<HashMap<ProposalId, Slot>>,
    /// Rings whenever one has ended.
    ended: Notify,
    /// Whether what a killed process left was taken away.
    swept: AtomicBool,
}

/// What is known of one proposal.
#[derive(Debug)]
struct Slot {
    /// The attempt whose change is proven again.
    of: AttemptId,
    state: State,
}

#[derive(Debug)]
enum State {
    UnderWay(Option<JoinHandle<()>>),
    Ended(Outcome),
    /// The last one could not be made; until then none is.
    Rests(Timestamp),
}

impl Rebuilds {
    /// Takes away what proofs of a process that was killed left in `folder`; only the first time that it is asked, when none
    /// of ours is under way.
    pub(crate) async fn sweep(&self, folder: &Path) {
        if !self.0.swept.swap(true, Ordering::SeqCst) {
            let folder = folder.to_owned();
            let _ = tokio::task::spawn_blocking(move || workers::sandbox::remove(&folder)).await;
        }
    }

    /// Begins to prove a proposal's attempt again; false: it is under way, it rests, or there is no place.
    pub(super) fn begin(
        &self,
        proposal: ProposalId,
        of: AttemptId,
        now: Timestamp,
        job: impl Future<Output = Outcome> + Send + 'static,
    ) -> bool {
        let mut slots = self.lock();
        let under_way = |slot: &Slot| matches!(slot.state, State::UnderWay(_));
        let free = match slots.get(&proposal) {
            None => true,
            Some(slot) => matches!(slot.state, State::Rests(until) if until <= now || slot.of != of),
        };
        if !free || slots.values().filter(|slot| under_way(slot)).count() >= AT_ONCE {
            return false;
        }
        let state = State::UnderWay(None);
        slots.insert(proposal, Slot { of, state });
        // A proof that breaks has ended, too.
        let end = End {
            shared: Arc::clone(&self.0),
            proposal,
            of,
            outcome: None,
        };
        let task = tokio::spawn(async move {
            let outcome = job.await;
            end.with(outcome);
        });
        if let Some(Slot {
            state: State::UnderWay(handle),
            ..
        }) = slots.get_mut(&proposal)
        {
            *handle = Some(task);
        }
        true
    }

    /// Whether a proof of that proposal is under way.
    pub(super) fn is_under_way(&self, proposal: ProposalId) -> bool {
        self.lock()
            .get(&proposal)
            .is_some_and(|slot| matches!(slot.state, State::UnderWay(_)))
    }

    /// What came of the proof of a proposal's attempt, once. One that could not be made is let rest.
    pub(super) fn take(&self, proposal: ProposalId, of: AttemptId, now: Timestamp) -> Option<Outcome> {
        let mut slots = self.lock();
        let slot = slots.get(&proposal)?;
        if !matches!(slot.state, State::Ended(_)) {
            return None;
        }
        let slot = slots.remove(&proposal)?;
        let State::Ended(outcome) = slot.state else {
            return None;
        };
        if slot.of != of {
            return None;
        }
        if outcome.is_err() {
            let state = State::Rests(Timestamp(now.0 + RESTS));
            slots.insert(proposal, Slot { of, state });
        }
        Some(outcome)
    }

    /// Ends all whose proposals are not `wanted` any more, as the attempts that they were.
    pub(crate) fn keep(&self, wanted: impl Fn(ProposalId, AttemptId) -> bool) {
        self.lock().retain(|proposal, slot| {
            let stays = wanted(*proposal, slot.of);
            if let (State::UnderWay(Some(task)), false) = (&slot.state, stays) {
                task.abort();
            }
            stays
        });
    }

    /// Whether one has ended that nobody has looked at.
    pub(crate) fn have_ended(&self) -> bool {
        self.lock()
            .values()
            .any(|slot| matches!(slot.state, State::Ended(_)))
    }

    /// Waits until none is under way; false: none was.
    pub(crate) async fn settle(&self) -> bool {
        let mut any = false;
        loop {
            let ended = self.0.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            let waits = self
                .lock()
                .values()
                .any(|slot| matches!(slot.state, State::UnderWay(_)));
            if !waits {
                return any;
            }
            any = true;
            ended.await;
        }
    }

    /// Ends all, and waits until what they had started is gone.
    pub(crate) async fn stop(&self) {
        let all = std::mem::take(&mut *self.lock());
        let tasks: Vec<_> = all
            .into_values()
            .filter_map(|slot| match slot.state {
                State::UnderWay(task) => task,
                State::Ended(_) | State::Rests(_) => None,
            })
            .collect();
        for task in tasks {
            task.abort();
            let _ = task.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProposalId, Slot>> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts down what came of a proof when it ends, however that is.
struct End {
    shared: Arc<Shared>,
    proposal: ProposalId,
    of: AttemptId,
    outcome: Option<Outcome>,
}

impl End {
    fn with(mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let outcome = self
            .outcome
            .take()
            .unwrap_or_else(|| Err(EngineError::Record("the proof broke".to_owned())));
        let mut slots = self.shared.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get_mut(&self.proposal)
            && slot.of == self.of
            && matches!(slot.state, State::UnderWay(_))
        {
            slot.state = State::Ended(outcome);
        }
        drop(slots);
        self.shared.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    const NOW: Timestamp = Timestamp(0);

    fn ids(n: u8) -> (ProposalId, AttemptId) {
        (ProposalId::new(0, [n; 10]), AttemptId::new(0, [n; 10]))
    }

    fn does_not_hold() -> Outcome {
        Ok(Err("it conflicts".to_owned()))
    }

    #[tokio::test]
    async fn whoever_looks_goes_on_while_a_proof_is_under_way_and_gets_it_once() {
        let (rebuilds, (id, of)) = (Rebuilds::default(), ids(1));
        let (go_on, gate) = oneshot::channel::<()>();
        let job = async move {
            let _ = gate.await;
            does_not_hold()
        };
        assert!(rebuilds.begin(id, of, NOW, job));
        assert!(rebuilds.is_under_way(id) && !rebuilds.have_ended());
        assert!(rebuilds.take(id, of, NOW).is_none());
        assert!(!rebuilds.begin(id, of, NOW, pending()), "one for each proposal");
        go_on.send(()).unwrap();
        assert!(rebuilds.settle().await);
        assert!(rebuilds.have_ended());
        assert!(
            !rebuilds.begin(id, of, NOW, pending()),
            "somebody is to look at it first"
        );
        assert!(matches!(rebuilds.take(id, of, NOW), Some(Ok(Err(_)))));
        assert!(rebuilds.take(id, of, NOW).is_none() && !rebuilds.have_ended());
        assert!(!rebuilds.settle().await);
    }

    #[tokio::test]
    async fn only_so_many_are_under_way_and_the_next_has_its_turn() {
        let rebuilds = Rebuilds::default();
        let ((one, first), (two, second)) = (ids(1), ids(2));
        assert!(rebuilds.begin(one, first, NOW, async { does_not_hold() }));
        assert!(!rebuilds.begin(two, second, NOW, pending()));
        rebuilds.settle().await;
        assert!(rebuilds.begin(two, second, NOW, pending()));
        rebuilds.stop().await;
        assert!(!rebuilds.is_under_way(two));
    }

    #[tokio::test]
    async fn one_that_is_not_wanted_any_more_is_dropped_and_its_place_is_free() {
        struct Gone(Option<oneshot::Sender<()>>);
        impl Drop for Gone {
            fn drop(&mut self) {
                let _ = self.0.take().unwrap().send(());
            }
        }
        let rebuilds = Rebuilds::default();
        let ((one, first), (two, second)) = (ids(1), ids(2));
        let (dropped, is_dropped) = oneshot::channel();
        let gone = Gone(Some(dropped));
        assert!(rebuilds.begin(one, first, NOW, async move {
            let _gone = gone;
            pending().await
        }));
        rebuilds.keep(|id, of| (id, of) == (one, first));
        assert!(rebuilds.is_under_way(one));
        rebuilds.keep(|_, of| of == second);
        is_dropped.await.unwrap();
        assert!(rebuilds.begin(two, second, NOW, async { does_not_hold() }));
        rebuilds.settle().await;
        let other = ids(9).1;
        assert!(
            rebuilds.take(two, other, NOW).is_none(),
            "it was another attempt's"
        );
    }

    #[tokio::test]
    async fn one_that_breaks_is_told_and_rests_for_an_hour() {
        let (rebuilds, (id, of)) = (Rebuilds::default(), ids(1));
        assert!(rebuilds.begin(id, of, NOW, async { panic!("broken on purpose") }));
        rebuilds.settle().await;
        assert!(matches!(rebuilds.take(id, of, NOW), Some(Err(_))));
        assert!(!rebuilds.begin(id, of, Timestamp(RESTS - 1), pending()));
        assert!(rebuilds.begin(id, of, Timestamp(RESTS), pending()));
        rebuilds.stop().await;
    }
}
