//! Taking people's words away: what one person said, one signal, or whatever is older than the operator wants to keep.
//! Ids, times and figures stay, and so does the ledger, which never held the words.
//!
//! What a run that goes on has read stays until it has ended: it is said, and erasing again takes it.

use std::collections::{BTreeMap, BTreeSet};

use loops::{
    id::{FindingId, ProposalId, RunId},
    time::Timestamp,
};
use serde_json::json;

use super::{EngineError, regroup::triage_of, triage};
use crate::{
    clock,
    config::Retention,
    store::{Store, Tx, derived, handed, proposals, signals, tasks, transcripts, turns},
};

/// How many signals one transaction takes the words of.
const AT_ONCE: u32 = 500;

/// What was taken away, and what is left to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erased {
    /// How many signals lost their words.
    pub signals: u32,
    /// How many tasks lost what agents had made of the words: titles, goals, pages, summaries.
    pub tasks: u32,
    /// How many lines of transcripts and conversations went.
    pub lines: u64,
    /// Runs that have read them and go on; their transcripts stay until then.
    pub going_on: Vec<RunId>,
    /// Proposals whose pages may quote them: what stands on GitHub is not ours to take away.
    pub proposals: Vec<ProposalId>,
}

/// What people's words were erased for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Person,
    Retention,
}

/// Takes the words of signals away, and the transcripts of ended runs that have read them.
///
/// # Errors
/// If the store cannot be written.
pub async fn erase(store: &Store, all: &[signals::Kept]) -> Result<Erased, EngineError> {
    let mut erased = Erased::default();
    let mut findings = BTreeSet::new();
    for part in all.chunks(AT_ONCE as usize) {
        let mut tx = store.begin().await?;
        let old: Vec<signals::Old> = part
            .iter()
            .map(|kept| signals::Old {
                loop_name: kept.loop_name.clone(),
                id: kept.signal.id,
            })
            .collect();
        let (count, touched) = take_away(&mut tx, &old, By::Person).await?;
        tx.commit().await?;
        erased.signals += count;
        findings.extend(touched.into_keys());
    }
    let (mut ended, mut pages) = (BTreeSet::new(), BTreeSet::new());
    for finding in &findings {
        for (run, is_over) in handed::runs_of(store, *finding).await? {
            if is_over {
                ended.insert(run);
            } else if !erased.going_on.contains(&run) {
                erased.going_on.push(run);
            }
        }
        for task in tasks::of_finding(store, *finding).await? {
            pages.extend(proposals::of_task(store, task.task.id).await?.map(|page| page.id));
            erased.tasks += u32::from(forget_task(store, &task).await?);
        }
    }
    for run in ended {
        let mut tx = store.begin().await?;
        erased.lines += transcripts::forget_run(&mut tx, run).await?;
        erased.lines += turns::forget_run(&mut tx, run).await?;
        derived::erase_report(&mut tx, run).await?;
        let data = json!({ "by": "person" });
        tx.record(
            clock::now(),
            "transcript.erased",
            None,
            Some(run),
            &run.to_string(),
            data,
        )
        .await?;
        tx.commit().await?;
    }
    erased.proposals = pages.into_iter().collect();
    Ok(erased)
}

/// Takes away what agents made of people's words for a task, if it is over; whether it had something.
async fn forget_task(store: &Store, task: &tasks::Kept) -> Result<bool, EngineError> {
    let mut tx = store.begin().await?;
    let id = task.task.id;
    if !derived::erase_task(&mut tx, id).await? {
        return Ok(false);
    }
    let (name, data) = (Some(task.loop_name.as_str()), json!({ "by": "person" }));
    tx.record(
        clock::now(),
        "task.erased",
        name,
        Some(task.run),
        &id.to_string(),
        data,
    )
    .await?;
    tx.commit().await?;
    Ok(true)
}

/// Takes away what is older than it is to be kept.
///
/// # Errors
/// If the store cannot be written.
pub async fn sweep(store: &Store, retention: &Retention) -> Result<Erased, EngineError> {
    let now = clock::now();
    let before = |age: std::time::Duration| {
        Timestamp(
            now.0
                .saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)),
        )
    };
    let mut erased = Erased::default();
    if let Some(age) = retention.signals {
        loop {
            let mut tx = store.begin().await?;
            let old = signals::older(&mut tx, before(age), AT_ONCE).await?;
            if old.is_empty() {
                break;
            }
            let (count, _) = take_away(&mut tx, &old, By::Retention).await?;
            tx.commit().await?;
            erased.signals += count;
        }
    }
    if let Some(age) = retention.transcripts {
        let mut tx = store.begin().await?;
        erased.lines += transcripts::forget_old(&mut tx, before(age)).await?;
        erased.lines += turns::forget_old(&mut tx, before(age)).await?;
        if erased.lines > 0 {
            let data = json!({ "by": "retention", "lines": erased.lines });
            tx.record(now, "transcript.erased", None, None, "retention", data)
                .await?;
        }
        tx.commit().await?;
    }
    Ok(erased)
}

/// Takes the words of some signals away, and counts anew what they were evidence of. Gives how many had words, and the
/// findings with their loops.
async fn take_away(
    tx: &mut Tx,
    old: &[signals::Old],
    by: By,
) -> Result<(u32, BTreeMap<FindingId, String>), EngineError> {
    let now = clock::now();
    let mut touched = BTreeMap::new();
    let mut count = 0;
    for one in old {
        let was_in = signals::get(&mut *tx, &one.loop_name, one.id)
            .await?
            .and_then(|kept| kept.finding);
        if !signals::erase(tx, &one.loop_name, one.id, now).await? {
            continue;
        }
        count += 1;
        touched.extend(was_in.map(|finding| (finding, one.loop_name.clone())));
        let data = json!({ "by": if by == By::Person { "person" } else { "retention" } });
        tx.record(
            now,
            "signal.erased",
            Some(&one.loop_name),
            None,
            &one.id.to_string(),
            data,
        )
        .await?;
    }
    for (finding, name) in &touched {
        let weights = triage_of(&mut *tx, name).await?;
        triage::recount(tx, name, *finding, &weights).await?;
    }
    Ok((count, touched))
}
