//! What happens to a pull request after its end: a person opens it again, or takes back what was merged.

use std::collections::BTreeMap;

use loops::{
    finding::{Event as FindingEvent, FindingState},
    time::Timestamp,
};
use serde_json::json;
use workers::git::Git;

use super::{EngineError, Home, News, Talk, heard};
use crate::{
    clock,
    engine::{Place, green::REVERTED, outbox::key, propose::move_finding, settle::findings_of},
    github::PullState,
    store::{
        Tx, findings, ledger,
        outbox::{self, EffectState},
        proposals::{self, Proposal, ProposalState},
        pulls::{self, PullRow},
    },
};

/// For so long it is looked whether something was opened again or taken back, in milliseconds.
const LOOKED_AT: i64 = 30 * 24 * 3_600_000;
/// How many of those that were refused or let go are looked at.
const MAX_REFUSED: u32 = 50;
/// How many commits of the base are read for one that takes something back.
const MAX_COMMITS: &str = "500";

/// The key of the effect that closes a pull request, which can be so once more after each time that it was opened again.
pub(crate) async fn closing_key(tx: &mut Tx, proposal: &Proposal) -> Result<String, EngineError> {
    let row = pulls::get(tx, proposal.id).await?;
    Ok(closing(
        proposal,
        row.map_or(0, |row| row.talk::<Talk>().reopened),
    ))
}

/// It is closed; `at` by GitHub's clock. What was said until then is done with.
pub(crate) async fn closed(
    tx: &mut Tx,
    proposal: &Proposal,
    at: Option<Timestamp>,
) -> Result<(), EngineError> {
    let Some(row) = pulls::get(&mut *tx, proposal.id).await? else {
        return Ok(());
    };
    let mut talk: Talk = row.talk();
    talk.closed_at = at;
    pulls::set_talk(tx, proposal.id, &talk).await?;
    Ok(())
}

/// When we saw that it was opened again.
pub(crate) fn reopened_at(row: &PullRow) -> Option<Timestamp> {
    row.talk::<Talk>().reopened_at
}

fn closing(proposal: &Proposal, reopened: u32) -> String {
    match reopened {
        0 => key("close", proposal.id, &"once"),
        n => key("close", proposal.id, &format!("again-{n}")),
    }
}

/// Looks whether a pull request that was refused or let go is open again: then that is taken back.
pub(crate) async fn reopened(home: &Home) -> Result<Vec<News>, EngineError> {
    let since = Timestamp(clock::now().0 - LOOKED_AT);
    let mut news = Vec::new();
    for row in pulls::refused_since(&home.store, since, MAX_REFUSED).await? {
        let Some(proposal) = proposals::get(&home.store, row.proposal).await? else {
            continue;
        };
        match look_again(home, &row, &proposal).await {
            Ok(found) => news.extend(found),
            Err(error @ EngineError::Store(_)) => return Err(error),
            Err(error) => tracing::info!(pull = row.url, %error, "it could not be looked at"),
        }
    }
    Ok(news)
}

async fn look_again(home: &Home, row: &PullRow, proposal: &Proposal) -> Result<Option<News>, EngineError> {
    let mut talk: Talk = row.talk();
    // One that we are to close ourselves is open until that is done.
    let closes = outbox::get(&home.store, &closing(proposal, talk.reopened)).await?;
    if closes.is_some_and(|effect| effect.state != EffectState::Done) {
        return Ok(None);
    }
    let Some(repository) = home.on_github(&Place::parse(&row.repository))? else {
        return Ok(None);
    };
    if repository.pull(row.number).await?.state == PullState::Closed {
        return Ok(None);
    }
    if taken_up_elsewhere(home, proposal).await? {
        return Ok(None);
    }
    let before = heard::before(&repository, row.number, talk.closed_at).await?;
    let now = clock::now();
    let mut tx = home.store.begin().await?;
    if !proposals::set_state(&mut tx, proposal.id, proposal.state, ProposalState::Open, now).await? {
        return Ok(None);
    }
    for finding in findings_of(&mut tx, proposal).await? {
        for event in [
            FindingEvent::Reopened,
            FindingEvent::TakenUp,
            FindingEvent::Proposed,
        ] {
            move_finding(&mut tx, finding, event).await?;
        }
    }
    talk.reopened += 1;
    talk.reopened_at = Some(now);
    talk.taken.extend(before);
    talk.since = talk.since.max(talk.closed_at);
    (talk.round, talk.stuck) = (None, None);
    talk.tell("It was closed, and a person opened it again.".to_owned());
    pulls::set_talk(&mut tx, proposal.id, &talk).await?;
    record(
        &mut tx,
        proposal,
        "proposal.reopened",
        json!({ "number": row.number }),
    )
    .await?;
    tx.commit().await?;
    Ok(Some(News::Reopened(proposal.clone())))
}

/// Whether a finding of a proposal that is over is another one's by now, or is being worked on.
async fn taken_up_elsewhere(home: &Home, proposal: &Proposal) -> Result<bool, EngineError> {
    for finding in findings_of(&home.store, proposal).await? {
        let kept = findings::get(&home.store, finding).await?;
        if kept
            .is_some_and(|kept| matches!(kept.finding.state, FindingState::Working | FindingState::Proposed))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn record(
    tx: &mut Tx,
    proposal: &Proposal,
    kind: &str,
    data: serde_json::Value,
) -> Result<(), EngineError> {
    let (name, run) = (Some(proposal.loop_name.as_str()), Some(proposal.run));
    tx.record(clock::now(), kind, name, run, &proposal.id.to_string(), data)
        .await?;
    Ok(())
}

/// Looks whether the base has commits that take back what was merged for a loop, writes it down, and opens its findings
/// again. The mirror has the base already.
pub(crate) async fn reverted(home: &Home, loop_name: &str, git: &Git, base: &str) -> Result<(), EngineError> {
    let since = clock::now().0 - LOOKED_AT;
    let mut merged = proposals::list(&home.store, Some(loop_name), Some(ProposalState::Merged)).await?;
    merged.retain(|proposal| proposal.updated_at.0 >= since);
    if merged.is_empty() {
        return Ok(());
    }
    let log = git
        .run(&["log", "-n", MAX_COMMITS, "--format=%H%n%B%x00", base])
        .await?;
    let back = taken_back(&String::from_utf8_lossy(&log));
    for proposal in merged {
        let rows = ledger::rows_of_subject(&home.store, &proposal.id.to_string(), 0, 1_000).await?;
        if rows.iter().any(|row| row.kind == REVERTED) {
            continue;
        }
        let commit = rows.iter().rfind(|row| row.kind == "proposal.merged");
        let commit = commit
            .and_then(|row| row.data["commit"].as_str())
            .unwrap_or_default();
        let by = [commit, &proposal.head]
            .into_iter()
            .find_map(|ours| back.get(ours));
        let Some(by) = by else { continue };
        let mut tx = home.store.begin().await?;
        for finding in findings_of(&mut tx, &proposal).await? {
            move_finding(&mut tx, finding, FindingEvent::Reverted).await?;
        }
        record(&mut tx, &proposal, REVERTED, json!({ "by": by })).await?;
        tx.commit().await?;
        tracing::info!(proposal = %proposal.id, by, "what was merged was taken back");
    }
    Ok(())
}

/// Which commits were taken back, and by which; a commit that was taken back itself takes nothing back any more.
fn taken_back(log: &str) -> BTreeMap<String, String> {
    const SAYS: &str = "This reverts commit ";
    let mut back = BTreeMap::new();
    for entry in log.split('\0') {
        let Some((commit, message)) = entry.trim_start().split_once('\n') else {
            continue;
        };
        for line in message.lines() {
            let named = line.trim_start().strip_prefix(SAYS).unwrap_or_default();
            let named: String = named.chars().take_while(char::is_ascii_hexdigit).collect();
            if named.len() >= 40 && !back.contains_key(commit) {
                back.insert(named, commit.to_owned());
            }
        }
    }
    back
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revert_counts_unless_it_was_reverted_itself() {
        let [fix, revert, again] = ["a", "b", "c"].map(|c| c.repeat(40));
        let first = format!("{revert}\nRevert \"x\"\n\nThis reverts commit {fix}.\n\0\n{fix}\nx\n\0");
        assert_eq!(taken_back(&first).get(&fix), Some(&revert));
        let both = format!("{again}\nReapply \"x\"\n\nThis reverts commit {revert}.\n\0\n{first}");
        assert_eq!(
            taken_back(&both).get(&fix),
            None,
            "newest first, as git gives them"
        );
        let talk = format!("{again}\nAs they say: «This reverts commit {fix}»\n\0");
        assert!(taken_back(&talk).is_empty());
    }
}
