//! Branches at GitHub, by git: the way in for mirrors, pushing only over what we expect, looking where a branch is.
//! The login goes to git in a file that only we can read. Nothing is ever forced without saying what it replaces.

use std::{path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use workers::git::{Git, GitError, Remote};

use super::{GitHubError, Repository, answer::cut, ask::Name};

/// How long a push may take.
const PUSH: Duration = Duration::from_secs(600);
/// How long looking at a branch may take.
const LOOK: Duration = Duration::from_secs(60);

/// A reference, as the API has it.
#[derive(Debug, Deserialize)]
struct Reference {
    #[serde(rename = "ref")]
    whole: String,
    object: Object,
}

/// What it is at.
#[derive(Debug, Deserialize)]
struct Object {
    sha: String,
}

impl Repository {
    /// Where git finds it, and with what it is let in. The token in it may last less than an hour: ask for each use.
    ///
    /// # Errors
    /// If GitHub gives no token.
    pub async fn git_access(&self) -> Result<Remote, GitHubError> {
        let site = self.hub().site();
        let site = site.as_str().trim_end_matches('/').to_owned();
        let address = format!("{site}/{}.git", self.full_name());
        let token = self
            .hub()
            .wire()
            .token(&Name::Owner(self.owner().to_owned()))
            .await?;
        let basic = STANDARD.encode(format!("x-access-token:{}", token.expose()));
        // An address of the site alone: git sends the header to no other, and names in it need no quoting.
        let config = format!(
            "[http \"{site}/\"]\n\textraHeader = Authorization: Basic {basic}\n[http]\n\tlowSpeedLimit = 1000\n\tlowSpeedTime = 60\n"
        );
        Ok(Remote {
            address,
            config: Some(config),
        })
    }

    /// Puts the branch at `head`, a commit of `mirror`, if it is at `expected` (none: if there is no such branch). That
    /// it is at `head` already is fine, so this may be repeated.
    ///
    /// # Errors
    /// [`GitHubError::Moved`] if the branch is elsewhere; if the login may not push, or GitHub cannot be reached.
    pub async fn push(
        &self,
        mirror: &Path,
        branch: &str,
        head: &str,
        expected: Option<&str>,
    ) -> Result<(), GitHubError> {
        let branch = Branch::read(branch)?;
        check_commit(head)?;
        if let Some(expected) = expected {
            check_commit(expected)?;
        }
        let doing = format!("push `{}` to `{}`", branch.0, self.full_name());
        let lease = format!(
            "--force-with-lease={}:{}",
            branch.whole(),
            expected.unwrap_or_default()
        );
        let spec = format!("{head}:{}", branch.whole());
        let pushed = self
            .git(
                mirror,
                &doing,
                &["push", "--quiet", "--no-verify", &lease],
                &[&spec],
            )
            .await;
        self.settle(pushed, &branch, Some(head), expected).await
    }

    /// Where a branch is; none: there is no such branch.
    ///
    /// # Errors
    /// If the login may not look, or GitHub cannot be reached.
    pub async fn branch_head(&self, branch: &str) -> Result<Option<String>, GitHubError> {
        let branch = Branch::read(branch)?;
        let doing = format!("look where `{}` of `{}` is", branch.0, self.full_name());
        let access = self.git_access().await?;
        let git = Git::nowhere().timeout(LOOK);
        let whole = branch.whole();
        let told = run(git, &access, &doing, &["ls-remote"], &[&whole]).await?;
        Ok(told
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .find(|(_, name)| *name == whole)
            .map(|(commit, _)| commit.to_owned()))
    }

    /// Where a branch was a moment ago, as the API has it; none: it knows of none. Costs no process, and nothing of the
    /// rate limit while the branch stays; after a push of ours it may lag, so [`Self::branch_head`] is for that.
    ///
    /// # Errors
    /// If the login may not look, or GitHub cannot be reached.
    pub async fn branch_lately(&self, branch: &str) -> Result<Option<String>, GitHubError> {
        let branch = Branch::read(branch)?;
        let doing = format!("look where `{}` of `{}` is", branch.0, self.full_name());
        let path: Vec<&str> = ["git", "ref", "heads"]
            .into_iter()
            .chain(branch.0.split('/'))
            .collect();
        let found: Reference = match self.call(self.get(&path, &doing)).await {
            Err(GitHubError::NotFound { .. }) => return Ok(None),
            answer => answer?.json(&doing)?,
        };
        Ok(
            (found.whole == branch.whole() && check_commit(&found.object.sha).is_ok())
                .then_some(found.object.sha),
        )
    }

    /// Takes a branch away if it is at `expected`. That it is not there is fine.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub async fn remove_branch(&self, branch: &str, expected: &str) -> Result<(), GitHubError> {
        let branch = Branch::read(branch)?;
        check_commit(expected)?;
        let doing = format!("remove `{}` from `{}`", branch.0, self.full_name());
        // Git pushes from a repository only, and an empty one has all that it takes.
        let empty = tempfile::tempdir().map_err(|error| GitError::File {
            path: std::env::temp_dir(),
            error,
        })?;
        let folder = empty.path().to_string_lossy().into_owned();
        Git::nowhere()
            .run(&["init", "--bare", "--quiet", "--template=", &folder])
            .await?;
        let lease = format!("--force-with-lease={}:{expected}", branch.whole());
        let spec = format!(":{}", branch.whole());
        let pushed = self
            .git(
                empty.path(),
                &doing,
                &["push", "--quiet", "--no-verify", &lease],
                &[&spec],
            )
            .await;
        self.settle(pushed, &branch, None, Some(expected)).await
    }

    /// What became of a push: when it failed, the branch tells.
    async fn settle(
        &self,
        pushed: Result<String, GitHubError>,
        branch: &Branch,
        wanted: Option<&str>,
        expected: Option<&str>,
    ) -> Result<(), GitHubError> {
        let Err(error) = pushed else { return Ok(()) };
        let look = matches!(
            error,
            GitHubError::Conflict { .. }
                | GitHubError::Unreachable { .. }
                | GitHubError::Invalid { .. }
                | GitHubError::Git(_)
        );
        if !look {
            return Err(error);
        }
        // If we cannot look, what came first is what to tell.
        let Ok(found) = self.branch_head(&branch.0).await else {
            return Err(error);
        };
        if found.as_deref() == wanted {
            return Ok(());
        }
        if found.as_deref() != expected {
            return Err(GitHubError::Moved {
                branch: branch.0.clone(),
                found,
            });
        }
        Err(error)
    }

    async fn git(
        &self,
        at: &Path,
        doing: &str,
        args: &[&str],
        specs: &[&str],
    ) -> Result<String, GitHubError> {
        let access = self.git_access().await?;
        run(Git::at(at).timeout(PUSH), &access, doing, args, specs).await
    }
}

/// Runs git with a way in, which lasts as long as the command.
async fn run(
    git: Git,
    access: &Remote,
    doing: &str,
    args: &[&str],
    specs: &[&str],
) -> Result<String, GitHubError> {
    let config = access.config_file()?;
    let protocols = access
        .protocols()
        .ok_or_else(|| GitError::Source(format!("`{}` cannot be spoken with", access.address)))?;
    let git = git.protocols(protocols).env("GIT_CONFIG_GLOBAL", config.path());
    let args = [args, &["--", &access.address], specs].concat();
    let printed = git
        .run(&args)
        .await
        .map_err(|error| judge(doing, access, error))?;
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// What git's words mean.
fn judge(doing: &str, access: &Remote, error: GitError) -> GitHubError {
    let doing = doing.to_owned();
    let message = match error {
        GitError::Failed { message, .. } => cut(&scrub(&message, access)),
        GitError::TimedOut { seconds, .. } => {
            let why = format!("git was stopped after {seconds} s");
            return GitHubError::Unreachable { doing, why };
        }
        error => return GitHubError::Git(error),
    };
    let low = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| low.contains(word));
    if says(&[
        "stale info",
        "fetch first",
        "non-fast-forward",
        "already exists",
        "cannot lock ref",
    ]) {
        return GitHubError::Conflict { doing, message };
    }
    if says(&[
        "authentication failed",
        "could not read username",
        "error: 401",
        "invalid username",
    ]) {
        return GitHubError::Unauthorized { doing, message };
    }
    let wanted = |text: &str| Some(text.to_owned());
    if says(&["without `workflow` scope", "without `workflows` permission"]) {
        let wanted = wanted("the permission `workflows: write` (classic tokens: the scope `workflow`)");
        return GitHubError::Forbidden {
            doing,
            message,
            wanted,
        };
    }
    if says(&[
        "gh006",
        "gh013",
        "protected branch",
        "repository rule violations",
        "push declined",
    ]) {
        return GitHubError::Forbidden {
            doing,
            message,
            wanted: None,
        };
    }
    if says(&[
        "error: 403",
        "permission to",
        "write access to repository not granted",
    ]) {
        let wanted = wanted("the permission `contents: write`");
        return GitHubError::Forbidden {
            doing,
            message,
            wanted,
        };
    }
    if says(&["repository not found", "not found"]) {
        let wanted = wanted("the permission `contents: write`");
        return GitHubError::NotFound { doing, wanted };
    }
    if says(&["pre-receive hook declined", "remote rejected"]) {
        return GitHubError::Invalid { doing, message };
    }
    GitHubError::Unreachable { doing, why: message }
}

/// Git's words without what it was given to get in.
fn scrub(message: &str, access: &Remote) -> String {
    let mut message = message.to_owned();
    for line in access.config.as_deref().unwrap_or_default().lines() {
        if let Some((_, secret)) = line.split_once("Basic ") {
            message = message.replace(secret.trim(), "***");
        }
    }
    message
}

/// A branch's name that git takes.
struct Branch(String);

impl Branch {
    fn read(name: &str) -> Result<Self, GitHubError> {
        let odd = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
        let bad = name.is_empty()
            || name.len() > 250
            || name.contains(odd)
            || name.starts_with(['-', '/'])
            || name.ends_with(['/', '.'])
            || name.ends_with(".lock")
            || name.contains("..")
            || name.contains("//")
            || name.contains("@{")
            || name == "@";
        if bad {
            return Err(GitHubError::Invalid {
                doing: format!("use the branch `{}`", cut(&name.escape_debug().to_string())),
                message: "that is not a branch's name".to_owned(),
            });
        }
        Ok(Self(name.to_owned()))
    }

    fn whole(&self) -> String {
        format!("refs/heads/{}", self.0)
    }
}

fn check_commit(commit: &str) -> Result<(), GitHubError> {
    let good = matches!(commit.len(), 40 | 64) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    if good {
        return Ok(());
    }
    Err(GitHubError::Invalid {
        doing: format!("use the commit `{}`", cut(&commit.escape_debug().to_string())),
        message: "that is not a commit's whole name".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Remedy;

    use super::*;

    #[test]
    fn what_git_says_is_understood_and_holds_no_login() {
        let access = Remote {
            address: "https://github.com/acme/shop.git".to_owned(),
            config: Some(
                "[http \"https://github.com/\"]\n\textraHeader = Authorization: Basic aHVzaA==\n".to_owned(),
            ),
        };
        for (said, remedy) in [
            ("! [rejected] a -> b (stale info); aHVzaA==", Remedy::GiveUp),
            (
                "fatal: Authentication failed for 'https://github.com/acme/shop.git/' aHVzaA==",
                Remedy::AskHuman,
            ),
            (
                "remote: Permission to acme/shop.git denied to x.; The requested URL returned error: 403",
                Remedy::AskHuman,
            ),
            ("remote: Repository not found.", Remedy::AskHuman),
            (
                "remote: error: GH006: Protected branch update failed for refs/heads/main.",
                Remedy::AskHuman,
            ),
            (
                "refusing to allow a Personal Access Token to create or update workflow `.github/workflows/a.yml` without `workflow` scope",
                Remedy::AskHuman,
            ),
            (
                "fatal: unable to access: Could not resolve host: github.com",
                Remedy::Retry(None),
            ),
        ] {
            let error = GitError::Failed {
                command: "push".to_owned(),
                message: said.to_owned(),
            };
            let error = judge("push", &access, error);
            assert_eq!(error.remedy(), remedy, "{error}");
            assert!(!error.to_string().contains("aHVzaA"), "{error}");
        }
    }

    #[test]
    fn what_could_be_read_as_an_option_or_another_ref_is_no_branch() {
        for name in [
            "", "-d", "a b", "a:b", "+a", "a..b", "a\n", "/a", "a/", "x.lock", "@", "a@{1}",
        ] {
            assert_eq!(Branch::read(name).is_err(), name != "+a", "{name}");
        }
        assert!(Branch::read("loops/shop/fix-1").is_ok());
        for commit in ["HEAD", "", "abc", "--force", &"g".repeat(40)] {
            assert!(check_commit(commit).is_err(), "{commit}");
        }
        assert!(check_commit(&"0a".repeat(20)).is_ok());
    }
}
