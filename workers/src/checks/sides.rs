//! Both sides of a change: its diff, the text of its files, and the tree that has its tests alone.

use std::collections::HashMap;

use loops::change::{Diff, GIT_ARGS, Split, split};

use super::{CheckError, room::Room};
use crate::{
    git::{Git, GitError},
    order::Change,
};

/// Files above this size are not read; a change to one is judged by its name alone.
const MAX_FILE: usize = 1 << 20;

/// The most that is read of one side of a change.
const MAX_SIDE: usize = 64 << 20;

/// A change, read.
pub(super) struct Sides {
    pub(super) diff: Diff,
    pub(super) split: Split,
    base: HashMap<String, String>,
    new: HashMap<String, String>,
    base_tree: HashMap<Vec<u8>, (u32, String)>,
    new_tree: HashMap<Vec<u8>, (u32, String)>,
}

/// The diff between two commits or trees of a trusted git directory.
///
/// # Errors
/// If one of them is missing, or git writes what [`Diff::parse`] does not read.
pub async fn diff(git: &Git, base: &str, tree: &str) -> Result<Diff, CheckError> {
    // Both are ids of ours, but they come with an order, and git must not take one for an option.
    for id in [base, tree] {
        if id.len() < 4 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let (command, message) = ("diff".to_owned(), format!("`{}` is no id", id.escape_default()));
            return Err(GitError::Failed { command, message }.into());
        }
    }
    let args: Vec<&str> = GIT_ARGS.iter().copied().chain([base, tree, "--"]).collect();
    Ok(Diff::parse(&git.run(&args).await?)?)
}

impl Sides {
    pub(super) async fn read(room: &Room<'_>, base: &str, tree: &str) -> Result<Self, CheckError> {
        let git = room.git();
        let diff = diff(git, base, tree).await?;
        let listed = |entries: Vec<crate::git::TreeEntry>| -> HashMap<Vec<u8>, (u32, String)> {
            entries
                .into_iter()
                .map(|entry| (entry.path, (entry.mode, entry.id)))
                .collect()
        };
        let (base_tree, new_tree) = (listed(git.ls_tree(base).await?), listed(git.ls_tree(tree).await?));
        let old_paths = diff.files.iter().filter_map(|file| file.old_path.as_deref());
        let base = texts(git, &base_tree, old_paths).await?;
        let new_paths = diff.files.iter().filter_map(|file| file.new_path.as_deref());
        let new = texts(git, &new_tree, new_paths).await?;
        let split = split(
            &diff,
            |path| base.get(path).cloned(),
            |path| new.get(path).cloned(),
        );
        Ok(Self {
            diff,
            split,
            base,
            new,
            base_tree,
            new_tree,
        })
    }

    /// The text of a file on the base.
    pub(super) fn original(&self) -> impl Fn(&str) -> Option<String> {
        |path| self.base.get(path).cloned()
    }

    /// The text of a file in the change.
    pub(super) fn changed(&self) -> impl Fn(&str) -> Option<String> {
        |path| self.new.get(path).cloned()
    }

    /// The base with the change's tests and nothing else of it.
    pub(super) async fn only_tests(&self, room: &Room<'_>, base: &str) -> Result<Change, CheckError> {
        let mut gone = Vec::new();
        let mut there = Vec::new();
        for path in &self.split.test_files {
            match self.new_tree.get(path.as_bytes()) {
                Some((mode, id)) => there.push((*mode, id.clone(), path)),
                None => gone.push(path),
            }
        }
        for (path, text) in &self.split.mixed {
            let mode = self
                .base_tree
                .get(path.as_bytes())
                .map_or(0o100_644, |(mode, _)| *mode);
            let id = room
                .git()
                .run_with_stdin(&["hash-object", "-w", "--stdin"], text.as_bytes())
                .await?;
            there.push((mode, String::from_utf8_lossy(&id).trim().to_owned(), path));
        }
        // First what goes, so that a file can stand where a folder was.
        let mut entries = String::new();
        for path in gone {
            entries.push_str(&format!("0 {}\t{path}\0", "0".repeat(40)));
        }
        for (mode, id, path) in there {
            entries.push_str(&format!("{mode:06o} {id}\t{path}\0"));
        }
        let index = room.scratch().join("tests.index");
        let git = room.git().clone().env("GIT_INDEX_FILE", &index);
        git.run(&["read-tree", base]).await?;
        git.run_with_stdin(&["update-index", "-z", "--index-info"], entries.as_bytes())
            .await?;
        let tree = git.line(&["write-tree"]).await?;
        let pack = git.pack(&tree, base).await?;
        Ok(Change { tree, pack })
    }
}

/// The texts of these files, read by one git; what is no text or too large is left out.
async fn texts(
    git: &Git,
    tree: &HashMap<Vec<u8>, (u32, String)>,
    paths: impl Iterator<Item = &str>,
) -> Result<HashMap<String, String>, CheckError> {
    let is_file = |mode: u32| matches!(mode, 0o100_644 | 0o100_755);
    let wanted: Vec<(&str, &str)> = paths
        .filter_map(|path| {
            Some((
                path,
                tree.get(path.as_bytes())
                    .filter(|(mode, _)| is_file(*mode))?
                    .1
                    .as_str(),
            ))
        })
        .collect();
    let ids: Vec<&str> = wanted.iter().map(|(_, id)| *id).collect();
    let contents = git.blobs(&ids, MAX_FILE, MAX_SIDE).await?;
    let mut texts = HashMap::new();
    for ((path, _), content) in wanted.iter().zip(contents) {
        if let Some(text) = content.and_then(|bytes| String::from_utf8(bytes).ok())
            && !text.contains('\0')
        {
            texts.insert((*path).to_owned(), text);
        }
    }
    Ok(texts)
}
