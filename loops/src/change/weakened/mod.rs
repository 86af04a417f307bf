//! Tests that a change weakened, read from its diff and from what ran.
//!
//! First form: removed, skipped, focused, renamed-away and emptied tests; removed and loosened assertions; retries;
//! runner configuration that runs fewer tests. A test that was moved or renamed with what it asserts is not weakened.
//! For languages that it does not know it says that it cannot judge; it never says that all is well.

mod compare;
mod config;
mod results;

pub use results::weakened_by_results;

use serde::{Deserialize, Serialize};

use self::compare::{At, Comparison};
use super::{
    Diff, FileChange, Status,
    cases::{self, Cases},
    languages::{Language, is_other_code},
    paths::is_test_path,
};

/// More of one kind than this tell a person nothing new.
const MAX_OF_A_KIND: usize = 50;

/// How a test was weakened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeakeningKind {
    /// A test is gone.
    Removed,
    /// A file of tests, or of what they expect, is gone.
    FileDeleted,
    /// A test is there, but the runner no longer picks it up.
    RenamedAway,
    /// A test does not run, or only sometimes.
    Skipped,
    /// A test runs, and those beside it no longer do.
    Focused,
    /// A test may fail without anybody hearing of it.
    MayFail,
    /// A test that fails is tried again.
    Retried,
    /// A test does nothing.
    Emptied,
    /// A table of cases has fewer rows.
    FewerCases,
    /// An assertion is gone.
    AssertionRemoved,
    /// An assertion was replaced by one that more values pass.
    Loosened,
    /// The runner was told something else.
    RunnerConfigured,
    /// A test that passed on the base did not run on the change.
    Vanished,
    /// Fewer tests ran than on the base.
    FewerRan,
    /// Tests changed in a way that cannot be read.
    CannotJudge,
}

/// One way in which a change weakened tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weakening {
    /// The file, as the change has it, or the base if it is gone; none for what results alone tell.
    pub path: Option<String>,
    /// The line in that file, from 1.
    pub line: Option<u32>,
    /// How.
    pub kind: WeakeningKind,
    /// For a person: what is so.
    pub words: String,
}

/// What the agent wrote, fit to be put between backticks in a sentence.
fn quoted(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() || c == '`' { ' ' } else { c })
        .take(120)
        .collect();
    format!("`{}`", clean.trim())
}

/// The ways in which a change weakened tests. `base_file` and `new_file` give the text of a path on either side;
/// none: it is not there, or is no text.
pub fn weakened(
    diff: &Diff,
    base_file: impl Fn(&str) -> Option<String>,
    new_file: impl Fn(&str) -> Option<String>,
) -> Vec<Weakening> {
    let mut comparison = compare(diff, &base_file, &new_file);
    for file in &diff.files {
        comparison
            .weakenings
            .extend(config::weakened(file, &base_file, &new_file));
    }
    let mut weakenings = comparison.weakenings;
    weakenings.sort_by(|a, b| (&a.path, a.line, a.kind).cmp(&(&b.path, b.line, b.kind)));
    weakenings.dedup();
    let mut of_kind = std::collections::HashMap::new();
    weakenings.retain(|weakening| {
        let count = of_kind.entry(weakening.kind).or_insert(0_usize);
        *count += 1;
        *count <= MAX_OF_A_KIND
    });
    weakenings
}

/// Tests that have another name in the change, with all that they asserted: old and new name.
pub fn renamed_tests(
    diff: &Diff,
    base_file: impl Fn(&str) -> Option<String>,
    new_file: impl Fn(&str) -> Option<String>,
) -> Vec<(String, String)> {
    compare(diff, &base_file, &new_file).renamed
}

fn compare(
    diff: &Diff,
    base_file: &impl Fn(&str) -> Option<String>,
    new_file: &impl Fn(&str) -> Option<String>,
) -> Comparison {
    let (mut before, mut after, mut cannot) = (Vec::new(), Vec::new(), Vec::new());
    for file in &diff.files {
        let (old, new) = (file.old_path.as_deref(), file.new_path.as_deref());
        let tests = old.into_iter().chain(new).any(is_test_path);
        if tests && let Some(why) = beyond_judgement(file) {
            cannot.push(cannot_judge(file, why));
        }
        let mut read = |path: Option<&str>, text: &dyn Fn(&str) -> Option<String>, side: &mut Vec<At>| {
            let Some((path, language)) = path.and_then(|path| Some((path, Language::of(path)?))) else {
                return;
            };
            if !is_test_path(path) && language != Language::Rust && !(tests && old != new) {
                return;
            }
            match text(path).and_then(|text| cases::read(&text, language)) {
                Some(cases) => side.push(At {
                    path: path.to_owned(),
                    language,
                    cases,
                }),
                None => cannot.push(cannot_judge(
                    file,
                    "is no text, or is too large or too tangled to be read",
                )),
            }
        };
        read(old, base_file, &mut before);
        read(new, new_file, &mut after);
    }
    let mut comparison = compare::compare(diff, before, after);
    comparison.weakenings.extend(cannot);
    comparison
}

/// Why the tests in a file cannot be judged, if they cannot.
fn beyond_judgement(file: &FileChange) -> Option<&'static str> {
    let known_before = file.old_path.as_deref()?;
    if is_other_code(known_before) || is_other_code(file.path()) {
        return Some("is in a language whose tests cannot be judged");
    }
    let is_code = Language::of(known_before).is_some();
    (is_code && (file.binary || file.lossy_path)).then_some("is no text that can be read")
}

fn cannot_judge(file: &FileChange, why: &str) -> Weakening {
    let verb = if file.status == Status::Deleted {
        "was deleted, and "
    } else {
        ""
    };
    Weakening {
        path: Some(file.path().to_owned()),
        line: None,
        kind: WeakeningKind::CannotJudge,
        words: format!("{} {verb}{why}: a person must look at it", quoted(file.path())),
    }
}

#[cfg(test)]
mod tests;
