//! Which loop is to be looked at when. It knows no schedules, and may name a loop too often, never too late.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use loops::time::Timestamp;

/// Moments and the loops that are to be looked at then, the earliest first.
#[derive(Debug, Default)]
pub(super) struct Agenda(BinaryHeap<Reverse<(Timestamp, Arc<str>)>>);

impl Agenda {
    /// `name` is to be looked at, at `at`. What was put down for it before stays, and is found to be of no use then.
    pub(super) fn put(&mut self, at: Timestamp, name: &Arc<str>) {
        self.0.push(Reverse((at, Arc::clone(name))));
    }

    /// Takes a loop whose moment has come by `now`, with that moment.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<(Timestamp, Arc<str>)> {
        let Reverse((at, _)) = self.0.peek()?;
        if *at > now {
            return None;
        }
        self.0.pop().map(|Reverse(entry)| entry)
    }

    /// The next moment at which a loop is to be looked at.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// Leaves only what `holds`.
    pub(super) fn retain(&mut self, holds: impl Fn(Timestamp, &str) -> bool) {
        self.0.retain(|Reverse((at, name))| holds(*at, name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_nothing_before_its_time() {
        let mut agenda = Agenda::default();
        let names: Vec<Arc<str>> = ["c", "a", "b"].map(Arc::from).to_vec();
        for (at, name) in [30, 10, 20].into_iter().zip(&names) {
            agenda.put(Timestamp(at), name);
        }
        assert_eq!(agenda.next(), Some(Timestamp(10)));
        assert_eq!(agenda.take(Timestamp(9)), None);
        let mut taken = Vec::new();
        while let Some((at, name)) = agenda.take(Timestamp(20)) {
            taken.push((at.0, name.to_string()));
        }
        assert_eq!(taken, [(10, "a".to_owned()), (20, "b".to_owned())]);
        agenda.retain(|_, name| name != "c");
        assert_eq!(agenda.next(), None);
    }
}
