//! A ring of the alarm: judges the ticks that have come, writes their receipts in one transaction, and starts what is to
//! start. It costs what is due, not what is served.

use std::{sync::Arc, time::Duration};

use loops::{
    id::RunId,
    run::RunState,
    schedule::{Judgement, come, judge, next_due, starts_at},
    text::one_line,
    time::Timestamp,
};

use super::{EngineError, Service, Start, Word};
use crate::{
    clock,
    store::{
        Tx, loops as loop_rows, plans,
        proposals::{self, ProposalState},
        runs,
        ticks::{self, Receipt, Tick},
    },
};

/// A service that nobody has rung for so long was asleep, and with it the machine: what was due meanwhile was missed.
const ASLEEP: Duration = Duration::from_secs(5 * 60);
/// A run that is being stopped, and perhaps not written down yet, is asked again after this.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// What is said of a loop whose last tick is still to come.
const AHEAD: &str = "the clock was ahead, and its last receipt is of a tick that is still to come";
/// So many loops are judged in one transaction at most, so that others come to write in between.
const AT_ONCE: usize = 500;

/// What is to be done about a loop when its receipts are in the store.
#[derive(Debug, Default)]
struct Judged {
    words: Vec<Word>,
    /// The tick that starts a run.
    start: Option<Timestamp>,
    /// The run that makes place.
    stop: bool,
    /// The last tick that has a receipt now.
    last: Option<Timestamp>,
    /// Ticks are left that wait for the run under way.
    waits: bool,
}

impl Service<'_> {
    /// Looks at the specs, at plans that people approved, and at what is due.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub async fn ring(&mut self) -> Result<(), EngineError> {
        self.conclude().await?;
        self.look_at_specs().await?;
        self.take_up_interrupted();
        self.take_up_plans().await?;
        self.take_up_sent_back().await?;
        self.ring_for_what_is_due().await?;
        self.take_up_news().await?;
        self.fill().await
    }

    /// Runs whose plans people approved go on, paused or not: somebody has just said so.
    async fn take_up_plans(&mut self) -> Result<(), EngineError> {
        let now = clock::now();
        for plan in plans::not_taken_up(&self.engine.home.store, None).await? {
            let free = self
                .loops
                .get_key_value(plan.loop_name.as_str())
                .filter(|(_, served)| served.running.is_none() && served.plans_at <= now);
            if let Some((name, _)) = free {
                let name = Arc::clone(name);
                (self.tell)(Word::Approved(plan.loop_name.clone(), plan.title));
                self.start(&name, Start::Approved(plan.run), now);
            }
        }
        Ok(())
    }

    /// Runs that the store's outage or a full disk has interrupted go on.
    fn take_up_interrupted(&mut self) {
        let now = clock::now();
        let free: Vec<(Arc<str>, RunId)> = self
            .loops
            .iter()
            .filter(|(_, served)| served.running.is_none() && !served.gone && served.plans_at <= now)
            .filter_map(|(name, served)| Some((Arc::clone(name), served.interrupted?)))
            .collect();
        for (name, run) in free {
            self.start(&name, Start::Again(run), now);
        }
    }

    /// Runs that somebody's words, failing checks on a pull request or a proof on a moved base have opened again go on.
    async fn take_up_sent_back(&mut self) -> Result<(), EngineError> {
        let now = clock::now();
        for run in runs::all_open(&self.engine.home.store).await? {
            let free = self
                .loops
                .get_key_value(run.loop_name.as_str())
                .filter(|(_, served)| served.running.is_none() && !served.gone && served.plans_at <= now);
            let Some((name, _)) = free else { continue };
            let name = Arc::clone(name);
            let made = proposals::of_run(&self.engine.home.store, run.id).await?;
            let sent_back = made
                .iter()
                .any(|proposal| proposal.state == ProposalState::Revising);
            // A state that cannot be read is told when somebody drives it.
            let reviewed = run
                .state::<RunState>()
                .is_ok_and(|state| state.is_reviewed_anew());
            if sent_back || reviewed {
                self.start(&name, Start::Again(run.id), now);
            }
        }
        Ok(())
    }

    pub(super) async fn ring_for_what_is_due(&mut self) -> Result<(), EngineError> {
        let now = clock::now();
        if now.since(self.rang_at) > ASLEEP {
            self.up_since = now;
        }
        if self.rang_at.since(now) > ASLEEP {
            // The clock was ahead and has been set back. Ticks that have receipts stay as they are; the others count.
            self.up_since = now;
            self.set_back(now);
        }
        self.rang_at = now;
        loop {
            let mut due = Vec::new();
            while due.len() < AT_ONCE
                && let Some((at, name)) = self.agenda.take(now)
            {
                // What was put down before it was known better is of no use.
                if self.loops.get(&name).is_some_and(|served| served.look_at == at) {
                    due.push(name);
                }
            }
            if due.is_empty() {
                return self.fill().await;
            }
            due.dedup();
            self.look_at(&due, now).await?;
        }
    }

    async fn look_at(&mut self, names: &[Arc<str>], now: Timestamp) -> Result<(), EngineError> {
        let mut judged = Vec::new();
        let mut tx = None;
        for name in names {
            let Some(come) = self.come(name, now) else {
                continue;
            };
            if come.is_empty() {
                self.put_down_next(name);
                continue;
            }
            let tx = match &mut tx {
                Some(tx) => tx,
                None => tx.insert(self.engine.home.store.begin().await?),
            };
            judged.push((Arc::clone(name), self.judge(tx, name, &come, now).await?));
        }
        if let Some(tx) = tx {
            tx.commit().await?;
        }
        for (name, judged) in judged {
            self.act(&name, judged, now).await?;
        }
        Ok(())
    }

    /// Loops whose last receipt lies ahead of the clock count from now, and it is said.
    fn set_back(&mut self, now: Timestamp) {
        let ahead: Vec<Arc<str>> = self
            .loops
            .iter()
            .filter(|(_, served)| served.last.since(now) > ASLEEP)
            .map(|(name, _)| Arc::clone(name))
            .collect();
        for name in ahead {
            if let Some(served) = self.loops.get_mut(&name) {
                let words = format!("{AHEAD} ({}); it counts from now", served.last);
                served.last = now;
                (self.tell)(Word::Trouble(name.to_string(), words));
            }
            self.put_down_next(&name);
        }
    }

    /// The ticks of a loop that have come; none: it has no schedule, or is not served any more.
    fn come(&self, name: &Arc<str>, now: Timestamp) -> Option<Vec<Timestamp>> {
        let served = self.loops.get(name).filter(|served| !served.gone)?;
        let schedule = served.definition.spec.schedule.as_ref()?;
        Some(come(schedule, name, served.last, now))
    }

    async fn judge(
        &self,
        tx: &mut Tx,
        name: &Arc<str>,
        come: &[Timestamp],
        now: Timestamp,
    ) -> Result<Judged, EngineError> {
        let mut judged = Judged::default();
        let Some(served) = self.loops.get(name) else {
            return Ok(judged);
        };
        let Some(schedule) = served.definition.spec.schedule.as_ref() else {
            return Ok(judged);
        };
        let standing = loop_rows::standing(&mut *tx, name).await?.unwrap_or_default();
        let held = match (standing.paused_at, standing.setback) {
            (Some(_), _) => Some("the loop is paused".to_owned()),
            (None, Some(setback)) if setback.until() > now => Some(setback.words()),
            _ => None,
        };
        for (due, judgement) in judge(schedule, come, self.up_since, served.running.is_some()) {
            match (judgement, &held) {
                // A run under way ends as it may, whatever holds the next ones.
                (_, Some(why)) => judged.skip(tx, name, due, why, now).await?,
                (Judgement::Skip(why), None) => judged.skip(tx, name, due, why, now).await?,
                // Those after it wait, too, and are judged again when the run under way has ended.
                (Judgement::Wait, None) => {
                    judged.waits = true;
                    break;
                }
                (Judgement::RunInstead, None) => {
                    judged.waits = true;
                    judged.stop = true;
                    break;
                }
                (Judgement::Run, None) => judged.start(tx, name, due).await?,
            }
        }
        Ok(judged)
    }

    async fn act(&mut self, name: &Arc<str>, judged: Judged, now: Timestamp) -> Result<(), EngineError> {
        for word in judged.words {
            (self.tell)(word);
        }
        if let (Some(served), Some(last)) = (self.loops.get_mut(name), judged.last) {
            served.last = last;
        }
        if let Some(due) = judged.start {
            self.start(name, Start::Tick(due), due);
        }
        if judged.stop && self.give_way(name).await? {
            // It is judged again in this ring.
        } else if judged.stop {
            self.cancel_open(name).await?;
            self.put_down(name, now.plus(ASK_AGAIN));
        } else if !judged.waits {
            self.put_down_next(name);
        }
        Ok(())
    }

    /// The loop is to be looked at when its next tick starts.
    fn put_down_next(&mut self, name: &Arc<str>) {
        let next = self.loops.get(name).and_then(|served| {
            let schedule = served.definition.spec.schedule.as_ref()?;
            let due = next_due(schedule, name, served.last)?;
            Some(starts_at(schedule, name, due))
        });
        if let Some(at) = next {
            self.put_down(name, at);
        }
    }

    /// The loop is to be looked at, at `at`, and at no other time.
    pub(super) fn put_down(&mut self, name: &Arc<str>, at: Timestamp) {
        if let Some(served) = self.loops.get_mut(name) {
            served.look_at = at;
            self.agenda.put(at, name);
        }
    }

    async fn cancel_open(&self, name: &str) -> Result<Option<RunId>, EngineError> {
        let store = &self.engine.home.store;
        let open = runs::open_run(store, name).await?.map(|run| run.id);
        if let Some(run) = open {
            super::super::cancel(store, run).await?;
        }
        Ok(open)
    }
}

impl Judged {
    /// A tick leaves its receipt and does nothing.
    async fn skip(
        &mut self,
        tx: &mut Tx,
        name: &str,
        due_at: Timestamp,
        why: &str,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let why = one_line(why, 300);
        let tick = Tick {
            loop_name: name.to_owned(),
            due_at,
            receipt: Receipt::Skipped,
            why: Some(why.clone()),
            run: None,
        };
        if ticks::claim(tx, &tick).await? {
            let data = serde_json::json!({ "due_at": due_at, "receipt": tick.receipt.as_str() });
            tx.record(now, "tick.passed", Some(name), None, name, data)
                .await?;
            self.words.push(Word::Skipped(name.to_owned(), due_at, why));
        }
        self.last = Some(due_at);
        Ok(())
    }

    /// A tick is taken before its run is written down, which may take a while: later ones leave their receipts
    /// meanwhile, and who starts after a crash counts from the last receipt.
    async fn start(&mut self, tx: &mut Tx, name: &str, due_at: Timestamp) -> Result<(), EngineError> {
        let tick = Tick {
            loop_name: name.to_owned(),
            due_at,
            receipt: Receipt::Running,
            why: None,
            run: None,
        };
        if ticks::claim(tx, &tick).await? {
            self.start = Some(due_at);
        }
        self.last = Some(due_at);
        Ok(())
    }
}
