//! What is asked of the system for every command before it reads a setting: what we hold in memory is not written to a
//! disk when we fall over, and no other process of the same user looks into it. It reads nothing.

use nix::sys::{
    prctl,
    resource::{Resource, setrlimit},
};

/// No core files, for us and all that we start, and nobody of our user but root reads our memory, environment or open
/// files (`/proc/PID/mem`, `environ`, `fd`; ptrace). Programs that we start are as readable as ever: they are given nothing
/// that must not be read.
///
/// A system that refuses is told of and no more: the secrets are as safe as on a system that was not asked.
pub(super) fn harden() {
    let done = setrlimit(Resource::RLIMIT_CORE, 0, 0).and_then(|()| prctl::set_dumpable(false));
    if let Err(error) = done {
        tracing::warn!(%error, "core files could not be switched off");
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::resource::getrlimit;

    use super::*;

    #[test]
    fn nothing_of_our_memory_reaches_a_disk_or_another_process() {
        harden();
        assert_eq!(getrlimit(Resource::RLIMIT_CORE), Ok((0, 0)));
        assert_eq!(prctl::get_dumpable(), Ok(false));
    }
}
