//! What we ask of a repository's objects: trees, files, diffs, packs. Text that comes back is an agent's: data.

use super::{Git, GitError, MAX_OUTPUT};

/// The largest pack that is taken from an attempt, in bytes.
pub const MAX_PACK: usize = 64 << 20;

/// The largest base commit, packed with its tree, that is sent to other machines, in bytes.
pub const MAX_BASE: usize = 1 << 30;

/// The longest list of what lies in one folder, in bytes.
pub const MAX_FOLDER: usize = 1 << 20;

/// One entry of a tree, as `ls-tree -r` lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// `100644`, `100755`, `120000` for a symlink, `160000` for a submodule.
    pub mode: u32,
    /// The object, 40 hex digits.
    pub id: String,
    /// The path from the tree's root, with `/`.
    pub path: Vec<u8>,
}

impl Git {
    /// Takes a pack (thin or whole) into this repository, after strict checks of every object in it.
    /// An empty pack is nothing to take.
    ///
    /// # Errors
    /// If it is too large, damaged, or holds an object that git's own checks refuse.
    pub async fn import(&self, pack: &[u8]) -> Result<(), GitError> {
        if pack.is_empty() {
            return Ok(());
        }
        if pack.len() > MAX_PACK {
            return Err(GitError::TooLarge {
                what: "the change's pack".into(),
                limit: MAX_PACK as u64,
            });
        }
        self.run_with_stdin(&["index-pack", "--stdin", "--fix-thin", "--strict"], pack)
            .await
            .map(drop)
    }

    /// A thin pack of what `tree` has and `base` lacks; empty if there is nothing.
    ///
    /// # Errors
    /// If one of them is missing, or the pack is larger than [`MAX_PACK`].
    pub async fn pack(&self, tree: &str, base: &str) -> Result<Vec<u8>, GitError> {
        checked(tree)?;
        checked(base)?;
        let wanted = format!("{tree}\n^{base}\n");
        let args = [
            "pack-objects",
            "--revs",
            "--thin",
            "--stdout",
            "--quiet",
            "--delta-base-offset",
        ];
        let pack = self
            .run_within(&args, wanted.as_bytes(), MAX_PACK)
            .await
            .map_err(|error| match error {
                GitError::TooLarge { .. } => GitError::TooLarge {
                    what: "the change".into(),
                    limit: MAX_PACK as u64,
                },
                error => error,
            })?;
        // Bytes 8 to 12 of a pack are its number of objects.
        if pack.get(8..12) == Some(&[0, 0, 0, 0]) {
            return Ok(vec![]);
        }
        Ok(pack)
    }

    /// Whether there is such a commit or tree, with all that it names as far as this repository goes.
    ///
    /// # Errors
    /// If the repository cannot be read.
    pub async fn has(&self, id: &str) -> Result<bool, GitError> {
        match self.line(&["cat-file", "-e", checked(id)?]).await {
            Ok(_) => Ok(true),
            Err(GitError::Failed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A pack of one commit with its whole tree, and nothing of its history: all that work on it needs elsewhere.
    ///
    /// # Errors
    /// If it is missing, or the pack is larger than [`MAX_BASE`].
    pub async fn pack_commit(&self, commit: &str) -> Result<Vec<u8>, GitError> {
        let listed = self
            .run(&[
                "rev-list",
                "--objects",
                "--no-object-names",
                "--no-walk",
                checked(commit)?,
            ])
            .await?;
        let args = ["pack-objects", "--stdout", "--quiet", "--delta-base-offset"];
        self.run_within(&args, &listed, MAX_BASE)
            .await
            .map_err(|error| match error {
                GitError::TooLarge { .. } => GitError::TooLarge {
                    what: "the base commit".into(),
                    limit: MAX_BASE as u64,
                },
                error => error,
            })
    }

    /// The tree of a commit, or the tree itself.
    ///
    /// # Errors
    /// If there is no such object.
    pub async fn tree_of(&self, commit: &str) -> Result<String, GitError> {
        self.line(&[
            "rev-parse",
            "--verify",
            "--end-of-options",
            &format!("{}^{{tree}}", checked(commit)?),
        ])
        .await
    }

    /// The unified diff from one commit or tree to another, renames found, without color; binary files are only named.
    ///
    /// # Errors
    /// If one of them is missing.
    pub async fn diff(&self, base: &str, tree: &str) -> Result<String, GitError> {
        let bytes = self
            .run(&[
                "diff-tree",
                "-r",
                "-p",
                "-M",
                "--full-index",
                "--no-ext-diff",
                "--no-textconv",
                "--no-color",
                "--src-prefix=a/",
                "--dst-prefix=b/",
                "--submodule=short",
                checked(base)?,
                checked(tree)?,
            ])
            .await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Makes a commit of a tree on these parents, at this time (seconds since 1970), and gives its id.
    /// No branch is moved.
    ///
    /// # Errors
    /// If an object is missing.
    pub async fn commit_tree(
        &self,
        tree: &str,
        parents: &[&str],
        message: &str,
        author: (&str, &str),
        seconds: i64,
    ) -> Result<String, GitError> {
        let mut args = vec!["commit-tree", checked(tree)?];
        for parent in parents {
            args.extend(["-p", checked(parent)?]);
        }
        let date = format!("{seconds} +0000");
        let mut git = self.clone();
        for who in ["AUTHOR", "COMMITTER"] {
            git = git
                .env(format!("GIT_{who}_NAME"), author.0)
                .env(format!("GIT_{who}_EMAIL"), author.1)
                .env(format!("GIT_{who}_DATE"), &date);
        }
        let id = git.run_with_stdin(&args, message.as_bytes()).await?;
        Ok(String::from_utf8_lossy(&id).trim().to_owned())
    }

    /// The content of a file (for a symlink: where it points) in a commit or tree; none if there is no such file.
    ///
    /// # Errors
    /// If the commit or tree is missing.
    pub async fn show_file(&self, tree: &str, path: &str) -> Result<Option<Vec<u8>>, GitError> {
        self.show_file_up_to(tree, path, MAX_OUTPUT).await
    }

    /// The same of a file that may have so many bytes at most.
    ///
    /// # Errors
    /// If the commit or tree is missing, or the file is larger.
    pub async fn show_file_up_to(
        &self,
        tree: &str,
        path: &str,
        most: usize,
    ) -> Result<Option<Vec<u8>>, GitError> {
        let entries = self.ls_tree_at(tree, &[path]).await?;
        match entries
            .iter()
            .find(|entry| entry.path == path.as_bytes() && entry.mode != 0o160_000)
        {
            Some(entry) => self
                .run_within(&["cat-file", "blob", &entry.id], &[], most)
                .await
                .map(Some),
            None => Ok(None),
        }
    }

    /// Every file of a commit or tree, in git's order.
    ///
    /// # Errors
    /// If it is missing.
    pub async fn ls_tree(&self, tree: &str) -> Result<Vec<TreeEntry>, GitError> {
        self.ls_tree_at(tree, &[]).await
    }

    /// What lies directly in a folder of a commit or tree: files with their sizes, symlinks, folders (mode `40000`);
    /// nothing where there is no such folder.
    ///
    /// # Errors
    /// If the commit or tree is missing, or the folder holds more than can be listed in [`MAX_FOLDER`] bytes.
    pub async fn ls_folder(
        &self,
        tree: &str,
        folder: &str,
    ) -> Result<Vec<(TreeEntry, Option<u64>)>, GitError> {
        let inside = format!("{}/", folder.trim_end_matches('/'));
        let mut args = vec!["ls-tree", "-l", "-z", "--full-tree", checked(tree)?];
        if !folder.is_empty() {
            args.extend(["--", &inside]);
        }
        let git = self.clone().env("GIT_LITERAL_PATHSPECS", "1");
        let listed = git
            .run_within(&args, &[], MAX_FOLDER)
            .await
            .map_err(|error| match error {
                GitError::TooLarge { .. } => GitError::TooLarge {
                    what: format!("the list of what lies in `{}`", folder.escape_default()),
                    limit: MAX_FOLDER as u64,
                },
                error => error,
            })?;
        let sized = |line: &[u8]| {
            let head = line.split(|byte| *byte == b'\t').next()?;
            let size = std::str::from_utf8(head).ok()?.split_whitespace().nth(3)?;
            Some((entry(line)?, size.parse().ok()))
        };
        Ok(listed.split(|byte| *byte == 0).filter_map(sized).collect())
    }

    async fn ls_tree_at(&self, tree: &str, paths: &[&str]) -> Result<Vec<TreeEntry>, GitError> {
        let mut args = vec!["ls-tree", "-r", "-z", "--full-tree", checked(tree)?, "--"];
        args.extend(paths);
        let git = self.clone().env("GIT_LITERAL_PATHSPECS", "1");
        Ok(git
            .run(&args)
            .await?
            .split(|byte| *byte == 0)
            .filter_map(entry)
            .collect())
    }
}

/// Reads `100644 blob <id>\t<path>`.
fn entry(line: &[u8]) -> Option<TreeEntry> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let mut words = std::str::from_utf8(&line[..tab]).ok()?.split(' ');
    let mode = u32::from_str_radix(words.next()?, 8).ok()?;
    let id = words.nth(1)?.to_owned();
    Some(TreeEntry {
        mode,
        id,
        path: line[tab + 1..].to_vec(),
    })
}

/// An object's name must be a whole one: ids come from outside, and git would read `--option` or `x:path` too.
pub(super) fn checked(id: &str) -> Result<&str, GitError> {
    if matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(id);
    }
    Err(GitError::Source(format!(
        "`{}` is not an object id",
        id.escape_default()
    )))
}
