//! What a sandbox is to look like, worked out beforehand and written down as data for the launcher. Nothing is
//! mounted or run here.

use std::{
    ffi::OsString,
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use loops::spec::SandboxLimits;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::{Bwrap, Layers, Policy, SandboxError, container, etc, steps::steps, toolchains::Host, user};

/// Where the workspace is seen.
pub(crate) const WORKSPACE: &str = "/workspace";
/// Where our own binary is seen.
pub(super) const HELPER: &str = "/run/loops/loops";
/// Where the socket to the gateway is seen.
pub(crate) const GATEWAY_SOCKET: &str = "/run/loops/gateway.sock";
/// Where the mirror's objects are seen; the workspace's own git looks there.
pub(crate) const MIRROR_OBJECTS: &str = "/mirror/objects";
/// Where the first process inside says that the sandbox is up.
pub(super) const BEGUN: &str = "/run/loops/begun";
/// The home of whoever is inside.
pub(super) const HOME: &str = "/home/agent";
/// The most processes and threads of a sandbox.
pub(super) const PROCESSES: u64 = 1024;
/// The most files that one process may have open.
pub(super) const OPEN_FILES: u64 = 16_384;
/// The most bytes of one file.
pub(super) const FILE_BYTES: u64 = 2 << 30;
/// Variables that are the same with and without a sandbox.
pub(super) const COMMON_ENV: &[(&str, &str)] = &[("LANG", "C.UTF-8"), ("TERM", "dumb")];

/// Everything that the launcher needs to know.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) bwrap: PathBuf,
    /// Whom to become; none: we are an ordinary user already.
    pub(super) uid: Option<u32>,
    /// The files by which to come into the control group, before anything else.
    pub(super) entrances: Vec<PathBuf>,
    pub(super) steps: Vec<Step>,
    pub(super) argv: Vec<OsString>,
    /// The folder in which the launcher has laid out the sandbox's root; none: bubblewrap makes all of it.
    #[serde(skip)]
    pub(super) root: Option<PathBuf>,
}

/// One thing that bubblewrap is told, in order.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Step {
    /// An option with its values.
    Tell(Vec<OsString>),
    /// A path of the host that is seen inside.
    Bind {
        source: PathBuf,
        target: PathBuf,
        writable: bool,
    },
    /// A folder of the host on which others are laid over each other before it is seen inside.
    Layered {
        source: PathBuf,
        layers: Layers,
        target: PathBuf,
        writable: bool,
    },
}

impl Step {
    /// The paths of the host that it takes.
    pub(super) fn sources(&self) -> Vec<&PathBuf> {
        match self {
            Self::Tell(_) => Vec::new(),
            Self::Bind { source, .. } => vec![source],
            Self::Layered { source, layers, .. } => {
                let own = [source, &layers.writes];
                own.into_iter().chain(&layers.lower).collect()
            }
        }
    }

    /// The same, to be changed.
    pub(super) fn sources_mut(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::Tell(_) => Vec::new(),
            Self::Bind { source, .. } => vec![source],
            Self::Layered { source, layers, .. } => {
                let own = [source, &mut layers.writes];
                own.into_iter().chain(&mut layers.lower).collect()
            }
        }
    }
}

/// Limits that the first process inside puts on itself and on all that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ceilings {
    pub(super) processes: u64,
    pub(super) open_files: u64,
    pub(super) file_bytes: u64,
    pub(super) cpus: usize,
    /// Which of the host's processors is the first; it differs from attempt to attempt.
    pub(super) first_cpu: usize,
}

/// A plan that lies ready for the launcher. Its files go when this is dropped.
#[derive(Debug)]
pub(super) struct Prepared {
    plan: PathBuf,
    begun: PathBuf,
    keep: bool,
    /// The container that it is, if it is one.
    container: Option<container::Running>,
}

impl Prepared {
    pub(super) fn plan(&self) -> &Path {
        &self.plan
    }

    /// Whether the sandbox came up.
    pub(super) fn begun(&self) -> bool {
        fs::metadata(&self.begun).is_ok_and(|meta| meta.len() > 0)
    }

    /// Leaves the files to the launcher and to whoever removes the scratch folder.
    pub(super) fn leave(mut self) -> Option<container::Running> {
        self.keep = true;
        self.container.take()
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if !self.keep {
            // The launcher has removed the plan already, if it came that far.
            let _ = fs::remove_file(&self.plan);
            let _ = fs::remove_file(&self.begun);
        }
    }
}

/// Makes the folders, works out the plan and writes it down.
pub(super) fn prepare(
    bwrap: &Bwrap,
    helper: &Path,
    host: &Host,
    policy: &Policy,
    limits: &SandboxLimits,
    entrances: Vec<PathBuf>,
    argv: &[OsString],
) -> Result<Prepared, SandboxError> {
    let scratch = &policy.scratch;
    let uid = policy.uid();
    let (begun, plans) = make_folders(policy)?;
    let etc = etc::write(&scratch.join("etc"))?;
    let mut steps = steps(host, policy, limits, helper, begun.path(), &etc);
    if bwrap.forbids_namespaces {
        steps.insert(0, Step::Tell(vec!["--disable-userns".into()]));
    }
    let plan = Plan {
        bwrap: bwrap.path.clone(),
        uid,
        entrances,
        steps,
        argv: inside(limits, policy, argv),
        root: None,
    };
    let file = tempfile::Builder::new()
        .suffix(".json")
        .tempfile_in(&plans)
        .map_err(SandboxError::file(&plans))?;
    // In one piece: each write to the file would be a call of the system.
    let text = serde_json::to_vec(&plan).map_err(std::io::Error::from);
    let written = text.and_then(|text| file.as_file().write_all(&text));
    written.map_err(SandboxError::file(file.path()))?;
    let kept = |file: tempfile::NamedTempFile| {
        file.into_temp_path().keep().map_err(|error| SandboxError::File {
            path: plans.clone(),
            error: error.error,
        })
    };
    Ok(Prepared {
        plan: kept(file)?,
        begun: kept(begun)?,
        keep: false,
        container: None,
    })
}

/// The same for a container, whose engine takes the place of the launcher.
pub(super) fn prepare_container(
    engine: container::Program,
    helper: &Path,
    policy: &Policy,
    limits: &SandboxLimits,
    image: &str,
    argv: &[OsString],
) -> Result<(Command, Prepared), SandboxError> {
    let (begun, plans) = make_folders(policy)?;
    let begun = begun
        .into_temp_path()
        .keep()
        .map_err(|error| SandboxError::File {
            path: plans,
            error: error.error,
        })?;
    let inside = inside(limits, policy, argv);
    let (command, running) = container::command(engine, helper, policy, limits, image, &begun, &inside)?;
    let prepared = Prepared {
        plan: PathBuf::new(),
        begun,
        keep: false,
        container: Some(running),
    };
    Ok((command, prepared))
}

/// What both forms bind: home, temporary folders, the socket, each the attempt's own; the mark that it is up, and the
/// folder of plans.
fn make_folders(policy: &Policy) -> Result<(tempfile::NamedTempFile, PathBuf), SandboxError> {
    let scratch = &policy.scratch;
    fs::create_dir_all(scratch).map_err(SandboxError::file(scratch))?;
    let uid = policy.uid();
    own_workspace(policy, uid)?;
    for name in ["home", "tmp", "shm"] {
        own_folder(&scratch.join(name), uid)?;
    }
    if let (Some(relay), Some(uid)) = (&policy.relay, uid) {
        user::give(relay, uid)?;
    }
    let plans = scratch.join("plans");
    fs::create_dir_all(&plans).map_err(SandboxError::file(&plans))?;
    let begun = tempfile::Builder::new()
        .suffix(".begun")
        .tempfile_in(&plans)
        .map_err(SandboxError::file(&plans))?;
    if let Some(uid) = uid {
        user::give(begun.path(), uid)?;
    }
    Ok((begun, plans))
}

/// As root the workspace must be the attempt's own. One that lies in the scratch folder is made so; any other folder
/// is somebody's.
fn own_workspace(policy: &Policy, uid: Option<u32>) -> Result<(), SandboxError> {
    let path = &policy.workspace;
    let meta = fs::symlink_metadata(path).map_err(SandboxError::file(path))?;
    if !meta.is_dir() {
        return Err(SandboxError::NotAvailable(format!(
            "the workspace `{}` is not a folder",
            path.display()
        )));
    }
    match uid {
        Some(uid) if policy.writable && meta.uid() != uid => {
            if !path.starts_with(&policy.scratch) {
                return Err(SandboxError::NotAvailable(format!(
                    "the workspace `{}` belongs to another user and is not in the scratch folder",
                    path.display()
                )));
            }
            user::give(path, uid)
        }
        _ => Ok(()),
    }
}

fn own_folder(folder: &Path, uid: Option<u32>) -> Result<(), SandboxError> {
    fs::create_dir_all(folder).map_err(SandboxError::file(folder))?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(SandboxError::file(folder))?;
    match uid {
        Some(uid)
            if fs::symlink_metadata(folder)
                .map_err(SandboxError::file(folder))?
                .uid()
                != uid =>
        {
            user::give(folder, uid)
        }
        _ => Ok(()),
    }
}

/// The command as the second stage gets it: our own binary sets the ceilings, then becomes the program.
fn inside(limits: &SandboxLimits, policy: &Policy, argv: &[OsString]) -> Vec<OsString> {
    let ceilings = Ceilings {
        processes: PROCESSES,
        open_files: OPEN_FILES,
        file_bytes: FILE_BYTES,
        cpus: limits.cpus as usize,
        first_cpu: user::from_path(&policy.scratch) as usize,
    };
    let numbers = [
        ceilings.processes,
        ceilings.open_files,
        ceilings.file_bytes,
        ceilings.cpus as u64,
        ceilings.first_cpu as u64,
        // Whether a port inside leads to the gateway.
        u64::from(policy.relay.is_some()),
    ];
    let mut all: Vec<OsString> = vec![HELPER.into(), "sandbox-launch".into(), "--inside".into()];
    all.extend(numbers.iter().map(|number| number.to_string().into()));
    all.extend_from_slice(argv);
    all
}

/// What bubblewrap or the launcher said when the sandbox did not come up, with the way to mend it where we know one.
pub(super) fn explained(said: &str) -> String {
    let said = said.trim();
    let said = if said.is_empty() {
        "it ended without a word"
    } else {
        said
    };
    let forbidden = [
        "creating new namespace",
        "create new namespace",
        "setting up uid map",
        "operation not permitted",
        "loopback",
    ];
    let lower = said.to_lowercase();
    if forbidden.iter().any(|words| lower.contains(words)) {
        return format!(
            "{said}. This system does not let ordinary users make namespaces (where `sysctl user.max_user_namespaces` says 0, none at all). On Ubuntu 24.04: `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, \
             or an AppArmor profile for bwrap; in Docker: run with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined`"
        );
    }
    said.to_owned()
}
