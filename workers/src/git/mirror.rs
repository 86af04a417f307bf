//! A bare copy of a repository on this machine, from which workspaces are made. The repository itself is only read.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

use super::{ATTRIBUTES, Git, GitError, Remote, objects::checked};

/// More packs than this are put together.
const MANY_PACKS: usize = 50;

/// How long a fetch may take.
const FETCH: std::time::Duration = std::time::Duration::from_secs(1800);

/// A bare copy of a repository.
#[derive(Debug)]
pub struct Mirror;

impl Mirror {
    /// Brings the mirror at `at` (made if it is not there) up to date with a branch of `source`, a folder or an
    /// `https://` address with the way in (see [`Remote`]), and gives the commit that the branch is at. `HEAD` is the branch that the source is on.
    /// Any number may run at once on one mirror, also in other processes: they wait for each other.
    ///
    /// # Errors
    /// If the source is not a repository, is empty, has no such branch or cannot be reached.
    pub async fn update(source: impl Into<Remote>, at: &Path, branch: &str) -> Result<String, GitError> {
        let from = Source::read(source.into())?;
        let branch = Branch::read(branch)?;
        let _lock = lock(at).await?;
        let git = Git::exactly(at).timeout(FETCH).protocols(from.protocols());
        prepare(at).await?;
        from.look(&git, &branch).await?;
        from.fetch(&git, &branch).await?;
        git.line(&[
            "rev-parse",
            "--verify",
            "--end-of-options",
            &format!("{}^{{commit}}", branch.ours),
        ])
        .await
    }

    /// Puts many small packs together, so that git stays quick; false: there are few. No object is lost, whether or not
    /// anything names it: the store names trees that no ref does.
    ///
    /// # Errors
    /// If git cannot do it; then all is as it was.
    pub async fn tidy(at: &Path) -> Result<bool, GitError> {
        let mut tidied = false;
        for git_dir in [at.to_owned(), Self::changes(at)] {
            if packs_in(&git_dir) <= MANY_PACKS {
                continue;
            }
            let _lock = lock(at).await?;
            Git::exactly(&git_dir)
                .timeout(FETCH)
                .run(&[
                    "repack",
                    "--geometric=2",
                    "-d",
                    "--quiet",
                    "--no-write-bitmap-index",
                ])
                .await?;
            tidied = true;
        }
        Ok(tidied)
    }

    /// The commit that a branch was at when it was fetched last; none: the mirror has none, says so elsewhere than where a
    /// fetch writes it, or has no place for changes yet, which a fetch makes. Starts no process.
    pub fn known(at: &Path, branch: &str) -> Option<String> {
        let branch = Branch::read(branch).ok()?;
        if !Self::changes(at).join("config").is_file() {
            return None;
        }
        let text = std::fs::read_to_string(at.join(branch.ours)).ok()?;
        let commit = text.trim_end();
        checked(commit).ok().map(str::to_owned)
    }

    /// Takes a commit with its tree, as [`Git::pack_commit`] packs it, into the mirror at `at` (made if it is not there).
    /// The mirror's history ends there: what the commit names as its parents is not asked for.
    ///
    /// # Errors
    /// If the pack is damaged, is refused by git's own checks, or lacks the commit.
    pub async fn receive(at: &Path, commit: &str, pack: &[u8]) -> Result<(), GitError> {
        checked(commit)?;
        let _lock = lock(at).await?;
        prepare(at).await?;
        let path = at.join("shallow");
        let known = std::fs::read_to_string(&path).unwrap_or_default();
        if !known.lines().any(|line| line == commit) {
            // Written before the commit is there: git would look for its parents.
            let all = format!("{known}{commit}\n");
            let new = at.join("shallow.new");
            put_durably(&new, &path, &all).map_err(GitError::file(&path))?;
        }
        let git = Git::exactly(at).timeout(FETCH);
        git.run_with_stdin(&["index-pack", "--stdin", "--strict"], pack)
            .await?;
        git.tree_of(commit).await.map(drop)
    }

    /// Whether the base part of the mirror at `at` has a commit: what only a change brought is not for sandboxes.
    ///
    /// # Errors
    /// If the mirror cannot be read.
    pub async fn has(at: &Path, commit: &str) -> Result<bool, GitError> {
        if !at.join("config").is_file() {
            return Ok(false);
        }
        Git::exactly(at).has(commit).await
    }

    /// The git directory beside a mirror's own for what attempts leave: it sees the mirror's objects, and the mirror does
    /// not see its. Sandboxes are shown the mirror's alone, so that no attempt reads what another one wrote.
    #[must_use]
    pub fn changes(at: &Path) -> PathBuf {
        at.join("changes")
    }
}

/// Makes the git directory for changes if it is not there.
async fn prepare_changes(at: &Path) -> Result<(), GitError> {
    let changes = Mirror::changes(at);
    if changes.join("config").is_file() {
        return Ok(());
    }
    // Under another name until it is whole: whoever finds it uses it.
    let new = at.join("changes.new");
    if new.exists() {
        std::fs::remove_dir_all(&new).map_err(GitError::file(&new))?;
    }
    Git::nowhere()
        .run(&["init", "--bare", "--quiet", "--template=", &new.to_string_lossy()])
        .await?;
    let info = new.join("info");
    std::fs::create_dir_all(&info).map_err(GitError::file(&info))?;
    std::fs::write(info.join("attributes"), ATTRIBUTES).map_err(GitError::file(&info))?;
    let alternates = new.join("objects/info");
    std::fs::create_dir_all(&alternates).map_err(GitError::file(&alternates))?;
    let alternates = alternates.join("alternates");
    std::fs::write(&alternates, "../../objects\n").map_err(GitError::file(&alternates))?;
    // History ends where the mirror's ends, also if that is known only later.
    std::os::unix::fs::symlink("../shallow", new.join("shallow")).map_err(GitError::file(&new))?;
    // Nobody but us: what is in there is not for a sandbox's user, were it ever shown to one.
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&new, closed).map_err(GitError::file(&new))?;
    std::fs::rename(&new, &changes).map_err(GitError::file(&changes))
}

/// How many packs a git directory of ours has.
fn packs_in(git_dir: &Path) -> usize {
    let packs = std::fs::read_dir(git_dir.join("objects/pack"))
        .into_iter()
        .flatten()
        .flatten();
    packs
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "pack"))
        .count()
}

/// Writes a file by way of another one, so that it is there whole or not at all, also after the machine's fall.
fn put_durably(new: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = File::create(new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(new, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Makes it if it is not there.
async fn prepare(at: &Path) -> Result<(), GitError> {
    if !at.join("config").is_file() {
        std::fs::create_dir_all(at).map_err(GitError::file(at))?;
        // Readable by the sandbox's user, who is another one when we are root; the folder above is ours alone.
        let folder = at.to_string_lossy();
        Git::nowhere()
            .run(&[
                "init",
                "--bare",
                "--quiet",
                "--template=",
                "--shared=0644",
                &folder,
            ])
            .await?;
    }
    let info = at.join("info");
    std::fs::create_dir_all(&info).map_err(GitError::file(&info))?;
    std::fs::write(info.join("attributes"), ATTRIBUTES).map_err(GitError::file(&info))?;
    prepare_changes(at).await
}

/// Waits for its turn; the lock ends with the file, and with the process.
async fn lock(at: &Path) -> Result<File, GitError> {
    let mut path = at.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(GitError::file(folder))?;
    }
    let file = File::create(&path).map_err(GitError::file(&path))?;
    let waiting = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
    waiting
        .map_err(std::io::Error::other)
        .and_then(|locked| locked)
        .map_err(GitError::file(&path))
}

/// A branch's name there and here.
struct Branch {
    name: String,
    theirs: String,
    ours: String,
}

impl Branch {
    fn read(name: &str) -> Result<Self, GitError> {
        let odd = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
        if name.is_empty() || name.starts_with(['-', '/']) || name.contains("..") || name.contains(odd) {
            return Err(GitError::Source(format!(
                "`{}` is not a branch's name",
                name.escape_default()
            )));
        }
        let theirs = if name == "HEAD" {
            name.to_owned()
        } else {
            format!("refs/heads/{name}")
        };
        Ok(Self {
            name: name.to_owned(),
            theirs,
            ours: format!("refs/loops/base/{name}"),
        })
    }
}

/// Where a mirror is fetched from.
enum Source {
    Folder(PathBuf),
    Address(Remote),
}

impl Source {
    fn read(remote: Remote) -> Result<Self, GitError> {
        let source = &remote.address;
        match remote.protocols() {
            Some(["file"]) => {}
            Some(_) => return Ok(Self::Address(remote)),
            None => {
                return Err(GitError::Source(format!(
                    "`{}` cannot be fetched; give a folder or an `https://` address (`http://` only to this machine \
                     itself)",
                    source.escape_default()
                )));
            }
        }
        let path = std::fs::canonicalize(source).map_err(|error| {
            GitError::Source(format!("the repository `{source}` cannot be read: {error}"))
        })?;
        Ok(Self::Folder(path))
    }

    fn protocols(&self) -> &'static [&'static str] {
        match self {
            Self::Folder(_) => &["file"],
            // What cannot be spoken with was refused when it was read.
            Self::Address(remote) => remote.protocols().unwrap_or(&[]),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Folder(path) => path.to_string_lossy().into_owned(),
            Self::Address(remote) => remote.address.clone(),
        }
    }

    /// Says in words what is wrong with a repository that cannot be mirrored.
    async fn look(&self, git: &Git, branch: &Branch) -> Result<(), GitError> {
        let name = self.name();
        let config = self.trusting()?;
        let git = git.clone().env("GIT_CONFIG_GLOBAL", config.path());
        let refs = git.run(&["ls-remote", "--", &name]).await.map_err(|error| match error {
            GitError::Failed { message, .. } if message.contains("does not appear to be a git repository") => {
                GitError::Source(format!("`{name}` is not a git repository; run `git init` in it and commit, or name another folder"))
            }
            GitError::Failed { message, .. } => GitError::Source(format!("`{name}` cannot be fetched: {message}")),
            error => error,
        })?;
        let refs = String::from_utf8_lossy(&refs);
        let known: Vec<&str> = refs
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(_, name)| name)
            .collect();
        if known.contains(&branch.theirs.as_str()) {
            return Ok(());
        }
        let branches: Vec<&str> = known
            .iter()
            .filter_map(|name| name.strip_prefix("refs/heads/"))
            .take(8)
            .collect();
        if branches.is_empty() {
            return Err(GitError::Source(format!(
                "`{name}` has no commits yet; commit something first"
            )));
        }
        let asked = &branch.name;
        Err(GitError::Source(format!(
            "`{name}` has no branch `{asked}`; it has: {}",
            branches.join(", ")
        )))
    }

    async fn fetch(&self, git: &Git, branch: &Branch) -> Result<(), GitError> {
        let config = self.trusting()?;
        let git = git.clone().env("GIT_CONFIG_GLOBAL", config.path());
        let spec = format!("+{}:{}", branch.theirs, branch.ours);
        // A shallow source makes a shallow mirror; its history ends where the source's does.
        git.run(&[
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--no-auto-gc",
            "--update-shallow",
            "--",
            &self.name(),
            &spec,
        ])
        .await
        .map(drop)
    }

    /// The configuration that lets git in: to a folder of another user, or past what guards an address. A person
    /// named the folder, and reading it runs nothing: the one hook of the sending side is only taken from configuration
    /// like this.
    fn trusting(&self) -> Result<tempfile::NamedTempFile, GitError> {
        match self {
            Self::Folder(_) => Remote {
                address: String::new(),
                config: Some("[safe]\n\tdirectory = *\n".to_owned()),
            }
            .config_file(),
            Self::Address(remote) => remote.config_file(),
        }
    }
}
