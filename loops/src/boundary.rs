//! What a change may touch. Everything here fails closed: a glob that cannot be read, a mode that is not known and
//! a name that nobody can read are all reasons to refuse.

pub mod dependencies;
mod names;
mod protected;
mod within;

pub use names::folded;
pub(crate) use protected::is_dependency_file;

pub use within::{NotWithin, within};

use std::collections::HashMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

use crate::{
    change::{Diff, FileChange, Status},
    spec::{Boundaries, Dependencies},
};

/// Which rule a change breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The path is not among those that may change.
    Write,
    /// The path is among those that may not change.
    Deny,
    /// More files changed than may.
    MaxFiles,
    /// More lines changed than may.
    MaxLines,
    /// A symbolic link.
    Symlink,
    /// A submodule.
    Submodule,
    /// A file became executable, or has a mode that is not known.
    FileMode,
    /// A file that nobody can read in a diff.
    Binary,
    /// A file that tells CI, git hooks or agents what to do.
    Configuration,
    /// A migration of a database.
    Migration,
    /// A name that misleads people or file systems.
    OddName,
    /// Dependencies or lock files, which the loop forbids.
    Dependencies,
    /// Dependencies or lock files, about which a person decides.
    AskDependencies,
    /// A glob of the loop or of the task cannot be read.
    BadGlob,
}

/// A rule that a change breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Where; none: the change as a whole.
    pub path: Option<String>,
    /// Which rule.
    pub rule: Rule,
    /// For a person and for the agent: what is so.
    pub words: String,
}

impl Violation {
    /// Whether a person can let it pass; else the change is refused.
    pub fn needs_a_person(&self) -> bool {
        self.rule == Rule::AskDependencies
    }
}

/// A path in words: control characters and what hides or turns text are written out.
fn shown(path: &str) -> String {
    let mut text = String::from("`");
    for c in path.chars().take(200) {
        if names::misleads(c) || c == '`' {
            text.extend(c.escape_unicode())
        } else {
            text.push(c)
        }
    }
    text.push('`');
    text
}

/// What is wrong with a change. `extra_write` are the globs of its task, which narrow the loop's; empty: they do not.
pub fn judge(diff: &Diff, boundaries: &Boundaries, extra_write: &[String]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let globs = (
        globs(&boundaries.write, false),
        globs(&boundaries.deny, true),
        globs(extra_write, false),
    );
    let (write, deny, task) = match globs {
        (Ok(write), Ok(deny), Ok(task)) => (write, deny, task),
        (write, deny, task) => {
            let why = [write.err(), deny.err(), task.err()].into_iter().flatten();
            return why
                .map(|words| Violation {
                    path: None,
                    rule: Rule::BadGlob,
                    words,
                })
                .collect();
        }
    };
    for file in &diff.files {
        for path in file.paths() {
            let mut say = |rule, words: String| {
                violations.push(Violation {
                    path: Some(path.to_owned()),
                    rule,
                    words: format!("{} {words}", shown(path)),
                });
            };
            if deny.is_match(path) || deny.is_match(path.to_lowercase()) {
                say(Rule::Deny, "is among the paths that may not change".to_owned());
            } else if !write.is_match(path) {
                say(Rule::Write, "is not among the paths that may change".to_owned());
            } else if !extra_write.is_empty() && !task.is_match(path) {
                say(Rule::Write, "is not among the paths of this task".to_owned());
            }
            if let Some(what) =
                protected::configuration(path).filter(|_| !protected::is_named(path, &boundaries.write))
            {
                say(
                    Rule::Configuration,
                    format!("{what}; the loop's `write` does not name it"),
                );
            }
            if protected::is_migration(path) && !protected::is_named(path, &boundaries.write) {
                say(
                    Rule::Migration,
                    "is a migration of a database; the loop's `write` does not name it".to_owned(),
                );
            }
            if is_dependency_file(path) {
                match boundaries.dependencies {
                    Dependencies::Allow => {}
                    Dependencies::Ask => say(
                        Rule::AskDependencies,
                        "says what is depended on: a person must decide".to_owned(),
                    ),
                    Dependencies::Forbid => say(
                        Rule::Dependencies,
                        "says what is depended on, and this loop may not change that".to_owned(),
                    ),
                }
            }
        }
        of_file(file, &mut violations);
    }
    same_but_for_case(diff, &mut violations);
    let (files, lines) = (diff.file_count(), diff.added().saturating_add(diff.removed()));
    if files > boundaries.max_files as usize {
        let words = format!("{files} files changed, and at most {} may", boundaries.max_files);
        violations.push(Violation {
            path: None,
            rule: Rule::MaxFiles,
            words,
        });
    }
    if lines > boundaries.max_lines as usize {
        let words = format!(
            "{lines} lines were added and removed, and at most {} may be",
            boundaries.max_lines
        );
        violations.push(Violation {
            path: None,
            rule: Rule::MaxLines,
            words,
        });
    }
    violations
}

/// Globs of paths. `*` stays within a folder; a glob that ends in `/` means all that is in it.
/// Those of `paths` that may change; none, if a glob cannot be read.
pub fn writable<'a>(boundaries: &Boundaries, paths: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let (Ok(write), Ok(deny)) = (globs(&boundaries.write, false), globs(&boundaries.deny, true)) else {
        return Vec::new();
    };
    let may = |path: &&str| write.is_match(path) && !deny.is_match(path);
    paths.into_iter().filter(may).collect()
}

fn globs(texts: &[String], any_case: bool) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for text in texts {
        let text = if text.ends_with('/') {
            format!("{text}**")
        } else {
            text.clone()
        };
        let glob = GlobBuilder::new(&text)
            .literal_separator(true)
            .case_insensitive(any_case)
            .backslash_escape(true)
            .build();
        set.add(glob.map_err(|why| format!("the glob `{text}` cannot be read: {why}"))?);
    }
    set.build()
        .map_err(|why| format!("the globs cannot be read: {why}"))
}

const LINK: u32 = 0o120_000;
const SUBMODULE: u32 = 0o160_000;
const PLAIN: u32 = 0o100_644;
const EXECUTABLE: u32 = 0o100_755;

/// What a file is, apart from where it is.
fn of_file(file: &FileChange, violations: &mut Vec<Violation>) {
    let path = file.path();
    let mut say = |rule, words: &str| {
        violations.push(Violation {
            path: Some(path.to_owned()),
            rule,
            words: format!("{} {words}", shown(path)),
        });
    };
    if file.lossy_path {
        say(Rule::OddName, "has a name that is no UTF-8");
    }
    if let Some(path) = &file.new_path
        && let Some(why) = names::odd(path)
    {
        say(Rule::OddName, why);
    }
    if file.old_mode == Some(SUBMODULE) || file.new_mode == Some(SUBMODULE) {
        say(
            Rule::Submodule,
            "is a submodule: what is in it is not in the diff",
        );
        return;
    }
    if file.status == Status::Deleted {
        return;
    }
    match file.new_mode {
        Some(LINK) => say(Rule::Symlink, "is a symbolic link: it can point anywhere"),
        Some(PLAIN) => {}
        Some(EXECUTABLE) if file.old_mode == Some(EXECUTABLE) => {}
        Some(EXECUTABLE) => say(Rule::FileMode, "became executable"),
        Some(mode) => say(
            Rule::FileMode,
            &format!("has the mode {mode:06o}, which no file should have"),
        ),
        None => say(Rule::FileMode, "has a mode that the diff does not say"),
    }
    if file.binary {
        say(Rule::Binary, "is binary: nobody can read what changed");
    }
}

/// Names of the change that a file system without case holds for one.
fn same_but_for_case(diff: &Diff, violations: &mut Vec<Violation>) {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for path in diff.files.iter().filter_map(|file| file.new_path.as_deref()) {
        if let Some(other) = seen.insert(folded(path), path).filter(|other| *other != path) {
            let words = format!(
                "{} differs from {} only in case or in the form of its letters",
                shown(path),
                shown(other)
            );
            violations.push(Violation {
                path: Some(path.to_owned()),
                rule: Rule::OddName,
                words,
            });
        }
    }
}

#[cfg(test)]
mod tests;
