//! The sandbox seen by a hostile agent: what it reaches, and what it cannot.

use std::{collections::BTreeMap, path::Path, time::Duration};

use loops::spec::SandboxLimits;
use workers::sandbox::{Policy, Ran, Sandbox};

fn sandbox() -> Sandbox {
    Sandbox::find(env!("CARGO_BIN_EXE_sandbox-helper").into()).unwrap()
}

/// A policy with an empty workspace in a folder of the test's own.
fn policy(folder: &Path) -> Policy {
    let workspace = folder.join("workspace");
    std::fs::create_dir_all(&workspace).unwrap();
    Policy {
        workspace,
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
        .run(policy, shell, Duration::from_secs(30), 16 << 10)
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
