//! Puts a proven change before people: a commit, a page, and a branch in their repository.
//!
//! What is to leave is decided in one transaction with the proposal's row, under a key; the branch is made after it.
//! Whoever finds the effect pending looks where the branch is before doing anything.

use loops::{
    evidence::{CheckKind, Verdict},
    finding::{Event as FindingEvent, FindingState},
    id::{AttemptId, FindingId, ProposalId, TaskId},
    page::{Cost, FileStat, Page, Problem},
    run::Event,
    text::{one_line, plain},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{EngineError, Progress, Running, error::Remedy};
use crate::{
    clock,
    local::branch::Target,
    store::{
        Store, Tx, attempts, calls, evidence, findings, outbox,
        proposals::{self, Proposal, ProposalState, Revision},
        signals,
    },
};

/// How many reports a page quotes.
const QUOTES: usize = 3;
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
        match self.deliver(&proposal).await {
            Ok(()) => {}
            Err(error) if error.remedy() == Remedy::AskHuman => {
                return self.refuse_proposal(&proposal, attempt, &error.to_string()).await;
            }
            Err(error) => return Err(error),
        }
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
        let title = plain(&one_line(&kept.task.title, 100));
        let id = known
            .as_ref()
            .map_or_else(|| clock::id(ProposalId::new), |known| known.id);
        let page = self.page(&kept, attempt, id).await?;
        // The same attempt always gives the same commit, so a restart finds what it made.
        let worked = attempts::get(&self.engine.home.store, attempt).await?;
        let seconds = worked.and_then(|found| found.ended_at).unwrap_or_default().0 / 1000;
        let message = format!(
            "{title}\n\n{}\n\nLoops-Task: {task}\n",
            one_line(&page.account, 600)
        );
        let head = self
            .git()
            .commit_tree(&tree, &[&self.base], &message, AUTHOR, seconds)
            .await?;
        let body = page.markdown();
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

    /// Makes the branch, if it is not there yet.
    async fn deliver(&self, proposal: &Proposal) -> Result<(), EngineError> {
        let effect: PutBranch = match outbox::get(&self.engine.home.store, &key(proposal)).await? {
            Some(effect) => effect.effect()?,
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

    async fn page(
        &self,
        kept: &crate::store::tasks::Kept,
        attempt: AttemptId,
        id: ProposalId,
    ) -> Result<Page, EngineError> {
        let store = &self.engine.home.store;
        let task = kept.task.id;
        let tree = self.tree_of(attempt).await?;
        let diff = self.diff(&tree).await?.unwrap_or_default();
        let all: Vec<attempts::Attempt> = attempts::of_task(store, task).await?;
        let account = all
            .iter()
            .find(|a| a.begun.id == attempt)
            .and_then(|a| a.ended.summary.clone())
            .unwrap_or_default();
        let found: Vec<_> = evidence::of_change(store, task, attempt)
            .await?
            .into_iter()
            .map(|kept| kept.evidence)
            .collect();
        let concerns = found
            .iter()
            .filter(|e| e.kind == CheckKind::AgentReview && e.verdict != Verdict::Passed)
            .flat_map(|e| {
                if e.detail.is_empty() {
                    vec![e.words.clone()]
                } else {
                    e.detail.lines().map(str::to_owned).collect()
                }
            })
            .collect();
        let mut caveats: Vec<String> = all.iter().flat_map(|a| a.ended.caveats.clone()).collect();
        caveats.sort();
        caveats.dedup();
        let mut problems = Vec::new();
        for finding in &kept.task.findings {
            problems.extend(self.problem(*finding).await?);
        }
        let spent = calls::spend_of_task(store, task).await?;
        let works = all
            .iter()
            .filter(|a| a.begun.role == attempts::Role::Work && a.ended_at.is_some())
            .count();
        Ok(Page {
            title: kept.task.title.clone(),
            problems,
            account,
            evidence: found,
            concerns,
            files: diff
                .files
                .iter()
                .map(|file| FileStat {
                    path: file.path().to_owned(),
                    added: figure(file.added()),
                    removed: figure(file.removed()),
                })
                .collect(),
            caveats,
            cost: Cost {
                money: spent.cost,
                usage: spent.usage,
                attempts: u32::try_from(works).unwrap_or(u32::MAX),
                rehearsed: spent.rehearsed > 0,
                estimated: spent.estimated > 0,
            },
            answers: answers(id),
        })
    }

    async fn problem(&self, id: FindingId) -> Result<Option<Problem>, EngineError> {
        let store = &self.engine.home.store;
        let Some(kept) = findings::get(store, id).await? else {
            return Ok(None);
        };
        let finding = kept.finding;
        let said = signals::of_finding(store, id, 50).await?;
        let quotes = said
            .iter()
            .take(QUOTES)
            .map(|kept| (kept.signal.text.clone(), kept.signal.url.clone()))
            .collect();
        Ok(Some(Problem {
            title: finding.title,
            signals: finding.signals,
            reporters: finding.reporters,
            since: finding.first_at,
            quotes,
        }))
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

fn figure(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// How a person answers, from the terminal.
fn answers(id: ProposalId) -> Vec<String> {
    let id = id.short();
    vec![
        format!("yes: `loops approve {id}`"),
        format!("not like this: `loops revise {id} \"what should be different\"`"),
        format!("no: `loops reject {id} --reason \"why\"` (and `--never` if nothing of the kind is wanted)"),
    ]
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
