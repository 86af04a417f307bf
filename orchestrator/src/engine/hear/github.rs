//! What GitHub tells: kept once, as signals of the loops whose sources would have read it, and as news that wakes loops.
//!
//! Nothing is asked of GitHub but who we are, once; and where even that cannot be told, only the news is kept, and what
//! happened is read by asking. A reading finds the same signals again, by the same ids, so nothing counts twice.

use std::{sync::atomic::Ordering, time::Duration};

use loops::spec::LoopSpec;
use tokio::time::timeout;

use super::super::{
    EngineError, Home, Place,
    collect::{Rules, keep_in},
};
use crate::{
    clock,
    github::{Hook, Repository},
    source::Batch,
    store::{
        Tx,
        heard::{self, Heard},
        loops as loop_rows,
    },
};

/// GitHub waits ten seconds for an answer; longer than this we do not ask who we are.
const PATIENCE: Duration = Duration::from_secs(3);
/// The kind of what we did ourselves: it wakes nobody.
const OURS: &str = "own";
/// How the kinds of GitHub's events begin where they stand beside others'.
const KIND: &str = "github:";

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It was told before.
    Known,
    /// No loop that is served works on its repository.
    NotOurs,
    /// It is kept; so many signals were new or edited by it.
    Kept(u32),
}

/// What an event says to one loop.
struct Told {
    spec: LoopSpec,
    batches: Vec<Batch>,
}

/// Keeps an event: what it says for each loop that would read it, and that it came.
///
/// # Errors
/// If the store cannot be read or written: it is to be sent again.
pub async fn hear_hook(home: &Home, hook: &Hook) -> Result<Came, EngineError> {
    let specs = loops_of(home, hook).await?;
    if specs.is_empty() {
        return Ok(Came::NotOurs);
    }
    let Some(here) = home.on_github(&place_of(&specs[0]))? else {
        return Ok(Came::NotOurs);
    };
    let me = timeout(PATIENCE, here.me()).await.ok().and_then(Result::ok);
    let ours = me
        .as_ref()
        .is_some_and(|me| me.app && hook.sender.as_deref().is_some_and(|by| me.is(by)));
    let mut told = Vec::new();
    for spec in specs {
        let batches = match me {
            Some(_) => batches(home, &spec, hook).await?,
            None => Vec::new(),
        };
        told.push(Told { spec, batches });
    }
    let mut tx = home.store.begin().await?;
    if !is_new(&mut tx, hook, ours).await? {
        return Ok(Came::Known);
    }
    let mut new = 0;
    for Told { spec, batches } in &told {
        let rules = Rules::of(spec)?.told();
        for batch in batches {
            new += keep_in(&mut tx, &spec.name, None, "github webhook", batch, &rules).await?;
        }
    }
    tx.commit().await?;
    if !ours && moves_talk(hook) {
        home.told.store(true, Ordering::Relaxed);
    }
    Ok(Came::Kept(new))
}

/// Whether GitHub told of something in a conversation since this was asked last.
pub fn is_told(home: &Home) -> bool {
    home.told.swap(false, Ordering::Relaxed)
}

fn place_of(spec: &LoopSpec) -> Place {
    Place::parse(&spec.repo)
}

/// The loops that are served and work on the repository.
async fn loops_of(home: &Home, hook: &Hook) -> Result<Vec<LoopSpec>, EngineError> {
    let key = hook.repository.key();
    let rows = loop_rows::list(&home.store).await?;
    let served = rows.into_iter().filter(|row| row.served_since.is_some());
    let here = served.filter(|row| {
        row.spec["repo"]
            .as_str()
            .is_some_and(|repo| repo.eq_ignore_ascii_case(&key))
    });
    // What an older version wrote down, and this one cannot read, is written anew at the next start.
    Ok(here
        .filter_map(|row| serde_json::from_value(row.spec).ok())
        .collect())
}

/// What the event says to each of a loop's sources.
async fn batches(home: &Home, spec: &LoopSpec, hook: &Hook) -> Result<Vec<Batch>, EngineError> {
    // As the loop spells it: that is what its signals are called by.
    let here: Option<Repository> = home.on_github(&place_of(spec))?;
    let Some(here) = here else {
        return Ok(Vec::new());
    };
    let mut batches = Vec::new();
    for source in &spec.sources {
        if let Some(batch) = here.hear(source, hook).await? {
            for skipped in &batch.skipped {
                tracing::info!(place = %skipped.place, why = %skipped.why, "a part of an event of GitHub was passed over");
            }
            batches.push(batch);
        }
    }
    Ok(batches)
}

/// Notes that the event came. Its id is not signed, so it is known again by its body, too.
async fn is_new(tx: &mut Tx, hook: &Hook, ours: bool) -> Result<bool, EngineError> {
    let at = clock::now();
    let body = Heard {
        kind: String::new(),
        place: String::new(),
        at,
    };
    let kind = if ours { OURS } else { &hook.name() };
    let event = Heard {
        kind: format!("{KIND}{kind}"),
        place: hook.repository.key(),
        at,
    };
    Ok(
        heard::put(tx, &format!("github:body:{}", hook.digest), &body).await?
            && heard::put(tx, &format!("github:{}", hook.delivery), &event).await?,
    )
}

/// Whether a trigger waits for an event of this kind: `issues.opened`, or `issues` for all of its actions.
pub(in super::super) fn is_waited_for(trigger: &str, kind: &str) -> bool {
    kind.strip_prefix(KIND).is_some_and(|name| {
        name == trigger
            || name
                .strip_prefix(trigger)
                .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// Whether a conversation under a proposal, or a dashboard, may go on by it.
fn moves_talk(hook: &Hook) -> bool {
    matches!(
        hook.event.as_str(),
        "issue_comment" | "pull_request" | "pull_request_review" | "pull_request_review_comment"
    ) || matches!(hook.name().as_str(), "issues.edited" | "check_suite.completed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_waited_for_by_its_name_or_with_all_its_actions() {
        assert!(is_waited_for("issues.opened", "github:issues.opened"));
        assert!(is_waited_for("issues", "github:issues.opened"));
        assert!(is_waited_for("push", "github:push"));
        assert!(!is_waited_for("issues", "github:issues_other.opened"));
        assert!(!is_waited_for("issues.opened", "github:issues.closed"));
        assert!(!is_waited_for("message", "message"), "another service's");
        assert!(!is_waited_for("issues", "github:own"));
    }
}
