//! Repositories of our own making, and what can be seen of them with plain git.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// A repository on this machine: a bare one, or a checkout.
#[derive(Debug, Clone)]
pub struct Repository {
    path: PathBuf,
}

impl Repository {
    /// Makes a bare one with a commit of these files on `main`.
    pub fn create(path: &Path, files: &[(&str, &str)]) -> Self {
        git(
            Path::new("/"),
            &["init", "-q", "--bare", "-b", "main", &path.display().to_string()],
        );
        let repository = Self {
            path: path.to_owned(),
        };
        repository.commit("Begin", files);
        repository
    }

    /// A checkout (or bare repository) that is there already.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a commit with these files, as somebody else would, on `main` of a bare repository; its id.
    pub fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        let (_temporary, work) = self.checked_out("main");
        for (path, text) in files {
            let path = work.path.join(path);
            fs::create_dir_all(path.parent().expect("a file lies in a folder"))
                .expect("a folder can be made");
            fs::write(path, text).expect("a file can be written");
        }
        work.git(&["add", "--all"]);
        work.git(&["commit", "-q", "-m", message]);
        work.git(&["push", "-q", "origin", "HEAD:refs/heads/main"]);
        self.head("main")
    }

    /// The commit of a branch; empty: there is none of that name.
    pub fn head(&self, branch: &str) -> String {
        self.git(&[
            "for-each-ref",
            "--format=%(objectname)",
            &format!("refs/heads/{branch}"),
        ])
    }

    /// The names of all branches.
    pub fn branches(&self) -> Vec<String> {
        let all = self.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
        all.lines().map(str::to_owned).collect()
    }

    /// A file's content at a branch or commit.
    pub fn file(&self, at: &str, path: &str) -> String {
        self.git(&["show", &format!("{at}:{path}")])
    }

    /// A fresh clone of it at `to`, with `main` checked out.
    pub fn checkout(&self, to: &Path) -> Self {
        git(
            Path::new("/"),
            &[
                "clone",
                "-q",
                &self.path.display().to_string(),
                &to.display().to_string(),
            ],
        );
        Self::at(to)
    }

    /// Runs a shell command in a fresh clone of `main`; whether it succeeded, and its output.
    pub fn runs(&self, command: &str) -> (bool, String) {
        let (_temporary, work) = self.checked_out("main");
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(&work.path)
            .output()
            .expect("a shell can be started");
        (output.status.success(), words(&output))
    }

    /// Git's answer in it, which must be a success.
    pub fn git(&self, args: &[&str]) -> String {
        git(&self.path, args)
    }

    fn checked_out(&self, branch: &str) -> (TempDir, Self) {
        let temporary = tempfile::tempdir().expect("a temporary folder can be made");
        let work = self.checkout(&temporary.path().join("work"));
        work.git(&["checkout", "-q", "-B", branch]);
        (temporary, work)
    }
}

fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "init.defaultBranch=main",
            "-c",
            "user.name=Somebody",
            "-c",
            "user.email=somebody@shop.example",
        ])
        .args(["-c", "commit.gpgSign=false", "-c", "advice.detachedHead=false"])
        .args(args)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .expect("git can be started");
    assert!(
        output.status.success(),
        "git {args:?} in {}: {}",
        folder.display(),
        words(&output)
    );
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

fn words(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
