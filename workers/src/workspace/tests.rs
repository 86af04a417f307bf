use std::os::unix::fs::symlink;

use super::*;
use crate::git::Mirror;

/// A repository with some files, its mirror, and a folder for workspaces.
pub(super) struct World {
    folder: tempfile::TempDir,
    pub(super) base: String,
}

/// Git as a person uses it, in a repository of the test's own.
fn person(at: &Path, args: &[&str]) -> String {
    let out = std::process::Command::new("git")
        .args([
            "-c",
            "user.name=p",
            "-c",
            "user.email=p@x",
            "-c",
            "init.defaultBranch=main",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(args)
        .current_dir(at)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

pub(super) fn put(root: &Path, name: &str, content: impl AsRef<[u8]>) {
    let at = root.join(name);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    fs::write(at, content).unwrap();
}

impl World {
    pub(super) async fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("repository");
        fs::create_dir(&repository).unwrap();
        person(&repository, &["init", "-q"]);
        for (name, content) in files {
            put(&repository, name, content);
        }
        person(&repository, &["add", "-A", "-f"]);
        person(&repository, &["commit", "-q", "-m", "first", "--allow-empty"]);
        let base = Mirror::update(
            &repository.to_string_lossy(),
            &folder.path().join("mirror"),
            "main",
        )
        .await
        .unwrap();
        Self { folder, base }
    }

    /// Commits a file; the commit is in the mirror then.
    pub(super) async fn commit(&self, name: &str, content: &str) -> String {
        let repository = self.folder.path().join("repository");
        put(&repository, name, content);
        person(&repository, &["commit", "-q", "-a", "-m", "next"]);
        Mirror::update(&repository.to_string_lossy(), &self.mirror(), "main")
            .await
            .unwrap()
    }

    pub(super) fn mirror(&self) -> PathBuf {
        self.folder.path().join("mirror")
    }

    async fn workspace(&self, name: &str, start: Option<&Change>) -> Workspace {
        let scratch = self.folder.path().join(name);
        Workspace::create_for(&self.mirror(), &self.base, start, &scratch, false)
            .await
            .unwrap()
    }
}

/// The files of a change, as another workspace sees them.
async fn listed(workspace: &Workspace, change: &Change) -> Vec<String> {
    let entries = workspace.git().ls_tree(&change.tree).await.unwrap();
    entries
        .iter()
        .map(|entry| format!("{:o} {}", entry.mode, String::from_utf8_lossy(&entry.path)))
        .collect()
}

const SMALL: &[(&str, &str)] = &[
    ("a.txt", "one\n"),
    ("src/b.txt", "two\n"),
    (".gitignore", "*.log\n/out/\n"),
];

#[tokio::test]
async fn an_untouched_workspace_is_no_change() {
    let world = World::new(SMALL).await;
    let workspace = world.workspace("w", None).await;
    assert_eq!(workspace.capture().await.unwrap(), None);
    put(workspace.root(), "a.txt", "changed\n");
    assert!(workspace.capture().await.unwrap().is_some());
    put(workspace.root(), "a.txt", "one\n");
    assert_eq!(workspace.capture().await.unwrap(), None);
}

#[tokio::test]
async fn a_change_comes_back_in_another_workspace() {
    let world = World::new(SMALL).await;
    let workspace = world.workspace("w", None).await;
    let root = workspace.root();
    put(root, "a.txt", "ONE\n");
    put(root, "new/deep/naïve \"x\".txt", "new\n");
    put(root, "tool.sh", "#!/bin/sh\n");
    fs::set_permissions(root.join("tool.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("/etc/passwd", root.join("link")).unwrap();
    fs::remove_dir_all(root.join("src")).unwrap();
    put(root, "src", "a file now\n");
    let change = workspace.capture().await.unwrap().unwrap();

    let next = world.workspace("n", Some(&change)).await;
    assert_eq!(
        listed(&next, &change).await,
        [
            "100644 .gitignore",
            "100644 a.txt",
            "120000 link",
            "100644 new/deep/naïve \"x\".txt",
            "100644 src",
            "100755 tool.sh"
        ]
    );
    assert_eq!(fs::read_to_string(next.root().join("a.txt")).unwrap(), "ONE\n");
    assert_eq!(
        fs::read_link(next.root().join("link")).unwrap(),
        Path::new("/etc/passwd")
    );
    assert_eq!(next.capture().await.unwrap().unwrap().tree, change.tree);
    put(next.root(), "src", "more\n");
    assert_ne!(next.capture().await.unwrap().unwrap().tree, change.tree);
}

#[tokio::test]
async fn what_the_base_ignores_and_what_tools_leave_is_left_out() {
    let world = World::new(&[
        (".gitignore", "*.log\n/out/\n"),
        ("out/kept.txt", "tracked\n"),
        ("x.log", "tracked\n"),
    ])
    .await;
    let workspace = world.workspace("w", None).await;
    let root = workspace.root();
    for junk in [
        "y.log",
        "out/junk",
        "a/__pycache__/m.pyc",
        "node_modules/p/index.js",
    ] {
        put(root, junk, "junk");
    }
    put(
        root,
        "target/CACHEDIR.TAG",
        "Signature: 8a477f597d28d172789f06886806bc55\n# …",
    );
    put(root, "target/debug/x", "junk");
    assert_eq!(workspace.capture().await.unwrap(), None);
    // An agent's own rules hide nothing; what the base has counts even where it is ignored.
    put(root, ".gitignore", "*\n");
    put(root, "seen.txt", "");
    put(root, "x.log", "changed\n");
    fs::remove_file(root.join("out/kept.txt")).unwrap();
    let change = workspace.capture().await.unwrap().unwrap();
    assert_eq!(
        listed(&workspace, &change).await,
        ["100644 .gitignore", "100644 seen.txt", "100644 x.log"]
    );
}

#[tokio::test]
async fn content_stays_as_it_is_whatever_attributes_say() {
    let attributes = "* text=auto eol=crlf ident filter=evil working-tree-encoding=UTF-16\n";
    let world = World::new(&[("a.txt", "$Id$\nx\n")]).await;
    let first = world.workspace("w", None).await;
    put(first.root(), ".gitattributes", attributes);
    put(first.root(), "b.txt", "$Id$\r\ny\n");
    let change = first.capture().await.unwrap().unwrap();
    let next = world.workspace("n", Some(&change)).await;
    assert_eq!(fs::read(next.root().join("b.txt")).unwrap(), b"$Id$\r\ny\n");
    assert_eq!(fs::read(next.root().join("a.txt")).unwrap(), b"$Id$\nx\n");
    assert_eq!(next.capture().await.unwrap().unwrap().tree, change.tree);
}

#[tokio::test]
async fn what_the_workspaces_own_git_says_is_never_read() {
    let world = World::new(SMALL).await;
    let workspace = world.workspace("w", None).await;
    let root = workspace.root();
    let mark = world.folder.path().join("mark");
    let evil = format!("touch {}", mark.display());
    let config = format!(
        "[core]\n\tfsmonitor = {evil}\n\thooksPath = hooks\n\tpager = {evil}\n[filter \"evil\"]\n\tclean = {evil}\n\tsmudge = {evil}\n[diff]\n\texternal = {evil}\n[alias]\n\tstatus = !{evil}\n"
    );
    put(root, ".git/config", &config);
    put(root, ".git/info/attributes", "* filter=evil\n");
    put(root, ".git/objects/info/alternates", "/nonexistent\n");
    put(root, ".gitattributes", "* filter=evil diff=evil\n");
    put(root, "nested/.git/config", &config);
    put(root, "nested/file", "kept\n");
    put(root, "gitfile/.git", "gitdir: /nonexistent\n");
    for hook in [
        "pre-commit",
        "post-index-change",
        "reference-transaction",
        "post-checkout",
    ] {
        put(
            root,
            &format!(".git/hooks/{hook}"),
            format!("#!/bin/sh\n{evil}\n"),
        );
        fs::set_permissions(
            root.join(".git/hooks").join(hook),
            fs::Permissions::from_mode(0o755),
        )
        .unwrap();
    }
    let change = workspace.capture().await.unwrap().unwrap();
    let names = listed(&workspace, &change).await;
    assert_eq!(
        names,
        [
            "100644 .gitattributes",
            "100644 .gitignore",
            "100644 a.txt",
            "100644 nested/file",
            "100644 src/b.txt"
        ]
    );
    workspace.git().diff(&world.base, &change.tree).await.unwrap();
    assert!(!mark.exists());
    // The control: git as a person uses it does run it.
    std::process::Command::new("git")
        .args(["add", "-A"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(mark.exists());
}

#[tokio::test]
async fn what_is_neither_file_nor_link_is_left_out_and_not_waited_for() {
    let world = World::new(SMALL).await;
    let workspace = world.workspace("w", None).await;
    let root = workspace.root();
    nix::unistd::mkfifo(&root.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    fs::remove_file(root.join("a.txt")).unwrap();
    nix::unistd::mkfifo(&root.join("a.txt"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let change = workspace.capture().await.unwrap().unwrap();
    assert_eq!(
        listed(&workspace, &change).await,
        ["100644 .gitignore", "100644 src/b.txt"]
    );
}

#[tokio::test]
async fn a_folder_that_became_a_link_is_a_link() {
    let world = World::new(SMALL).await;
    let outside = tempfile::tempdir().unwrap();
    put(outside.path(), "b.txt", "secret\n");
    let workspace = world.workspace("w", None).await;
    fs::remove_dir_all(workspace.root().join("src")).unwrap();
    symlink(outside.path(), workspace.root().join("src")).unwrap();
    let change = workspace.capture().await.unwrap().unwrap();
    assert_eq!(
        listed(&workspace, &change).await,
        ["100644 .gitignore", "100644 a.txt", "120000 src"]
    );
    assert!(!String::from_utf8_lossy(&change.pack).contains("secret"));
}

#[tokio::test]
async fn names_that_mislead_are_refused_with_words() {
    // The base's has one letter where the twin has two.
    let world = World::new(&[SMALL, &[("caf\u{e9}/x", "one\n")]].concat()).await;
    for (name, why) in [
        ("x\ny", "control"),
        (".GIT/x", "git's own"),
        ("A.TXT", "upper and lower"),
        ("SRC/c", "upper and lower"),
        ("cafe\u{301}/y", "form of its letters"),
    ] {
        let workspace = world.workspace("w", None).await;
        put(workspace.root(), name, "x");
        let error = workspace.capture().await.unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains('\n'), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_by_name() {
    let world = World::new(SMALL).await;
    let workspace = world.workspace("w", None).await;
    let file = fs::File::create(workspace.root().join("big.bin")).unwrap();
    file.set_len(33 << 20).unwrap();
    let error = workspace.capture().await.unwrap_err().to_string();
    assert_eq!(
        error,
        "`big.bin` cannot be part of a change: it is larger than 32 MiB"
    );
}

#[tokio::test]
async fn the_workspaces_own_git_works_for_those_inside() {
    let world = World::new(SMALL).await;
    let workspace = world.workspace("w", None).await;
    put(workspace.root(), "a.txt", "ONE\n");
    let inside = |args: &[&str]| person(workspace.root(), args);
    assert_eq!(inside(&["log", "--format=%s"]), "first");
    assert_eq!(inside(&["status", "--short"]), "M a.txt");
    assert!(inside(&["diff"]).contains("+ONE"));
    assert!(inside(&["blame", "src/b.txt"]).contains("two"));
}

#[tokio::test]
async fn a_damaged_change_is_refused() {
    let world = World::new(SMALL).await;
    let scratch = world.folder.path().join("w");
    let change = Change {
        tree: "1".repeat(40),
        pack: b"PACK nonsense".to_vec(),
    };
    assert!(
        Workspace::create_for(&world.mirror(), &world.base, Some(&change), &scratch, false)
            .await
            .is_err()
    );
    let change = Change {
        tree: "--help".into(),
        pack: vec![],
    };
    assert!(
        Workspace::create_for(&world.mirror(), &world.base, Some(&change), &scratch, false)
            .await
            .is_err()
    );
}
