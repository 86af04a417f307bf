//! One bare repository on disk, by the git program: no configuration of the machine's is read.
//!
//! Nothing here knows of issues, people or HTTP.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// What a push meets that GitHub refuses by itself: protected branches, and workflow files without the scope.
const UPDATE_HOOK: &str = r#"#!/bin/sh
branch="${1#refs/heads/}"
case " $FAKE_PROTECTED " in
*" $branch "*)
    echo "error: GH006: Protected branch update failed for $1." >&2
    exit 1
    ;;
esac
case "$3" in *[!0]*) ;; *) exit 0 ;; esac
if [ -z "$FAKE_WORKFLOWS" ]; then
    file=$(git log --format= --name-only "$3" --not --all -- .github/workflows | head -n 1)
    if [ -n "$file" ]; then
        echo "refusing to allow this credential to create or update workflow \`$file\` without \`workflow\` scope" >&2
        exit 1
    fi
fi
"#;

/// A bare repository.
#[derive(Debug, Clone)]
pub struct Git {
    dir: PathBuf,
}

/// One commit, as the API shows it.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Its id.
    pub sha: String,
    /// Its tree.
    pub tree: String,
    /// Its parents' ids.
    pub parents: Vec<String>,
    /// The author's name.
    pub author: String,
    /// The author's address.
    pub email: String,
    /// When, ISO 8601.
    pub date: String,
    /// The whole message.
    pub message: String,
}

/// One changed file of a comparison.
#[derive(Debug, Clone)]
pub struct Changed {
    /// Its path.
    pub path: String,
    /// `added`, `removed` or `modified`.
    pub status: &'static str,
    /// Lines added.
    pub added: u64,
    /// Lines removed.
    pub removed: u64,
    /// The unified diff without its head; empty for binary files.
    pub patch: String,
}

impl Git {
    /// Makes an empty bare repository.
    ///
    /// # Panics
    /// If git is not there, or the folder cannot be written.
    pub(super) fn init(dir: PathBuf, default_branch: &str) -> Self {
        std::fs::create_dir_all(&dir).expect("the folder of the fake can be written");
        let git = Self { dir };
        git.run(&["init", "-q", "--bare", "-b", default_branch, "."]);
        git.run(&["config", "http.receivepack", "true"]);
        // A real GitHub serves any commit that a ref of it reaches.
        git.run(&["config", "uploadpack.allowReachableSHA1InWant", "true"]);
        git.run(&["config", "uploadpack.allowFilter", "true"]);
        let hook = git.dir.join("hooks/update");
        std::fs::create_dir_all(git.dir.join("hooks")).expect("hooks can be written");
        std::fs::write(&hook, UPDATE_HOOK).expect("hooks can be written");
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).expect("hooks can be run");
        git
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command
            .args(arguments)
            .current_dir(&self.dir)
            .env("GIT_DIR", &self.dir)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_AUTHOR_NAME", "GitHub")
            .env("GIT_AUTHOR_EMAIL", "noreply@github.com")
            .env("GIT_COMMITTER_NAME", "GitHub")
            .env("GIT_COMMITTER_EMAIL", "noreply@github.com")
            .stdin(Stdio::null());
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("git can be started")
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn try_run(&self, arguments: &[&str]) -> Option<String> {
        let output = self.output(arguments);
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What a branch, a ref or a commit id names, if there is one.
    pub fn sha(&self, name: &str) -> Option<String> {
        if name.is_empty() || name.starts_with('-') {
            return None;
        }
        let find = |name: &str| {
            let name = format!("{name}^{{commit}}");
            self.try_run(&["rev-parse", "--verify", "--quiet", &name])
        };
        let found = find(&format!("refs/heads/{name}")).or_else(|| find(name))?;
        Some(found.trim().to_owned())
    }

    /// The commit at the end of a branch (nothing else: no id, no tag).
    pub fn branch(&self, name: &str) -> Option<String> {
        let name = format!("refs/heads/{name}");
        Some(
            self.try_run(&["rev-parse", "--verify", "--quiet", &name])?
                .trim()
                .to_owned(),
        )
    }

    /// All branches and their commits.
    pub fn branches(&self) -> Vec<(String, String)> {
        self.run(&[
            "for-each-ref",
            "--format=%(refname:strip=2) %(objectname)",
            "refs/heads",
        ])
        .lines()
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, sha)| (name.to_owned(), sha.to_owned()))
        .collect()
    }

    /// Commits files onto a branch (`None` deletes one); makes the branch, from nothing or from `from`, where it is
    /// not there.
    ///
    /// # Panics
    /// If git refuses.
    pub(super) fn commit(
        &self,
        branch: &str,
        from: Option<&str>,
        files: &[(&str, Option<&str>)],
        message: &str,
        by: &str,
        at: i64,
    ) -> String {
        let parent = from
            .and_then(|from| self.sha(from))
            .or_else(|| self.branch(branch));
        let email = format!("{by}@example.com");
        let mut stream = format!(
            "commit refs/heads/{branch}\nauthor {by} <{email}> {at} +0000\ncommitter {by} <{email}> {at} +0000\ndata {}\n{message}\n",
            message.len()
        );
        if let Some(parent) = parent {
            stream += &format!("from {parent}\n");
        }
        for (path, text) in files {
            match text {
                Some(text) => stream += &format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len()),
                None => stream += &format!("D {path}\n"),
            }
        }
        let mut child = self
            .command(&["fast-import", "--quiet", "--force"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("git can be started");
        let written = child
            .stdin
            .take()
            .map(|mut stdin| stdin.write_all(stream.as_bytes()));
        assert!(matches!(written, Some(Ok(()))), "git reads what it is given");
        let done = child.wait().expect("git ends");
        assert!(done.success(), "the commit onto `{branch}` was refused");
        self.branch(branch).expect("the branch that was just written")
    }

    /// Sets a branch to a commit, whatever it was.
    pub(super) fn set(&self, branch: &str, sha: &str) {
        self.run(&["update-ref", &format!("refs/heads/{branch}"), sha]);
    }

    /// Deletes a branch.
    pub(super) fn delete(&self, branch: &str) {
        self.run(&["update-ref", "-d", &format!("refs/heads/{branch}")]);
    }

    /// Where two histories part.
    pub fn merge_base(&self, one: &str, other: &str) -> Option<String> {
        Some(self.try_run(&["merge-base", one, other])?.trim().to_owned())
    }

    /// The tree that a merge leaves, unless it conflicts.
    pub fn merged_tree(&self, base: &str, head: &str) -> Option<String> {
        let out = self.try_run(&["merge-tree", "--write-tree", base, head])?;
        out.lines().next().map(str::to_owned)
    }

    /// Makes a commit of a tree.
    pub(super) fn commit_tree(&self, tree: &str, parents: &[&str], message: &str, at: i64) -> String {
        let mut arguments = vec!["commit-tree", tree, "-m", message];
        for parent in parents {
            arguments.extend(["-p", parent]);
        }
        let date = format!("{at} +0000");
        let output = self
            .command(&arguments)
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .output()
            .expect("git can be started");
        assert!(output.status.success(), "a tree that was merged can be committed");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The commits that `head` has and `base` has not, oldest first.
    pub fn commits(&self, base: &str, head: &str) -> Vec<Commit> {
        self.log(&["--reverse", &format!("{base}..{head}")])
    }

    /// One commit.
    pub fn one(&self, sha: &str) -> Option<Commit> {
        self.log(&["-1", sha]).pop()
    }

    fn log(&self, what: &[&str]) -> Vec<Commit> {
        let mut arguments = vec!["log", "-z", "--format=%H%n%T%n%P%n%an%n%ae%n%aI%n%B"];
        arguments.extend(what);
        arguments.push("--");
        let out = self.try_run(&arguments).unwrap_or_default();
        out.split('\0').filter_map(read_commit).collect()
    }

    /// How many commits `head` has that `base` has not.
    pub fn ahead(&self, base: &str, head: &str) -> usize {
        let range = format!("{base}..{head}");
        self.try_run(&["rev-list", "--count", &range])
            .and_then(|out| out.trim().parse().ok())
            .unwrap_or_default()
    }

    /// What a branch changes since it left its base.
    pub fn changed(&self, base: &str, head: &str) -> Vec<Changed> {
        let range = format!("{base}...{head}");
        let numbers = self
            .try_run(&["diff", "--numstat", "--no-renames", "-z", &range])
            .unwrap_or_default();
        let states = self
            .try_run(&["diff", "--name-status", "--no-renames", "-z", &range])
            .unwrap_or_default();
        let states: Vec<&str> = states.split('\0').collect();
        let status = |path: &str| {
            let found = states.chunks(2).find(|pair| pair.get(1) == Some(&path));
            match found.and_then(|pair| pair.first()).copied() {
                Some("A") => "added",
                Some("D") => "removed",
                _ => "modified",
            }
        };
        let mut changed = Vec::new();
        for line in numbers.split('\0') {
            let mut parts = line.splitn(3, '\t');
            let (Some(added), Some(removed), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let diff = self
                .try_run(&["diff", "--no-renames", &range, "--", path])
                .unwrap_or_default();
            changed.push(Changed {
                path: path.to_owned(),
                status: status(path),
                added: added.parse().unwrap_or_default(),
                removed: removed.parse().unwrap_or_default(),
                patch: diff
                    .find("@@")
                    .map(|at| diff[at..].to_owned())
                    .unwrap_or_default(),
            });
        }
        changed
    }

    /// A file's id and bytes, at a commit.
    pub fn file(&self, sha: &str, path: &str) -> Option<(String, Vec<u8>)> {
        let name = format!("{sha}:{path}");
        let id = self.try_run(&["rev-parse", "--verify", "--quiet", &name])?;
        let output = self.output(&["cat-file", "blob", &name]);
        output
            .status
            .success()
            .then(|| (id.trim().to_owned(), output.stdout))
    }

    /// A folder's entries at a commit: kind, id, size, path. `None` where there is no such folder.
    pub fn folder(&self, sha: &str, path: &str) -> Option<Vec<(String, String, u64, String)>> {
        let name = format!("{sha}:{path}");
        let out = self.try_run(&["ls-tree", "-l", "-z", &name])?;
        let entry = |line: &str| {
            let (left, file) = line.split_once('\t')?;
            let mut left = left.split_whitespace().skip(1);
            let (kind, id, size) = (left.next()?, left.next()?, left.next()?);
            let path = if path.is_empty() {
                file.to_owned()
            } else {
                format!("{path}/{file}")
            };
            Some((
                kind.to_owned(),
                id.to_owned(),
                size.parse().unwrap_or_default(),
                path,
            ))
        };
        Some(out.split('\0').filter_map(entry).collect())
    }
}

fn read_commit(text: &str) -> Option<Commit> {
    let mut parts = text.splitn(7, '\n');
    let mut next = || parts.next().map(str::to_owned);
    Some(Commit {
        sha: next().filter(|sha| !sha.is_empty())?,
        tree: next()?,
        parents: next()?
            .split(' ')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect(),
        author: next()?,
        email: next()?,
        date: next()?,
        message: next()?.trim_end().to_owned(),
    })
}
