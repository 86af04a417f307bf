//! The sandbox in a container. There is no engine here: a program of ours stands in its place, which writes down what it
//! is told and says that the sandbox is up. So these tests hold what an engine is asked for, not what one does.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use harness::world::{Ran, World};

use crate::small_story::{FILES, spec};

/// Writes down its arguments and the variables that it is to pass on, marks the sandbox as up, and ends.
const ENGINE: &str = r#"#!/bin/sh
here=$(dirname "$0")
[ "$1" = run ] || { echo "$*" >> "$here/else"; [ "$1" = ps ] && echo loops-1-0-0; exit 0; }
for word in "$@"; do
  echo "$word" >> "$here/said"
  case "$word" in
    *target=/run/loops/begun*) mark=${word#*source=}; echo up > "${mark%%,*}" ;;
    *.env) cat "$word" > "$here/variables"; stat -c %a "$word" >> "$here/variables" ;;
  esac
done
exit 3
"#;

#[expect(
    clippy::disallowed_methods,
    reason = "the engine's stand-in goes before what is on the path"
)]
async fn tried(engine: &str, limits: &str) -> (World, Ran) {
    let world = World::start().await;
    world.settings("");
    world.repository(&FILES);
    world.define(&spec().more(&format!("sandbox: {limits}\n")));
    let program = world.path("bin").join(engine);
    fs::create_dir_all(world.path("bin")).unwrap();
    fs::write(&program, ENGINE).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!(
        "{}:{}",
        world.path("bin").display(),
        std::env::var("PATH").unwrap()
    );
    let ran = world
        .loops_with(["sandbox", "--loop", "fix", "--", "make", "a b"], |command| {
            command.env("PATH", path);
        })
        .await;
    (world, ran)
}

fn said(world: &World, file: &str) -> Vec<String> {
    let text = fs::read_to_string(world.path("bin").join(file)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn an_engine_is_told_the_whole_policy_and_no_more() {
    let limits = "{ image: 'ghcr.io/acme/ci:2', engine: podman, memory: 2GiB, cpus: 1 }";
    let (world, ran) = tried("podman", limits).await;
    assert!(ran.stderr.contains("exit code 3"), "{ran}");
    let words = said(&world, "said");
    for wanted in [
        "--rm",
        "--pull=never",
        "--network=none",
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--read-only-tmpfs=false",
        "--http-proxy=false",
        "--memory=2147483648",
        "--memory-swap=2147483648",
        "--cpus=1",
        "--pids-limit=1024",
        "--ulimit=core=0:0",
    ] {
        assert!(words.iter().any(|word| word == wanted), "{wanted}: {words:#?}");
    }
    for harm in [
        "privileged",
        "docker.sock",
        "cap-add",
        "unconfined",
        "--publish",
        "--volume=",
    ] {
        assert!(
            !words.iter().any(|word| word.contains(harm)),
            "{harm}: {words:#?}"
        );
    }
    let user = words.iter().find(|word| word.starts_with("--user=")).unwrap();
    assert!(!user.contains("=0:"), "never root: {user}");
    // What is seen of the host: the folder, read-only, since nobody said `--write`; the attempt's own; our program.
    let mounts: Vec<&String> = words
        .iter()
        .filter(|word| word.starts_with("type=bind"))
        .collect();
    let of = |target: &str| {
        let target = format!("target={target}");
        let found = mounts
            .iter()
            .find(|word| word.split(',').any(|part| part == target));
        found.unwrap_or_else(|| panic!("{target}: {mounts:#?}"))
    };
    assert!(of("/workspace").ends_with(",readonly") && of("/run/loops/loops").ends_with(",readonly"));
    assert!(!of("/tmp").ends_with(",readonly") && !of("/home/agent").ends_with(",readonly"));
    for target in ["/dev/shm", "/run/loops/begun", "/etc/passwd", "/etc/group"] {
        of(target);
    }
    assert_eq!(mounts.len(), 8, "{mounts:#?}");
    // The image, then our second stage with the limits, then the command as it was given.
    let at = words.iter().position(|word| word == "--").unwrap();
    let wanted = [
        "--entrypoint",
        "/run/loops/loops",
        "--",
        "ghcr.io/acme/ci:2",
        "sandbox-launch",
        "--inside",
    ];
    assert_eq!(words[at - 2..=at + 3], wanted);
    assert_eq!(words[words.len() - 2..], ["make", "a b"]);
    // Variables go by a file that nobody else reads, and are few.
    let variables = said(&world, "variables");
    let names: Vec<&str> = variables
        .iter()
        .map(|line| line.split('=').next().unwrap())
        .collect();
    assert_eq!(names, ["HOME", "TMPDIR", "USER", "LANG", "TERM", "600"]);
    // It is removed afterwards, and so is what a service that is gone has left.
    let name = words
        .iter()
        .find_map(|word| word.strip_prefix("--name="))
        .unwrap();
    for removed in [name, "loops-1-0-0"] {
        let removed = format!("rm --force --volumes {removed}");
        // Whoever removes it outlives us.
        while !said(&world, "else").contains(&removed) {
            tokio::task::yield_now().await;
        }
    }
    world.close().await;
}

#[tokio::test]
async fn an_image_without_an_engine_is_refused_with_clear_words() {
    let there = ["/usr/bin/podman", "/usr/local/bin/podman"].map(Path::new);
    if there.iter().any(|program| program.exists()) {
        return;
    }
    let (world, ran) = tried("docker", "{ image: 'ghcr.io/acme/ci:2', engine: podman }").await;
    assert_ne!(ran.code, 0);
    let words = "needs a container engine, and `podman` is not installed";
    assert!(ran.stderr.contains(words), "{ran}");
    assert!(said(&world, "said").is_empty());
    world.close().await;
}
