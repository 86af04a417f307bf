//! The git program, always with the trusted settings. Nothing here may run anything that a repository says: no hooks,
//! filters, textconv, external diffs, monitors, helpers or prompts; no configuration but ours; no network unless asked.

mod blobs;
mod mirror;
mod objects;
mod remote;
#[cfg(test)]
mod tests;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{io::AsyncReadExt as _, io::AsyncWriteExt as _, process::Command};
use tracing::Instrument as _;

pub use mirror::Mirror;
pub use objects::{MAX_BASE, MAX_FOLDER, MAX_PACK, TreeEntry};
pub use remote::Remote;

/// How long a git command may take, unless said otherwise.
const TIMEOUT: Duration = Duration::from_secs(120);
/// The most that a git command may print.
const MAX_OUTPUT: usize = 256 << 20;

/// What every command is told before its own arguments; each key switches off a way in which a repository could have
/// its own programs run, or change what we read.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.autocrlf=false",
    "core.safecrlf=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "core.pager=cat",
    "core.editor=false",
    "core.sshCommand=false",
    // What a row of the store names must outlive the machine's fall: loose objects and refs are not waited for otherwise.
    "core.fsync=committed,loose-object,reference",
    "core.fsyncMethod=fsync",
    "core.gitProxy=",
    "core.askPass=",
    "credential.helper=",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "diff.external=",
    "log.showSignature=false",
    "gpg.program=false",
    "protocol.allow=never",
];

/// The content of `info/attributes` in every repository of ours. That file beats every `.gitattributes`, so content is
/// checked out, hashed and compared byte for byte, whatever the repository asks for.
pub(crate) const ATTRIBUTES: &str =
    "* -text !eol -ident !filter !working-tree-encoding !diff !merge !whitespace\n";

/// Why a git command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The program is missing or could not be started.
    #[error("git could not be started: {0}; install git 2.39 or newer")]
    NotStarted(std::io::Error),
    /// It ended with an error.
    #[error("`git {command}` failed: {message}")]
    Failed {
        /// The subcommand.
        command: String,
        /// The end of what it said.
        message: String,
    },
    /// It took too long.
    #[error("`git {command}` was stopped after {seconds} s")]
    TimedOut {
        /// The subcommand.
        command: String,
        /// How long it was given.
        seconds: u64,
    },
    /// It printed, or was given, more than we take.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// The source of a mirror cannot be used, in words for a person.
    #[error("{0}")]
    Source(String),
    /// A file of ours could not be read or written.
    #[error("`{path}`: {error}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

impl GitError {
    /// Wraps what the system said about `path`.
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::File { path, error }
    }
}

/// The git program on one repository of ours, or on none.
#[derive(Debug, Clone)]
pub struct Git {
    git_dir: Option<PathBuf>,
    work_tree: Option<PathBuf>,
    protocols: &'static [&'static str],
    env: Vec<(OsString, OsString)>,
    timeout: Duration,
}

impl Git {
    /// Git on the repository whose git directory this is. It must be one of ours, never one that an agent could write.
    /// Of a mirror it sees the base and the changes, and adds to the changes (see [`Mirror::changes`]).
    #[must_use]
    pub fn at(git_dir: &Path) -> Self {
        let changes = Mirror::changes(git_dir);
        if changes.join("config").is_file() {
            return Self::exactly(&changes);
        }
        Self::exactly(git_dir)
    }

    /// Git on this git directory itself: of a mirror, the base alone.
    fn exactly(git_dir: &Path) -> Self {
        Self {
            git_dir: Some(git_dir.to_owned()),
            ..Self::nowhere()
        }
    }

    /// Git without a repository: `init` and the like.
    #[must_use]
    pub fn nowhere() -> Self {
        Self {
            git_dir: None,
            work_tree: None,
            protocols: &["file"],
            env: vec![],
            timeout: TIMEOUT,
        }
    }

    /// The same with a work tree.
    #[must_use]
    pub fn work_tree(mut self, folder: &Path) -> Self {
        self.work_tree = Some(folder.to_owned());
        self
    }

    /// The same, allowed to fetch by these protocols in place of `file` alone.
    #[must_use]
    pub fn protocols(mut self, protocols: &'static [&'static str]) -> Self {
        self.protocols = protocols;
        self
    }

    /// The same with a variable in its environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The same with another time limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs a command and gives what it printed.
    ///
    /// # Errors
    /// If it fails, takes too long or prints too much.
    pub async fn run(&self, args: &[&str]) -> Result<Vec<u8>, GitError> {
        self.run_with_stdin(args, &[]).await
    }

    /// Runs a command with this on its standard input.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_with_stdin(&self, args: &[&str], stdin: &[u8]) -> Result<Vec<u8>, GitError> {
        self.run_within(args, stdin, MAX_OUTPUT).await
    }

    /// Runs a command and gives the one line that it printed.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn line(&self, args: &[&str]) -> Result<String, GitError> {
        Ok(String::from_utf8_lossy(&self.run(args).await?)
            .trim_end()
            .to_owned())
    }

    /// Runs a command that may print so many bytes at most.
    pub(crate) async fn run_within(
        &self,
        args: &[&str],
        stdin: &[u8],
        most: usize,
    ) -> Result<Vec<u8>, GitError> {
        let name = args.first().copied().unwrap_or_default();
        let span = tracing::debug_span!("git", command = name);
        let attempt = self.attempt(name, args, stdin, most).instrument(span);
        match tokio::time::timeout(self.timeout, attempt).await {
            Ok(result) => result,
            Err(_) => Err(GitError::TimedOut {
                command: name.to_owned(),
                seconds: self.timeout.as_secs(),
            }),
        }
    }

    async fn attempt(
        &self,
        name: &str,
        args: &[&str],
        stdin: &[u8],
        most: usize,
    ) -> Result<Vec<u8>, GitError> {
        let mut child = self.command(args).spawn().map_err(GitError::NotStarted)?;
        let mut group = Group(child.id());
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let feed = async {
            if let Some(mut input) = input {
                // A git that has failed closes its input; what it says on stderr is the error then.
                let _ = input.write_all(stdin).await;
            }
        };
        let (((), output), errors) = tokio::join!(
            async { tokio::join!(feed, read_up_to(output, most)) },
            read_up_to(errors, 1 << 20)
        );
        if output.len() > most {
            return Err(GitError::TooLarge {
                what: format!("the output of `git {name}`"),
                limit: most as u64,
            });
        }
        let status = child.wait().await.map_err(GitError::NotStarted)?;
        group.0 = None;
        if status.success() {
            return Ok(output);
        }
        Err(GitError::Failed {
            command: name.to_owned(),
            message: last_words(&errors, status.code()),
        })
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.env_clear();
        // Where git itself is found; nothing else of our environment reaches it.
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
            .env("HOME", "/nonexistent")
            .env("LC_ALL", "C.UTF-8")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_ALLOW_PROTOCOL", self.protocols.join(":"))
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(git_dir) = &self.git_dir {
            command.env("GIT_DIR", git_dir).current_dir(git_dir);
        } else {
            command.current_dir("/");
        }
        if let Some(work_tree) = &self.work_tree {
            command.env("GIT_WORK_TREE", work_tree).current_dir(work_tree);
        }
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

/// The processes of one git, which ends them all if nobody waits for it any more: over HTTP, git's helper does the waiting,
/// and would outlive it.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let group = self.0.and_then(|id| i32::try_from(id).ok());
        if let Some(group) = group {
            // It may have ended by itself.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}

/// Reads to the end, or until there is more than `most`.
async fn read_up_to(from: Option<impl tokio::io::AsyncRead + Unpin>, most: usize) -> Vec<u8> {
    let mut bytes = vec![];
    if let Some(from) = from {
        // A broken pipe shows in the exit code.
        let _ = from.take(most as u64 + 1).read_to_end(&mut bytes).await;
    }
    bytes
}

/// The last few lines of what git said, for an error message.
fn last_words(errors: &[u8], code: Option<i32>) -> String {
    let text = String::from_utf8_lossy(errors);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() {
        return code.map_or_else(|| "it was killed".to_owned(), |code| format!("exit code {code}"));
    }
    let words = lines[lines.len().saturating_sub(4)..].join("; ");
    words.chars().filter(|c| !c.is_control()).take(600).collect()
}
