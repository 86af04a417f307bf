//! The login to GitHub is seen nowhere: in no argument and no environment of a program that the service starts, no
//! address, nothing printed or logged, also when GitHub refuses it or fails.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use harness::{
    github::{Fault, GitHub, Match},
    world::{BOT, Ran, World},
};

use crate::cast::{Ratings, run};

/// Stands in git's place: notes with what it was called, and is git from there on.
const SHIM: &str = "#!/bin/sh\n{ tr '\\0' '\\n' </proc/$$/cmdline; env; } >>\"$0.log\"\nexec \"$(cat \"$0.real\")\" \"$@\"\n";

/// A folder with a `git` that notes how it is called.
fn shim(world: &World) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let paths = std::env::var_os("PATH").unwrap();
    let real = std::env::split_paths(&paths)
        .map(|folder| folder.join("git"))
        .find(|path| path.is_file());
    world.write("shim/git.real", &real.unwrap().display().to_string());
    world.write("shim/git", SHIM);
    let git = world.path("shim/git");
    std::fs::set_permissions(&git, std::fs::Permissions::from_mode(0o755)).unwrap();
    git.parent().unwrap().to_owned()
}

/// How a token could be seen: as it is, and as git sends it.
fn forms(token: &str) -> [String; 2] {
    [
        token.to_owned(),
        STANDARD.encode(format!("x-access-token:{token}")),
    ]
}

/// Arguments and environments of all processes but those in which the token may stand: this one, and the service,
/// which is given it in its environment.
fn seen_in_processes(forms: &[String; 2]) -> Vec<String> {
    let mut seen = Vec::new();
    let folders = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.path()));
    for folder in folders.filter(|folder| folder.join("cmdline").exists()) {
        let read = |file: &str| {
            let bytes = std::fs::read(folder.join(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        let (command, environment) = (read("cmdline"), read("environ"));
        // A child that is not its own program yet still has the service's environment.
        let program = std::fs::read_link(folder.join("exe")).unwrap_or_default();
        let is_service = program == World::binary();
        let holds = |text: &str| forms.iter().any(|form| text.contains(form.as_str()));
        if holds(&command) || (!is_service && holds(&environment)) {
            seen.push(command);
        }
    }
    seen
}

/// Looks at all processes again and again until it is dropped.
struct Watch {
    over: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<String>>>,
    thread: Option<std::thread::JoinHandle<usize>>,
}

impl Watch {
    fn begin(forms: [String; 2]) -> Self {
        let (over, seen) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (stop, note) = (Arc::clone(&over), Arc::clone(&seen));
        let thread = std::thread::spawn(move || {
            let mut looks = 0;
            while !stop.load(Ordering::SeqCst) {
                note.lock().unwrap().extend(seen_in_processes(&forms));
                looks += 1;
                std::thread::park_timeout(Duration::from_millis(5));
            }
            looks
        });
        Self {
            over,
            seen,
            thread: Some(thread),
        }
    }

    fn end(mut self) -> Vec<String> {
        self.over.store(true, Ordering::SeqCst);
        let looks = self.thread.take().unwrap().join().unwrap();
        assert!(looks > 0);
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

/// Runs the loop with the noting git in its path, telling all that it can.
async fn run_watched(world: &World, shim: &Path) -> Ran {
    let path = std::env::join_paths(
        std::iter::once(shim.to_owned()).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    world
        .loops_with(["-vv", "run", "fix"], |command| {
            command.env("PATH", path.unwrap());
        })
        .await
}

fn check(hub: &GitHub, ran: &Ran, forms: &[String; 2]) {
    for form in forms {
        assert!(!ran.all().contains(form.as_str()), "it is printed: {ran}");
    }
    assert!(hub.requests().iter().all(|request| !request.token_in_url));
}

#[tokio::test]
async fn the_token_stands_in_no_argument_address_environment_log_or_error() {
    let (shop, hub) = Ratings::on_github().await;
    let shop = shop.well_played();
    let world = &shop.world;
    let (shim, token) = (shim(world), world.login_token());
    let forms = forms(&token);
    let watch = Watch::begin(forms.clone());
    // GitHub fails on the way, so that errors are told, too.
    hub.world().fault(
        Match::new("POST", "/repos/acme/shop/pulls"),
        Fault::Status(502),
        3,
    );
    hub.world().fault(
        Match::new("POST", "/acme/shop.git/git-receive-pack"),
        Fault::Status(500),
        1,
    );
    for _ in 0..3 {
        let ran = run_watched(world, &shim).await;
        assert_eq!(ran.code, 0, "{ran}");
        check(&hub, &ran, &forms);
    }
    // And refuses: a token that was taken back.
    hub.world().revoke(&token);
    let refused = run_watched(world, &shim).await;
    assert_ne!(refused.code, 0, "{refused}");
    check(&hub, &refused, &forms);
    let doctor = world.loops(["doctor"]).await;
    check(&hub, &doctor, &forms);
    assert_eq!(watch.end(), [""; 0]);
    let calls = std::fs::read_to_string(world.path("shim/git.log")).unwrap();
    assert!(
        calls.contains("\npush\n") && calls.contains(&hub.url().to_owned()),
        "control: git was called"
    );
    assert!(forms.iter().all(|form| !calls.contains(form.as_str())));
    hub.check();
    shop.world.close().await;
}

#[tokio::test]
async fn a_token_in_an_argument_an_environment_or_an_address_would_be_seen() {
    let (shop, hub) = Ratings::on_github().await;
    let shop = shop.well_played();
    run(&shop.world).await;
    let token = hub.world().classic_token(BOT, &["repo"]);
    // Other tests of this machine have tokens that look alike.
    let forms = forms(&format!("{token}-{}", std::process::id()));
    assert_eq!(seen_in_processes(&forms), [""; 0]);
    for form in &forms {
        let waits = |command: &mut Command| command.stdin(Stdio::piped()).spawn().unwrap();
        let mut child = waits(Command::new("sh").args(["-c", "read word", form]));
        let watch = Watch::begin(forms.clone());
        std::thread::park_timeout(Duration::from_millis(200));
        assert!(!watch.end().is_empty(), "an argument");
        // Its input ends, and so does it.
        drop(child.stdin.take());
        child.wait().unwrap();
        let mut child = waits(Command::new("cat").env("HEADER", form));
        let watch = Watch::begin(forms.clone());
        std::thread::park_timeout(Duration::from_millis(200));
        assert!(!watch.end().is_empty(), "an environment");
        drop(child.stdin.take());
        child.wait().unwrap();
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let address = format!("{}/repos/acme/shop?access_token={token}", hub.url());
    let _ = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .get(address)
        .send()
        .await;
    assert!(
        hub.requests().iter().any(|request| request.token_in_url),
        "an address"
    );
    assert!(!hub.complaints().is_empty());
    shop.world.close().await;
}
