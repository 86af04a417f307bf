//! How far a channel was read. Slack tells nobody what was edited, deleted or reacted to, so the whole look-back is read
//! again and again, from the newest message down to its end; what is new comes before what is read again. All that is
//! left to read is written down as intervals of time and as threads, so a reading may stop after any page.
//!
//! Pages are asked for by time, never by their number: what comes or goes meanwhile moves nothing.

use std::{collections::BTreeMap, time::Duration};

use loops::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A reading that was cut off so long ago is begun anew from the newest message.
const STALE: Duration = Duration::from_secs(15 * 60);
/// More intervals than this are not kept apart: the two oldest become one, which is read again.
const MAX_LEFT: usize = 8;
/// After every message: where reading begins at the newest one.
pub(in crate::slack) const NEWEST: &str = "9999999999.999999";

/// How far a source was read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// What the source asks for; when that changes, all is read anew.
    pub(super) of: String,
    /// By the channel as it is written.
    pub(super) channels: BTreeMap<String, State>,
    /// When the reading began that is under way; none: it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) going: Option<Timestamp>,
    /// Counts calls, so that every channel has its turn.
    #[serde(default)]
    pub(super) turn: u64,
}

/// How far a channel was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The channel's id.
    pub(super) id: String,
    /// What its signals' source is called: by its name when it was first read, whatever it is called later.
    pub(super) source: String,
    /// Whether only its members may read it.
    #[serde(default)]
    pub(super) private: bool,
    /// The newest message that was seen.
    pub(super) high: String,
    /// What is left to read; the last is read first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) left: Vec<Left>,
    /// Threads that are left to read; the first is read first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) queue: Vec<Thread>,
    /// How far each thread went when it was read: by its first message.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) threads: BTreeMap<String, String>,
    /// Nothing of what is old was read since this began to wait: it is its turn next.
    #[serde(default)]
    pub(super) starved: bool,
    /// When the last time began that all was read.
    pub(super) round: Timestamp,
    /// When the last time began that all threads were read, too.
    pub(super) deep: Timestamp,
    /// When it had its last turn.
    #[serde(default)]
    pub(super) turn: u64,
}

/// An interval of time that is left to read, from its newest message down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Left {
    /// After this message,
    pub(super) after: String,
    /// and before this one.
    pub(super) before: String,
    /// Every thread is read, and not only those that have gone on.
    #[serde(default)]
    pub(super) deep: bool,
}

/// A thread that is left to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Thread {
    /// Its first message.
    pub(super) root: String,
    /// What was read of it ends with this message.
    pub(super) after: String,
    /// How far it went when it was put here.
    pub(super) mark: String,
}

/// A moment as a message's id that no message has.
pub(in crate::slack) fn ts_of(at: Timestamp) -> String {
    let millis = at.0.max(0);
    format!("{:010}.{:06}", millis / 1000, millis % 1000 * 1000)
}

impl Cursor {
    pub(super) fn parse(text: &str, of: &str) -> Option<Self> {
        serde_json::from_str::<Self>(text)
            .ok()
            .filter(|cursor| cursor.of == of)
    }

    /// Whether a new reading begins now, and not one that was cut off a moment ago goes on.
    pub(super) fn begins(&mut self, now: Timestamp) -> bool {
        let goes_on = self
            .going
            .is_some_and(|began| began <= now && now.since(began) < STALE);
        if !goes_on {
            self.going = Some(now);
        }
        !goes_on
    }
}

impl State {
    /// A reading begins: what has come since is first, and if nothing else is left, all of the look-back is read.
    pub(super) fn begin(&mut self, now: Timestamp, look_back: Duration, sweep: Duration, strict: bool) {
        let bottom = ts_of(now.minus(look_back));
        self.threads.retain(|root, _| *root > bottom);
        self.queue.retain(|thread| thread.root > bottom);
        self.left.retain(|left| left.before > bottom);
        let due = |last: Timestamp| last > now || now.since(last) >= sweep;
        if self.left.is_empty() && (!strict || due(self.round)) {
            let deep = due(self.deep);
            self.round = now;
            if deep {
                self.deep = now;
            }
            self.left.push(Left {
                after: bottom,
                before: NEWEST.to_owned(),
                deep,
            });
            return;
        }
        let mut new = Left {
            after: self.high.clone().max(bottom),
            before: NEWEST.to_owned(),
            deep: false,
        };
        if let Some(at) = self.left.iter().position(|left| left.before == NEWEST) {
            let unread = self.left.remove(at);
            new.after = unread.after.min(new.after);
            new.deep = unread.deep;
        }
        // Where a reading is one page, what is new would be all that is ever read.
        if std::mem::replace(&mut self.starved, !self.left.is_empty()) {
            self.left.insert(0, new);
        } else {
            self.left.push(new);
        }
        while self.left.len() > MAX_LEFT {
            let lower = self.left.remove(0);
            if let Some(upper) = self.left.first_mut() {
                upper.after = lower.after.min(upper.after.clone());
                upper.before = lower.before.max(upper.before.clone());
                upper.deep |= lower.deep;
            }
        }
    }

    /// Notes that a page of the interval read first was read, whose oldest message is `oldest`, and gives the interval
    /// that the page is all of.
    pub(super) fn turn_page(
        &mut self,
        newest: Option<&str>,
        oldest: Option<&str>,
        more: bool,
    ) -> Option<Left> {
        let left = self.left.last_mut()?;
        let mut whole = left.clone();
        if left.before != NEWEST {
            self.starved = false;
        }
        if let Some(newest) = newest.filter(|newest| *newest > self.high.as_str()) {
            newest.clone_into(&mut self.high);
        }
        match oldest {
            Some(oldest) if more && *oldest < *left.before => {
                oldest.clone_into(&mut left.before);
                // The oldest message itself was on the page; what is before it was not.
                whole.after = just_before(oldest);
            }
            _ => drop(self.left.pop()),
        }
        Some(whole)
    }

    /// Whether there is something to read: history, threads.
    pub(super) fn has_left(&self) -> (bool, bool) {
        (!self.left.is_empty(), !self.queue.is_empty())
    }

    /// A thread that begins with `root` and goes so far now is to be read, if it has gone on or all are.
    pub(super) fn thread(&mut self, root: &str, mark: &str, deep: bool) {
        if !deep && self.threads.get(root).is_some_and(|known| known == mark) {
            return;
        }
        if let Some(there) = self.queue.iter_mut().find(|thread| thread.root == root) {
            // What was read of it was read before this was known.
            if there.mark != mark {
                root.clone_into(&mut there.after);
                mark.clone_into(&mut there.mark);
            }
            return;
        }
        self.queue.push(Thread {
            root: root.to_owned(),
            after: root.to_owned(),
            mark: mark.to_owned(),
        });
    }

    /// Notes that a page of the first thread was read that ends with `last`.
    pub(super) fn turn_thread(&mut self, last: Option<&str>, more: bool) {
        let Some(thread) = self.queue.first_mut() else {
            return;
        };
        match last {
            Some(last) if more && *last > *thread.after => last.clone_into(&mut thread.after),
            _ => {
                let done = self.queue.remove(0);
                self.threads.insert(done.root, done.mark);
            }
        }
    }
}

/// The last id that a message before `ts` could have.
fn just_before(ts: &str) -> String {
    let Some((seconds, micros)) = ts
        .split_once('.')
        .and_then(|(seconds, micros)| Some((seconds.parse::<u64>().ok()?, micros.parse::<u64>().ok()?)))
    else {
        return ts.to_owned();
    };
    match micros.checked_sub(1) {
        Some(micros) => format!("{seconds:010}.{micros:06}"),
        None => format!("{:010}.999999", seconds.saturating_sub(1)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const WEEK: Duration = Duration::from_secs(7 * 86_400);

    fn at(second: u64) -> String {
        format!("{second:010}.000100")
    }

    /// A page as Slack gives it: of what lies between, the newest.
    fn page(all: &BTreeSet<String>, left: &Left, size: usize) -> (Vec<String>, bool) {
        let between = || {
            all.iter()
                .rev()
                .filter(|ts| **ts > left.after && **ts < left.before)
        };
        (between().take(size).cloned().collect(), between().count() > size)
    }

    /// Reads `pages` pages, and changes the channel after each.
    fn read(
        state: &mut State,
        all: &mut BTreeSet<String>,
        size: usize,
        pages: usize,
        mut meanwhile: impl FnMut(&mut BTreeSet<String>),
    ) -> (BTreeSet<String>, Vec<(Left, Vec<String>)>) {
        let (mut seen, mut whole) = (BTreeSet::new(), Vec::new());
        for _ in 0..pages {
            let Some(left) = state.left.last().cloned() else {
                break;
            };
            let (found, more) = page(all, &left, size);
            let newest = found.first().map(String::as_str);
            let oldest = found.last().map(String::as_str);
            if let Some(stretch) = state.turn_page(newest, oldest, more) {
                whole.push((stretch, found.clone()));
            }
            seen.extend(found);
            meanwhile(all);
        }
        (seen, whole)
    }

    #[test]
    fn what_comes_while_older_messages_are_read_is_read_first_the_next_time() {
        let now = Timestamp(1_000_000_000);
        let mut all: BTreeSet<String> = (1..=100).map(|n| at(999_000 + n)).collect();
        let mut state = State::default();
        state.begin(now, WEEK, HOUR, true);
        let (seen, _) = read(&mut state, &mut all, 15, 2, |all| {
            let _ = all.insert(at(999_500 + all.len() as u64));
        });
        assert_eq!(seen.len(), 30);
        state.begin(now.plus(HOUR / 2), WEEK, HOUR, true);
        let (news, _) = read(&mut state, &mut all, 15, 1, |_| {});
        assert_eq!(news.len(), 2, "what is new comes first");
        let (rest, _) = read(&mut state, &mut all, 15, 100, |_| {});
        assert_eq!(seen.union(&rest).count() + news.len(), all.len());
    }

    #[test]
    fn where_a_reading_is_one_page_old_and_new_take_turns() {
        let mut all: BTreeSet<String> = (1..=60).map(|n| at(999_000 + n)).collect();
        let mut state = State::default();
        let mut seen = BTreeSet::new();
        for n in 0..12 {
            all.insert(at(999_100 + n));
            state.begin(Timestamp(1_000_000_000), WEEK, HOUR, true);
            seen.extend(read(&mut state, &mut all, 15, 1, |_| {}).0);
        }
        assert!(all.difference(&seen).count() <= 1, "all but the newest is read");
    }

    #[test]
    fn threads_are_read_when_they_go_on_and_all_of_them_now_and_then() {
        let mut state = State::default();
        state.thread("1", "5:1", false);
        state.turn_thread(None, false);
        state.thread("1", "5:1", false);
        assert_eq!(state.has_left(), (false, false), "it has not gone on");
        state.thread("1", "6:2", false);
        state.turn_thread(Some("6"), true);
        state.thread("1", "7:3", false);
        assert_eq!(state.queue[0].after, "1", "it went on while it was read");
        state.turn_thread(None, false);
        state.thread("1", "7:3", true);
        assert_eq!(state.has_left(), (false, true));
    }

    #[test]
    fn the_id_just_before_another_is_before_it_and_after_all_others() {
        assert_eq!(just_before("1762156931.000200"), "1762156931.000199");
        assert_eq!(just_before("1762156931.000000"), "1762156930.999999");
    }

    proptest! {
        /// However often reading is cut off, and whatever comes and goes meanwhile: what stays is read, and what is
        /// called whole holds nothing but what was on its page.
        #[test]
        fn nothing_that_stays_is_missed(
            first in proptest::collection::btree_set(1_u64..2_000, 0..120),
            steps in proptest::collection::vec((0_usize..4, 2_000_u64..4_000, 1_u64..4_000), 0..12),
            size in 1_usize..20,
            strict in any::<bool>(),
        ) {
            let mut all: BTreeSet<String> = first.iter().map(|n| at(*n)).collect();
            let mut state = State::default();
            let mut seen = BTreeSet::new();
            let mut time = Timestamp(5_000_000);
            let mut clock = 2_000;
            for (pages, come, go) in steps {
                state.begin(time, WEEK, HOUR, strict);
                clock += come % 7;
                let new = at(10_000 + clock);
                let (found, whole) = read(&mut state, &mut all, size, pages, |all| {
                    all.remove(&at(go));
                    all.insert(new.clone());
                });
                for (stretch, page) in whole {
                    prop_assert!(page.iter().all(|ts| *ts > stretch.after && *ts < stretch.before));
                }
                seen.extend(found);
                // As it is stored between two readings.
                state = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
                time = time.plus(Duration::from_secs(600));
            }
            state.begin(time, WEEK, HOUR, strict);
            seen.extend(read(&mut state, &mut all, size, 10_000, |_| {}).0);
            if strict {
                state.begin(time.plus(HOUR), WEEK, HOUR, strict);
                seen.extend(read(&mut state, &mut all, size, 10_000, |_| {}).0);
            }
            prop_assert!(all.is_subset(&seen), "missed {:?}", all.difference(&seen).collect::<Vec<_>>());
        }
    }
}
