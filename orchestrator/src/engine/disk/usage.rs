//! What takes how much of the disk: each part of the state folder, and of the database what grows most. It looks, and
//! removes nothing.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::Disk;
use crate::{
    engine::{EngineError, Home},
    store::{self, sizes},
};

/// A part with more files than this is not counted to its end.
const MOST_FILES: u32 = 100_000;

/// What takes how much.
#[derive(Debug, Clone, Serialize)]
pub struct Usage {
    /// Bytes that are free for us; none: nobody can tell.
    pub free: Option<u64>,
    /// With fewer nothing new is begun.
    pub keep_free: u64,
    /// Whether that is so now, in words.
    pub short: Option<String>,
    /// The parts of the state.
    pub parts: Vec<Part>,
}

/// A part of the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// `database`, `mirrors`, …
    pub name: &'static str,
    /// The part that it is a part of; none: of the whole.
    pub within: Option<&'static str>,
    /// Bytes on the disk.
    pub bytes: u64,
    /// Whether there are so many files that it was not counted to its end.
    pub at_least: bool,
}

/// What takes how much now.
///
/// # Errors
/// If the store cannot be read.
pub async fn usage(home: &Home) -> Result<Usage, EngineError> {
    let sizes = sizes::look(&home.store).await?;
    let (folder, is_file) = (home.folder.clone(), home.store.is_file());
    let walked = tokio::task::spawn_blocking(move || walk_all(&folder, is_file)).await;
    let mut parts = walked.map_err(|error| EngineError::Record(error.to_string()))?;
    if !is_file {
        parts.insert(0, part("database", None, (sizes.all, false)));
    }
    parts.extend([
        part("transcripts", Some("database"), (sizes.transcripts, false)),
        part("packs", Some("database"), (sizes.packs, false)),
    ]);
    let disk: &Disk = &home.disk;
    Ok(Usage {
        free: disk.free(),
        keep_free: disk.settings.keep_free.0,
        short: disk.short().map(|short| short.to_string()),
        parts,
    })
}

fn part(name: &'static str, within: Option<&'static str>, (bytes, at_least): (u64, bool)) -> Part {
    Part {
        name,
        within,
        bytes,
        at_least,
    }
}

fn walk_all(folder: &Path, is_file: bool) -> Vec<Part> {
    let mut parts = Vec::new();
    if is_file {
        let files = ["", "-wal", "-shm"].map(|end| folder.join(format!("{}{end}", store::FILE)));
        parts.push(part("database", None, walk(files.to_vec())));
    }
    let inside = fs::read_dir(folder.join("mirrors"))
        .into_iter()
        .flatten()
        .flatten();
    let (checkouts, mirrors) = inside
        .map(|entry| entry.path())
        .partition::<Vec<PathBuf>, _>(|path| path.extension().is_some_and(|end| end == "checkouts"));
    parts.push(part("mirrors", None, walk(mirrors)));
    parts.push(part("checkouts", None, walk(checkouts)));
    parts.push(part("setup", None, walk(vec![folder.join("setup")])));
    let workspaces = ["attempts", "rebuilds"].map(|name| folder.join(name));
    parts.push(part("workspaces", None, walk(workspaces.to_vec())));
    parts
}

/// What files and folders take, and whether there were too many to count. Links are not followed; what is gone
/// meanwhile counts as nothing.
fn walk(mut left: Vec<PathBuf>) -> (u64, bool) {
    let (mut bytes, mut files) = (0_u64, 0);
    while let Some(path) = left.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else {
            continue;
        };
        files += 1;
        if files > MOST_FILES {
            return (bytes, true);
        }
        // Counted as the disk does, in blocks of 512 bytes.
        bytes = bytes.saturating_add(meta.blocks().saturating_mul(512));
        if meta.is_dir() {
            let inside = fs::read_dir(&path).into_iter().flatten().flatten();
            left.extend(inside.map(|entry| entry.path()));
        }
    }
    (bytes, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_the_folder_is_counted_for_itself_and_links_lead_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, size: usize| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![1; size]).unwrap();
        };
        put("loops.db", 1 << 20);
        put("loops.db-wal", 1 << 20);
        put("mirrors/a.git/objects/pack", 3 << 20);
        put("mirrors/a.git.checkouts/base/tree/file", 5 << 20);
        put("setup/one/module", 7 << 20);
        put("attempts/attempt-1/upper/file", 11 << 20);
        put("rebuilds/one/file", 13 << 20);
        std::os::unix::fs::symlink("/", folder.path().join("setup/out")).unwrap();
        let parts = walk_all(folder.path(), true);
        let mebibytes: Vec<(&str, u64)> = parts.iter().map(|part| (part.name, part.bytes >> 20)).collect();
        assert_eq!(
            mebibytes,
            [
                ("database", 2),
                ("mirrors", 3),
                ("checkouts", 5),
                ("setup", 7),
                ("workspaces", 24)
            ]
        );
        assert!(parts.iter().all(|part| !part.at_least));
    }
}
