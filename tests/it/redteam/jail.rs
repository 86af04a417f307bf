//! Where hostile commands are played: the real sandbox with all its walls, and the same sandbox without some of them.
//! Attacks that need the same walls off share one sandbox; each has a shell of its own in it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    fs,
    net::{TcpListener, UdpSocket},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use loops::spec::SandboxLimits;
use serde_json::json;
use tempfile::TempDir;
use workers::sandbox::{Policy, Sandbox};

use super::Row;

/// A wall that a control leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wall {
    /// Only what is needed is mounted; off: a folder of the host is, too.
    Mounts,
    /// What is mounted is read-only.
    ReadOnly,
    /// A `/tmp` of its own.
    Tmp,
    /// A `/dev/shm` of its own.
    Shm,
    /// A home of its own.
    Home,
    /// No `/sys`.
    Sys,
    /// An environment that is built from nothing.
    Environment,
    /// Namespaces.
    Processes,
    Network,
    Ipc,
    Name,
    /// bubblewrap's ban of more namespaces.
    Namespaces,
    /// Limits of the process.
    Ceilings,
    /// The second wall.
    Landlock,
    /// The filter of system calls.
    Filter,
    /// Everything: no sandbox at all. For what several walls hold, each alone.
    All,
}

impl Wall {
    /// Its name for the launcher.
    fn name(self) -> &'static str {
        match self {
            Self::Mounts => "mounts",
            Self::ReadOnly => "read-only",
            Self::Tmp => "tmp",
            Self::Shm => "shm",
            Self::Home => "home",
            Self::Sys => "sys",
            Self::Environment => "environment",
            Self::Processes => "processes",
            Self::Network => "network",
            Self::Ipc => "ipc",
            Self::Name => "name",
            Self::Namespaces => "namespaces",
            Self::Ceilings => "ceilings",
            Self::Landlock => "landlock",
            Self::Filter => "filter",
            Self::All => "all",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Mounts => "a folder of the host is mounted",
            Self::ReadOnly => "mounts can be written",
            Self::Tmp => "the host's `/tmp`",
            Self::Shm => "the host's `/dev/shm`",
            Self::Home => "a person's home",
            Self::Sys => "the host's `/sys`",
            Self::Environment => "a variable is handed on",
            Self::Processes => "the host's processes",
            Self::Network => "the host's network",
            Self::Ipc => "the host's IPC",
            Self::Name => "the host's name",
            Self::Namespaces => "namespaces not forbidden",
            Self::Ceilings => "no limits of the process",
            Self::Landlock => "no Landlock",
            Self::Filter => "no filter",
            Self::All => "no sandbox",
        }
    }
}

/// How the harm is seen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Harm {
    /// The attack prints this.
    Says(&'static str),
    /// The attack prints the secret.
    Secret,
    /// The file `$LEFT` is there on the host afterwards.
    Left,
    /// The host's listener hears of it.
    Heard,
    /// A process of the host has ended.
    Killed,
}

/// One attack from inside.
pub(crate) struct Attack {
    pub(crate) tried: &'static str,
    pub(crate) by: &'static str,
    /// What is off in the control.
    pub(crate) off: &'static [Wall],
    /// For `sh`. It knows `$OUT` (a folder of the host), `$LEFT` (a file to make there), `$TCP` and `$UDP` (ports of the
    /// host), `$ID` (its own word) and `$VICTIM` (a process of the host).
    pub(crate) script: &'static str,
    pub(crate) harm: Harm,
}

/// The rows of a table.
pub(crate) fn rows(attacks: &[Attack]) -> Vec<Row> {
    let row = |attack: &Attack| Row {
        tried: attack.tried.to_owned(),
        by: attack.by.to_owned(),
        control: attack
            .off
            .iter()
            .map(|wall| wall.words())
            .collect::<Vec<_>>()
            .join(", "),
    };
    attacks.iter().map(row).collect()
}

/// A host with something to lose.
struct Host {
    folder: TempDir,
    secret: String,
    tcp: u16,
    udp: u16,
    heard: Arc<Mutex<String>>,
    /// The text that an abstract socket is found by.
    name: String,
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("redteam-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let secret = format!("crown-jewels-{}", std::process::id());
        let outside = folder.path().join("outside");
        for name in ["", "home", "home/.ssh", "objects"] {
            let folder = outside.join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        }
        for name in ["secret", "home/.netrc", "home/.ssh/id_ed25519"] {
            fs::write(outside.join(name), &secret).unwrap();
            fs::set_permissions(outside.join(name), fs::Permissions::from_mode(0o644)).unwrap();
        }
        fs::write(outside.join("objects/known"), "what it was").unwrap();
        fs::set_permissions(outside.join("objects/known"), fs::Permissions::from_mode(0o666)).unwrap();
        let heard = Arc::new(Mutex::new(String::new()));
        let (tcp, udp) = (listen(&secret, &heard), listen_udp(&heard));
        let name = format!("redteam-{tcp}");
        listen_unix(&outside, &name, &secret, &heard);
        share(tcp, &name);
        // Where others of the machine put things.
        for folder in ["/tmp", "/dev/shm"] {
            let path = Path::new(folder).join(format!("{name}-secret"));
            fs::write(&path, &secret).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        Self {
            folder,
            secret,
            tcp,
            udp,
            heard,
            name,
        }
    }

    fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        unshare(self.tcp, &self.name);
        for folder in ["/tmp", "/dev/shm"] {
            let Ok(entries) = fs::read_dir(folder) else {
                continue;
            };
            for entry in entries.flatten() {
                if entry.file_name().to_string_lossy().starts_with(&self.name) {
                    // What is gone already need not be removed.
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
    }
}

fn note(heard: &Mutex<String>, bytes: &[u8]) {
    let mut heard = heard.lock().unwrap();
    heard.push_str(&String::from_utf8_lossy(bytes));
    heard.push('\n');
}

fn converse(mut stream: impl std::io::Read + std::io::Write, secret: &str, heard: &Mutex<String>) {
    let mut bytes = [0; 200];
    let count = stream.read(&mut bytes).unwrap_or(0);
    note(heard, &bytes[..count]);
    // Whoever is gone already does not hear it.
    let _ = stream.write_all(secret.as_bytes());
}

fn listen(secret: &str, heard: &Arc<Mutex<String>>) -> u16 {
    let both = ["127.0.0.1:0", "[::1]:0"].map(TcpListener::bind);
    let port = both[0].as_ref().unwrap().local_addr().unwrap().port();
    let six = TcpListener::bind(("::1", port));
    let [four, _] = both;
    for listener in [four, six].into_iter().flatten() {
        let (secret, heard) = (secret.to_owned(), Arc::clone(heard));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
                converse(stream, &secret, &heard);
            }
        });
    }
    port
}

fn listen_udp(heard: &Arc<Mutex<String>>) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let heard = Arc::clone(heard);
    std::thread::spawn(move || {
        let mut bytes = [0; 2000];
        while let Ok(count) = socket.recv(&mut bytes) {
            note(&heard, &bytes[..count]);
        }
    });
    port
}

fn listen_unix(outside: &Path, name: &str, secret: &str, heard: &Arc<Mutex<String>>) {
    use std::os::{linux::net::SocketAddrExt as _, unix::net};
    let path = outside.join("agent.sock");
    let named = net::UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    let address = net::SocketAddr::from_abstract_name(name).unwrap();
    let hidden = net::UnixListener::bind_addr(&address).unwrap();
    for listener in [named, hidden] {
        let (secret, heard) = (secret.to_owned(), Arc::clone(heard));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
                converse(stream, &secret, &heard);
            }
        });
    }
}

/// Memory and a queue that processes of the host share, found by the port and by the name. Python makes them: they need
/// calls that we have no safe way to.
fn share(key: u16, name: &str) {
    let code = format!(
        "import ctypes, os\nos.umask(0)\nlibc = ctypes.CDLL(None)\nassert libc.shmget({key}, 4096, 0o1666) >= 0\nassert libc.mq_open(b'/{name}', 0o102, 0o666, None) >= 0"
    );
    python(&code);
}

fn unshare(key: u16, name: &str) {
    let code = format!(
        "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.shmctl(libc.shmget({key}, 0, 0), 0, None)\nlibc.mq_unlink(b'/{name}')"
    );
    python(&code);
}

fn python(code: &str) {
    let status = Command::new("python3").args(["-c", code]).status().unwrap();
    assert!(status.success(), "{code}");
}

/// A process of the host that has a secret in each place where a process can have one. It is the user that the attempt
/// is.
struct Victim(Child);

impl Victim {
    fn start(host: &Host, workspace: &Path) -> Self {
        let meta = fs::metadata(workspace).unwrap();
        let own = tempfile::Builder::new()
            .prefix("victim-")
            .tempdir_in(host.folder.path())
            .unwrap()
            .keep();
        fs::write(own.join("secret"), &host.secret).unwrap();
        std::os::unix::fs::chown(&own, Some(meta.uid()), Some(meta.gid())).unwrap();
        let code = "import os, sys, time\nf = open('gone', 'w+'); f.write(os.environ['TOKEN']); f.flush(); os.unlink('gone')\nopen('up', 'w'); time.sleep(100)";
        let mut command = Command::new("python3");
        command
            .args(["-c", code, &host.secret])
            .env("TOKEN", &host.secret)
            .current_dir(&own)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if fs::metadata("/proc/self").unwrap().uid() == 0 {
            command.uid(meta.uid()).gid(meta.gid());
        }
        let child = command.spawn().unwrap();
        while !own.join("up").exists() {
            std::thread::yield_now();
        }
        Self(child)
    }

    /// Whether it was killed; what must have been is waited for.
    fn killed(&mut self, wanted: bool) -> bool {
        let began = std::time::Instant::now();
        loop {
            if self.0.try_wait().unwrap().is_some() {
                return true;
            }
            if !wanted || began.elapsed() >= Duration::from_secs(5) {
                return false;
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // It may have been killed already: that is one of the attacks.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Plays each attack with all walls, and once more without those that its control leaves out.
pub(crate) async fn play(attacks: &[Attack]) {
    let host = Host::new();
    let everyone: Vec<&Attack> = attacks.iter().collect();
    let stopped = side(&host, "walls", &[], &everyone).await;
    let mut wrong: Vec<String> = everyone
        .iter()
        .zip(&stopped)
        .filter(|(_, seen)| seen.harm)
        .map(|(attack, seen)| format!("NOT STOPPED: {}: {}", attack.tried, seen.output))
        .collect();
    let mut sets: Vec<&[Wall]> = attacks.iter().map(|attack| attack.off).collect();
    sets.sort_unstable();
    sets.dedup();
    for (number, off) in sets.into_iter().enumerate() {
        let these: Vec<&Attack> = attacks.iter().filter(|attack| attack.off == off).collect();
        let seen = side(&host, &format!("control{number}"), off, &these).await;
        for (attack, seen) in these.iter().zip(seen) {
            if !seen.harm {
                wrong.push(format!(
                    "NO HARM IN THE CONTROL: {}: {}",
                    attack.tried, seen.output
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

struct Seen {
    harm: bool,
    output: String,
}

/// Plays attacks in one sandbox without `off`.
async fn side(host: &Host, tag: &str, off: &[Wall], attacks: &[&Attack]) -> Vec<Seen> {
    let scratch = host.folder.path().join(tag);
    let policy = policy(host, &scratch);
    let launcher = scratch.join("launcher");
    fs::copy(crate::programs::built("redteam-launcher"), &launcher).unwrap();
    let free = off.contains(&Wall::All);
    if !off.is_empty() && !free {
        let names: Vec<&str> = off.iter().map(|wall| wall.name()).collect();
        let home = host.outside().join("home");
        let walls = json!({"walls": names, "outside": host.outside(), "home": home, "variable": ["TOKEN", host.secret]});
        fs::write(scratch.join("walls-off.json"), walls.to_string()).unwrap();
    }
    let (sandbox, policy) = if free {
        let policy = Policy {
            limits: None,
            ..policy
        };
        (Sandbox::without(launcher.clone()), policy)
    } else {
        (Sandbox::find(launcher.clone()).unwrap(), policy)
    };
    let run = async |shell: &str| {
        let timeout = Duration::from_secs(120);
        sandbox.run(&policy, shell, timeout, 1 << 20).await.unwrap()
    };
    // The workspace is given to whom the attempt is.
    run("true").await;
    // As on a node where the service's own folder could be written, were it mounted.
    fs::set_permissions(&launcher, fs::Permissions::from_mode(0o777)).unwrap();
    let mut victim = Victim::start(host, &policy.workspace);
    let left = |number: usize| host.outside().join(format!("{}-{tag}-{number}", host.name));
    let mut all = String::new();
    for (number, attack) in attacks.iter().enumerate() {
        let id = format!("{}-{tag}-{number}", host.name);
        let script = format!(
            "OUT='{}'; LEFT='{}'; TCP={}; UDP={}; ID='{id}'; VICTIM={}; NAME='{}'; export OUT LEFT TCP UDP ID VICTIM NAME\n{}\n",
            host.outside().display(),
            left(number).display(),
            host.tcp,
            host.udp,
            victim.0.id(),
            host.name,
            attack.script
        );
        fs::write(policy.workspace.join(format!("{number}.sh")), script).unwrap();
        all.push_str(&format!(
            "echo '@@{id}@'; timeout -s KILL 10 sh ./{number}.sh 2>&1 </dev/null\n"
        ));
    }
    let ran = run(&all).await;
    assert!(
        !ran.cut && !ran.timed_out && ran.stopped.is_none(),
        "{tag}: {ran:?}"
    );
    let kills = attacks.iter().any(|attack| matches!(attack.harm, Harm::Killed));
    let killed = victim.killed(kills && !off.is_empty());
    let mut seen = Vec::new();
    for (number, attack) in attacks.iter().enumerate() {
        let id = format!("{}-{tag}-{number}", host.name);
        let after = ran.output.split(&format!("@@{id}@\n")).nth(1).unwrap_or_default();
        let output = after.split("@@redteam").next().unwrap_or_default().to_owned();
        let harm = match attack.harm {
            Harm::Says(words) => output.contains(words),
            Harm::Secret => output.contains(&host.secret),
            Harm::Left => left(number).exists(),
            Harm::Heard => heard(host, &id, !off.is_empty()),
            Harm::Killed => killed,
        };
        seen.push(Seen { harm, output });
    }
    seen
}

/// Whether the host heard of an attack; what must have come is waited for.
fn heard(host: &Host, id: &str, wanted: bool) -> bool {
    let began = std::time::Instant::now();
    let patience = if wanted {
        Duration::from_secs(5)
    } else {
        Duration::ZERO
    };
    loop {
        if host.heard.lock().unwrap().contains(id) {
            return true;
        }
        if began.elapsed() >= patience {
            return false;
        }
        std::thread::yield_now();
    }
}

fn policy(host: &Host, scratch: &Path) -> Policy {
    let workspace = scratch.join("workspace");
    fs::create_dir_all(&workspace).unwrap();
    Policy {
        workspace,
        layers: None,
        writable: true,
        mirror_objects: Some(host.outside().join("objects")),
        relay: None,
        limits: Some(SandboxLimits::default()),
        scratch: scratch.to_owned(),
        env: std::collections::BTreeMap::new(),
    }
}
