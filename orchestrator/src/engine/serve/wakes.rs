//! Loops that wait for news from outside. What came stands in a table; whether it is news for a loop is seen from when
//! its last run began, so that nothing is lost by a kill, a burst is one run, and a run of the schedule counts, too.
//!
//! An event may be lost on its way. So a loop that has no schedule is run now and then all the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use loops::{
    spec::{LoopSpec, Source, Trigger},
    time::Timestamp,
};

use super::{EngineError, Service, Start, Word};
use crate::{
    clock, slack,
    store::{
        cursors, heard, loops as loop_rows, runs,
        ticks::{self, Receipt, Tick},
    },
};

/// News are waited for that come right after others, so that a burst is one run,
const GATHER: Duration = Duration::from_secs(5);
/// but not longer than this.
const AT_MOST: Duration = Duration::from_secs(30);
/// So often a loop without a schedule is run although nothing was heard.
const SWEEP: Duration = Duration::from_secs(3600);
/// What came longer ago is no news any more.
const OLDEST: Duration = Duration::from_secs(86_400);
/// So many events are looked at in one go.
const AT_ONCE: u32 = 10_000;

/// Why a loop is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// So many events came.
    News(usize),
    /// Nothing came for long.
    Sweep,
}

impl Service<'_> {
    /// Starts loops for which news came, if nothing holds them back.
    pub(super) async fn take_up_news(&mut self) -> Result<(), EngineError> {
        let waiting: Vec<Arc<str>> = self
            .loops
            .iter()
            .filter(|(_, served)| served.running.is_none() && !served.gone)
            .filter(|(_, served)| kinds(&served.definition.spec).next().is_some())
            .map(|(name, _)| Arc::clone(name))
            .collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let now = clock::now();
        let store = &self.engine.home.store;
        let events = heard::since(store, now.minus(OLDEST), AT_ONCE).await?;
        for name in waiting {
            let Some(spec) = self
                .loops
                .get(&name)
                .map(|served| Arc::clone(&served.definition.spec))
            else {
                continue;
            };
            let began = runs::list(&self.engine.home.store, Some(&name), None, 1)
                .await?
                .first()
                .map(|run| run.started_at);
            let places = self.places(&spec).await?;
            let ours = |event: &&heard::Heard| {
                kinds(&spec).any(|kind| kind == event.kind)
                    && places.as_ref().is_none_or(|places| places.contains(&event.place))
                    && began.is_none_or(|began| event.at > began)
            };
            let times: Vec<Timestamp> = events.iter().filter(ours).map(|event| event.at).collect();
            let Some(why) = due(&times, began, spec.schedule.is_some(), self.up_since, now) else {
                continue;
            };
            self.wake(&name, why, now).await?;
        }
        Ok(())
    }

    /// Takes a tick of the loop that nothing but the news has made, unless the loop is held back.
    async fn wake(&mut self, name: &Arc<str>, why: Why, now: Timestamp) -> Result<(), EngineError> {
        let mut tx = self.engine.home.store.begin().await?;
        let standing = loop_rows::standing(&mut tx, name).await?.unwrap_or_default();
        if standing.paused_at.is_some() || standing.setback.is_some_and(|setback| setback.until() > now) {
            return Ok(());
        }
        let tick = Tick {
            loop_name: name.to_string(),
            due_at: now,
            receipt: Receipt::Running,
            why: None,
            run: None,
        };
        if !ticks::claim(&mut tx, &tick).await? {
            return Ok(());
        }
        tx.commit().await?;
        (self.tell)(match why {
            Why::News(count) => Word::Woken(name.to_string(), count),
            Why::Sweep => Word::Started(name.to_string(), Some(now)),
        });
        self.start(name, Start::Woken(now));
        Ok(())
    }

    /// The channels that a loop reads, by their ids; none: not all of them are known yet, so it may be any.
    async fn places(&self, spec: &LoopSpec) -> Result<Option<BTreeSet<String>>, EngineError> {
        let mut all = BTreeSet::new();
        for source in &spec.sources {
            let Source::Slack(source) = source else { continue };
            let kept = format!("slack:{}", source.channels.join(","));
            let cursor = cursors::get(&self.engine.home.store, &spec.name, &kept).await?;
            let known: BTreeMap<String, String> =
                cursor.map(|cursor| slack::ids_in(&cursor)).unwrap_or_default();
            for channel in &source.channels {
                match known.get(channel) {
                    Some(id) => all.insert(id.clone()),
                    None if !channel.starts_with('#') => all.insert(channel.clone()),
                    None => return Ok(None),
                };
            }
        }
        Ok(Some(all))
    }
}

/// The kinds of Slack's events that a loop waits for.
fn kinds(spec: &LoopSpec) -> impl Iterator<Item = &str> {
    spec.triggers.iter().filter_map(|trigger| match trigger {
        Trigger::Slack(kind) => Some(kind.as_str()),
        Trigger::Github(_) => None,
    })
}

/// Whether a loop is to be woken now: `times` are those of its news, oldest first, `began` its last run's.
fn due(
    times: &[Timestamp],
    began: Option<Timestamp>,
    has_schedule: bool,
    up_since: Timestamp,
    now: Timestamp,
) -> Option<Why> {
    match (times.first(), times.last()) {
        (Some(first), Some(last)) => {
            let ready = now >= last.plus(GATHER) || now >= first.plus(AT_MOST);
            ready.then_some(Why::News(times.len()))
        }
        _ => {
            let since = began.unwrap_or(up_since.minus(SWEEP));
            (!has_schedule && now >= since.plus(SWEEP)).then_some(Why::Sweep)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp(second * 1000)
    }

    #[test]
    fn a_burst_is_gathered_and_a_stream_does_not_hold_a_run_back_for_ever() {
        let woken = |times: &[i64], now| {
            let times: Vec<Timestamp> = times.iter().map(|time| at(*time)).collect();
            due(&times, Some(at(0)), true, at(0), at(now))
        };
        assert_eq!(woken(&[], 100), None);
        assert_eq!(woken(&[100, 101, 103], 107), None, "more may come");
        assert_eq!(woken(&[100, 101, 103], 108), Some(Why::News(3)));
        let stream: Vec<i64> = (100..=130).collect();
        assert_eq!(woken(&stream[..30], 129), None);
        assert_eq!(woken(&stream, 130), Some(Why::News(31)));
    }

    #[test]
    fn a_loop_without_a_schedule_is_run_now_and_then_although_nothing_was_heard() {
        assert_eq!(due(&[], Some(at(0)), false, at(0), at(3_599)), None);
        assert_eq!(due(&[], Some(at(0)), false, at(0), at(3_600)), Some(Why::Sweep));
        assert_eq!(
            due(&[], Some(at(0)), true, at(0), at(36_000)),
            None,
            "its schedule sweeps"
        );
        assert_eq!(
            due(&[], None, false, at(50), at(50)),
            Some(Why::Sweep),
            "it never ran"
        );
    }
}
