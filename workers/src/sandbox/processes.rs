//! Watches what a sandbox uses and ends it when it passes a limit. Its control group says what was met; without one it
//! reads `/proc`, a few times a second: what grows faster than that is seen late, and the caveats say so.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use loops::spec::{Bytes, SandboxLimits};
use nix::{sys::signal, unistd::Pid};
use tokio::process::Child;

use super::{
    Policy,
    cgroup::{Group, Met},
    container::Running,
    crowd::Place,
    disk::{self, Allowance, Measured, Passed},
};

const EVERY: Duration = Duration::from_millis(250);
/// How long after its start, and at least how long apart, a sandbox's folders are measured.
const FIRST_WALK: Duration = Duration::from_secs(1);
/// After a walk, so many times as long as it took no other.
const WALK_SHARE: u32 = 20;
/// With less than this left on the scratch folder's disk, the sandbox that has taken most of it ends before the machine
/// suffers, in bytes.
pub const DISK_LEFT: u64 = 256 << 20;

/// A sandbox that is being watched.
#[derive(Debug)]
pub(crate) struct Watch {
    verdict: Arc<OnceLock<String>>,
    guard: Arc<Guard>,
}

impl Watch {
    /// The limit that was passed, in words, if one was.
    pub(crate) fn verdict(&self) -> Option<String> {
        // What ended of itself may have ended because of a limit that nobody has looked at yet.
        self.verdict.get().cloned().or_else(|| self.guard.by_group())
    }

    /// Keeps a container as long as it is watched, and then has it removed.
    pub(super) fn hold(&self, container: Running) {
        // There is one container for one sandbox.
        let _ = self.guard.container.set(container);
    }

    /// Says that the sandbox has ended, so that nothing of it is kept any longer.
    pub(super) fn close(&self) {
        if let Some(group) = &self.guard.group {
            group.remove();
        }
    }
}

/// What is looked at, and the limits.
#[derive(Debug)]
struct Guard {
    limits: SandboxLimits,
    group: Option<Group>,
    scratch: PathBuf,
    folders: Vec<PathBuf>,
    /// The folder that the kernel keeps shut for itself.
    unseen: Option<PathBuf>,
    /// What it has taken of the disk, beside the others.
    place: Place,
    /// Whether a folder could not be looked into at the last walk.
    shut: AtomicBool,
    container: OnceLock<Running>,
}

impl Guard {
    /// The limit that the kernel says was met.
    fn by_group(&self) -> Option<String> {
        Some(match self.group.as_ref()?.met()? {
            Met::Memory => too_much_memory(self.limits.memory),
            Met::Processes => format!("it started more than {} processes", super::plan::PROCESSES),
        })
    }

    /// The limit that a quick look finds passed.
    fn by_looking(&self, pid: i32) -> Option<String> {
        if let Some(said) = self.by_group() {
            return Some(said);
        }
        let memory = self.limits.memory;
        if self.group.is_none() && memory_of(pid, memory.0) > memory.0 {
            return Some(too_much_memory(memory));
        }
        None
    }

    /// The limit of disk use that is passed; this walks the folders.
    fn by_walking(&self, pid: i32) -> Option<String> {
        let bytes = self.limits.disk.0;
        let nameless = disk::nameless(&family(pid));
        let room = Allowance {
            bytes: bytes.saturating_sub(nameless),
            files: disk::MOST_FILES,
        };
        let Measured {
            bytes: named,
            passed,
            shut,
        } = disk::measure(&self.folders, self.unseen.as_deref(), room);
        self.place.has_taken(named.saturating_add(nameless));
        if nameless > bytes {
            return Some(too_much_disk(self.limits.disk));
        }
        // One look may fall on a test of its own permissions; an attempt to hide something lasts.
        let again = self.shut.swap(shut, Ordering::Relaxed) && shut;
        match passed {
            Some(Passed::Bytes) => Some(too_much_disk(self.limits.disk)),
            Some(Passed::Files) => Some(format!("it made more than {} files", disk::MOST_FILES)),
            Some(Passed::Depth) => Some("it nested folders too deep to be measured".to_owned()),
            None if again => {
                Some("it kept a folder shut, so that what is in it could not be measured".to_owned())
            }
            None => None,
        }
    }

    /// Whether the disk is almost full, and this sandbox is the one to end.
    fn by_crowd(&self) -> Option<String> {
        let left = disk_left(&self.scratch).filter(|left| *left < DISK_LEFT)?;
        self.place
            .must_go(left)
            .then(|| "the disk is almost full, and it had taken more of it than the others".to_owned())
    }
}

fn too_much_disk(limit: Bytes) -> String {
    format!("it used more than {limit} of the disk")
}

fn too_much_memory(limit: Bytes) -> String {
    format!("it used more than {limit} of memory")
}

/// Begins to watch a sandbox's first process and all that come from it; this ends with the process, and takes the
/// group along. Without limits there is nothing to watch.
pub(super) fn watch(child: &Child, policy: &Policy, group: Option<Group>) -> Option<Watch> {
    let limits = policy.limits.clone()?;
    let pid = i32::try_from(child.id()?).ok()?;
    let born = born(pid)?;
    let verdict = Arc::new(OnceLock::new());
    let guard = Arc::new(Guard {
        limits,
        group,
        scratch: policy.scratch.clone(),
        folders: disk::folders(&policy.scratch, &policy.workspace),
        unseen: policy.layers.as_ref().map(super::Layers::work),
        place: Place::take(&policy.scratch),
        shut: AtomicBool::new(false),
        container: OnceLock::new(),
    });
    let watch = Watch {
        verdict: verdict.clone(),
        guard: guard.clone(),
    };
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        // A short command ends before its folders are worth a walk.
        let mut walk_at = Instant::now() + FIRST_WALK;
        loop {
            ticks.tick().await;
            // Another process may have the number by now.
            if self::born(pid) != Some(born) {
                return;
            }
            let mut passed = guard.by_looking(pid);
            let crowded = disk_left(&guard.scratch).is_some_and(|left| left < DISK_LEFT);
            if passed.is_none() && (crowded || Instant::now() >= walk_at) {
                let began = Instant::now();
                let walker = guard.clone();
                let walked = tokio::task::spawn_blocking(move || walker.by_walking(pid)).await;
                passed = walked.unwrap_or_default().or_else(|| guard.by_crowd());
                walk_at = Instant::now() + FIRST_WALK.max(began.elapsed() * WALK_SHARE);
            }
            let Some(passed) = passed else { continue };
            // Set before the kill, so that whoever waits for the end finds it.
            let _ = verdict.set(passed);
            if self::born(pid) == Some(born) {
                // An error says that it has ended by itself.
                let _ = signal::kill(Pid::from_raw(pid), signal::Signal::SIGKILL);
            }
            return;
        }
    });
    Some(watch)
}

/// When a process was started, in the kernel's ticks; none if it has ended.
pub(super) fn born(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, also `)`; what follows the last one is ours to count: state is field 3, start 22.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Memory of a process and all that come from it, in bytes. What they share is counted once, if it matters.
fn memory_of(pid: i32, limit: u64) -> u64 {
    let family = family(pid);
    let resident = family
        .iter()
        .filter_map(|pid| figures(*pid, "status", &["RssAnon:", "RssShmem:"]))
        .sum();
    if resident <= limit {
        return resident;
    }
    // Dearer to read, so only now: forked processes share what none of them has written.
    let shares = |pid: &i32| {
        figures(*pid, "smaps_rollup", &["Pss_Anon:", "Pss_Shmem:"])
            .or_else(|| figures(*pid, "status", &["RssAnon:", "RssShmem:"]))
    };
    family.iter().filter_map(shares).sum()
}

/// The sum of some figures of a file of a process, in bytes.
fn figures(pid: i32, file: &str, names: &[&str]) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    let figure = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    let lines = text
        .lines()
        .filter(|line| names.iter().any(|name| line.starts_with(name)));
    Some(lines.filter_map(figure).sum::<u64>() * 1024)
}

/// A process and all that come from it. In a sandbox nobody leaves the family: orphans go to its first process.
fn family(first: i32) -> Vec<i32> {
    let mut family = vec![first];
    let mut next = 0;
    while let Some(pid) = family.get(next).copied() {
        next += 1;
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
            continue;
        };
        for thread in threads.flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            family.extend(
                children
                    .split_whitespace()
                    .filter_map(|child| child.parse::<i32>().ok()),
            );
        }
    }
    family
}

fn disk_left(scratch: &PathBuf) -> Option<u64> {
    let disk = nix::sys::statvfs::statvfs(scratch).ok()?;
    Some(disk.blocks_available().saturating_mul(disk.fragment_size()))
}
