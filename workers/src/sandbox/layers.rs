//! Folders laid over each other: shared ones that nobody writes, and on top one of the attempt's own that takes what
//! those inside write. The launcher mounts them as a user without privileges, in a namespace that ends with the
//! sandbox; what the attempt left is read from its own folder alone.

use std::{
    fs::{self, File, OpenOptions},
    os::{
        fd::AsRawFd as _,
        unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
};

use nix::{
    fcntl::OFlag,
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::prctl,
    unistd::{getegid, geteuid},
};
use serde::{Deserialize, Serialize};

use super::{
    launch::{LaunchError, system},
    plan::Step,
};

/// In [`Layers::writes`]: what was written.
const UPPER: &str = "upper";
/// In [`Layers::writes`]: where the kernel gets files ready.
const WORK: &str = "work";

/// What a workspace is laid together from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// Folders that are only read, the uppermost first.
    pub lower: Vec<PathBuf>,
    /// The attempt's own folder; see [`Layers::upper`]. Its owner is who runs inside.
    pub writes: PathBuf,
}

impl Layers {
    /// The folder that takes what is written. A file that is gone is a character device 0:0 there, a folder that hides
    /// the ones below has the attribute `user.overlay.opaque`.
    #[must_use]
    pub fn upper(&self) -> PathBuf {
        self.writes.join(UPPER)
    }

    /// The folder that the kernel needs beside it.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.writes.join(WORK)
    }
}

/// Lays all layered workspaces of a plan on their folders. As anybody: what is needed for it is a user namespace in
/// which we are ourselves.
pub(super) fn mount_all(steps: &[Step]) -> Result<(), LaunchError> {
    let layered: Vec<(&Path, &Layers, bool)> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Layered {
                source,
                layers,
                writable,
                ..
            } => Some((source.as_path(), layers, *writable)),
            Step::Bind { .. } | Step::Tell(_) => None,
        })
        .collect();
    if layered.is_empty() {
        return Ok(());
    }
    enter_namespace()?;
    layered
        .iter()
        .try_for_each(|(at, layers, writable)| mount_one(at, layers, *writable))
}

/// A user namespace where we keep our number, and a mount namespace that belongs to it. The right to mount ends with
/// the next program that we become.
fn enter_namespace() -> Result<(), LaunchError> {
    let (user, group) = (geteuid(), getegid());
    // Who has just become another user may not write his own maps otherwise.
    prctl::set_dumpable(true).map_err(system("reaching our own maps"))?;
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
        .map_err(system("create new namespace for the workspace's layers"))?;
    let maps = [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("{user} {user} 1")),
        ("gid_map", format!("{group} {group} 1")),
    ];
    for (name, text) in maps {
        let path = Path::new("/proc/self").join(name);
        fs::write(&path, text).map_err(system(path.to_string_lossy()))?;
    }
    let nothing = None::<&Path>;
    mount(
        nothing,
        "/",
        nothing,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        nothing,
    )
    .map_err(system("making mounts private"))
}

fn mount_one(at: &Path, layers: &Layers, writable: bool) -> Result<(), LaunchError> {
    let open = |path: &Path| {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
        OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits())
            .open(path)
            .map_err(system(path.to_string_lossy()))
    };
    let lower = layers
        .lower
        .iter()
        .map(|path| open(path))
        .collect::<Result<Vec<File>, _>>()?;
    let writes = open(&layers.writes)?;
    // By number, because names may hold what the kernel takes for the end of one.
    let number = |file: &File| format!("/proc/self/fd/{}", file.as_raw_fd());
    let below: Vec<String> = lower.iter().map(number).collect();
    let data = format!(
        "userxattr,index=off,metacopy=off,redirect_dir=nofollow,lowerdir={},upperdir={own}/{UPPER},workdir={own}/{WORK}",
        below.join(":"),
        own = number(&writes),
    );
    let mut flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    flags.set(MsFlags::MS_RDONLY, !writable);
    mount(Some("overlay"), at, Some("overlay"), flags, Some(data.as_str()))
        .map_err(system("laying the workspace's layers over each other"))?;
    // The kernel makes a folder that nobody may read, so that nobody but root could remove it later.
    let inner = layers.work().join("work");
    let ours = fs::Permissions::from_mode(0o700);
    fs::set_permissions(&inner, ours).map_err(system(inner.to_string_lossy()))
}
