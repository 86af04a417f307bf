//! Removes checkouts that nobody uses, the longest unused first, so that there are never many; and what a killed process
//! left half made or half removed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{WHOLE, Whole, beside, is_at, open_lock, without};

/// The end of the name of the lock that users of a checkout hold.
pub(super) const USED: &str = ".used";
/// The end of the name of the lock that whoever makes one holds.
pub(super) const BUILT: &str = ".built";
/// The end of the name of one that is being made.
pub(super) const NEW: &str = ".new";
/// The end of the name of one that is being removed.
const GONE: &str = ".gone";
/// How many checkouts of one mirror are kept that nobody uses.
const MOST: usize = 8;
/// What all of them may take, in bytes, those in use counted.
const MOST_BYTES: u64 = 16 << 30;

/// Sweeps where that holds up nobody.
pub(super) fn later(folder: PathBuf) {
    // What is not swept now is the next time.
    drop(tokio::task::spawn_blocking(move || {
        sweep(&folder, MOST, MOST_BYTES)
    }));
}

/// Removes what is half made or half removed, and the longest unused until there are few enough and they take little
/// enough. What is in use stays.
pub(super) fn sweep(folder: &Path, most: usize, most_bytes: u64) -> io::Result<()> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let at = folder.join(&name);
        if without(&name, GONE).is_some() {
            fs::remove_dir_all(&at).or_else(nothing_there)?;
        } else if let Some(commit) = without(&name, NEW) {
            // Whoever makes it now holds the lock.
            unused(&folder.join(commit), BUILT, || {
                fs::remove_dir_all(&at).or_else(nothing_there)
            })?;
        } else if at.join(WHOLE).is_file() {
            kept.push((last_used(&at), at));
        }
    }
    kept.sort();
    let mut bytes: u64 = kept.iter().map(|(_, at)| size(at)).sum();
    let mut count = kept.len();
    // The one that was just made is the last of them.
    for (_, at) in kept.iter().take(kept.len().saturating_sub(1)) {
        if count <= most && bytes <= most_bytes {
            break;
        }
        let takes = size(at);
        if unused(at, USED, || remove(at))? {
            unused(at, BUILT, || Ok(()))?;
            count -= 1;
            bytes = bytes.saturating_sub(takes);
        }
    }
    Ok(())
}

/// Takes a checkout away: first its name, which happens at once, then its files.
pub(super) fn remove(at: &Path) -> io::Result<()> {
    let gone = beside(at, &format!("-{}{GONE}", std::process::id()));
    fs::remove_dir_all(&gone).or_else(nothing_there)?;
    fs::rename(at, &gone)?;
    fs::remove_dir_all(&gone)
}

/// Does something to a checkout while nobody holds this lock of it, and removes the lock; whether it could.
fn unused(at: &Path, lock: &str, act: impl FnOnce() -> io::Result<()>) -> io::Result<bool> {
    let path = beside(at, lock);
    let file = open_lock(&path)?;
    if file.try_lock().is_err() || !is_at(&file, &path) {
        return Ok(false);
    }
    act()?;
    fs::remove_file(&path).or_else(nothing_there)?;
    Ok(true)
}

fn nothing_there(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

fn last_used(at: &Path) -> SystemTime {
    let noted = fs::metadata(beside(at, USED)).and_then(|meta| meta.modified());
    noted.unwrap_or(SystemTime::UNIX_EPOCH)
}

fn size(at: &Path) -> u64 {
    let whole = fs::read(at.join(WHOLE)).ok();
    let whole: Option<Whole> = whole.and_then(|text| serde_json::from_slice(&text).ok());
    whole.map_or(0, |whole| whole.bytes)
}
