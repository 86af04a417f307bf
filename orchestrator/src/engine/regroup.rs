//! What a person says of findings: that some are one, that a signal belongs elsewhere, that one is not worth work, that
//! it is after all. It is remembered, wins over any likeness that is found later, and needs no right to drive the loop: a
//! run under way sees it when it looks next.
//!
//! What a run or a proposal has in hand is not changed under it.

use loops::{
    cluster::{Index, Party, Tie, Ties},
    finding::{Event as FindingEvent, FindingState},
    id::{FindingId, SignalId},
    signal::Signal,
    spec::{LoopSpec, Triage},
};
use serde_json::{Value, json};

use super::{EngineError, triage};
use crate::{
    clock,
    store::{
        Reader, Store, Tx,
        findings::{self, Kept, Suppression},
        ledger, loops as loop_rows, signals, splits,
        verdicts::{self, Act, Verdict},
    },
};

/// Who says something, and why.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// Their name, as it is remembered.
    pub who: &'a str,
    /// Their reason.
    pub why: Option<&'a str>,
}

/// Makes findings a part of another one of the same loop; their signals go there, and so does what is like them. Gives
/// the finding that has them now.
///
/// # Errors
/// If one of them is of another loop, or a run or a proposal has it in hand.
pub async fn merge(
    store: &Store,
    into: FindingId,
    from: &[FindingId],
    person: Person<'_>,
) -> Result<FindingId, EngineError> {
    let mut tx = store.begin().await?;
    let target = findings::resolved(&mut tx, into).await?;
    let there = known(&mut tx, target).await?;
    let now = clock::now();
    for id in from {
        let id = findings::resolved(&mut tx, *id).await?;
        if id == target {
            continue;
        }
        let kept = known(&mut tx, id).await?;
        if kept.loop_name != there.loop_name {
            return Err(refused(format!(
                "{} is of the loop `{}` and {} of `{}`; findings of one loop alone can be one",
                id.short(),
                kept.loop_name,
                target.short(),
                there.loop_name
            )));
        }
        is_free(&mut tx, &kept).await?;
        findings::merge(&mut tx, id, target, now).await?;
        tell(
            &mut tx,
            &kept,
            Act::Merge,
            Some(target),
            person,
            json!({ "into": target }),
        )
        .await?;
    }
    let triage = triage_of(&mut tx, &there.loop_name).await?;
    triage::recount(&mut tx, &there.loop_name, target, &triage).await?;
    tx.commit().await?;
    Ok(target)
}

/// Takes signals out of a finding and makes one of their own of them, which is kept apart from then on. Gives the new one.
///
/// # Errors
/// If a signal is not in that finding, if nothing would be left of it, or if a run or a proposal has it in hand.
pub async fn split(
    store: &Store,
    from: FindingId,
    taken: &[SignalId],
    person: Person<'_>,
) -> Result<FindingId, EngineError> {
    let mut tx = store.begin().await?;
    let from = findings::resolved(&mut tx, from).await?;
    let kept = known(&mut tx, from).await?;
    is_free(&mut tx, &kept).await?;
    let all = signals::of_finding(&mut tx, from, triage::MAX_OF_FINDING).await?;
    for id in taken {
        if !all.iter().any(|kept| kept.signal.id == *id) {
            return Err(refused(format!(
                "{} is no signal of {}; `loops show {}` lists those that are",
                id.short(),
                from.short(),
                from.short()
            )));
        }
    }
    let (out, left): (Vec<Signal>, Vec<Signal>) = all
        .into_iter()
        .map(|kept| kept.signal)
        .partition(|signal| taken.contains(&signal.id));
    if out.is_empty() || left.is_empty() {
        return Err(refused(format!(
            "of {} at least one signal must be taken, and one must stay",
            from.short()
        )));
    }
    let now = clock::now();
    let id = clock::id(FindingId::new);
    let name = kept.loop_name.as_str();
    let state = state_of(&out);
    let members: Vec<&Signal> = out.iter().collect();
    findings::insert(
        &mut tx,
        name,
        &triage::blank(id, &state, &members),
        &json!(state),
        now,
    )
    .await?;
    for signal in &out {
        signals::set_finding(&mut tx, name, signal.id, id).await?;
        let split = splits::Split {
            signal: signal.id,
            finding: id,
            apart_from: from,
            at: now,
        };
        splits::say(&mut tx, name, split).await?;
    }
    let made = known(&mut tx, id).await?;
    let data = json!({ "from": from, "signals": taken });
    tell(&mut tx, &made, Act::Split, Some(from), person, data).await?;
    let triage = triage_of(&mut tx, name).await?;
    triage::recount(&mut tx, name, id, &triage).await?;
    // What is left is like itself alone.
    triage::recount_as(&mut tx, name, from, &triage, &state_of(&left)).await?;
    tx.commit().await?;
    Ok(id)
}

/// Refuses a finding; with `kind`, whatever is of its kind.
///
/// # Errors
/// If a proposal or a plan for it waits: that is to be rejected.
pub async fn refuse(
    store: &Store,
    id: FindingId,
    kind: bool,
    person: Person<'_>,
) -> Result<FindingId, EngineError> {
    let mut tx = store.begin().await?;
    let id = findings::resolved(&mut tx, id).await?;
    let kept = known(&mut tx, id).await?;
    if kept.finding.state != FindingState::Refused {
        is_free(&mut tx, &kept).await?;
    }
    let why = person.why.unwrap_or_default();
    findings::refuse(&mut tx, id, why, kind, clock::now()).await?;
    tell(
        &mut tx,
        &kept,
        Act::Refuse,
        None,
        person,
        json!({ "never": kind }),
    )
    .await?;
    tx.commit().await?;
    Ok(id)
}

/// Takes a refusal back, calls a fixed finding open again, or lets one that was looked at in vain be looked at again.
///
/// # Errors
/// If it is being worked on.
pub async fn reopen(store: &Store, id: FindingId, person: Person<'_>) -> Result<FindingId, EngineError> {
    let mut tx = store.begin().await?;
    let id = findings::resolved(&mut tx, id).await?;
    let kept = known(&mut tx, id).await?;
    let now = clock::now();
    match kept.finding.state {
        FindingState::Refused => {
            findings::reopen(&mut tx, id, now).await?;
        }
        state => {
            let after = state.after(FindingEvent::Reopened).ok_or_else(|| {
                refused(format!(
                    "{} is {}, so there is nothing to reopen",
                    id.short(),
                    state.as_str()
                ))
            })?;
            findings::set_state(&mut tx, id, after, now).await?;
            findings::again(&mut tx, id, now).await?;
        }
    }
    tell(
        &mut tx,
        &kept,
        Act::Reopen,
        None,
        person,
        json!({ "was": kept.finding.state }),
    )
    .await?;
    tx.commit().await?;
    Ok(id)
}

fn refused(words: String) -> EngineError {
    EngineError::Record(words)
}

async fn known(from: impl Reader, id: FindingId) -> Result<Kept, EngineError> {
    findings::get(from, id)
        .await?
        .ok_or_else(|| refused(format!("there is no finding {}", id.short())))
}

/// Whether nothing has it in hand.
async fn is_free(tx: &mut Tx, kept: &Kept) -> Result<(), EngineError> {
    let id = kept.finding.id;
    let held = match findings::suppression(&mut *tx, id).await? {
        Some(Suppression::Proposed { proposal }) => Some(format!(
            "the proposal {} for it waits; answer that first (`loops review {}`)",
            proposal.short(),
            proposal.short()
        )),
        Some(Suppression::Planned { task }) => Some(format!(
            "the plan {} for it waits; answer that first (`loops review {}`)",
            task.short(),
            task.short()
        )),
        _ if kept.finding.state == FindingState::Working => {
            Some("a run is working on it; wait for its end, or `loops cancel` it".to_owned())
        }
        _ => None,
    };
    held.map_or(Ok(()), |why| Err(refused(format!("{}: {why}", id.short()))))
}

/// Writes down who said what and why: their words where they can be erased, a digest in the ledger.
async fn tell(
    tx: &mut Tx,
    kept: &Kept,
    act: Act,
    other: Option<FindingId>,
    person: Person<'_>,
    mut data: Value,
) -> Result<(), EngineError> {
    let (id, now) = (kept.finding.id, clock::now());
    let salt: [u8; 16] = rand::random();
    let words = Verdict {
        finding: id,
        at: now,
        act,
        who: person.who.to_owned(),
        why: person.why.map(str::to_owned),
        salt: hex::encode(salt),
        other,
    };
    verdicts::say(tx, &words).await?;
    let said = format!("{}\u{1f}{}", person.who, person.why.unwrap_or_default());
    data["by"] = json!("person");
    data["said"] = json!(ledger::digest(salt, &said));
    let kind = match act {
        Act::Merge => "finding.merged",
        Act::Split => "finding.split",
        Act::Refuse => "finding.refused",
        Act::Reopen => "finding.reopened",
    };
    tx.record(now, kind, Some(&kept.loop_name), None, &id.to_string(), data)
        .await?;
    Ok(())
}

/// What signals that are one have in common, however unlike they are.
fn state_of(signals: &[Signal]) -> String {
    let ties = signals
        .windows(2)
        .map(|pair| Tie::One(Party::Signal(pair[0].id), Party::Signal(pair[1].id)));
    let mut index = Index::default().with_ties(Ties::new(ties));
    index
        .assign(signals)
        .first()
        .and_then(|first| index.state(first.cluster))
        .unwrap_or_default()
}

/// How a loop weighs; of one whose spec an older loops wrote, as one weighs by default.
pub(crate) async fn triage_of(from: impl Reader, loop_name: &str) -> Result<Triage, EngineError> {
    let spec = loop_rows::get(from, loop_name).await?;
    Ok(spec
        .and_then(|known| serde_json::from_value::<LoopSpec>(known.spec).ok())
        .map(|spec| spec.triage)
        .unwrap_or_default())
}
