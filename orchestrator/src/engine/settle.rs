//! Brings the record in line with the world: what people merged by hand, and what a run left half done.

use loops::{finding::Event as FindingEvent, id::RunId, run::RunState};
use serde_json::json;

use super::{EngineError, propose::move_finding};
use crate::{
    clock,
    local::branch::Target,
    store::{
        Store, findings, handed,
        proposals::{self, Proposal, ProposalState},
        tasks,
    },
};

/// Looks whether approved or open proposals were merged by hand, and writes it down. Gives those that were.
///
/// # Errors
/// If the store cannot be read or written. A repository that is gone changes nothing.
pub async fn reconcile(store: &Store, loop_name: &str) -> Result<Vec<Proposal>, EngineError> {
    let mut merged = Vec::new();
    for proposal in proposals::list(store, Some(loop_name), None).await? {
        if !matches!(proposal.state, ProposalState::Open | ProposalState::Approved) {
            continue;
        }
        let key = format!("branch:{}:{}", proposal.id, proposal.attempt);
        let Some(effect) = crate::store::outbox::get(store, &key).await? else {
            continue;
        };
        let effect: super::propose::PutBranch = effect.effect()?;
        let Ok(target) = Target::open(std::path::Path::new(&effect.repository)).await else {
            continue;
        };
        if !target
            .contains(&proposal.base_branch, &proposal.head)
            .await
            .unwrap_or(false)
        {
            continue;
        }
        record_merged(store, &proposal, &proposal.head).await?;
        merged.push(proposal);
    }
    Ok(merged)
}

/// Writes down that a proposal is in the base branch.
pub(crate) async fn record_merged(
    store: &Store,
    proposal: &Proposal,
    commit: &str,
) -> Result<(), EngineError> {
    let now = clock::now();
    let mut tx = store.begin().await?;
    for from in [ProposalState::Open, ProposalState::Approved] {
        proposals::set_state(&mut tx, proposal.id, from, ProposalState::Merged, now).await?;
    }
    for finding in findings_of(store, proposal).await? {
        move_finding(&mut tx, finding, FindingEvent::Fixed).await?;
    }
    let data = json!({ "head": proposal.head, "commit": commit });
    tx.record(
        now,
        "proposal.merged",
        Some(&proposal.loop_name),
        Some(proposal.run),
        &proposal.id.to_string(),
        data,
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

/// The findings that a proposal is for.
pub(crate) async fn findings_of(
    store: &Store,
    proposal: &Proposal,
) -> Result<Vec<loops::id::FindingId>, EngineError> {
    Ok(tasks::get(store, proposal.task)
        .await?
        .map_or_else(|| vec![proposal.finding], |kept| kept.task.findings))
}

/// After a run: findings that it had and did not propose for are free again, and wait for news; proposals that were
/// sent back in vain stand as they stood.
pub(crate) async fn after_run(store: &Store, run: RunId, state: &RunState) -> Result<(), EngineError> {
    let handed = handed::of_run(store, run).await?;
    let revising: Vec<Proposal> = proposals::of_run(store, run)
        .await?
        .into_iter()
        .filter(|p| p.state == ProposalState::Revising)
        .collect();
    let now = clock::now();
    let mut tx = store.begin().await?;
    for proposal in revising
        .iter()
        .filter(|p| state.tasks.get(&p.task).is_none_or(|task| task.step.is_over()))
    {
        proposals::set_state(
            &mut tx,
            proposal.id,
            ProposalState::Revising,
            ProposalState::Open,
            now,
        )
        .await?;
        move_finding(&mut tx, proposal.finding, FindingEvent::Proposed).await?;
    }
    for finding in handed {
        move_finding(&mut tx, finding, FindingEvent::GivenBack).await?;
        findings::set_considered(&mut tx, finding, now).await?;
    }
    tx.commit().await?;
    Ok(())
}
