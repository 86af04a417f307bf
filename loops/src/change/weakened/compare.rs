//! Tests before, against tests after: which is which, and what each lost.

use std::collections::{HashMap, HashSet};

use super::{Cases, Diff, Language, Weakening, WeakeningKind, is_test_path, quoted};
use crate::change::{
    Status,
    cases::{Assertion, Case, Mark, MarkKind, is_looser},
};

/// Above this many pairs no moved tests are looked for, and all that are not where they were count as removed.
const MAX_PAIRS: usize = 250_000;

/// How many helpers that assert are looked for in the bodies of tests.
const MAX_HELPERS: usize = 50;

/// A file of one side, read.
pub(super) struct At {
    pub(super) path: String,
    pub(super) language: Language,
    pub(super) cases: Cases,
}

/// What the comparison of both sides brought.
#[derive(Default)]
pub(super) struct Comparison {
    pub(super) weakenings: Vec<Weakening>,
    /// Names of tests on the base and in the change.
    pub(super) renamed: Vec<(String, String)>,
}

/// A case with its place and with all that it asserts, also through helpers.
struct Test<'a> {
    path: &'a str,
    case: &'a Case,
    /// Whether the runner picks up the file, by its name.
    file_runs: bool,
    asserts: Vec<&'a Assertion>,
    texts: HashSet<&'a str>,
}

pub(super) fn compare(diff: &Diff, before: Vec<At>, after: Vec<At>) -> Comparison {
    let (old, new) = (tests(&before), tests(&after));
    let mut comparison = Comparison::default();
    let new_path: HashMap<&str, &str> = diff
        .files
        .iter()
        .filter_map(|file| Some((file.old_path.as_deref()?, file.new_path.as_deref()?)))
        .collect();
    let pairs = pairs(&old, &new, &new_path);
    for (test, found) in old.iter().zip(&pairs) {
        match found.map(|at| &new[at]) {
            Some(other) => {
                if test.case.short != other.case.short && test.case.is_test {
                    comparison
                        .renamed
                        .push((test.case.short.clone(), other.case.short.clone()));
                }
                compare_test(test, other, &mut comparison.weakenings);
            }
            None if test.case.is_test => comparison.weakenings.push(Weakening {
                path: Some(new_path.get(test.path).copied().unwrap_or(test.path).to_owned()),
                line: None,
                kind: WeakeningKind::Removed,
                words: format!("{} was removed", quoted(&test.case.name)),
            }),
            None => {}
        }
    }
    gather_deleted(diff, &before, &mut comparison.weakenings);
    for file in &after {
        let same = before
            .iter()
            .find(|old| new_path.get(old.path.as_str()) == Some(&file.path.as_str()));
        compare_file(diff, same, file, &mut comparison.weakenings);
    }
    comparison
}

/// The tests of one side, and the helpers that they call, with what each asserts.
fn tests(side: &[At]) -> Vec<Test<'_>> {
    let is_test_code = |file: &At, case: &Case| is_test_path(&file.path) || case.in_tests || case.is_test;
    let all = || {
        side.iter()
            .flat_map(|file| file.cases.cases.iter().map(move |case| (file, case)))
            .filter(|(file, case)| is_test_code(file, case))
    };
    let helpers: Vec<(String, &Case)> = all()
        .filter(|(_, case)| !case.is_test && !case.assertions.is_empty())
        .take(MAX_HELPERS)
        .map(|(_, case)| (format!("{}(", case.short), case))
        .collect();
    all()
        .map(|(file, case)| {
            let called = helpers.iter().filter(|(call, helper)| {
                case.is_test && helper.short != case.short && case.body.contains(call)
            });
            let asserts: Vec<&Assertion> = case
                .assertions
                .iter()
                .chain(called.flat_map(|(_, helper)| &helper.assertions))
                .collect();
            let texts = asserts.iter().map(|assertion| assertion.text.as_str()).collect();
            Test {
                path: &file.path,
                case,
                file_runs: runs(&file.path, file.language),
                asserts,
                texts,
            }
        })
        .collect()
}

/// Whether runners pick a file up by its name, as they come.
fn runs(path: &str, language: Language) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    match language {
        Language::Rust => true,
        Language::Python => stem.starts_with("test") || stem.ends_with("_test"),
        Language::JavaScript => {
            let marked = [".test", ".spec", "_test", "-test", ".e2e", ".cy"]
                .iter()
                .any(|end| stem.ends_with(end));
            marked || stem.starts_with("test") || path.contains("__tests__/")
        }
        Language::Go => stem.ends_with("_test"),
        Language::Java => is_test_path(file) || stem.starts_with("Test"),
    }
}

/// For each test of the base, where it is in the change.
fn pairs(old: &[Test<'_>], new: &[Test<'_>], new_path: &HashMap<&str, &str>) -> Vec<Option<usize>> {
    let mut found: Vec<Option<usize>> = vec![None; old.len()];
    let mut taken = vec![false; new.len()];
    let mut by_key = |key_of_old: &dyn Fn(&Test<'_>) -> String, key_of_new: &dyn Fn(&Test<'_>) -> String| {
        let mut places: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, test) in new.iter().enumerate().rev().filter(|(at, _)| !taken[*at]) {
            places.entry(key_of_new(test)).or_default().push(at);
        }
        for (place, test) in found.iter_mut().zip(old).filter(|(place, _)| place.is_none()) {
            if let Some(at) = places.get_mut(&key_of_old(test)).and_then(Vec::pop) {
                (*place, taken[at]) = (Some(at), true);
            }
        }
    };
    let moved = |path: &str| new_path.get(path).copied().unwrap_or(path).to_owned();
    by_key(
        &|test| format!("{}\0{}", moved(test.path), test.case.name),
        &|test| format!("{}\0{}", test.path, test.case.name),
    );
    by_key(&|test| test.case.name.clone(), &|test| test.case.name.clone());
    let with_body = |test: &Test<'_>| format!("{}\0{}", test.case.short, test.case.body);
    by_key(&with_body, &with_body);
    let (missing, free) = (
        found.iter().filter(|place| place.is_none()).count(),
        taken.iter().filter(|taken| !**taken).count(),
    );
    if missing.saturating_mul(free) > MAX_PAIRS {
        return found;
    }
    // Moved or renamed: what asserts all that it asserted. Failing that, the same code where no runner finds it.
    for wants_test in [true, false] {
        for (place, test) in found
            .iter_mut()
            .zip(old)
            .filter(|(place, test)| place.is_none() && test.case.is_test)
        {
            let candidates = || {
                new.iter()
                    .enumerate()
                    .filter(|(at, other)| !taken[*at] && other.case.is_test == wants_test)
            };
            let keeps_all = |other: &Test<'_>| !test.texts.is_empty() && test.texts.is_subset(&other.texts);
            let same_code = |other: &Test<'_>| test.case.body == other.case.body && !test.case.is_empty();
            let best = candidates()
                .find(|(_, other)| same_code(other))
                .or_else(|| {
                    candidates().find(|(_, other)| keeps_all(other) && other.case.short == test.case.short)
                })
                .or_else(|| candidates().find(|(_, other)| keeps_all(other)));
            if let Some((at, _)) = best {
                (*place, taken[at]) = (Some(at), true);
            }
        }
    }
    found
}

fn compare_test(old: &Test<'_>, new: &Test<'_>, weakenings: &mut Vec<Weakening>) {
    if !old.case.is_test {
        return;
    }
    let name = quoted(&new.case.name);
    let mut say = |line: u32, kind, words: String| {
        weakenings.push(Weakening {
            path: Some(new.path.to_owned()),
            line: Some(line),
            kind,
            words,
        });
    };
    if !new.case.is_test || (old.file_runs && !new.file_runs) {
        let words = format!(
            "{} is now {name} in {}, which the runner does not pick up",
            quoted(&old.case.name),
            quoted(new.path)
        );
        say(new.case.line, WeakeningKind::RenamedAway, words);
        return;
    }
    for (kind, mark) in new_marks(&old.case.marks, &new.case.marks) {
        say(mark, kind, format!("{name} {}", marked(kind)));
    }
    if new.case.rows < old.case.rows {
        let words = format!("{name} has {} cases, and had {}", new.case.rows, old.case.rows);
        say(new.case.line, WeakeningKind::FewerCases, words);
    }
    if (new.asserts.is_empty() && !old.asserts.is_empty()) || (new.case.is_empty() && !old.case.is_empty()) {
        say(
            new.case.line,
            WeakeningKind::Emptied,
            format!("{name} no longer asserts anything"),
        );
        return;
    }
    let gone = missing(&old.asserts, &new.asserts);
    let added = missing(&new.asserts, &old.asserts);
    if gone.len() > added.len() {
        let first = gone
            .first()
            .map_or_else(String::new, |assertion| quoted(&assertion.text));
        let words = format!(
            "{name} has {} fewer assertions; gone is {first}",
            gone.len() - added.len()
        );
        say(new.case.line, WeakeningKind::AssertionRemoved, words);
    } else if is_looser(&gone, &added) {
        let texts = |assertions: &[&Assertion]| {
            assertions
                .first()
                .map_or_else(String::new, |first| quoted(&first.text))
        };
        let words = format!(
            "{name} asserted {}, and now asserts {}",
            texts(&gone),
            texts(&added)
        );
        say(
            added.first().map_or(new.case.line, |first| first.line),
            WeakeningKind::Loosened,
            words,
        );
    }
}

/// The assertions that are in `from` more often than in `other`.
fn missing<'a>(from: &[&'a Assertion], other: &[&Assertion]) -> Vec<&'a Assertion> {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for assertion in other {
        *left.entry(&assertion.text).or_default() += 1;
    }
    let is_missing = |assertion: &&&Assertion| match left.get_mut(assertion.text.as_str()) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    let mut is_missing = is_missing;
    from.iter()
        .filter(|assertion| is_missing(assertion))
        .copied()
        .collect()
}

fn kind_of(mark: MarkKind) -> WeakeningKind {
    match mark {
        MarkKind::Skip => WeakeningKind::Skipped,
        MarkKind::Focus => WeakeningKind::Focused,
        MarkKind::MayFail => WeakeningKind::MayFail,
        MarkKind::Retry => WeakeningKind::Retried,
    }
}

fn marked(kind: WeakeningKind) -> &'static str {
    match kind {
        WeakeningKind::Focused => "runs, and the tests beside it no longer do",
        WeakeningKind::MayFail => "may fail without anybody hearing of it",
        WeakeningKind::Retried => "is tried again when it fails",
        _ => "is skipped, always or sometimes",
    }
}

/// The kinds of marks of which there are more than there were, with the line of the last one.
fn new_marks(old: &[Mark], new: &[Mark]) -> Vec<(WeakeningKind, u32)> {
    let count = |marks: &[Mark], kind| marks.iter().filter(|mark| mark.kind == kind).count();
    [
        MarkKind::Skip,
        MarkKind::Focus,
        MarkKind::MayFail,
        MarkKind::Retry,
    ]
    .into_iter()
    .filter(|kind| count(new, *kind) > count(old, *kind))
    .filter_map(|kind| {
        Some((
            kind_of(kind),
            new.iter().rev().find(|mark| mark.kind == kind)?.line,
        ))
    })
    .collect()
}

/// What a file as a whole lost.
fn compare_file(diff: &Diff, old: Option<&At>, new: &At, weakenings: &mut Vec<Weakening>) {
    let none = Cases::default();
    let before = old.map_or(&none, |old| &old.cases);
    let mut say = |line, kind, words| {
        weakenings.push(Weakening {
            path: Some(new.path.clone()),
            line: Some(line),
            kind,
            words,
        });
    };
    if is_test_path(&new.path) {
        for (kind, line) in new_marks(&before.marks, &new.cases.marks) {
            say(
                line,
                kind,
                format!(
                    "the tests in {}: what is here {}",
                    quoted(&new.path),
                    file_marked(kind)
                ),
            );
        }
    }
    // A test that is new and focused keeps all others from running; a new one that is skipped keeps none.
    for case in new
        .cases
        .cases
        .iter()
        .filter(|case| is_test_path(&new.path) && case.is_test)
    {
        let is_new = !before.cases.iter().any(|old| old.name == case.name);
        if let Some(mark) = case
            .marks
            .iter()
            .find(|mark| is_new && mark.kind == MarkKind::Focus)
        {
            say(
                mark.line,
                WeakeningKind::Focused,
                format!("{} {}", quoted(&case.name), marked(WeakeningKind::Focused)),
            );
        }
    }
    for (module, _) in &before.modules {
        let is_there = new.cases.modules.iter().any(|(name, _)| name == module);
        let is_inline = new
            .cases
            .cases
            .iter()
            .any(|case| case.name.split("::").any(|part| part == module));
        let file_changed = diff.files.iter().any(|file| {
            let ends = |path: &str| {
                path.ends_with(&format!("{module}.rs")) || path.ends_with(&format!("{module}/mod.rs"))
            };
            file.status != Status::Modified && file.old_path.as_deref().is_some_and(ends)
        });
        let of_tests = is_test_path(&new.path) || module.contains("test");
        if of_tests && !is_there && !is_inline && !file_changed {
            let words = format!(
                "{} no longer has the module {}, so its tests do not run",
                quoted(&new.path),
                quoted(module)
            );
            say(1, WeakeningKind::RenamedAway, words);
        }
    }
}

fn file_marked(kind: WeakeningKind) -> &'static str {
    match kind {
        WeakeningKind::Retried => "tries those again that fail",
        _ => "keeps some from running",
    }
}

/// Puts the removed tests of a deleted file into one sentence.
fn gather_deleted(diff: &Diff, before: &[At], weakenings: &mut Vec<Weakening>) {
    for file in diff.files.iter().filter(|file| file.status == Status::Deleted) {
        let path = file.path();
        let is_removed = |weakening: &Weakening| {
            weakening.kind == WeakeningKind::Removed && weakening.path.as_deref() == Some(path)
        };
        let removed = weakenings
            .iter()
            .filter(|weakening| is_removed(weakening))
            .count();
        let is_expectation = path.ends_with(".snap") || path.contains("__snapshots__/");
        if (removed == 0 && !is_expectation) || (removed > 0 && !is_test_path(path)) {
            continue;
        }
        let of = before
            .iter()
            .find(|at| at.path == path)
            .map_or(0, |at| at.cases.cases.iter().filter(|case| case.is_test).count());
        weakenings.retain(|weakening| !is_removed(weakening));
        let what = if is_expectation {
            "with what tests expect".to_owned()
        } else {
            format!("with {removed} of its {of} tests")
        };
        weakenings.push(Weakening {
            path: Some(path.to_owned()),
            line: None,
            kind: WeakeningKind::FileDeleted,
            words: format!("{} was deleted {what}", quoted(path)),
        });
    }
}
