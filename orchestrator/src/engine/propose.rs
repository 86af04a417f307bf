//! Puts a proven change before people: a commit, a page, and a branch in their repository.
//!
//! What is to leave is decided in one transaction with the proposal's row, under a key; the branch is made after it.
//! Whoever finds the effect pending looks where the branch is before doing anything.

mod page;

use loops::{
    finding::{Event as FindingEvent, FindingState},
    id::{AttemptId, FindingId, ProposalId, TaskId},
    run::Event,
    screen::{clean, secrets},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{EngineError, Progress, Running, error::Remedy};
use crate::{
    clock,
    local::branch::{BranchError, Target},
    store::{
        Store, Tx, attempts, findings, outbox,
        proposals::{self, Proposal, ProposalState, Revision},
    },
};

/// Who a proposal's commit is by.
pub(super) const AUTHOR: (&str, &str) = ("Loops", "loops@localhost");

/// A branch that is to be made or moved in a repository of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PutBranch {
    pub(crate) repository: String,
    pub(crate) branch: String,
    pub(crate) head: String,
    pub(crate) expected: Option<String>,
}

impl Running {
    /// Puts what `attempt` left before people.
    pub(crate) async fn propose(&self, task: TaskId, attempt: AttemptId) -> Result<(), EngineError> {
        let known = proposals::of_task(&self.engine.home.store, task).await?;
        let proposal = match known {
            Some(known) if known.attempt == attempt => known,
            known => self.decide_proposal(task, attempt, known).await?,
        };
        let proposal = match self.deliver(proposal).await {
            Ok(proposal) => proposal,
            Err((proposal, error)) if error.remedy() == Remedy::AskHuman => {
                return self.refuse_proposal(&proposal, attempt, &error.to_string()).await;
            }
            Err((_, error)) => return Err(error),
        };
        let mut step = self.step().await?;
        let now = clock::now();
        outbox::done(&mut step.tx, &key(&proposal), now).await?;
        proposals::set_state(
            &mut step.tx,
            proposal.id,
            ProposalState::Preparing,
            ProposalState::Open,
            now,
        )
        .await?;
        for finding in &self.task(task).await?.task.findings {
            move_finding(&mut step.tx, *finding, FindingEvent::Proposed).await?;
        }
        let data = json!({ "task": task, "attempt": attempt, "head": proposal.head });
        let (name, id) = (&self.spec().name, self.id);
        step.tx
            .record(
                now,
                "proposal.opened",
                Some(name),
                Some(id),
                &proposal.id.to_string(),
                data,
            )
            .await?;
        step.commit(Event::Proposed { task, attempt }).await?;
        self.tell(Progress::Settled {
            id: task,
            how: format!("proposed as {}", proposal.id.short()),
            well: true,
        });
        Ok(())
    }

    async fn decide_proposal(
        &self,
        task: TaskId,
        attempt: AttemptId,
        known: Option<Proposal>,
    ) -> Result<Proposal, EngineError> {
        let kept = self.task(task).await?;
        let tree = self.tree_of(attempt).await?;
        let title = clean::title(&kept.task.title, 100);
        let id = known
            .as_ref()
            .map_or_else(|| clock::id(ProposalId::new), |known| known.id);
        let page = self.page(&kept, attempt, id).await?;
        // The same attempt always gives the same commit, so a restart finds what it made.
        let worked = attempts::get(&self.engine.home.store, attempt).await?;
        let seconds = worked.and_then(|found| found.ended_at).unwrap_or_default().0 / 1000;
        let message = format!(
            "{title}\n\n{}\n\nLoops-Task: {task}\n",
            clean::title(&page.account, 600)
        );
        let head = self
            .git()
            .commit_tree(&tree, &[&self.base], &message, AUTHOR, seconds)
            .await?;
        // Each part is masked already; what only the whole page would give away is masked here.
        let body = secrets::mask(&page.markdown());
        let now = clock::now();
        let mut tx = self.engine.home.store.begin().await?;
        let proposal = match known {
            Some(known) => {
                let revision = Revision {
                    attempt,
                    base: self.base.clone(),
                    head: head.clone(),
                    title: title.clone(),
                    body: body.clone(),
                };
                proposals::revise(&mut tx, known.id, &revision, now).await?;
                put_branch(
                    &mut tx,
                    self,
                    &known.branch,
                    &head,
                    Some(known.head.clone()),
                    known.id,
                    attempt,
                )
                .await?;
                Proposal {
                    attempt,
                    base: self.base.clone(),
                    head,
                    title,
                    body,
                    state: ProposalState::Preparing,
                    ..known
                }
            }
            None => {
                let finding = kept
                    .task
                    .findings
                    .first()
                    .copied()
                    .unwrap_or_else(|| FindingId::named(&task.to_string()));
                let proposal = Proposal {
                    id,
                    loop_name: self.spec().name.clone(),
                    run: self.id,
                    task,
                    attempt,
                    finding,
                    branch: branch_name(&self.spec().name, &title, id),
                    base_branch: self.spec().base.clone(),
                    base: self.base.clone(),
                    head,
                    title,
                    body,
                    state: ProposalState::Preparing,
                    created_at: now,
                    updated_at: now,
                };
                proposals::insert(&mut tx, &proposal).await?;
                put_branch(&mut tx, self, &proposal.branch, &proposal.head, None, id, attempt).await?;
                proposal
            }
        };
        let data = json!({ "task": task, "attempt": attempt, "head": proposal.head, "base": proposal.base });
        tx.record(
            now,
            "proposal.decided",
            Some(&self.spec().name),
            Some(self.id),
            &proposal.id.to_string(),
            data,
        )
        .await?;
        tx.commit().await?;
        Ok(proposal)
    }

    /// Makes the branch, if it is not there yet. A branch that somebody has checked out or moved is theirs now: the
    /// proposal gets another one then.
    async fn deliver(&self, mut proposal: Proposal) -> Result<Proposal, (Proposal, EngineError)> {
        for other in 2.. {
            match self.put(&proposal).await {
                Ok(()) => break,
                Err(EngineError::Branch(BranchError::Moved { .. } | BranchError::CheckedOut { .. }))
                    if other < 10 =>
                {
                    let branch = branch_name(&self.spec().name, &proposal.title, proposal.id);
                    match self.rename(&proposal, format!("{branch}-{other}")).await {
                        Ok(renamed) => proposal = renamed,
                        Err(error) => return Err((proposal, error)),
                    }
                }
                Err(error) => return Err((proposal, error)),
            }
        }
        Ok(proposal)
    }

    async fn put(&self, proposal: &Proposal) -> Result<(), EngineError> {
        let effect = match outbox::get(&self.engine.home.store, &key(proposal)).await? {
            Some(effect) => effect.effect::<PutBranch>()?,
            None => {
                return Err(EngineError::Record(format!(
                    "{} has no effect in the outbox",
                    proposal.id
                )));
            }
        };
        let target = Target::open(std::path::Path::new(&effect.repository)).await?;
        target
            .put(
                &self.mirror,
                &effect.branch,
                &effect.head,
                effect.expected.as_deref(),
            )
            .await?;
        Ok(())
    }

    async fn rename(&self, proposal: &Proposal, branch: String) -> Result<Proposal, EngineError> {
        let effect = PutBranch {
            repository: self.definition.repository().display().to_string(),
            branch: branch.clone(),
            head: proposal.head.clone(),
            expected: None,
        };
        let mut tx = self.engine.home.store.begin().await?;
        outbox::amend(&mut tx, &key(proposal), &effect).await?;
        proposals::set_branch(&mut tx, proposal.id, &branch, clock::now()).await?;
        tx.commit().await?;
        Ok(Proposal {
            branch,
            ..proposal.clone()
        })
    }

    async fn refuse_proposal(
        &self,
        proposal: &Proposal,
        attempt: AttemptId,
        why: &str,
    ) -> Result<(), EngineError> {
        let mut step = self.step().await?;
        let now = clock::now();
        outbox::failed(&mut step.tx, &key(proposal), why, now).await?;
        proposals::set_state(
            &mut step.tx,
            proposal.id,
            ProposalState::Preparing,
            ProposalState::Rejected,
            now,
        )
        .await?;
        step.commit(Event::ProposalRefused {
            task: proposal.task,
            attempt,
        })
        .await?;
        self.tell(Progress::Settled {
            id: proposal.task,
            how: format!("could not be proposed: {why}"),
            well: false,
        });
        Ok(())
    }
}

/// The repository that a proposal was brought to.
pub(crate) async fn repository_of(store: &Store, proposal: &Proposal) -> Result<String, EngineError> {
    let effect = outbox::get(store, &key(proposal)).await?.ok_or_else(|| {
        EngineError::Record(format!(
            "{} was never brought to a repository",
            proposal.id.short()
        ))
    })?;
    Ok(effect.effect::<PutBranch>()?.repository)
}

async fn put_branch(
    tx: &mut Tx,
    running: &Running,
    branch: &str,
    head: &str,
    expected: Option<String>,
    id: ProposalId,
    attempt: AttemptId,
) -> Result<(), EngineError> {
    let effect = PutBranch {
        repository: running.definition.repository().display().to_string(),
        branch: branch.to_owned(),
        head: head.to_owned(),
        expected,
    };
    outbox::put(tx, &format!("branch:{id}:{attempt}"), &effect, clock::now()).await?;
    Ok(())
}

fn key(proposal: &Proposal) -> String {
    format!("branch:{}:{}", proposal.id, proposal.attempt)
}

/// `loops/<loop>/<words of the title>-<end of the id>`.
fn branch_name(loop_name: &str, title: &str, id: ProposalId) -> String {
    let mut slug = String::new();
    for c in title.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
        if slug.len() >= 40 {
            break;
        }
    }
    let full = id.to_string();
    format!(
        "loops/{loop_name}/{}-{}",
        slug.trim_matches('-'),
        &full[full.len() - 6..]
    )
}

/// Moves a finding on, if the event fits its state.
pub(crate) async fn move_finding(tx: &mut Tx, id: FindingId, event: FindingEvent) -> Result<(), EngineError> {
    let Some(kept) = findings::get(&mut *tx, id).await? else {
        return Ok(());
    };
    let before = kept.finding.state;
    if let Some(after) = before
        .after(event)
        .filter(|after| *after != before && *after != FindingState::Merged)
    {
        findings::set_state(tx, id, after, clock::now()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_named_after_loop_and_title_in_plain_letters() {
        let id = ProposalId::new(0, [0xab; 10]);
        assert_eq!(
            branch_name("fixes", "Read «1,299.00» — & more!", id),
            "loops/fixes/read-1-299-00-more-ababab"
        );
        assert_eq!(branch_name("fixes", "..//~^:", id), "loops/fixes/-ababab");
    }
}
