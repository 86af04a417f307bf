//! What the launcher does as root before it is nobody: it lays the sandbox's files out under one folder, in a mount
//! namespace of its own, whatever the rights of the folders above their sources. Nothing on the disk changes, and
//! no path that those inside could have shaped is walked.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::{ffi::OsStringExt as _, fs::OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::OFlag,
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::stat::{Mode, umask},
};

use super::{
    launch::{LaunchError, system},
    plan::{Plan, Step},
};

/// Folders that always exist, on one of which all is laid out. Only this process and bubblewrap see it.
const STAGES: &[&str] = &["/mnt", "/media", "/srv", "/opt", "/tmp"];
/// What bubblewrap makes itself.
const MADE_INSIDE: &[&str] = &["/dev", "/proc"];
const NOTHING: Option<&Path> = None;

/// Lays out what a plan's steps take: in place below one root where that can be, which bubblewrap then binds once (it
/// reads all mounts anew for each bind), else beside it for bubblewrap to bind.
pub(super) fn lay_out(plan: &mut Plan, uid: u32) -> Result<(), LaunchError> {
    match unshare(CloneFlags::CLONE_NEWNS) {
        Ok(()) => {}
        // Root without the right to mount: what an ordinary user reaches is all that there can be.
        Err(Errno::EPERM) => return Ok(()),
        Err(error) => return Err(system("making a mount namespace")(error)),
    }
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(NOTHING, "/", NOTHING, private, NOTHING).map_err(system("making mounts private"))?;
    let opened = open_sources(plan)?;
    let stage = STAGES
        .iter()
        .map(Path::new)
        .find(|folder| folder.is_dir())
        .unwrap_or(Path::new("/mnt"));
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(
        Some("tmpfs"),
        stage,
        Some("tmpfs"),
        flags,
        Some("mode=0755,size=1m"),
    )
    .map_err(system(format!("mounting on `{}`", stage.display())))?;
    // Who the launcher becomes must pass through the folders that are made here.
    let before = umask(Mode::S_IWGRP | Mode::S_IWOTH);
    let root = stage.join("root");
    let places = places(&plan.steps, &root, stage);
    let made = mount_sources(&opened, &places);
    umask(before);
    made?;
    let rules = rules(&plan.steps, &root);
    close(&root, &rules)?;
    // Bubblewrap, as that user, adds what it makes itself.
    std::os::unix::fs::lchown(&root, Some(uid), Some(uid)).map_err(system(root.to_string_lossy()))?;
    let sources = plan.steps.iter_mut().flat_map(Step::sources_mut);
    sources.zip(places).for_each(|(source, at)| *source = at);
    plan.root = Some(root);
    Ok(())
}

/// Opens every source without reading it: the source, and whether it is a folder.
fn open_sources(plan: &Plan) -> Result<Vec<(OwnedFd, bool)>, LaunchError> {
    let sources = plan.steps.iter().flat_map(Step::sources);
    sources
        .map(|source| {
            let file = OpenOptions::new()
                .read(true)
                .custom_flags(OFlag::O_PATH.bits())
                .open(source)
                .map_err(system(source.to_string_lossy()))?;
            let folder = file
                .metadata()
                .map_err(system(source.to_string_lossy()))?
                .is_dir();
            Ok((file.into(), folder))
        })
        .collect()
}

/// Where each source goes, in the order of the sources.
fn places(steps: &[Step], root: &Path, stage: &Path) -> Vec<PathBuf> {
    let mut places = Vec::new();
    for step in steps {
        for (number, _) in step.sources().iter().enumerate() {
            // The first is what is seen; the others are only used by the launcher.
            let seen = target(step).filter(|at| number == 0 && in_place(steps, at));
            places.push(match seen {
                Some(at) => below(root, at),
                None => stage.join(places.len().to_string()),
            });
        }
    }
    places
}

fn target(step: &Step) -> Option<&Path> {
    match step {
        Step::Bind { target, .. } | Step::Layered { target, .. } => Some(target),
        Step::Tell(_) => None,
    }
}

fn below(root: &Path, at: &Path) -> PathBuf {
    root.join(at.strip_prefix("/").unwrap_or(at))
}

/// Whether a target is laid out in the root. Not what lies in another one's folder: its way there would be walked as
/// root through a folder that others have filled.
fn in_place(steps: &[Step], at: &Path) -> bool {
    let above = |other: &Path| other != at && at.starts_with(other);
    !MADE_INSIDE.iter().any(|made| at.starts_with(made)) && !steps.iter().filter_map(target).any(above)
}

fn mount_sources(opened: &[(OwnedFd, bool)], places: &[PathBuf]) -> Result<(), LaunchError> {
    for ((fd, folder), at) in opened.iter().zip(places) {
        let wrong = || system(at.to_string_lossy());
        if *folder {
            fs::create_dir_all(at).map_err(wrong())?;
        } else {
            at.parent().map_or(Ok(()), fs::create_dir_all).map_err(wrong())?;
            // Never one that is there: it would be somebody's.
            File::create_new(at).map_err(wrong())?;
        }
        let source = PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
        let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(&source), at, NOTHING, flags, NOTHING)
            .map_err(system(format!("mounting `{}`", at.display())))?;
    }
    Ok(())
}

/// What in the root may be written.
fn rules(steps: &[Step], root: &Path) -> Vec<(PathBuf, bool)> {
    let rule = |step: &Step| match step {
        Step::Bind { target, writable, .. } | Step::Layered { target, writable, .. } => {
            Some((below(root, target), *writable))
        }
        Step::Tell(_) => None,
    };
    steps.iter().filter_map(rule).collect()
}

/// Takes from every mount in the root, and from those that came along with one, the right to be written (where it is
/// not asked for) and to give anybody rights. Bubblewrap does the same for what it binds itself.
fn close(root: &Path, rules: &[(PathBuf, bool)]) -> Result<(), LaunchError> {
    let table = "/proc/self/mountinfo";
    let mounts = fs::read(table).map_err(system(table))?;
    for line in mounts.split(|byte| *byte == b'\n') {
        let Some((at, has)) = Mounted::read(line)
            .filter(|mounted| mounted.at.starts_with(root))
            .map(|m| (m.at, m.has))
        else {
            continue;
        };
        // The nearest above decides; what nobody asked for is read-only.
        let nearest = rules
            .iter()
            .filter(|(place, _)| at.starts_with(place))
            .max_by_key(|(place, _)| place.components().count());
        let mut wanted = has | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        if !nearest.is_some_and(|(_, writable)| *writable) {
            wanted |= MsFlags::MS_RDONLY;
        }
        if wanted != has {
            let flags = wanted | MsFlags::MS_REMOUNT | MsFlags::MS_BIND;
            mount(NOTHING, &at, NOTHING, flags, NOTHING)
                .map_err(system(format!("closing `{}`", at.display())))?;
        }
    }
    Ok(())
}

/// A line of the kernel's table of mounts.
struct Mounted {
    at: PathBuf,
    has: MsFlags,
}

impl Mounted {
    fn read(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ');
        let at = unescaped(fields.nth(4)?);
        let has = fields.next()?.split(|byte| *byte == b',').map(flag);
        Some(Self {
            at: PathBuf::from(OsString::from_vec(at)),
            has: has.fold(MsFlags::empty(), |all, one| all | one),
        })
    }
}

/// A mount keeps what it has: none of these is taken from it.
fn flag(word: &[u8]) -> MsFlags {
    match word {
        b"ro" => MsFlags::MS_RDONLY,
        b"nosuid" => MsFlags::MS_NOSUID,
        b"nodev" => MsFlags::MS_NODEV,
        b"noexec" => MsFlags::MS_NOEXEC,
        b"noatime" => MsFlags::MS_NOATIME,
        b"nodiratime" => MsFlags::MS_NODIRATIME,
        b"relatime" => MsFlags::MS_RELATIME,
        _ => MsFlags::empty(),
    }
}

/// The table writes a space, a tab, a line's end and a backslash as three octal digits.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (first, byte) {
            (b'\\', Some(byte)) => {
                out.push(byte);
                rest = &after[3..];
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(target: &str) -> Step {
        Step::Bind {
            source: PathBuf::from("/source"),
            target: PathBuf::from(target),
            writable: false,
        }
    }

    #[test]
    fn what_lies_in_anothers_folder_is_left_to_bubblewrap() {
        let steps = [
            "/usr",
            "/home/agent",
            "/home/agent/.cargo/registry",
            "/dev/shm",
            "/homes",
        ]
        .map(bind);
        let places = places(&steps, Path::new("/mnt/root"), Path::new("/mnt"));
        let expected = [
            "/mnt/root/usr",
            "/mnt/root/home/agent",
            "/mnt/2",
            "/mnt/3",
            "/mnt/root/homes",
        ];
        assert_eq!(places, expected.map(PathBuf::from));
    }

    #[test]
    fn a_line_of_the_table_is_read_with_its_odd_names() {
        let line = b"36 35 98:0 /a /mnt/root/with\\040space\\134x ro,nosuid,noexec,relatime master:1 - ext4 /dev/x rw";
        let read = Mounted::read(line).unwrap();
        assert_eq!(read.at, Path::new("/mnt/root/with space\\x"));
        let has = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_RELATIME;
        assert_eq!(read.has, has);
        assert!(Mounted::read(b"36 35").is_none() && Mounted::read(b"").is_none());
    }
}
