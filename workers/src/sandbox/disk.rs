//! How much of the disk a sandbox has taken: its folders are measured by walking them, never following a link, and no
//! longer than it takes to pass a limit; and files without a name that its processes keep open are asked of the kernel.
//! What is in them was made by those inside.

use std::{
    collections::HashSet,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
};

use nix::{
    dir::Dir,
    errno::Errno,
    fcntl::{AtFlags, OFlag, open, openat},
    sys::stat::{Mode, fstatat},
};

/// The most files and folders.
pub(super) const MOST_FILES: u64 = 1_000_000;
/// Folders nested deeper than this hold what nobody would find; each costs us an open file while it is walked.
const DEEPEST: usize = 200;

/// What a sandbox may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// Bytes on the disk, counted as the disk does: a hole costs nothing.
    pub(super) bytes: u64,
    /// Files and folders.
    pub(super) files: u64,
}

/// What passed an allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passed {
    Bytes,
    Files,
    Depth,
}

/// What a walk found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Measured {
    /// Bytes on the disk, as far as the walk came.
    pub(super) bytes: u64,
    /// What of the allowance is passed.
    pub(super) passed: Option<Passed>,
    /// Whether a folder could not be looked into, though it is there: what it holds is not counted. An ordinary user's
    /// sandbox can make one (mode 0300) and write into it.
    pub(super) shut: bool,
}

/// Walks the folders. What is gone meanwhile counts as nothing, and so does `unseen`: a folder that only the kernel
/// writes, and shuts.
pub(super) fn measure(folders: &[PathBuf], unseen: Option<&Path>, allowance: Allowance) -> Measured {
    let unseen = unseen.and_then(|folder| nix::sys::stat::lstat(folder).ok());
    let mut walk = Walk {
        left: allowance,
        shut: false,
        unseen: unseen.map(|stat| (stat.st_dev, stat.st_ino)),
    };
    let passed = folders.iter().find_map(|folder| {
        let open = open(folder, FOLDER, Mode::empty()).ok()?;
        walk.folder(open, 0).err()
    });
    Measured {
        bytes: allowance.bytes - walk.left.bytes,
        passed,
        shut: walk.shut,
    }
}

const FOLDER: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

struct Walk {
    left: Allowance,
    shut: bool,
    unseen: Option<(u64, u64)>,
}

impl Walk {
    fn folder(&mut self, folder: OwnedFd, depth: usize) -> Result<(), Passed> {
        if depth > DEEPEST {
            return Err(Passed::Depth);
        }
        let Ok(mut folder) = Dir::from_fd(folder) else {
            return Ok(());
        };
        let mut below = Vec::new();
        let names: Vec<_> = folder
            .iter()
            .flatten()
            .map(|entry| entry.file_name().to_owned())
            // A folder of more names than that passes the limit anyhow.
            .take(usize::try_from(self.left.files.saturating_add(3)).unwrap_or(usize::MAX))
            .filter(|name| !matches!(name.to_bytes(), b"." | b".."))
            .collect();
        for name in names {
            let stat = match fstatat(folder.as_fd(), name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                // A folder that may be listed and not searched (mode 0600).
                Err(Errno::EACCES) => {
                    self.shut = true;
                    continue;
                }
                Err(_) => continue,
            };
            let left = &mut self.left;
            left.files = left.files.checked_sub(1).ok_or(Passed::Files)?;
            // `st_blocks` counts 512 bytes each, whatever the disk's own blocks.
            let taken = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
            left.bytes = left.bytes.checked_sub(taken).ok_or(Passed::Bytes)?;
            if is_folder(stat.st_mode) && self.unseen != Some((stat.st_dev, stat.st_ino)) {
                below.push(name);
            }
        }
        for name in below {
            match openat(folder.as_fd(), name.as_c_str(), FOLDER, Mode::empty()) {
                Ok(open) => self.folder(open, depth + 1)?,
                Err(Errno::EACCES) => self.shut = true,
                // It is gone, or something else by now.
                Err(_) => {}
            }
        }
        Ok(())
    }
}

fn is_folder(mode: u32) -> bool {
    mode & nix::libc::S_IFMT == nix::libc::S_IFDIR
}

/// Bytes of files that have no name any more and that these processes keep open: they are in no folder. Those that are
/// memory are not counted here.
pub(super) fn nameless(processes: &[i32]) -> u64 {
    let mut seen = HashSet::new();
    let mut bytes = 0_u64;
    for pid in processes {
        // Who has ended keeps nothing open.
        let Ok(open) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
            continue;
        };
        for link in open.flatten().map(|entry| entry.path()) {
            let is_memory = || {
                std::fs::read_link(&link).is_ok_and(|name| {
                    let name = name.as_os_str().as_encoded_bytes();
                    name.starts_with(b"/memfd:") || name.starts_with(b"/SYSV")
                })
            };
            // Through the link, to the file itself.
            let Ok(meta) = std::fs::metadata(&link) else {
                continue;
            };
            if meta.is_file() && meta.nlink() == 0 && seen.insert((meta.dev(), meta.ino())) && !is_memory() {
                bytes = bytes.saturating_add(meta.blocks().saturating_mul(512));
            }
        }
    }
    bytes
}

/// The folders of a policy that those inside can write, each once.
pub(super) fn folders(scratch: &Path, workspace: &Path) -> Vec<PathBuf> {
    let mut all = vec![scratch.to_owned()];
    if !workspace.starts_with(scratch) {
        all.push(workspace.to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const ROOM: Allowance = Allowance {
        bytes: 1 << 20,
        files: 100,
    };

    fn of(folder: &Path) -> Option<Passed> {
        measure(&[folder.to_owned()], None, ROOM).passed
    }

    #[test]
    fn what_is_written_counts_and_holes_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = fs::File::create(folder.path().join("hole")).unwrap();
        file.set_len(1 << 30).unwrap();
        assert_eq!(of(folder.path()), None);
        let inner = folder.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("big"), vec![1; 2 << 20]).unwrap();
        assert_eq!(of(folder.path()), Some(Passed::Bytes));
    }

    #[test]
    fn a_hundred_and_one_files_are_more_than_a_hundred() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..100 {
            fs::write(folder.path().join(number.to_string()), "").unwrap();
        }
        assert_eq!(of(folder.path()), None);
        fs::write(folder.path().join("more"), "").unwrap();
        assert_eq!(of(folder.path()), Some(Passed::Files));
    }

    #[test]
    fn links_are_not_followed_and_depth_hides_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("out")).unwrap();
        assert_eq!(of(folder.path()), None);
        let mut deep = folder.path().to_owned();
        for _ in 0..DEEPEST + 2 {
            deep.push("d");
        }
        fs::create_dir_all(&deep).unwrap();
        let room = Allowance {
            files: 10_000,
            bytes: 1 << 30,
        };
        let of = |folder: PathBuf| measure(&[folder], None, room);
        assert_eq!(of(folder.path().to_owned()).passed, Some(Passed::Depth));
        assert_eq!(of(folder.path().join("gone")), Measured::default());
    }

    #[test]
    fn a_folder_that_cannot_be_looked_into_is_told_and_the_kernels_own_is_not() {
        // Root looks into everything; `tests/it` plays this as an ordinary user.
        if nix::unistd::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let shut = folder.path().join("a/shut");
        fs::create_dir_all(&shut).unwrap();
        let mode = |mode| fs::set_permissions(&shut, std::os::unix::fs::PermissionsExt::from_mode(mode));
        for bad in [0o300, 0o000] {
            mode(bad).unwrap();
            assert!(measure(&[folder.path().to_owned()], None, ROOM).shut);
            assert!(!measure(&[folder.path().to_owned()], Some(&shut), ROOM).shut);
        }
        mode(0o700).unwrap();
    }

    #[test]
    fn a_file_that_was_removed_while_it_is_open_still_counts() {
        use std::io::Write as _;
        let folder = tempfile::tempdir().unwrap();
        let us = [i32::try_from(std::process::id()).unwrap()];
        let path = folder.path().join("gone");
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(&vec![1; 3 << 20]).unwrap();
        file.sync_all().unwrap();
        let before = nameless(&us);
        fs::remove_file(&path).unwrap();
        assert!(nameless(&us) >= before + (3 << 20));
        drop(file);
        assert!(nameless(&us) < before + (3 << 20));
    }
}
