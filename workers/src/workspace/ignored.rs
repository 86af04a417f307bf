//! What is left out of a change because the base says so in its `.gitignore` files, or because a tool marked it as its
//! cache. An agent's own `.gitignore` has no say: it would be a way to hide files from the next one, or from us.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};

use super::{Entry, Name};
use crate::git::{Git, GitError};

/// What tools leave behind in repositories that have no `.gitignore` for it.
const ALWAYS: &[&str] = &[
    "__pycache__/",
    "*.pyc",
    ".pytest_cache/",
    ".mypy_cache/",
    ".ruff_cache/",
    "node_modules/",
    ".DS_Store",
];
/// The largest `.gitignore` that is read, in bytes, and how many of them.
const LARGEST: usize = 256 << 10;
const MOST: usize = 2_000;

/// The base's rules, by the folder that they stand in.
#[derive(Debug)]
pub(super) struct Ignored {
    always: Gitignore,
    folders: BTreeMap<Name, Gitignore>,
}

impl Ignored {
    /// Reads them from the base's tree.
    pub(super) async fn read(git: &Git, base: &BTreeMap<Name, Entry>) -> Result<Self, GitError> {
        let mut folders = BTreeMap::new();
        let files = base.iter().filter_map(|(name, entry)| {
            let folder = name.strip_suffix(b".gitignore")?;
            let whole = folder.is_empty() || folder.ends_with(b"/");
            (whole && entry.mode & 0o170_000 == 0o100_000).then_some((folder, &entry.id))
        });
        for (folder, id) in files.take(MOST) {
            let text = git.run(&["cat-file", "blob", id]).await?;
            let text = String::from_utf8_lossy(&text[..text.len().min(LARGEST)]).into_owned();
            folders.insert(folder.to_vec(), rules(folder, text.lines()));
        }
        Ok(Self {
            always: rules(b"", ALWAYS.iter().copied()),
            folders,
        })
    }

    /// Whether a path that the base does not have is left out. The folders above it were asked for before.
    pub(super) fn covers(&self, name: &[u8], folder: bool) -> bool {
        let path = absolute(name);
        let above = std::iter::successors(parent(name), |above| parent(above.strip_suffix(b"/")?));
        for rules in above.filter_map(|above| self.folders.get(above)) {
            match rules.matched(&path, folder) {
                Match::None => {}
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
            }
        }
        self.always.matched(&path, folder).is_ignore()
    }
}

/// The folder that a path stands in, with its `/`; empty for the root; none above that.
fn parent(name: &[u8]) -> Option<&[u8]> {
    if name.is_empty() {
        return None;
    }
    Some(
        name.iter()
            .rposition(|byte| *byte == b'/')
            .map_or(&[], |slash| &name[..=slash]),
    )
}

/// A path as if the workspace were the whole disk; nothing is looked up there.
fn absolute(name: &[u8]) -> PathBuf {
    Path::new("/").join(OsStr::from_bytes(name))
}

fn rules<'a>(folder: &[u8], lines: impl Iterator<Item = &'a str>) -> Gitignore {
    let mut builder = GitignoreBuilder::new(absolute(folder));
    for line in lines {
        // A line that makes no sense ignores nothing, as with git.
        let _ = builder.add_line(None, line);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignored() -> Ignored {
        let folders = BTreeMap::from([
            (
                b"".to_vec(),
                rules(b"", ["*.log", "/build/", "!keep.log"].into_iter()),
            ),
            (
                b"sub/".to_vec(),
                rules(b"sub/", ["/only", "!special.log"].into_iter()),
            ),
        ]);
        Ignored {
            always: rules(b"", ALWAYS.iter().copied()),
            folders,
        }
    }

    #[test]
    fn rules_hold_below_their_folder_and_nearer_ones_win() {
        let ignored = ignored();
        for (name, folder, expected) in [
            ("x.log", false, true),
            ("sub/x.log", false, true),
            ("keep.log", false, false),
            ("sub/special.log", false, false),
            ("build", true, true),
            ("sub/build", true, false),
            ("sub/only", false, true),
            ("only", false, false),
            ("a/__pycache__", true, true),
            ("main.py", false, false),
        ] {
            assert_eq!(ignored.covers(name.as_bytes(), folder), expected, "{name}");
        }
    }
}
