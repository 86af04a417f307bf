//! Where in the hierarchies of control groups ours are made: beneath the group that we are in ourselves, so that the
//! limits of whoever started us hold for the sandboxes, too.

use std::{
    fs,
    path::{Path, PathBuf},
};

const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];
/// A group of our own beneath the one that we were given: the new form allows no processes beside groups.
const SELF: &str = "loops-self";

/// Which kind of control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A hierarchy for each controller.
    Old,
    /// One for all.
    New,
}

/// The folders beneath which groups are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) form: Form,
    pub(super) memory: PathBuf,
    pub(super) pids: PathBuf,
    pub(super) cpu: PathBuf,
}

impl Place {
    /// Each folder once.
    pub(super) fn folders(&self) -> Vec<&Path> {
        let mut all: Vec<&Path> = vec![&self.memory, &self.pids, &self.cpu];
        all.sort();
        all.dedup();
        all
    }
}

/// Finds the place; the error says in words why there is none.
pub(super) fn find() -> Result<Place, String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("`{path}`: {error}"));
    let (mounts, own) = (read("/proc/self/mountinfo")?, read("/proc/self/cgroup")?);
    if let Some(place) = old(&mounts, &own) {
        return Ok(place);
    }
    let group = new(&mounts, &own)
        .ok_or("this machine has no control groups for memory, processes and processors")?;
    let group = opened(&group)?;
    Ok(Place {
        form: Form::New,
        memory: group.clone(),
        pids: group.clone(),
        cpu: group,
    })
}

/// One mount, as `mountinfo` tells it: what of the hierarchy, where, the kind, and its options.
fn mount(line: &str) -> Option<(&str, &str, &str, &str)> {
    let (first, last) = line.split_once(" - ")?;
    let mut first = first.split(' ').skip(3);
    let mut last = last.split(' ');
    Some((first.next()?, first.next()?, last.next()?, last.nth(1)?))
}

/// The folder of a group, given where its hierarchy is mounted from.
fn folder(root: &str, at: &str, group: &str) -> PathBuf {
    let below = Path::new(group).strip_prefix(root).unwrap_or(Path::new(group));
    Path::new(at).join(below.strip_prefix("/").unwrap_or(below))
}

fn old(mounts: &str, own: &str) -> Option<Place> {
    let of = |controller: &str| {
        let group = own.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let names = parts.next()?;
            names
                .split(',')
                .any(|name| name == controller)
                .then(|| parts.next())?
        })?;
        mounts
            .lines()
            .filter_map(mount)
            .find_map(|(root, at, kind, options)| {
                let has = kind == "cgroup" && options.split(',').any(|option| option == controller);
                has.then(|| folder(root, at, group))
            })
    };
    Some(Place {
        form: Form::Old,
        memory: of("memory")?,
        pids: of("pids")?,
        cpu: of("cpu")?,
    })
}

fn new(mounts: &str, own: &str) -> Option<PathBuf> {
    let group = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let (root, at) = mounts
        .lines()
        .filter_map(mount)
        .find_map(|(root, at, kind, _)| (kind == "cgroup2").then_some((root, at)))?;
    let folder = folder(root, at, group);
    Some(match folder.file_name() {
        Some(name) if name == SELF => folder.parent()?.to_owned(),
        _ => folder,
    })
}

/// Makes the controllers available beneath a group of the new form. If we are alone in it we step aside into a group
/// of our own first.
fn opened(group: &Path) -> Result<PathBuf, String> {
    let words = |file: &str| {
        let text = fs::read_to_string(group.join(file)).unwrap_or_default();
        let missing = CONTROLLERS
            .iter()
            .filter(|name| !text.split_whitespace().any(|word| word == **name));
        missing.copied().collect::<Vec<_>>()
    };
    let missing = words("cgroup.controllers");
    if !missing.is_empty() {
        return Err(format!(
            "the control group `{}` does not have {}; under systemd write `Delegate=yes` for the service",
            group.display(),
            missing.join(", ")
        ));
    }
    if words("cgroup.subtree_control").is_empty() {
        return Ok(group.to_owned());
    }
    let failed = |what: &str| {
        let what = format!("the control group `{}` {what}", group.display());
        move |error: std::io::Error| format!("{what}: {error}")
    };
    let inside = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let us = std::process::id().to_string();
    // The very first group, which alone has no `cgroup.type`, may hold both.
    if group.join("cgroup.type").exists() && !inside.trim().is_empty() {
        if inside.lines().any(|line| line != us) {
            return Err(format!(
                "the control group `{}` holds other processes, too; start the service in one of its own",
                group.display()
            ));
        }
        let aside = group.join(SELF);
        fs::create_dir_all(&aside).map_err(failed("takes no groups"))?;
        fs::write(aside.join("cgroup.procs"), us).map_err(failed("cannot be left"))?;
    }
    fs::write(group.join("cgroup.subtree_control"), "+memory +pids +cpu")
        .map_err(failed("does not hand on its controllers"))?;
    Ok(group.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
        32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\
        33 31 0:30 /docker/1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        34 31 0:31 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";

    #[test]
    fn old_groups_are_made_beneath_our_own_in_each_hierarchy() {
        let own = "4:cpu,cpuacct:/a\n3:memory:/docker/1/b\n2:pids:/\n0::/\n";
        let place = old(OLD, own).unwrap();
        assert_eq!(place.cpu, Path::new("/sys/fs/cgroup/cpu,cpuacct/a"));
        assert_eq!(place.memory, Path::new("/sys/fs/cgroup/memory/b"));
        assert_eq!(place.pids, Path::new("/sys/fs/cgroup/pids/"));
        assert_eq!(place.folders().len(), 3);
        assert_eq!(old(OLD, "4:cpu,cpuacct:/a\n2:pids:/\n"), None);
    }

    #[test]
    fn new_groups_are_made_beneath_our_own_even_if_we_have_stepped_aside() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        let service = Path::new("/sys/fs/cgroup/system.slice/loops.service");
        for own in [
            "0::/system.slice/loops.service\n",
            "0::/system.slice/loops.service/loops-self\n",
        ] {
            assert_eq!(new(mounts, own).unwrap(), service);
        }
        assert_eq!(new(OLD, "0::/x\n"), None);
    }

    /// A folder with the files of a group of the new form.
    fn group(controllers: &str, handed_on: &str, inside: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            ("cgroup.controllers", controllers),
            ("cgroup.subtree_control", handed_on),
            ("cgroup.procs", inside),
            ("cgroup.type", "domain"),
        ];
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn a_group_that_lacks_a_controller_or_is_not_ours_alone_is_refused_in_words() {
        let lacking = group("cpu pids", "", "");
        assert!(
            opened(lacking.path())
                .unwrap_err()
                .contains("does not have memory")
        );
        let shared = group("cpu memory pids", "", "1\n2\n");
        assert!(
            opened(shared.path())
                .unwrap_err()
                .contains("holds other processes")
        );
    }

    #[test]
    fn alone_in_a_group_we_step_aside_and_its_controllers_are_handed_on() {
        let alone = group("cpu io memory pids", "cpu", &format!("{}\n", std::process::id()));
        assert_eq!(opened(alone.path()).unwrap(), alone.path());
        let read = |name: &str| fs::read_to_string(alone.path().join(name)).unwrap();
        assert_eq!(read("loops-self/cgroup.procs"), std::process::id().to_string());
        assert_eq!(read("cgroup.subtree_control"), "+memory +pids +cpu");
        let ready = group("cpu memory pids", "cpu memory pids", "1\n");
        assert!(opened(ready.path()).is_ok());
    }
}
