//! Why a proposal whose loop merges when green is not merged: kept with its pull request for whoever asks, and said by the
//! updating comment where a person has to do something about it. It judges nothing.

use std::collections::BTreeMap;

use loops::id::ProposalId;

use super::{EngineError, Talk, news, terms};
use crate::{
    clock,
    store::{Store, outbox, proposals::Proposal, pulls},
};

/// What keeps a proposal from being merged by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Unmerged {
    /// In words.
    pub(crate) why: String,
    /// Whether it passes by itself, so that nobody has to do anything.
    pub(crate) for_now: bool,
}

/// Writes down what keeps a proposal from being merged by itself; none: nothing does, or its loop does not merge.
pub(crate) async fn note_unmerged(
    store: &Store,
    proposal: &Proposal,
    unmerged: Option<Unmerged>,
) -> Result<(), EngineError> {
    let known = pulls::get(store, proposal.id).await?;
    if known.is_none_or(|row| row.talk::<Talk>().unmerged == unmerged) {
        return Ok(());
    }
    let (limits, _) = terms(store, &proposal.loop_name).await?;
    let mut tx = store.begin().await?;
    let Some(row) = pulls::get(&mut tx, proposal.id).await? else {
        return Ok(());
    };
    let mut talk: Talk = row.talk();
    if talk.unmerged == unmerged {
        return Ok(());
    }
    talk.unmerged = unmerged;
    if let Some((key, effect)) = news::update(proposal, &mut talk, row.hands_off.as_deref(), limits) {
        outbox::put(&mut tx, &key, &effect, clock::now()).await?;
    }
    pulls::set_talk(&mut tx, proposal.id, &talk).await?;
    tx.commit().await?;
    Ok(())
}

/// Why the open proposals of loops that merge when green are not merged, as far as they were looked at; each by its id.
///
/// # Errors
/// If the store cannot be read.
pub async fn unmerged(store: &Store) -> Result<BTreeMap<ProposalId, String>, EngineError> {
    let rows = pulls::open(store).await?;
    let why = |row: &pulls::PullRow| row.talk::<Talk>().unmerged.map(|unmerged| unmerged.why);
    Ok(rows
        .into_iter()
        .filter_map(|row| Some((row.proposal, why(&row)?)))
        .collect())
}
