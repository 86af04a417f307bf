//! Groups whose owner was killed before it could remove them. Their names say who made them, so the next one to start
//! can tell an orphan from a group in use.

use std::fs;

use super::{super::processes, place::Place, removed};

/// The name of a group of ours: the numbers of our world of processes, of our process and when it began, and its own.
pub(super) fn name(number: u64) -> Option<String> {
    let pid = std::process::id();
    let born = processes::born(i32::try_from(pid).ok()?)?;
    Some(format!("loops-{}-{pid}-{born}-{number}", world()?))
}

/// The number of the namespace in which our process has its number.
fn world() -> Option<u64> {
    let name = fs::read_link("/proc/self/ns/pid").ok()?;
    let name = name.to_str()?;
    name.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
}

/// Removes the groups of owners that are no more, with all that runs in them.
pub(super) fn sweep(place: &Place) {
    let Some(world) = world() else { return };
    for base in place.folders() {
        for entry in fs::read_dir(base).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if is_orphan(name, world, &processes::born) && !removed(&entry.path()) {
                tracing::debug!(group = name, "an orphaned control group is still busy");
            }
        }
    }
}

/// Whether a group of that name is one of ours whose owner is gone. Of owners in another world we know nothing.
fn is_orphan(name: &str, world: u64, born: &dyn Fn(i32) -> Option<u64>) -> bool {
    let Some(rest) = name.strip_prefix("loops-") else {
        return false;
    };
    let numbers: Vec<Option<u64>> = rest.split('-').map(|part| part.parse().ok()).collect();
    let [Some(its_world), Some(pid), Some(its_birth), Some(_)] = numbers[..] else {
        return false;
    };
    let Ok(pid) = i32::try_from(pid) else {
        return false;
    };
    its_world == world && born(pid) != Some(its_birth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_groups_whose_owner_is_gone_are_orphans() {
        let born = |pid: i32| (pid == 10).then_some(555);
        for (name, orphan) in [
            ("loops-4-10-555-0", false),
            ("loops-4-10-556-0", true),
            ("loops-4-11-555-3", true),
            ("loops-5-11-555-3", false),
            ("loops-self", false),
            ("loops-4-11-555", false),
            ("loops-4-11-555-3-9", false),
            ("other-4-11-555-3", false),
        ] {
            assert_eq!(is_orphan(name, 4, &born), orphan, "{name}");
        }
    }

    #[test]
    fn our_own_groups_are_no_orphans() {
        let name = name(7).unwrap();
        assert!(!is_orphan(&name, world().unwrap(), &processes::born), "{name}");
    }
}
