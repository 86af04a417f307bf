//! A process that stays up for months holds what it works with, not what it once needed: memory is given back as soon as it
//! is free, and all threads share one stock of it. What works for seconds does not come here.

use std::{os::unix::process::CommandExt as _, process::Command};

/// How the C library keeps memory: how many stocks, from which size a piece is given back by itself, and how much free
/// memory stays at the end of the stock, bytes. It reads them when a process begins, and only there.
const SETTINGS: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "65536"),
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
];

/// Begins this process anew with these settings, under its own id; once, and not where somebody has chosen their own.
pub(super) fn settle() {
    let chosen = SETTINGS.iter().any(|(name, _)| std::env::var_os(name).is_some());
    let (mut args, Ok(program)) = (std::env::args_os(), std::env::current_exe()) else {
        return;
    };
    if chosen {
        return;
    }
    let mut again = Command::new(program);
    if let Some(name) = args.next() {
        again.arg0(name);
    }
    // It comes back only if that cannot be done; then the process goes on as it is, and holds some more.
    let _ = again.args(args).envs(SETTINGS).exec();
}
