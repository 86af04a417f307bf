//! The same sandbox in a container, for loops that name an image: Podman or Docker is told the same policy in its own
//! words, and our second stage builds the second and third wall inside. No image is ever fetched here, nothing of the
//! host is seen but what the policy names, and a container ends with whoever it was made for.

use std::{
    ffi::OsString,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU64, Ordering},
};

use loops::spec::{Engine, SandboxLimits};
use tokio::process::Command;

use super::{
    Policy, SandboxError, etc,
    plan::{
        BEGUN, COMMON_ENV, FILE_BYTES, GATEWAY_SOCKET, HELPER, HOME, MIRROR_OBJECTS, OPEN_FILES, PROCESSES,
        WORKSPACE,
    },
    processes,
    toolchains::Host,
};

/// No engine that is asked for an image takes longer.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
/// The beginning of every name that we give; then the process that made it, when that was born, and a number.
const NAME: &str = "loops";

/// A program that runs containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    kind: Engine,
    path: PathBuf,
}

impl Program {
    /// The one that is asked for; without a word Podman, and Docker where that is not there.
    pub(super) fn find(host: &Host, wanted: Option<Engine>) -> Result<Self, SandboxError> {
        let kinds = match wanted {
            Some(kind) => vec![kind],
            None => vec![Engine::Podman, Engine::Docker],
        };
        let found = kinds.iter().find_map(|&kind| {
            let path = host.program(kind.as_str())?;
            Some(Self { kind, path })
        });
        found.ok_or_else(|| {
            let names: Vec<String> = kinds.iter().map(|kind| format!("`{}`", kind.as_str())).collect();
            SandboxError::NotAvailable(format!(
                "`sandbox.image` needs a container engine, and {} is not installed; install one, or leave the image out to use \
                 the host's toolchains",
                names.join(" or ")
            ))
        })
    }

    /// Whether it has this image. None is fetched.
    pub(super) async fn has(&self, image: &str) -> Result<(), SandboxError> {
        let mut command = Command::new(&self.path);
        command
            .args(["image", "inspect", "--format", "{{.Id}}", "--", image])
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let name = self.as_str();
        let asked = tokio::time::timeout(PATIENCE, command.output()).await;
        let said = match asked {
            Ok(Ok(output)) if output.status.success() => return Ok(()),
            Ok(Ok(output)) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        let said = loops::text::one_line(&said, 200);
        Err(SandboxError::NotAvailable(format!(
            "`{name}` cannot use the image `{image}` ({said}); is its service up? None is fetched by itself: `{name} pull {image}`"
        )))
    }

    /// How it is called where a person reads it.
    pub(super) fn as_str(&self) -> &'static str {
        self.kind.as_str()
    }
}

/// What is given to a container, and its name. The container goes when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    engine: Program,
    name: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut remove = std::process::Command::new(&self.engine.path);
        remove
            .args(["rm", "--force", "--volumes", &self.name])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Begun here, since we may end at once; most have ended by themselves, and nobody waits for the word.
        if let Ok(mut removing) = remove.spawn() {
            std::thread::spawn(move || removing.wait());
        }
    }
}

/// The command that starts a policy's program in a container. What it binds lies ready; `begun` is the mark that it is up.
pub(super) fn command(
    engine: Program,
    helper: &Path,
    policy: &Policy,
    limits: &SandboxLimits,
    image: &str,
    begun: &Path,
    inside: &[OsString],
) -> Result<(Command, Running), SandboxError> {
    if policy.layers.is_some() {
        return Err(SandboxError::NotAvailable(
            "a layered workspace cannot be seen in a container; it needs a checkout of its own".into(),
        ));
    }
    remove_orphans(&engine);
    let name = name();
    let mut words: Vec<OsString> = [
        "run",
        "--rm",
        "--interactive",
        // Fetching one is a person's to do: it would be code from somewhere at a time that nobody chose.
        "--pull=never",
        "--network=none",
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--ipc=private",
        "--hostname=sandbox",
        "--workdir",
        WORKSPACE,
    ]
    .map(OsString::from)
    .into();
    if engine.kind == Engine::Podman {
        // Variables that the engine would add by itself, and its own temporary folders, which are memory nobody counts.
        words.extend(["--http-proxy=false", "--read-only-tmpfs=false"].map(OsString::from));
    }
    words.extend(user(&engine, policy.uid()));
    let memory = limits.memory.0;
    for option in [
        format!("--name={name}"),
        format!("--memory={memory}"),
        // No swap beyond it.
        format!("--memory-swap={memory}"),
        format!("--cpus={}", limits.cpus),
        format!("--pids-limit={PROCESSES}"),
        format!("--ulimit=nofile={OPEN_FILES}:{OPEN_FILES}"),
        format!("--ulimit=fsize={FILE_BYTES}:{FILE_BYTES}"),
        "--ulimit=core=0:0".to_owned(),
    ] {
        words.push(option.into());
    }
    for (source, target, writable) in binds(policy, helper, begun)? {
        words.extend(bind(&source, &target, writable)?);
    }
    words.push("--env-file".into());
    words.push(environment(policy)?.into());
    let [program, rest @ ..] = inside else {
        return Err(SandboxError::NotAvailable("no program was named".into()));
    };
    words.extend(["--entrypoint".into(), program.clone(), "--".into(), image.into()]);
    words.extend(rest.iter().cloned());
    let mut command = Command::new(&engine.path);
    command
        .env_clear()
        // The engine's own: it finds its images by the home of whoever runs us.
        .envs(std::env::vars_os().filter(|(name, _)| {
            matches!(
                name.to_str(),
                Some("HOME" | "PATH" | "XDG_RUNTIME_DIR" | "DOCKER_HOST" | "CONTAINER_HOST")
            )
        }))
        .args(words)
        .current_dir("/")
        .kill_on_drop(true);
    Ok((command, Running { engine, name }))
}

/// What of the host is seen inside: where it is, where it is seen, and whether it can be written.
pub(super) fn binds(
    policy: &Policy,
    helper: &Path,
    begun: &Path,
) -> Result<Vec<(PathBuf, PathBuf, bool)>, SandboxError> {
    let scratch = &policy.scratch;
    let mut all = vec![
        (policy.workspace.clone(), WORKSPACE.into(), policy.writable),
        (scratch.join("home"), HOME.into(), true),
        (scratch.join("tmp"), "/tmp".into(), true),
        (scratch.join("shm"), "/dev/shm".into(), true),
        (helper.to_owned(), HELPER.into(), false),
        (begun.to_owned(), BEGUN.into(), true),
    ];
    let own = etc::write(&scratch.join("etc"))?;
    // Who the user is. The other names are the image's and the engine's.
    let who = |target: &Path| {
        ["/etc/passwd", "/etc/group"]
            .iter()
            .any(|one| target == Path::new(one))
    };
    all.extend(
        own.into_iter()
            .filter(|(_, target)| who(target))
            .map(|(source, target)| (source, target, false)),
    );
    if let Some(objects) = &policy.mirror_objects {
        all.push((objects.clone(), MIRROR_OBJECTS.into(), false));
    }
    if let Some(relay) = &policy.relay {
        all.push((relay.clone(), GATEWAY_SOCKET.into(), false));
    }
    Ok(all)
}

fn bind(source: &Path, target: &Path, writable: bool) -> Result<[OsString; 2], SandboxError> {
    // Its parts are told apart by commas, and nothing takes that away from one.
    let plain = source.to_str().filter(|path| !path.contains([',', '"', '\n']));
    let source = plain.ok_or_else(|| {
        SandboxError::NotAvailable(format!(
            "`{}` cannot be given to a container: its path has a comma, a quote or a line's end",
            source.display()
        ))
    })?;
    let mut words = format!("type=bind,source={source},target={}", target.display());
    if !writable {
        words += ",readonly";
    }
    Ok(["--mount".into(), words.into()])
}

/// Whom it is, on the host and inside.
fn user(engine: &Program, uid: Option<u32>) -> Vec<OsString> {
    match (uid, engine.kind) {
        (Some(uid), _) => vec![format!("--user={uid}:{uid}").into()],
        (None, kind) => {
            let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
            let mut words = vec![format!("--user={uid}:{gid}").into()];
            if kind == Engine::Podman {
                // Else files that we own would be nobody's inside.
                words.push("--userns=keep-id".into());
            }
            words
        }
    }
}

/// The variables, in a file that only we can read: a command line can be read by everybody.
fn environment(policy: &Policy) -> Result<PathBuf, SandboxError> {
    let own = [("HOME", HOME), ("TMPDIR", "/tmp"), ("USER", "agent")];
    let own = own.iter().chain(COMMON_ENV).copied();
    let given = policy
        .env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let mut text = String::new();
    for (name, value) in own.chain(given) {
        if name.contains(['=', '\n']) || value.contains('\n') {
            return Err(SandboxError::NotAvailable(format!(
                "the variable `{}` has a line's end, which no container can be given",
                name.escape_debug()
            )));
        }
        // Into a string, which does not fail.
        let _ = writeln!(text, "{name}={value}");
    }
    let plans = policy.scratch.join("plans");
    fs::create_dir_all(&plans).map_err(SandboxError::file(&plans))?;
    let file = tempfile::Builder::new()
        .suffix(".env")
        .tempfile_in(&plans)
        .map_err(SandboxError::file(&plans))?;
    file.as_file()
        .write_all(text.as_bytes())
        .map_err(SandboxError::file(file.path()))?;
    // It goes with the scratch folder.
    file.into_temp_path().keep().map_err(|error| SandboxError::File {
        path: plans,
        error: error.error,
    })
}

fn name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let ourselves = std::process::id();
    let born = i32::try_from(ourselves)
        .ok()
        .and_then(processes::born)
        .unwrap_or(0);
    format!(
        "{NAME}-{ourselves}-{born}-{}",
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Whether a container's name is one of ours whose maker is no more.
fn is_orphan(name: &str, born: impl Fn(i32) -> Option<u64>) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let [NAME, pid, when, number] = parts.as_slice() else {
        return false;
    };
    match (pid.parse(), when.parse(), number.parse::<u64>()) {
        (Ok(pid), Ok(when), Ok(_)) => born(pid) != Some(when),
        _ => false,
    }
}

/// Removes, once in this process, what a service that was killed has left running.
fn remove_orphans(engine: &Program) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let mut list = std::process::Command::new(&engine.path);
        list.args(["ps", "--all", "--format", "{{.Names}}"]);
        // An engine that does not answer will say so when it is to run something.
        let Ok(listed) = list.stderr(Stdio::null()).output() else {
            return;
        };
        let names = String::from_utf8_lossy(&listed.stdout).into_owned();
        for name in names.lines().filter(|name| is_orphan(name, processes::born)) {
            drop(Running {
                engine: engine.clone(),
                name: name.to_owned(),
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_containers_whose_maker_is_gone_are_removed() {
        let born = |pid| (pid == 7).then_some(100);
        assert!(!is_orphan("loops-7-100-0", born), "it is at work");
        assert!(
            is_orphan("loops-7-99-0", born),
            "another process has its number by now"
        );
        assert!(is_orphan("loops-8-100-3", born));
        for name in [
            "loops",
            "loops-db-1",
            "web",
            "loops-8-100",
            "loops-8-100-3-x",
            "other-8-100-3",
        ] {
            assert!(!is_orphan(name, born), "{name}");
        }
        assert!(!is_orphan(&name(), processes::born));
    }
}
