//! Reads a folder that an agent has written, as it may be written still: every step is taken from an open folder, no
//! symlink is ever followed, and nothing but plain files is opened.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read as _,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use nix::{
    dir::Dir,
    errno::Errno,
    fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat},
    sys::stat::{FileStat, Mode, fstat, fstatat},
};

use super::{Entry, Name, WorkspaceError};

/// How deep folders may be nested.
const DEPTH: usize = 100;
/// How many files and folders there may be, ignored ones not counted.
const COUNT: usize = 500_000;
/// Two changes within the clock's step look the same: files that changed so close to the checkout's end are read.
const RACY: i64 = 20_000_000;

/// By what the kernel marks a folder that hides those below it, for who has no privileges.
pub(super) const OPAQUE: &str = "user.overlay.opaque";

/// What kind of thing a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File {
        executable: bool,
    },
    Symlink,
    Folder,
    /// A device, FIFO or socket.
    Other,
}

/// By what a file is known to be unchanged. Nobody without privileges can set a file's time of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) inode: u64,
    pub(super) size: u64,
    pub(super) changed: (i64, i64),
    pub(super) kind: Kind,
}

impl Kind {
    pub(super) fn of_mode(mode: u32) -> Self {
        match mode & 0o170_000 {
            0o100_000 => Self::File {
                executable: mode & 0o100 != 0,
            },
            0o120_000 => Self::Symlink,
            0o040_000 => Self::Folder,
            _ => Self::Other,
        }
    }

    /// The mode in a tree.
    pub(super) fn tree_mode(self) -> Option<u32> {
        match self {
            Self::File { executable: true } => Some(0o100_755),
            Self::File { executable: false } => Some(0o100_644),
            Self::Symlink => Some(0o120_000),
            Self::Folder | Self::Other => None,
        }
    }
}

impl From<&FileStat> for Stamp {
    fn from(stat: &FileStat) -> Self {
        Self {
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
            kind: Kind::of_mode(stat.st_mode),
        }
    }
}

/// How the files look right after a checkout, before anybody else has touched them.
pub(super) fn stamps(
    root: &Path,
    files: BTreeMap<Name, Entry>,
) -> Result<BTreeMap<Name, (Entry, Option<Stamp>)>, WorkspaceError> {
    let looked: Vec<(Name, Entry, Option<Stamp>)> = files
        .into_iter()
        .map(|(name, entry)| {
            let path = root.join(std::ffi::OsStr::from_bytes(&name));
            let stamp = fs::symlink_metadata(&path).ok().map(|meta| Stamp::of(&meta));
            (name, entry, stamp)
        })
        .collect();
    let nanos = |(seconds, nanos): (i64, i64)| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    let last = looked
        .iter()
        .filter_map(|(_, _, stamp)| stamp.map(|stamp| nanos(stamp.changed)))
        .max()
        .unwrap_or(0);
    let sure = |stamp: &Stamp| nanos(stamp.changed) + RACY < last;
    Ok(looked
        .into_iter()
        .map(|(name, entry, stamp)| (name, (entry, stamp.filter(sure))))
        .collect())
}

/// An open folder on the way through a workspace.
pub(super) struct Folder {
    dir: Dir,
    depth: usize,
    /// Its path below the root, with a `/` at its end unless it is empty.
    pub(super) name: Name,
}

/// Something in a folder.
pub(super) struct Found {
    /// The last part of its name.
    pub(super) last: Vec<u8>,
    /// Its path below the root.
    pub(super) name: Name,
    pub(super) stamp: Stamp,
}

impl Folder {
    /// Opens the root, which is ours.
    pub(super) fn root(path: &Path) -> Result<Self, WorkspaceError> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let dir = Dir::open(path, flags, Mode::empty())
            .map_err(|error| WorkspaceError::file(path)(error.into()))?;
        Ok(Self {
            dir,
            depth: 0,
            name: vec![],
        })
    }

    /// Opens a folder in this one. None if it is none any more.
    pub(super) fn enter(&self, found: &Found) -> Result<Option<Self>, WorkspaceError> {
        if self.depth == DEPTH {
            return Err(WorkspaceError::refused(
                &found.name,
                format!("folders are nested deeper than {DEPTH}"),
            ));
        }
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        match open(&self.dir, &found.last, flags).and_then(Dir::from_fd) {
            Ok(dir) => {
                let mut name = found.name.clone();
                name.push(b'/');
                Ok(Some(Self {
                    dir,
                    depth: self.depth + 1,
                    name,
                }))
            }
            Err(error) => gone(error, &found.name),
        }
    }

    /// What is in it, in no order. `count` goes on over a whole walk.
    pub(super) fn list(&mut self, count: &mut usize) -> Result<Vec<Found>, WorkspaceError> {
        let mut names = vec![];
        for entry in self.dir.iter() {
            let entry = entry.map_err(|error| unreadable(error, &self.name))?;
            let last = entry.file_name().to_bytes();
            if last != b"." && last != b".." {
                names.push(last.to_vec());
            }
        }
        *count += names.len();
        if *count > COUNT {
            return Err(WorkspaceError::TooLarge(format!(
                "the workspace has more than {COUNT} files"
            )));
        }
        let mut all = Vec::with_capacity(names.len());
        for last in names {
            let name = [self.name.as_slice(), &last].concat();
            match fstatat(&self.dir, last.as_slice(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(stat) => all.push(Found {
                    last,
                    name,
                    stamp: Stamp::from(&stat),
                }),
                Err(error) => {
                    gone::<()>(error, &name)?;
                }
            }
        }
        Ok(all)
    }

    /// Where a symlink in it points. None if it is none any more.
    pub(super) fn link(&self, found: &Found) -> Result<Option<Vec<u8>>, WorkspaceError> {
        match readlinkat(&self.dir, found.last.as_slice()) {
            Ok(target) => Ok(Some(target.as_bytes().to_vec())),
            Err(error) => gone(error, &found.name),
        }
    }

    /// The content of a plain file in it, and its mode in a tree. None if it is none any more.
    pub(super) fn read(&self, found: &Found, most: u64) -> Result<Option<(u32, Vec<u8>)>, WorkspaceError> {
        // Without O_NONBLOCK a FIFO that took the file's place would hold us for ever.
        let flags =
            OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
        let file = match open(&self.dir, &found.last, flags) {
            Ok(fd) => File::from(fd),
            Err(error) => return gone(error, &found.name),
        };
        let stat = fstat(&file).map_err(|error| unreadable(error, &found.name))?;
        let Kind::File { .. } = Kind::of_mode(stat.st_mode) else {
            return Ok(None);
        };
        let mode = Kind::of_mode(stat.st_mode).tree_mode().unwrap_or(0o100_644);
        let mut content = vec![];
        file.take(most + 1)
            .read_to_end(&mut content)
            .map_err(|error| WorkspaceError::refused(&found.name, format!("it cannot be read ({error})")))?;
        if content.len() as u64 > most {
            return Err(WorkspaceError::refused(
                &found.name,
                format!("it is larger than {} MiB", most >> 20),
            ));
        }
        Ok(Some((mode, content)))
    }
}

/// Opens what is in a folder under one name: never what lies elsewhere, on another disk or behind a link.
fn open(folder: &Dir, last: &[u8], flags: OFlag) -> Result<OwnedFd, Errno> {
    let beneath =
        ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_XDEV;
    match openat2(folder, last, OpenHow::new().flags(flags).resolve(beneath)) {
        // A kernel before 5.6, or a filter that does not know the call: one name without a link is beneath, too.
        Err(Errno::ENOSYS | Errno::EPERM) => openat(folder, last, flags, Mode::empty()),
        opened => opened,
    }
}

impl Folder {
    /// Whether it hides what the layers below have under its name.
    pub(super) fn is_opaque(&self) -> bool {
        let mut value = [0; 1];
        let size = rustix::fs::fgetxattr(self.dir.as_fd(), OPAQUE, &mut value[..]);
        size == Ok(1) && value == *b"y"
    }

    /// Whether a plain file in it begins so.
    pub(super) fn starts_with(&self, last: &[u8], words: &[u8]) -> bool {
        let flags =
            OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
        let Ok(fd) = open(&self.dir, last, flags) else {
            return false;
        };
        let plain = fstat(&fd).is_ok_and(|stat| matches!(Kind::of_mode(stat.st_mode), Kind::File { .. }));
        let mut first = vec![];
        // What cannot be read does not begin so.
        plain
            && File::from(fd)
                .take(words.len() as u64)
                .read_to_end(&mut first)
                .is_ok()
            && first == words
    }
}

/// What has gone, or has become something else, since it was listed is nothing; any other trouble is an error.
fn gone<T>(error: Errno, name: &[u8]) -> Result<Option<T>, WorkspaceError> {
    match error {
        Errno::ENOENT | Errno::ELOOP | Errno::ENOTDIR | Errno::EINVAL | Errno::ENXIO => Ok(None),
        error => Err(unreadable(error, name)),
    }
}

fn unreadable(error: Errno, name: &[u8]) -> WorkspaceError {
    WorkspaceError::refused(name, format!("it cannot be read ({})", error.desc()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Each is what it was when it was listed, and something else when it is opened: the moment that an attacker waits for.
    #[test]
    fn what_became_a_link_after_it_was_listed_is_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        fs::create_dir(outside.path().join("d")).unwrap();
        fs::write(outside.path().join("f"), "Signature: SECRET").unwrap();
        let inside = tempfile::tempdir().unwrap();
        fs::create_dir(inside.path().join("d")).unwrap();
        fs::write(inside.path().join("f"), "Signature: mine").unwrap();
        let mut folder = Folder::root(inside.path()).unwrap();
        let listed = folder.list(&mut 0).unwrap();
        let found = |last: &str| listed.iter().find(|found| found.last == last.as_bytes()).unwrap();
        // The control: as long as they are what they were, they are read.
        assert!(folder.enter(found("d")).unwrap().is_some());
        assert_eq!(
            folder.read(found("f"), 100).unwrap().unwrap().1,
            b"Signature: mine"
        );
        assert!(folder.starts_with(b"f", b"Signature"));
        fs::remove_dir(inside.path().join("d")).unwrap();
        fs::remove_file(inside.path().join("f")).unwrap();
        for name in ["d", "f"] {
            symlink(outside.path().join(name), inside.path().join(name)).unwrap();
        }
        assert!(folder.enter(found("d")).unwrap().is_none());
        assert!(folder.read(found("f"), 100).unwrap().is_none());
        assert!(!folder.starts_with(b"f", b"Signature"));
        // And by path they would have been.
        assert_eq!(
            fs::read_to_string(inside.path().join("f")).unwrap(),
            "Signature: SECRET"
        );
    }

    #[test]
    fn a_name_never_leads_up_or_down() {
        let outer = tempfile::tempdir().unwrap();
        fs::write(outer.path().join("secret"), "x").unwrap();
        fs::create_dir_all(outer.path().join("in/deep")).unwrap();
        fs::write(outer.path().join("in/deep/f"), "x").unwrap();
        let folder = Folder::root(&outer.path().join("in")).unwrap();
        assert!(open(&folder.dir, b"../secret", OFlag::O_RDONLY).is_err());
        assert!(open(&folder.dir, b"/etc/passwd", OFlag::O_RDONLY).is_err());
        assert!(open(&folder.dir, b"deep", OFlag::O_RDONLY).is_ok());
    }
}
