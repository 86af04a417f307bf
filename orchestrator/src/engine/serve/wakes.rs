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

use super::{
    super::hear::{is_sent_with, is_waited_for},
    EngineError, Service, Start, Word,
};
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
            .filter(|(_, served)| !served.definition.spec.triggers.is_empty())
            .map(|(name, _)| Arc::clone(name))
            .collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let now = clock::now();
        let store = &self.engine.home.store;
        let all = heard::news(store, now.minus(OLDEST)).await?;
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
            let channels = self.channels(&spec).await?;
            let ours = |news: &heard::News| waits_for(&spec, channels.as_ref(), news);
            let later = |news: &heard::News| began.is_none_or(|began| news.last > began);
            let since = match began {
                // Only what came since then is counted, and only if something did.
                Some(began) if all.iter().any(|news| ours(news) && later(news)) => {
                    Some(heard::news(&self.engine.home.store, began.max(now.minus(OLDEST))).await?)
                }
                Some(_) => Some(Vec::new()),
                None => None,
            };
            let news = Gathered::of(since.as_ref().unwrap_or(&all).iter().filter(|news| ours(news)));
            let Some(why) = due(news, began, spec.schedule.is_some(), self.up_since, now) else {
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
        self.start(name, Start::Woken(now), now);
        Ok(())
    }

    /// The channels that a loop reads, by their ids; none: not all of them are known yet, so it may be any.
    async fn channels(&self, spec: &LoopSpec) -> Result<Option<BTreeSet<String>>, EngineError> {
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

/// Whether news are such as a loop waits for, where it listens: the channels that it reads (none: any), its repository.
fn waits_for(spec: &LoopSpec, channels: Option<&BTreeSet<String>>, news: &heard::News) -> bool {
    spec.triggers.iter().any(|trigger| match trigger {
        Trigger::Slack(kind) => {
            *kind == news.kind && channels.is_none_or(|channels| channels.contains(&news.place))
        }
        Trigger::Github(event) => {
            is_waited_for(event, &news.kind) && spec.repo.eq_ignore_ascii_case(&news.place)
        }
        Trigger::Webhook(secret) => is_sent_with(secret, &news.kind) && spec.name == news.place,
    })
}

/// How many news there are, and when the first and the last of them came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gathered {
    count: usize,
    first: Timestamp,
    last: Timestamp,
}

impl Gathered {
    /// None: there are none.
    fn of<'a>(all: impl Iterator<Item = &'a heard::News>) -> Option<Self> {
        all.map(|news| Self {
            count: news.count,
            first: news.first,
            last: news.last,
        })
        .reduce(|one, other| Self {
            count: one.count + other.count,
            first: one.first.min(other.first),
            last: one.last.max(other.last),
        })
    }
}

/// Whether a loop is to be woken now, by its news since its last run, which began at `began`.
fn due(
    news: Option<Gathered>,
    began: Option<Timestamp>,
    has_schedule: bool,
    up_since: Timestamp,
    now: Timestamp,
) -> Option<Why> {
    match news {
        Some(Gathered { count, first, last }) => {
            let ready = now >= last.plus(GATHER) || now >= first.plus(AT_MOST);
            ready.then_some(Why::News(count))
        }
        None => {
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

    fn one(kind: &str, place: &str, second: i64) -> heard::News {
        heard::News {
            kind: kind.to_owned(),
            place: place.to_owned(),
            count: 1,
            first: at(second),
            last: at(second),
        }
    }

    #[test]
    fn a_loop_waits_for_its_own_repositorys_events_alone() {
        let text = "name: a\nkind: fix\nrepo: Acme/shop\ntriggers: [{ github: issues.opened }, { github: push }]\n\
                    sources: [{ github_issues: {} }]\n";
        let known = loops::spec::Known {
            models: ["top", "standard"].map(str::to_owned).to_vec(),
        };
        let spec = loops::spec::read("a", text, &known).unwrap();
        let waits = |kind: &str, place: &str| waits_for(&spec, None, &one(kind, place, 1));
        assert!(waits("github:issues.opened", "acme/shop") && waits("github:push", "acme/shop"));
        assert!(
            !waits("github:issues.opened", "acme/other"),
            "another repository's"
        );
        assert!(!waits("github:issues.closed", "acme/shop"), "another action");
        assert!(!waits("message", "acme/shop"), "another service's");
    }

    #[test]
    fn a_burst_is_gathered_and_a_stream_does_not_hold_a_run_back_for_ever() {
        let woken = |times: &[i64], now| {
            let all: Vec<heard::News> = times.iter().map(|time| one("message", "C1", *time)).collect();
            due(Gathered::of(all.iter()), Some(at(0)), true, at(0), at(now))
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
        assert_eq!(due(None, Some(at(0)), false, at(0), at(3_599)), None);
        assert_eq!(due(None, Some(at(0)), false, at(0), at(3_600)), Some(Why::Sweep));
        assert_eq!(
            due(None, Some(at(0)), true, at(0), at(36_000)),
            None,
            "its schedule sweeps"
        );
        assert_eq!(
            due(None, None, false, at(50), at(50)),
            Some(Why::Sweep),
            "it never ran"
        );
    }
}
