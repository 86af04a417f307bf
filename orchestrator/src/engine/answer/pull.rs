//! Answers to a proposal that is a pull request. What they mean for GitHub is decided here and carried out by the
//! outbox.

use loops::text::one_line;

use super::{Answered, again::merge_again, decide};
use crate::{
    clock,
    engine::{
        Definition, EngineError, Home, Place,
        outbox::{Outward, key},
        talk,
    },
    github::Repository,
    store::{
        Tx,
        decisions::Said,
        outbox,
        proposals::{self, Proposal, ProposalState},
    },
};

/// Approves: what GitHub is to merge must be what was proven, on a base for which it was proven.
pub(super) async fn approve(
    home: &Home,
    definition: Option<&Definition>,
    proposal: &Proposal,
    repository: &Repository,
    who: &str,
) -> Result<Answered, EngineError> {
    let found = repository.branch_head(&proposal.branch).await?;
    if found.as_deref() != Some(&proposal.head) {
        return Err(EngineError::Record(format!(
            "branch `{}` is not what was proven ({} was): somebody else has moved it",
            proposal.branch,
            &proposal.head[..12.min(proposal.head.len())]
        )));
    }
    let place = Place::parse(&repository.full_name());
    let (mirror, base) = home.fetch(&place, &proposal.base_branch).await?;
    let proven_again = if base == proposal.base {
        Vec::new()
    } else {
        match merge_again(home, definition, proposal, &mirror, &base).await? {
            Ok((_, evidence)) => evidence,
            Err(no) => return Ok(no),
        }
    };
    let now = clock::now();
    let mut tx = home.store.begin().await?;
    decide(&mut tx, proposal, Said::Approve, None, who).await?;
    let (open, approved) = (ProposalState::Open, ProposalState::Approved);
    proposals::set_state(&mut tx, proposal.id, open, approved, now).await?;
    let merge = Outward::Merge {
        head: proposal.head.clone(),
        base,
    };
    let key = key("merge", proposal.id, &proposal.head);
    // It may have been approved before, and the merge given up.
    outbox::again(&mut tx, &key, &merge, now).await?;
    tx.commit().await?;
    Ok(Answered::OnItsWay { proven_again })
}

/// A refused proposal's pull request is to be closed, with the reason.
pub(super) async fn close(
    tx: &mut Tx,
    proposal: &Proposal,
    reason: &str,
    never: bool,
    who: &str,
) -> Result<(), EngineError> {
    let never = if never {
        " Nothing of this kind is proposed again."
    } else {
        ""
    };
    let close = Outward::Close {
        words: format!(
            "Refused by {}: {}{never}",
            one_line(who, 100),
            one_line(reason, 1000)
        ),
        head: proposal.head.clone(),
    };
    let key = talk::closing_key(tx, proposal).await?;
    outbox::put(tx, &key, &close, clock::now()).await?;
    Ok(())
}
