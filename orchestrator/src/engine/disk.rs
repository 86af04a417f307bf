//! The disk that the state folder is on: whether it has room for something new, and what takes how much of it. What is
//! under way goes on however little there is; it ends as it can.

mod tidy;
mod usage;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use loops::spec::Bytes;

pub use self::{
    tidy::tidy,
    usage::{Part, Usage, usage},
};
use crate::config;

/// The disk of a state folder.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    folder: PathBuf,
    pub(crate) settings: config::Disk,
}

/// A disk with too little room for something new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Short {
    folder: PathBuf,
    /// How many bytes are free.
    pub free: u64,
    keep_free: Bytes,
}

impl Disk {
    /// The disk that a folder is on, or will be on.
    pub(crate) fn of(folder: &Path, settings: config::Disk) -> Self {
        Self {
            folder: folder.to_owned(),
            settings,
        }
    }

    /// How many bytes are free for us; none: nobody can tell.
    pub(crate) fn free(&self) -> Option<u64> {
        let there = self.folder.ancestors().find(|folder| folder.exists())?;
        let disk = nix::sys::statvfs::statvfs(there).ok()?;
        disk.blocks_available().checked_mul(disk.fragment_size())
    }

    /// Whether it is so full that sandboxes are stopped: what came of an order meanwhile says nothing about it.
    pub(crate) fn is_full(&self) -> bool {
        self.free().is_some_and(|free| free < workers::sandbox::DISK_LEFT)
    }

    /// Whether it has too little room for something new.
    pub(crate) fn short(&self) -> Option<Short> {
        let keep_free = self.settings.keep_free;
        let free = self.free()?;
        (free < keep_free.0).then(|| Short {
            folder: self.folder.clone(),
            free,
            keep_free,
        })
    }
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "only {} are free where `{}` is, and `disk.keep_free` is {}: nothing new is begun until there is more room; nothing is lost",
            rough(self.free),
            self.folder.display(),
            self.keep_free
        )
    }
}

/// An amount as people say it: `812MiB`, `1.2GiB`.
pub fn rough(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let Some((shift, unit)) = units.into_iter().find(|(shift, _)| bytes >> shift > 0) else {
        return format!("{bytes}B");
    };
    let tenths = (u128::from(bytes) * 10) >> shift;
    match (tenths / 10, tenths % 10) {
        (whole, tenth) if whole < 10 && tenth > 0 => format!("{whole}.{tenth}{unit}"),
        (whole, _) => format!("{whole}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_told_in_two_digits_or_whole_units() {
        let told = [0, 1023, 1024, 1536, 812 << 20, 1_288_490_188, 40 << 40].map(rough);
        assert_eq!(
            told,
            ["0B", "1023B", "1KiB", "1.5KiB", "812MiB", "1.1GiB", "40960GiB"]
        );
    }

    #[test]
    fn a_disk_is_short_when_less_is_free_than_is_to_be_kept() {
        let folder = tempfile::tempdir().unwrap();
        let keeping = |keep_free| {
            let settings = config::Disk {
                keep_free: Bytes(keep_free),
            };
            Disk::of(&folder.path().join("not/there/yet"), settings)
        };
        assert_eq!(keeping(0).short(), None);
        let short = keeping(u64::MAX).short().unwrap();
        assert!(short.to_string().contains("nothing new is begun"), "{short}");
    }
}
