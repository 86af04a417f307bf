//! Ends orders, as many in one transaction as came while the last one was under way. Nobody waits for others to come, so a
//! lone order ends as quickly as without; when many end at once, they share one wait for the disk.
//!
//! Whoever finds nobody at the desk serves the queue; whoever was dropped while it did leaves it to the next. One that
//! cannot be written does not take the others along: then each is written by itself.

use std::sync::{Arc, Mutex, PoisonError};

use ::loops::{id::AttemptId, time::Timestamp};
use serde_json::Value;
use tokio::sync::oneshot;

use super::lease;
use crate::store::{Store, StoreError, attempts, packs, wake::Word};

/// What became of an order, by the token of who carried it out.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Its attempt.
    pub attempt: AttemptId,
    /// What its holder names itself by.
    pub token: i64,
    /// What became of it, as JSON.
    pub outcome: String,
    /// The tree that it left, and the pack of what is new in it.
    pub change: Option<(String, Vec<u8>)>,
    /// What held of the sandbox's policy, as JSON.
    pub policy: Option<Value>,
    /// When.
    pub at: Timestamp,
}

/// Whether an order was still its holder's, and is ended.
type Answer = Result<bool, StoreError>;

/// Where a process ends its orders.
#[derive(Debug)]
pub struct Desk {
    store: Store,
    queue: Mutex<Vec<(Arc<Ended>, oneshot::Sender<Answer>)>>,
    turn: tokio::sync::Mutex<()>,
}

impl Desk {
    /// A desk on this store.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            queue: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Writes down what became of an order. False: the lease was lost, and nothing is written.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn end(&self, ended: Ended) -> Answer {
        let ended = Arc::new(ended);
        loop {
            let (sender, mut mine) = oneshot::channel();
            self.queue().push((Arc::clone(&ended), sender));
            let _turn = self.turn.lock().await;
            match mine.try_recv() {
                Ok(answer) => return answer,
                // Who served us was dropped before the end: nothing is written.
                Err(oneshot::error::TryRecvError::Closed) => continue,
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
            let queue = std::mem::take(&mut *self.queue());
            let (all, senders): (Vec<_>, Vec<_>) = queue.into_iter().unzip();
            for (sender, answer) in senders.into_iter().zip(self.serve(&all).await) {
                // Who asked may have been dropped since.
                let _ = sender.send(answer);
            }
            if let Ok(answer) = mine.try_recv() {
                return answer;
            }
        }
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Vec<(Arc<Ended>, oneshot::Sender<Answer>)>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, all: &[Arc<Ended>]) -> Vec<Answer> {
        match self.write(all).await {
            Ok(ours) => ours.into_iter().map(Ok).collect(),
            Err(error) if all.len() == 1 => vec![Err(error)],
            Err(error) => {
                tracing::info!(orders = all.len(), %error, "orders that end together are ended one by one");
                let mut answers = Vec::with_capacity(all.len());
                for one in all {
                    let written = self.write(std::slice::from_ref(one)).await;
                    answers.push(written.map(|ours| ours.contains(&true)));
                }
                answers
            }
        }
    }

    async fn write(&self, all: &[Arc<Ended>]) -> Result<Vec<bool>, StoreError> {
        let rows: Vec<_> = all
            .iter()
            .map(|one| (one.attempt, one.token, one.outcome.as_str()))
            .collect();
        let mut tx = self.store.begin_beside().await?;
        let done = lease::done_all(&mut tx, &rows).await?;
        let ours: Vec<bool> = all
            .iter()
            .map(|one| done.contains(&(one.attempt, one.token)))
            .collect();
        for (one, _) in all.iter().zip(&ours).filter(|(_, ours)| **ours) {
            if let Some((tree, pack)) = &one.change {
                packs::put(&mut tx, &packs::of_change(tree), pack, one.at).await?;
            }
            if let Some(policy) = &one.policy {
                attempts::set_policy(&mut tx, one.attempt, policy).await?;
            }
        }
        let words: Vec<Word> = done.iter().map(|(attempt, _)| Word::Ended(*attempt)).collect();
        tx.say_all(&words).await?;
        tx.commit().await?;
        Ok(ours)
    }
}
