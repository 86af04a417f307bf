//! Keeps one dashboard issue for each repository on GitHub that loops work on: reads the boxes that people ticked and
//! what they say under it, carries it out once, and decides its text. What leaves is the outbox's.
//!
//! A box is carried out only if we offer it now: what is offered is worked out anew from the state of that repository's
//! loops, so that no text can ask for more. An issue that somebody closed is left alone until somebody opens it again.

mod facts;
mod heard;
mod ticks;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use loops::{
    board::{self, Section},
    spec::LoopSpec,
    time::Timestamp,
};

use self::facts::Facts;
use super::{
    EngineError, Home, News, Place,
    outbox::{BOARD, Outward},
};
use crate::{
    clock,
    github::{GitHubError, Repository},
    store::{
        boards::{self, Board},
        loops as loop_rows, outbox, plans, proposals, runs,
    },
};

/// A loop that nobody serves is forgotten so long after its last run.
const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);

/// A loop as the dashboard knows it.
pub(super) struct Known {
    pub(super) spec: LoopSpec,
    pub(super) paused_at: Option<Timestamp>,
}

/// Reads and writes the dashboard of every repository. Whoever calls holds the state's lock.
///
/// # Errors
/// If the store cannot be read or written. What GitHub says is news.
pub async fn keep_boards(home: &Home) -> Result<Vec<News>, EngineError> {
    let mut news = Vec::new();
    if home.hub.is_none() {
        return Ok(news);
    }
    // GitHub takes a name in any case; it is one repository.
    let mut repositories: BTreeMap<String, (Vec<String>, Vec<Known>)> = BTreeMap::new();
    for row in loop_rows::list(&home.store).await? {
        let Ok(spec) = serde_json::from_value::<LoopSpec>(row.spec) else {
            continue;
        };
        let place = Place::parse(&spec.repo);
        if let Place::GitHub { .. } = place {
            let known = Known {
                spec,
                paused_at: row.paused_at,
            };
            let name = place.to_string();
            let (names, all) = repositories.entry(name.to_lowercase()).or_default();
            if !names.contains(&name) {
                names.push(name);
            }
            if row.served_since.is_some() || is_alive(home, &known).await? {
                all.push(known);
            }
        }
    }
    for (names, loops) in repositories.into_values() {
        let Some(name) = name_of(home, names).await? else {
            continue;
        };
        match keep(home, &name, &loops, &mut news).await {
            Ok(()) => {}
            Err(error @ EngineError::Store(_)) => return Err(error),
            Err(error) => news.push(News::NoBoard(name, error.to_string())),
        }
    }
    Ok(news)
}

/// Whether a loop that nobody serves has something on a dashboard: it was run lately, it is paused, or something of it
/// waits for people.
async fn is_alive(home: &Home, known: &Known) -> Result<bool, EngineError> {
    let (store, name) = (&home.store, known.spec.name.as_str());
    if known.paused_at.is_some()
        || proposals::open_count(store, name).await? > 0
        || plans::open_count(store, name).await? > 0
    {
        return Ok(true);
    }
    let last = runs::list(store, Some(name), None, 1).await?;
    let now = clock::now();
    Ok(last.iter().any(|run| now.since(run.started_at) < REMEMBERED))
}

/// The name under which a repository's dashboard is known, of those under which loops know it.
async fn name_of(home: &Home, names: Vec<String>) -> Result<Option<String>, EngineError> {
    for name in &names {
        if boards::get(&home.store, name).await?.is_some() {
            return Ok(Some(name.clone()));
        }
    }
    Ok(names.into_iter().next())
}

async fn keep(home: &Home, name: &str, loops: &[Known], news: &mut Vec<News>) -> Result<(), EngineError> {
    let Some(repository) = home.on_github(&Place::parse(name))? else {
        return Ok(());
    };
    let Some(known) = boards::get(&home.store, name).await? else {
        let facts = Facts::gather(home, name, loops).await?;
        if facts.worth_telling {
            want(home, name, &facts.sections).await?;
        }
        return Ok(());
    };
    let Some(there) = look(home, &repository, &known).await? else {
        return Ok(());
    };
    for what in heard::answer(home, &repository, name, loops, &known).await? {
        news.push(News::Ticked(name.to_owned(), what));
    }
    let ticked = board::ticked(&there);
    if ticked.is_empty() {
        let facts = Facts::gather(home, name, loops).await?;
        if board::same(&board::markdown(name, &facts.sections), &known.body) {
            return Ok(());
        }
        return want(home, name, &facts.sections).await;
    }
    let facts = Facts::gather(home, name, loops).await?;
    let mut seen = BTreeSet::new();
    for id in ticked {
        let Some(offer) = facts.offers.get(&id).filter(|_| seen.insert(id.clone())) else {
            continue;
        };
        let what = ticks::carry_out(home, name, offer).await?;
        news.push(News::Ticked(name.to_owned(), what));
    }
    // The loops may be paused now that were not: they are read anew.
    let mut now = Vec::new();
    for known in loops {
        let paused_at = loop_rows::get(&home.store, &known.spec.name)
            .await?
            .and_then(|row| row.paused_at);
        now.push(Known {
            spec: known.spec.clone(),
            paused_at,
        });
    }
    let facts = Facts::gather(home, name, &now).await?;
    want(home, name, &facts.sections).await
}

/// The issue's text as it is there; none: somebody has it closed, or took it away.
async fn look(home: &Home, repository: &Repository, known: &Board) -> Result<Option<String>, EngineError> {
    let issue = match repository.issue(known.number).await {
        Err(GitHubError::NotFound { .. } | GitHubError::Gone { .. }) => None,
        issue => Some(issue?),
    };
    let open = issue.as_ref().is_some_and(|issue| issue.open);
    if open == known.closed_at.is_some() {
        let now = clock::now();
        let mut tx = home.store.begin().await?;
        let board = Board {
            closed_at: (!open).then_some(now),
            updated_at: now,
            ..known.clone()
        };
        boards::put(&mut tx, &board).await?;
        tx.commit().await?;
    }
    Ok(issue.filter(|issue| issue.open).map(|issue| issue.body))
}

/// From here on the text is the outbox's to bring there.
async fn want(home: &Home, name: &str, sections: &[Section]) -> Result<(), EngineError> {
    let body = board::markdown(name, sections);
    let mut tx = home.store.begin().await?;
    outbox::renew(
        &mut tx,
        &format!("{BOARD}{name}"),
        &Outward::Board { body },
        clock::now(),
    )
    .await?;
    tx.commit().await?;
    Ok(())
}
