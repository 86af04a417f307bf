//! What follows when an effect is given up, so that nothing waits for it for ever: an approved proposal that GitHub does
//! not merge is open again, and one that never reached GitHub is over. Nothing leaves from here.

use loops::{finding::Event as FindingEvent, text::one_line, time::Timestamp};
use serde_json::json;

use super::{BOARD, Outward, PutBranch, key};
use crate::{
    clock,
    engine::{EngineError, Home, propose::move_finding, settle::findings_of, talk},
    store::{
        Reader, Store, Tx, findings,
        outbox::{self, Effect, EffectState},
        proposals::{self, Proposal, ProposalState},
        pulls,
    },
};

/// How the reason begins of an effect that nobody wants any more; it is no failure.
const OBSOLETE: &str = "not wanted any more: ";
/// What was given up is told for so long, in milliseconds.
const TOLD: i64 = 7 * 24 * 3_600_000;
/// How many effects are looked at.
const AT_MOST: u32 = 1000;

/// Writes down that an effect will not be carried out, with what follows.
pub(super) async fn give_up(home: &Home, effect: &Effect, why: &str) -> Result<(), EngineError> {
    let mut tx = home.store.begin().await?;
    if outbox::failed(&mut tx, &effect.key, why, clock::now()).await? {
        let what = effect.key.split(':').next().unwrap_or_default();
        if let Some(proposal) = proposal_of(&mut tx, &effect.key).await? {
            match what {
                "merge" => not_merged(&mut tx, &proposal, why).await?,
                "branch" | "pull" => not_brought(&mut tx, &proposal, what, why).await?,
                _ => {}
            }
        }
    }
    tx.commit().await?;
    tracing::info!(key = effect.key, why, "an effect is given up");
    Ok(())
}

/// Writes down that nobody wants an effect any more.
pub(super) async fn drop(home: &Home, effect: &Effect, why: &str) -> Result<(), EngineError> {
    let mut tx = home.store.begin().await?;
    outbox::failed(&mut tx, &effect.key, &format!("{OBSOLETE}{why}"), clock::now()).await?;
    tx.commit().await?;
    tracing::debug!(key = effect.key, why, "an effect is not wanted any more");
    Ok(())
}

/// The approval did not become a merge: whoever may can approve again, ask for something else, or refuse.
async fn not_merged(tx: &mut Tx, proposal: &Proposal, why: &str) -> Result<(), EngineError> {
    let (approved, open) = (ProposalState::Approved, ProposalState::Open);
    if !proposals::set_state(tx, proposal.id, approved, open, clock::now()).await? {
        return Ok(());
    }
    let words = format!(
        "It was approved, but was not merged: {}. It is open again.",
        one_line(why, 300)
    );
    talk::told(tx, proposal, words).await?;
    record(tx, proposal, "proposal.not_merged").await
}

/// A change did not reach GitHub. One that has no pull request yet is over; else what stands there stays as it is.
async fn not_brought(tx: &mut Tx, proposal: &Proposal, what: &str, why: &str) -> Result<(), EngineError> {
    let now = clock::now();
    let preparing = ProposalState::Preparing;
    if proposal.state != preparing {
        return Ok(());
    }
    if pulls::get(&mut *tx, proposal.id).await?.is_some() {
        proposals::set_state(tx, proposal.id, preparing, ProposalState::Open, now).await?;
        let why = one_line(why, 300);
        if what == "branch" {
            let why = format!("a later change could not be pushed: {why}");
            pulls::leave_alone(tx, proposal.id, &why).await?;
        }
        let words = format!("What was to come next could not be brought here: {why}.");
        return talk::told(tx, proposal, words).await;
    }
    proposals::set_state(tx, proposal.id, preparing, ProposalState::Expired, now).await?;
    for finding in findings_of(&mut *tx, proposal).await? {
        move_finding(tx, finding, FindingEvent::Closed).await?;
        // It would end the same way: it waits for news, or for a person who says that it is to be tried again.
        findings::set_considered(tx, finding, now).await?;
    }
    if what == "pull" {
        // Its branch is there, and nobody would know what for.
        let close = Outward::Close {
            words: String::new(),
            head: proposal.head.clone(),
        };
        let key = talk::closing_key(tx, proposal).await?;
        outbox::put(tx, &key, &close, now).await?;
    }
    record(tx, proposal, "proposal.not_sent").await
}

async fn record(tx: &mut Tx, proposal: &Proposal, kind: &str) -> Result<(), EngineError> {
    let (name, run) = (Some(proposal.loop_name.as_str()), Some(proposal.run));
    let data = json!({ "head": proposal.head });
    tx.record(clock::now(), kind, name, run, &proposal.id.to_string(), data)
        .await?;
    Ok(())
}

async fn proposal_of(from: impl Reader, key: &str) -> Result<Option<Proposal>, EngineError> {
    match key.split(':').nth(1).map(str::parse) {
        Some(Ok(id)) if !key.starts_with(BOARD) => Ok(proposals::get(from, id).await?),
        _ => Ok(None),
    }
}

/// Why a proposal that is over never stood before people; none: it did.
pub(crate) async fn not_sent(store: &Store, proposal: &Proposal) -> Result<Option<String>, EngineError> {
    if proposal.state != ProposalState::Expired || pulls::get(store, proposal.id).await?.is_some() {
        return Ok(None);
    }
    for what in ["branch", "pull"] {
        let effect = outbox::get(store, &key(what, proposal.id, &proposal.attempt)).await?;
        let why = effect.filter(|effect| effect.state == EffectState::Failed);
        if let Some(why) = why.and_then(|effect| effect.why) {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

/// An effect that could not be carried out.
pub(crate) struct Unsent {
    /// Whether it was given up; else it waits to be tried again.
    pub(crate) given_up: bool,
    /// Why.
    pub(crate) why: String,
    /// When it was given up, or decided.
    pub(crate) at: Timestamp,
}

/// The effects that wait after having been tried in vain, and those that were given up lately, but for dashboards. Of one
/// repository (`owner/name`), or of all.
pub(crate) async fn failures(store: &Store, repository: Option<&str>) -> Result<Vec<Unsent>, EngineError> {
    let since = Timestamp(clock::now().0 - TOLD);
    let mut all = outbox::pending(store, AT_MOST).await?;
    all.retain(|effect| effect.tries > 0);
    all.extend(outbox::failed_since(store, since, AT_MOST).await?);
    let mut found = Vec::new();
    for effect in all {
        let given_up = effect.state == EffectState::Failed;
        let Some(why) = effect.why.clone().filter(|why| !why.starts_with(OBSOLETE)) else {
            continue;
        };
        let proposal = proposal_of(store, &effect.key).await?;
        if let Some(wanted) = repository {
            // A dashboard says nothing about itself, and nothing about what is not this repository's.
            let Some(proposal) = &proposal else { continue };
            let of = of_repository(store, proposal).await?;
            if !of.is_some_and(|of| of.eq_ignore_ascii_case(wanted)) {
                continue;
            }
        }
        // What became of a proposal otherwise has made its failures history, but for the one that ended it.
        let ended_by_it = effect.key.starts_with("branch:") || effect.key.starts_with("pull:");
        let over = proposal.is_some_and(|proposal| match proposal.state {
            ProposalState::Expired => !ended_by_it,
            state => state.is_over(),
        });
        if given_up && over {
            continue;
        }
        found.push(Unsent {
            given_up,
            why,
            at: effect.done_at.unwrap_or(effect.decided_at),
        });
    }
    Ok(found)
}

/// The repository that a proposal's branch is to be in, as its effect says.
async fn of_repository(store: &Store, proposal: &Proposal) -> Result<Option<String>, EngineError> {
    let effect = outbox::get(store, &key("branch", proposal.id, &proposal.attempt)).await?;
    Ok(match effect {
        Some(effect) => Some(effect.effect::<PutBranch>()?.repository),
        None => None,
    })
}
