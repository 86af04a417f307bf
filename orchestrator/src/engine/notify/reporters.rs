//! A word to those who reported it, where they did: once when a change for it is proposed, once when it is merged.

use loops::spec::LoopSpec;

use super::{
    SLACK, is_on_github,
    threads::{Thread, Words, threads},
};
use crate::{
    clock,
    engine::{EngineError, Home, private::Private, settle::findings_of},
    store::{
        outbox,
        proposals::{Proposal, ProposalState},
        pulls,
    },
};

/// Decides what reporters of a proposal's findings are to hear.
pub(super) async fn tell(
    home: &Home,
    spec: &LoopSpec,
    proposal: &Proposal,
    private: &Private,
) -> Result<(), EngineError> {
    let what = match proposal.state {
        ProposalState::Open | ProposalState::Approved | ProposalState::Revising => "proposed",
        ProposalState::Merged => "merged",
        ProposalState::Preparing | ProposalState::Rejected | ProposalState::Expired => return Ok(()),
    };
    let pull = pulls::get(&home.store, proposal.id).await?;
    let url = pull.as_ref().filter(|_| is_on_github(&spec.repo));
    let title = private.hold(&proposal.title);
    let words = Words::title(&title, url.map(|pull| pull.url.as_str())).within(match what {
        "merged" => "A change for this is merged: {}.",
        _ => "A change for this is proposed: {}. You hear of it once more if it is merged.",
    });
    for finding in findings_of(&home.store, proposal).await? {
        // Whoever was not told of the proposal is not told of its merge: it was switched on later.
        let asked = format!("{SLACK}reporters:{finding}:{what}");
        if outbox::get(&home.store, &asked).await?.is_some() {
            continue;
        }
        let mut wanted = Vec::new();
        for thread in threads(home, finding).await? {
            let key = |what: &str| thread.key(&format!("reporter:{finding}:{what}"));
            let told_before = what != "merged" || is_decided(home, &key("proposed")).await?;
            if told_before && !is_decided(home, &key(what)).await? {
                wanted.push((key(what), thread));
            }
        }
        decide(home, &wanted, &words, &asked).await?;
    }
    Ok(())
}

async fn is_decided(home: &Home, key: &str) -> Result<bool, EngineError> {
    Ok(outbox::get(&home.store, key).await?.is_some())
}

/// Decides all of it, and notes that those who had reported it by now are told.
async fn decide(
    home: &Home,
    wanted: &[(String, Thread)],
    words: &Words,
    asked: &str,
) -> Result<(), EngineError> {
    let now = clock::now();
    let mut tx = home.store.begin().await?;
    for (key, thread) in wanted {
        thread.say(&mut tx, key, words, now).await?;
    }
    outbox::put(&mut tx, asked, &"told", now).await?;
    outbox::done(&mut tx, asked, now).await?;
    tx.commit().await?;
    Ok(())
}
