//! How many calls to a model run at once, over all attempts, and whose turn it is.
//!
//! A place that becomes free goes to the loops in turn, within a loop to its attempts in turn, and within an attempt to
//! whoever came first. So one attempt with a hundred calls takes no more turns than one with a single call, and who
//! waits is passed by at most once by everybody else.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use loops::id::AttemptId;
use tokio::sync::oneshot;

use crate::config::Models;

/// One lane a model.
#[derive(Debug)]
pub(super) struct Lanes(BTreeMap<String, Arc<Lane>>);

/// The places of one model.
#[derive(Debug)]
struct Lane(Mutex<Queue>);

#[derive(Debug)]
struct Queue {
    free: usize,
    /// The loops that wait; the first one is next.
    loops: VecDeque<(String, Attempts)>,
}

/// A loop's attempts that wait, each with its calls; the first one is next.
type Attempts = VecDeque<(AttemptId, VecDeque<oneshot::Sender<Place>>)>;

/// A place in a lane. It is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Place(Option<Arc<Lane>>);

impl Lanes {
    pub(super) fn new(models: &Models) -> Self {
        let lane = |free: usize| {
            Arc::new(Lane(Mutex::new(Queue {
                free,
                loops: VecDeque::new(),
            })))
        };
        Self(
            models
                .known
                .iter()
                .map(|(name, model)| (name.clone(), lane(model.max_concurrent)))
                .collect(),
        )
    }

    /// Waits for a place. None: the model has no lane, because nothing is known of it.
    pub(super) async fn enter(&self, model: &str, loop_name: &str, attempt: AttemptId) -> Option<Place> {
        let lane = self.0.get(model)?;
        let place = {
            let mut queue = lane.lock();
            // Whoever waits was here before.
            if queue.free > 0 && queue.loops.is_empty() {
                queue.free -= 1;
                return Some(Place(Some(Arc::clone(lane))));
            }
            queue.wait(loop_name, attempt)
        };
        place.await.ok()
    }
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives one place to whoever is next.
    fn pass_on(self: Arc<Self>) {
        loop {
            let next = {
                let mut queue = self.lock();
                let next = queue.next();
                if next.is_none() {
                    queue.free += 1;
                }
                next
            };
            let Some(next) = next else { return };
            match next.send(Place(Some(Arc::clone(&self)))) {
                Ok(()) => return,
                // Whoever waited has gone; the place is still to be had.
                Err(mut place) => place.0 = None,
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(lane) = self.0.take() {
            lane.pass_on();
        }
    }
}

impl Queue {
    fn wait(&mut self, loop_name: &str, attempt: AttemptId) -> oneshot::Receiver<Place> {
        let (sender, place) = oneshot::channel();
        let at = match self.loops.iter().position(|(name, _)| name == loop_name) {
            Some(at) => at,
            None => {
                self.loops.push_back((loop_name.to_owned(), VecDeque::new()));
                self.loops.len() - 1
            }
        };
        let attempts = &mut self.loops[at].1;
        match attempts.iter_mut().find(|(one, _)| *one == attempt) {
            Some((_, calls)) => calls.push_back(sender),
            None => attempts.push_back((attempt, VecDeque::from([sender]))),
        }
        place
    }

    /// Takes whoever is next out of the queue; its attempt and its loop go to the end of theirs.
    fn next(&mut self) -> Option<oneshot::Sender<Place>> {
        let (name, mut attempts) = self.loops.pop_front()?;
        let next = attempts.pop_front().and_then(|(attempt, mut calls)| {
            let next = calls.pop_front();
            if !calls.is_empty() {
                attempts.push_back((attempt, calls));
            }
            next
        });
        if !attempts.is_empty() {
            self.loops.push_back((name, attempts));
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Future, pin::Pin};

    use futures_util::FutureExt as _;

    use super::*;

    fn lanes(free: usize) -> Lanes {
        let lane = Lane(Mutex::new(Queue {
            free,
            loops: VecDeque::new(),
        }));
        Lanes(BTreeMap::from([("m".to_owned(), Arc::new(lane))]))
    }

    type Waiting<'a> = (&'static str, Pin<Box<dyn Future<Output = Option<Place>> + 'a>>);

    /// Lets each of `who` (loop and attempt) ask, with the only place taken; then gives the place on until nobody
    /// waits, and says in which order it went.
    fn order(who: &[(&'static str, &'static str)]) -> Vec<&'static str> {
        let lanes = lanes(1);
        let mut held = lanes
            .enter("m", "x", AttemptId::named("x"))
            .now_or_never()
            .flatten();
        assert!(held.is_some());
        let mut waiting: Vec<Waiting<'_>> = Vec::new();
        for &(loop_name, attempt) in who {
            let mut place = Box::pin(lanes.enter("m", loop_name, AttemptId::named(attempt)));
            assert!(place.as_mut().now_or_never().is_none());
            waiting.push((attempt, place));
        }
        let mut order = Vec::new();
        while !waiting.is_empty() {
            drop(held.take());
            let next = waiting.iter_mut().enumerate().find_map(|(at, (_, place))| {
                let place = place.as_mut().now_or_never()??;
                Some((at, place))
            });
            let (at, place) = next.unwrap();
            order.push(waiting.remove(at).0);
            held = Some(place);
        }
        order
    }

    #[test]
    fn an_attempt_with_a_hundred_calls_is_served_no_faster_than_one_with_a_single_call() {
        let mut who = vec![("l", "greedy"); 100];
        who.extend([("l", "a"), ("l", "b")]);
        assert_eq!(order(&who)[..5], ["greedy", "a", "b", "greedy", "greedy"]);
    }

    #[test]
    fn a_loop_with_many_attempts_takes_no_more_turns_than_one_with_a_single_attempt() {
        let who = [
            ("l", "a"),
            ("l", "b"),
            ("l", "c"),
            ("l", "d"),
            ("m", "e"),
            ("m", "e"),
        ];
        assert_eq!(order(&who), ["a", "e", "b", "e", "c", "d"]);
    }

    #[test]
    fn within_an_attempt_whoever_came_first_is_first() {
        let lanes = lanes(1);
        let held = lanes
            .enter("m", "l", AttemptId::named("a"))
            .now_or_never()
            .flatten();
        let mut first = Box::pin(lanes.enter("m", "l", AttemptId::named("a")));
        let mut second = Box::pin(lanes.enter("m", "l", AttemptId::named("a")));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        drop(held);
        assert!(second.as_mut().now_or_never().is_none());
        assert!(first.as_mut().now_or_never().is_some());
    }

    #[test]
    fn a_place_whose_taker_has_gone_is_not_lost() {
        let lanes = lanes(1);
        let held = lanes
            .enter("m", "l", AttemptId::named("a"))
            .now_or_never()
            .flatten();
        let mut gone_before = Box::pin(lanes.enter("m", "l", AttemptId::named("b")));
        let mut gone_after = Box::pin(lanes.enter("m", "l", AttemptId::named("c")));
        let mut stays = Box::pin(lanes.enter("m", "l", AttemptId::named("d")));
        assert!(gone_before.as_mut().now_or_never().is_none());
        assert!(gone_after.as_mut().now_or_never().is_none());
        assert!(stays.as_mut().now_or_never().is_none());
        drop(gone_before);
        drop(held);
        drop(gone_after);
        let held = stays.now_or_never().flatten();
        assert!(held.is_some());
        drop(held);
        assert!(
            lanes
                .enter("m", "l", AttemptId::named("e"))
                .now_or_never()
                .flatten()
                .is_some()
        );
        assert!(
            lanes
                .enter("n", "l", AttemptId::named("e"))
                .now_or_never()
                .flatten()
                .is_none()
        );
    }
}
