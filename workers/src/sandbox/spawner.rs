//! Starts children from one thread that lives as long as we do. The kernel ends a sandbox when the *thread* that
//! started it ends, and a runtime's threads come and go.

use std::{
    io::Error,
    sync::{LazyLock, mpsc},
};

use tokio::{
    process::{Child, Command},
    runtime::Handle,
};

struct Job {
    command: Command,
    runtime: Handle,
    answer: mpsc::SyncSender<std::io::Result<Child>>,
}

static SPAWNER: LazyLock<std::io::Result<mpsc::Sender<Job>>> = LazyLock::new(|| {
    let (jobs, inbox) = mpsc::channel::<Job>();
    std::thread::Builder::new()
        .name("sandbox-spawner".into())
        .spawn(move || {
            for mut job in inbox {
                let _runtime = job.runtime.enter();
                // Whoever asked may have gone; the child is dropped and killed then.
                let _ = job.answer.send(job.command.spawn());
            }
        })?;
    Ok(jobs)
});

/// Starts a command. Must be called within a runtime.
pub(super) fn spawn(command: Command) -> std::io::Result<Child> {
    let gone = || Error::other("the thread that starts sandboxes has ended");
    let runtime = Handle::try_current().map_err(Error::other)?;
    let (answer, wait) = mpsc::sync_channel(1);
    let jobs = SPAWNER
        .as_ref()
        .map_err(|error| Error::new(error.kind(), error.to_string()))?;
    jobs.send(Job {
        command,
        runtime,
        answer,
    })
    .map_err(|_| gone())?;
    wait.recv().map_err(|_| gone())?
}
