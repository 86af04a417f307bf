//! The folder that an agent works in, and the way its tree comes back as a change. The folder's own `.git` is a toy for
//! those inside and is never read; the trusted git directory stands beside it, where nobody inside reaches.

mod capture;
mod checkouts;
mod ignored;
mod layered;
mod listing;
mod names;
mod setup;
mod start;
#[cfg(test)]
mod tests;
mod upper;
mod walk;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use checkouts::Checkout;
use listing::Listing;
use tokio::sync::OnceCell;
use walk::{Kind, Stamp};

use crate::{
    git::{ATTRIBUTES, Git, GitError, Mirror, TreeEntry},
    order::Change,
    sandbox::{Layers, MIRROR_OBJECTS, SandboxError, user},
};

/// A path below the workspace's root, with `/`.
type Name = Vec<u8>;

/// Why a workspace could not be made, or its tree not be taken.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// Git did not do what it was asked.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The sandbox for `setup` did not come up.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A file of ours could not be read or written.
    #[error("`{path}`: {error}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Something in the workspace cannot be part of a change. The path is an agent's text.
    #[error("`{path}` cannot be part of a change: {why}")]
    Refused {
        /// The path below the root, with what cannot be shown escaped.
        path: String,
        /// Why, in words.
        why: String,
    },
    /// The change is larger than we take.
    #[error("the change is too large: {0}")]
    TooLarge(String),
    /// `setup` failed.
    #[error("setup `{command}` {how}; its last words:\n{tail}")]
    Setup {
        /// The command.
        command: String,
        /// How it ended.
        how: String,
        /// The end of its output.
        tail: String,
    },
    /// Something that was asked for is not there yet.
    #[error("{0}")]
    NotAvailable(String),
}

impl WorkspaceError {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::File { path, error }
    }

    fn refused(path: &[u8], why: impl Into<String>) -> Self {
        let path = String::from_utf8_lossy(path)
            .chars()
            .flat_map(char::escape_default)
            .take(300)
            .collect();
        Self::Refused {
            path,
            why: why.into(),
        }
    }
}

/// A workspace, checked out.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    git: Git,
    mirror: PathBuf,
    base: String,
    base_tree: String,
    /// The base's files, read when they are first needed.
    listing: OnceCell<Arc<Listing>>,
    checked_out: Arc<CheckedOut>,
    /// What `setup` left; never part of a change.
    from_setup: Mutex<Vec<Name>>,
    /// What it is laid over; none: all of it lies in the folder itself.
    over: Option<Over>,
    /// One capture at a time: they share a ref.
    capturing: tokio::sync::Mutex<()>,
}

/// What was laid out in the workspace's own folder, and how its files looked right after: what looks the same is the
/// same.
type CheckedOut = BTreeMap<Name, (Entry, Option<Stamp>)>;

/// A workspace that shares its base's files with others.
#[derive(Debug)]
struct Over {
    layers: Layers,
    /// Keeps the shared files where they are.
    checkout: Checkout,
    /// What `setup` left, below the base's files: those win.
    setup: std::sync::OnceLock<PathBuf>,
}

/// A file as a tree has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    mode: u32,
    id: String,
}

impl Workspace {
    /// Checks out a base commit (and a change on it, if there is one to begin from) in `scratch/workspace`, for use in
    /// a sandbox. What an earlier attempt left there is removed.
    ///
    /// # Errors
    /// If the mirror has no such commit, the change is damaged, or the disk does not play along.
    pub async fn create(
        mirror: &Path,
        base: &str,
        start: Option<&Change>,
        scratch: &Path,
    ) -> Result<Self, WorkspaceError> {
        Self::create_for(mirror, base, start, scratch, true).await
    }

    /// The same, for use with (`true`) or without a sandbox: who owns the files, and where the workspace's own git
    /// looks for the mirror's objects, differ.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn create_for(
        mirror: &Path,
        base: &str,
        start: Option<&Change>,
        scratch: &Path,
        sandboxed: bool,
    ) -> Result<Self, WorkspaceError> {
        let mirror = fs::canonicalize(mirror).map_err(WorkspaceError::file(mirror))?;
        let (root, git_dir) = (scratch.join("workspace"), scratch.join("git"));
        fresh(&root)?;
        fresh(&git_dir)?;
        let objects = mirror.join("objects");
        lay_out(&git_dir, &mirror, &trusted_objects(&mirror), TRUSTED_CONFIG)?;
        let git = Git::at(&git_dir);
        let base_tree = git.tree_of(base).await?;
        let tree = git.clone().work_tree(&root);
        tree.run(&["read-tree", "--reset", "-u", &base_tree]).await?;
        let base_index = git_dir.join("index");
        let toy = root.join(".git");
        let seen_objects = if sandboxed {
            Path::new(MIRROR_OBJECTS)
        } else {
            &objects
        };
        lay_out(&toy, &mirror, &[seen_objects.to_owned()], TOY_CONFIG)?;
        fs::write(toy.join("HEAD"), format!("{base}\n")).map_err(WorkspaceError::file(&toy))?;
        fs::copy(&base_index, toy.join("index")).map_err(WorkspaceError::file(&base_index))?;
        let base_files = entries(git.ls_tree(&base_tree).await?);
        let now = match start {
            Some(change) => {
                git.import(&change.pack).await?;
                tree.run(&["read-tree", "--reset", "-u", &git.tree_of(&change.tree).await?])
                    .await?;
                entries(git.ls_tree(&change.tree).await?)
            }
            None => base_files.clone(),
        };
        if sandboxed && user::are_we_root() {
            user::give(&root, user::from_path(scratch))?;
        }
        let listing = Listing::of(&git, base_files).await?;
        let checked_out = walk::stamps(&root, now)?;
        Ok(Self {
            root,
            git,
            mirror,
            base: base.to_owned(),
            base_tree,
            listing: OnceCell::new_with(Some(Arc::new(listing))),
            checked_out: Arc::new(checked_out),
            from_setup: Mutex::default(),
            over: None,
            capturing: tokio::sync::Mutex::default(),
        })
    }

    /// The folder. Where the workspace is layered it is empty to us; [`Self::written`] has what those inside wrote.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder with all that was written in the workspace: the workspace itself, or its own layer.
    #[must_use]
    pub fn written(&self) -> PathBuf {
        match &self.over {
            Some(over) => over.layers.upper(),
            None => self.root.clone(),
        }
    }

    /// What it is laid together from, for [`crate::sandbox::Policy::layers`].
    #[must_use]
    pub fn layers(&self) -> Option<Layers> {
        self.over.as_ref().map(|over| {
            let mut layers = over.layers.clone();
            layers.lower.extend(over.setup.get().cloned());
            layers
        })
    }

    /// The base's files.
    async fn listing(&self) -> Result<&Arc<Listing>, WorkspaceError> {
        let read = || Listing::shared(&self.git, &self.mirror, &self.base_tree);
        Ok(self.listing.get_or_try_init(read).await?)
    }

    /// The mirror's objects, for [`crate::sandbox::Policy::mirror_objects`]: the base, and nothing that an attempt left.
    #[must_use]
    pub fn mirror_objects(&self) -> PathBuf {
        self.mirror.join("objects")
    }

    /// The trusted git directory: the base, and every change that was captured or begun from.
    #[must_use]
    pub fn git(&self) -> &Git {
        &self.git
    }
}

const TRUSTED_CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n";
/// Looks at size and time of files alone, because their owner and inode are others inside.
const TOY_CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tcheckStat = minimal\n\ttrustctime = false\n[user]\n\tname = agent\n\temail = agent@localhost\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n";

/// The objects that a trusted git directory sees: the base's, and those of changes, which no sandbox is shown.
fn trusted_objects(mirror: &Path) -> [PathBuf; 2] {
    [mirror.join("objects"), Mirror::changes(mirror).join("objects")]
}

/// Makes a git directory whose objects are the mirror's, as they are seen from where it will be used.
fn lay_out(git_dir: &Path, mirror: &Path, objects: &[PathBuf], config: &str) -> Result<(), WorkspaceError> {
    for folder in ["objects/info", "objects/pack", "refs/heads", "refs/tags", "info"] {
        let folder = git_dir.join(folder);
        fs::create_dir_all(&folder).map_err(WorkspaceError::file(&folder))?;
    }
    let mut alternates = Vec::new();
    for folder in objects {
        alternates.extend(std::os::unix::ffi::OsStrExt::as_bytes(folder.as_os_str()));
        alternates.push(b'\n');
    }
    let files: [(&str, &[u8]); 4] = [
        ("HEAD", b"ref: refs/heads/main\n"),
        ("config", config.as_bytes()),
        ("info/attributes", ATTRIBUTES.as_bytes()),
        ("objects/info/alternates", &alternates),
    ];
    for (name, content) in files {
        let file = git_dir.join(name);
        fs::write(&file, content).map_err(WorkspaceError::file(&file))?;
    }
    // Where a shallow history ends.
    let shallow = mirror.join("shallow");
    if shallow.is_file() {
        fs::copy(&shallow, git_dir.join("shallow")).map_err(WorkspaceError::file(&shallow))?;
    }
    Ok(())
}

/// Makes an empty folder of ours, in place of what an earlier attempt left there.
fn fresh(folder: &Path) -> Result<(), WorkspaceError> {
    crate::sandbox::remove(folder).map_err(WorkspaceError::file(folder))?;
    fs::create_dir_all(folder).map_err(WorkspaceError::file(folder))?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).map_err(WorkspaceError::file(folder))
}

fn entries(listed: Vec<TreeEntry>) -> BTreeMap<Name, Entry> {
    listed
        .into_iter()
        .map(|entry| {
            (
                entry.path,
                Entry {
                    mode: entry.mode,
                    id: entry.id,
                },
            )
        })
        .collect()
}

impl Stamp {
    fn of(meta: &fs::Metadata) -> Self {
        Self {
            inode: meta.ino(),
            size: meta.size(),
            changed: (meta.ctime(), meta.ctime_nsec()),
            kind: Kind::of_mode(meta.mode()),
        }
    }
}
