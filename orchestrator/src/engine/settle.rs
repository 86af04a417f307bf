//! Brings the record in line with the world: what people merged by hand, and what a run left half done.

use std::collections::BTreeSet;

use loops::{
    finding::Event as FindingEvent,
    id::{FindingId, RunId},
    run::{End, Event, RunState, Step, Why},
};
use serde_json::json;

use super::{
    EngineError, Place,
    propose::{move_finding, repository_of},
    talk,
};
use crate::{
    clock,
    local::branch::Target,
    store::{
        Reader, Store, Tx, attempts,
        findings::{self, Suppression},
        handed, orders,
        proposals::{self, Proposal, ProposalState},
        runs, tasks, ticks,
    },
};

/// Looks whether approved or open proposals in folders were merged by hand, and writes it down. Gives those that were.
///
/// # Errors
/// If the store cannot be read or written. A repository that is gone changes nothing.
pub async fn reconcile(store: &Store, loop_name: &str) -> Result<Vec<Proposal>, EngineError> {
    let mut merged = Vec::new();
    for proposal in proposals::list(store, Some(loop_name), None).await? {
        if !matches!(proposal.state, ProposalState::Open | ProposalState::Approved) {
            continue;
        }
        let Ok(repository) = repository_of(store, &proposal).await else {
            continue;
        };
        let Place::Folder(folder) = Place::parse(&repository) else {
            continue;
        };
        let Ok(target) = Target::open(&folder).await else {
            continue;
        };
        if !target
            .contains(&proposal.base_branch, &proposal.head)
            .await
            .unwrap_or(false)
        {
            continue;
        }
        let mut tx = store.begin().await?;
        record_merged(&mut tx, &proposal, &proposal.head).await?;
        tx.commit().await?;
        merged.push(proposal);
    }
    Ok(merged)
}

/// Writes down that a proposal is in the base branch.
pub(crate) async fn record_merged(tx: &mut Tx, proposal: &Proposal, commit: &str) -> Result<(), EngineError> {
    let now = clock::now();
    use ProposalState::{Approved, Open, Preparing, Revising};
    for from in [Preparing, Open, Revising, Approved] {
        proposals::set_state(tx, proposal.id, from, ProposalState::Merged, now).await?;
    }
    for finding in findings_of(&mut *tx, proposal).await? {
        move_finding(tx, finding, FindingEvent::Fixed).await?;
    }
    let data = json!({ "head": proposal.head, "commit": commit });
    let (name, run) = (&proposal.loop_name, proposal.run);
    tx.record(
        now,
        "proposal.merged",
        Some(name),
        Some(run),
        &proposal.id.to_string(),
        data,
    )
    .await?;
    Ok(())
}

/// The findings that a proposal is for.
pub(crate) async fn findings_of(
    from: impl Reader,
    proposal: &Proposal,
) -> Result<Vec<FindingId>, EngineError> {
    Ok(tasks::get(from, proposal.task)
        .await?
        .map_or_else(|| vec![proposal.finding], |kept| kept.task.findings))
}

/// At a run's end, in the step that ends it: findings that it had and did not propose for are free again, and those
/// that it came to a conclusion about wait for news; proposals that were sent back in vain stand as they stood.
pub(super) async fn at_the_end(tx: &mut Tx, run: RunId, state: &RunState) -> Result<(), EngineError> {
    let handed = handed::of_run(&mut *tx, run).await?;
    let tasks = tasks::of_run(&mut *tx, run).await?;
    let worked: Vec<(Step, &[FindingId])> = tasks
        .iter()
        .filter_map(|kept| {
            Some((
                state.tasks.get(&kept.task.id)?.step,
                kept.task.findings.as_slice(),
            ))
        })
        .collect();
    let open = unconcluded(state.end(), &handed, &worked);
    let now = clock::now();
    for proposal in proposals::of_run(&mut *tx, run).await? {
        let over = state
            .tasks
            .get(&proposal.task)
            .is_none_or(|task| task.step.is_over());
        if proposal.state == ProposalState::Revising && over {
            proposals::set_state(tx, proposal.id, ProposalState::Revising, ProposalState::Open, now).await?;
            move_finding(tx, proposal.finding, FindingEvent::Proposed).await?;
            let why = match state.tasks.get(&proposal.task).map(|task| task.step) {
                Some(Step::Failed(why)) => why.words(),
                Some(Step::Cancelled) => "it was stopped",
                _ => "the run ended before it",
            };
            talk::came_to_nothing(tx, &proposal, why).await?;
        }
    }
    for finding in handed {
        if let Some(Suppression::Planned { .. }) = findings::suppression(&mut *tx, finding).await? {
            // Its plan waits: it stays taken up.
            continue;
        }
        move_finding(tx, finding, FindingEvent::GivenBack).await?;
        if !open.contains(&finding) {
            findings::set_considered(tx, finding, now).await?;
        }
    }
    Ok(())
}

/// The findings that the run came to no conclusion about, because something was in its way: no model, no sandbox, no
/// money. The next run takes them up again without waiting for news; nobody has looked at them in vain.
fn unconcluded(
    end: Option<End>,
    handed: &[FindingId],
    worked: &[(Step, &[FindingId])],
) -> BTreeSet<FindingId> {
    let of = |wanted: fn(Step) -> bool| -> BTreeSet<FindingId> {
        worked
            .iter()
            .filter(|(step, _)| wanted(*step))
            .flat_map(|(_, findings)| findings.iter().copied())
            .collect()
    };
    let hindered = of(|step| {
        matches!(
            step,
            Step::Cancelled | Step::Failed(Why::CouldNotRun | Why::NotReviewed)
        )
    });
    let tried = of(|_| true);
    let cut_short = !matches!(end, Some(End::Done | End::NothingToDo));
    handed
        .iter()
        .copied()
        .filter(|finding| hindered.contains(finding) || (cut_short && !tried.contains(finding)))
        .collect()
}

/// Says that somebody wants a run stopped. Whoever drives it sees that within a second; false: it has ended already.
///
/// # Errors
/// If the store cannot be written.
pub async fn cancel(store: &Store, id: RunId) -> Result<bool, EngineError> {
    let now = clock::now();
    let mut tx = store.begin().await?;
    let asked = runs::cancel(&mut tx, id, now).await?;
    if asked {
        tx.record(
            now,
            "run.cancel_asked",
            None,
            Some(id),
            &id.to_string(),
            json!({}),
        )
        .await?;
    }
    tx.commit().await?;
    Ok(asked)
}

/// Ends a cancelled run that nobody drives. The caller holds the state's lock.
///
/// # Errors
/// If the store cannot be read or written.
pub async fn end_cancelled(store: &Store, id: RunId) -> Result<(), EngineError> {
    let Some(run) = runs::get(store, id).await?.filter(|run| run.ended_at.is_none()) else {
        return Ok(());
    };
    let event = Event::Stopped { end: End::Cancelled };
    let (state, _) = run.state::<RunState>()?.decide(&event);
    let now = clock::now();
    let mut tx = store.begin().await?;
    tx.record(
        now,
        event.kind(),
        Some(&run.loop_name),
        Some(id),
        &id.to_string(),
        json!(event),
    )
    .await?;
    for (task, run) in &state.tasks {
        tasks::set_state(&mut tx, *task, run.step.as_str(), None, now).await?;
    }
    orders::lease::cancel_run(&mut tx, id, now).await?;
    attempts::lose_running(&mut tx, id, now).await?;
    ticks::end_of_run(
        &mut tx,
        id,
        ticks::Receipt::Skipped,
        Some(End::Cancelled.as_str()),
    )
    .await?;
    at_the_end(&mut tx, id, &state).await?;
    runs::save(&mut tx, id, &state, state.phase.as_str(), Some(now)).await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_could_not_look_at_is_taken_up_by_the_next_one() {
        let [a, b, c] = ["a", "b", "c"].map(FindingId::named);
        let handed = [a, b, c];
        let (no_model, no_proof) = (Step::Failed(Why::CouldNotRun), Step::Failed(Why::NotProven));
        let open = |end, worked: &[(Step, &[FindingId])]| unconcluded(Some(end), &handed, worked);
        assert_eq!(
            open(End::Failed, &[]),
            BTreeSet::from(handed),
            "the lead agent had no model"
        );
        assert_eq!(
            open(End::OutOfBudget, &[(no_proof, &[a])]),
            BTreeSet::from([b, c]),
            "the money ended before them"
        );
        assert_eq!(
            open(End::Done, &[(no_model, &[a, b])]),
            BTreeSet::from([a, b]),
            "the workers had none"
        );
    }

    #[test]
    fn what_a_run_has_looked_at_waits_for_news() {
        let [a, b] = ["a", "b"].map(FindingId::named);
        let worked: &[(Step, &[FindingId])] = &[
            (Step::Failed(Why::NotProven), &[a]),
            (Step::Failed(Why::OutOfBudget), &[b]),
        ];
        assert!(
            unconcluded(Some(End::Done), &[a, b], &[]).is_empty(),
            "the lead agent dismissed both"
        );
        assert!(unconcluded(Some(End::Done), &[a, b], worked).is_empty());
        assert!(
            unconcluded(Some(End::OutOfBudget), &[a, b], worked).is_empty(),
            "it would cost the same again"
        );
    }
}
