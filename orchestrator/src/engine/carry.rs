//! Waits for what becomes of an order that was posted, and shows meanwhile how it goes.

use std::{sync::Arc, time::Duration};

use loops::{
    id::{AttemptId, TaskId},
    lease::{MAX_LOSSES, Standing},
    text::one_line,
};
use workers::{
    Outcome, Report,
    order::{Entry, Result as JobResult},
};

use super::{EngineError, Progress, Running};
use crate::store::{attempts, orders, packs};

/// How often we look by ourselves: at first soon, for a node elsewhere may need packs of us.
const LOOKS: [Duration; 2] = [Duration::from_millis(700), Duration::from_secs(2)];

/// How a worker's attempt is shown while it works: whose it is, and under which words.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) attempt: AttemptId,
    pub(crate) task: TaskId,
    /// `works`, `checks`, `reviews`.
    pub(crate) verb: &'static str,
}

impl Running {
    /// Waits for what becomes of an order that was posted. What was reported is in the store when this returns; the
    /// order stays until the caller forgets it, in the transaction that writes down what follows.
    pub(crate) async fn carry(self: &Arc<Self>, shown: Shown) -> Result<Outcome, EngineError> {
        let home = &self.engine.home;
        let mut waiting = home.node.wait_for(shown.attempt);
        home.node.awake(&self.engine);
        let mut looks = LOOKS.into_iter();
        let mut pause = Duration::ZERO;
        let mut last_doing = None;
        loop {
            let order = orders::get(&home.store, shown.attempt).await?;
            if let Some(outcome) = self.read(order.as_ref()).await? {
                while let Ok(report) = waiting.reports.try_recv() {
                    self.show(&shown, &report).await;
                }
                return Ok(outcome);
            }
            if let Some(order) = &order {
                if !order.packed && order.lease.standing == Standing::Waiting {
                    self.pack_for_others(shown.attempt).await?;
                }
                self.show_from_afar(&shown, order, &mut last_doing).await?;
            }
            pause = looks.next().unwrap_or(pause.max(LOOKS[1]));
            let look = tokio::time::sleep(pause);
            tokio::pin!(look);
            loop {
                tokio::select! {
                    () = waiting.news.notified() => break,
                    () = &mut look => break,
                    Some(report) = waiting.reports.recv() => self.show(&shown, &report).await,
                }
            }
        }
    }

    /// What became of it; none: nothing yet.
    async fn read(&self, order: Option<&orders::Posted>) -> Result<Option<Outcome>, EngineError> {
        let Some(order) = order else {
            return Ok(Some(Outcome::could_not_run(
                "its order was taken back".to_owned(),
                true,
            )));
        };
        if order.lease.is_given_up() {
            let why = format!("its worker was lost {MAX_LOSSES} times");
            return Ok(Some(Outcome::could_not_run(why, true)));
        }
        match order.lease.standing {
            Standing::Cancelled => Ok(Some(Outcome::could_not_run("it was stopped".to_owned(), true))),
            Standing::Done => {
                let text = order.outcome.as_deref().unwrap_or_default();
                let mut outcome: Outcome =
                    serde_json::from_str(text).map_err(|error| EngineError::Record(error.to_string()))?;
                self.fill_in(&mut outcome).await?;
                Ok(Some(outcome))
            }
            Standing::Waiting | Standing::Held { .. } => Ok(None),
        }
    }

    /// Puts the pack back that is kept apart.
    async fn fill_in(&self, outcome: &mut Outcome) -> Result<(), EngineError> {
        if let JobResult::Worked {
            change: Some(change), ..
        } = &mut outcome.result
        {
            let pack = packs::get(&self.engine.home.store, &packs::of_change(&change.tree)).await?;
            change.pack = pack.unwrap_or_default();
        }
        Ok(())
    }

    /// What a worker elsewhere is busy with, as it wrote it down.
    async fn show_from_afar(
        &self,
        shown: &Shown,
        order: &orders::Posted,
        last: &mut Option<String>,
    ) -> Result<(), EngineError> {
        let node = &self.engine.home.node;
        let elsewhere = match &order.lease.standing {
            Standing::Held { holder, .. } => holder != node.id(),
            _ => false,
        };
        if !elsewhere {
            return Ok(());
        }
        let known = attempts::get(&self.engine.home.store, shown.attempt).await?;
        let doing = known.and_then(|attempt| attempt.doing);
        if let (Some(doing), true) = (&doing, doing != *last) {
            let report = Report::Stage { doing: doing.clone() };
            self.show(shown, &report).await;
            *last = Some(doing.clone());
        }
        Ok(())
    }

    async fn show(&self, shown: &Shown, report: &Report) {
        let doing = match report {
            Report::Stage { doing } => format!("{}: {doing}", shown.verb),
            Report::Todo { items } => {
                return self.tell(Progress::Todo {
                    id: shown.task,
                    items: items.clone(),
                });
            }
            Report::Entry {
                entry: Entry::Called { tool, input },
            } => {
                let about = ["path", "command", "pattern"]
                    .iter()
                    .find_map(|key| input.get(key)?.as_str());
                format!(
                    "{}: {tool} {}",
                    shown.verb,
                    one_line(about.unwrap_or_default(), 60)
                )
            }
            Report::Entry {
                entry: Entry::Used { .. },
            } => return self.tell_spent().await,
            Report::Entry { .. } | Report::Saved { .. } => return,
        };
        self.tell(Progress::Doing {
            id: shown.task,
            doing,
        });
    }

    /// Tells what the run has spent so far, by the gateway's own figures.
    pub(crate) async fn tell_spent(&self) {
        // Only shown: the figures that count are summed at the end.
        if let Ok((usage, money, rehearsed)) = self.engine.gateway.spent(self.id).await {
            self.tell(Progress::Spent {
                money,
                usage,
                rehearsed,
            });
        }
    }

    /// The same, for who cannot wait.
    pub(crate) fn spent_soon(self: &Arc<Self>) {
        let running = Arc::clone(self);
        tokio::spawn(async move { running.tell_spent().await });
    }
}
