//! Lets go of what nobody answers: a proposal is announced to expire, and then closed with a word; a plan expires.
//!
//! Whoever may write in the repository keeps a proposal by saying anything on it. What has expired is no refusal: its
//! findings are free again when there is news.

use std::time::Duration;

use loops::{finding::Event as FindingEvent, text::one_line, time::Timestamp};
use serde_json::json;

use super::{
    EngineError, Home, News, Place,
    capacity::answered_last,
    expire_plan,
    outbox::{Outward, key},
    propose::move_finding,
    settle::findings_of,
    talk,
};
use crate::{
    clock,
    github::Repository,
    store::{
        Tx, findings, outbox,
        outbox::EffectState,
        plans::{self, PlanState},
        proposals::{self, Proposal, ProposalState},
        pulls::{self, PullRow},
    },
};

/// Announces and closes what nobody has answered for too long. Whoever calls holds the state's lock.
///
/// # Errors
/// If the store cannot be read or written. What GitHub says is news.
pub async fn expire(home: &Home) -> Result<Vec<News>, EngineError> {
    let mut news = Vec::new();
    let Some(after) = home.review.expire_after else {
        return Ok(news);
    };
    let now = clock::now();
    for plan in plans::list(&home.store, None, Some(PlanState::Waiting)).await? {
        if now.since(plan.updated_at) >= after {
            let why = format!("nobody answered it for {}", loops::capacity::age(after));
            expire_plan(home, plan.task, &why).await?;
        }
    }
    for row in pulls::open(&home.store).await? {
        let Some(proposal) = proposals::get(&home.store, row.proposal).await? else {
            continue;
        };
        if proposal.state != ProposalState::Open || row.hands_off.is_some() {
            continue;
        }
        match look(home, &row, &proposal, after).await {
            Ok(found) => news.extend(found),
            Err(error @ EngineError::Store(_)) => return Err(error),
            Err(error) => news.push(News::Trouble(proposal, error.to_string())),
        }
    }
    Ok(news)
}

async fn look(
    home: &Home,
    row: &PullRow,
    proposal: &Proposal,
    after: Duration,
) -> Result<Option<News>, EngineError> {
    let (now, notice) = (clock::now(), home.review.notice());
    let known = answered_last(&home.store, proposal).await?.max(row.opened_at);
    let known = known.max(talk::reopened_at(row).unwrap_or(known));
    // GitHub is asked only about those that nobody has answered here for long.
    if now.since(known) < after.saturating_sub(notice) {
        return Ok(None);
    }
    let Some(repository) = home.on_github(&Place::parse(&row.repository))? else {
        return Ok(None);
    };
    let last = said_last(&repository, row.number, known).await?;
    if now.since(last) < after.saturating_sub(notice) {
        return Ok(None);
    }
    // Who speaks after it was announced begins the time anew: the next announcement is another one.
    let key = key("warn", proposal.id, &last.0);
    let Some(effect) = outbox::get(&home.store, &key).await? else {
        let until = last.plus(after).max(now.plus(notice));
        let mut tx = home.store.begin().await?;
        let warn = Outward::Warn {
            words: announcement(until),
        };
        outbox::put(&mut tx, &key, &warn, now).await?;
        tx.commit().await?;
        return Ok(None);
    };
    let announced = match effect.state {
        EffectState::Done => effect.done_at,
        EffectState::Pending => None,
        // It cannot be said; it is closed with a word all the same.
        EffectState::Failed => effect.done_at,
    };
    let over = announced.is_some_and(|at| now.since(at) >= notice) && now.since(last) >= after;
    if !over {
        return Ok(None);
    }
    let why = format!("nobody answered it for {}", loops::capacity::age(now.since(last)));
    close(home, proposal, &why).await?;
    Ok(Some(News::Expired(proposal.clone(), why)))
}

fn announcement(until: Timestamp) -> String {
    format!(
        "Nobody has said anything about this for a while. It will be closed on {}; a comment or a review by somebody with \
         write access keeps it.",
        until.utc().format("%-d %B %Y, %H:%M UTC")
    )
}

/// When somebody who may write said something of a pull request, or `known` if that is later.
async fn said_last(repository: &Repository, number: u64, known: Timestamp) -> Result<Timestamp, EngineError> {
    let mut said: Vec<(Timestamp, String)> = Vec::new();
    for comment in repository.comments(number, Some(known)).await? {
        if !comment.author_is_bot && !comment.body.contains(crate::github::HIDDEN) {
            said.push((comment.updated_at.max(comment.created_at), comment.author));
        }
    }
    for review in repository.reviews(number).await? {
        if let Some(at) = review.submitted_at.filter(|_| !review.author_is_bot) {
            said.push((at, review.author));
        }
    }
    said.retain(|(at, _)| *at > known);
    said.sort();
    for (at, author) in said.into_iter().rev() {
        if repository.permission(&author).await?.writes() {
            return Ok(at);
        }
    }
    Ok(known)
}

/// The proposal is over: its findings are free again and wait for news, and its pull request is to be closed.
async fn close(home: &Home, proposal: &Proposal, why: &str) -> Result<(), EngineError> {
    let mut tx = home.store.begin().await?;
    if !let_go(&mut tx, proposal).await? {
        return Ok(());
    }
    let close = Outward::Close {
        words: format!(
            "Closed, because {}. This is no refusal: when there is news about the problem, it is looked at again.",
            one_line(why, 200)
        ),
        head: proposal.head.clone(),
    };
    let key = talk::closing_key(&mut tx, proposal).await?;
    outbox::put(&mut tx, &key, &close, clock::now()).await?;
    tx.commit().await?;
    Ok(())
}

/// Ends a proposal without a refusal: its findings are free again and wait for news. False: it is not as it was.
pub(super) async fn let_go(tx: &mut Tx, proposal: &Proposal) -> Result<bool, EngineError> {
    let now = clock::now();
    if !proposals::set_state(tx, proposal.id, proposal.state, ProposalState::Expired, now).await? {
        return Ok(false);
    }
    for finding in findings_of(&mut *tx, proposal).await? {
        move_finding(tx, finding, FindingEvent::Closed).await?;
        findings::set_considered(tx, finding, now).await?;
    }
    let (name, run) = (Some(proposal.loop_name.as_str()), Some(proposal.run));
    let data = json!({ "head": proposal.head });
    tx.record(now, "proposal.expired", name, run, &proposal.id.to_string(), data)
        .await?;
    Ok(true)
}
