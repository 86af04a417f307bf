//! Who ends when a disk is almost full: of the sandboxes of this process on it, the one that has taken most. Its siblings
//! have done nothing, and go on; only when nearly nothing is left do all end, before the service itself cannot write.

use std::{
    collections::HashMap,
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::processes::DISK_LEFT;

/// With less than this left everybody ends, in bytes.
const FLOOR: u64 = DISK_LEFT / 4;
/// So long after one has ended the others wait: what it had written is freed by then.
const GRACE: Duration = Duration::from_secs(15);

static CROWD: LazyLock<Mutex<Crowd>> = LazyLock::new(Mutex::default);

#[derive(Debug, Default)]
struct Crowd {
    next: u64,
    users: HashMap<u64, User>,
    /// When somebody of a disk was ended last.
    ended: HashMap<u64, Instant>,
}

#[derive(Debug, Clone, Copy)]
struct User {
    disk: u64,
    bytes: u64,
}

/// A sandbox's place among those of this process, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    disk: u64,
}

impl Place {
    /// A place on the disk of this folder.
    pub(super) fn take(scratch: &Path) -> Self {
        let disk = std::fs::metadata(scratch).map_or(0, |meta| meta.dev());
        with(|crowd| {
            crowd.next += 1;
            let number = crowd.next;
            crowd.users.insert(number, User { disk, bytes: 0 });
            Self { number, disk }
        })
    }

    /// Notes what was measured.
    pub(super) fn has_taken(&self, bytes: u64) {
        with(|crowd| {
            if let Some(user) = crowd.users.get_mut(&self.number) {
                user.bytes = bytes;
            }
        });
    }

    /// Whether this one must go where so little is left.
    pub(super) fn must_go(&self, left: u64) -> bool {
        let now = Instant::now();
        with(|crowd| {
            let others = crowd.users.iter().filter(|(_, user)| user.disk == self.disk);
            let largest = others.max_by_key(|(number, user)| (user.bytes, **number));
            let is_largest = largest.is_some_and(|(number, _)| *number == self.number);
            let waits = crowd
                .ended
                .get(&self.disk)
                .is_some_and(|ended| now.duration_since(*ended) < GRACE);
            let goes = goes(left, is_largest, waits);
            if goes {
                crowd.ended.insert(self.disk, now);
                crowd.users.remove(&self.number);
            }
            goes
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        with(|crowd| crowd.users.remove(&self.number));
    }
}

/// Whether one goes: `largest` of its disk, `waits` for what another one frees.
fn goes(left: u64, largest: bool, waits: bool) -> bool {
    left < FLOOR || (largest && !waits)
}

fn with<T>(act: impl FnOnce(&mut Crowd) -> T) -> T {
    act(&mut CROWD.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_took_most_goes_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let [mut small, mut large, mut other] = [(); 3].map(|()| Place::take(folder.path()));
        // A disk of their own: other tests of this process have places, too.
        for place in [&mut small, &mut large, &mut other] {
            place.disk = u64::MAX;
            with(|crowd| {
                crowd.users.insert(
                    place.number,
                    User {
                        disk: u64::MAX,
                        bytes: 0,
                    },
                )
            });
        }
        small.has_taken(1 << 20);
        large.has_taken(5 << 30);
        other.has_taken(2 << 20);
        let low = DISK_LEFT - 1;
        assert!(!small.must_go(low) && !other.must_go(low));
        assert!(large.must_go(low));
        // What it frees is waited for, unless nothing is left.
        assert!(!other.must_go(low) && !small.must_go(low));
        assert!(small.must_go(FLOOR - 1));
    }
}
