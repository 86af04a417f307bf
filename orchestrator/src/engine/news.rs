//! Looks at what became of proposals that stand as pull requests, and writes it down. An unchanged one costs nothing of
//! GitHub's rate limit.

use super::{
    EngineError, Home, Place,
    answer::{decide, refuse},
    green::green,
    settle::record_merged,
    talk,
};
use crate::{
    github::{Pull, PullState, Repository},
    store::{
        decisions::Said,
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
    /// A person opened it again after it was closed.
    Reopened(Proposal),
    /// Its base has moved to this commit, and it is being proven there.
    Rebuilding(Proposal, String),
    /// It was made anew on a base that had moved, and holds there.
    Rebuilt(Proposal, String),
    /// It goes back to a worker, for this reason.
    SentBack(Proposal, String),
    /// So many answers are given there.
    Answered(Proposal, usize),
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
    let mut open = Vec::new();
    for row in pulls::open(&home.store).await? {
        if let Some(proposal) = proposals::get(&home.store, row.proposal).await? {
            open.push((row, proposal));
        }
    }
    home.rebuilds.sweep(&home.rebuild_folder()).await;
    home.rebuilds.keep(|id, attempt| {
        let is_it =
            |one: &Proposal| one.id == id && one.attempt == attempt && one.state == ProposalState::Open;
        open.iter()
            .any(|(row, one)| is_it(one) && row.hands_off.is_none())
    });
    for (row, proposal) in open {
        match look(home, &row, &proposal).await {
            Ok(found) => news.extend(found),
            Err(error @ EngineError::Store(_)) => return Err(error),
            Err(error) => news.push(News::Trouble(proposal, error.to_string())),
        }
    }
    news.extend(talk::reopened(home).await?);
    Ok(news)
}

/// Waits until no proof on a moved base is under way; false: none was. What came of them is for the next [`watch`].
pub async fn settle(home: &Home) -> bool {
    home.rebuilds.settle().await
}

/// Whether a proof on a moved base has ended, so that [`watch`] has something to write down.
pub fn has_rebuilt(home: &Home) -> bool {
    home.rebuilds.have_ended()
}

/// Ends proofs on moved bases that are under way; they are due again at the next [`watch`].
pub async fn stop_rebuilds(home: &Home) {
    home.rebuilds.stop().await;
}

async fn look(home: &Home, row: &PullRow, proposal: &Proposal) -> Result<Vec<News>, EngineError> {
    let Some(repository) = home.on_github(&Place::parse(&row.repository))? else {
        return Ok(Vec::new());
    };
    let pull = repository.pull(row.number).await?;
    match pull.state {
        PullState::Merged => {
            let commit = pull.merge_commit.as_deref().unwrap_or(&pull.head);
            let mut tx = home.store.begin().await?;
            // What was approved here was decided then; who merges there decides by that.
            if let (Some(who), false) = (&pull.merged_by, proposal.state == ProposalState::Approved) {
                decide(&mut tx, proposal, Said::Approve, None, &talk::on_github(who)).await?;
            }
            record_merged(&mut tx, proposal, commit).await?;
            tx.commit().await?;
            Ok(vec![News::Merged(proposal.clone())])
        }
        PullState::Closed => {
            let (who, why, never) = reason(&repository, &pull).await?;
            let mut tx = home.store.begin().await?;
            refuse(&mut tx, proposal, &why, never, &who).await?;
            tx.commit().await?;
            Ok(vec![News::Closed(proposal.clone(), why)])
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
            let mut news = talk::look(home, &repository, row, proposal, &pull).await?;
            if first {
                news.push(News::LeftAlone(proposal.clone(), why));
            }
            Ok(news)
        }
        PullState::Open => {
            let mut news = talk::look(home, &repository, row, proposal, &pull).await?;
            if news.is_empty() && proposal.state == ProposalState::Open && row.hands_off.is_none() {
                news.extend(green(home, &repository, &pull, proposal).await?);
            }
            Ok(news)
        }
    }
}

/// Who closed it, why, and whether nothing of the kind is wanted again: the last words there of somebody with write
/// access.
async fn reason(repository: &Repository, pull: &Pull) -> Result<(String, String, bool), EngineError> {
    let said = talk::closing_words(repository, pull.number).await?;
    let who = match (repository.closed_by(pull.number).await?, &said) {
        (Some(who), _) => who,
        (None, Some((author, _))) => author.clone(),
        (None, None) => "somebody".to_owned(),
    };
    let (why, never) = match said {
        Some((_, words)) => talk::refusal(&words),
        None => ("closed on GitHub without a word".to_owned(), false),
    };
    Ok((talk::on_github(&who), why, never))
}
