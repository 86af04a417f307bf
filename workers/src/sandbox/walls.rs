//! The walls that the second stage builds around itself, one by one, for tests that show what each of them holds: a
//! launcher of theirs leaves one out. The service has no such choice; it builds all of them, in `launch`.

use super::{landlock, launch, plan::Ceilings, seccomp};

/// Sets the limits of a process: processes, open files, bytes of a file, processors, and the first of these.
///
/// # Errors
/// In words, if the system refuses one.
pub fn ceilings(numbers: [u64; 5]) -> Result<(), String> {
    let [processes, open_files, file_bytes, cpus, first_cpu] = numbers;
    let ceilings = Ceilings {
        processes,
        open_files,
        file_bytes,
        cpus: usize::try_from(cpus).unwrap_or(usize::MAX),
        first_cpu: usize::try_from(first_cpu).unwrap_or(0),
    };
    launch::set_ceilings(&ceilings).map_err(|error| error.to_string())
}

/// Lets nobody write but where the second wall (Landlock) allows it.
///
/// # Errors
/// In words, if it does not stand.
pub fn landlock() -> Result<(), String> {
    landlock::build().map_err(|error| error.to_string())
}

/// Denies the system calls that a build does not need.
///
/// # Errors
/// In words, if the filter does not stand.
pub fn filter() -> Result<(), String> {
    seccomp::install().map_err(|error| error.to_string())
}
