//! Looks at what became of proposals that stand as pull requests, and writes it down. An unchanged one costs nothing of
//! GitHub's rate limit.

use std::collections::BTreeMap;

use super::{
    EngineError, Home, Place,
    answer::{decide, refuse},
    expiry::let_go,
    green::{Green, green},
    outbox::key,
    settle::record_merged,
    talk,
};
use crate::{
    clock,
    github::{Pull, PullState, Repository},
    store::{
        decisions::Said,
        ledger, outbox,
        proposals::{self, Proposal, ProposalState},
        pulls::{self, PullRow},
    },
};

/// So long after a push of ours GitHub may still show what was there before, in milliseconds.
const CATCHES_UP: i64 = 3_600_000;

/// Where base branches are, asked once in a look, by repository and branch; none: it is not there.
type Bases = BTreeMap<(String, String), Option<String>>;

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
    let mut bases = Bases::new();
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
        match look(home, &row, &proposal, &mut bases).await {
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

async fn look(
    home: &Home,
    row: &PullRow,
    proposal: &Proposal,
    bases: &mut Bases,
) -> Result<Vec<News>, EngineError> {
    let Some(repository) = home.on_github(&Place::parse(&row.repository))? else {
        return Ok(Vec::new());
    };
    let mut pull = repository.pull(row.number).await?;
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
        PullState::Closed => closed(home, &repository, row, proposal, &pull).await,
        PullState::Open => {
            follow(&repository, proposal, &mut pull, bases).await?;
            if pull.head != proposal.head && proposal.state == ProposalState::Open {
                return pushed_to(home, &repository, row, proposal, pull).await;
            }
            let mut news = talk::look(home, &repository, row, proposal, &pull).await?;
            if news.is_empty() && proposal.state == ProposalState::Open && row.hands_off.is_none() {
                news.extend(merge(home, &repository, &pull, proposal).await?);
            }
            Ok(news)
        }
    }
}

/// Merges it if nothing is in the way, and else writes down what is.
async fn merge(
    home: &Home,
    repository: &Repository,
    pull: &Pull,
    proposal: &Proposal,
) -> Result<Option<News>, EngineError> {
    let (news, unmerged) = match green(home, repository, pull, proposal).await? {
        Green::NotAsked => (None, None),
        Green::Merges => (Some(News::Green(proposal.clone())), None),
        Green::NotYet(why) => (None, Some((why.to_owned(), true))),
        Green::Stays(why) => (
            Some(News::StaysOpen(proposal.clone(), why.clone())),
            Some((why, false)),
        ),
    };
    let unmerged = unmerged.map(|(why, for_now)| talk::Unmerged { why, for_now });
    talk::note_unmerged(&home.store, proposal, unmerged).await?;
    Ok(news)
}

/// What a pull request says of its base is from when its own branch was pushed to last: the branch is asked.
async fn follow(
    repository: &Repository,
    proposal: &Proposal,
    pull: &mut Pull,
    bases: &mut Bases,
) -> Result<(), EngineError> {
    let of = (repository.full_name(), proposal.base_branch.clone());
    let now = match bases.get(&of) {
        Some(known) => known.clone(),
        None => {
            let head = repository.branch_lately(&proposal.base_branch).await?;
            bases.insert(of, head.clone());
            head
        }
    };
    if let Some(now) = now {
        pull.base = now;
    }
    Ok(())
}

/// Its branch is not what we pushed last: somebody has pushed to it, or GitHub has yet to notice our push.
async fn pushed_to(
    home: &Home,
    repository: &Repository,
    row: &PullRow,
    proposal: &Proposal,
    mut pull: Pull,
) -> Result<Vec<News>, EngineError> {
    let branch = repository.branch_head(&proposal.branch).await?;
    if branch.as_deref() == Some(&proposal.head) {
        // What was said counts all the same; whether it can be merged is not known yet.
        pull.head.clone_from(&proposal.head);
        pull.mergeable = None;
        return talk::look(home, repository, row, proposal, &pull).await;
    }
    if is_late(home, proposal, [Some(pull.head.as_str()), branch.as_deref()]).await? {
        return Ok(Vec::new());
    }
    let why = format!(
        "somebody has pushed to `{}` ({}): it is theirs now",
        proposal.branch,
        &pull.head[..12.min(pull.head.len())]
    );
    let mut tx = home.store.begin().await?;
    let first = pulls::leave_alone(&mut tx, proposal.id, &why).await?;
    tx.commit().await?;
    let mut news = talk::look(home, repository, row, proposal, &pull).await?;
    if first {
        news.push(News::LeftAlone(proposal.clone(), why));
    }
    Ok(news)
}

/// Whether all that GitHub shows was pushed by us before, and our last push was a short time ago.
async fn is_late(home: &Home, proposal: &Proposal, found: [Option<&str>; 2]) -> Result<bool, EngineError> {
    let push = outbox::get(&home.store, &key("branch", proposal.id, &proposal.attempt)).await?;
    let lately = push
        .and_then(|push| push.done_at)
        .is_some_and(|at| clock::now().0 - at.0 < CATCHES_UP);
    if !lately {
        return Ok(false);
    }
    let rows = ledger::rows_of_subject(&home.store, &proposal.id.to_string(), 0, 1_000).await?;
    let ours = |commit: &str| rows.iter().any(|row| row.data["head"].as_str() == Some(commit));
    Ok(found.into_iter().all(|commit| commit.is_some_and(ours)))
}

/// It was closed without a merge: by a person who may, which is a refusal, or by somebody or something else.
async fn closed(
    home: &Home,
    repository: &Repository,
    row: &PullRow,
    proposal: &Proposal,
    pull: &Pull,
) -> Result<Vec<News>, EngineError> {
    let closer = match repository.closer(pull.number).await? {
        Some(closer) if closer.is_bot => Err(format!("`{}`, which is no person, closed it", closer.login)),
        Some(closer) if !repository.permission(&closer.login).await?.writes() => {
            Err(format!("`{}`, who has no write access, closed it", closer.login))
        }
        Some(closer) => Ok(closer.login),
        None => Err("GitHub does not say who closed it".to_owned()),
    };
    let said = talk::closing_words(repository, row, pull, closer.as_deref().ok()).await?;
    let refusal = match (closer, said) {
        (Ok(who), Some((_, words))) => Ok((who, talk::refusal(&words))),
        (Ok(who), None) => Ok((who, ("closed on GitHub without a word".to_owned(), false))),
        // Whoever closed it: a person who may said what to think of it.
        (Err(_), Some((who, words))) => Ok((who, talk::refusal(&words))),
        (Err(why), None) => Err(why),
    };
    let mut tx = home.store.begin().await?;
    talk::closed(&mut tx, proposal, pull.closed_at).await?;
    let news = match refusal {
        Ok((who, (why, never))) => {
            refuse(&mut tx, proposal, &why, never, &talk::on_github(&who)).await?;
            News::Closed(proposal.clone(), why)
        }
        Err(why) => {
            let_go(&mut tx, proposal).await?;
            News::Expired(proposal.clone(), why)
        }
    };
    tx.commit().await?;
    Ok(vec![news])
}
