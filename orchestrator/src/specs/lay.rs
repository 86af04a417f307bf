//! Lays the loops of one commit out as files. Only regular files that lie directly in the folder are taken; a layout is
//! there whole or not at all.

use std::{fs, io::Write as _, path::Path};

use sha2::{Digest as _, Sha256};
use workers::git::{Git, TreeEntry};

use super::{CURRENT, FOLDER, Laid, SpecsError, root};
use crate::config::github::FullName;

/// More files are not a folder of loops.
const MAX_FILES: usize = 128;
/// Larger files are not loops, nor prompts.
const MAX_FILE: u64 = 256 * 1024;
/// All of them together.
const MAX_ALL: u64 = 4 << 20;
/// How many earlier layouts stay, for runs under way that were begun with them.
const KEPT: usize = 20;

/// A file that is taken.
struct Take {
    name: String,
    id: String,
}

/// Brings what lies under `state` to what `head`, the commit of the repository's base branch, has. Without loops there
/// it is an empty folder.
///
/// # Errors
/// If there is more than is read, or it cannot be read or written; then what was laid out before stays.
pub(super) async fn lay_out(
    state: &Path,
    git: &Git,
    name: &FullName,
    branch: &str,
    head: &str,
) -> Result<Laid, SpecsError> {
    let (takes, notes) = choose(name, git.ls_folder(head, FOLDER).await?)?;
    let mut digest = Sha256::new();
    for take in &takes {
        digest.update(format!("{}\0{}\n", take.name, take.id));
    }
    let digest = hex::encode(digest.finalize());
    let before = Laid::read(state, name);
    let same = before.as_ref().filter(|before| before.digest == digest);
    let laid = Laid {
        repository: name.to_string(),
        branch: branch.to_owned(),
        head: head.to_owned(),
        commit: same.map_or_else(|| head.to_owned(), |before| before.commit.clone()),
        digest,
        notes,
    };
    let root = root(state, name);
    fs::create_dir_all(&root).map_err(SpecsError::file(&root))?;
    let folder = laid.folder(state, name);
    if !folder.is_dir() {
        write(git, &root, &folder, &takes).await?;
    }
    point(&root, &laid)?;
    if same.is_none() {
        forget_old(&root, &laid.commit);
    }
    Ok(laid)
}

/// Which files are taken, and what is said of the others.
fn choose(
    name: &FullName,
    there: Vec<(TreeEntry, Option<u64>)>,
) -> Result<(Vec<Take>, Vec<String>), SpecsError> {
    let (mut takes, mut notes, mut bytes) = (Vec::new(), Vec::new(), 0_u64);
    for (entry, size) in there {
        let Some(file) = String::from_utf8(entry.path).ok().and_then(plain_name) else {
            continue;
        };
        let is_loop = file.ends_with(".yaml") || file.ends_with(".yml");
        let size = size.unwrap_or(0);
        match entry.mode {
            0o100_644 | 0o100_755 if size <= MAX_FILE => {}
            0o100_644 | 0o100_755 if is_loop => {
                return Err(SpecsError::TooMuch(format!(
                    "`{FOLDER}/{file}` of `{name}` has {size} bytes; at most {MAX_FILE} are read"
                )));
            }
            0o120_000 if is_loop => {
                notes.push(format!(
                    "`{FOLDER}/{file}` of `{name}` is a symbolic link, which is not followed"
                ));
                continue;
            }
            _ => continue,
        }
        bytes += size;
        takes.push(Take {
            name: file,
            id: entry.id,
        });
    }
    if takes.len() > MAX_FILES || bytes > MAX_ALL {
        return Err(SpecsError::TooMuch(format!(
            "`{FOLDER}` of `{name}` has {} files with {bytes} bytes; at most {MAX_FILES} files with {MAX_ALL} bytes are read",
            takes.len()
        )));
    }
    Ok((takes, notes))
}

/// The name of a file that lies directly in the folder; none: it is one that is not taken.
fn plain_name(path: String) -> Option<String> {
    let name = path.strip_prefix(FOLDER)?.strip_prefix('/')?;
    let good = !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control);
    good.then(|| name.to_owned())
}

async fn write(git: &Git, root: &Path, folder: &Path, takes: &[Take]) -> Result<(), SpecsError> {
    let new = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(root)
        .map_err(SpecsError::file(root))?;
    for take in takes {
        let text = git.run(&["cat-file", "blob", &take.id]).await?;
        let path = new.path().join(&take.name);
        let mut file = fs::File::create_new(&path).map_err(SpecsError::file(&path))?;
        file.write_all(&text).map_err(SpecsError::file(&path))?;
        file.sync_all().map_err(SpecsError::file(&path))?;
    }
    // Its name counts as soon as it is there: after a crash it must not be one of empty files.
    sync(new.path()).map_err(SpecsError::file(new.path()))?;
    match fs::rename(new.path(), folder) {
        Ok(()) => {
            // It has another name now; there is nothing left to remove.
            let _ = new.keep();
            sync(root).map_err(SpecsError::file(root))
        }
        // Somebody else was quicker with the same commit.
        Err(_) if folder.is_dir() => Ok(()),
        Err(error) => Err(SpecsError::file(folder)(error)),
    }
}

/// What a folder names is on the disk after this.
fn sync(folder: &Path) -> std::io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// Says that this layout counts from now on.
fn point(root: &Path, laid: &Laid) -> Result<(), SpecsError> {
    let path = root.join(CURRENT);
    let failed = || SpecsError::file(&path);
    let text = serde_json::to_vec(laid).map_err(|error| failed()(error.into()))?;
    let mut file = tempfile::NamedTempFile::new_in(root).map_err(failed())?;
    file.write_all(&text).map_err(failed())?;
    file.as_file().sync_all().map_err(failed())?;
    file.persist(&path).map_err(|error| failed()(error.error))?;
    Ok(())
}

/// Removes the oldest layouts. What cannot be removed is tried again the next time.
fn forget_old(root: &Path, current: &str) {
    let mut others: Vec<_> = fs::read_dir(root)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let there = entry.metadata().ok()?;
            let name = entry.file_name().into_string().ok()?;
            (there.is_dir() && name != current && !name.starts_with('.'))
                .then(|| Some((there.modified().ok()?, entry.path())))?
        })
        .collect();
    others.sort();
    let old = others.len().saturating_sub(KEPT);
    for (_, path) in others.into_iter().take(old) {
        let _ = fs::remove_dir_all(path);
    }
}

#[cfg(test)]
mod tests;
