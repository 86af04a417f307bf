//! What an order needs of git, on a machine that cannot reach the forge: the base with its tree, and the change that it
//! begins from, out of the packs that whoever posted it keeps in the store.

use workers::git::{Git, Mirror};

use super::post::Body;
use crate::{
    engine::{EngineError, Home},
    store::packs,
};

/// Brings what the order names into this machine's mirror. What is there is not fetched again.
pub(super) async fn bring(home: &Home, body: &Body) -> Result<(), EngineError> {
    let path = home.mirror(&body.repository);
    let git = Git::at(&path);
    let base = &body.order.base;
    if !path.join("config").is_file() || !git.has(base).await? {
        let pack = packs::get(&home.store, &packs::of_base(base))
            .await?
            .ok_or_else(|| missing("the base commit", base))?;
        Mirror::receive(&path, base, &pack).await?;
    }
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

fn missing(what: &str, id: &str) -> EngineError {
    EngineError::Record(format!(
        "{what} `{id}` is neither on this machine nor in the store"
    ))
}
