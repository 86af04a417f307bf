//! Answers to a proposal in a folder on this machine. A merge moves a branch only where nothing is checked out on it,
//! and in one step or not at all.

use super::{Answered, again::merge_again, decide, merged};
use crate::{
    clock,
    engine::{Definition, EngineError, Home, Place},
    local::branch::Target,
    store::{
        decisions::Said,
        proposals::{self, Proposal, ProposalState},
    },
};

async fn open(place: &Place) -> Result<Target, EngineError> {
    Ok(Target::open(std::path::Path::new(&place.to_string())).await?)
}

pub(super) async fn approve(
    home: &Home,
    definition: Option<&Definition>,
    proposal: &Proposal,
    place: &Place,
    who: &str,
) -> Result<Answered, EngineError> {
    let target = open(place).await?;
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
    let (mirror, base) = home.fetch(place, &proposal.base_branch).await?;
    let (commit, proven_again) = if base == proposal.base {
        (proposal.head.clone(), Vec::new())
    } else {
        match merge_again(home, definition, proposal, &mirror, &base).await? {
            Ok(merged) => merged,
            Err(no) => return Ok(no),
        }
    };
    target.bring(&mirror, &commit).await?;
    target.move_to(&proposal.base_branch, &commit, &base).await?;
    merged(home, proposal, &commit, who).await?;
    Ok(Answered::Merged { commit, proven_again })
}

/// Takes a refused proposal's branch away, if it is still ours. The commit stays in the mirror; only the name goes.
pub(super) async fn remove(place: &Place, proposal: &Proposal) -> bool {
    let Place::Folder(_) = place else { return false };
    match open(place).await {
        Ok(target) => target
            .remove(&proposal.branch, &proposal.head)
            .await
            .unwrap_or(false),
        Err(_) => false,
    }
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

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_path_is_quoted_only_where_a_shell_needs_it() {
        assert_eq!(quoted("/srv/shop-1"), "/srv/shop-1");
        assert_eq!(quoted("/my shop/it's"), "'/my shop/it'\\''s'");
    }
}
