//! The test cases in a source file: their names, what they assert, and whether the runner runs them.
//!
//! It reads text, not a syntax tree, so it knows the common styles of each language and no more. What it cannot
//! read is said to be so by [`read`]; it never guesses that all is well.

mod assertions;
mod braces;
mod go;
mod java;
mod javascript;
mod python;
mod rust;

use std::ops::Range;

pub(super) use assertions::{Assertion, is_looser};
pub(super) use rust::{TestRegion, test_regions};

use super::{languages::Language, mask::Masked};

/// Larger files are generated ones; nobody writes tests that long.
const MAX_SOURCE: usize = 1 << 20;

/// Bodies inside bodies are read once for each.
const MAX_REREADS: usize = 16;

/// Nobody nests deeper.
const MAX_DEPTH: usize = 32;

/// Nobody has more blocks that never run.
const MAX_DEAD: usize = 500;

/// What keeps a case from counting as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MarkKind {
    /// It does not run.
    Skip,
    /// It runs, and the others do not.
    Focus,
    /// It may fail.
    MayFail,
    /// It is tried again when it fails.
    Retry,
}

/// A mark on a case or on what is around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) kind: MarkKind,
    pub(super) line: u32,
}

/// A test, or a function of test code.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// With the names of what is around it.
    pub(super) name: String,
    /// Its own name.
    pub(super) short: String,
    /// Its line, from 1.
    pub(super) line: u32,
    /// Whether the runner picks it up. Others are helpers, which may assert, too.
    pub(super) is_test: bool,
    /// Whether it is among tests although its file is source; only Rust says so.
    pub(super) in_tests: bool,
    pub(super) marks: Vec<Mark>,
    pub(super) assertions: Vec<Assertion>,
    /// Its code without comments and with single spaces.
    pub(super) body: String,
    /// How many rows a table of parameters has.
    pub(super) rows: usize,
}

impl Case {
    /// Whether nothing is done in it.
    pub(super) fn is_empty(&self) -> bool {
        let code = self
            .body
            .trim_matches(|c: char| c.is_whitespace() || "{}();.:".contains(c));
        matches!(code, "" | "pass" | "return" | "return None" | "return Ok" | "Ok") || code.ends_with("=> {")
    }
}

/// The cases of a file, and the marks on the file itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Cases {
    pub(super) cases: Vec<Case>,
    pub(super) marks: Vec<Mark>,
    /// Modules of tests that stand in files of their own (`mod tests;` in Rust), and their lines.
    pub(super) modules: Vec<(String, u32)>,
}

/// Marks and where they are.
type Marks = Vec<(MarkKind, usize)>;

/// A function that a language's reader found.
#[derive(Debug, Clone, Default)]
struct Found {
    name: String,
    short: String,
    at: usize,
    is_test: bool,
    in_tests: bool,
    body: Range<usize>,
    /// After this position nothing of the body is reached.
    cut: Option<usize>,
    marks: Marks,
    rows: usize,
}

/// What a language's reader found in a file.
#[derive(Debug, Default)]
struct Reading {
    found: Vec<Found>,
    marks: Marks,
    modules: Vec<(String, usize)>,
    /// Code that never runs, or whose failures are swallowed.
    dead: Vec<Range<usize>>,
    /// How many bytes of bodies were looked at; a body inside a body counts twice.
    looked_at: usize,
    /// Whether the file is more tangled than anybody writes, and so was not read to its end.
    tangled: bool,
}

impl Reading {
    /// Whether a body, this deep inside others, may be looked at. Without this a hostile file would take its length
    /// squared.
    fn may_look(&mut self, masked: &Masked, body: &Range<usize>, depth: usize) -> bool {
        self.looked_at = self.looked_at.saturating_add(body.len());
        self.tangled |= depth > MAX_DEPTH || self.looked_at > masked.code.len().saturating_mul(MAX_REREADS);
        !self.tangled
    }
}

/// Reads the cases of a file; none: it is too large or too tangled to be judged.
pub(super) fn read(source: &str, language: Language) -> Option<Cases> {
    if source.len() > MAX_SOURCE {
        return None;
    }
    let masked = Masked::of(source, language);
    let reading = match language {
        Language::Python => python::read(&masked),
        Language::JavaScript => javascript::read(&masked),
        Language::Rust => rust::read(&masked),
        Language::Go => go::read(&masked),
        Language::Java => java::read(&masked),
    };
    if reading.tangled || reading.dead.len() > MAX_DEAD {
        return None;
    }
    let lines = LineIndex::of(source);
    let mark = |(kind, at): &(MarkKind, usize)| Mark {
        kind: *kind,
        line: lines.number(*at),
    };
    let cases = reading.found.iter().map(|found| {
        let reached = |at: usize| {
            found.cut.is_none_or(|cut| at < cut) && !reading.dead.iter().any(|dead| dead.contains(&at))
        };
        Case {
            name: found.name.clone(),
            short: found.short.clone(),
            line: lines.number(found.at),
            is_test: found.is_test,
            in_tests: found.in_tests,
            marks: found.marks.iter().map(mark).collect(),
            assertions: assertions::read(&masked, found.body.clone(), language, &lines, reached),
            body: squeeze(masked.text.get(found.body.clone()).unwrap_or_default()),
            rows: found.rows,
        }
    });
    Some(Cases {
        cases: cases.collect(),
        marks: reading.marks.iter().map(mark).collect(),
        modules: reading
            .modules
            .iter()
            .map(|(name, at)| (name.clone(), lines.number(*at)))
            .collect(),
    })
}

/// The text with single spaces.
fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where the lines of a text begin.
#[derive(Debug)]
pub(super) struct LineIndex(Vec<usize>);

impl LineIndex {
    pub(super) fn of(text: &str) -> Self {
        Self(
            std::iter::once(0)
                .chain(text.match_indices('\n').map(|(at, _)| at + 1))
                .collect(),
        )
    }

    /// The number, from 1, of the line that a position is in.
    pub(super) fn number(&self, at: usize) -> u32 {
        u32::try_from(self.0.partition_point(|start| *start <= at)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
