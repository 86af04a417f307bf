//! Which loops are served: what specs say, and since when. It starts nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use loops::{
    schedule::{next_due, overdue},
    spec::LoopSpec,
    time::Timestamp,
};
use serde_json::Value;

use super::{Broken, Definition, EngineError, Served, Service, Word};
use crate::{
    clock,
    store::{
        Tx,
        loops::{self as loop_rows, Head},
    },
};

impl Service<'_> {
    /// Takes in what has changed in the specs; nothing, if nothing has.
    pub(super) async fn look_at_specs(&mut self) -> Result<(), EngineError> {
        let (definitions, wrong) = match self.unread.take() {
            Some(specs) => specs,
            None => {
                let Some((definitions, wrong)) = (self.specs)() else {
                    return Ok(());
                };
                for broken in &wrong {
                    (self.tell)(Word::Broken(broken.words.clone()));
                }
                (definitions, wrong)
            }
        };
        let looked = self.take_note(&definitions, &wrong).await;
        if looked.is_err() {
            // They are given only once.
            self.unread = Some((definitions, wrong));
        }
        looked
    }

    async fn take_note(&mut self, definitions: &[Definition], wrong: &[Broken]) -> Result<(), EngineError> {
        let unknown: Vec<Definition> = definitions
            .iter()
            .filter(|definition| !self.is_as_it_was(definition))
            .cloned()
            .collect();
        let rows: BTreeMap<String, Head> = loop_rows::heads(&self.engine.home.store)
            .await?
            .into_iter()
            .map(|head| (head.name.clone(), head))
            .collect();
        let now = clock::now();
        let mut tx = self.engine.home.store.begin().await?;
        self.let_go(&mut tx, definitions, wrong, &rows).await?;
        let mut counted = Vec::with_capacity(unknown.len());
        for definition in unknown {
            let row = rows.get(&definition.spec.name);
            let since = remember(&mut tx, &definition, row, now).await?;
            let last = row
                .and_then(|row| row.last_tick)
                .map_or(since, |last| last.max(since));
            counted.push((definition, last));
        }
        tx.commit().await?;
        for (definition, last) in counted {
            self.take_in(definition, last, now);
        }
        Ok(())
    }

    fn is_as_it_was(&self, definition: &Definition) -> bool {
        self.loops
            .get(definition.spec.name.as_str())
            .is_some_and(|served| {
                served.definition.version == definition.version && served.definition.path == definition.path
            })
    }

    /// Loops whose specs are gone are not served any more, and nobody is to miss their ticks.
    async fn let_go(
        &mut self,
        tx: &mut Tx,
        definitions: &[Definition],
        wrong: &[Broken],
        rows: &BTreeMap<String, Head>,
    ) -> Result<(), EngineError> {
        let there: BTreeSet<&str> = definitions
            .iter()
            .map(|definition| definition.spec.name.as_str())
            .collect();
        let broken: BTreeSet<String> = wrong
            .iter()
            .map(|broken| broken.path.display().to_string())
            .collect();
        for row in rows.values() {
            let stays = there.contains(row.name.as_str()) || broken.contains(&row.path);
            if row.served_since.is_some() && !stays {
                loop_rows::serve(tx, &row.name, None).await?;
            }
        }
        self.loops.retain(|name, served| {
            let stays =
                there.contains(&**name) || broken.contains(&served.definition.path.display().to_string());
            served.gone = !stays;
            stays || served.running.is_some()
        });
        let loops = &self.loops;
        self.agenda
            .retain(|at, name| loops.get(name).is_some_and(|served| served.look_at == at));
        Ok(())
    }

    fn take_in(&mut self, definition: Definition, last: Timestamp, now: Timestamp) {
        let name: Arc<str> = definition.spec.name.as_str().into();
        // After the clock was set back a last receipt may lie ahead; ticks that have receipts are not run again.
        let last = last.min(now);
        let schedule = definition.spec.schedule.as_ref();
        let known = self.loops.get(&name);
        if known.is_none()
            && let Some(overdue) = schedule.and_then(|schedule| overdue(schedule, &name, last, now))
        {
            (self.tell)(Word::Overdue(name.to_string(), overdue));
        }
        if known.is_none_or(|served| served.definition.version != definition.version) {
            let next = schedule.and_then(|schedule| next_due(schedule, &name, now));
            (self.tell)(Word::Loop(name.to_string(), next));
        }
        let before = self.loops.remove(&name);
        let interrupted = before.as_ref().and_then(|before| before.interrupted);
        let served = Served {
            definition,
            ended_at: before.as_ref().map_or(Timestamp(0), |before| before.ended_at),
            waited_since: before.as_ref().and_then(|before| before.waited_since),
            running: before.and_then(|before| before.running),
            last,
            look_at: now,
            plans_at: Timestamp(0),
            interrupted,
            gone: false,
        };
        self.loops.insert(Arc::clone(&name), served);
        self.agenda.put(now, &name);
    }
}

/// Writes down a loop's spec; since when its schedule counts. One that was changed begins with the change: what it
/// would have done before is nobody's wish.
async fn remember(
    tx: &mut Tx,
    definition: &Definition,
    row: Option<&Head>,
    now: Timestamp,
) -> Result<Timestamp, EngineError> {
    let spec = &*definition.spec;
    let path = definition.path.display().to_string();
    let mut since = row.and_then(|row| row.served_since);
    if row.is_none_or(|row| row.version != definition.version || row.path != path) {
        let value = serde_json::to_value(spec).map_err(|error| EngineError::Record(error.to_string()))?;
        let before = loop_rows::get(&mut *tx, &spec.name).await?;
        if before.is_none_or(|before| is_due_at_other_times(&before.spec, spec)) {
            since = None;
        }
        loop_rows::upsert(tx, &spec.name, &definition.version, &value, &path, now).await?;
    }
    loop_rows::belong(tx, &spec.name, definition.repository.as_deref()).await?;
    if since.is_none() {
        loop_rows::serve(tx, &spec.name, Some(now)).await?;
    }
    Ok(since.unwrap_or(now))
}

fn is_due_at_other_times(before: &Value, spec: &LoopSpec) -> bool {
    let Ok(after) = serde_json::to_value(&spec.schedule) else {
        return true;
    };
    ["every", "cron", "timezone"]
        .iter()
        .any(|key| before["schedule"].get(key) != after.get(key))
}
