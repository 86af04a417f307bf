//! Removes a folder that those inside could write, when they are gone: whatever they made of it. A folder without
//! permissions, or nested beyond what anybody can name, stays otherwise, and nobody frees the disk; and to go down by
//! calling oneself, as `std::fs::remove_dir_all` does, ends the whole process where the nest is deeper than its stack.

use std::{
    ffi::{CStr, CString},
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use nix::{
    dir::{Dir, Type},
    errno::Errno,
    fcntl::{AtFlags, OFlag, openat},
    sys::stat::{FchmodatFlags, Mode, fchmodat, fstatat},
    unistd::{UnlinkatFlags, unlinkat},
};

const FOLDER: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

/// Removes `folder` with all that is in it, following no link. Nobody may be writing in it any more. What is not there
/// is removed already. It waits for the disk: not for a thread that others wait for.
///
/// # Errors
/// If something stays.
pub fn remove(folder: &Path) -> io::Result<()> {
    match folder.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(meta) if !meta.is_dir() => return Err(io::ErrorKind::NotADirectory.into()),
        Ok(_) => {}
    }
    open_up(nix::fcntl::AT_FDCWD, folder)?;
    empty(nix::fcntl::open(folder, FOLDER, Mode::empty())?)?;
    std::fs::remove_dir(folder)
}

/// Gives us back what a folder's mode took from us. It is one: whoever could make it another thing is gone.
fn open_up<P: ?Sized + nix::NixPath>(at: impl std::os::fd::AsFd, name: &P) -> nix::Result<()> {
    fchmodat(at, name, Mode::S_IRWXU, FchmodatFlags::FollowSymlink)
}

/// Empties a folder. Only the folder that is being emptied is open, however deep it is.
fn empty(folder: OwnedFd) -> io::Result<()> {
    let mut above: Vec<CString> = Vec::new();
    let mut here = Dir::from_fd(folder)?;
    loop {
        if let Some(inner) = remove_until_full(&mut here)? {
            open_up(here.as_fd(), inner.as_c_str())?;
            let next = openat(here.as_fd(), inner.as_c_str(), FOLDER, Mode::empty())?;
            here = Dir::from_fd(next)?;
            above.push(inner);
            continue;
        }
        let Some(name) = above.pop() else { return Ok(()) };
        let up = openat(here.as_fd(), c"..", FOLDER, Mode::empty())?;
        unlinkat(&up, name.as_c_str(), UnlinkatFlags::RemoveDir)?;
        here = Dir::from_fd(up)?;
    }
}

/// Removes what lies in a folder, up to the first folder that is not empty: that one is given.
fn remove_until_full(folder: &mut Dir) -> io::Result<Option<CString>> {
    let entries: Vec<(CString, Option<Type>)> = folder
        .iter()
        .map(|entry| entry.map(|entry| (entry.file_name().to_owned(), entry.file_type())))
        .collect::<Result<_, _>>()?;
    for (name, kind) in entries {
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        if !is_folder(folder, &name, kind)? {
            unlinkat(folder.as_fd(), name.as_c_str(), UnlinkatFlags::NoRemoveDir)?;
            continue;
        }
        match unlinkat(folder.as_fd(), name.as_c_str(), UnlinkatFlags::RemoveDir) {
            Ok(()) => {}
            Err(Errno::ENOTEMPTY | Errno::EEXIST | Errno::EACCES) => return Ok(Some(name)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

fn is_folder(at: &Dir, name: &CStr, kind: Option<Type>) -> io::Result<bool> {
    Ok(match kind {
        Some(kind) => kind == Type::Directory,
        None => {
            let mode = fstatat(at.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW)?.st_mode;
            mode & nix::libc::S_IFMT == nix::libc::S_IFDIR
        }
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn folders_without_permissions_and_beyond_every_name_are_removed_and_links_are_not_followed() {
        let all = tempfile::tempdir().unwrap();
        let (folder, outside) = (all.path().join("attempt"), all.path().join("outside"));
        fs::create_dir_all(folder.join("shut/in")).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("keep"), "").unwrap();
        std::os::unix::fs::symlink(&outside, folder.join("shut/in/link")).unwrap();
        fs::write(folder.join("shut/in/a"), "").unwrap();
        // Deeper than a process may have files open, and than a path may be long.
        let mut deep = nix::fcntl::open(&folder, FOLDER, Mode::empty()).unwrap();
        for _ in 0..3_000 {
            nix::sys::stat::mkdirat(&deep, c"deeper", Mode::S_IRWXU).unwrap();
            deep = openat(&deep, c"deeper", FOLDER, Mode::empty()).unwrap();
        }
        drop(deep);
        for (path, mode) in [("shut/in", 0o000), ("shut", 0o300)] {
            fs::set_permissions(folder.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        remove(&folder).unwrap();
        assert!(!folder.exists() && outside.join("keep").exists());
        remove(&folder).unwrap();
    }
}
