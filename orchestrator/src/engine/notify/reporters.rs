//! A word to those who reported it, where they did: once when a change for it is proposed, once when it is merged.

use std::collections::BTreeSet;

use loops::{id::FindingId, signal::Voice, spec::LoopSpec, time::Timestamp};

use super::{InSlack, SLACK, channel_of, decide, is_on_github, words::linked};
use crate::{
    clock,
    engine::{EngineError, Home, settle::findings_of},
    store::{
        outbox,
        proposals::{Proposal, ProposalState},
        pulls, signals,
    },
};

/// More threads than this hear nothing: that many people read what is merged elsewhere.
const MAX_THREADS: usize = 50;
/// So many signals of a finding are looked at.
const MAX_SIGNALS: u32 = 2_000;

/// Decides what reporters of a proposal's findings are to hear.
pub(super) async fn tell(home: &Home, spec: &LoopSpec, proposal: &Proposal) -> Result<(), EngineError> {
    let what = match proposal.state {
        ProposalState::Open | ProposalState::Approved | ProposalState::Revising => "proposed",
        ProposalState::Merged => "merged",
        ProposalState::Preparing | ProposalState::Rejected | ProposalState::Expired => return Ok(()),
    };
    let pull = pulls::get(&home.store, proposal.id).await?;
    let title = linked(
        &proposal.title,
        pull.as_ref().filter(|_| is_on_github(&spec.repo)),
    );
    for finding in findings_of(&home.store, proposal).await? {
        // Whoever was not told of the proposal is not told of its merge: it was switched on later.
        let asked = format!("{SLACK}reporters:{finding}:{what}");
        if outbox::get(&home.store, &asked).await?.is_some() {
            continue;
        }
        let words = match what {
            "merged" => format!("A change for this is merged: {title}."),
            _ => format!("A change for this is proposed: {title}. You hear of it once more if it is merged."),
        };
        let mut wanted = Vec::new();
        for (channel, thread, said_at) in threads(home, finding).await? {
            let key = format!("{SLACK}reporter:{finding}:{what}:{channel}:{thread}");
            let known = outbox::get(&home.store, &key).await?;
            let told_before = match what {
                "merged" => {
                    let before = format!("{SLACK}reporter:{finding}:proposed:{channel}:{thread}");
                    outbox::get(&home.store, &before).await?.is_some()
                }
                _ => true,
            };
            if known.is_none() && told_before {
                let reply = InSlack::Reply {
                    channel,
                    thread,
                    words: words.clone(),
                    since: said_at,
                };
                wanted.push((key, reply, None));
            }
        }
        decide(&home.store, &wanted).await?;
        mark(home, &asked).await?;
    }
    Ok(())
}

/// Notes that those who had reported it by now were told.
async fn mark(home: &Home, key: &str) -> Result<(), EngineError> {
    let now = clock::now();
    let mut tx = home.store.begin().await?;
    outbox::put(&mut tx, key, &"told", now).await?;
    outbox::done(&mut tx, key, now).await?;
    tx.commit().await?;
    Ok(())
}

/// The threads in which people reported a finding: the channel, the first message, and when the last word was said.
async fn threads(home: &Home, finding: FindingId) -> Result<Vec<(String, String, Timestamp)>, EngineError> {
    let mut known = BTreeSet::new();
    let mut all = Vec::new();
    let said = signals::of_finding(&home.store, finding, MAX_SIGNALS).await?;
    for kept in said.iter().rev().filter(|kept| kept.erased_at.is_none()) {
        let signal = &kept.signal;
        let Some(channel) = channel_of(&signal.source).filter(|_| signal.voice == Voice::Person) else {
            continue;
        };
        let thread = signal.thread.as_ref().unwrap_or(&signal.external_id);
        if all.len() < MAX_THREADS && known.insert((channel.to_owned(), thread.clone())) {
            all.push((channel.to_owned(), thread.clone(), signal.at));
        }
    }
    Ok(all)
}
