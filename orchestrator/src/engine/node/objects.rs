//! What an order needs of git, on a machine that cannot reach the forge: the base with its tree, and the change that it
//! begins from, out of the packs that whoever posted it keeps in the store.

use workers::git::{Git, Mirror};

use super::post::Body;
use crate::{
    engine::{EngineError, Home, Place},
    store::packs,
};

/// Brings what the order names into this machine's mirror. What is there is not fetched again.
pub(super) async fn bring(home: &Home, body: &Body) -> Result<(), EngineError> {
    let path = home.mirror(&body.repository);
    let base = &body.order.base;
    if !Mirror::has(&path, base).await? {
        let pack = packs::get(&home.store, &packs::of_base(base))
            .await?
            .ok_or_else(|| missing("the base commit", base))?;
        Mirror::receive(&path, base, &pack).await?;
    }
    let git = Git::at(&path);
    for tree in body.trees() {
        if !git.has(tree).await? {
            let pack = packs::get(&home.store, &packs::of_change(tree))
                .await?
                .ok_or_else(|| missing("the change", tree))?;
            git.import(&pack).await?;
        }
    }
    Ok(())
}

/// Brings a run's base into the mirror of whoever goes on with the run: from where the repository is or, if it is not
/// there any more, out of the store.
pub(crate) async fn bring_base(
    home: &Home,
    place: &Place,
    branch: &str,
    base: &str,
) -> Result<(), EngineError> {
    let path = home.mirror(&place.to_string());
    let there = || Mirror::has(&path, base);
    if there().await? {
        return Ok(());
    }
    let fetched = home.fetch(place, branch).await;
    if there().await? {
        return Ok(());
    }
    match packs::get(&home.store, &packs::of_base(base)).await? {
        Some(pack) => Ok(Mirror::receive(&path, base, &pack).await?),
        None => fetched.and(Err(missing("the base commit", base))),
    }
}

/// The same for a tree that an attempt left, maybe on another machine. What is nowhere is for git to complain of.
pub(crate) async fn bring_change(home: &Home, git: &Git, tree: &str) -> Result<(), EngineError> {
    if home.store.is_file() || git.has(tree).await? {
        return Ok(());
    }
    if let Some(pack) = packs::get(&home.store, &packs::of_change(tree)).await? {
        git.import(&pack).await?;
    }
    Ok(())
}

fn missing(what: &str, id: &str) -> EngineError {
    EngineError::Record(format!(
        "{what} `{id}` is neither on this machine nor in the store"
    ))
}
