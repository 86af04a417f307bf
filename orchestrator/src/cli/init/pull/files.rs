//! Between a repository's base commit and files: what of it is looked at to see which loops fit, and the commit that
//! adds them. A work tree is neither read nor written.

use std::{fs, path::Path};

use workers::git::{Git, GitError};

use crate::{clock, engine::AUTHOR, specs::FOLDER};

use super::propose::Proposed;

/// Larger files are not looked at.
const MAX_FILE: u64 = 1 << 20;
/// Nor are more than these.
const MAX_FILES: usize = 200;
/// Folders of which only the names of files matter.
const NAMES_OF: [&str; 4] = [".github/workflows", ".circleci", "tests", "test"];
/// The line of a commit that says what it wrote: with it, a commit of ours is known.
const WROTE: &str = "Loops-Wrote: ";
/// The line that says which tree it made: who amends a commit of ours keeps its message, and makes another tree.
const TREE: &str = "Loops-Tree: ";

/// Lays out, under `top`, as much of a commit as shows what kind of repository it is: the files at its top, and the names
/// of those in a few folders. Links are left out.
pub(super) async fn glimpse(git: &Git, commit: &str, top: &Path) -> Result<(), GitError> {
    let failed = |error| GitError::File {
        path: top.to_owned(),
        error,
    };
    let regular = |mode: u32| matches!(mode, 0o100_644 | 0o100_755);
    let at_top = git.ls_folder(commit, "").await?;
    let wanted = at_top
        .into_iter()
        .filter(|(entry, size)| regular(entry.mode) && size.is_some_and(|size| size <= MAX_FILE))
        .filter_map(|(entry, _)| Some((plain(&entry.path)?, entry.id)))
        .filter(|(name, _)| tells(name))
        .take(MAX_FILES);
    for (name, id) in wanted {
        let text = git.run(&["cat-file", "blob", &id]).await?;
        fs::write(top.join(name), text).map_err(failed)?;
    }
    for folder in NAMES_OF {
        let inside = git.ls_folder(commit, folder).await?;
        if inside.is_empty() {
            continue;
        }
        fs::create_dir_all(top.join(folder)).map_err(failed)?;
        let names = inside
            .iter()
            .filter(|(entry, _)| regular(entry.mode))
            .filter_map(|(entry, _)| plain(entry.path.strip_prefix(folder.as_bytes())?.strip_prefix(b"/")?));
        for name in names.take(MAX_FILES) {
            fs::write(top.join(folder).join(name), "").map_err(failed)?;
        }
    }
    Ok(())
}

/// Whether a file of that name may say something about how the repository is built and tested.
fn tells(name: &str) -> bool {
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    let known = [
        "json", "toml", "yaml", "yml", "cfg", "ini", "txt", "mod", "py", "lock",
    ];
    known.contains(&end) || matches!(name, "Makefile" | "Jenkinsfile")
}

/// The name of a file that lies directly in a folder and cannot be taken for anything else.
fn plain(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let good = !name.is_empty()
        && !matches!(name, "." | ".." | ".git")
        && !name.contains('/')
        && !name.chars().any(char::is_control);
    good.then(|| name.to_owned())
}

/// A commit on `base` that adds these files to the folder of loops.
pub(super) async fn commit(
    git: &Git,
    base: &str,
    files: &[Proposed],
    message: &str,
) -> Result<String, GitError> {
    let folder = tempfile::tempdir().map_err(|error| GitError::File {
        path: std::env::temp_dir(),
        error,
    })?;
    let with_index = git.clone().env("GIT_INDEX_FILE", folder.path().join("index"));
    with_index.run(&["read-tree", base]).await?;
    for one in files {
        let id = git
            .run_with_stdin(&["hash-object", "-w", "--stdin"], one.text.as_bytes())
            .await?;
        let id = String::from_utf8_lossy(&id);
        let entry = format!("100644,{},{FOLDER}/{}", id.trim(), one.file);
        with_index
            .run(&["update-index", "--add", "--cacheinfo", &entry])
            .await?;
    }
    let tree = with_index.line(&["write-tree"]).await?;
    let message = format!("{message}\n\n{WROTE}{}\n{TREE}{}\n", digest(files), tree.trim());
    let seconds = clock::now().0 / 1000;
    git.commit_tree(&tree, &[base], &message, AUTHOR, seconds).await
}

/// Whether a commit is one that [`commit`] made of these files; none: somebody else made it.
pub(super) async fn is_of(git: &Git, commit: &str, files: &[Proposed]) -> Result<Option<bool>, GitError> {
    let told = git
        .line(&["show", "-s", "--format=%ae%n%T%n%B", "--end-of-options", commit])
        .await?;
    let (author, rest) = told.split_once('\n').unwrap_or((&told, ""));
    let (tree, message) = rest.split_once('\n').unwrap_or((rest, ""));
    let said = |what: &str| {
        let line = message.lines().rev().find_map(|line| line.strip_prefix(what));
        line.map(str::trim)
    };
    let ours = author == AUTHOR.1 && said(TREE) == Some(tree.trim());
    Ok(said(WROTE).filter(|_| ours).map(|wrote| wrote == digest(files)))
}

fn digest(files: &[Proposed]) -> String {
    use sha2::{Digest as _, Sha256};
    let mut digest = Sha256::new();
    for one in files {
        digest.update(format!("{}\0{}\0", one.file, one.text));
    }
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::init::look::Look;

    /// A repository with one commit of these files, and that commit.
    async fn repository(folder: &Path, files: &[(&str, &str)]) -> (Git, String) {
        let at = folder.join("r.git");
        fs::create_dir(&at).unwrap();
        let name = at.to_string_lossy().into_owned();
        Git::nowhere()
            .run(&["init", "--bare", "-q", &name])
            .await
            .unwrap();
        let git = Git::at(&at);
        let index = git.clone().env("GIT_INDEX_FILE", folder.join("i"));
        for (path, text) in files {
            let id = git
                .run_with_stdin(&["hash-object", "-w", "--stdin"], text.as_bytes())
                .await
                .unwrap();
            let mode = if text.starts_with("-> ") {
                "120000"
            } else {
                "100644"
            };
            let entry = format!("{mode},{},{path}", String::from_utf8_lossy(&id).trim());
            index
                .run(&["update-index", "--add", "--cacheinfo", &entry])
                .await
                .unwrap();
        }
        let tree = index.line(&["write-tree"]).await.unwrap();
        let commit = git
            .commit_tree(&tree, &[], "c", ("p", "p@x"), 1_700_000_000)
            .await
            .unwrap();
        (git, commit)
    }

    fn files(text: &str) -> Vec<Proposed> {
        vec![Proposed {
            file: "a.yaml".to_owned(),
            text: text.to_owned(),
        }]
    }

    #[tokio::test]
    async fn a_glimpse_shows_the_commands_that_the_base_commit_has() {
        let folder = tempfile::tempdir().unwrap();
        let (git, commit) = repository(
            folder.path(),
            &[
                ("package.json", r#"{"scripts": {"test": "node --test"}}"#),
                (".github/workflows/ci.yml", "on: push"),
                ("Cargo.toml", "-> /etc/passwd"),
                ("src/index.js", "secret"),
            ],
        )
        .await;
        let top = tempfile::tempdir().unwrap();
        glimpse(&git, &commit, top.path()).await.unwrap();
        let look = Look::of_files(top.path(), "main".to_owned(), None);
        assert_eq!(look.checks[0].run, "npm test");
        assert_eq!(look.ci, [".github/workflows/ci.yml"]);
        assert!(!top.path().join("Cargo.toml").exists() && !top.path().join("src").exists());
    }

    #[tokio::test]
    async fn a_commit_of_ours_adds_files_and_is_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let (git, base) = repository(folder.path(), &[("code.txt", "x"), (".loops/notes.md", "kept")]).await;
        let ours = commit(&git, &base, &files("one"), "Add loops").await.unwrap();
        assert_eq!(
            git.show_file(&ours, ".loops/a.yaml").await.unwrap().unwrap(),
            b"one"
        );
        assert_eq!(
            git.show_file(&ours, ".loops/notes.md").await.unwrap().unwrap(),
            b"kept"
        );
        assert_eq!(git.show_file(&ours, "code.txt").await.unwrap().unwrap(), b"x");
        assert_eq!(is_of(&git, &ours, &files("one")).await.unwrap(), Some(true));
        assert_eq!(is_of(&git, &ours, &files("two")).await.unwrap(), Some(false));
        // Somebody amends it: everything but the tree is as we wrote it.
        let told = git.line(&["show", "-s", "--format=%B", &ours]).await.unwrap();
        let other = git.tree_of(&base).await.unwrap();
        let amended = git
            .commit_tree(&other, &[&base], &told, AUTHOR, 1_700_000_000)
            .await
            .unwrap();
        assert_eq!(is_of(&git, &amended, &files("one")).await.unwrap(), None);
        let tree = git.tree_of(&ours).await.unwrap();
        let message = format!("Mine\n\n{WROTE}{}", digest(&files("one")));
        let theirs = git
            .commit_tree(&tree, &[&ours], &message, ("p", "p@x"), 1_700_000_000)
            .await
            .unwrap();
        assert_eq!(is_of(&git, &theirs, &files("one")).await.unwrap(), None);
    }
}
