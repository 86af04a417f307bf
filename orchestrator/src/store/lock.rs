//! One loops at a time works on a state folder, and one on a state in a Postgres. Readers (`status`, `show`, `logs`) do not ask.
//!
//! The lock is the kernel's and ends with the process that took it, however that ends, so a lock file that is
//! left behind means nothing. It says nothing about database transactions.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    time::Duration,
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use sqlx::PgConnection;

use tokio_util::sync::CancellationToken;

use super::{
    Store, StoreError, file,
    leader::{self, Keeper},
    server,
};

/// The right to work on a state folder; dropping it gives it back.
#[derive(Debug)]
pub struct StateLock {
    file: Flock<File>,
    /// Ends with the process, too: the server sees the connection break.
    claim: Option<PgConnection>,
    /// Says that we lead, as long as this lives; it has the claim then.
    keeper: Option<Keeper>,
    /// Fires when another leads.
    lost: CancellationToken,
}

impl StateLock {
    /// Takes the lock of `folder`, which is made if it is not there. Does not wait: if another process has it,
    /// the error is [`StoreError::Held`] and names that process.
    pub fn take(folder: &Path) -> Result<Self, StoreError> {
        file::make_folder(folder)?;
        match try_lock(folder)? {
            Ok(mut lock) => {
                write_pid(&mut lock).map_err(|source| StoreError::Folder {
                    path: folder.join(FILE),
                    source,
                })?;
                Ok(Self {
                    file: lock,
                    claim: None,
                    keeper: None,
                    lost: CancellationToken::new(),
                })
            }
            Err(pid) => Err(StoreError::Held {
                folder: folder.to_owned(),
                pid,
            }),
        }
    }

    /// Lets others see that its holder runs loops by their schedules.
    pub fn serving(mut self) -> Result<Self, StoreError> {
        writeln!(self.file, "{SERVES}").map_err(|source| StoreError::Folder {
            path: Path::new(FILE).to_owned(),
            source,
        })?;
        Ok(self)
    }

    /// Takes the lock of the state in a Postgres besides, which other machines may know of. Does not wait: if another
    /// process has it, the error is [`StoreError::Claimed`]. Nothing else is to be taken for a SQLite file.
    pub async fn also_in(self, store: &Store) -> Result<Self, StoreError> {
        let claim = server::claim(store).await?;
        Ok(Self { claim, ..self })
    }

    /// The same, for a service that may have to wait for its turn: `wait` is asked, and waited for, each time that
    /// another process leads; a leader that has said nothing for longer than its lease is cut off. None: `wait` says
    /// that it was long enough.
    pub async fn in_turn_in(
        self,
        store: &Store,
        mut wait: impl AsyncFnMut(&StoreError) -> bool,
    ) -> Result<Option<Self>, StoreError> {
        loop {
            match server::claim(store).await {
                Ok(claim) => return Ok(Some(Self { claim, ..self })),
                Err(claimed @ StoreError::Claimed { .. }) => {
                    if !store.cut_off_lost_leader().await? && !wait(&claimed).await {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Leads on a state that was claimed, under this name: from now on what the store writes is refused once another
    /// leads. On a file there is nothing to do.
    pub async fn lead(self, store: &Store, holder: &str, lease: Duration) -> Result<Self, StoreError> {
        let Self {
            file,
            claim: Some(claim),
            lost,
            ..
        } = self
        else {
            return Ok(self);
        };
        let epoch = leader::lead(store, holder, lease).await?;
        let keep = leader::keep(store.clone(), Some(claim), (epoch, lease), lost.clone());
        Ok(Self {
            file,
            claim: None,
            keeper: Some(Keeper::of(keep)),
            lost,
        })
    }

    /// Fires when another process leads.
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Whether it leads, by a lease that it renews.
    pub fn leads(&self) -> bool {
        self.keeper.is_some()
    }
}

/// Who works on a state now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Holder {
    /// Its process id on this machine, if it is on this one and can be read.
    pub process: Option<u32>,
    /// What the database calls it, if only the database knows it: another machine's.
    pub elsewhere: Option<String>,
    /// Whether it runs loops by their schedules.
    pub serves: bool,
}

/// Who works on the state in `folder`, or in the database of `store`, now; none: nobody.
pub async fn at_work(folder: &Path, store: &Store) -> Result<Option<Holder>, StoreError> {
    let Some(process) = holder(folder)? else {
        let elsewhere = server::claimed(store).await?;
        return Ok(elsewhere.map(|who| Holder {
            process: None,
            elsewhere: Some(who),
            // Only what stays long claims it: a run in the foreground, or the service. Nobody can tell from here.
            serves: true,
        }));
    };
    let text = std::fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    Ok(Some(Holder {
        process,
        elsewhere: None,
        serves: text.lines().nth(1) == Some(SERVES),
    }))
}

/// Who works on the state in `folder` now; none: nobody. The inner value is its process id, if it can be read.
pub fn holder(folder: &Path) -> Result<Option<Option<u32>>, StoreError> {
    if !folder.join(FILE).exists() {
        return Ok(None);
    }
    Ok(try_lock(folder)?.err())
}

const FILE: &str = "lock";
/// The second line of a service's lock.
const SERVES: &str = "serves";

/// The lock, or the process that has it.
fn try_lock(folder: &Path) -> Result<Result<Flock<File>, Option<u32>>, StoreError> {
    let path = folder.join(FILE);
    let failed = |source| StoreError::Folder {
        path: path.clone(),
        source,
    };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Ok(lock)),
        Err((mut file, Errno::EWOULDBLOCK)) => Ok(Err(read_pid(&mut file))),
        Err((_, errno)) => Err(failed(errno.into())),
    }
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}

/// At most a line: the file is small whoever wrote it.
fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.lines().next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_loops_on_the_same_folder_is_told_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = StateLock::take(folder.path()).unwrap();
        let refused = StateLock::take(folder.path()).unwrap_err();
        assert!(matches!(refused, StoreError::Held { pid: Some(pid), .. } if pid == std::process::id()));
        assert!(
            refused
                .to_string()
                .contains(&format!("process {}", std::process::id()))
        );
        assert_eq!(holder(folder.path()).unwrap(), Some(Some(std::process::id())));
        drop(first);
        assert_eq!(holder(folder.path()).unwrap(), None);
        StateLock::take(folder.path()).unwrap();
    }

    #[test]
    fn a_lock_file_left_behind_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "4000000").unwrap();
        StateLock::take(folder.path()).unwrap();
        let text = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert_eq!(text.trim(), std::process::id().to_string());
    }
}
