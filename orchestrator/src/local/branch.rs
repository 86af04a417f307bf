//! A proposal's branch in a person's own repository. A branch is only ever made, moved or taken away where it still is
//! what we last made of it; nothing that is checked out is touched.

use std::path::{Path, PathBuf};

use workers::git::{Git, GitError, Mirror};

/// Why a branch could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum BranchError {
    /// Somebody else has moved it.
    #[error("branch `{branch}` is at {found}, not at {expected}: somebody else has moved it")]
    Moved {
        /// The branch.
        branch: String,
        /// Where we left it.
        expected: String,
        /// Where it is.
        found: String,
    },
    /// It is checked out.
    #[error("branch `{branch}` is checked out in `{at}`")]
    CheckedOut {
        /// The branch.
        branch: String,
        /// In which folder.
        at: String,
    },
    /// It is not where it was.
    #[error("there is no repository at `{0}` any more")]
    Gone(String),
    /// Git could not.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// A repository on this machine.
#[derive(Debug, Clone)]
pub struct Target {
    git: Git,
    path: String,
}

/// Where the repository at `path` keeps what it knows: `.git`, what a linked work tree's `.git` names, or `path`.
fn git_folder(path: &Path) -> PathBuf {
    let inside = path.join(".git");
    if inside.is_dir() {
        return inside;
    }
    match std::fs::read_to_string(&inside) {
        Ok(link) => path.join(link.trim().strip_prefix("gitdir: ").unwrap_or(".")),
        Err(_) => path.to_owned(),
    }
}

/// No commit, as git writes it.
const NOTHING: &str = "0000000000000000000000000000000000000000";

impl Target {
    /// The repository at a path: bare or with a work tree.
    ///
    /// # Errors
    /// If there is none.
    pub async fn open(path: &Path) -> Result<Self, BranchError> {
        if !path.is_dir() {
            return Err(BranchError::Gone(path.display().to_string()));
        }
        let probe = Git::at(&git_folder(path));
        let folder = probe.line(&["rev-parse", "--absolute-git-dir"]).await?;
        Ok(Self {
            git: Git::at(Path::new(&folder)),
            path: path.display().to_string(),
        })
    }

    /// Where it is, as the spec says it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Git in it, with trusted settings.
    pub fn git(&self) -> &Git {
        &self.git
    }

    /// The commit of a branch; none if there is no such branch.
    pub async fn head(&self, branch: &str) -> Result<Option<String>, BranchError> {
        let name = format!("refs/heads/{branch}");
        let found = self
            .git
            .line(&["for-each-ref", "--format=%(refname) %(objectname)", &name])
            .await?;
        Ok(found
            .lines()
            .filter_map(|line| line.split_once(' '))
            .find(|(full, _)| *full == name)
            .map(|(_, commit)| commit.to_owned()))
    }

    /// The folder in which a branch is checked out, if it is.
    pub async fn checked_out(&self, branch: &str) -> Result<Option<String>, BranchError> {
        let listed = self.git.line(&["worktree", "list", "--porcelain"]).await?;
        let wanted = format!("branch refs/heads/{branch}");
        Ok(listed.split("\n\n").find_map(|entry| {
            let bare = entry.lines().any(|line| line == "bare");
            let here = entry.lines().any(|line| line == wanted);
            (here && !bare).then(|| {
                entry
                    .lines()
                    .next()
                    .and_then(|line| line.strip_prefix("worktree "))
                    .unwrap_or("?")
                    .to_owned()
            })
        }))
    }

    async fn has(&self, commit: &str) -> bool {
        self.git
            .run(&["cat-file", "-e", &format!("{commit}^{{commit}}")])
            .await
            .is_ok()
    }

    /// Brings a commit from `mirror` and puts `branch` on it, if the branch is at `expected` (none: not there) or
    /// there already.
    ///
    /// # Errors
    /// [`BranchError::Moved`] and [`BranchError::CheckedOut`] if it is somebody else's now.
    pub async fn put(
        &self,
        mirror: &Path,
        branch: &str,
        commit: &str,
        expected: Option<&str>,
    ) -> Result<(), BranchError> {
        let found = self.head(branch).await?;
        if found.as_deref() == Some(commit) {
            return Ok(());
        }
        if found.as_deref() != expected {
            return Err(BranchError::Moved {
                branch: branch.to_owned(),
                expected: expected.unwrap_or("nothing").to_owned(),
                found: found.unwrap_or_else(|| "nothing".to_owned()),
            });
        }
        if let Some(at) = self.checked_out(branch).await? {
            return Err(BranchError::CheckedOut {
                branch: branch.to_owned(),
                at,
            });
        }
        self.bring(mirror, commit).await?;
        self.move_to(branch, commit, expected.unwrap_or(NOTHING)).await
    }

    /// Brings a commit's objects from `mirror`; no branch is moved.
    pub async fn bring(&self, mirror: &Path, commit: &str) -> Result<(), BranchError> {
        if self.has(commit).await {
            return Ok(());
        }
        // A fetch takes names, not commits; the name also keeps the mirror from forgetting the commit.
        let name = format!("refs/loops/{commit}");
        Git::at(mirror).run(&["update-ref", &name, commit]).await?;
        let changes = Mirror::changes(mirror);
        let from = if changes.is_dir() { &changes } else { mirror };
        let from = from.display().to_string();
        let how = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
        ];
        self.git
            .run(&[&how[..], &["--end-of-options", &from, &name]].concat())
            .await?;
        Ok(())
    }

    /// Moves a branch from `old` to `new` in one step, or not at all.
    pub async fn move_to(&self, branch: &str, new: &str, old: &str) -> Result<(), BranchError> {
        self.git
            .run(&[
                "update-ref",
                "-m",
                "loops",
                &format!("refs/heads/{branch}"),
                new,
                old,
            ])
            .await?;
        Ok(())
    }

    /// Takes a branch away, if it is at `expected` and not checked out. Whether it did.
    pub async fn remove(&self, branch: &str, expected: &str) -> Result<bool, BranchError> {
        if self.head(branch).await?.as_deref() != Some(expected) || self.checked_out(branch).await?.is_some()
        {
            return Ok(false);
        }
        self.git
            .run(&["update-ref", "-d", &format!("refs/heads/{branch}"), expected])
            .await?;
        Ok(true)
    }

    /// Whether `commit` is in the history of `branch`.
    pub async fn contains(&self, branch: &str, commit: &str) -> Result<bool, BranchError> {
        let Some(head) = self.head(branch).await? else {
            return Ok(false);
        };
        if !self.has(commit).await {
            return Ok(false);
        }
        let beyond = self
            .git
            .line(&["rev-list", "--max-count=1", commit, "--not", &head])
            .await?;
        Ok(beyond.is_empty())
    }
}
