//! Control groups, old (v1) and new (v2), where we may make them: one for each sandbox, with exact limits of memory,
//! processes and processors. What cannot be made is said; nothing here falls back to less by itself.

mod place;
mod sweep;

use std::{
    fs,
    io::Error,
    path::{Path, PathBuf},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use loops::spec::SandboxLimits;
use nix::{sys::signal, unistd::Pid};

use place::{Form, Place};

/// The period over which the share of processors is counted, in microseconds.
const PERIOD: u64 = 100_000;
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Where groups can be made on this machine.
#[derive(Debug)]
pub(super) struct Cgroups {
    place: Place,
}

/// One sandbox's group. It is removed, with all that is left in it, when this is dropped.
#[derive(Debug)]
pub(super) struct Group {
    form: Form,
    folders: Vec<PathBuf>,
    removed: AtomicBool,
}

/// A limit of a group that was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    /// Something in it was ended because it took too much memory.
    Memory,
    /// No process could be added.
    Processes,
}

impl Cgroups {
    /// Looks for a place where groups can be made by making one, and removes what earlier owners have left behind. The
    /// answer is kept for the life of the process; the error says in words what is missing.
    pub(super) fn find() -> Result<Arc<Self>, String> {
        static FOUND: LazyLock<Result<Arc<Cgroups>, String>> = LazyLock::new(|| {
            let cgroups = Cgroups {
                place: place::find()?,
            };
            sweep::sweep(&cgroups.place);
            let tried = cgroups.make(&SandboxLimits::default(), 16);
            tried.map_err(|error| format!("control groups cannot be made: {error}"))?;
            Ok(Arc::new(cgroups))
        });
        FOUND.clone()
    }

    /// `v1` or `v2`.
    pub(super) fn version(&self) -> &'static str {
        match self.place.form {
            Form::Old => "v1",
            Form::New => "v2",
        }
    }

    /// Makes a group with these limits.
    pub(super) fn make(&self, limits: &SandboxLimits, processes: u64) -> Result<Group, Error> {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = sweep::name(number)
            .ok_or_else(|| Error::other("our own process is not to be seen in `/proc`"))?;
        let mut group = Group {
            form: self.place.form,
            folders: Vec::new(),
            removed: AtomicBool::new(false),
        };
        for base in self.place.folders() {
            let folder = base.join(&name);
            fs::create_dir(&folder).map_err(in_words(&folder))?;
            group.folders.push(folder);
        }
        group.limit(&self.place, &name, limits, processes)?;
        Ok(group)
    }
}

fn in_words(path: &Path) -> impl FnOnce(Error) -> Error {
    move |error| Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

fn write(folder: &Path, file: &str, value: &str) -> Result<(), Error> {
    let path = folder.join(file);
    fs::write(&path, value).map_err(in_words(&path))
}

impl Group {
    fn limit(&self, place: &Place, name: &str, limits: &SandboxLimits, processes: u64) -> Result<(), Error> {
        let (memory, pids, cpu) = (
            place.memory.join(name),
            place.pids.join(name),
            place.cpu.join(name),
        );
        let bytes = limits.memory.0.to_string();
        let share = (u64::from(limits.cpus) * PERIOD).to_string();
        write(&pids, "pids.max", &processes.to_string())?;
        match self.form {
            Form::Old => {
                write(&memory, "memory.limit_in_bytes", &bytes)?;
                if memory.join("memory.memsw.limit_in_bytes").exists() {
                    write(&memory, "memory.memsw.limit_in_bytes", &bytes)?;
                } else {
                    // Without an account of swap, at least nothing is put there as long as there is memory.
                    write(&memory, "memory.swappiness", "0")?;
                }
                write(&cpu, "cpu.cfs_period_us", &PERIOD.to_string())?;
                write(&cpu, "cpu.cfs_quota_us", &share)
            }
            Form::New => {
                write(&memory, "memory.max", &bytes)?;
                if memory.join("memory.swap.max").exists() {
                    write(&memory, "memory.swap.max", "0")?;
                }
                write(&memory, "memory.oom.group", "1")?;
                write(&cpu, "cpu.max", &format!("{share} {PERIOD}"))
            }
        }
    }

    /// The files into which a process of one thread writes `0` to come in.
    pub(super) fn entrances(&self) -> Vec<PathBuf> {
        // Old groups take a single thread, too, and then need not wait until the whole machine has noticed: that takes
        // longer than all else of a sandbox's start.
        let file = match self.form {
            Form::Old => "tasks",
            Form::New => "cgroup.procs",
        };
        self.folders.iter().map(|folder| folder.join(file)).collect()
    }

    /// The limit that was met, if one was.
    pub(super) fn met(&self) -> Option<Met> {
        let of_memory = match self.form {
            Form::Old => "memory.oom_control",
            Form::New => "memory.events",
        };
        let count = |file: &str, key: &str| {
            self.folders
                .iter()
                .filter_map(|folder| fs::read_to_string(folder.join(file)).ok())
                .find_map(|text| figure(&text, key))
                .unwrap_or(0)
        };
        if count(of_memory, "oom_kill") > 0 {
            Some(Met::Memory)
        } else if count("pids.events", "max") > 0 {
            Some(Met::Processes)
        } else {
            None
        }
    }

    /// Ends what is left in it and removes it, now if the kernel lets go of it at once, else a little later.
    pub(super) fn remove(&self) {
        if self.removed.swap(true, Ordering::SeqCst) {
            return;
        }
        let left: Vec<PathBuf> = self
            .folders
            .iter()
            .filter(|folder| !removed(folder))
            .cloned()
            .collect();
        if left.is_empty() {
            return;
        }
        let wait = move || {
            // Ended processes stay in their group until they are collected.
            for _ in 0..200 {
                std::thread::sleep(Duration::from_millis(10));
                if left.iter().filter(|folder| !removed(folder)).count() == 0 {
                    return;
                }
            }
        };
        // What is not removed now is when we start the next time.
        let _ = std::thread::Builder::new()
            .name("sandbox-groups".into())
            .spawn(wait);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The figure after a key, of a file with a key and a figure on each line.
fn figure(text: &str, key: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Ends all processes of a group and removes it; whether it is gone.
fn removed(folder: &Path) -> bool {
    match fs::remove_dir(folder) {
        Ok(()) => return true,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return true,
        Err(_) => {}
    }
    let inside = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for pid in inside.lines().filter_map(|line| line.parse::<i32>().ok()) {
        // 0 stands for a process that we cannot see; to kill it would be to kill ourselves.
        if pid > 0 {
            // An error says that it has ended by itself.
            let _ = signal::kill(Pid::from_raw(pid), signal::Signal::SIGKILL);
        }
    }
    fs::remove_dir(folder).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_found_by_its_whole_key() {
        let text = "low 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(
            (figure(text, "oom_kill"), figure(text, "max")),
            (Some(2), Some(7))
        );
        assert_eq!(
            (figure(text, "oo"), figure("oom_kill x", "oom_kill")),
            (None, None)
        );
    }

    #[test]
    fn a_group_is_gone_when_it_is_dropped_and_its_processes_with_it() {
        // Where no group can be made there is nothing to see; the tests of the whole sandbox say so.
        let Ok(cgroups) = Cgroups::find() else { return };
        let group = cgroups.make(&SandboxLimits::default(), 8).unwrap();
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        for entrance in group.entrances() {
            fs::write(entrance, child.id().to_string()).unwrap();
        }
        let folders = group.folders.clone();
        assert!(folders.iter().all(|folder| folder.exists()));
        drop(group);
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap()),
            Some(9)
        );
        let began = std::time::Instant::now();
        while folders.iter().any(|folder| folder.exists()) {
            assert!(began.elapsed() < Duration::from_secs(5));
            std::thread::yield_now();
        }
    }
}
