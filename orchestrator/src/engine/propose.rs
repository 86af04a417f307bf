//! Puts a proven change before people: a commit, a page, and a branch in their repository; on GitHub, a pull request.
//!
//! What is to leave is decided in one transaction with the proposal's row, under a key; it is carried out after it.
//! Whoever finds the effect pending looks where the branch is before doing anything. A branch in a folder is made by
//! the run; what goes to GitHub is the outbox's, so the run need not wait until GitHub can be reached.

mod local;
mod page;
mod pull;

use loops::{
    finding::{Event as FindingEvent, FindingState},
    id::{AttemptId, FindingId, ProposalId, TaskId},
    run::Event,
    screen::{clean, secrets},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{EngineError, Place, Progress, Running, error::Remedy};
use crate::{
    clock,
    store::{
        Reader, Tx, attempts, findings, outbox,
        proposals::{self, Proposal, ProposalState, Revision},
    },
};

/// Who a proposal's commit is by.
pub(crate) const AUTHOR: (&str, &str) = ("Loops", "loops@localhost");

/// A branch that is to be made or moved in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PutBranch {
    /// The text of its [`Place`].
    pub(crate) repository: String,
    pub(crate) branch: String,
    pub(crate) head: String,
    pub(crate) expected: Option<String>,
}

impl Running {
    /// Puts what `attempt` left before people.
    pub(crate) async fn propose(&self, task: TaskId, attempt: AttemptId) -> Result<(), EngineError> {
        if self.asks_first(task, attempt).await? {
            return Ok(());
        }
        let known = proposals::of_task(&self.engine.home.store, task).await?;
        let proposal = match known {
            Some(known) if known.attempt == attempt => known,
            known => self.decide_proposal(task, attempt, known).await?,
        };
        if let Place::GitHub { .. } = self.definition.place() {
            return self.hand_over(&proposal).await;
        }
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
        let in_private = self.in_private(&kept.task.findings).await?;
        let title = clean::title(&in_private.hold(&kept.task.title), 100);
        let id = known
            .as_ref()
            .map_or_else(|| clock::id(ProposalId::new), |known| known.id);
        let mut page = self.page(&kept, attempt, id).await?;
        page.title = in_private.hold(&page.title);
        page.account = in_private.hold(&page.account);
        for concern in &mut page.concerns {
            *concern = in_private.hold(concern);
        }
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
        let body = secrets::mask(&in_private.hold(&page.markdown()));
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
        for (key, effect) in self.for_github(&proposal, &page).await? {
            outbox::put(&mut tx, &key, &effect, now).await?;
        }
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
}

/// The repository that a proposal was brought to.
pub(crate) async fn repository_of(from: impl Reader, proposal: &Proposal) -> Result<String, EngineError> {
    let effect = outbox::get(from, &key(proposal)).await?.ok_or_else(|| {
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
        repository: running.definition.place().to_string(),
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
pub(crate) fn branch_name(loop_name: &str, title: &str, id: ProposalId) -> String {
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
    move_findings(tx, &[id], event).await
}

/// The same for many.
pub(crate) async fn move_findings(
    tx: &mut Tx,
    ids: &[FindingId],
    event: FindingEvent,
) -> Result<(), EngineError> {
    let mut moved = Vec::new();
    for (id, before) in findings::states(tx, ids).await? {
        let after = before.after(event);
        if let Some(after) = after.filter(|after| *after != before && *after != FindingState::Merged) {
            moved.push((id, after));
        }
    }
    Ok(findings::set_states(tx, &moved, clock::now()).await?)
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
