//! What nobody needs any more and can be made again is taken away, so that a service that is left alone does not fill its
//! disk: the longest unused results of `setup`, what checks said long ago of commits, many small packs in mirrors.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use workers::git::Mirror;

use super::{rough, usage};
use crate::{
    clock,
    engine::{EngineError, Home},
    store::baselines,
};

/// What the checks said on a base is measured again after this, if anybody asks.
const KEEP_BASELINES: Duration = Duration::from_secs(60 * 86_400);
/// An attempt that copies a result of `setup` has used it just now: it stays for longer than any copy takes.
const IN_USE: Duration = Duration::from_secs(3600);

/// Takes away what can go; what that was, in words.
///
/// # Errors
/// If the store cannot be written. What cannot be removed from the disk is tried again the next time.
pub async fn tidy(home: &Home) -> Result<Vec<String>, EngineError> {
    let mut told = Vec::new();
    let (folder, most) = (home.setup_cache(), home.disk.settings.setup.0);
    let swept = tokio::task::spawn_blocking(move || sweep_setup(&folder, most, SystemTime::now())).await;
    match swept.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok(0) => {}
        Ok(freed) => told.push(format!(
            "{} of the longest unused results of `setup`",
            rough(freed)
        )),
        Err(error) => tracing::info!(%error, "results of setup cannot be swept"),
    }
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

/// Removes results of `setup`, the longest unused first, until all together take no more than `most` bytes; how many
/// bytes that freed.
fn sweep_setup(folder: &Path, most: u64, now: SystemTime) -> io::Result<u64> {
    let mut kept = Vec::new();
    let inside = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        inside => inside?,
    };
    for entry in inside {
        let entry = entry?;
        let meta = entry.metadata()?;
        if meta.is_dir() {
            let (bytes, _) = usage::walk(vec![entry.path()]);
            kept.push((meta.modified()?, bytes, entry.path()));
        }
    }
    kept.sort();
    let mut all: u64 = kept.iter().map(|(_, bytes, _)| bytes).sum();
    let mut freed = 0;
    for (used, bytes, path) in kept {
        let in_use = now.duration_since(used).is_ok_and(|since| since < IN_USE) || used > now;
        if all <= most || in_use {
            break;
        }
        // Its name goes first: what is half removed must not be taken for a result.
        let gone = folder.join(format!(
            ".gone-{}",
            path.file_name().unwrap_or_default().to_string_lossy()
        ));
        fs::rename(&path, &gone)?;
        fs::remove_dir_all(&gone)?;
        all = all.saturating_sub(bytes);
        freed += bytes;
    }
    Ok(freed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_setup_go_the_longest_unused_first_and_none_that_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        for (name, hours) in [("new", 0), ("old", 50), ("older", 60), ("middle", 40)] {
            let at = folder.path().join(name);
            fs::create_dir_all(at.join("files")).unwrap();
            fs::write(at.join("files/one"), vec![1; 1 << 20]).unwrap();
            let used = now - Duration::from_secs(hours * 3600);
            fs::File::open(&at).unwrap().set_modified(used).unwrap();
        }
        let left = || {
            let mut names: Vec<String> = fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        assert_eq!(sweep_setup(folder.path(), 10 << 20, now).unwrap(), 0);
        assert!(sweep_setup(folder.path(), (2 << 20) + (200 << 10), now).unwrap() >= 2 << 20);
        assert_eq!(left(), ["middle", "new"]);
        sweep_setup(folder.path(), 0, now).unwrap();
        assert_eq!(
            left(),
            ["new"],
            "what was used just now stays, however little room there is"
        );
        assert_eq!(sweep_setup(&folder.path().join("none"), 0, now).unwrap(), 0);
    }
}
