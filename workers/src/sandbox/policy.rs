//! What is asked of a sandbox, and what a command in it did: plain data. Nothing is looked up or made here.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use loops::spec::SandboxLimits;

use super::{Layers, user};

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
