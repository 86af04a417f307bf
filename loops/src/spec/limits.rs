//! What holds the work in: sandbox, setup, boundaries and budget. The keys only: nothing is enforced here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    none_or::none_or,
    units::{Bytes, Dollars, Span},
};

/// What an attempt may use of the machine. `none` (all of it, shown on everything that it made) must be written out.
#[derive(Debug, Clone, PartialEq)]
pub enum Sandbox {
    /// No sandbox at all.
    None,
    /// Bubblewrap with these limits.
    Limits(SandboxLimits),
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::Limits(SandboxLimits::default())
    }
}

/// The limits of a sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SandboxLimits {
    /// `auto` finds the host's toolchains and binds them read-only; `none` binds the system's only.
    pub toolchains: Toolchains,
    /// The most memory.
    pub memory: Bytes,
    /// How many processors.
    #[schemars(range(min = 1, max = 1024))]
    pub cpus: u32,
    /// The most of the disk, for the workspace, home and temporary files together.
    pub disk: Bytes,
    /// `cgroups`: refuse to start where memory and processors could only be limited approximately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require: Option<Require>,
    /// A container image instead of the host's toolchains. It must be on the machine: none is ever fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Which program runs that image; without it Podman, or Docker where there is no Podman.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
}

/// A program that runs containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Podman.
    Podman,
    /// Docker.
    Docker,
}

impl Engine {
    /// Its name, which is its program's.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self {
            toolchains: Toolchains::Auto,
            memory: Bytes(4 << 30),
            cpus: 2,
            disk: Bytes(20 << 30),
            require: None,
            image: None,
            engine: None,
        }
    }
}

/// Which toolchains a sandbox sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Toolchains {
    /// Those that are found on the host: rustup, nvm, pyenv and the system's.
    #[default]
    Auto,
    /// The system's only.
    None,
}

/// What a sandbox must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Require {
    /// Exact limits by control groups.
    Cgroups,
}

/// What installs dependencies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// A shell command.
    pub run: String,
    /// Hosts that it may reach.
    #[serde(default)]
    pub network: Vec<String>,
    /// After this long it is stopped.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
}

pub(super) fn ten_minutes() -> Span {
    Span(std::time::Duration::from_secs(600))
}

/// What a change may touch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Boundaries {
    /// Globs of paths that may change.
    pub write: Vec<String>,
    /// Globs of paths that may not, whatever `write` says.
    pub deny: Vec<String>,
    /// The most files that may change.
    pub max_files: u32,
    /// The most lines that may be added and removed.
    pub max_lines: u32,
    /// Hosts that an agent's sandbox may reach besides the gateway.
    pub network: Vec<String>,
    /// Commands that the built-in agent's tool refuses; the sandbox holds whatever runs.
    pub commands: Commands,
    /// What to do when a change adds, removes or updates a dependency.
    pub dependencies: Dependencies,
}

impl Default for Boundaries {
    fn default() -> Self {
        Self {
            write: vec!["**".to_owned()],
            deny: Vec::new(),
            max_files: 20,
            max_lines: 600,
            network: Vec::new(),
            commands: Commands::default(),
            dependencies: Dependencies::Ask,
        }
    }
}

/// Commands that the built-in agent's tool refuses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Commands {
    /// Globs over the command's text.
    pub deny: Vec<String>,
}

/// What to do when a change touches dependencies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dependencies {
    /// Let it.
    Allow,
    /// A person decides first.
    #[default]
    Ask,
    /// Refuse the change.
    Forbid,
}

/// What a loop may spend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// One task, its proof and review included.
    pub task: Dollars,
    /// One run, the lead agent included.
    pub run: Dollars,
    /// One day, in the loop's zone.
    pub day: Dollars,
    /// One month, in the loop's zone; none: as much as its days may spend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<Dollars>,
}

impl Default for Budget {
    fn default() -> Self {
        use crate::budget::Money;
        Self {
            task: Dollars(Money::usd(3.0)),
            run: Dollars(Money::usd(10.0)),
            day: Dollars(Money::usd(50.0)),
            month: None,
        }
    }
}

none_or! {
    Sandbox::Limits(SandboxLimits);
}
