//! The real binary as a real process, with an environment of our own.

use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{ChildStderr, Command},
    task::JoinHandle,
};

use super::World;

/// Longer than any command of any story takes, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a command ended, and what it printed.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The arguments.
    pub args: String,
    /// The exit code; a signal `n` counts as `128 + n`, as a shell says it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Standard output, which must be one JSON value and nothing else.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("standard output is not JSON alone: {error}\n{self}"))
    }

    /// Both outputs.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            args,
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "`loops {args}` ended with {code}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}

/// A command that is under way. Dropping it kills it.
#[derive(Debug)]
pub struct Child {
    args: String,
    child: tokio::process::Child,
    stdout: JoinHandle<String>,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl World {
    /// Where the binary is.
    pub fn binary() -> PathBuf {
        binary()
    }

    /// Runs the binary to its end.
    pub async fn loops<const N: usize>(&self, args: [&str; N]) -> Ran {
        self.end(self.spawn(args)).await
    }

    /// Runs the binary to its end, with something else about the process.
    pub async fn loops_with<const N: usize>(
        &self,
        args: [&str; N],
        change: impl FnOnce(&mut Command),
    ) -> Ran {
        self.end(self.spawn_with(args, change)).await
    }

    /// Starts the binary.
    pub fn spawn<const N: usize>(&self, args: [&str; N]) -> Child {
        self.spawn_with(args, |_| {})
    }

    /// Starts the binary, with any number of arguments.
    pub fn spawn_all(&self, args: &[&str]) -> Child {
        let mut child = self.spawn_with([], |command| {
            command.args(args);
        });
        child.args = args.join(" ");
        child
    }

    /// Starts the binary, with something else about the process.
    pub fn spawn_with<const N: usize>(&self, args: [&str; N], change: impl FnOnce(&mut Command)) -> Child {
        let mut command = self.command(args);
        change(&mut command);
        let mut child = command
            .kill_on_drop(true)
            .spawn()
            .expect("the binary under test can be started");
        let mut stdout = child.stdout.take().expect("standard output is a pipe");
        let stderr = child.stderr.take().expect("standard error is a pipe");
        let stdout = tokio::spawn(async move {
            let mut text = Vec::new();
            let _ = stdout.read_to_end(&mut text).await;
            String::from_utf8_lossy(&text).into_owned()
        });
        Child {
            args: args.join(" "),
            child,
            stdout,
            stderr: BufReader::new(stderr),
            said: String::new(),
        }
    }

    /// Waits for a command's end.
    pub async fn end(&self, mut child: Child) -> Ran {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, child.stderr.read_to_end(&mut rest)).await;
        assert!(
            ended.is_ok(),
            "`loops {}` did not end; it said\n{}{}",
            child.args,
            child.said,
            String::from_utf8_lossy(&rest)
        );
        let status = child.child.wait().await.expect("a child can be waited for");
        let stdout = child.stdout.await.expect("standard output was read");
        use std::os::unix::process::ExitStatusExt as _;
        let ran = Ran {
            args: child.args,
            code: status
                .code()
                .unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
            stdout,
            stderr: child.said + &String::from_utf8_lossy(&rest),
        };
        self.note(&ran);
        ran
    }

    /// The command, ready to be started in the world's folder, with nothing of our own environment but where programs
    /// and toolchains are.
    pub fn command<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(binary());
        let token = self.token().clone();
        let secrets = self.secrets().clone();
        command
            .args(args)
            .current_dir(self.folder())
            .env_clear()
            .env("HOME", self.path("home"))
            .env("USER", "tester")
            .env("LOOPS_TEST_KEY", self.key())
            .envs(self.database.get().map(|address| ("DATABASE_URL", address)))
            .envs((!token.is_empty()).then_some(("LOOPS_TEST_GITHUB", token)))
            .envs(secrets)
            .envs(toolchains())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

impl Child {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the child is still there")
    }

    /// Reads its standard error up to a line that contains `words`; false: it ended before it said so.
    pub async fn says(&mut self, words: &str) -> bool {
        loop {
            let mut line = Vec::new();
            match self.stderr.read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return false,
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&line);
            self.said.push_str(&line);
            if line.contains(words) {
                return true;
            }
        }
    }

    /// Whether it has ended by now.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Interrupts it, as Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal("INT");
    }

    /// Kills it: it can do nothing any more.
    pub fn kill(&self) {
        self.signal("KILL");
    }

    /// Sends it a signal, by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        let status = std::process::Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "the signal {name} was sent"
        );
    }
}

/// The service, built with this crate: cargo puts it beside the folder of the test's own program.
fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("a program knows where it is");
    let folder = own.parent().and_then(Path::parent).expect("tests lie in `deps`");
    folder.join("service")
}

/// Where programs are found; toolchains are looked for by the home folder, which is not the real one here.
fn toolchains() -> Vec<(&'static str, std::ffi::OsString)> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let folder = |name: &'static str, default: &str| {
        let found = std::env::var_os(name).or_else(|| Some(home.as_ref()?.join(default).into()))?;
        Path::new(&found).is_dir().then_some((name, found))
    };
    [
        std::env::var_os("PATH").map(|path| ("PATH", path)),
        folder("RUSTUP_HOME", ".rustup"),
        folder("CARGO_HOME", ".cargo"),
        folder("PYENV_ROOT", ".pyenv"),
    ]
    .into_iter()
    .flatten()
    .collect()
}
