//! Where commands that an agent chose, or whose code it wrote, are run: a jail that has the workspace, the toolchains
//! and nothing else of the machine. What cannot be set up as asked is not run; nothing here falls back to less.

mod cgroup;
mod disk;
mod etc;
mod landlock;
mod launch;
mod layers;
mod output;
mod plain;
mod plan;
mod processes;
mod seccomp;
mod shown;
mod spawner;
mod stage;
mod toolchains;
mod try_layers;
pub(crate) mod user;
#[doc(hidden)]
pub mod walls;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use loops::spec::{Require, SandboxLimits};
use tokio::process::{Child, Command};

pub use launch::launch_main;
pub use layers::Layers;
pub use shown::{File as ShownFile, Limit as ShownLimit, Shown};

/// Where the socket to the gateway is seen inside.
pub const GATEWAY_SOCKET: &str = plan::GATEWAY_SOCKET;
use cgroup::{Cgroups, Group};
pub(crate) use output::Gathered;
pub(crate) use plan::MIRROR_OBJECTS;
use plan::Prepared;
pub(crate) use processes::Watch;
use toolchains::Host;

/// The jail's maker: bubblewrap, and our own binary that starts it.
#[derive(Debug, Clone)]
pub struct Sandbox {
    bwrap: Option<Bwrap>,
    helper: PathBuf,
    host: Arc<Host>,
    /// Where control groups are made; else why they are not.
    groups: Result<Arc<Cgroups>, String>,
    /// Whether workspaces can be layered, where that was tried.
    layers_tried: try_layers::Tried,
}

/// The bubblewrap of this machine.
#[derive(Debug, Clone)]
struct Bwrap {
    path: PathBuf,
    /// Whether it can forbid namespaces inside (0.8 and newer).
    forbids_namespaces: bool,
}

/// What one sandbox sees and may do.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The folder that is seen as `/workspace`.
    pub workspace: PathBuf,
    /// What is laid over each other on that folder before it is seen; none: the folder itself is.
    pub layers: Option<Layers>,
    /// Whether it may be written.
    pub writable: bool,
    /// The mirror's `objects` folder, seen read-only where the workspace's git looks for it.
    pub mirror_objects: Option<PathBuf>,
    /// The unix socket to the gateway, seen as `/run/loops/gateway.sock`.
    pub relay: Option<PathBuf>,
    /// The limits; none: no sandbox at all, which somebody wrote out.
    pub limits: Option<SandboxLimits>,
    /// A folder of this attempt's own, for its home and temporary files.
    pub scratch: PathBuf,
    /// Variables besides the few that every sandbox has.
    pub env: BTreeMap<String, String>,
}

impl Policy {
    /// Whom the sandbox is on the host; none as an ordinary user, who can be nobody else.
    pub(crate) fn uid(&self) -> Option<u32> {
        let own = self.layers.as_ref().map(|layers| layers.writes.as_path());
        user::for_attempt(own.unwrap_or(&self.workspace), &self.scratch)
    }
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code, 128 + n if signal n ended it; none if we stopped it.
    pub exit_code: Option<i32>,
    /// What it printed, both streams in order; the middle is cut out if it is too long.
    pub output: String,
    /// Whether it was stopped because its time was up.
    pub timed_out: bool,
    /// Whether something was cut out of `output`.
    pub cut: bool,
    /// The limit that ended it, in words, if one did.
    pub stopped: Option<String>,
    /// How long it took.
    pub duration: Duration,
}

/// Why a sandbox could not be set up. No command has run then.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// bubblewrap is missing.
    #[error(
        "bubblewrap (`bwrap`) is not installed; install it (Debian, Ubuntu: `apt-get install bubblewrap`), or write `sandbox: none` to run without a sandbox"
    )]
    NoBubblewrap,
    /// Something that was asked for is not there yet, or not on this machine.
    #[error("{0}")]
    NotAvailable(String),
    /// A file or folder could not be made ready.
    #[error("`{path}`: {error}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The jail did not come up.
    #[error("the sandbox could not be set up: {0}")]
    Setup(String),
    /// A program could not be started, or was lost.
    #[error("`{program}` could not be started: {error}")]
    NotStarted {
        /// The program.
        program: String,
        /// What the system said.
        error: std::io::Error,
    },
}

impl SandboxError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::File { path, error }
    }
}

impl Sandbox {
    /// Finds bubblewrap and the host's toolchains. `helper` is the `loops` binary, or one that serves its two
    /// hidden commands.
    ///
    /// # Errors
    /// If bubblewrap is not installed; the message says how to mend that.
    pub fn find(helper: PathBuf) -> Result<Self, SandboxError> {
        let host = Host::look();
        let path = host.program("bwrap").ok_or(SandboxError::NoBubblewrap)?;
        let help = std::process::Command::new(&path)
            .arg("--help")
            .env_clear()
            .output();
        let help = help.map_err(|error| not_started("bwrap", error))?.stdout;
        let forbids_namespaces = String::from_utf8_lossy(&help).contains("--disable-userns");
        Ok(Self {
            bwrap: Some(Bwrap {
                path,
                forbids_namespaces,
            }),
            helper,
            host: Arc::new(host),
            groups: Cgroups::find(),
            layers_tried: try_layers::Tried::default(),
        })
    }

    /// One that can only carry out policies without limits: `sandbox: none`.
    #[must_use]
    pub fn without(helper: PathBuf) -> Self {
        Self {
            bwrap: None,
            helper,
            host: Arc::new(Host::look()),
            groups: Err("there is no sandbox".to_owned()),
            layers_tried: try_layers::Tried::default(),
        }
    }

    /// Runs a shell command to its end, or to the end of its time, and everything that it started ends with it.
    ///
    /// # Errors
    /// If the sandbox could not be set up. A command that fails is not an error.
    pub async fn run(
        &self,
        policy: &Policy,
        shell: &str,
        timeout: Duration,
        max_output: usize,
    ) -> Result<Ran, SandboxError> {
        let argv = [OsString::from("/bin/sh"), "-c".into(), shell.into()];
        let began = Instant::now();
        let (reader, writer) = std::io::pipe().map_err(SandboxError::file(Path::new("pipe")))?;
        if policy.limits.is_some()
            && let Some(uid) = policy.uid()
        {
            // Who opens `/dev/stdout` opens the pipe anew, which only its owner may.
            std::os::unix::fs::fchown(&writer, Some(uid), Some(uid))
                .map_err(SandboxError::file(Path::new("pipe")))?;
        }
        let errors = writer
            .try_clone()
            .map_err(SandboxError::file(Path::new("pipe")))?;
        let (mut child, prepared, made) = self.start(policy, &argv, move |command| {
            command.stdin(Stdio::null()).stdout(writer).stderr(errors);
        })?;
        let watch = processes::watch(&child, policy, made);
        let group = plain::Group::of(&child, policy);
        let mut gathered = Gathered::new(max_output);
        let work = async {
            let status = gathered.until_end(reader, &mut child).await;
            group.end();
            status
        };
        let (status, timed_out) = match tokio::time::timeout(timeout, work).await {
            Ok(status) => (Some(status.map_err(|error| not_started("sh", error))?), false),
            Err(_) => {
                group.end();
                // Whoever is waited for was killed; that it has gone already is fine.
                let _ = child.kill().await;
                (None, true)
            }
        };
        let stopped = watch.as_ref().and_then(Watch::verdict);
        watch.iter().for_each(Watch::close);
        let (output, cut) = gathered.text();
        if let Some(prepared) = &prepared
            && !prepared.begun()
            && !timed_out
            && stopped.is_none()
        {
            return Err(SandboxError::Setup(plan::explained(&output)));
        }
        let exit_code = if stopped.is_some() {
            None
        } else {
            status.and_then(plain::exit_code)
        };
        Ok(Ran {
            exit_code,
            output,
            timed_out,
            cut,
            stopped,
            duration: began.elapsed(),
        })
    }

    /// Runs a program to its end with our own standard streams: what it prints is not kept. For a person who tries the
    /// sandbox by hand.
    ///
    /// # Errors
    /// If the sandbox could not be set up. A program that fails is not an error.
    pub async fn attend(&self, policy: &Policy, argv: &[OsString]) -> Result<Ran, SandboxError> {
        let began = Instant::now();
        let (mut child, prepared, made) = self.start(policy, argv, |_| {})?;
        let watch = processes::watch(&child, policy, made);
        let group = plain::Group::of(&child, policy);
        let status = child
            .wait()
            .await
            .map_err(|error| not_started("the sandbox", error))?;
        group.end();
        let stopped = watch.as_ref().and_then(Watch::verdict);
        watch.iter().for_each(Watch::close);
        if prepared.is_some_and(|prepared| !prepared.begun()) && stopped.is_none() {
            return Err(SandboxError::Setup("what it said stands above".to_owned()));
        }
        Ok(Ran {
            exit_code: plain::exit_code(status).filter(|_| stopped.is_none()),
            output: String::new(),
            timed_out: false,
            cut: false,
            stopped,
            duration: began.elapsed(),
        })
    }

    /// Whether limits are kept by control groups here; else why not.
    ///
    /// # Errors
    /// In words for a person.
    pub fn exact_limits(&self) -> Result<&'static str, &str> {
        self.groups
            .as_ref()
            .map(|groups| groups.version())
            .map_err(String::as_str)
    }

    /// What the second wall is on this kernel.
    ///
    /// # Errors
    /// In words for a person, if there is none.
    pub fn second_wall(&self) -> Result<String, &'static str> {
        match landlock::support() {
            landlock::Support::Full => Ok("a second wall stands inside".to_owned()),
            landlock::Support::Partial(version) => Ok(format!(
                "a second wall stands inside, of an older form (version {version})"
            )),
            landlock::Support::None => Err("this kernel has no second wall"),
        }
    }

    /// Starts a program with its standard input and output piped, its errors discarded. It dies when the child is
    /// dropped, and when we die. A limit that is passed ends it. Must be called within a runtime.
    ///
    /// # Errors
    /// If the sandbox could not be prepared or started. That it fails to come up shows as an early end of its output.
    pub fn spawn(&self, policy: &Policy, argv: &[OsString]) -> Result<Child, SandboxError> {
        self.spawn_watched(policy, argv, Stdio::null())
            .map(|(child, _)| child)
    }

    /// The same with the errors going where the caller says, and with the watch that knows which limit ended it.
    pub(crate) fn spawn_watched(
        &self,
        policy: &Policy,
        argv: &[OsString],
        errors: Stdio,
    ) -> Result<(Child, Option<Watch>), SandboxError> {
        let (child, prepared, made) = self.start(policy, argv, |command| {
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(errors);
        })?;
        // The plan is read by the launcher, which removes it; the mark that it leaves goes with the scratch folder.
        if let Some(prepared) = prepared {
            prepared.leave();
        }
        let watch = processes::watch(&child, policy, made);
        Ok((child, watch))
    }

    /// The error for a sandbox that did not come up and said this.
    pub(crate) fn failed(said: &str) -> SandboxError {
        SandboxError::Setup(plan::explained(said))
    }

    /// Checks that a sandbox with these limits comes up on this machine, by running `true` in one.
    ///
    /// # Errors
    /// If it does not; the message says how to mend that.
    pub async fn check(&self, limits: &SandboxLimits) -> Result<(), SandboxError> {
        let scratch = tempfile::tempdir().map_err(SandboxError::file(&std::env::temp_dir()))?;
        let workspace = scratch.path().join("workspace");
        std::fs::create_dir(&workspace).map_err(SandboxError::file(&workspace))?;
        let policy = Policy {
            workspace,
            layers: None,
            writable: true,
            mirror_objects: None,
            relay: None,
            limits: Some(limits.clone()),
            scratch: scratch.path().to_owned(),
            env: BTreeMap::new(),
        };
        let ran = self.run(&policy, "true", Duration::from_secs(20), 4096).await?;
        if ran.exit_code == Some(0) {
            Ok(())
        } else {
            Err(SandboxError::Setup(ran.output))
        }
    }

    /// What this sandbox limits only approximately, or not at all, in sentences for a person.
    #[must_use]
    pub fn caveats(&self, policy: &Policy) -> Vec<String> {
        let Some(limits) = &policy.limits else {
            return vec!["NO SANDBOX: commands ran as you, with your files and your network, because the loop says `sandbox: none`".into()];
        };
        let mut all = Vec::new();
        if let Err(why) = &self.groups {
            all.push(format!(
                "memory (`{}`) is limited by looking at it every quarter of a second, not by a control group: {why}",
                limits.memory
            ));
            all.push(format!(
                "processors (`{}`) are limited by binding to so many of them",
                limits.cpus
            ));
        }
        all.push(format!(
            "disk use (`{}`) is limited by measuring it from time to time",
            limits.disk
        ));
        match landlock::support() {
            landlock::Support::Full => {}
            landlock::Support::Partial(version) => all.push(format!(
                "the second wall (Landlock) is of an older form here, version {version}"
            )),
            landlock::Support::None => all.push("this kernel has no second wall (Landlock)".into()),
        }
        if self.bwrap.as_ref().is_some_and(|bwrap| !bwrap.forbids_namespaces) {
            all.push(
                "bubblewrap is older than 0.8: processes inside can make namespaces of their own".into(),
            );
        }
        all
    }

    /// How the policy's workspace is called by those inside.
    #[must_use]
    pub fn workspace_inside(policy: &Policy) -> PathBuf {
        if policy.limits.is_some() {
            PathBuf::from(plan::WORKSPACE)
        } else {
            policy.workspace.clone()
        }
    }

    /// What a policy's commands find on their search path, as one text that changes when it does.
    pub(crate) fn toolchains(&self, policy: &Policy) -> String {
        let auto = policy
            .limits
            .as_ref()
            .is_none_or(|limits| limits.toolchains == loops::spec::Toolchains::Auto);
        format!("{:?}", self.host.offer(auto))
    }

    /// How our own binary is called by those inside.
    pub(crate) fn helper_inside(&self, policy: &Policy) -> PathBuf {
        if policy.limits.is_some() {
            PathBuf::from(plan::HELPER)
        } else {
            self.helper.clone()
        }
    }

    fn start(
        &self,
        policy: &Policy,
        argv: &[OsString],
        streams: impl FnOnce(&mut Command),
    ) -> Result<(Child, Option<Prepared>, Option<Group>), SandboxError> {
        let Some(limits) = &policy.limits else {
            let mut command = plain::command(&self.host, policy, argv)?;
            streams(&mut command);
            let program = argv
                .first()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            return Ok((
                spawner::spawn(command).map_err(|error| not_started(&program, error))?,
                None,
                None,
            ));
        };
        if limits.image.is_some() {
            return Err(SandboxError::NotAvailable(
                "`sandbox.image` is not available yet; leave it out to use the host's toolchains".into(),
            ));
        }
        let bwrap = self.bwrap.as_ref().ok_or(SandboxError::NoBubblewrap)?;
        let made = self.group(limits)?;
        let entrances = made.as_ref().map(Group::entrances).unwrap_or_default();
        let prepared = plan::prepare(bwrap, &self.helper, &self.host, policy, limits, entrances, argv)?;
        let mut command = Command::new(&self.helper);
        command
            .env_clear()
            .arg("sandbox-launch")
            .arg(prepared.plan())
            .current_dir("/")
            .kill_on_drop(true);
        streams(&mut command);
        let child =
            spawner::spawn(command).map_err(|error| not_started(&self.helper.to_string_lossy(), error))?;
        Ok((child, Some(prepared), made))
    }

    /// A control group for one sandbox, where there can be one; an error where there must be.
    fn group(&self, limits: &SandboxLimits) -> Result<Option<Group>, SandboxError> {
        let required = |why: &str| {
            SandboxError::NotAvailable(format!(
                "`sandbox.require: cgroups` asks for exact limits, and {why}; leave it out to accept approximate ones"
            ))
        };
        match &self.groups {
            Ok(groups) => {
                let made = groups.make(limits, plan::PROCESSES);
                made.map(Some).map_err(|error| {
                    SandboxError::Setup(format!("its control group could not be made: {error}"))
                })
            }
            Err(why) if limits.require == Some(Require::Cgroups) => Err(required(why)),
            Err(_) => Ok(None),
        }
    }

    /// The same, as on a machine without control groups: limits are kept by looking.
    #[must_use]
    pub fn without_groups(mut self) -> Self {
        self.groups = Err("they were not to be used".to_owned());
        self
    }
}

fn not_started(program: &str, error: std::io::Error) -> SandboxError {
    SandboxError::NotStarted {
        program: program.to_owned(),
        error,
    }
}
