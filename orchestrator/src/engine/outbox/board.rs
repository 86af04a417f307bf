//! The dashboard issue of a repository: found or made, and given its text; and answers under it. There is never a second
//! one.

use loops::{
    board::{TITLE, marker, same, ticked},
    screen::secrets,
};

use super::Tried;
use crate::{
    clock,
    engine::{EngineError, Home, Place},
    github::{EditIssue, Issue, NewIssue, Repository},
    store::{
        boards::{self, Board},
        outbox,
    },
};

/// The label by which it is found.
const LABEL: &str = "loops";

pub(super) async fn board(
    home: &Home,
    key: &str,
    name: &str,
    body: &str,
) -> Result<Option<Tried>, EngineError> {
    let Some(repository) = home.on_github(&Place::parse(name))? else {
        return Ok(None);
    };
    let known = boards::get(&home.store, name).await?;
    let issue = match &known {
        Some(known) => Some(repository.issue(known.number).await?),
        None => repository.find_issue(LABEL, &marker(name)).await?,
    };
    let issue = match issue {
        None => make(&repository, body).await?,
        Some(issue) if !issue.open => issue,
        // Somebody has just ticked a box: it is read before the text is written over it.
        Some(issue) if !ticked(&issue.body).iter().all(|id| !offered(body, id)) => {
            note(home, key, name, &issue, None, false).await?;
            return Ok(Some(Tried::NotYet));
        }
        Some(issue) if same(&issue.body, body) => issue,
        Some(issue) => {
            let edit = EditIssue {
                body: Some(body.to_owned()),
                ..EditIssue::default()
            };
            repository.edit_issue(issue.number, &edit).await?
        }
    };
    note(home, key, name, &issue, Some(body), true).await?;
    Ok(Some(Tried::Done))
}

/// An answer under the dashboard, once.
pub(super) async fn say(
    home: &Home,
    key: &str,
    name: &str,
    words: &str,
) -> Result<Option<Tried>, EngineError> {
    let Some(repository) = home.on_github(&Place::parse(name))? else {
        return Ok(None);
    };
    let Some(known) = boards::get(&home.store, name).await? else {
        return Ok(Some(Tried::Obsolete("there is no dashboard any more".to_owned())));
    };
    let marker = format!("<!-- loops:{key} -->");
    if repository.find_comment(known.number, &marker).await?.is_none() {
        let body = format!("{}\n\n{marker}\n", secrets::mask(words));
        repository.comment(known.number, &body).await?;
    }
    let mut tx = home.store.begin().await?;
    outbox::done(&mut tx, key, clock::now()).await?;
    tx.commit().await?;
    Ok(Some(Tried::Done))
}

/// Whether a text has a box of this id that is not ticked.
fn offered(body: &str, id: &str) -> bool {
    let boxed = format!("<!-- loops:box:{id} -->");
    body.lines().any(|line| line.trim_end().ends_with(&boxed))
}

async fn make(repository: &Repository, body: &str) -> Result<Issue, EngineError> {
    let new = NewIssue {
        title: TITLE.to_owned(),
        body: body.to_owned(),
        labels: vec![LABEL.to_owned()],
    };
    Ok(repository.create_issue(&new).await?)
}

/// Writes down which issue it is, and with `done` that it has its text now.
async fn note(
    home: &Home,
    key: &str,
    name: &str,
    issue: &Issue,
    body: Option<&str>,
    done: bool,
) -> Result<(), EngineError> {
    let now = clock::now();
    let mut tx = home.store.begin().await?;
    let known = boards::get(&mut tx, name).await?;
    let was = known.map(|known| known.body).unwrap_or_default();
    let board = Board {
        repository: name.to_owned(),
        number: issue.number,
        url: issue.url.clone(),
        body: body.map_or(was, str::to_owned),
        closed_at: (!issue.open).then_some(now),
        updated_at: now,
    };
    boards::put(&mut tx, &board).await?;
    if done {
        outbox::done(&mut tx, key, now).await?;
    }
    tx.commit().await?;
    Ok(())
}
