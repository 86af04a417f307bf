//! What a sandbox sees, step by step: the same list that the launcher follows and that a person is shown. Nothing is
//! mounted here.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use loops::spec::{SandboxLimits, Toolchains};

use super::{
    Policy, etc,
    plan::{BEGUN, COMMON_ENV, GATEWAY_SOCKET, HELPER, HOME, MIRROR_OBJECTS, Step, WORKSPACE},
    toolchains::Host,
};

/// Everything that the sandbox sees, in order.
pub(super) fn steps(
    host: &Host,
    policy: &Policy,
    limits: &SandboxLimits,
    helper: &Path,
    begun: &Path,
    etc: &[(PathBuf, PathBuf)],
) -> Vec<Step> {
    let found = host.offer(limits.toolchains == Toolchains::Auto);
    let mut steps = Steps::default();
    steps.tell(&[
        "--unshare-all",
        "--unshare-user",
        "--die-with-parent",
        "--new-session",
        "--clearenv",
    ]);
    steps.tell(&[
        "--cap-drop",
        "ALL",
        "--uid",
        "1000",
        "--gid",
        "1000",
        "--hostname",
        "sandbox",
    ]);
    steps.system();
    steps.tell(&["--proc", "/proc", "--dev", "/dev"]);
    // No tmpfs may be written: what is in one is memory that nobody counts.
    steps.bind(&policy.scratch.join("shm"), "/dev/shm", true);
    steps.tell(&["--remount-ro", "/dev"]);
    steps.bind(&policy.scratch.join("home"), HOME, true);
    steps.bind(&policy.scratch.join("tmp"), "/tmp", true);
    steps.tell(&["--dir", "/var", "--symlink", "/tmp", "/var/tmp"]);
    for (source, target) in etc {
        steps.bind(source, target, false);
    }
    for bind in &found.binds {
        steps.bind(bind, bind, false);
    }
    if limits.toolchains == Toolchains::Auto {
        for (source, name) in &host.registry {
            steps.bind(source, Path::new(HOME).join(".cargo").join(name), false);
        }
    }
    steps.workspace(policy);
    if let Some(objects) = &policy.mirror_objects {
        steps.bind(objects, MIRROR_OBJECTS, false);
    }
    if let Some(relay) = &policy.relay {
        steps.bind(relay, GATEWAY_SOCKET, false);
    }
    steps.bind(helper, HELPER, false);
    steps.bind(begun, BEGUN, true);
    steps.tell(&["--remount-ro", "/", "--chdir", WORKSPACE]);
    let path = std::env::join_paths(&found.path).unwrap_or_default();
    steps.env("PATH", path);
    steps.env("HOME", HOME);
    steps.env("TMPDIR", "/tmp");
    steps.env("USER", "agent");
    steps.env("CARGO_HOME", format!("{HOME}/.cargo"));
    COMMON_ENV.iter().for_each(|(name, value)| steps.env(name, value));
    found.env.iter().for_each(|(name, value)| steps.env(name, value));
    policy.env.iter().for_each(|(name, value)| steps.env(name, value));
    steps.0
}

#[derive(Debug, Default)]
struct Steps(Vec<Step>);

impl Steps {
    fn tell(&mut self, words: &[&str]) {
        self.0
            .push(Step::Tell(words.iter().map(OsString::from).collect()));
    }

    fn bind(&mut self, source: &Path, target: impl AsRef<Path>, writable: bool) {
        let (source, target) = (source.to_owned(), target.as_ref().to_owned());
        self.0.push(Step::Bind {
            source,
            target,
            writable,
        });
    }

    fn workspace(&mut self, policy: &Policy) {
        let Some(layers) = policy.layers.clone() else {
            return self.bind(&policy.workspace, WORKSPACE, policy.writable);
        };
        self.0.push(Step::Layered {
            source: policy.workspace.clone(),
            layers,
            target: WORKSPACE.into(),
            writable: policy.writable,
        });
    }

    fn env(&mut self, name: &str, value: impl Into<OsString>) {
        self.0
            .push(Step::Tell(vec!["--setenv".into(), name.into(), value.into()]));
    }

    /// `/usr`, the short ways into it as the host has them, and the few files of `/etc`.
    fn system(&mut self) {
        self.bind(Path::new("/usr"), "/usr", false);
        for name in ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"] {
            match fs::read_link(name) {
                Ok(to) => self
                    .0
                    .push(Step::Tell(vec!["--symlink".into(), to.into(), name.into()])),
                Err(_) if Path::new(name).is_dir() => self.bind(Path::new(name), name, false),
                Err(_) => {}
            }
        }
        for file in etc::FROM_HOST.iter().filter(|file| Path::new(file).exists()) {
            self.bind(Path::new(file), file, false);
        }
    }
}
