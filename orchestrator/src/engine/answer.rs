//! What a person said of a proposal, carried out: merged, sent back, or refused and remembered.
//!
//! A local merge moves a branch only where nothing is checked out on it, and in one step or not at all. A base that has moved
//! since the proof makes the merge another change, so it is proven again before it counts.

mod again;

use loops::{
    evidence::Evidence,
    finding::Event as FindingEvent,
    id::{DecisionId, RunId},
    run::{Event, RunState},
};
use serde_json::json;
use workers::git::Mirror;

use self::again::merge_again;
use super::{
    Definition, EngineError, Home,
    propose::{PutBranch, move_finding},
    settle::{findings_of, record_merged},
};
use crate::{
    clock,
    local::branch::Target,
    store::{
        Tx,
        decisions::{self, Decision, Said},
        findings, outbox,
        proposals::{self, Proposal, ProposalState},
        runs, tasks,
    },
};

/// What a person says of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Merge it.
    Approve,
    /// Another attempt, with these words.
    Revise(String),
    /// No.
    Reject {
        /// Why.
        reason: String,
        /// Nothing of this kind again.
        never: bool,
    },
}

/// What became of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answered {
    /// It is in the base branch.
    Merged {
        /// The commit that the base branch is on now.
        commit: String,
        /// What was found out about the merge, if the base had moved and it was proven again.
        proven_again: Vec<Evidence>,
    },
    /// It is approved, but the branch is checked out: a person merges it.
    Command {
        /// Why we do not.
        why: String,
        /// What to type.
        command: String,
    },
    /// The base has moved, and the change does not hold on it.
    DoesNotHold {
        /// In words.
        why: String,
        /// What was found out.
        evidence: Vec<Evidence>,
    },
    /// The run is open again, with another attempt to make.
    SentBack(RunId),
    /// It is refused, and its finding with it.
    Refused {
        /// Whether its branch was taken away.
        branch_removed: bool,
    },
}

/// Carries out what `who` said of a proposal.
///
/// # Errors
/// If the proposal is not open, or its branch was moved by somebody else.
pub async fn answer(
    home: &Home,
    definition: Option<&Definition>,
    proposal: &Proposal,
    answer: &Answer,
    who: &str,
) -> Result<Answered, EngineError> {
    if !matches!(proposal.state, ProposalState::Open | ProposalState::Approved) {
        return Err(EngineError::Record(format!(
            "{} is {}, so there is nothing to answer",
            proposal.id.short(),
            proposal.state.as_str()
        )));
    }
    match answer {
        Answer::Approve => approve(home, definition, proposal, who).await,
        Answer::Revise(words) => revise(home, proposal, words, who).await,
        Answer::Reject { reason, never } => reject(home, proposal, reason, *never, who).await,
    }
}

async fn target(home: &Home, proposal: &Proposal) -> Result<(Target, PutBranch), EngineError> {
    let key = format!("branch:{}:{}", proposal.id, proposal.attempt);
    let effect = outbox::get(&home.store, &key).await?.ok_or_else(|| {
        EngineError::Record(format!(
            "{} was never brought to a repository",
            proposal.id.short()
        ))
    })?;
    let effect: PutBranch = effect.effect()?;
    Ok((
        Target::open(std::path::Path::new(&effect.repository)).await?,
        effect,
    ))
}

async fn approve(
    home: &Home,
    definition: Option<&Definition>,
    proposal: &Proposal,
    who: &str,
) -> Result<Answered, EngineError> {
    let (target, effect) = target(home, proposal).await?;
    let found = target.head(&proposal.branch).await?;
    if found.as_deref() != Some(&proposal.head) {
        return Err(EngineError::Record(format!(
            "branch `{}` is not what was proven ({} was): somebody else has moved it",
            proposal.branch,
            &proposal.head[..12.min(proposal.head.len())]
        )));
    }
    if target.contains(&proposal.base_branch, &proposal.head).await? {
        merged(home, proposal, &proposal.head, who).await?;
        return Ok(Answered::Merged {
            commit: proposal.head.clone(),
            proven_again: Vec::new(),
        });
    }
    if let Some(at) = target.checked_out(&proposal.base_branch).await? {
        let mut tx = home.store.begin().await?;
        decide(&mut tx, proposal, Said::Approve, None, who).await?;
        let (open, approved) = (ProposalState::Open, ProposalState::Approved);
        proposals::set_state(&mut tx, proposal.id, open, approved, clock::now()).await?;
        tx.commit().await?;
        return Ok(Answered::Command {
            why: format!(
                "`{}` is checked out in `{at}`, and a checked-out tree is yours alone",
                proposal.base_branch
            ),
            command: format!("git -C {} merge {}", quoted(&at), proposal.branch),
        });
    }
    let mirror = home.mirror(&effect.repository);
    let base = Mirror::update(&effect.repository, &mirror, &proposal.base_branch).await?;
    let (commit, proven_again) = if base == proposal.base {
        (proposal.head.clone(), Vec::new())
    } else {
        match merge_again(home, definition, proposal, &effect, &base).await? {
            Ok(merged) => merged,
            Err(no) => return Ok(no),
        }
    };
    target.bring(&mirror, &commit).await?;
    target.move_to(&proposal.base_branch, &commit, &base).await?;
    merged(home, proposal, &commit, who).await?;
    Ok(Answered::Merged { commit, proven_again })
}

/// Writes down, in one step, that `who` approved and that the base branch has it.
async fn merged(home: &Home, proposal: &Proposal, commit: &str, who: &str) -> Result<(), EngineError> {
    let mut tx = home.store.begin().await?;
    decide(&mut tx, proposal, Said::Approve, None, who).await?;
    record_merged(&mut tx, proposal, commit).await?;
    tx.commit().await?;
    Ok(())
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}

async fn revise(home: &Home, proposal: &Proposal, words: &str, who: &str) -> Result<Answered, EngineError> {
    let store = &home.store;
    let run = runs::get(store, proposal.run)
        .await?
        .ok_or_else(|| EngineError::Record(format!("{} is not in the store", proposal.run)))?;
    if let Some(other) = runs::open_run(store, &proposal.loop_name)
        .await?
        .filter(|other| other.id != run.id)
    {
        return Err(EngineError::Record(format!(
            "{} of the same loop is under way; answer when it has ended",
            other.id.short()
        )));
    }
    // Another attempt is made on the base as it is now: else what has come to conflict would do so for ever. A run that
    // is still open keeps its base, which others of its tasks work on.
    let (_, effect) = target(home, proposal).await?;
    let mirror = home.mirror(&effect.repository);
    let base = Mirror::update(&effect.repository, &mirror, &proposal.base_branch).await?;
    let state: RunState = run.state()?;
    let (state, _) = state.decide(&Event::SentBack { task: proposal.task });
    let now = clock::now();
    let affected = findings_of(store, proposal).await?;
    let mut tx = store.begin().await?;
    decide(&mut tx, proposal, Said::Revise, Some(words), who).await?;
    proposals::set_state(&mut tx, proposal.id, proposal.state, ProposalState::Revising, now).await?;
    for finding in affected {
        move_finding(&mut tx, finding, FindingEvent::Revised).await?;
    }
    runs::reopen(&mut tx, run.id, &state, state.phase.as_str()).await?;
    if run.ended_at.is_some() {
        runs::set_base(&mut tx, run.id, &base).await?;
    }
    tasks::set_state(&mut tx, proposal.task, "queued", None, now).await?;
    let words = format!("A person looked at it and asks for this:\n\n{words}");
    tasks::set_words(&mut tx, proposal.task, &words, now).await?;
    let event = Event::SentBack { task: proposal.task };
    tx.record(
        now,
        event.kind(),
        Some(&proposal.loop_name),
        Some(run.id),
        &proposal.task.to_string(),
        json!(event),
    )
    .await?;
    tx.commit().await?;
    Ok(Answered::SentBack(run.id))
}

async fn reject(
    home: &Home,
    proposal: &Proposal,
    reason: &str,
    never: bool,
    who: &str,
) -> Result<Answered, EngineError> {
    let said = if never { Said::Never } else { Said::Reject };
    let store = &home.store;
    let now = clock::now();
    let affected = findings_of(store, proposal).await?;
    let mut tx = store.begin().await?;
    decide(&mut tx, proposal, said, Some(reason), who).await?;
    proposals::set_state(&mut tx, proposal.id, proposal.state, ProposalState::Rejected, now).await?;
    for finding in affected {
        findings::refuse(&mut tx, finding, reason, never, now).await?;
        let data = json!({ "proposal": proposal.id, "never": never });
        tx.record(
            now,
            "finding.refused",
            Some(&proposal.loop_name),
            Some(proposal.run),
            &finding.to_string(),
            data,
        )
        .await?;
    }
    tx.commit().await?;
    // The commit stays in the mirror; only the name goes.
    let branch_removed = match target(home, proposal).await {
        Ok((target, _)) => target
            .remove(&proposal.branch, &proposal.head)
            .await
            .unwrap_or(false),
        Err(_) => false,
    };
    Ok(Answered::Refused { branch_removed })
}

async fn decide(
    tx: &mut Tx,
    proposal: &Proposal,
    said: Said,
    words: Option<&str>,
    who: &str,
) -> Result<(), EngineError> {
    let now = clock::now();
    let decision = Decision {
        id: clock::id(DecisionId::new),
        proposal: proposal.id,
        verdict: said,
        words: words.map(str::to_owned),
        who: who.to_owned(),
        head: proposal.head.clone(),
        at: now,
    };
    decisions::insert(tx, &decision).await?;
    let data = json!({ "verdict": said.as_str(), "head": proposal.head, "decision": decision.id });
    let (name, run) = (&proposal.loop_name, proposal.run);
    tx.record(
        now,
        "proposal.decision",
        Some(name),
        Some(run),
        &proposal.id.to_string(),
        data,
    )
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_path_is_quoted_only_where_a_shell_needs_it() {
        assert_eq!(quoted("/srv/shop-1"), "/srv/shop-1");
        assert_eq!(quoted("/my shop/it's"), "'/my shop/it'\\''s'");
    }
}
