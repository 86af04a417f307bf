//! Where commands that an agent chose, or whose code it wrote, are run: a jail that has the workspace, the toolchains
//! and nothing else of the machine. What cannot be set up as asked is not run; nothing here falls back to less.

mod cgroup;
mod container;
mod crowd;
mod disk;
mod error;
mod etc;
mod forward;
mod gaps;
mod landlock;
mod launch;
mod layers;
mod output;
mod plain;
mod plan;
mod policy;
mod processes;
mod remove;
mod seccomp;
mod shown;
mod spawner;
mod stage;
mod steps;
mod toolchains;
mod try_layers;
pub(crate) mod user;
#[doc(hidden)]
pub mod walls;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use loops::spec::{Require, SandboxLimits};
use tokio::process::{Child, Command};

pub use error::SandboxError;
pub use launch::launch_main;
pub use layers::Layers;
pub use policy::{Policy, Ran};
pub use processes::DISK_LEFT;
pub use remove::remove;
pub use shown::{File as ShownFile, Limit as ShownLimit, Shown};

/// Where the socket to the gateway is seen inside.
pub const GATEWAY_SOCKET: &str = plan::GATEWAY_SOCKET;
/// The port on the loopback address inside that leads to that socket.
pub const PROXY_PORT: u16 = forward::PORT;
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
        let watch = processes::watch(&child, policy, made);
        if let Some(container) = prepared.and_then(Prepared::leave)
            && let Some(watch) = &watch
        {
            watch.hold(container);
        }
        Ok((child, watch))
    }

    /// The error for a sandbox that did not come up and said this.
    pub(crate) fn failed(said: &str) -> SandboxError {
        SandboxError::Setup(plan::explained(said))
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
        match policy.limits.as_ref().and_then(|limits| limits.image.as_ref()) {
            Some(image) => format!("image {image}"),
            None => format!("{:?}", self.host.offer(auto)),
        }
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
        if let Some(image) = &limits.image {
            let engine = container::Program::find(&self.host, limits.engine)?;
            let (mut command, prepared) =
                plan::prepare_container(engine, &self.helper, policy, limits, image, argv)?;
            streams(&mut command);
            let child =
                spawner::spawn(command).map_err(|error| not_started("the container engine", error))?;
            return Ok((child, Some(prepared), None));
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
