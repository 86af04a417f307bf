//! Keeping what a source gave or told, in one transaction with whatever says so. It reads no source.

use std::collections::{BTreeMap, BTreeSet};

use loops::{
    id::{FindingId, RunId, SignalId},
    redact::Redaction,
    signal::Signal,
    spec::{LoopSpec, Triage},
    time::Timestamp,
};
use serde_json::json;

use super::super::{EngineError, triage::recount};
use crate::{
    clock,
    source::Batch,
    store::{
        Tx, ledger,
        signals::{self, Reading},
    },
};

/// What is done with signals as they come in.
pub(in super::super) struct Rules<'a> {
    redaction: Redaction,
    triage: &'a Triage,
    /// Whether they were told of by themselves. What was told may be late: of the same moment, what was read counts.
    told: bool,
}

impl<'a> Rules<'a> {
    pub(in super::super) fn of(spec: &'a LoopSpec) -> Result<Self, EngineError> {
        Ok(Self {
            redaction: Redaction::new(&spec.redact).map_err(EngineError::Record)?,
            triage: &spec.triage,
            told: false,
        })
    }

    /// The same, for what was told and not read.
    pub(in super::super) fn told(self) -> Self {
        Self { told: true, ..self }
    }
}

/// Keeps what a batch brought, and counts anew what it took from findings. Gives how many signals were new or edited.
pub(in super::super) async fn keep_in(
    tx: &mut Tx,
    name: &str,
    run: Option<RunId>,
    source: &str,
    batch: &Batch,
    rules: &Rules<'_>,
) -> Result<u32, EngineError> {
    let now = clock::now();
    let mut new = 0;
    let mut touched = BTreeSet::new();
    for signal in &batch.signals {
        let changed = batch.changed.get(&signal.id).copied();
        if let Some(changed) = changed
            && !signals::advance(tx, name, signal.id, changed, rules.told).await?
        {
            continue;
        }
        // Before anything of it is kept.
        let signal = rules.redaction.apply(signal);
        let signal = &*signal;
        let with_reactions = match batch.silent.contains(&signal.id) {
            true => with_known_reactions(tx, name, signal).await?,
            false => None,
        };
        let signal = with_reactions.as_ref().unwrap_or(signal);
        let salt = rand::random();
        let edition = match signals::upsert(tx, name, signal, salt, now).await? {
            Reading::New => {
                if let Some(changed) = changed {
                    signals::advance(tx, name, signal.id, changed, false).await?;
                }
                "new"
            }
            Reading::Edited { was_in } => {
                touched.extend(was_in);
                "edited"
            }
            Reading::Refreshed { finding } => {
                touched.extend(finding);
                continue;
            }
            Reading::Unchanged => continue,
        };
        new += 1;
        let data =
            json!({ "reading": edition, "source": source, "words": ledger::digest(salt, &signal.text) });
        tx.record(now, "signal.read", Some(name), run, &signal.id.to_string(), data)
            .await?;
    }
    for id in taken_away(tx, name, batch, now).await? {
        let was_in = signals::get(&mut *tx, name, id)
            .await?
            .and_then(|kept| kept.finding);
        if signals::erase(tx, name, id, now).await? {
            touched.extend(was_in);
            let data = json!({ "source": source });
            tx.record(now, "signal.erased", Some(name), run, &id.to_string(), data)
                .await?;
        }
    }
    count_anew(tx, name, touched, rules.triage).await?;
    Ok(new)
}

async fn count_anew(
    tx: &mut Tx,
    name: &str,
    touched: BTreeSet<FindingId>,
    triage: &Triage,
) -> Result<(), EngineError> {
    for finding in touched {
        recount(tx, name, finding, triage).await?;
    }
    Ok(())
}

/// Everything that is not there any more, by what the batch says.
async fn taken_away(
    tx: &mut Tx,
    name: &str,
    batch: &Batch,
    now: Timestamp,
) -> Result<Vec<SignalId>, EngineError> {
    let mut deleted = batch.deleted.clone();
    for gone in &batch.gone {
        deleted.push(signals::bury(tx, name, gone, now).await?);
    }
    let read: BTreeSet<SignalId> = batch.signals.iter().map(|signal| signal.id).collect();
    for stretch in &batch.whole {
        let known = signals::in_stretch(&mut *tx, name, stretch).await?;
        let gone = known
            .iter()
            .filter(|known| stretch.misses(&known.external_id, known.thread.as_deref()))
            // What was read a moment later is there.
            .filter(|known| !read.contains(&known.id));
        deleted.extend(gone.map(|known| known.id));
    }
    Ok(deleted)
}

/// The signal with the reactions that are known of it; none: none are.
async fn with_known_reactions(
    tx: &mut Tx,
    name: &str,
    signal: &Signal,
) -> Result<Option<Signal>, EngineError> {
    let known: Option<BTreeMap<String, u32>> = signals::get(&mut *tx, name, signal.id)
        .await?
        .map(|kept| kept.signal.reactions);
    Ok(known.map(|reactions| Signal {
        reactions,
        ..signal.clone()
    }))
}
