//! What attempts share on a machine, and must not: the changes of others, and what `setup` of others left. The attack: a real
//! workspace, as the service makes it. The control: the same where the two lie in one place.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use loops::spec::{SandboxLimits, Setup, Span};
use tempfile::TempDir;
use workers::{
    git::{Git, Mirror},
    order::Change,
    sandbox::Policy,
    workspace::Workspace,
};

use super::{Family, Row};
use crate::sandbox::sandbox;

const ROWS: &[(&str, &str, &str)] = &[
    (
        "reading what another attempt changed, among the mirror's objects",
        "changes have a git directory of their own; only the base's objects are shown inside",
        "the change lies among the mirror's objects: it is read",
    ),
    (
        "beginning from another attempt's change by its name",
        "the same",
        "the change lies among the mirror's objects: it is checked out",
    ),
    (
        "bringing files into another repository's attempts by a `setup` that looks the same",
        "each repository has results of its own, and every file of the base is part of their names",
        "the result lies under the other one's name: it is brought in",
    ),
];

pub(crate) fn family() -> Family {
    let row = |(tried, by, control): &(&str, &str, &str)| Row {
        tried: (*tried).to_owned(),
        by: (*by).to_owned(),
        control: (*control).to_owned(),
    };
    Family {
        name: "What attempts share",
        how: "Two attempts on one machine, in real workspaces.",
        rows: ROWS.iter().map(row).collect(),
    }
}

/// A repository with a mirror in a state folder.
struct Repository {
    folder: TempDir,
    base: String,
}

impl Repository {
    async fn of(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        for (path, text) in files {
            let at = source.join(path);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, text).unwrap();
        }
        let script =
            "git init -q -b main . && git add -A && git -c user.name=p -c user.email=p@x commit -q -m first";
        let made = Command::new("sh")
            .args(["-ec", script])
            .current_dir(&source)
            .status();
        assert!(made.unwrap().success());
        let mirror = folder.path().join("state/mirror.git");
        let base = Mirror::update(&source.to_string_lossy(), &mirror, "main")
            .await
            .unwrap();
        Self { folder, base }
    }

    fn mirror(&self) -> PathBuf {
        self.folder.path().join("state/mirror.git")
    }

    async fn workspace(&self, name: &str) -> (Workspace, Policy) {
        let scratch = self.folder.path().join("state").join(name);
        fs::create_dir_all(&scratch).unwrap();
        let workspace = Workspace::create(&self.mirror(), &self.base, None, &scratch)
            .await
            .unwrap();
        let policy = Policy {
            workspace: workspace.root().to_owned(),
            layers: workspace.layers(),
            writable: true,
            mirror_objects: Some(workspace.mirror_objects()),
            relay: None,
            limits: Some(SandboxLimits::default()),
            scratch,
            env: BTreeMap::new(),
        };
        (workspace, policy)
    }
}

const JEWELS: &str = "crown-jewels-of-another-attempt";

/// What each attack finds of another attempt's change.
async fn finds(repository: &Repository, name: &str, change: &Change) -> [bool; 2] {
    let (_workspace, policy) = repository.workspace(name).await;
    let by_name = format!("git ls-tree -r --name-only {}", change.tree);
    let mut found = [false; 2];
    for (found, (script, sign)) in found.iter_mut().zip([
        ("git cat-file --batch-all-objects --batch", JEWELS),
        (by_name.as_str(), "stolen.txt"),
    ]) {
        let ran = sandbox()
            .run(&policy, script, Duration::from_secs(60), 1 << 20)
            .await
            .unwrap();
        *found = ran.output.contains(sign);
    }
    found
}

#[tokio::test]
async fn no_attempt_reads_what_another_one_wrote() {
    let repository = Repository::of(&[("a", "one\n")]).await;
    let (workspace, _) = repository.workspace("first").await;
    fs::write(workspace.root().join("stolen.txt"), JEWELS).unwrap();
    let change = workspace.capture().await.unwrap().unwrap();
    // As the service takes in whatever an attempt leaves, also what is refused.
    let git = Git::at(&repository.mirror());
    git.import(&change.pack).await.unwrap();
    assert!(git.has(&change.tree).await.unwrap(), "the service has it");
    assert_eq!(
        finds(&repository, "second", &change).await,
        [false; 2],
        "NOT STOPPED"
    );
    // What the service sees of it is enough to prove and to review it.
    let scratch = repository.folder.path().join("state/proof");
    fs::create_dir_all(&scratch).unwrap();
    let known = Change {
        pack: Vec::new(),
        ..change.clone()
    };
    let proof = Workspace::create(&repository.mirror(), &repository.base, Some(&known), &scratch).await;
    assert!(proof.unwrap().root().join("stolen.txt").is_file());

    let mut pack = Command::new("git")
        .arg("--git-dir")
        .arg(repository.mirror())
        .args(["index-pack", "--stdin", "--fix-thin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut pack.stdin.take().unwrap(), &change.pack).unwrap();
    assert!(pack.wait().unwrap().success());
    assert_eq!(
        finds(&repository, "third", &change).await,
        [true; 2],
        "NO HARM IN THE CONTROL"
    );
}

/// What `setup` brought into a workspace of the repository.
async fn prepared(repository: &Repository, name: &str, cache: &Path) -> String {
    let (workspace, mut policy) = repository.workspace(name).await;
    let setup = Setup {
        run: "sh install.sh".to_owned(),
        network: Vec::new(),
        timeout: Span(Duration::from_secs(60)),
    };
    workspace
        .prepare(&setup, cache, &sandbox(), &mut policy)
        .await
        .unwrap();
    let script = "cat node_modules/lib.js";
    let ran = sandbox()
        .run(&policy, script, Duration::from_secs(60), 1 << 20)
        .await;
    ran.unwrap().output
}

#[tokio::test]
async fn no_repository_brings_files_into_anothers_attempts() {
    let manifest = ("package.json", "{\"name\": \"shop\"}\n");
    let install = |what: &str| format!("mkdir -p node_modules\necho {what} > node_modules/lib.js\n");
    let (evil, good) = (install("evil"), install("good"));
    let hostile = Repository::of(&[manifest, ("install.sh", &evil)]).await;
    let victim = Repository::of(&[manifest, ("install.sh", &good)]).await;
    // One cache for both: the wall that each has its own folder is off already.
    let cache = tempfile::tempdir().unwrap();
    assert_eq!(prepared(&hostile, "first", cache.path()).await, "evil\n");
    let hostile_result = only(cache.path());
    assert_eq!(
        prepared(&victim, "first", cache.path()).await,
        "good\n",
        "NOT STOPPED"
    );
    // The same again is not made again.
    let before = fs::read_dir(cache.path()).unwrap().count();
    assert_eq!(prepared(&victim, "second", cache.path()).await, "good\n");
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), before);

    let results: Vec<PathBuf> = fs::read_dir(cache.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let theirs = results.iter().find(|path| **path != hostile_result).unwrap();
    fs::remove_dir_all(theirs).unwrap();
    fs::rename(&hostile_result, theirs).unwrap();
    assert_eq!(
        prepared(&victim, "third", cache.path()).await,
        "evil\n",
        "NO HARM IN THE CONTROL"
    );
}

/// The one entry of a folder.
fn only(folder: &Path) -> PathBuf {
    let mut entries = fs::read_dir(folder).unwrap();
    let first = entries.next().unwrap().unwrap().path();
    assert!(entries.next().is_none());
    first
}
