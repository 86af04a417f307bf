//! Base commits that are checked out once for all attempts that begin from them, beside their mirror. Whoever comes
//! first makes one while the others wait; what is half made is never taken for whole; nobody ever writes in one.

mod sweep;
#[cfg(test)]
mod tests;

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, FileTimes, OpenOptions},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use super::{TOY_CONFIG, TRUSTED_CONFIG, WorkspaceError, lay_out};
use crate::{
    git::Git,
    sandbox::{MIRROR_OBJECTS, user},
};

/// Raised when what a checkout holds changes, so that older ones are made anew.
const FORM: u32 = 1;
/// The file that a whole one has.
const WHOLE: &str = "whole.json";
/// How long before now its files seem to have been written: git looks again at whatever changed in the same second as
/// its index.
const AGE: Duration = Duration::from_secs(10);

/// A base commit, checked out, with a git of its own for those inside. It is not removed while this lives.
#[derive(Debug)]
pub(super) struct Checkout {
    /// The files.
    pub(super) tree: PathBuf,
    /// The commit's tree.
    pub(super) base_tree: String,
    /// Who owns the files on the host, and so who those are that work on them.
    pub(super) uid: u32,
    /// Held shared by all who use it.
    _lock: File,
}

/// What is noted of a whole checkout.
#[derive(Debug, Serialize, Deserialize)]
struct Whole {
    form: u32,
    /// The machine's start in which it was made. After a crash of the machine, a file that was renamed into its place
    /// may be there without its content.
    boot: String,
    tree: String,
    /// What its files take, in bytes.
    bytes: u64,
}

/// Where the checkouts of a mirror are.
pub(super) fn folder(mirror: &Path) -> PathBuf {
    beside(mirror, ".checkouts")
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

impl Checkout {
    /// The checkout of a commit, made if it is not there.
    pub(super) async fn get(mirror: &Path, base: &str) -> Result<Self, WorkspaceError> {
        let place = Place::of(mirror, base)?;
        loop {
            if let Some(checkout) = place.take().await? {
                return Ok(checkout);
            }
            let _building = locked(&place.build_lock, Hold::Alone).await?;
            if place.whole()?.is_none() {
                place.build(mirror, base).await?;
                sweep::later(place.folder.clone());
            }
        }
    }
}

/// One commit's place.
struct Place {
    folder: PathBuf,
    /// The whole one.
    at: PathBuf,
    use_lock: PathBuf,
    build_lock: PathBuf,
}

impl Place {
    fn of(mirror: &Path, base: &str) -> Result<Self, WorkspaceError> {
        if base.len() < 40 || !base.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let error = io::Error::other(format!("`{}` is not a commit's id", base.escape_default()));
            return Err(WorkspaceError::file(mirror)(error));
        }
        let folder = folder(mirror);
        fs::create_dir_all(&folder).map_err(WorkspaceError::file(&folder))?;
        // Nobody else goes in: all attempts on one commit are one user, and reach it only through their own mount.
        let closed = fs::Permissions::from_mode(0o700);
        fs::set_permissions(&folder, closed).map_err(WorkspaceError::file(&folder))?;
        let at = folder.join(base);
        Ok(Self {
            use_lock: beside(&at, sweep::USED),
            build_lock: beside(&at, sweep::BUILT),
            folder,
            at,
        })
    }

    /// The checkout, if it is there and whole, with a hold on it.
    async fn take(&self) -> Result<Option<Checkout>, WorkspaceError> {
        let lock = locked(&self.use_lock, Hold::Shared).await?;
        let Some(whole) = self.whole()? else {
            return Ok(None);
        };
        // Who is used last is removed last; without this note it is only removed sooner.
        let _ = lock.set_modified(SystemTime::now());
        let tree = self.at.join("tree");
        let meta = fs::symlink_metadata(&tree).map_err(WorkspaceError::file(&tree))?;
        Ok(Some(Checkout {
            tree,
            base_tree: whole.tree,
            uid: meta.uid(),
            _lock: lock,
        }))
    }

    fn whole(&self) -> Result<Option<Whole>, WorkspaceError> {
        let file = self.at.join(WHOLE);
        match fs::read(&file) {
            Ok(text) => Ok(serde_json::from_slice(&text)
                .ok()
                .filter(|whole: &Whole| whole.form == FORM && whole.boot == boot())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(WorkspaceError::file(&file)(error)),
        }
    }

    /// Makes the checkout under another name and then gives it its own. The caller holds the build lock.
    async fn build(&self, mirror: &Path, base: &str) -> Result<(), WorkspaceError> {
        if self.at.exists() {
            // Of an older form or of the machine's last start: nobody holds it, for nobody could take it.
            let _alone = locked(&self.use_lock, Hold::Alone).await?;
            sweep::remove(&self.at).map_err(WorkspaceError::file(&self.at))?;
        }
        let new = beside(&self.at, sweep::NEW);
        match fs::remove_dir_all(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(WorkspaceError::file(&new)(error));
            }
            _ => {}
        }
        let (tree, git_dir) = (new.join("tree"), new.join("git"));
        for folder in [&tree, &git_dir] {
            fs::create_dir_all(folder).map_err(WorkspaceError::file(folder))?;
        }
        lay_out(&git_dir, mirror, &[mirror.join("objects")], TRUSTED_CONFIG)?;
        let git = Git::at(&git_dir);
        let base_tree = git.tree_of(base).await?;
        let git = git.work_tree(&tree);
        git.run(&["read-tree", "--reset", "-u", &base_tree]).await?;
        let toy = tree.join(".git");
        lay_out(&toy, mirror, &[MIRROR_OBJECTS.into()], TOY_CONFIG)?;
        fs::write(toy.join("HEAD"), format!("{base}\n")).map_err(WorkspaceError::file(&toy))?;
        let uid = user::are_we_root().then(|| user::from_path(&self.at));
        let then = SystemTime::now() - AGE;
        let settled = settle(tree.clone(), uid, then).await?;
        // Some of them may be called changed now, which is no failure.
        git.run(&["update-index", "-q", "--really-refresh"]).await?;
        let (index, seen) = (git_dir.join("index"), toy.join("index"));
        fs::copy(&index, &seen).map_err(WorkspaceError::file(&index))?;
        if let Some(uid) = uid {
            user::give(&toy, uid)?;
        }
        fs::remove_dir_all(&git_dir).map_err(WorkspaceError::file(&git_dir))?;
        let whole = Whole {
            form: FORM,
            boot: boot(),
            tree: base_tree,
            bytes: settled,
        };
        let note = new.join(WHOLE);
        let text = serde_json::to_vec(&whole).unwrap_or_default();
        fs::write(&note, text).map_err(WorkspaceError::file(&note))?;
        fs::rename(&new, &self.at).map_err(WorkspaceError::file(&self.at))
    }
}

/// Gives all files of a fresh checkout the same owner and time; what they take on the disk, in bytes.
async fn settle(tree: PathBuf, uid: Option<u32>, then: SystemTime) -> Result<u64, WorkspaceError> {
    let walk = tokio::task::spawn_blocking(move || settle_one(&tree, uid, then)).await;
    walk.unwrap_or_else(|error| {
        Err(WorkspaceError::file(Path::new("checkout"))(io::Error::other(
            error,
        )))
    })
}

fn settle_one(path: &Path, uid: Option<u32>, then: SystemTime) -> Result<u64, WorkspaceError> {
    let wrong = |error| WorkspaceError::file(path)(error);
    let meta = fs::symlink_metadata(path).map_err(wrong)?;
    let mut bytes = meta.blocks() * 512;
    if meta.is_dir() {
        for entry in fs::read_dir(path).map_err(wrong)? {
            bytes += settle_one(&entry.map_err(wrong)?.path(), uid, then)?;
        }
    } else if meta.is_file() {
        let file = File::open(path).map_err(wrong)?;
        file.set_times(FileTimes::new().set_modified(then))
            .map_err(wrong)?;
    }
    if let Some(uid) = uid {
        std::os::unix::fs::lchown(path, Some(uid), Some(uid)).map_err(wrong)?;
    }
    Ok(bytes)
}

/// The machine's start; empty where it cannot be read, which is then the same for all.
fn boot() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// How a lock is held.
#[derive(Debug, Clone, Copy)]
enum Hold {
    Shared,
    Alone,
}

/// Waits for a lock; it ends with the file, and with the process.
async fn locked(path: &Path, hold: Hold) -> Result<File, WorkspaceError> {
    let wrong = WorkspaceError::file(path);
    let path = path.to_owned();
    let wait = move || {
        loop {
            let file = open_lock(&path)?;
            match hold {
                Hold::Shared => file.lock_shared()?,
                Hold::Alone => file.lock()?,
            }
            if is_at(&file, &path) {
                return Ok(file);
            }
        }
    };
    let locked = tokio::task::spawn_blocking(wait).await;
    locked
        .unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(wrong)
}

fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Whether an open lock is still the one that others find: who removes a checkout removes its lock, too.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(found)) => (open.dev(), open.ino()) == (found.dev(), found.ino()),
        _ => false,
    }
}

/// A name without an ending of ours, if it has that.
fn without(name: &OsStr, end: &str) -> Option<OsString> {
    Some(name.to_str()?.strip_suffix(end)?.into())
}
