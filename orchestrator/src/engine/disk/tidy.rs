//! What nobody needs any more and can be made again is taken away, so that a service that is left alone does not fill its
//! disk: what checks said long ago of commits; and many small packs in mirrors are put together.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use workers::git::Mirror;

use crate::{
    clock,
    engine::{EngineError, Home},
    store::baselines,
};

/// What the checks said on a base is measured again after this, if anybody asks.
const KEEP_BASELINES: Duration = Duration::from_secs(60 * 86_400);

/// Takes away what can go; what that was, in words.
///
/// # Errors
/// If the store cannot be written. What git cannot do is tried again the next time.
pub async fn tidy(home: &Home) -> Result<Vec<String>, EngineError> {
    let mut told = Vec::new();
    let mut tx = home.store.begin_beside().await?;
    let forgotten = baselines::forget_old(&mut tx, clock::now().minus(KEEP_BASELINES)).await?;
    tx.commit().await?;
    if forgotten > 0 {
        told.push(format!("what checks said of {forgotten} old commits"));
    }
    for mirror in mirrors(&home.folder) {
        match Mirror::tidy(&mirror).await {
            Ok(true) => tracing::info!(mirror = %mirror.display(), "its packs were put together"),
            Ok(false) => {}
            Err(error) => tracing::info!(%error, "a mirror's packs cannot be put together"),
        }
    }
    Ok(told)
}

fn mirrors(folder: &Path) -> Vec<PathBuf> {
    let inside = fs::read_dir(folder.join("mirrors"))
        .into_iter()
        .flatten()
        .flatten();
    inside
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "git") && path.join("config").is_file())
        .collect()
}
