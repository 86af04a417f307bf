//! Commands without a sandbox, where somebody wrote `sandbox: none`: the same environment and time limits, no walls.

use std::{ffi::OsString, os::unix::process::ExitStatusExt as _, process::ExitStatus};

use nix::{sys::signal, unistd::Pid};
use tokio::process::{Child, Command};

use super::{Policy, SandboxError, plan, toolchains::Host};

/// The command, in a process group of its own.
pub(super) fn command(host: &Host, policy: &Policy, argv: &[OsString]) -> Result<Command, SandboxError> {
    let (home, temporary) = (policy.scratch.join("home"), policy.scratch.join("tmp"));
    for folder in [&home, &temporary] {
        std::fs::create_dir_all(folder).map_err(SandboxError::file(folder))?;
    }
    let [program, args @ ..] = argv else {
        return Err(SandboxError::NotAvailable("no program was named".into()));
    };
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .env("HOME", &home)
        .env("TMPDIR", &temporary)
        .env("PATH", host.plain_path());
    command
        .envs(plan::COMMON_ENV.iter().copied())
        .envs(host.plain_env())
        .envs(&policy.env);
    command
        .current_dir(&policy.workspace)
        .process_group(0)
        .kill_on_drop(true);
    Ok(command)
}

/// The process group of a command without a sandbox; it is killed when this is dropped. (In a sandbox everything
/// ends with its first process.)
#[derive(Debug)]
pub(super) struct Group(Option<Pid>);

impl Group {
    pub(super) fn of(child: &Child, policy: &Policy) -> Self {
        let pid = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map(Pid::from_raw);
        Self(pid.filter(|_| policy.limits.is_none()))
    }

    /// Kills what is left of it.
    pub(super) fn end(&self) {
        if let Some(group) = self.0 {
            // An error says that nobody is left.
            let _ = signal::killpg(group, signal::Signal::SIGKILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

/// The exit code as shells count it.
pub(super) fn exit_code(status: ExitStatus) -> Option<i32> {
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
}
