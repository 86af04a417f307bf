//! Watches what a sandbox uses and ends it when it passes a limit. It reads `/proc`, a few times a second: what grows
//! faster than that is seen late, and [`super::Sandbox::caveats`] says so.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use nix::{sys::signal, unistd::Pid};
use tokio::process::Child;

use super::Policy;

const EVERY: Duration = Duration::from_millis(250);
/// With less than this left on the scratch folder's disk, the sandbox ends before the machine suffers, in bytes.
const DISK_LEFT: u64 = 256 << 20;

/// A sandbox that is being watched.
#[derive(Debug)]
pub(crate) struct Watch {
    verdict: Arc<OnceLock<String>>,
}

impl Watch {
    /// The limit that was passed, in words, if one was.
    pub(crate) fn verdict(&self) -> Option<String> {
        self.verdict.get().cloned()
    }
}

/// Begins to watch a sandbox's first process and all that come from it; this ends with the process. Without limits
/// there is nothing to watch.
pub(super) fn watch(child: &Child, policy: &Policy) -> Option<Watch> {
    let limits = policy.limits.as_ref()?;
    let pid = i32::try_from(child.id()?).ok()?;
    let born = born(pid)?;
    let verdict = Arc::new(OnceLock::new());
    let watch = Watch {
        verdict: verdict.clone(),
    };
    let (memory, scratch) = (limits.memory, policy.scratch.clone());
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            // Another process may have the number by now.
            if self::born(pid) != Some(born) {
                return;
            }
            let passed = if memory_of(pid, memory.0) > memory.0 {
                format!("it used more than {memory} of memory")
            } else if disk_left(&scratch).is_some_and(|left| left < DISK_LEFT) {
                "the disk is almost full".to_owned()
            } else {
                continue;
            };
            // Set before the kill, so that whoever waits for the end finds it.
            let _ = verdict.set(passed);
            // An error says that it has ended by itself.
            let _ = signal::kill(Pid::from_raw(pid), signal::Signal::SIGKILL);
            return;
        }
    });
    Some(watch)
}

/// When a process was started, in the kernel's ticks; none if it has ended.
fn born(pid: i32) -> Option<u64> {
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
