//! `merge_when_green`: approves by itself what stands on a protected base with every required check green. It decides
//! only whether nothing is in the way; how an approval becomes a merge is as for a person's, and GitHub's own rules hold.
//! Whatever is not known for certain is in the way.

use std::collections::BTreeMap;

use loops::{
    evidence::{CheckKind, Verdict},
    run::{RunState, TaskRun},
    spec::{Autonomy, LoopSpec, ReviewChoice},
    text::one_line,
};

use super::{Answer, Answered, EngineError, Home, answer, outbox::key};
use crate::{
    github::{CheckRun, CheckState, Protection, Pull, Repository, Review},
    store::{
        Store,
        decisions::{self, Said},
        evidence, ledger, loops as loop_rows,
        outbox::{self, EffectState},
        proposals::{self, Proposal, ProposalState},
        runs,
    },
};

/// Who decides here, as decisions have it.
const WHO: &str = "loops (merge_when_green)";
/// How many of a loop's last proposals its record is.
const LAST: usize = 10;
/// So many of those closed without a merge, and a person looks at each again.
const REFUSED: usize = 2;
/// The kind of the ledger's row that says that a merged proposal was reverted.
pub(super) const REVERTED: &str = "proposal.reverted";

/// What came of the question whether a proposal may be merged by itself.
pub(super) enum Green {
    /// Its loop does not merge.
    NotAsked,
    /// It is on its way.
    Merges,
    /// It may come to it without anybody doing anything.
    NotYet(&'static str),
    /// It stays until a person does something.
    Stays(String),
}

/// What keeps a proposal from being merged by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
enum InTheWay {
    /// It may pass without anybody doing anything about it.
    Now(&'static str),
    /// It stays until a person does something, and is told.
    Stays(String),
}

/// What is known of a proposal whose loop merges when green.
struct Standing<'a> {
    proposal: &'a Proposal,
    pull: &'a Pull,
    base: Option<&'a str>,
    protection: &'a Protection,
    checks: &'a [CheckRun],
    /// Whose last word is that something must change.
    objections: &'a [Objection],
    /// What the independent reviewer found; none: nothing is known, though one was to look.
    concerns: Option<bool>,
}

impl Standing<'_> {
    fn in_the_way(&self) -> Option<InTheWay> {
        use InTheWay::{Now, Stays};
        let branch = &self.proposal.base_branch;
        if !self.protection.protected {
            return Some(Stays(format!(
                "`{branch}` is not protected, so a person merges it"
            )));
        }
        if self.protection.required.is_empty() {
            return Some(Stays(format!(
                "`{branch}` requires no checks, so a person merges it"
            )));
        }
        match self.concerns {
            Some(false) => {}
            Some(true) => {
                return Some(Stays(
                    "the reviewer has an open concern, so a person looks at it".to_owned(),
                ));
            }
            None => return Some(Stays("no reviewer has looked at it, so a person does".to_owned())),
        }
        if self.proposal.state != ProposalState::Open || self.pull.head != self.proposal.head {
            return Some(Now("it is not what was proven"));
        }
        if self.pull.base_branch != *branch {
            return Some(Stays(
                "somebody has changed the branch that it goes to".to_owned(),
            ));
        }
        if self.base != Some(self.proposal.base.as_str()) {
            return Some(Now("the base has moved since it was proven"));
        }
        if self.pull.draft {
            return Some(Now("somebody has made it a draft"));
        }
        if self.objections.iter().any(|one| one.may_write) {
            return Some(Now("somebody has requested changes"));
        }
        let is_green = |name: &String| {
            self.checks
                .iter()
                .any(|run| run.name == *name && matches!(run.state, CheckState::Passed | CheckState::Neutral))
        };
        if !self.protection.required.iter().all(is_green) {
            return Some(Now("a required check is not green"));
        }
        // GitHub does not mind an outsider's word, and nothing is made of it; whether there is something in it, a
        // person says.
        let outsider = self.objections.first()?;
        Some(Stays(format!(
            "`{}` has requested changes and has no write access, so a person looks at it",
            one_line(&outsider.author, 60)
        )))
    }
}

/// Somebody whose last word is that something must change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Objection {
    author: String,
    may_write: bool,
}

/// Whose last word is that something must change. A comment takes no decision back.
pub(super) fn wants_changes(reviews: &[Review]) -> Vec<&str> {
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for review in reviews {
        if matches!(
            review.state.as_str(),
            "APPROVED" | "CHANGES_REQUESTED" | "DISMISSED"
        ) {
            last.insert(&review.author, &review.state);
        }
    }
    let wants = last
        .into_iter()
        .filter(|(_, state)| *state == "CHANGES_REQUESTED");
    wants.map(|(author, _)| author).collect()
}

async fn objections(repository: &Repository, number: u64) -> Result<Vec<Objection>, EngineError> {
    let reviews = repository.reviews(number).await?;
    let mut all = Vec::new();
    for author in wants_changes(&reviews) {
        // Of an account that is gone nobody knows what it might.
        let may_write = author.is_empty() || repository.permission(author).await?.writes();
        all.push(Objection {
            author: author.to_owned(),
            may_write,
        });
    }
    Ok(all)
}

/// Approves an open proposal if its loop merges when green and nothing is in the way.
pub(super) async fn green(
    home: &Home,
    repository: &Repository,
    pull: &Pull,
    proposal: &Proposal,
) -> Result<Green, EngineError> {
    let store = &home.store;
    let Some(spec) = spec_of(store, proposal).await? else {
        return Ok(Green::NotAsked);
    };
    if spec.proposal.autonomy != Autonomy::MergeWhenGreen {
        return Ok(Green::NotAsked);
    }
    if let Some(why) = lowered(store, &spec).await? {
        return Ok(Green::Stays(why));
    }
    if let Some(why) = not_taken(store, proposal).await? {
        return Ok(Green::Stays(why));
    }
    if is_reviewed_anew(store, proposal).await? {
        return Ok(Green::NotYet("a reviewer looks at it again"));
    }
    let protection = repository.protection(&proposal.base_branch).await?;
    let standing = Standing {
        proposal,
        pull,
        base: repository.branch_head(&proposal.base_branch).await?.as_deref(),
        checks: &repository.checks(&proposal.head).await?.runs,
        objections: &objections(repository, pull.number).await?,
        concerns: concerns(store, proposal, &spec).await?,
        protection: &protection,
    }
    .in_the_way();
    match standing {
        Some(InTheWay::Stays(why)) => Ok(Green::Stays(why)),
        Some(InTheWay::Now(why)) => Ok(Green::NotYet(why)),
        None => match answer(home, None, proposal, &Answer::Approve, WHO).await? {
            Answered::OnItsWay { .. } => Ok(Green::Merges),
            _ => Ok(Green::NotYet("it was answered meanwhile")),
        },
    }
}

/// Whether a reviewer is to look at it again, because it was made anew on another base.
async fn is_reviewed_anew(store: &Store, proposal: &Proposal) -> Result<bool, EngineError> {
    let Some(run) = runs::get(store, proposal.run).await? else {
        return Ok(false);
    };
    let state: RunState = run.state()?;
    let task = state.tasks.get(&proposal.task);
    Ok(run.ended_at.is_none() && task.is_some_and(TaskRun::is_reviewed_anew))
}

/// Why a merge of this very commit was given up before: GitHub is not asked for it again and again.
async fn not_taken(store: &Store, proposal: &Proposal) -> Result<Option<String>, EngineError> {
    let effect = outbox::get(store, &key("merge", proposal.id, &proposal.head)).await?;
    let failed = effect.filter(|effect| effect.state == EffectState::Failed);
    Ok(failed.map(|effect| {
        let why = effect.why.unwrap_or_default();
        format!("it was not merged ({why}), so a person merges it")
    }))
}

async fn spec_of(store: &Store, proposal: &Proposal) -> Result<Option<LoopSpec>, EngineError> {
    let row = loop_rows::get(store, &proposal.loop_name).await?;
    Ok(row.and_then(|row| serde_json::from_value(row.spec).ok()))
}

/// Whether the independent reviewer holds something against it; none: it did not look, though it was to.
async fn concerns(store: &Store, proposal: &Proposal, spec: &LoopSpec) -> Result<Option<bool>, EngineError> {
    let found = evidence::of_change(store, proposal.task, proposal.attempt).await?;
    let reviews: Vec<Verdict> = found
        .iter()
        .map(|kept| &kept.evidence)
        .filter(|found| found.kind == CheckKind::AgentReview)
        .map(|found| found.verdict)
        .collect();
    if reviews.is_empty() {
        return Ok((spec.checks.agent_review == ReviewChoice::None).then_some(false));
    }
    Ok(Some(reviews.iter().any(|verdict| *verdict != Verdict::Passed)))
}

/// What became of a proposal that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    Merged,
    Reverted,
    Refused,
    /// Nobody said anything about it.
    Nothing,
}

/// Why a loop that is to merge when green only proposes for now: its record has fallen. It rises again with what people
/// merge.
///
/// # Errors
/// If the store cannot be read.
pub async fn lowered(store: &Store, spec: &LoopSpec) -> Result<Option<String>, EngineError> {
    if spec.proposal.autonomy != Autonomy::MergeWhenGreen {
        return Ok(None);
    }
    let mut over = proposals::list(store, Some(&spec.name), None).await?;
    over.retain(|proposal| proposal.state.is_over());
    over.sort_by_key(|proposal| std::cmp::Reverse(proposal.updated_at));
    let mut record = Vec::new();
    for proposal in over.iter().take(LAST) {
        record.push(match proposal.state {
            ProposalState::Merged => {
                let rows = ledger::rows_of_subject(store, &proposal.id.to_string(), 0, 1000).await?;
                if rows.iter().any(|row| row.kind == REVERTED) {
                    Became::Reverted
                } else {
                    Became::Merged
                }
            }
            _ => {
                let said = decisions::of_proposal(store, proposal.id).await?;
                let no = said
                    .iter()
                    .any(|one| matches!(one.verdict, Said::Reject | Said::Never));
                if no { Became::Refused } else { Became::Nothing }
            }
        });
    }
    Ok(fallen(&record))
}

fn fallen(record: &[Became]) -> Option<String> {
    let count = |what| record.iter().filter(|became| **became == what).count();
    let (reverted, refused) = (count(Became::Reverted), count(Became::Refused));
    let of = record.len();
    if reverted > 0 {
        let was = if reverted == 1 { "was" } else { "were" };
        Some(format!(
            "it only proposes for now: {reverted} of its last {of} {was} reverted"
        ))
    } else if refused >= REFUSED {
        Some(format!(
            "it only proposes for now: {refused} of its last {of} were closed without a merge"
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
