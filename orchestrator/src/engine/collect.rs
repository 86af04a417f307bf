//! Reads the sources of a loop. What a source gave and how far it was read are written in one transaction, so
//! nothing is read twice and nothing is lost.

use std::path::Path;

use loops::{
    id::RunId,
    run::Event,
    spec::{PathSource, Source},
    text::one_line,
};
use serde_json::json;

use super::{EngineError, Progress, Running};
use crate::{
    clock, local,
    store::{
        Store, cursors, ledger,
        signals::{self, Reading},
    },
};

/// How many unreadable lines are told of; the rest is counted.
const TOLD: usize = 3;

/// What reading a source gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// How many signals were new or edited.
    pub new: u32,
    /// What could not be read, with reasons; the first few, and how many more.
    pub skipped: Vec<String>,
}

impl Running {
    pub(crate) async fn collect(&self) -> Result<(), EngineError> {
        for source in &self.spec().sources {
            let Source::File(file) = source else {
                return Err(EngineError::NotYet("sources other than `file`".to_owned()));
            };
            let (store, name) = (&self.engine.home.store, &self.spec().name);
            let read = take_in(store, name, Some(self.id), file, &self.definition.folder()).await?;
            let source = format!("file:{}", file.path);
            self.tell(Progress::Read {
                source,
                new: read.new,
                skipped: read.skipped,
            });
        }
        self.happen(Event::Collected).await
    }
}

/// Takes in signals for a loop without a run.
///
/// # Errors
/// If the source cannot be read at all.
pub async fn import(
    store: &Store,
    loop_name: &str,
    source: &PathSource,
    folder: &Path,
) -> Result<Read, EngineError> {
    take_in(store, loop_name, None, source, folder).await
}

async fn take_in(
    store: &Store,
    name: &str,
    run: Option<RunId>,
    file: &PathSource,
    folder: &Path,
) -> Result<Read, EngineError> {
    let source = format!("file:{}", file.path);
    let cursor = cursors::get(store, name, &source).await?;
    let batch = {
        let (file, folder, cursor) = (file.clone(), folder.to_owned(), cursor.clone());
        // Large exports take a while to read, and reading files waits.
        tokio::task::spawn_blocking(move || local::read(&file, &folder, cursor.as_deref()))
            .await
            .map_err(|panic| EngineError::Record(panic.to_string()))?
            .map_err(|error| EngineError::Source {
                source_name: source.clone(),
                why: error.to_string(),
            })?
    };
    let mut new = 0;
    if !batch.signals.is_empty() || cursor.as_deref() != Some(&batch.cursor) {
        let now = clock::now();
        let mut tx = store.begin().await?;
        for signal in &batch.signals {
            let salt = rand::random();
            let edition = match signals::upsert(&mut tx, name, signal, salt, now).await? {
                Reading::New => "new",
                Reading::Edited { .. } => "edited",
                Reading::Refreshed { .. } | Reading::Unchanged => continue,
            };
            new += 1;
            let data =
                json!({ "reading": edition, "source": source, "words": ledger::digest(salt, &signal.text) });
            tx.record(now, "signal.read", Some(name), run, &signal.id.to_string(), data)
                .await?;
        }
        cursors::put(&mut tx, name, &source, &batch.cursor, now).await?;
        tx.commit().await?;
    }
    let mut skipped: Vec<String> = batch
        .skipped
        .iter()
        .take(TOLD)
        .map(|skip| format!("{}: {}", one_line(&skip.place, 120), one_line(&skip.why, 160)))
        .collect();
    if batch.skipped.len() > TOLD {
        skipped.push(format!("and {} more", batch.skipped.len() - TOLD));
    }
    Ok(Read { new, skipped })
}
