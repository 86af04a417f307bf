//! Lays a change that an attempt begins from into its own layer: what it wrote as files, what it removed as the marks
//! that the kernel reads as «gone». Its paths are an agent's text, so git itself writes the files.

use std::{collections::BTreeSet, ffi::OsStr, fs, os::unix::ffi::OsStrExt as _, path::Path};

use nix::sys::stat::{Mode, SFlag, mknod};

use super::{CheckedOut, Entry, Name, Workspace, WorkspaceError, listing::above_and_itself, walk};
use crate::{
    git::{Git, GitError},
    order::Change,
};

/// What differs between the base and the change.
#[derive(Debug, Default)]
struct Differing {
    there: Vec<(Name, Entry)>,
    gone: BTreeSet<Name>,
}

/// Writes it into an empty folder; the files that were written, and how they look.
pub(super) async fn lay(
    workspace: &Workspace,
    change: &Change,
    upper: &Path,
) -> Result<CheckedOut, WorkspaceError> {
    let git = &workspace.git;
    git.import(&change.pack).await?;
    let tree = git.tree_of(&change.tree).await?;
    let args = ["diff-tree", "-r", "-z", "--no-renames", "--raw", "--no-abbrev"];
    let args: Vec<&str> = args
        .into_iter()
        .chain([workspace.base_tree.as_str(), &tree])
        .collect();
    let differing = read(&git.run(&args).await?)?;
    write(git, &differing, upper).await?;
    remove(workspace, &differing, upper).await?;
    walk::stamps(upper, differing.there.into_iter().collect())
}

/// Lets git write what is there, by an index of its own that has nothing else.
async fn write(git: &Git, differing: &Differing, upper: &Path) -> Result<(), WorkspaceError> {
    if differing.there.is_empty() {
        return Ok(());
    }
    let index = upper.with_file_name("start.index");
    let git = git.clone().work_tree(upper).env("GIT_INDEX_FILE", &index);
    let mut entries = Vec::new();
    for (name, entry) in &differing.there {
        entries.extend(format!("{:06o} {}\t", entry.mode, entry.id).bytes());
        entries.extend_from_slice(name);
        entries.push(0);
    }
    git.run_with_stdin(&["update-index", "-z", "--index-info"], &entries)
        .await?;
    git.run(&["checkout-index", "--all", "--quiet"]).await?;
    fs::remove_file(&index).map_err(WorkspaceError::file(&index))
}

/// Marks what is gone, each time the uppermost folder of which nothing is left.
async fn remove(workspace: &Workspace, differing: &Differing, upper: &Path) -> Result<(), WorkspaceError> {
    if differing.gone.is_empty() {
        return Ok(());
    }
    let listing = workspace.listing().await?;
    // Where a file stands now there is nothing to mark: it hides what was below.
    let kept: BTreeSet<&[u8]> = differing
        .there
        .iter()
        .flat_map(|(name, _)| above_and_itself(name))
        .collect();
    let left = |part: &[u8]| {
        kept.contains(part)
            || listing
                .below(part)
                .any(|(name, _)| !differing.gone.contains(name))
    };
    let files: BTreeSet<&[u8]> = differing.there.iter().map(|(name, _)| name.as_slice()).collect();
    let mut marks: BTreeSet<&[u8]> = BTreeSet::new();
    for name in &differing.gone {
        let hidden = above_and_itself(name).any(|part| files.contains(part));
        let top = above_and_itself(name).find(|part| !left(part));
        marks.extend(top.filter(|_| !hidden));
    }
    for mark in marks {
        let at = upper.join(OsStr::from_bytes(mark));
        if let Some(folder) = at.parent() {
            fs::create_dir_all(folder).map_err(WorkspaceError::file(folder))?;
        }
        mknod(&at, SFlag::S_IFCHR, Mode::empty(), 0)
            .map_err(|error| WorkspaceError::file(&at)(error.into()))?;
    }
    Ok(())
}

/// Reads `:<mode> <mode> <id> <id> <status>\0<path>\0…`.
fn read(raw: &[u8]) -> Result<Differing, GitError> {
    let odd = || GitError::Failed {
        command: "diff-tree".into(),
        message: "it wrote what is not a list of files".into(),
    };
    let mut differing = Differing::default();
    let mut parts = raw.split(|byte| *byte == 0);
    while let Some(head) = parts.next().filter(|head| !head.is_empty()) {
        let name = parts.next().ok_or_else(odd)?.to_owned();
        let head = std::str::from_utf8(head).map_err(|_| odd())?;
        let words: Vec<&str> = head.trim_start_matches(':').split(' ').collect();
        let [before, after, _, id, _] = words.as_slice() else {
            return Err(odd());
        };
        let mode = |text: &str| u32::from_str_radix(text, 8).map_err(|_| odd());
        match mode(after)? {
            // An empty folder stands for a submodule, as in any checkout; that one went is none of ours to mark.
            0 if mode(before)? == 0o160_000 => {}
            0 => {
                differing.gone.insert(name);
            }
            mode => differing.there.push((
                name,
                Entry {
                    mode,
                    id: (*id).to_owned(),
                },
            )),
        }
    }
    Ok(differing)
}
