//! What an agent leaves for git: settings that run programs, objects that lie, names that are another name elsewhere.
//! The attack: the service reads the change. The control: a person's git does the same in the same folder.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use futures_util::StreamExt as _;
use tempfile::TempDir;
use workers::{git::Mirror, workspace::Workspace};

use super::{Family, Row};

pub(crate) fn family() -> Family {
    let row = |attack: &Attack| Row {
        tried: attack.tried.to_owned(),
        by: attack.by.to_owned(),
        control: format!("a person's `git` there: {}", attack.person),
    };
    Family {
        name: "Git",
        how: "A workspace as a hostile agent leaves it. The service takes its change and diff; in the control a person's git \
              is used in the same folder, and runs or believes what stands there.",
        rows: ATTACKS.iter().map(row).collect(),
    }
}

/// How the harm is seen.
enum Harm {
    /// `$MARK` was made: a program of the agent's has run.
    Ran,
    /// The person's git prints this of a lie; the service's change has none of it.
    Believes(&'static str),
    /// The person's git does not show this, which is in the change. The service's diff does.
    Hides(&'static str),
    /// The person's git takes a name; the service refuses it with these words.
    Takes(&'static str),
}

struct Attack {
    tried: &'static str,
    by: &'static str,
    /// For `sh` in the workspace. `$MARK` is a file outside, `$EVIL` a program that makes it, `$OTHER` a repository with a
    /// file `secret`.
    leaves: &'static str,
    /// What a person does then.
    person: &'static str,
    harm: Harm,
}

const DIRECTORY: &str = "the trusted git directory is elsewhere";
const FIXED: &str = "its settings are elsewhere, and fixed";
const RAW: &str = "files are hashed as they are, without attributes";

const ATTACKS: &[Attack] = &[
    Attack {
        tried: "a hook that runs when something is added",
        by: DIRECTORY,
        leaves: "mkdir -p .git/hooks; cp $EVIL .git/hooks/post-index-change",
        person: "git add -A",
        harm: Harm::Ran,
    },
    Attack {
        tried: "hooks in a folder that `core.hooksPath` names",
        by: FIXED,
        leaves: "mkdir -p mine; cp $EVIL mine/pre-commit; git config core.hooksPath mine",
        person: "git commit -q --allow-empty -m x",
        harm: Harm::Ran,
    },
    Attack {
        tried: "a hook that runs when a reference moves",
        by: DIRECTORY,
        leaves: "mkdir -p .git/hooks; cp $EVIL .git/hooks/reference-transaction",
        person: "git tag x",
        harm: Harm::Ran,
    },
    Attack {
        tried: "`core.fsmonitor`",
        by: FIXED,
        leaves: "git config core.fsmonitor $EVIL",
        person: "git status",
        harm: Harm::Ran,
    },
    Attack {
        tried: "a filter that cleans files (`filter.clean`)",
        by: RAW,
        leaves: "git config filter.evil.clean $EVIL; echo '* filter=evil' > .gitattributes; rm -f .git/info/attributes",
        person: "git add -A",
        harm: Harm::Ran,
    },
    Attack {
        tried: "a filter that stays (`filter.process`)",
        by: RAW,
        leaves: "git config filter.evil.process $EVIL; echo '* filter=evil' > .gitattributes; rm -f .git/info/attributes",
        person: "git add -A",
        harm: Harm::Ran,
    },
    Attack {
        tried: "a filter for what is checked out (`filter.smudge`)",
        by: RAW,
        leaves: "git config filter.evil.smudge $EVIL; echo '* filter=evil' > .git/info/attributes; rm a.txt",
        person: "git checkout -- a.txt",
        harm: Harm::Ran,
    },
    Attack {
        tried: "a program that shows differences (`diff.external`)",
        by: "it is switched off, and its settings are elsewhere",
        leaves: "git config diff.external $EVIL; echo two > a.txt",
        person: "git diff",
        harm: Harm::Ran,
    },
    Attack {
        tried: "a program that makes files readable (`textconv`)",
        by: "it is switched off, and its settings are elsewhere",
        leaves: "git config diff.evil.textconv $EVIL; echo '*.txt diff=evil' > .gitattributes; rm -f .git/info/attributes; echo two > a.txt",
        person: "git diff",
        harm: Harm::Ran,
    },
    Attack {
        tried: "a driver for merges",
        by: FIXED,
        leaves: "git config merge.evil.driver $EVIL; echo '*.txt merge=evil' > .gitattributes; rm -f .git/info/attributes; git checkout -q -b one; echo 1 > a.txt; git commit -qam 1; \
                 git checkout -q -b two HEAD~1; echo 2 > a.txt; git commit -qam 2",
        person: "git merge one",
        harm: Harm::Ran,
    },
    Attack {
        tried: "an alias",
        by: FIXED,
        leaves: "git config alias.st \"!$EVIL\"",
        person: "git st",
        harm: Harm::Ran,
    },
    Attack {
        tried: "an editor",
        by: FIXED,
        leaves: "git config core.editor $EVIL; echo two > a.txt",
        person: "git commit -a",
        harm: Harm::Ran,
    },
    Attack {
        tried: "a program for signatures (`gpg.program`)",
        by: FIXED,
        leaves: "git config gpg.program $EVIL; git config commit.gpgsign true",
        person: "git commit -q --allow-empty -m x",
        harm: Harm::Ran,
    },
    Attack {
        tried: "a helper for credentials",
        by: FIXED,
        leaves: "git config credential.helper \"!$EVIL\"",
        person: "printf 'protocol=https\\nhost=x.example\\n\\n' | git credential fill",
        harm: Harm::Ran,
    },
    Attack {
        tried: "a remote that is a program (`ext::`)",
        by: "only the mirror is fetched from, by named protocols",
        leaves: "git config remote.origin.url \"ext::$EVIL\"; git config protocol.ext.allow always",
        person: "git fetch origin",
        harm: Harm::Ran,
    },
    Attack {
        tried: "a program for connections (`core.sshCommand`)",
        by: FIXED,
        leaves: "git config core.sshCommand $EVIL; git config remote.origin.url ssh://x.example/y",
        person: "git fetch origin",
        harm: Harm::Ran,
    },
    Attack {
        tried: "a program on the other side of a fetch (`uploadpack`)",
        by: FIXED,
        leaves: "git config remote.origin.url $OTHER; git config remote.origin.uploadpack $EVIL",
        person: "git fetch origin",
        harm: Harm::Ran,
    },
    Attack {
        tried: "more settings by `include.path`",
        by: FIXED,
        leaves: "printf '[core]\\n\\tfsmonitor = %s\\n' $EVIL > settings; git config include.path ../settings",
        person: "git status",
        harm: Harm::Ran,
    },
    Attack {
        tried: "`.git` as a file that leads to another directory",
        by: "whatever is called `.git` is not read",
        leaves: "mv .git elsewhere; git --git-dir=elsewhere config core.fsmonitor $EVIL; git --git-dir=elsewhere config core.bare false; echo 'gitdir: elsewhere' > .git",
        person: "git status",
        harm: Harm::Ran,
    },
    Attack {
        tried: "a repository further down",
        by: "whatever is called `.git` is not read",
        leaves: "mkdir sub; git init -q sub; git -C sub config core.fsmonitor $EVIL",
        person: "git -C sub status",
        harm: Harm::Ran,
    },
    Attack {
        tried: "a submodule whose settings run a program",
        by: "whatever is called `.git` is not read",
        leaves: "git -c protocol.file.allow=always submodule --quiet add $OTHER sub; git -C sub config core.fsmonitor $EVIL",
        person: "git status",
        harm: Harm::Ran,
    },
    Attack {
        tried: "objects of another repository (`alternates`)",
        by: DIRECTORY,
        leaves: "mkdir -p .git/objects/info; echo $OTHER/.git/objects >> .git/objects/info/alternates; echo two > a.txt",
        person: "git cat-file -p $(git -C $OTHER rev-parse HEAD:secret)",
        harm: Harm::Believes("crown-jewels"),
    },
    Attack {
        tried: "another commit in the place of the base (`replace`)",
        by: DIRECTORY,
        leaves: "blob=$(echo forged | git hash-object -w --stdin); git replace $(git rev-parse HEAD:a.txt) $blob; echo two > b.txt",
        person: "git show HEAD:a.txt",
        harm: Harm::Believes("forged"),
    },
    Attack {
        tried: "another history (`grafts`)",
        by: DIRECTORY,
        leaves: "new=$(git commit-tree -m forged HEAD^{tree}); mkdir -p .git/info; echo $(git rev-parse HEAD) $new > .git/info/grafts; echo two > b.txt",
        person: "git log --format=%s",
        harm: Harm::Believes("forged"),
    },
    Attack {
        tried: "another base under the same name (moving `HEAD`)",
        by: "the change is taken against the commit that the run began from",
        leaves: "echo forged > a.txt; git commit -qam forged; echo two > b.txt",
        person: "git diff --stat HEAD -- a.txt; git log --format=%s -1",
        harm: Harm::Believes("forged"),
    },
    Attack {
        tried: "another folder as the work tree (`core.worktree`)",
        by: FIXED,
        leaves: "git config core.worktree $OTHER; echo two > b.txt",
        person: "git add -A && git diff --cached",
        harm: Harm::Believes("crown-jewels"),
    },
    Attack {
        tried: "a changed file that git is told not to look at (`assume-unchanged`)",
        by: "every file is read and hashed",
        leaves: "git update-index --assume-unchanged a.txt; echo smuggled > a.txt",
        person: "git add -A && git diff --cached",
        harm: Harm::Hides("smuggled"),
    },
    Attack {
        tried: "the same by `skip-worktree`",
        by: "every file is read and hashed",
        leaves: "git update-index --skip-worktree a.txt; echo smuggled > a.txt",
        person: "git add -A && git diff --cached",
        harm: Harm::Hides("smuggled"),
    },
    Attack {
        tried: "new files that a rule of its own ignores (`.gitignore`)",
        by: "only what the base ignores is left out",
        leaves: "echo '*' > .gitignore; echo smuggled > new.txt",
        person: "git add -A && git diff --cached",
        harm: Harm::Hides("smuggled"),
    },
    Attack {
        tried: "the same in `.git/info/exclude`",
        by: DIRECTORY,
        leaves: "mkdir -p .git/info; echo 'new.txt' > .git/info/exclude; echo smuggled > new.txt",
        person: "git add -A && git diff --cached",
        harm: Harm::Hides("smuggled"),
    },
    Attack {
        tried: "the same by the name of a file of rules (`core.excludesFile`)",
        by: FIXED,
        leaves: "echo '*.txt' > rules; git config core.excludesFile rules; echo smuggled > new.txt",
        person: "git add -A && git diff --cached -- new.txt",
        harm: Harm::Hides("smuggled"),
    },
    Attack {
        tried: "a difference that is not shown (`-diff` in `.gitattributes`)",
        by: "a change's attributes are not read",
        leaves: "echo '* -diff' > .gitattributes; rm -f .git/info/attributes; echo smuggled > a.txt",
        person: "git add -A && git diff --cached",
        harm: Harm::Hides("+smuggled"),
    },
    Attack {
        tried: "a file that is another one when it is read (`working-tree-encoding`)",
        by: RAW,
        leaves: "echo '*.txt working-tree-encoding=UTF-16LE' > .gitattributes; rm -f .git/info/attributes; printf 's\\0m\\0\\n\\0' > a.txt; echo other > b.txt",
        person: "git add -A 2>&1 && git diff --cached -- a.txt",
        harm: Harm::Believes("+sm"),
    },
    Attack {
        tried: "a comparison that looks away (`diff.orderFile` of the agent's, `core.whitespace`, `diff.ignoreSubmodules`)",
        by: FIXED,
        leaves: "git config diff.noprefix true; git config diff.srcPrefix x; git config core.quotePath false; git config diff.interHunkContext 0; \
                 git config diff.relative true; mkdir deep; echo smuggled > new.txt",
        person: "git add -A && cd deep && git diff --cached",
        harm: Harm::Hides("smuggled"),
    },
    Attack {
        tried: "a sparse checkout that leaves files out",
        by: DIRECTORY,
        leaves: "git config core.sparseCheckout true; git config core.sparseCheckoutCone false; mkdir -p .git/info; echo '/b.txt' > .git/info/sparse-checkout; git read-tree -mu HEAD; echo smuggled > a.txt",
        person: "git add -A 2>/dev/null; git diff --cached",
        harm: Harm::Hides("smuggled"),
    },
    Attack {
        tried: "`.git` in capitals, for file systems without case",
        by: "refused by name",
        leaves: "mkdir .GIT; echo x > .GIT/config",
        person: "tree=$(printf '100644 blob %s\\tconfig\\n' $(git hash-object -w .GIT/config) | git mktree) && printf '040000 tree %s\\t.GIT\\n' $tree | git mktree | xargs git ls-tree -r --name-only",
        harm: Harm::Takes("git's own"),
    },
    Attack {
        tried: "`git~1`, its short name on NTFS",
        by: "refused by name",
        leaves: "mkdir git~1; echo x > git~1/config",
        person: "git -c core.protectNTFS=false add -A && git ls-files",
        harm: Harm::Takes("git's own"),
    },
    Attack {
        tried: "`.git` with a letter that HFS+ ignores",
        by: "refused by name",
        leaves: "mkdir .g\u{200c}it; echo x > .g\u{200c}it/config",
        person: "git -c core.protectHFS=false add -A && git ls-files",
        harm: Harm::Takes("name"),
    },
    Attack {
        tried: "`.git ` and `.git.`, whose ends Windows drops",
        by: "refused by name",
        leaves: "mkdir '.git '; echo x > '.git /config'",
        person: "git -c core.protectNTFS=false add -A && git ls-files",
        harm: Harm::Takes("name"),
    },
    Attack {
        tried: "`.git::$INDEX_ALLOCATION`, a stream of NTFS",
        by: "refused by name",
        leaves: "mkdir '.git::$INDEX_ALLOCATION'; echo x > '.git::$INDEX_ALLOCATION/config'",
        person: "git -c core.protectNTFS=false add -A && git ls-files",
        harm: Harm::Takes("name"),
    },
    Attack {
        tried: "a line break in a name",
        by: "refused by name",
        leaves: "printf x > 'a.txt\nb/x'  2>/dev/null || printf x > \"$(printf 'x\\ny')\"",
        person: "git add -A && git ls-files",
        harm: Harm::Takes("control"),
    },
    Attack {
        tried: "two names that differ only in case",
        by: "refused by name",
        leaves: "echo x > A.TXT",
        person: "git add -A && git ls-files",
        harm: Harm::Takes("upper and lower"),
    },
];

/// What each of them finds.
struct Ground {
    folder: TempDir,
    base: String,
}

fn sh(at: &Path, ground: &Ground, mark: &Path, script: &str) -> String {
    let out = Command::new("timeout")
        .args(["-s", "KILL", "5", "sh", "-c", script])
        .current_dir(at)
        .env("MARK", mark)
        .env("EVIL", mark.with_extension("sh"))
        .env("OTHER", ground.folder.path().join("other"))
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "p")))
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "p@x")))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    format!(
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    )
}

impl Ground {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut ground = Self {
            folder,
            base: String::new(),
        };
        for (name, files) in [
            ("repository", "echo one > a.txt; echo one > b.txt"),
            ("other", "echo crown-jewels > secret"),
        ] {
            let at = ground.folder.path().join(name);
            fs::create_dir(&at).unwrap();
            let script = format!("git init -q -b main . && {files}; git add -A && git commit -q -m first");
            sh(&at, &ground, &at, &script);
        }
        let repository = ground.folder.path().join("repository");
        ground.base = Mirror::update(&repository.to_string_lossy(), &ground.mirror(), "main")
            .await
            .unwrap();
        ground
    }

    fn mirror(&self) -> PathBuf {
        self.folder.path().join("mirror")
    }

    /// Plays one; what was wrong, if something was.
    async fn play(&self, number: usize, attack: &Attack) -> Option<String> {
        let scratch = self.folder.path().join(number.to_string());
        let mark = self.folder.path().join(format!("mark-{number}"));
        let evil = mark.with_extension("sh");
        fs::write(&evil, format!("#!/bin/sh\n: > '{}'\n", mark.display())).unwrap();
        fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).unwrap();
        let workspace = Workspace::create_for(&self.mirror(), &self.base, None, &scratch, false)
            .await
            .unwrap();
        let root = workspace.root();
        let left = sh(root, self, &mark, attack.leaves);
        // What the agent runs itself, it runs inside.
        let _ = fs::remove_file(&mark);
        let captured = workspace.capture().await;
        let shown = match &captured {
            Ok(Some(change)) => workspace.git().diff(&self.base, &change.tree).await.unwrap(),
            Ok(None) => String::new(),
            Err(error) => format!("refused: {error}"),
        };
        let ran = mark.exists();
        let said = sh(root, self, &mark, attack.person);
        let (stopped, harm) = match attack.harm {
            Harm::Ran => (!ran && captured.is_ok(), mark.exists()),
            Harm::Believes(words) => (!shown.contains(words) || !lies(attack), said.contains(words)),
            Harm::Hides(words) => (shown.contains(words), !said.contains(words)),
            Harm::Takes(words) => (
                shown.starts_with("refused") && shown.contains(words),
                !said.contains("error:") && !said.contains("fatal:") && !said.is_empty(),
            ),
        };
        let fault = match (stopped, harm) {
            (true, true) => return None,
            (false, _) => "NOT STOPPED",
            (_, false) => "NO HARM IN THE CONTROL",
        };
        Some(format!(
            "{fault}: {}: left {left:?}, shown {shown:?}, said {said:?}",
            attack.tried
        ))
    }
}

/// Whether the words would be a lie in the service's diff, too: a real change of the file is none.
fn lies(attack: &Attack) -> bool {
    !attack.tried.starts_with("another base")
}

#[tokio::test]
async fn nothing_that_was_left_for_git_is_run_or_believed() {
    let ground = Ground::new().await;
    let all = ATTACKS
        .iter()
        .enumerate()
        .map(|(number, attack)| ground.play(number, attack));
    let wrong: Vec<String> = futures_util::stream::iter(all)
        .buffer_unordered(2)
        .filter_map(async |wrong| wrong)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
