//! Keeps the lead agent's conversation message by message, and its transcript.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use loops::{budget::Usage, id::AttemptId, text::one_line};
use workers::{
    agent::{Keeper, messages::Message},
    order::Entry,
};

use crate::{
    clock,
    engine::{EngineError, Progress, Running},
    store::{StoreError, transcripts, turns},
};

/// Keeps one run's lead conversation.
pub(super) struct LeadKeeper {
    running: Arc<Running>,
    attempt: AttemptId,
    kept: AtomicU32,
    /// Lines of the transcript that wait for the next message to be kept with.
    lines: Mutex<Vec<(loops::time::Timestamp, Entry)>>,
}

impl LeadKeeper {
    /// A keeper of a conversation of which `kept` messages are in the store.
    pub(super) fn new(running: &Arc<Running>, attempt: AttemptId, kept: usize) -> Self {
        Self {
            running: Arc::clone(running),
            attempt,
            kept: AtomicU32::new(u32::try_from(kept).unwrap_or(u32::MAX)),
            lines: Mutex::default(),
        }
    }

    /// Keeps what the session begins with.
    pub(super) async fn keep_first(&self, message: &Message) -> Result<(), EngineError> {
        self.entry(Entry::Told {
            text: message.words(),
        });
        Ok(self.write(message).await?)
    }

    /// Writes what is left of the transcript.
    pub(super) async fn flush(&self) -> Result<(), EngineError> {
        let lines = self.take();
        let mut tx = self.running.engine.home.store.begin().await?;
        transcripts::append(&mut tx, self.attempt, &lines).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn write(&self, message: &Message) -> Result<(), StoreError> {
        let number = self.kept.fetch_add(1, Ordering::Relaxed) + 1;
        let lines = self.take();
        let mut tx = self.running.engine.home.store.begin().await?;
        turns::append(&mut tx, self.running.id, number, message, clock::now()).await?;
        transcripts::append(&mut tx, self.attempt, &lines).await?;
        tx.commit().await
    }

    fn take(&self) -> Vec<(loops::time::Timestamp, Entry)> {
        std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Keeper for LeadKeeper {
    async fn keep(&self, message: &Message, _usage: Option<&Usage>) -> Result<(), String> {
        self.write(message).await.map_err(|error| error.to_string())
    }

    fn entry(&self, entry: Entry) {
        match &entry {
            Entry::Called { tool, input } => {
                let about = ["finding", "path", "pattern", "title", "task"]
                    .iter()
                    .find_map(|key| input.get(key)?.as_str());
                let doing = format!("{tool} {}", one_line(about.unwrap_or_default(), 60));
                self.running.tell(Progress::Lead {
                    doing: doing.trim_end().to_owned(),
                });
            }
            Entry::Said { text } => self.running.tell(Progress::Lead {
                doing: one_line(text, 100),
            }),
            Entry::Used { .. } => self.running.spent_soon(),
            _ => {}
        }
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((clock::now(), entry));
    }
}
