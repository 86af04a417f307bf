//! How far a list was read that is sorted by when things last changed. GitHub tells seconds, things change while we
//! read, and what changed a moment ago may be listed late: so the last minute is read again each time, and what was
//! given before in the same words is left out.

use std::{collections::BTreeMap, time::Duration};

use loops::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::super::pages::PAGE;

/// What changed so shortly before the last one is looked at again.
const OVERLAP: Duration = Duration::from_secs(60);
/// More than this is not remembered of it; it then comes again with the same ids.
const MAX_SEEN: usize = 500;

/// How far a list was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stream {
    /// The latest change that was read.
    pub(super) high: Timestamp,
    /// Where to go on in the middle: since when, and which page of that second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) middle: Option<(Timestamp, u32)>,
    /// What was read of the last minute: by id, when it changed and what it said.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    seen: BTreeMap<u64, (Timestamp, String)>,
}

/// Where the next page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) since: Timestamp,
    pub(super) page: u32,
}

impl Stream {
    /// A list that nothing was read of, from a moment on.
    pub(super) fn from(since: Timestamp) -> Self {
        Self {
            high: since,
            ..Self::default()
        }
    }

    /// Where to begin.
    pub(super) fn place(&self) -> Place {
        match self.middle {
            Some((since, page)) => Place { since, page },
            None => Place {
                since: self.high.minus(OVERLAP),
                page: 1,
            },
        }
    }

    /// Notes that something was read. Whether it is new.
    pub(super) fn take(&mut self, id: u64, changed: Timestamp, said: &str) -> bool {
        let digest = hex::encode(&Sha256::digest(said.as_bytes())[..6]);
        self.high = self.high.max(changed);
        let now = (changed, digest);
        if self.seen.get(&id) == Some(&now) {
            return false;
        }
        self.seen.insert(id, now);
        true
    }

    /// Notes that a page was read that ended with something changed at `last`, and gives the next one.
    ///
    /// It is asked for by its time, not its number: what changes meanwhile goes to the end, and everything after it
    /// moves up. Only a second with more than a page is read by numbers.
    pub(super) fn turn(&mut self, place: Place, count: usize, last: Option<Timestamp>) -> Option<Place> {
        self.middle = None;
        if count < PAGE {
            return None;
        }
        let next = match last {
            Some(last) if last > place.since => Place { since: last, page: 1 },
            _ => Place {
                page: place.page + 1,
                ..place
            },
        };
        self.middle = Some((next.since, next.page));
        Some(next)
    }

    /// Forgets what is not looked at again.
    pub(super) fn forget(&mut self) {
        let from = match self.middle {
            Some((since, _)) => since.min(self.high),
            None => self.high,
        }
        .minus(OVERLAP);
        self.seen.retain(|_, (changed, _)| *changed >= from);
        while self.seen.len() > MAX_SEEN {
            let oldest = self
                .seen
                .iter()
                .min_by_key(|(_, (changed, _))| *changed)
                .map(|(id, _)| *id);
            let Some(oldest) = oldest else { break };
            self.seen.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: i64 = 1_000;

    /// What a list gives: what changed at or after `since`, oldest change first.
    fn list(all: &[(u64, i64)], place: Place) -> Vec<(u64, i64)> {
        let mut all: Vec<_> = all
            .iter()
            .copied()
            .filter(|(_, at)| at * S >= place.since.0)
            .collect();
        all.sort_by_key(|(id, at)| (*at, *id));
        all.into_iter()
            .skip((place.page as usize - 1) * PAGE)
            .take(PAGE)
            .collect()
    }

    /// Reads to the end; after each page `meanwhile` may change the list.
    fn read(
        stream: &mut Stream,
        all: &mut Vec<(u64, i64)>,
        mut meanwhile: impl FnMut(&mut Vec<(u64, i64)>),
    ) -> Vec<u64> {
        let mut given = vec![];
        let mut place = Some(stream.place());
        while let Some(at) = place {
            let page = list(all, at);
            for (id, changed) in &page {
                if stream.take(*id, Timestamp(changed * S), "words") {
                    given.push(*id);
                }
            }
            place = stream.turn(at, page.len(), page.last().map(|(_, at)| Timestamp(at * S)));
            meanwhile(all);
            stream.forget();
            // As it is stored between batches.
            *stream = serde_json::from_str(&serde_json::to_string(stream).unwrap()).unwrap();
        }
        given
    }

    #[test]
    fn what_is_touched_while_we_read_hides_nothing() {
        let mut all: Vec<(u64, i64)> = (0..350).map(|id| (id, 1_000 + id as i64)).collect();
        let mut stream = Stream::from(Timestamp(0));
        let mut touched = 0;
        let given = read(&mut stream, &mut all, |all| {
            // Five of the first page move to the end, so everything moves up by five.
            if touched < 3 {
                for at in 0..5 {
                    all[touched * 5 + at].1 = 5_000 + touched as i64;
                }
                touched += 1;
            }
        });
        let unique: std::collections::BTreeSet<u64> = given.iter().copied().collect();
        assert_eq!(unique.len(), 350);
        assert_eq!(
            read(&mut stream, &mut all, |_| {}),
            Vec::<u64>::new(),
            "unchanged is not new"
        );
    }

    #[test]
    fn a_second_edit_within_one_second_is_new() {
        let mut stream = Stream::from(Timestamp(0));
        assert!(stream.take(1, Timestamp(5 * S), "first"));
        assert!(!stream.take(1, Timestamp(5 * S), "first"));
        assert!(stream.take(1, Timestamp(5 * S), "second"));
    }

    #[test]
    fn what_is_listed_late_is_still_read() {
        let mut all = vec![(1, 1_000), (2, 1_030)];
        let mut stream = Stream::from(Timestamp(0));
        assert_eq!(read(&mut stream, &mut all, |_| {}), [1, 2]);
        all.push((3, 1_020));
        assert_eq!(read(&mut stream, &mut all, |_| {}), [3]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_however_many_share_a_second(times in proptest::collection::vec(0_i64..5, 0..400)) {
            let mut all: Vec<(u64, i64)> = times.iter().enumerate().map(|(id, at)| (id as u64, 100 + at)).collect();
            let count = all.len();
            let mut stream = Stream::from(Timestamp(0));
            let given: std::collections::BTreeSet<u64> = read(&mut stream, &mut all, |_| {}).into_iter().collect();
            prop_assert_eq!(given.len(), count);
        }
    }
}
