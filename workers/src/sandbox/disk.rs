//! How much of the disk a sandbox has taken: its folders are measured by walking them, never following a link, and no
//! longer than it takes to pass a limit. What is in them was made by those inside.

use std::{
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use nix::{
    dir::Dir,
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

/// Walks the folders and says what of the allowance they pass, if anything. What cannot be read (it is being removed,
/// say) counts as nothing.
pub(super) fn passed(folders: &[PathBuf], allowance: Allowance) -> Option<Passed> {
    let mut left = allowance;
    folders.iter().find_map(|folder| {
        let open = open(folder, FOLDER, Mode::empty()).ok()?;
        walk(open, 0, &mut left).err()
    })
}

const FOLDER: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

fn walk(folder: OwnedFd, depth: usize, left: &mut Allowance) -> Result<(), Passed> {
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
        .take(usize::try_from(left.files.saturating_add(3)).unwrap_or(usize::MAX))
        .filter(|name| !matches!(name.to_bytes(), b"." | b".."))
        .collect();
    for name in names {
        let Ok(stat) = fstatat(folder.as_fd(), name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) else {
            continue;
        };
        left.files = left.files.checked_sub(1).ok_or(Passed::Files)?;
        // `st_blocks` counts 512 bytes each, whatever the disk's own blocks.
        let taken = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
        left.bytes = left.bytes.checked_sub(taken).ok_or(Passed::Bytes)?;
        if stat.st_mode & nix::libc::S_IFMT == nix::libc::S_IFDIR {
            below.push(name);
        }
    }
    for name in below {
        if let Ok(open) = openat(folder.as_fd(), name.as_c_str(), FOLDER, Mode::empty()) {
            walk(open, depth + 1, left)?;
        }
    }
    Ok(())
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
        passed(&[folder.to_owned()], ROOM)
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
        assert_eq!(passed(&[folder.path().to_owned()], room), Some(Passed::Depth));
        assert_eq!(passed(&[folder.path().join("gone")], room), None);
    }
}
