//! Workspaces that share one checkout of their base: what an attempt does in one comes back as the same change that a
//! checkout of its own gives, and nothing that it does reaches another, the shared files, or us.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use loops::spec::{SandboxLimits, Toolchains};
use workers::{
    git::Mirror,
    order::Change,
    sandbox::{Policy, Ran},
    workspace::Workspace,
};

use super::sandbox::sandbox;

/// A repository, its mirror, and a folder for attempts, closed to others as a state folder is.
struct World {
    folder: tempfile::TempDir,
    base: String,
}

const FILES: &str = "mkdir -p src/deep app && echo one > a && echo two > src/b && echo three > src/deep/c && echo four > src/deep/d \
     && printf '#!/bin/sh\\necho ran\\n' > tool && chmod +x tool && ln -s src/b link && echo '*.log' > .gitignore && echo five > app/e";

impl World {
    async fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("repository");
        fs::create_dir(&repository).unwrap();
        let commit = "git add -A && git -c user.name=p -c user.email=p@x commit -q -m first";
        let made = Command::new("sh")
            .args(["-ec", &format!("git init -q -b main . && {script} && {commit}")])
            .current_dir(&repository)
            .status();
        assert!(made.unwrap().success());
        let mirror = folder.path().join("state/mirror");
        let base = Mirror::update(&repository.to_string_lossy(), &mirror, "main")
            .await
            .unwrap();
        Self { folder, base }
    }

    fn mirror(&self) -> PathBuf {
        self.folder.path().join("state/mirror")
    }

    fn scratch(&self, name: &str) -> PathBuf {
        let scratch = self.folder.path().join("state").join(name);
        fs::create_dir_all(&scratch).unwrap();
        scratch
    }

    async fn layered(&self, name: &str, start: Option<&Change>) -> (Workspace, Policy) {
        let scratch = self.scratch(name);
        let workspace = Workspace::create_layered(&self.mirror(), &self.base, start, &scratch)
            .await
            .unwrap();
        let policy = policy(&workspace, &scratch);
        (workspace, policy)
    }

    async fn whole(&self, name: &str, start: Option<&Change>) -> (Workspace, Policy) {
        let scratch = self.scratch(name);
        let workspace = Workspace::create(&self.mirror(), &self.base, start, &scratch)
            .await
            .unwrap();
        let policy = policy(&workspace, &scratch);
        (workspace, policy)
    }
}

fn policy(workspace: &Workspace, scratch: &Path) -> Policy {
    Policy {
        workspace: workspace.root().to_owned(),
        layers: workspace.layers(),
        writable: true,
        mirror_objects: Some(workspace.mirror_objects()),
        relay: None,
        limits: Some(SandboxLimits {
            toolchains: Toolchains::None,
            ..SandboxLimits::default()
        }),
        scratch: scratch.to_owned(),
        env: BTreeMap::new(),
    }
}

async fn run(policy: &Policy, shell: &str) -> Ran {
    sandbox()
        .run(policy, shell, Duration::from_secs(60), 16 << 10)
        .await
        .unwrap()
}

/// What the tree inside is, from where it is seen.
const LOOK: &str = "find . -path ./.git -prune -o -printf '%P %y %m %l\\n' | sort; find . -path ./.git -prune -o -type f -print0 | sort -z | xargs -0 cat";

/// Everything that a change can be made of.
const DEEDS: &[&str] = &[
    "echo more >> a",
    "echo new > n; mkdir -p x/y; echo z > x/y/z",
    "rm a src/b",
    "rm -r src",
    "rm -r src; echo file > src",
    "rm -r src; mkdir src; echo again > src/b",
    "rm -r src; mkdir -p src/deep; echo again > src/deep/new; mkdir src/empty",
    "rm a; mkdir a; echo in > a/in",
    "mv src moved",
    "mv src/deep src/deeper; mv a src/a",
    "git mv src/b moved && mv src/deep app/ && git add -A && git commit -q -m moved",
    "chmod +x a; chmod -x tool",
    "touch a src/b; cp a copy; mv copy a",
    "ln -sf /etc/passwd link; ln -s nowhere dangling; ln a hard",
    "rm -r src; ln -s /etc src",
    "rm link; mkdir link; echo in > link/in",
    "sed -i s/one/uno/ a; printf x > bin; truncate -s 100 bin",
    "echo noise > x.log; mkdir -p target; echo log > target/y.log",
    "rm -r .git; git init -q .; git add -A",
    "rm -rf .git; echo 'gitdir: /etc' > .git; mkdir -p sub/.git; echo x > sub/.git/config; echo s > sub/s",
    "mkfifo pipe; rm a; mkfifo a",
    "git rm -q -r src && git checkout -q HEAD -- src/b",
    "rm -r app src; mkdir app; mv a app/",
];

#[tokio::test]
async fn whatever_is_done_a_layered_workspace_gives_the_change_of_a_whole_one() {
    let world = World::new(FILES).await;
    for deed in DEEDS {
        let (layered, in_layered) = world.layered("layered", None).await;
        let (whole, in_whole) = world.whole("whole", None).await;
        let script = format!("{deed}\n{LOOK}");
        let (one, other) = (run(&in_layered, &script).await, run(&in_whole, &script).await);
        assert_eq!(
            (&one.output, one.exit_code),
            (&other.output, other.exit_code),
            "{deed}"
        );
        let (change, control) = (layered.capture().await.unwrap(), whole.capture().await.unwrap());
        let tree = |change: &Option<Change>| change.as_ref().map(|change| change.tree.clone());
        assert_eq!(tree(&change), tree(&control), "{deed}");
        // What begins from it sees what was left, and has the same change again.
        let Some(change) = change else { continue };
        let (next, in_next) = world.layered("next", Some(&change)).await;
        let (_, in_control) = world.whole("control", Some(&change)).await;
        assert_eq!(
            run(&in_next, LOOK).await.output,
            run(&in_control, LOOK).await.output,
            "{deed}"
        );
        assert_eq!(next.capture().await.unwrap().unwrap().tree, change.tree, "{deed}");
    }
}
