//! Answers to a proposal in a folder on this machine. A merge moves a branch only where nothing is checked out on it,
//! and in one step or not at all.

use super::{Answered, again::merge_again, decide, merged, pull::still, record};
use crate::{
    clock,
    engine::{Definition, EngineError, Home, Place},
    local::branch::Target,
    store::{
        Store,
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
    land(&home.store, &target, proposal, (&base, &commit), who).await?;
    Ok(Answered::Merged { commit, proven_again })
}

/// Moves the base branch from one commit to the other and writes down that it is merged: in one transaction, so that what
/// became something else while it was proven is not merged, and nothing else becomes of it meanwhile. A kill in between
/// leaves a branch that has it, which the next answer finds.
async fn land(
    store: &Store,
    target: &Target,
    proposal: &Proposal,
    (base, commit): (&str, &str),
    who: &str,
) -> Result<(), EngineError> {
    let mut tx = store.begin().await?;
    still(&mut tx, proposal).await?;
    target.move_to(&proposal.base_branch, commit, base).await?;
    record(&mut tx, proposal, commit, who).await?;
    tx.commit().await?;
    Ok(())
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
    use loops::time::Timestamp;
    use workers::git::Git;

    use super::{super::pull::tests::proposal, *};

    #[tokio::test]
    async fn what_was_sent_back_while_it_was_proven_again_does_not_land() {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("shop.git");
        let path = repository.to_string_lossy().into_owned();
        let init = ["init", "--bare", "--quiet", "--template=", &path];
        Git::nowhere().run(&init).await.unwrap();
        let git = Git::at(&repository);
        let tree = git.run_with_stdin(&["mktree"], b"").await.unwrap();
        let tree = String::from_utf8(tree).unwrap();
        let who = ("Ann", "ann@example.com");
        let base = git.commit_tree(tree.trim(), &[], "first", who, 1).await.unwrap();
        let commit = git
            .commit_tree(tree.trim(), &[&base], "second", who, 2)
            .await
            .unwrap();
        git.run(&["update-ref", "refs/heads/main", &base]).await.unwrap();
        let target = Target::open(&repository).await.unwrap();
        let store = Store::open(&folder.path().join("state")).await.unwrap();
        let page = proposal();
        let mut tx = store.begin().await.unwrap();
        proposals::insert(&mut tx, &page).await.unwrap();
        use ProposalState::{Merged, Open, Revising};
        proposals::set_state(&mut tx, page.id, Open, Revising, Timestamp(1))
            .await
            .unwrap();
        tx.commit().await.unwrap();

        let land = async || land(&store, &target, &page, (&base, &commit), "ann").await;
        let why = land().await.unwrap_err().to_string();
        assert!(why.contains("it is revising now"), "{why}");
        assert_eq!(target.head("main").await.unwrap().as_deref(), Some(base.as_str()));

        // Control: nothing became of it meanwhile.
        let mut tx = store.begin().await.unwrap();
        proposals::set_state(&mut tx, page.id, Revising, Open, Timestamp(2))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        land().await.unwrap();
        assert_eq!(
            target.head("main").await.unwrap().as_deref(),
            Some(commit.as_str())
        );
        let now = proposals::get(&store, page.id).await.unwrap().unwrap();
        assert_eq!(now.state, Merged);
    }

    #[test]
    fn a_path_is_quoted_only_where_a_shell_needs_it() {
        assert_eq!(quoted("/srv/shop-1"), "/srv/shop-1");
        assert_eq!(quoted("/my shop/it's"), "'/my shop/it'\\''s'");
    }
}
