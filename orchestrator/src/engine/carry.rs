//! Lets a worker carry out an order, keeps what it reports, and takes in what it left.

use std::{sync::Arc, time::Duration};

use loops::id::{AttemptId, TaskId};
use tokio::sync::mpsc;
use workers::{Order, Outcome, Report, carry_out, order::Entry};

use super::{EngineError, Progress, Running, ways_out};
use crate::{
    clock,
    store::{attempts, transcripts},
};

/// Reports are kept in batches: at most this many, and at most this long after they came.
const BATCH: usize = 64;
const BATCH_WAIT: Duration = Duration::from_millis(150);

/// How a worker's attempt is shown while it works: whose it is, and under which words.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) attempt: AttemptId,
    pub(crate) task: TaskId,
    /// `works`, `checks`, `reviews`.
    pub(crate) verb: &'static str,
}

impl Running {
    /// Carries out an order here. What it reports is in the store when this returns.
    pub(crate) async fn carry(
        self: &Arc<Self>,
        mut order: Order,
        shown: Shown,
    ) -> Result<Outcome, EngineError> {
        let (reports, inbox) = mpsc::unbounded_channel();
        let keeper = tokio::spawn(keep(Arc::clone(self), shown, inbox));
        let (scratch, attempt) = (order.scratch.clone(), order.attempt);
        let passes = ways_out::let_out(&self.engine.gateway, self.spec(), &mut order);
        let outcome = carry_out(order, &self.engine.home.machine, reports).await;
        drop(passes);
        keeper
            .await
            .map_err(|panic| EngineError::Record(format!("reports could not be kept: {panic}")))??;
        // What it left is in the outcome; what it lay in is nobody's any more.
        let _ = tokio::fs::remove_dir_all(&scratch).await;
        if let Some(policy) = &outcome.policy {
            let mut tx = self.engine.home.store.begin().await?;
            attempts::set_policy(&mut tx, attempt, policy).await?;
            tx.commit().await?;
        }
        Ok(outcome)
    }
}

async fn keep(
    running: Arc<Running>,
    shown: Shown,
    mut inbox: mpsc::UnboundedReceiver<Report>,
) -> Result<(), EngineError> {
    let mut reports = Vec::with_capacity(BATCH);
    while inbox.recv_many(&mut reports, BATCH).await > 0 {
        let _ = tokio::time::timeout(BATCH_WAIT, async {
            while reports.len() < BATCH && inbox.recv_many(&mut reports, BATCH).await > 0 {}
        })
        .await;
        for report in &reports {
            running.show(&shown, report).await;
        }
        write(&running, &shown, std::mem::take(&mut reports)).await?;
    }
    Ok(())
}

async fn write(running: &Running, shown: &Shown, reports: Vec<Report>) -> Result<(), EngineError> {
    let mut entries = Vec::new();
    let (mut todo, mut doing) = (None, None);
    for report in reports {
        match report {
            Report::Entry { entry } => entries.push((clock::now(), entry)),
            Report::Todo { items } => todo = Some(items),
            Report::Stage { doing: what } => doing = Some(what),
        }
    }
    let mut tx = running.engine.home.store.begin().await?;
    transcripts::append(&mut tx, shown.attempt, &entries).await?;
    if let Some(todo) = todo {
        attempts::set_todo(&mut tx, shown.attempt, &todo).await?;
    }
    if let Some(doing) = doing {
        attempts::set_doing(&mut tx, shown.attempt, &doing).await?;
    }
    tx.commit().await?;
    Ok(())
}

impl Running {
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
                    loops::text::one_line(about.unwrap_or_default(), 60)
                )
            }
            Report::Entry {
                entry: Entry::Used { .. },
            } => return self.tell_spent().await,
            Report::Entry { .. } => return,
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
