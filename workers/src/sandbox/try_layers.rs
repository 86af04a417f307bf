//! Whether workspaces can be layered on this machine, found out by laying one and looking at what was written. The
//! kernel, its settings and the disk decide together, so nothing is guessed.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use loops::spec::{SandboxLimits, Toolchains};
use nix::sys::stat::{Mode, SFlag, mknod};
use tokio::sync::Mutex;

use super::{Layers, Policy, Sandbox, user};

/// What was found out, by the disk (its number) that a folder is on.
pub(super) type Tried = Arc<Mutex<BTreeMap<u64, Result<(), String>>>>;

/// What those inside do: each line one kind of thing that a change is made of.
const WORK: &str =
    "cat kept && rm gone && rm -r folder && mkdir folder && echo new > folder/new && echo more >> written";

impl Sandbox {
    /// Whether workspaces can be layered in a folder (which is made if it is not there); else why not. The answer is
    /// kept for as long as this lives.
    ///
    /// # Errors
    /// In words for a person.
    pub async fn layers_in(&self, folder: &Path) -> Result<(), String> {
        let words = |error: std::io::Error| format!("`{}`: {error}", folder.display());
        fs::create_dir_all(folder).map_err(words)?;
        let disk = fs::metadata(folder).map_err(words)?.dev();
        let mut tried = self.layers_tried.lock().await;
        if let Some(known) = tried.get(&disk) {
            return known.clone();
        }
        let found = self.try_layers(folder).await;
        tried.insert(disk, found.clone());
        found
    }

    async fn try_layers(&self, folder: &Path) -> Result<(), String> {
        let scratch = tempfile::Builder::new()
            .prefix(".loops-layers-")
            .tempdir_in(folder)
            .map_err(|error| format!("`{}`: {error}", folder.display()))?;
        let policy = lay_out(scratch.path()).map_err(|error| error.to_string())?;
        let ran = self.run(&policy, WORK, Duration::from_secs(20), 4096).await;
        let ran = ran.map_err(|error| error.to_string())?;
        if ran.exit_code != Some(0) || ran.output != "kept\n" {
            return Err(format!("it was tried and went wrong: {}", ran.output.trim()));
        }
        let upper = policy.layers.map(|layers| layers.upper()).unwrap_or_default();
        let gone = |name: &str| {
            fs::symlink_metadata(upper.join(name))
                .is_ok_and(|meta| meta.file_type().is_char_device() && meta.rdev() == 0)
        };
        let mut mark = [0; 1];
        let opaque = rustix::fs::getxattr(upper.join("folder"), "user.overlay.opaque", &mut mark[..]);
        let written = fs::read(upper.join("written")).is_ok_and(|text| text == b"before\nmore\n");
        // A change that an attempt begins from is laid out with marks of our own making.
        let ours = mknod(&upper.join("ours"), SFlag::S_IFCHR, Mode::empty(), 0).is_ok() && gone("ours");
        if gone("gone") && opaque == Ok(1) && mark == *b"y" && written && ours {
            return Ok(());
        }
        Err("what was written cannot be read back from its layer".to_owned())
    }
}

fn lay_out(scratch: &Path) -> std::io::Result<Policy> {
    let layers = Layers {
        lower: vec![scratch.join("lower")],
        writes: scratch.join("layers"),
    };
    let workspace = scratch.join("workspace");
    let folders: [PathBuf; 4] = [
        scratch.join("lower/folder"),
        layers.upper(),
        layers.work(),
        workspace.clone(),
    ];
    folders.iter().try_for_each(fs::create_dir_all)?;
    for (name, text) in [
        ("kept", "kept\n"),
        ("gone", "gone\n"),
        ("folder/old", "old\n"),
        ("written", "before\n"),
    ] {
        fs::write(scratch.join("lower").join(name), text)?;
    }
    if user::are_we_root() {
        let uid = user::from_path(scratch);
        for folder in [&layers.lower[0], &layers.writes] {
            user::give(folder, uid).map_err(std::io::Error::other)?;
        }
    }
    Ok(Policy {
        workspace,
        layers: Some(layers),
        writable: true,
        mirror_objects: None,
        relay: None,
        limits: Some(SandboxLimits {
            toolchains: Toolchains::None,
            ..SandboxLimits::default()
        }),
        scratch: scratch.to_owned(),
        env: BTreeMap::new(),
    })
}
