//! The independent review of what is made anew: it holds on if the change is the very same, and else is made again by the
//! run that the proposal is of. Nothing is judged here.

use loops::{
    evidence::{CheckKind, Evidence},
    id::AttemptId,
    run::{Event, RunState},
    spec::{Autonomy, ReviewChoice},
    text::one_line,
};
use serde_json::json;
use workers::git::{Git, GitError};

use super::{EngineError, Proven};
use crate::{
    clock,
    engine::Definition,
    store::{Store, Tx, evidence as evidence_rows, proposals::Proposal, runs, tasks},
};

/// How the words of a review begin that was made of the same change on another base.
const SAME: &str = "of the same change on the base before: ";

/// What is known by review of what is made anew.
pub(super) enum Review {
    /// What the reviewer found in the same change.
    Holds(Vec<Evidence>),
    /// It has to be reviewed before it may be merged without a person.
    Due,
    /// Nobody asks for one.
    NotAsked,
}

/// What becomes of the review of a proposal that holds on another base.
pub(super) async fn of(
    store: &Store,
    git: &Git,
    definition: &Definition,
    proposal: &Proposal,
    proven: &Proven,
) -> Result<Review, EngineError> {
    let spec = &definition.spec;
    if raw(git, &proposal.base, &proposal.head).await? == raw(git, &proven.base, &proven.tree).await? {
        let known = evidence_rows::of_change(store, proposal.task, proposal.attempt).await?;
        let reviews: Vec<Evidence> = known
            .into_iter()
            .map(|kept| kept.evidence)
            .filter(|found| found.kind == CheckKind::AgentReview)
            .map(carried)
            .collect();
        if !reviews.is_empty() {
            return Ok(Review::Holds(reviews));
        }
    }
    // Where a person merges, a person looks: nothing is spent on another review.
    let asked = matches!(spec.checks.agent_review, ReviewChoice::Agent(_))
        && spec.proposal.autonomy == Autonomy::MergeWhenGreen;
    Ok(if asked { Review::Due } else { Review::NotAsked })
}

/// The files that differ, with what they are on both sides. Equal: who has read the one change has read the other.
async fn raw(git: &Git, from: &str, to: &str) -> Result<Vec<u8>, GitError> {
    git.run(&["diff-tree", "-r", "-z", "--no-renames", "--full-index", from, to])
        .await
}

fn carried(review: Evidence) -> Evidence {
    let words = if review.words.starts_with(SAME) {
        review.words
    } else {
        one_line(&format!("{SAME}{}", review.words), 600)
    };
    Evidence { words, ..review }
}

/// Opens the proposal's run again, for a reviewer to look at what `attempt` is. False: that cannot be now, because another
/// run of the loop is under way or something else is being done about it.
pub(super) async fn again(
    tx: &mut Tx,
    proposal: &Proposal,
    attempt: AttemptId,
    base: &str,
) -> Result<bool, EngineError> {
    if runs::open_run(&mut *tx, &proposal.loop_name).await?.is_some() {
        return Ok(false);
    }
    let Some(run) = runs::get(&mut *tx, proposal.run).await? else {
        return Ok(false);
    };
    let event = Event::ProvenAnew {
        task: proposal.task,
        attempt,
    };
    let (state, _) = run.state::<RunState>()?.decide(&event);
    if state.end().is_some() {
        return Ok(false);
    }
    runs::reopen(tx, run.id, &state, state.phase.as_str()).await?;
    runs::set_base(tx, run.id, base).await?;
    let now = clock::now();
    tasks::set_state(tx, proposal.task, "reviewing", None, now).await?;
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
    Ok(true)
}

#[cfg(test)]
mod tests {
    use loops::evidence::Verdict;

    use super::*;

    #[test]
    fn a_review_says_once_that_it_is_of_the_same_change_on_another_base() {
        let review = Evidence {
            name: "independent review".to_owned(),
            kind: CheckKind::AgentReview,
            verdict: Verdict::Failed,
            before: None,
            after: None,
            words: "It forgets zero.".to_owned(),
            detail: "zero".to_owned(),
        };
        let once = carried(review.clone());
        assert_eq!(once.words, format!("{SAME}It forgets zero."));
        assert_eq!((once.verdict, &once.detail), (review.verdict, &review.detail));
        assert_eq!(carried(once.clone()), once);
    }
}
