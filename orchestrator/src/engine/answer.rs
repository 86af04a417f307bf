//! What a person said of a proposal, carried out: merged, sent back, or refused and remembered.
//!
//! A base that has moved since the proof makes a merge another change, so it is proven again before it counts.

mod again;
mod local;
mod pull;

pub(crate) use self::again::on_base;

use loops::{
    evidence::Evidence,
    finding::Event as FindingEvent,
    id::{DecisionId, FindingId, RunId},
    run::{Event, RunState, Step},
};
use serde_json::json;

use super::{
    Definition, EngineError, Home, Place,
    propose::{move_finding, repository_of},
    settle::{findings_of, record_merged},
};
use crate::{
    clock,
    store::{
        Tx,
        decisions::{self, Decision, Said},
        findings,
        proposals::{self, Proposal, ProposalState},
        runs::{self, Run},
        tasks,
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
    /// It is approved, and merged on GitHub as soon as that can be done.
    OnItsWay {
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
        /// Whether its branch was taken away; a pull request is closed first, as soon as that can be done.
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
    let place = Place::parse(&repository_of(&home.store, proposal).await?);
    let answerable = match proposal.state {
        ProposalState::Open | ProposalState::Approved => true,
        // What cannot be sent would else wait for ever. A branch in a folder is being made by the run itself.
        ProposalState::Preparing => {
            matches!(answer, Answer::Reject { .. }) && matches!(place, Place::GitHub { .. })
        }
        _ => false,
    };
    if !answerable {
        return Err(EngineError::Record(format!(
            "{} is {}, so there is nothing to answer",
            proposal.id.short(),
            proposal.state.as_str()
        )));
    }
    match answer {
        Answer::Approve => match home.on_github(&place)? {
            None => local::approve(home, definition, proposal, &place, who).await,
            Some(repository) => pull::approve(home, definition, proposal, &repository, who).await,
        },
        Answer::Revise(words) => revise(home, proposal, words, who).await,
        Answer::Reject { reason, never } => reject(home, proposal, reason, *never, who).await,
    }
}

/// Writes down, in one step, that `who` approved and that the base branch has it.
async fn merged(home: &Home, proposal: &Proposal, commit: &str, who: &str) -> Result<(), EngineError> {
    let mut tx = home.store.begin().await?;
    pull::still(&mut tx, proposal).await?;
    record(&mut tx, proposal, commit, who).await?;
    tx.commit().await?;
    Ok(())
}

async fn record(tx: &mut Tx, proposal: &Proposal, commit: &str, who: &str) -> Result<(), EngineError> {
    decide(tx, proposal, Said::Approve, None, who).await?;
    record_merged(tx, proposal, commit).await
}

async fn revise(home: &Home, proposal: &Proposal, words: &str, who: &str) -> Result<Answered, EngineError> {
    let ready = ready(home, proposal).await?;
    let run = ready.run.id;
    let request = format!("A person looked at it and asks for this:\n\n{words}");
    let mut tx = home.store.begin().await?;
    ready
        .send(&mut tx, proposal, &request, Some((words, who)))
        .await?;
    super::talk::begun(&mut tx, proposal, who).await?;
    tx.commit().await?;
    Ok(Answered::SentBack(run))
}

/// What another attempt at a proposal takes, looked up before anything is written down.
pub(crate) struct Ready {
    run: Run,
    base: String,
    findings: Vec<FindingId>,
}

/// Looks whether a proposal can go back to a worker now.
///
/// # Errors
/// If another run of the loop is under way, or the base cannot be reached.
pub(crate) async fn ready(home: &Home, proposal: &Proposal) -> Result<Ready, EngineError> {
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
    let place = Place::parse(&repository_of(store, proposal).await?);
    let (_, base) = home.fetch(&place, &proposal.base_branch).await?;
    let findings = findings_of(store, proposal).await?;
    Ok(Ready { run, base, findings })
}

impl Ready {
    /// The base as it is now.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Why words do not bring it back to a worker now; none: they do.
    pub(crate) fn why_not(&self, proposal: &Proposal) -> Result<Option<&'static str>, EngineError> {
        let event = Event::SentBack { task: proposal.task };
        let (state, _) = self.run.state::<RunState>()?.decide(&event);
        Ok(not_queued(&state, proposal))
    }

    /// Opens the run again, with one more attempt to make. `request` is what its worker is told; `said`: whose words they
    /// are, if they are a person's.
    pub(crate) async fn send(
        self,
        tx: &mut Tx,
        proposal: &Proposal,
        request: &str,
        said: Option<(&str, &str)>,
    ) -> Result<(), EngineError> {
        // Between the look and this the run may have gone on, or have been opened by a proof on a moved base.
        let run = runs::get(&mut *tx, self.run.id).await?.unwrap_or(self.run);
        let state: RunState = run.state()?;
        let event = Event::SentBack { task: proposal.task };
        let (state, _) = state.decide(&event);
        if let Some(why) = not_queued(&state, proposal) {
            return Err(EngineError::Record(format!(
                "{} cannot be sent back now: {why}",
                proposal.id.short()
            )));
        }
        let now = clock::now();
        if let Some((words, who)) = said {
            decide(tx, proposal, Said::Revise, Some(words), who).await?;
        }
        if !proposals::set_state(tx, proposal.id, proposal.state, ProposalState::Revising, now).await? {
            return Err(EngineError::Record(format!(
                "{} is not {} any more, so it is not sent back",
                proposal.id.short(),
                proposal.state
            )));
        }
        for finding in self.findings {
            move_finding(tx, finding, FindingEvent::Revised).await?;
        }
        runs::reopen(tx, run.id, &state, state.phase.as_str()).await?;
        if run.ended_at.is_some() {
            runs::set_base(tx, run.id, &self.base).await?;
        }
        tasks::set_state(tx, proposal.task, "queued", None, now).await?;
        tasks::set_words(tx, proposal.task, request, now).await?;
        let (name, id) = (Some(proposal.loop_name.as_str()), Some(run.id));
        tx.record(
            now,
            event.kind(),
            name,
            id,
            &proposal.task.to_string(),
            json!(event),
        )
        .await?;
        Ok(())
    }
}

/// Why a proposal's task does not wait for a worker, after somebody's words; none: it does.
fn not_queued(state: &RunState, proposal: &Proposal) -> Option<&'static str> {
    match state.tasks.get(&proposal.task).map(|task| task.step) {
        Some(Step::Queued) => None,
        Some(Step::Reviewing(_)) => Some("a reviewer looks at it again; answer when that has ended"),
        Some(Step::Planned | Step::Asked(_)) => {
            Some("something about it waits for a person's yes; answer that first")
        }
        Some(Step::Failed(why)) => Some(why.words()),
        _ => Some("its run has not ended with it; answer when it has"),
    }
}

pub(crate) async fn reject(
    home: &Home,
    proposal: &Proposal,
    reason: &str,
    never: bool,
    who: &str,
) -> Result<Answered, EngineError> {
    let mut tx = home.store.begin().await?;
    refuse(&mut tx, proposal, reason, never, who).await?;
    let place = Place::parse(&repository_of(&mut tx, proposal).await?);
    if let Place::GitHub { .. } = place {
        pull::close(&mut tx, proposal, reason, never, who).await?;
    }
    tx.commit().await?;
    let branch_removed = local::remove(&place, proposal).await;
    Ok(Answered::Refused { branch_removed })
}

/// Writes down that `who` refused a proposal; its findings are refused with it.
pub(crate) async fn refuse(
    tx: &mut Tx,
    proposal: &Proposal,
    reason: &str,
    never: bool,
    who: &str,
) -> Result<(), EngineError> {
    let said = if never { Said::Never } else { Said::Reject };
    let now = clock::now();
    decide(tx, proposal, said, Some(reason), who).await?;
    proposals::set_state(tx, proposal.id, proposal.state, ProposalState::Rejected, now).await?;
    for finding in findings_of(&mut *tx, proposal).await? {
        findings::refuse(tx, finding, reason, never, now).await?;
        let data = json!({ "proposal": proposal.id, "never": never });
        let (name, run) = (&proposal.loop_name, proposal.run);
        tx.record(
            now,
            "finding.refused",
            Some(name),
            Some(run),
            &finding.to_string(),
            data,
        )
        .await?;
    }
    Ok(())
}

pub(crate) async fn decide(
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
