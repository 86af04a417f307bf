//! Looks at what became of proposals that stand as pull requests, and writes it down. An unchanged one costs nothing of
//! GitHub's rate limit.

use loops::text::one_line;

use super::{EngineError, Home, Place, answer::refuse, green::green, settle::record_merged};
use crate::{
    github::{Permission, Pull, PullState, Repository},
    store::{
        proposals::{self, Proposal, ProposalState},
        pulls::{self, PullRow},
    },
};

/// What became of a proposal on GitHub.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// It is in the base branch.
    Merged(Proposal),
    /// It was closed; its finding is refused with it.
    Closed(Proposal, String),
    /// It is left alone from now on.
    LeftAlone(Proposal, String),
    /// Nobody answered it in time; it is over, and no refusal.
    Expired(Proposal, String),
    /// A box on a dashboard was ticked, and this came of it.
    Ticked(String, String),
    /// A dashboard could not be kept.
    NoBoard(String, String),
    /// Everything that its base requires is green, and it is on its way to be merged.
    Green(Proposal),
    /// Its loop merges when green, and it is left to a person for this reason.
    StaysOpen(Proposal, String),
    /// It could not be looked at.
    Trouble(Proposal, String),
}

/// Looks at every pull request that is open as far as we know. Whoever calls holds the state's lock.
///
/// # Errors
/// If the store cannot be read or written. What GitHub says is news.
pub async fn watch(home: &Home) -> Result<Vec<News>, EngineError> {
    let mut news = Vec::new();
    for row in pulls::open(&home.store).await? {
        let Some(proposal) = proposals::get(&home.store, row.proposal).await? else {
            continue;
        };
        match look(home, &row, &proposal).await {
            Ok(found) => news.extend(found),
            Err(error @ EngineError::Store(_)) => return Err(error),
            Err(error) => news.push(News::Trouble(proposal, error.to_string())),
        }
    }
    Ok(news)
}

async fn look(home: &Home, row: &PullRow, proposal: &Proposal) -> Result<Option<News>, EngineError> {
    let Some(repository) = home.on_github(&Place::parse(&row.repository))? else {
        return Ok(None);
    };
    let pull = repository.pull(row.number).await?;
    match pull.state {
        PullState::Merged => {
            let commit = pull.merge_commit.as_deref().unwrap_or(&pull.head);
            let mut tx = home.store.begin().await?;
            record_merged(&mut tx, proposal, commit).await?;
            tx.commit().await?;
            Ok(Some(News::Merged(proposal.clone())))
        }
        PullState::Closed => {
            let (who, why) = reason(&repository, &pull).await?;
            let mut tx = home.store.begin().await?;
            refuse(&mut tx, proposal, &why, false, &who).await?;
            tx.commit().await?;
            Ok(Some(News::Closed(proposal.clone(), why)))
        }
        PullState::Open if pull.head != proposal.head && proposal.state == ProposalState::Open => {
            let why = format!(
                "somebody has pushed to `{}` ({}): it is theirs now",
                proposal.branch,
                &pull.head[..12.min(pull.head.len())]
            );
            let mut tx = home.store.begin().await?;
            let first = pulls::leave_alone(&mut tx, proposal.id, &why).await?;
            tx.commit().await?;
            Ok(first.then(|| News::LeftAlone(proposal.clone(), why)))
        }
        PullState::Open if proposal.state == ProposalState::Open && row.hands_off.is_none() => {
            green(home, &repository, &pull, proposal).await
        }
        PullState::Open => Ok(None),
    }
}

/// Who closed it, and why: the last words there of somebody with write access.
async fn reason(repository: &Repository, pull: &Pull) -> Result<(String, String), EngineError> {
    let who = repository.closed_by(pull.number).await?;
    let who = who.unwrap_or_else(|| "somebody".to_owned());
    for comment in repository.comments(pull.number, None).await?.iter().rev() {
        let ours = comment.author_is_bot || comment.body.contains("<!-- loops:");
        if !ours && repository.permission(&comment.author).await? >= Permission::Write {
            return Ok((who, one_line(&comment.body, 1000)));
        }
    }
    Ok((who, "closed on GitHub without a word".to_owned()))
}
