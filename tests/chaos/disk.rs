//! A small disk of its own for the state: a file system in memory, which can be made full and empty again. Mounting it
//! is root's; where that is not allowed, a story does without.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// With room for all that a story does.
const ROOMY: &str = "4g";

/// A disk, until this is dropped.
#[derive(Debug)]
pub(super) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one at an empty folder; none: we may not.
    pub(super) fn at(folder: &Path) -> Option<Self> {
        std::fs::create_dir_all(folder).ok()?;
        let size = format!("size={ROOMY},mode=0700");
        let at = folder.display().to_string();
        if !mount(&["-t", "tmpfs", "-o", &size, "loops-chaos", &at]) {
            eprintln!("no disk can be mounted here: nothing is made full");
            return None;
        }
        Some(Self(folder.to_owned()))
    }

    /// Not a page is left.
    pub(super) fn fill(&self) {
        // What is written meanwhile makes what we counted too little.
        for _ in 0..100 {
            let disk = nix::sys::statvfs::statvfs(&self.0).unwrap();
            let used = (disk.blocks() - disk.blocks_free()) * disk.fragment_size();
            if self.resize(&used.to_string()) {
                return;
            }
        }
        panic!("it cannot be made full");
    }

    pub(super) fn make_room(&self) {
        assert!(self.resize(ROOMY), "there can be room again");
    }

    fn resize(&self, size: &str) -> bool {
        mount(&[
            "-o",
            &format!("remount,size={size}"),
            &self.0.display().to_string(),
        ])
    }
}

fn mount(args: &[&str]) -> bool {
    let run = |program: &str, args: &[&str]| {
        let ran = Command::new(program).args(args).output();
        ran.is_ok_and(|ran| ran.status.success())
    };
    run("mount", args) || run("sudo", &[&["-n", "mount"], args].concat())
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        for program in ["umount", "sudo"] {
            let args: &[&str] = if program == "sudo" { &["-n", "umount"] } else { &[] };
            let ended = Command::new(program)
                .args(args)
                .arg("--lazy")
                .arg(&self.0)
                .output();
            if ended.is_ok_and(|ended| ended.status.success()) {
                return;
            }
        }
    }
}
