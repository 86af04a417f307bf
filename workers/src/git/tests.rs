use std::fs;

use super::*;

fn person(at: &Path, args: &[&str]) {
    let out = std::process::Command::new("git")
        .args([
            "-c",
            "user.name=p",
            "-c",
            "user.email=p@x",
            "-c",
            "init.defaultBranch=main",
            "-c",
            "protocol.file.allow=always",
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
}

fn repository(at: &Path, commits: usize) -> String {
    fs::create_dir_all(at).unwrap();
    person(at, &["init", "-q"]);
    for number in 0..commits {
        fs::write(at.join("a.txt"), format!("{number}\n")).unwrap();
        person(at, &["add", "-A"]);
        person(at, &["commit", "-q", "-m", "c"]);
    }
    at.to_string_lossy().into_owned()
}

#[tokio::test]
async fn a_mirror_follows_its_source() {
    let folder = tempfile::tempdir().unwrap();
    let (source, at) = (folder.path().join("r"), folder.path().join("deep/mirror"));
    let name = repository(&source, 1);
    let first = Mirror::update(&name, &at, "main").await.unwrap();
    assert_eq!(Mirror::known(&at, "main").as_ref(), Some(&first));
    // As one of before stands there: what attempts leave must not get into the base.
    fs::remove_dir_all(Mirror::changes(&at)).unwrap();
    assert_eq!(Mirror::known(&at, "main"), None, "it has no place for changes");
    assert_eq!(Mirror::update(&name, &at, "HEAD").await.unwrap(), first);
    fs::write(source.join("a.txt"), "new\n").unwrap();
    // Not committed: a dirty folder is mirrored as its branch is.
    assert_eq!(Mirror::update(&name, &at, "main").await.unwrap(), first);
    person(&source, &["commit", "-q", "-a", "-m", "two"]);
    let second = Mirror::update(&name, &at, "main").await.unwrap();
    let git = Git::at(&at);
    assert_eq!(git.show_file(&second, "a.txt").await.unwrap().unwrap(), b"new\n");
    assert_eq!(git.show_file(&second, "none").await.unwrap(), None);
    assert!(git.diff(&first, &second).await.unwrap().contains("-0\n+new\n"));
}

#[tokio::test]
async fn many_packs_are_put_together_and_no_tree_is_lost_that_only_the_store_names() {
    let folder = tempfile::tempdir().unwrap();
    let (source, at) = (folder.path().join("r"), folder.path().join("mirror"));
    let name = repository(&source, 1);
    let base = Mirror::update(&name, &at, "main").await.unwrap();
    let git = Git::at(&at);
    let elsewhere = folder.path().join("elsewhere");
    Mirror::update(&name, &elsewhere, "main").await.unwrap();
    let there = Git::at(&elsewhere);
    let mut trees = Vec::new();
    for number in 0..60 {
        let text = format!("{number}");
        let blob = there
            .run_with_stdin(&["hash-object", "-w", "--stdin"], text.as_bytes())
            .await
            .unwrap();
        let blob = String::from_utf8(blob).unwrap();
        let listed = format!("100644 blob {}\ta.txt\n", blob.trim());
        let tree = there
            .run_with_stdin(&["mktree"], listed.as_bytes())
            .await
            .unwrap();
        let tree = String::from_utf8(tree).unwrap().trim().to_owned();
        git.import(&there.pack(&tree, &base).await.unwrap())
            .await
            .unwrap();
        trees.push(tree);
    }
    let packs = || {
        let all = fs::read_dir(Mirror::changes(&at).join("objects/pack"))
            .unwrap()
            .flatten();
        all.filter(|entry| entry.path().extension().is_some_and(|end| end == "pack"))
            .count()
    };
    assert!(packs() > 50, "{}", packs());
    assert!(Mirror::tidy(&at).await.unwrap());
    assert!(packs() < 10, "{}", packs());
    for tree in &trees {
        assert!(git.show_file(tree, "a.txt").await.unwrap().is_some(), "{tree}");
    }
    assert!(!Mirror::tidy(&at).await.unwrap(), "there are few now");
}

#[tokio::test]
async fn ten_updates_at_once_all_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let name = repository(&folder.path().join("r"), 1);
    let at = folder.path().join("mirror");
    let all = (0..10).map(|_| Mirror::update(&name, &at, "main"));
    let bases = futures_util::future::join_all(all).await;
    let first = bases[0].as_ref().unwrap();
    assert!(bases.iter().all(|base| base.as_ref().unwrap() == first));
}

#[tokio::test]
async fn a_shallow_source_and_one_with_submodules_can_be_mirrored() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("r");
    repository(&source, 3);
    let url = format!("file://{}", source.display());
    person(folder.path(), &["clone", "-q", "--depth", "1", &url, "shallow"]);
    let shallow = folder.path().join("shallow");
    person(
        &shallow,
        &["submodule", "--quiet", "add", &source.to_string_lossy(), "sub"],
    );
    person(&shallow, &["commit", "-q", "-m", "sub"]);
    let at = folder.path().join("mirror");
    let base = Mirror::update(&shallow.to_string_lossy(), &at, "main")
        .await
        .unwrap();
    let entries = Git::at(&at).ls_tree(&base).await.unwrap();
    assert!(
        entries
            .iter()
            .any(|entry| entry.mode == 0o160_000 && entry.path == b"sub")
    );
    // A workspace on it has a history that ends where the source's does.
    let scratch = folder.path().join("w");
    let workspace = crate::workspace::Workspace::create_for(&at, &base, None, &scratch, false)
        .await
        .unwrap();
    person(workspace.root(), &["log"]);
    assert_eq!(workspace.capture().await.unwrap(), None);
}

#[tokio::test]
async fn what_cannot_be_mirrored_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("mirror");
    let (empty, plain) = (folder.path().join("empty"), folder.path().join("plain"));
    let empty = repository(&empty, 0);
    fs::create_dir(&plain).unwrap();
    let plain = plain.to_string_lossy().into_owned();
    let good = repository(&folder.path().join("good"), 1);
    for (source, branch, words) in [
        (empty.as_str(), "main", "has no commits yet"),
        (&plain, "main", "is not a git repository"),
        (&good, "nope", "has no branch `nope`; it has: main"),
        (&good, "--upload-pack=x", "is not a branch's name"),
        ("/nonexistent/x", "main", "cannot be read"),
        ("ext::sh -c date", "main", "cannot be fetched"),
        ("ssh://host/x", "main", "cannot be fetched"),
    ] {
        let error = Mirror::update(source, &at, branch).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let git = Git::at(folder.path()).timeout(Duration::from_millis(1));
    let error = git
        .run(&["-c", "alias.slow=!sleep 60", "slow"])
        .await
        .unwrap_err();
    assert!(matches!(error, GitError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_folder_of_a_commit_is_listed_with_sizes_and_links_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (source, at) = (folder.path().join("r"), folder.path().join("m"));
    let name = repository(&source, 1);
    fs::create_dir_all(source.join(".loops/deep")).unwrap();
    fs::write(source.join(".loops/a b.yaml"), "12345").unwrap();
    fs::write(source.join(".loops/deep/x"), "x").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", source.join(".loops/l.yaml")).unwrap();
    std::os::unix::fs::symlink(".loops", source.join("other")).unwrap();
    person(&source, &["add", "-A"]);
    person(&source, &["commit", "-q", "-m", "loops"]);
    let commit = Mirror::update(&name, &at, "main").await.unwrap();
    let git = Git::at(&at);
    let told: Vec<_> = git
        .ls_folder(&commit, ".loops")
        .await
        .unwrap()
        .into_iter()
        .map(|(entry, size)| (String::from_utf8(entry.path).unwrap(), entry.mode, size))
        .collect();
    let one = |path: &str, mode, size| (path.to_owned(), mode, size);
    assert_eq!(
        told,
        [
            one(".loops/a b.yaml", 0o100_644, Some(5)),
            one(".loops/deep", 0o40_000, None),
            one(".loops/l.yaml", 0o120_000, Some(11)),
        ]
    );
    for none in ["other", "none", "a.txt", ":(glob)*"] {
        assert_eq!(git.ls_folder(&commit, none).await.unwrap(), [], "{none}");
    }
    assert_eq!(git.ls_folder(&commit, "").await.unwrap().len(), 3);
}
