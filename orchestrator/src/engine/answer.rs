//! What a person said of a proposal, carried out: merged, sent back, or refused and remembered.
//!
//! A local merge moves a branch only where nothing is checked out on it, and in one step or not at all. A base that has moved
//! since the proof makes the merge another change, so it is proven again before it counts.

use std::sync::Arc;

use loops::{
    evidence::{Evidence, Verdict, verdict},
    finding::Event as FindingEvent,
    id::{AttemptId, DecisionId, RunId},
    run::{Event, RunState},
    screen::{self, Leaving},
    spec::{Sandbox, Span},
};
use serde_json::json;
use tokio::sync::mpsc;
use workers::{
    Change, Job, Order, carry_out,
    git::{Git, Mirror},
    order::{Prove, Result as JobResult},
};

use super::{
    Definition, EngineError, Home,
    propose::{PutBranch, move_finding},
    settle::{findings_of, record_merged},
};
use crate::{
    clock,
    local::branch::Target,
    store::{
        decisions::{self, Decision, Said},
        findings, ledger, outbox,
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
        decide(home, proposal, Said::Approve, None, who).await?;
        record_merged(&home.store, proposal, &proposal.head).await?;
        return Ok(Answered::Merged {
            commit: proposal.head.clone(),
            proven_again: Vec::new(),
        });
    }
    if let Some(at) = target.checked_out(&proposal.base_branch).await? {
        decide(home, proposal, Said::Approve, None, who).await?;
        let mut tx = home.store.begin().await?;
        proposals::set_state(
            &mut tx,
            proposal.id,
            ProposalState::Open,
            ProposalState::Approved,
            clock::now(),
        )
        .await?;
        tx.commit().await?;
        return Ok(Answered::Command {
            why: format!(
                "`{}` is checked out in `{at}`, and a checked-out tree is yours alone",
                proposal.base_branch
            ),
            command: format!("git -C {at} merge {}", proposal.branch),
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
    decide(home, proposal, Said::Approve, None, who).await?;
    record_merged(&home.store, proposal, &commit).await?;
    Ok(Answered::Merged { commit, proven_again })
}

/// The change merged with a base that has moved, and proven there; or why that does not hold.
async fn merge_again(
    home: &Home,
    definition: Option<&Definition>,
    proposal: &Proposal,
    effect: &PutBranch,
    base: &str,
) -> Result<Result<(String, Vec<Evidence>), Answered>, EngineError> {
    let git = Git::at(&home.mirror(&effect.repository));
    let no = |why: String, evidence| Ok(Err(Answered::DoesNotHold { why, evidence }));
    let Some(definition) = definition else {
        return no(
            "the base has moved, and the loop's spec is not here to prove the change again".into(),
            vec![],
        );
    };
    let tree = match git
        .line(&[
            "merge-tree",
            "--write-tree",
            "--no-messages",
            base,
            &proposal.head,
        ])
        .await
    {
        Ok(tree) => tree.lines().next().unwrap_or_default().to_owned(),
        Err(_) => {
            let command = format!(
                "loops revise {} \"the base has moved; do it again on it\"",
                proposal.id.short()
            );
            return no(
                format!("the base has moved and the change conflicts with it; try `{command}`"),
                vec![],
            );
        }
    };
    let screened = match workers::checks::diff(&git, base, &tree).await {
        Ok(diff) => screen::judge(Leaving {
            diff: &diff,
            texts: &[("title", &proposal.title)],
        }),
        Err(error) => screen::could_not_run(&format!("the change could not be read: {error}")),
    };
    let mut evidence = prove_tree(home, definition, proposal, effect, base, &tree).await?;
    evidence.push(screened);
    if verdict(&evidence, &definition.spec.checks) != Verdict::Passed {
        return no(
            "the base has moved, and the change does not pass its checks there".into(),
            evidence,
        );
    }
    let message = format!("Merge {}\n\n{}\n", proposal.branch, proposal.title);
    let seconds = clock::now().0 / 1000;
    let commit = git
        .commit_tree(
            &tree,
            &[base, &proposal.head],
            &message,
            ("Loops", "loops@localhost"),
            seconds,
        )
        .await?;
    Ok(Ok((commit, evidence)))
}

async fn prove_tree(
    home: &Home,
    definition: &Definition,
    proposal: &Proposal,
    effect: &PutBranch,
    base: &str,
    tree: &str,
) -> Result<Vec<Evidence>, EngineError> {
    let spec = &definition.spec;
    let mirror = home.mirror(&effect.repository);
    let attempt = clock::id(AttemptId::new);
    let order = Order {
        attempt,
        task: proposal.task,
        run: proposal.run,
        mirror,
        base: base.to_owned(),
        start: None,
        scratch: home.scratch(attempt),
        sandbox: match &spec.sandbox {
            Sandbox::None => None,
            Sandbox::Limits(limits) => Some(limits.clone()),
        },
        setup: spec.setup.clone(),
        setup_cache: home.setup_cache(),
        timeout: Span(std::time::Duration::from_secs(3600)),
        job: Job::Prove(Prove {
            change: Change {
                tree: tree.to_owned(),
                pack: Vec::new(),
            },
            commands: spec.checks.commands.clone(),
            reproduce: spec.checks.reproduce,
            weakened_tests: spec.checks.weakened_tests,
            baseline: None,
        }),
    };
    let scratch = order.scratch.clone();
    let (reports, _) = mpsc::unbounded_channel();
    let machine = Arc::clone(&home.machine);
    let outcome = carry_out(order, &machine, reports).await;
    let _ = tokio::fs::remove_dir_all(scratch).await;
    match outcome.result {
        JobResult::Proved { evidence, .. } => Ok(evidence),
        JobResult::CouldNotRun { why, .. } => {
            Err(EngineError::Record(format!("the checks could not run: {why}")))
        }
        JobResult::Worked { .. } | JobResult::Reviewed { .. } => Ok(Vec::new()),
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
    decide(home, proposal, Said::Revise, Some(words), who).await?;
    let state: RunState = run.state()?;
    let (state, _) = state.decide(&Event::SentBack { task: proposal.task });
    let now = clock::now();
    let mut tx = store.begin().await?;
    proposals::set_state(&mut tx, proposal.id, proposal.state, ProposalState::Revising, now).await?;
    for finding in findings_of(store, proposal).await? {
        move_finding(&mut tx, finding, FindingEvent::Revised).await?;
    }
    runs::reopen(&mut tx, run.id, &state, state.phase.as_str()).await?;
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
    decide(home, proposal, said, Some(reason), who).await?;
    let store = &home.store;
    let now = clock::now();
    let affected = findings_of(store, proposal).await?;
    let mut tx = store.begin().await?;
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
    home: &Home,
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
    let salt: [u8; 16] = rand::random();
    let data = json!({
        "verdict": said.as_str(),
        "head": proposal.head,
        "decision": decision.id,
        "words": words.map(|words| ledger::digest(salt, words)),
        "who": ledger::digest(salt, who),
    });
    let mut tx = home.store.begin().await?;
    decisions::insert(&mut tx, &decision).await?;
    tx.record(
        now,
        "proposal.decision",
        Some(&proposal.loop_name),
        Some(proposal.run),
        &proposal.id.to_string(),
        data,
    )
    .await?;
    tx.commit().await?;
    Ok(())
}
