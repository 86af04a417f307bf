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
    sandbox().run(policy, shell, Duration::from_secs(30), 16 << 10).await.unwrap()
}

#[tokio::test]
async fn smoke() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(&policy(folder.path()), "id; env; pwd; ls -la / /root /etc /run /dev /home/agent /workspace; cargo --version; python3 --version; node --version; git --version; mount; ulimit -a; touch /x; touch /dev/x; touch a; cat /proc/self/status | grep -i -E 'cap|nnp|seccomp'; ls /proc; nproc").await;
    panic!("{}\n{ran:?}", ran.output);
}
