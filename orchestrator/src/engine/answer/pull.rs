//! Answers to a proposal that is a pull request. What they mean for GitHub is decided here and carried out by the
//! outbox.

use loops::text::one_line;

use super::{Answered, again::merge_again, decide};
use crate::{
    clock,
    engine::{
        Definition, EngineError, Home, Place,
        outbox::{Outward, goes_elsewhere, key},
        talk,
    },
    github::Repository,
    store::{
        Tx,
        decisions::Said,
        outbox,
        proposals::{self, Proposal, ProposalState},
        pulls::{self, PullRow},
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
    let Some(row) = pulls::get(&home.store, proposal.id).await? else {
        return Err(EngineError::Record(format!(
            "{} has no pull request yet",
            proposal.id.short()
        )));
    };
    not_left_alone(proposal, &row)?;
    let pull = repository.pull(row.number).await?;
    if pull.base_branch != proposal.base_branch {
        return Err(EngineError::Record(format!(
            "{}; change it back at {}, or merge it there",
            goes_elsewhere(proposal, &pull),
            row.url
        )));
    }
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
    still(&mut tx, proposal).await?;
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

/// Error: a proof takes minutes, and something else became of the proposal meanwhile, so that what was proven is not what
/// would be merged.
pub(super) async fn still(tx: &mut Tx, proposal: &Proposal) -> Result<(), EngineError> {
    let now = proposals::get(&mut *tx, proposal.id).await?;
    let answerable = |now: &Proposal| matches!(now.state, ProposalState::Open | ProposalState::Approved);
    let same = now
        .as_ref()
        .is_some_and(|now| answerable(now) && now.attempt == proposal.attempt && now.head == proposal.head);
    if !same {
        let state = now.map_or("gone", |now| now.state.as_str());
        return Err(EngineError::Record(format!(
            "{} is not what it was when it was looked at (it is {state} now), so it is not approved; `loops review {}` \
             shows it as it is",
            proposal.id.short(),
            proposal.id.short()
        )));
    }
    match pulls::get(&mut *tx, proposal.id).await? {
        Some(row) => not_left_alone(proposal, &row),
        None => Ok(()),
    }
}

/// Error: somebody has said that it is to be left alone.
fn not_left_alone(proposal: &Proposal, row: &PullRow) -> Result<(), EngineError> {
    let Some(why) = &row.hands_off else {
        return Ok(());
    };
    Err(EngineError::Record(format!(
        "{} is left alone: {why}; merge it at {}, or have it taken up again with `/loops revise` there",
        proposal.id.short(),
        row.url
    )))
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

#[cfg(test)]
pub(super) mod tests {
    use loops::{
        id::{AttemptId, FindingId, ProposalId, RunId, TaskId},
        time::Timestamp,
    };
    use serde_json::json;

    use super::*;
    use crate::store::{Store, proposals::Revision};

    pub(in crate::engine::answer) fn proposal() -> Proposal {
        Proposal {
            id: ProposalId::new(0, [1; 10]),
            loop_name: "fix".into(),
            run: RunId::new(0, [2; 10]),
            task: TaskId::new(0, [3; 10]),
            attempt: AttemptId::new(0, [4; 10]),
            finding: FindingId::named("f"),
            branch: "loops/fix/x".into(),
            base_branch: "main".into(),
            base: "b".repeat(40),
            head: "a".repeat(40),
            title: "x".into(),
            body: String::new(),
            state: ProposalState::Open,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }

    #[tokio::test]
    async fn what_has_become_something_else_while_it_was_proven_is_not_approved() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let (page, at) = (proposal(), Timestamp(1));
        use ProposalState::{Approved, Open, Revising};
        let mut tx = store.begin().await.unwrap();
        proposals::insert(&mut tx, &page).await.unwrap();
        let row = PullRow {
            proposal: page.id,
            repository: "acme/shop".to_owned(),
            number: 7,
            url: "https://github.com/acme/shop/pull/7".to_owned(),
            draft: true,
            talk: json!({}),
            rounds: 0,
            rebuilds: 0,
            hands_off: None,
            opened_at: at,
        };
        pulls::put(&mut tx, &row).await.unwrap();
        assert!(still(&mut tx, &page).await.is_ok());
        proposals::set_state(&mut tx, page.id, Open, Approved, at)
            .await
            .unwrap();
        assert!(
            still(&mut tx, &page).await.is_ok(),
            "who approves twice means the same"
        );
        proposals::set_state(&mut tx, page.id, Approved, Revising, at)
            .await
            .unwrap();
        let why = still(&mut tx, &page).await.unwrap_err().to_string();
        assert!(why.contains("it is revising now"), "{why}");
        let revision = Revision {
            attempt: AttemptId::new(0, [5; 10]),
            base: page.base.clone(),
            head: "c".repeat(40),
            title: "x".to_owned(),
            body: String::new(),
        };
        proposals::revise(&mut tx, page.id, &revision, at).await.unwrap();
        proposals::set_state(&mut tx, page.id, ProposalState::Preparing, Open, at)
            .await
            .unwrap();
        assert!(
            still(&mut tx, &page).await.is_err(),
            "it is open, with another change"
        );
        let now = Proposal {
            attempt: revision.attempt,
            head: revision.head.clone(),
            ..page.clone()
        };
        assert!(still(&mut tx, &now).await.is_ok());
        pulls::leave_alone(&mut tx, page.id, "carol wrote `/loops stop`")
            .await
            .unwrap();
        let why = still(&mut tx, &now).await.unwrap_err().to_string();
        assert!(why.contains("is left alone: carol wrote"), "{why}");
    }
}
