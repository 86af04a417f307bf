//! How many runs are under way at once, and who has the next place: whoever has waited longest. A loop waits at most once,
//! and counts as waiting from the end of its own last run, so that one that is always due keeps nobody from a place.
//!
//! Who waits has its receipt already, and a tick that waits is begun by the next service if this one ends. Nothing is judged
//! here.

use std::sync::Arc;

use loops::time::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{EngineError, Service, Start, Watchers, Word, drive};
use crate::{
    clock,
    store::{
        loops as loop_rows,
        ticks::{self, Receipt, Tick},
    },
};

/// A run that is to start.
#[derive(Debug)]
pub(super) struct Wish {
    name: Arc<str>,
    start: Start,
    since: Timestamp,
    /// Whether it was told that it waits.
    told: bool,
}

impl Service<'_> {
    /// The same, with at most so many runs under way at once; unbounded otherwise.
    #[must_use]
    pub fn with_places(mut self, places: usize) -> Self {
        self.places = places;
        self
    }

    /// The loops that wait for a place, who is next first.
    pub fn waiting(&self) -> Vec<&str> {
        let mut all: Vec<&Wish> = self.queue.iter().collect();
        all.sort_by_key(|wish| (wish.since, Arc::clone(&wish.name)));
        all.into_iter().map(|wish| &*wish.name).collect()
    }

    /// A run of a loop is to start as soon as there is a place ([`Service::fill`]); it was asked for at `asked`.
    pub(super) fn start(&mut self, name: &Arc<str>, start: Start, asked: Timestamp) {
        let Some(served) = self.loops.get_mut(name) else {
            return;
        };
        served.running = Some(CancellationToken::new());
        let since = served
            .waited_since
            .take()
            .unwrap_or_else(|| asked.max(served.ended_at));
        self.queue.push(Wish {
            name: Arc::clone(name),
            start,
            since,
            told: false,
        });
    }

    /// Gives free places to those who have waited longest.
    pub(super) async fn fill(&mut self) -> Result<(), EngineError> {
        self.look_for_room();
        while self.under_way.len() < self.places
            && self.short.is_none()
            && let Some(wish) = self.take_first()
        {
            match self.forbids(&wish).await? {
                Some(why) => self.pass_over(&wish, &why).await?,
                None => self.drive(wish),
            }
        }
        let mut words = Vec::new();
        for wish in self.queue.iter_mut().filter(|wish| !wish.told) {
            wish.told = true;
            if let Some(due) = wish.start.tick() {
                words.push(Word::Waits(wish.name.to_string(), due));
            }
        }
        words.into_iter().for_each(|word| (self.tell)(word));
        Ok(())
    }

    /// Whether the disk has room for something new; said when that changes.
    fn look_for_room(&mut self) {
        let short = self.engine.home.disk.short();
        if short.is_some() != self.short.is_some() {
            (self.tell)(Word::Room(short.as_ref().map(ToString::to_string)));
        }
        self.short = short;
    }

    /// A later tick of the loop takes the place of one that waits, if one does, with the time that it has waited; false:
    /// none does.
    pub(super) async fn give_way(&mut self, name: &Arc<str>) -> Result<bool, EngineError> {
        let Some(at) = self.queue.iter().position(|wish| wish.name == *name) else {
            return Ok(false);
        };
        if self.queue[at].start.tick().is_none() {
            return Ok(false);
        }
        let wish = self.queue.swap_remove(at);
        self.pass_over(&wish, "a later tick took its place while it waited for one")
            .await?;
        if let Some(served) = self.loops.get_mut(name) {
            served.waited_since = Some(wish.since);
        }
        Ok(true)
    }

    fn take_first(&mut self) -> Option<Wish> {
        let first = (0..self.queue.len())
            .min_by_key(|at| (self.queue[*at].since, Arc::clone(&self.queue[*at].name)))?;
        Some(self.queue.swap_remove(first))
    }

    /// Why a wish is not to be fulfilled any more, now that its time has come.
    async fn forbids(&self, wish: &Wish) -> Result<Option<String>, EngineError> {
        if self.loops.get(&wish.name).is_none_or(|served| served.gone) {
            return Ok(Some(
                "its spec was taken away while it waited for a place".to_owned(),
            ));
        }
        if wish.start.tick().is_none() {
            return Ok(None);
        }
        let standing = loop_rows::standing(&self.engine.home.store, &wish.name).await?;
        let paused = standing.is_some_and(|standing| standing.paused_at.is_some());
        Ok(paused.then(|| "the loop is paused".to_owned()))
    }

    /// A wish that comes to nothing: its tick, which was taken, says why.
    async fn pass_over(&mut self, wish: &Wish, why: &str) -> Result<(), EngineError> {
        if let Some(due_at) = wish.start.tick() {
            let tick = Tick {
                loop_name: wish.name.to_string(),
                due_at,
                receipt: Receipt::Skipped,
                why: Some(why.to_owned()),
                run: None,
            };
            let mut tx = self.engine.home.store.begin().await?;
            ticks::receipt(&mut tx, &tick).await?;
            let data = serde_json::json!({ "due_at": due_at, "receipt": tick.receipt.as_str() });
            let name = &*wish.name;
            tx.record(clock::now(), "tick.passed", Some(name), None, name, data)
                .await?;
            tx.commit().await?;
            (self.tell)(Word::Skipped(wish.name.to_string(), due_at, why.to_owned()));
        }
        let Some(served) = self.loops.get_mut(&wish.name) else {
            return Ok(());
        };
        served.running = None;
        if served.gone {
            self.loops.remove(&wish.name);
        } else {
            self.put_down(&wish.name, clock::now());
        }
        Ok(())
    }

    /// Drives a run of a loop.
    fn drive(&mut self, wish: Wish) {
        let Some(served) = self.loops.get_mut(&wish.name) else {
            return;
        };
        match wish.start {
            Start::Tick(due) => (self.tell)(Word::Started(wish.name.to_string(), Some(due))),
            Start::Again(_) => (self.tell)(Word::Started(wish.name.to_string(), None)),
            // The news that woke it were told of when they came.
            Start::Woken(_) | Start::Approved(_) | Start::NewOrOpen => {}
        }
        served.interrupted = None;
        let cancel = served.running.get_or_insert_default().clone();
        let (engine, definition, start) = (self.engine.clone(), served.definition.clone(), wish.start);
        let job = self.jobs.spawn(async move {
            drive::run(&engine, &definition, start, &Watchers::default(), &cancel).await
        });
        self.under_way.insert(job.id(), (wish.name, start));
    }
}
