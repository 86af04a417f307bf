//! The sandbox seen by a hostile agent: what it reaches, and what it cannot. As root and as an ordinary user the same
//! must hold; each attack that a broken test could miss has its control beside it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    time::{Duration, Instant},
};

use loops::spec::{Bytes, SandboxLimits};
use workers::{
    git::Mirror,
    order::Gateway,
    relay::Relay,
    sandbox::{Policy, Ran, Sandbox, SandboxError},
    workspace::Workspace,
};

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::find(crate::programs::built("sandbox-helper")).unwrap()
}

/// A policy with an empty workspace in a folder of the test's own.
pub(crate) fn policy(folder: &Path) -> Policy {
    let workspace = folder.join("workspace");
    fs::create_dir_all(&workspace).unwrap();
    Policy {
        workspace,
        layers: None,
        writable: true,
        mirror_objects: None,
        relay: None,
        limits: Some(SandboxLimits::default()),
        scratch: folder.to_owned(),
        env: BTreeMap::new(),
    }
}

async fn run(policy: &Policy, shell: &str) -> Ran {
    sandbox()
        .run(policy, shell, Duration::from_secs(60), 16 << 10)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_environment_is_built_from_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut policy = policy(folder.path());
    policy.env.insert("GIVEN".into(), "a value".into());
    let ran = run(
        &policy,
        "env | cut -d= -f1 | sort | tr '\\n' ' '; pwd; echo \"$GIVEN\"",
    )
    .await;
    let names: Vec<&str> = ran.output.lines().next().unwrap().split(' ').collect();
    let toolchains = ["RUSTUP_HOME", "PYENV_ROOT", "JAVA_HOME", "CARGO_HOME"];
    let rest: Vec<&str> = names
        .into_iter()
        .filter(|name| !toolchains.contains(name))
        .collect();
    assert_eq!(
        rest,
        [
            "GIVEN",
            "HOME",
            "LANG",
            "PATH",
            "PWD",
            "TERM",
            "TMPDIR",
            "USER",
            "/workspace"
        ]
    );
    assert!(ran.output.ends_with("\na value\n"), "{}", ran.output);
}

#[tokio::test]
async fn the_toolchains_of_the_host_work_inside() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(
        &policy(folder.path()),
        "git --version && python3 --version && node --version && cargo --version",
    )
    .await;
    assert_eq!(ran.exit_code, Some(0), "{}", ran.output);
}

#[tokio::test]
async fn nothing_of_the_host_but_the_workspace_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("secret"), "of another attempt").unwrap();
    fs::write(folder.path().join("state"), "beside the workspace").unwrap();
    let policy = policy(folder.path());
    fs::write(policy.workspace.join("mine"), "seen\n").unwrap();
    let secret = other.path().join("secret");
    let paths = [
        "/etc/shadow",
        "/etc/ssl/private",
        "/var/lib",
        "/mnt/0",
        "/boot",
        "/srv",
        "/opt",
    ]
    .map(str::to_owned);
    let beside = [secret, folder.path().join("state")].map(|path| path.to_string_lossy().into_owned());
    let script: String = paths
        .iter()
        .chain(&beside)
        .map(|path| format!("[ -e '{path}' ] && echo 'SEES {path}'; "))
        .collect();
    let ran = run(
        &policy,
        &format!("cat mine; {script} ls -A /home /tmp; cat /proc/1/environ 2>/dev/null; true"),
    )
    .await;
    assert_eq!(ran.output, "seen\n/home:\nagent\n\n/tmp:\n");
    // The control: they are there for us.
    assert!(beside.iter().all(|path| Path::new(path).exists()));
}

#[tokio::test]
async fn homes_hold_no_more_than_toolchains() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(&policy(folder.path()), "find / -xdev \\( -name '.ssh' -o -name '.gitconfig' -o -name 'credentials*' -o -name '.netrc' -o -name '.bash_history' \\) 2>/dev/null; find /root /home -maxdepth 1 2>/dev/null | sort").await;
    let allowed = [
        "/root",
        "/home",
        "/home/agent",
        "/root/.cargo",
        "/root/.rustup",
        "/root/.pyenv",
        "/root/.nvm",
    ];
    let odd: Vec<&str> = ran
        .output
        .lines()
        .filter(|line| !allowed.contains(line))
        .collect();
    // On a machine where toolchains live in another user's home, that home's name is the one line more.
    assert!(
        odd.iter()
            .all(|line| line.starts_with("/home/") && line.matches('/').count() == 2),
        "{odd:?}"
    );
}

#[tokio::test]
async fn only_the_workspace_and_scratch_folders_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut policy = policy(folder.path());
    let script = "for d in / /usr /usr/bin /etc /dev /run /run/loops /home /proc/sys/kernel /var /root/.cargo/bin /root/.rustup; do \
                  touch $d/x 2>/dev/null && echo \"WROTE $d\"; done; for d in /workspace /tmp ~ /dev/shm /var/tmp; do touch $d/x || echo \"no $d\"; done; \
                  mount -o remount,rw /usr 2>/dev/null && echo REMOUNTED; unshare -Ur true 2>/dev/null && echo NAMESPACE; true";
    assert_eq!(run(&policy, script).await.output, "");
    policy.writable = false;
    assert!(
        run(&policy, "touch /workspace/y")
            .await
            .output
            .contains("Read-only file system")
    );
}

#[tokio::test]
async fn nobody_inside_is_root_or_can_become_it() {
    let folder = tempfile::tempdir().unwrap();
    let policy = policy(folder.path());
    let ran = run(&policy, "id -u; grep -E 'Cap(Prm|Eff|Bnd)|NoNewPrivs' /proc/self/status | cut -f2 | sort -u | tr '\\n' ' '; touch made").await;
    assert_eq!(ran.output, "1000\n0000000000000000 1 ");
    let made = fs::metadata(policy.workspace.join("made")).unwrap();
    let us = fs::metadata(folder.path()).unwrap().uid();
    assert_eq!(
        us == 0,
        made.uid() != us,
        "as root somebody else, else ourselves: {}",
        made.uid()
    );
    assert_ne!(made.uid(), 0);
}

#[tokio::test]
async fn there_is_no_network_but_the_relay() {
    let folder = tempfile::tempdir().unwrap();
    let mut policy = policy(folder.path());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let abstract_name = format!("loops-test-{}", address.port());
    let hidden = <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(
        &abstract_name,
    )
    .unwrap();
    let _hidden = std::os::unix::net::UnixListener::bind_addr(&hidden).unwrap();
    let script = format!(
        "import socket\n\
         def attempt(family, address):\n\
         \x20   s = socket.socket(family); s.settimeout(3)\n\
         \x20   try: s.connect(address); print('CONNECTED', address, s.recv(9))\n\
         \x20   except OSError as error: print('no')\n\
         attempt(socket.AF_INET, ('127.0.0.1', {port}))\n\
         attempt(socket.AF_INET, ('10.0.0.1', 80))\n\
         attempt(socket.AF_UNIX, '\\0{abstract_name}')\n\
         attempt(socket.AF_UNIX, '/run/loops/gateway.sock')\n",
        port = address.port()
    );
    fs::write(policy.workspace.join("net.py"), script).unwrap();
    assert_eq!(run(&policy, "python3 net.py").await.output, "no\nno\nno\nno\n");
    // The control: with a relay there is one way, to the gateway.
    let socket = folder.path().join("gateway.sock");
    let gateway = Gateway {
        address: format!("http://{address}"),
        token: String::new(),
    };
    let _relay = Relay::start(&socket, &gateway).unwrap();
    policy.relay = Some(socket);
    let serving = async {
        use tokio::io::AsyncWriteExt as _;
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.write_all(b"hello").await.unwrap();
    };
    let (ran, ()) = tokio::join!(run(&policy, "python3 net.py"), serving);
    assert_eq!(
        ran.output,
        "no\nno\nno\nCONNECTED /run/loops/gateway.sock b'hello'\n"
    );
}

#[tokio::test]
async fn when_its_time_is_up_everything_that_a_command_started_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let policy = policy(folder.path());
    let began = Instant::now();
    let script = "echo begun; (setsid sh -c 'while :; do date +%s%N > alive; done' &); sleep 100";
    let ran = sandbox()
        .run(&policy, script, Duration::from_millis(1500), 1000)
        .await
        .unwrap();
    assert!(
        ran.timed_out && ran.exit_code.is_none() && ran.output == "begun\n",
        "{ran:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(20));
    nobody_writes(&policy.workspace.join("alive")).await;
}

#[tokio::test]
async fn daemons_end_with_the_command_and_a_dropped_run_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let policy = policy(folder.path());
    let daemon = "(setsid sh -c 'while :; do date +%s%N > alive; done' >/dev/null 2>&1 &); until [ -s alive ]; do :; done";
    assert_eq!(run(&policy, daemon).await.exit_code, Some(0));
    nobody_writes(&policy.workspace.join("alive")).await;
    fs::remove_file(policy.workspace.join("alive")).unwrap();
    let sandbox = sandbox();
    let endless = format!("{daemon}; sleep 100");
    let dropped = sandbox.run(&policy, &endless, Duration::from_secs(60), 1000);
    let alive = async {
        while !policy.workspace.join("alive").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! { ran = dropped => panic!("{ran:?}"), () = alive => {} }
    nobody_writes(&policy.workspace.join("alive")).await;
}

/// Waits until a file has stopped changing; the kernel may take a moment to end a whole namespace.
async fn nobody_writes(file: &Path) {
    let changed = || fs::metadata(file).unwrap().modified().unwrap();
    let mut before = changed();
    let mut quiet = 0;
    for _ in 0..400 {
        tokio::time::sleep(Duration::from_millis(25)).await;
        quiet = if before == changed() { quiet + 1 } else { 0 };
        before = changed();
        if quiet == 12 {
            return;
        }
    }
    panic!("somebody still writes");
}

#[tokio::test]
async fn a_fork_bomb_ends_with_its_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let policy = policy(folder.path());
    let script = "bomb() { bomb | bomb & }; bomb; sleep 1; echo still here";
    let ran = sandbox()
        .run(&policy, script, Duration::from_secs(8), 2000)
        .await
        .unwrap();
    assert!(
        ran.stopped.is_some()
            || ran.output.contains("fork")
            || ran.timed_out
            || ran.output.contains("still here"),
        "{ran:?}"
    );
    // The machine goes on: another sandbox of another attempt comes up.
    let other = tempfile::tempdir().unwrap();
    assert_eq!(
        run(&self::policy(other.path()), "echo fine").await.output,
        "fine\n"
    );
}

#[tokio::test]
async fn who_takes_too_much_memory_is_stopped_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut policy = policy(folder.path());
    policy.limits = Some(SandboxLimits {
        memory: Bytes(128 << 20),
        ..SandboxLimits::default()
    });
    let hog = "python3 -c 'x = []\nwhile True: x.append(bytearray(4 << 20))'";
    let ran = run(&policy, hog).await;
    assert_eq!(
        ran.stopped.as_deref(),
        Some("it used more than 128MiB of memory"),
        "{ran:?}"
    );
    // The control: what stays below goes on.
    let small = run(&policy, "python3 -c 'x = bytearray(16 << 20); print(len(x))'").await;
    assert_eq!((small.exit_code, small.stopped), (Some(0), None));
}

#[tokio::test]
async fn a_file_cannot_grow_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(&policy(folder.path()), "truncate -s 3G big; echo $?; ulimit -c").await;
    assert!(
        ran.output.ends_with("\n0\n") && !ran.output.contains("\n0\n0\n"),
        "{}",
        ran.output
    );
}

#[tokio::test]
async fn a_log_without_end_costs_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let policy = policy(folder.path());
    let ran = sandbox()
        .run(&policy, "echo first; yes", Duration::from_secs(2), 1000)
        .await
        .unwrap();
    assert!(ran.timed_out && ran.cut && ran.output.starts_with("first\ny\n") && ran.output.len() < 1100);
}

#[tokio::test]
async fn git_works_in_a_workspace_whose_mirror_is_seen_read_only() {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("repository");
    fs::create_dir(&repository).unwrap();
    let script = "git init -q -b main . && echo one > a && git add a && git -c user.name=p -c user.email=p@x commit -q -m first";
    assert!(
        std::process::Command::new("sh")
            .args(["-c", script])
            .current_dir(&repository)
            .status()
            .unwrap()
            .success()
    );
    // As a state folder in a home is: nobody else gets in.
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    let mirror = state.join("mirror");
    let base = Mirror::update(&repository.to_string_lossy(), &mirror, "main")
        .await
        .unwrap();
    let scratch = state.join("attempt");
    let workspace = Workspace::create(&mirror, &base, None, &scratch).await.unwrap();
    let mut policy = policy(&scratch);
    policy.mirror_objects = Some(workspace.mirror_objects());
    let ran = run(
        &policy,
        "git log --format=%s && git status --short && echo two > a && git diff --stat && git blame a | wc -l && git add a && git commit -q -m mine && git log --format=%s; \
         touch /mirror/objects/x; rm -rf /mirror/objects/*; echo 3 > b; ln -s /etc/shadow c",
    )
    .await;
    let (good, rest) = ran.output.split_at(ran.output.find("touch:").unwrap());
    assert_eq!(
        good,
        "first\n a | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n1\nmine\nfirst\n"
    );
    assert!(rest.contains("Read-only file system"), "{rest}");
    let change = workspace.capture().await.unwrap().unwrap();
    let names = workspace.git().ls_tree(&change.tree).await.unwrap();
    let names: Vec<_> = names
        .iter()
        .map(|entry| (entry.mode, String::from_utf8_lossy(&entry.path).into_owned()))
        .collect();
    assert_eq!(
        names,
        [
            (0o100_644, "a".into()),
            (0o100_644, "b".into()),
            (0o120_000, "c".into())
        ]
    );
    assert_eq!(
        workspace
            .git()
            .show_file(&change.tree, "c")
            .await
            .unwrap()
            .unwrap(),
        b"/etc/shadow"
    );
    assert_eq!(
        workspace
            .git()
            .show_file(&change.tree, "a")
            .await
            .unwrap()
            .unwrap(),
        b"two\n"
    );
}

#[tokio::test]
async fn setup_runs_once_on_the_base_and_its_files_are_no_change() {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("repository");
    fs::create_dir(&repository).unwrap();
    let script = "git init -q -b main . && echo one > a && git add a && git -c user.name=p -c user.email=p@x commit -q -m first";
    assert!(
        std::process::Command::new("sh")
            .args(["-c", script])
            .current_dir(&repository)
            .status()
            .unwrap()
            .success()
    );
    let mirror = folder.path().join("mirror");
    let base = Mirror::update(&repository.to_string_lossy(), &mirror, "main")
        .await
        .unwrap();
    let cache = folder.path().join("cache");
    let mut setup: loops::spec::Setup = serde_json::from_value(serde_json::json!({
        "run": "mkdir -p vendor/x && ln -s x vendor/y && date +%s%N > vendor/x/made && echo loose > loose && echo changed > a"
    }))
    .unwrap();
    let mut made = vec![];
    for name in ["one", "two"] {
        let scratch = folder.path().join(name);
        let workspace = Workspace::create(&mirror, &base, None, &scratch).await.unwrap();
        let mut policy = policy(&scratch);
        workspace
            .prepare(&setup, &cache, &sandbox(), &mut policy)
            .await
            .unwrap();
        assert_eq!(workspace.capture().await.unwrap(), None);
        made.push(
            run(
                &policy,
                "cat vendor/y/made loose a && echo more >> vendor/x/made && rm loose",
            )
            .await
            .output,
        );
        assert_eq!(workspace.capture().await.unwrap(), None);
    }
    assert!(
        made[0] == made[1] && made[0].ends_with("\nloose\none\n"),
        "{made:?}"
    );
    setup.run = "echo why >&2; exit 3".into();
    let scratch = folder.path().join("three");
    let workspace = Workspace::create(&mirror, &base, None, &scratch).await.unwrap();
    let error = workspace
        .prepare(&setup, &cache, &sandbox(), &mut policy(&scratch))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "setup `echo why >&2; exit 3` failed with exit code 3; its last words:\nwhy\n"
    );
}

#[tokio::test]
async fn without_a_sandbox_it_says_so_loudly_and_still_keeps_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut policy = policy(folder.path());
    policy.limits = None;
    let none = Sandbox::without(crate::programs::built("sandbox-helper"));
    assert!(none.caveats(&policy)[0].starts_with("NO SANDBOX"));
    let ran = none
        .run(
            &policy,
            "echo out; (sleep 100 &) ; sleep 100",
            Duration::from_secs(1),
            1000,
        )
        .await
        .unwrap();
    assert!(ran.timed_out && ran.output == "out\n" && ran.duration < Duration::from_secs(20));
    policy.limits = Some(SandboxLimits::default());
    let error = none
        .run(&policy, "true", Duration::from_secs(1), 1000)
        .await
        .unwrap_err();
    assert!(
        matches!(error, SandboxError::NoBubblewrap)
            && error.to_string().contains("apt-get install bubblewrap")
    );
}

#[tokio::test]
async fn a_sandbox_that_cannot_come_up_is_an_error_and_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let mut policy = policy(folder.path());
    policy.mirror_objects = Some(folder.path().join("missing"));
    let error = sandbox()
        .run(&policy, "true", Duration::from_secs(20), 1000)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, SandboxError::Setup(why) if why.contains("missing")),
        "{error}"
    );
    let lying = self::policy(tempfile::tempdir().unwrap().path());
    fs::create_dir_all(&lying.workspace).unwrap();
    let ran = run(
        &lying,
        "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1",
    )
    .await;
    assert_eq!(ran.exit_code, Some(1));
    sandbox().check(&SandboxLimits::default()).await.unwrap();
}
