//! Runs a loop's `setup` (`npm ci` and the like) once per command, base files and toolchains, on the base commit in a
//! sandbox of its own, and brings what it left into each workspace: as one more layer below the base's files where the
//! workspace is layered, else as a copy. What an agent changed never has a part in it, and neither has another repository:
//! the caller gives each repository a cache of its own.
//!
//! Every file of the base is part of the key, not lock files alone: what the command runs may be any of them (a script,
//! a `Makefile`, a `postinstall`), and two branches of one repository need not be trusted alike.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use loops::spec::Setup;
use sha2::{Digest as _, Sha256};

use super::{
    Name, Over, Workspace, WorkspaceError,
    listing::{Listing, above_and_itself},
    walk::{Folder, Kind, OPAQUE},
};
use crate::{
    order::Gateway,
    sandbox::{Policy, Sandbox, remove, user},
    way_out::WayOut,
};

/// The most of its output that a failure shows, in bytes.
const TAIL: usize = 4_000;
/// The length of a key, which is a result's name.
const KEY: usize = 64;
/// How many results of one repository are kept however long nobody has used them.
const KEPT: usize = 3;
/// After so long without use a result beyond those goes: longer than any attempt that brings it in.
const UNUSED: Duration = Duration::from_secs(24 * 3600);

impl Workspace {
    /// Puts what `setup` leaves (untracked files) into this workspace, from the cache or by running it now. `policy` is
    /// the attempt's: its limits and environment hold for `setup`, too, and it is told of the layer that it gets. Any
    /// number may run at once on one cache.
    ///
    /// # Errors
    /// If the command fails or its sandbox does not come up.
    pub async fn prepare(
        &self,
        setup: &Setup,
        cache: &Path,
        sandbox: &Sandbox,
        policy: &mut Policy,
    ) -> Result<(), WorkspaceError> {
        self.prepare_by(setup, cache, sandbox, policy, None).await
    }

    /// The same, with a way to the hosts of `setup.network`. It has no part in what the result is kept under: the token
    /// is another one each time.
    ///
    /// # Errors
    /// As [`Workspace::prepare`], and if hosts are asked for and there is no way to them.
    pub async fn prepare_by(
        &self,
        setup: &Setup,
        cache: &Path,
        sandbox: &Sandbox,
        policy: &mut Policy,
        way_out: Option<&Gateway>,
    ) -> Result<(), WorkspaceError> {
        let kept = cache.join(self.key(setup, sandbox, policy).await?);
        if !kept.is_dir() {
            let way_out = way_out.filter(|_| policy.limits.is_some() && !setup.network.is_empty());
            if way_out.is_none() && policy.limits.is_some() && !setup.network.is_empty() {
                return Err(WorkspaceError::NotAvailable(
                    "`setup.network` names hosts, and whoever gave this order gave no way to them".into(),
                ));
            }
            self.run_setup(setup, cache, &kept, (sandbox, policy), way_out)
                .await?;
        }
        // The time of its last use, by which `forget_unused` goes. A cache that cannot be marked still serves.
        if let Ok(folder) = fs::File::open(&kept) {
            let _ = folder.set_modified(SystemTime::now());
        }
        let files = kept.join("files");
        let mut names = vec![];
        list_outputs(Folder::root(&files)?, self.listing().await?, &mut names)?;
        match &self.over {
            Some(over) if self.nothing_hides(&names) => {
                let layer = layer_of(&kept, over).await?;
                over.setup.get_or_init(|| layer);
                policy.layers = self.layers();
            }
            _ => self.bring(&files, &names).await?,
        }
        if let Ok(mut from_setup) = self.from_setup.lock() {
            from_setup.extend(names);
        }
        Ok(())
    }

    /// Whether what lies below can be seen at these names: a change that the workspace began from may have taken their
    /// folders away, or put something in their place.
    fn nothing_hides(&self, names: &[Name]) -> bool {
        let upper = self.written();
        names.iter().flat_map(|name| above_and_itself(name)).all(|part| {
            let at = upper.join(OsStr::from_bytes(part));
            match fs::symlink_metadata(&at) {
                Ok(meta) => meta.is_dir() && rustix::fs::getxattr(&at, OPAQUE, &mut [0; 1][..]).is_err(),
                Err(_) => true,
            }
        })
    }

    /// What the result depends on, as a file name.
    async fn key(&self, setup: &Setup, sandbox: &Sandbox, policy: &Policy) -> Result<String, WorkspaceError> {
        let mut hash = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        add(setup.run.as_bytes());
        setup.network.iter().for_each(|host| add(host.as_bytes()));
        add(sandbox.toolchains(policy).as_bytes());
        // What ran without walls may hold anything; it is not for those within.
        add(&[u8::from(policy.limits.is_some())]);
        for (name, value) in &policy.env {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        for (name, entry) in &self.listing().await?.base {
            add(name);
            add(&entry.mode.to_le_bytes());
            add(entry.id.as_bytes());
        }
        Ok(hex::encode(hash.finalize()))
    }

    async fn run_setup(
        &self,
        setup: &Setup,
        cache: &Path,
        kept: &Path,
        (sandbox, policy): (&Sandbox, &Policy),
        way_out: Option<&Gateway>,
    ) -> Result<(), WorkspaceError> {
        fs::create_dir_all(cache).map_err(WorkspaceError::file(cache))?;
        let scratch = tempfile::Builder::new()
            .prefix("setup-")
            .tempdir_in(cache)
            .map_err(WorkspaceError::file(cache))?;
        let scratch = scratch.path();
        let sandboxed = policy.limits.is_some();
        // Boxed: a workspace's future is large, and this one is inside it.
        let fresh = if self.over.is_some() {
            Box::pin(Self::create_layered(&self.mirror, &self.base, None, scratch)).await?
        } else {
            let whole = Self::create_for(&self.mirror, &self.base, None, scratch, sandboxed);
            Box::pin(whole).await?
        };
        let mut policy = Policy {
            workspace: fresh.root.clone(),
            layers: fresh.layers(),
            writable: true,
            mirror_objects: Some(fresh.mirror_objects()),
            relay: None,
            limits: policy.limits.clone(),
            scratch: scratch.to_owned(),
            env: policy.env.clone(),
        };
        // Open until the command has ended.
        let way_out = way_out.map(|gateway| WayOut::open(scratch, gateway)).transpose();
        let way_out = way_out.map_err(|error| WorkspaceError::NotAvailable(error.to_string()))?;
        if let Some(way_out) = &way_out {
            way_out.lead(&mut policy);
        }
        let ran = sandbox.run(&policy, &setup.run, setup.timeout.0, TAIL).await?;
        if ran.exit_code != Some(0) {
            let how = match (ran.stopped, ran.exit_code) {
                (Some(limit), _) => format!("was stopped: {limit}"),
                (None, Some(code)) => format!("failed with exit code {code}"),
                (None, None) => format!("was stopped after {}", setup.timeout),
            };
            return Err(WorkspaceError::Setup {
                command: setup.run.clone(),
                how,
                tail: ran.output,
            });
        }
        let listing = fresh.listing().await?.clone();
        let (root, staged) = (fresh.written(), scratch.join("kept"));
        let stage = staged.clone();
        let owner = user::are_we_root().then(|| fresh.over.as_ref().map(|over| over.checkout.uid));
        let left = tokio::task::spawn_blocking(move || {
            stage_outputs(&root, &stage, &listing)?;
            // The folders that were made here are theirs, too, so that it can be a layer as it is.
            if let Some(uid) = owner.flatten() {
                user::give(&stage.join("files"), uid)?;
            }
            Ok::<(), WorkspaceError>(())
        })
        .await;
        left.map_err(|error| WorkspaceError::file(&staged)(std::io::Error::other(error)))??;
        match fs::rename(&staged, kept) {
            // Somebody else was as fast, with the same result.
            Err(_) if kept.is_dir() => {}
            renamed => renamed.map_err(WorkspaceError::file(kept))?,
        }
        forget_unused(cache, kept);
        Ok(())
    }

    /// Copies a cached result into the workspace. Files that the base has are never touched.
    async fn bring(&self, files: &Path, names: &[Name]) -> Result<(), WorkspaceError> {
        let root = self.written();
        let owner = fs::symlink_metadata(&root).map(|meta| meta.uid());
        let owner = user::are_we_root().then_some(owner.map_err(WorkspaceError::file(&root))?);
        for name in names {
            let name_path = Path::new(OsStr::from_bytes(name));
            let (from, to) = (files.join(name_path), root.join(name_path));
            if fs::symlink_metadata(&to).is_ok() || !folders_above(&root, name, owner)? {
                continue;
            }
            copy(&from, &to).await?;
            if let Some(owner) = owner {
                user::give(&to, owner)?;
            }
        }
        Ok(())
    }
}

/// A cached result as a layer: where it lies, if it belongs to who works on this base. Else a copy of it is made for all
/// attempts on the base, beside the checkout, and goes with that: nobody could write to another one's files.
async fn layer_of(kept: &Path, over: &Over) -> Result<PathBuf, WorkspaceError> {
    let (files, uid) = (kept.join("files"), over.checkout.uid);
    let owner = fs::symlink_metadata(&files)
        .map_err(WorkspaceError::file(&files))?
        .uid();
    if !user::are_we_root() || owner == uid {
        return Ok(files);
    }
    let mut name = OsString::from("setup-");
    name.push(kept.file_name().unwrap_or_default());
    let own = over.checkout.tree.with_file_name(name);
    if own.is_dir() {
        return Ok(own);
    }
    let beside = over.checkout.tree.parent().unwrap_or(kept);
    let fresh = tempfile::Builder::new().prefix("setup-new-").tempdir_in(beside);
    let fresh = fresh.map_err(WorkspaceError::file(beside))?;
    let made = fresh.path().join("files");
    copy(&files, &made).await?;
    user::give(&made, uid)?;
    match fs::rename(&made, &own) {
        // Somebody else was as fast, with the same result.
        Err(_) if own.is_dir() => {}
        renamed => renamed.map_err(WorkspaceError::file(&own))?,
    }
    Ok(own)
}

/// Makes the folders that a path stands in, as far as they are not there. False if something else stands in the way: a
/// change that the workspace began from may have put a link there, which would lead out of it.
fn folders_above(root: &Path, name: &[u8], owner: Option<u32>) -> Result<bool, WorkspaceError> {
    for part in above_and_itself(name).take_while(|part| part.len() < name.len()) {
        let at = root.join(OsStr::from_bytes(part));
        let mut hides = false;
        match fs::symlink_metadata(&at) {
            Ok(meta) if meta.is_dir() => continue,
            // The mark of a folder that is gone from the layers below.
            Ok(meta) if meta.file_type().is_char_device() && meta.rdev() == 0 => {
                fs::remove_file(&at).map_err(WorkspaceError::file(&at))?;
                hides = true;
            }
            Ok(_) => return Ok(false),
            Err(_) => {}
        }
        let wrong = || WorkspaceError::file(&at);
        fs::create_dir(&at).map_err(wrong())?;
        if hides {
            let marked = rustix::fs::setxattr(&at, OPAQUE, b"y", rustix::fs::XattrFlags::empty());
            marked.map_err(|error| wrong()(error.into()))?;
        }
        if let Some(owner) = owner {
            user::give(&at, owner)?;
        }
    }
    Ok(true)
}

/// Removes results that nobody has used for long, but for the last few: each base commit has one of its own. What
/// cannot be removed now is tried again with the next result.
fn forget_unused(cache: &Path, newest: &Path) {
    let Ok(entries) = fs::read_dir(cache) else { return };
    let mut results: Vec<(SystemTime, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let is_result = entry.file_name().len() == KEY && entry.path() != newest;
            is_result.then_some((entry.metadata().ok()?.modified().ok()?, entry.path()))
        })
        .collect();
    results.sort_by(|one, other| other.cmp(one));
    let old = |used: &SystemTime| used.elapsed().is_ok_and(|unused| unused > UNUSED);
    for (_, path) in results.iter().skip(KEPT - 1).filter(|(used, _)| old(used)) {
        let _ = remove(path);
    }
}

/// Moves what the base does not have from the workspace to the cache's folder.
fn stage_outputs(root: &Path, staged: &Path, listing: &Listing) -> Result<(), WorkspaceError> {
    let mut names = vec![];
    list_outputs(Folder::root(root)?, listing, &mut names)?;
    let into = staged.join("files");
    fs::create_dir_all(&into).map_err(WorkspaceError::file(&into))?;
    for name in names {
        let name_path = Path::new(OsStr::from_bytes(&name));
        let to = into.join(name_path);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(WorkspaceError::file(folder))?;
        }
        fs::rename(root.join(name_path), &to).map_err(WorkspaceError::file(&to))?;
    }
    Ok(())
}

/// The uppermost paths that the base has nothing of.
fn list_outputs(mut folder: Folder, listing: &Listing, out: &mut Vec<Name>) -> Result<(), WorkspaceError> {
    for found in folder.list(&mut 0)? {
        if found.last == b".git" || listing.base.contains_key(&found.name) || found.stamp.kind == Kind::Other
        {
            continue;
        }
        if !listing.has_below(&found.name) {
            out.push(found.name);
        } else if found.stamp.kind == Kind::Folder
            && let Some(inner) = folder.enter(&found)?
        {
            list_outputs(inner, listing, out)?;
        }
    }
    Ok(())
}

/// Copies a file or folder as it is, symlinks as symlinks, sharing blocks where the disk can.
async fn copy(from: &Path, to: &Path) -> Result<(), WorkspaceError> {
    let mut command = tokio::process::Command::new("cp");
    command
        .args([
            "-a",
            "--no-preserve=xattr",
            "--reflink=auto",
            "--no-target-directory",
            "--",
        ])
        .arg(from)
        .arg(to)
        .kill_on_drop(true);
    let copied = command.output().await.map_err(WorkspaceError::file(to))?;
    if copied.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&copied.stderr).trim().to_owned();
    Err(WorkspaceError::File {
        path: PathBuf::from(to),
        error: std::io::Error::other(said),
    })
}
