//! What is said in Slack: one message a proposal, which is kept up to date, with what became of it in its thread; one a
//! cause for which a loop fails; one for a loop that is silent; and a word to reporters, once when theirs is proposed and
//! once when it is merged.
//!
//! What is to be said follows from what is written down, so it is worked out anew each time and nothing is lost by a
//! kill. It is decided into the outbox, under keys that make each thing one thing; the outbox says it.

mod answers;
mod question;
mod reporters;
mod threads;
mod words;

use std::time::Duration;

use loops::{
    id::ProposalId,
    run::End,
    schedule::{Overdue, overdue},
    spec::{LoopSpec, OnOff, RepoForm, Source},
    time::Timestamp,
};
use serde::{Deserialize as _, Serialize};

pub use self::answers::{Told, hear_answers};
pub(crate) use self::question::LONGEST as LONGEST_QUESTION;
use super::{EngineError, Home, private::Private};
use crate::{
    clock,
    store::{
        Store, Tx,
        loops::{self as loop_rows, Loop},
        outbox::{self, Effect},
        proposals::{self, Proposal, ProposalState},
        pulls, runs, ticks,
    },
};

/// What was over for so long has been told of.
const OLD: Duration = Duration::from_secs(86_400);

/// How the keys of effects in Slack begin.
pub(crate) const SLACK: &str = "slack:";

/// Something that is to be said in Slack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub(crate) enum InSlack {
    /// A message in a channel; what stands there already is given these words.
    Message {
        /// As the loop names it.
        channel: String,
        /// What it says, in Slack's form.
        words: String,
        /// It was not said before.
        since: Timestamp,
    },
    /// A word in the thread of a message of ours.
    News {
        /// The key of that message.
        of: String,
        /// What it says.
        words: String,
        /// It was not said before.
        since: Timestamp,
    },
    /// A word in somebody else's thread.
    Reply {
        /// The channel, as it was read.
        channel: String,
        /// The first message of the thread.
        thread: String,
        /// What it says.
        words: String,
        /// It was not said before.
        since: Timestamp,
    },
}

/// The key of a proposal's message.
pub(crate) fn key_of(proposal: ProposalId) -> String {
    format!("{SLACK}proposal:{proposal}")
}

/// Decides what is to be said now, where we are logged in. Whoever calls holds the state's lock.
///
/// # Errors
/// If the store cannot be read or written.
pub async fn announce(home: &Home) -> Result<(), EngineError> {
    if home.slack.is_none() && home.hub.is_none() {
        return Ok(());
    }
    for row in loop_rows::list(&home.store).await? {
        let Ok(spec) = LoopSpec::deserialize(&row.spec) else {
            continue;
        };
        let channel = spec.notify.slack.as_ref().filter(|_| home.slack.is_some());
        if channel.is_none() && spec.notify.reporters == OnOff::Off {
            continue;
        }
        for proposal in proposals::list(&home.store, Some(&row.name), None).await? {
            if proposal.state.is_over() && clock::now().since(proposal.updated_at) > OLD {
                continue;
            }
            let private = Private::of_proposal(&home.store, &proposal).await?;
            if let Some(channel) = channel {
                tell_of(home, channel, &proposal, &private).await?;
            }
            if spec.notify.reporters == OnOff::On {
                reporters::tell(home, &spec, &proposal, &private).await?;
            }
        }
        if let Some(channel) = channel {
            failing(&home.store, channel, &row).await?;
            silent(&home.store, channel, &row, &spec).await?;
        }
    }
    Ok(())
}

/// Whether a loop wants something said in Slack: in a channel, or to those who reported there.
#[must_use]
pub fn says_in_slack(spec: &LoopSpec) -> bool {
    let reads = spec
        .sources
        .iter()
        .any(|source| matches!(source, Source::Slack(_)));
    spec.notify.slack.is_some() || reads && spec.notify.reporters == OnOff::On
}

/// The loops that want something said in Slack, where nobody has said how to log in there.
///
/// # Errors
/// If the store cannot be read.
pub async fn mute(home: &Home) -> Result<Vec<String>, EngineError> {
    if home.slack.is_some() {
        return Ok(Vec::new());
    }
    let all = loop_rows::list(&home.store).await?.into_iter();
    Ok(all
        .filter(|row| LoopSpec::deserialize(&row.spec).is_ok_and(|spec| says_in_slack(&spec)))
        .map(|row| format!("`{}`", row.name))
        .collect())
}

async fn tell_of(
    home: &Home,
    channel: &str,
    proposal: &Proposal,
    private: &Private,
) -> Result<(), EngineError> {
    let key = key_of(proposal.id);
    let known = outbox::get(&home.store, &key).await?;
    // What was over before anybody wanted to hear of it is history; what is being made has no page yet.
    if proposal.state == ProposalState::Preparing || known.is_none() && proposal.state.is_over() {
        return Ok(());
    }
    let pull = pulls::get(&home.store, proposal.id).await?;
    let message = InSlack::Message {
        channel: channel.to_owned(),
        words: words::of_proposal(proposal, &private.hold(&proposal.title), pull.as_ref()),
        since: proposal.created_at,
    };
    let news = words::news_of(&home.store, proposal)
        .await?
        .map(|(what, words)| (what, private.hold(&words)));
    let mut wanted = vec![(key.clone(), message, known)];
    if let Some((what, words)) = news {
        let news_key = format!("{key}:{what}");
        let said = outbox::get(&home.store, &news_key).await?;
        let news = InSlack::News {
            of: key,
            words,
            since: proposal.created_at,
        };
        // A word that was said once is not said again.
        if said.is_none() && wanted[0].2.is_some() {
            wanted.push((news_key, news, None));
        }
    }
    decide(&home.store, &wanted).await
}

/// Decides what differs from what is known.
async fn decide(store: &Store, wanted: &[(String, InSlack, Option<Effect>)]) -> Result<(), EngineError> {
    let same = |effect: &InSlack, known: &Option<Effect>| {
        known
            .as_ref()
            .is_some_and(|known| known.effect::<InSlack>().is_ok_and(|known| known == *effect))
    };
    let new: Vec<_> = wanted
        .iter()
        .filter(|(_, effect, known)| !same(effect, known))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let mut tx: Tx = store.begin().await?;
    for (key, effect, _) in new {
        outbox::renew(&mut tx, key, effect, clock::now()).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// A loop whose machinery fails is told of once a cause, and once that it works again.
async fn failing(store: &Store, channel: &str, row: &Loop) -> Result<(), EngineError> {
    let prefix = format!("{SLACK}failing:{}:", row.name);
    let last = outbox::latest(store, &prefix).await?;
    let open = match &last {
        Some(last) if !last.key.ends_with(":over") => Some(last),
        _ => None,
    };
    let cause = row.setback.map(|setback| setback.cause);
    let open_cause = open.map(|open| {
        open.key[prefix.len()..]
            .split(':')
            .next()
            .unwrap_or_default()
            .to_owned()
    });
    match (row.setback, cause) {
        (Some(setback), Some(cause)) if open_cause.as_deref() != Some(cause.as_str()) => {
            let key = format!("{prefix}{}:{}", cause.as_str(), setback.last.0);
            let message = InSlack::Message {
                channel: channel.to_owned(),
                words: words::failing(&row.name, setback),
                since: setback.last,
            };
            decide(store, &[(key, message, None)]).await
        }
        (None, _) => {
            let Some(open) = open else { return Ok(()) };
            // A person may have started it in between; that alone mends nothing.
            let last = runs::list(store, Some(&row.name), None, 1)
                .await?
                .into_iter()
                .next();
            let well = last.is_some_and(|run| {
                run.started_at > open.decided_at
                    && run.ended_at.is_some()
                    && run.phase != End::Failed.as_str()
            });
            if !well {
                return Ok(());
            }
            let news = InSlack::News {
                of: open.key.clone(),
                words: format!("`{}` works again.", crate::slack::quiet(&row.name)),
                since: open.decided_at,
            };
            decide(store, &[(format!("{}:over", open.key), news, None)]).await
        }
        _ => Ok(()),
    }
}

/// A loop that should have ticked and did not is told of once.
async fn silent(store: &Store, channel: &str, row: &Loop, spec: &LoopSpec) -> Result<(), EngineError> {
    let Some(overdue) = overdue_now(store, row, spec).await? else {
        return Ok(());
    };
    let now = clock::now();
    let key = format!("{SLACK}silent:{}:{}", row.name, overdue.since.0);
    if outbox::get(store, &key).await?.is_some() {
        return Ok(());
    }
    let message = InSlack::Message {
        channel: channel.to_owned(),
        words: words::silent(&row.name, overdue),
        since: now,
    };
    decide(store, &[(key, message, None)]).await
}

/// The ticks that a loop has missed though it is served, not paused, and has no run under way.
async fn overdue_now(store: &Store, row: &Loop, spec: &LoopSpec) -> Result<Option<Overdue>, EngineError> {
    let (Some(schedule), Some(since), None) = (&spec.schedule, row.served_since, row.paused_at) else {
        return Ok(None);
    };
    if runs::open_run(store, &row.name).await?.is_some() {
        return Ok(None);
    }
    let last = ticks::list(store, &row.name, 1).await?.into_iter().next();
    let counted = last.map_or(since, |last| last.due_at.max(since));
    Ok(overdue(schedule, &row.name, counted, clock::now()))
}

/// Each loop that is served, with how many of its ticks left no receipt though they were due.
///
/// # Errors
/// If the store cannot be read.
pub async fn silent_loops(store: &Store) -> Result<Vec<(String, usize)>, EngineError> {
    let mut all = Vec::new();
    for row in loop_rows::list(store).await? {
        let Ok(spec) = LoopSpec::deserialize(&row.spec) else {
            continue;
        };
        if row.served_since.is_some() {
            let overdue = overdue_now(store, &row, &spec).await?;
            all.push((row.name, overdue.map_or(0, |overdue| overdue.ticks)));
        }
    }
    Ok(all)
}

/// The channel of a source's signals, as it was read: `slack:#shop` is `#shop`.
fn channel_of(source: &str) -> Option<&str> {
    source
        .strip_prefix("slack:")
        .filter(|channel| channel.starts_with('#'))
}

/// Whether a repository is one on GitHub.
fn is_on_github(repository: &str) -> bool {
    matches!(RepoForm::parse(repository), Some(RepoForm::GitHub { .. }))
}
