//! Who an attempt is on the host. As an ordinary user we cannot be anybody else; as root every attempt is a user of
//! its own, one that has no name, owns nothing but its workspace and counts its own processes.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use super::SandboxError;

/// The first of our user ids. systemd's table of user ids keeps 1 879 048 192 to 2 147 352 575 free of everybody.
const FIRST: u32 = 1_900_000_000;
/// How many of them there are: enough that two attempts at once never share one in practice.
const COUNT: u32 = 200_000_000;

/// Whether we are root and have to become somebody else.
#[must_use]
pub(crate) fn are_we_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The user for everything that is done in `workspace` with `scratch`: its owner, if that is one of ours, else one
/// that follows from the scratch folder's path. None as an ordinary user.
pub(crate) fn for_attempt(workspace: &Path, scratch: &Path) -> Option<u32> {
    if !are_we_root() {
        return None;
    }
    let (first, count) = range();
    let ours = first..first + count;
    let owner = std::fs::symlink_metadata(workspace)
        .ok()
        .map(|meta| meta.uid())
        .filter(|uid| ours.contains(uid));
    Some(owner.unwrap_or_else(|| from_path(scratch)))
}

/// The user that follows from a scratch folder's path.
pub(crate) fn from_path(scratch: &Path) -> u32 {
    let (first, count) = range();
    let mut hasher = DefaultHasher::new();
    std::fs::canonicalize(scratch)
        .unwrap_or_else(|_| scratch.to_owned())
        .hash(&mut hasher);
    first + u32::try_from(hasher.finish() % u64::from(count)).unwrap_or(0)
}

/// The ids that we may use: inside a container that maps only some, the upper half of those.
fn range() -> (u32, u32) {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    range_in(&map)
}

fn range_in(map: &str) -> (u32, u32) {
    let end = map
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let first: u64 = words.next()?.parse().ok()?;
            let count: u64 = words.nth(1)?.parse().ok()?;
            Some(first + count)
        })
        .max()
        .unwrap_or(u64::MAX);
    if end > u64::from(FIRST + COUNT) {
        return (FIRST, COUNT);
    }
    // 65 534 and 65 535 mean «nobody» to much software.
    let end = u32::try_from(end.min(65_534)).unwrap_or(65_534);
    (end / 2, (end - end / 2).max(1))
}

/// Gives a file or a folder with all that is in it to a user, without following symlinks. Only for what we made.
pub(crate) fn give(path: &Path, uid: u32) -> Result<(), SandboxError> {
    let meta = std::fs::symlink_metadata(path).map_err(SandboxError::file(path))?;
    if meta.is_dir() {
        for entry in std::fs::read_dir(path).map_err(SandboxError::file(path))? {
            give(&entry.map_err(SandboxError::file(path))?.path(), uid)?;
        }
    }
    if meta.uid() != uid || meta.gid() != uid {
        std::os::unix::fs::lchown(path, Some(uid), Some(uid)).map_err(SandboxError::file(path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_map_of_a_machine_gives_ids_that_nobody_else_uses() {
        assert_eq!(range_in("         0          0 4294967295\n"), (FIRST, COUNT));
    }

    #[test]
    fn a_container_with_few_ids_gives_the_upper_half_of_them() {
        assert_eq!(range_in("0 100000 65536\n"), (32_767, 32_767));
    }
}
