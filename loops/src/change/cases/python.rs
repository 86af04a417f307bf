//! Tests in Python: functions and methods that `unittest` and `pytest` pick up.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{Found, MarkKind, Marks, Reading, braces::items};
use crate::change::{mask::Masked, pattern};

static DEF: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:async\s+)?def\s+(\w+)"));
static CLASS: LazyLock<Regex> = LazyLock::new(|| pattern(r"^class\s+(\w+)"));
static NEVER: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:if|while)\s+(?:False|0|None|not\s+True)\b"));
static SUPPRESS: LazyLock<Regex> = LazyLock::new(|| pattern(r"^with\s+(?:contextlib\.)?suppress\s*\("));
static SWALLOW: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^except\b\s*(?:\(?[^:]{0,200}\b(?:AssertionError|Exception|BaseException)\b[^:]{0,200})?:")
});
static LEAVES: LazyLock<Regex> = LazyLock::new(|| pattern(r"^return\b|^(?:sys\.|os\._?)exit\b"));
static HEAD_SKIP: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bskip|\bdisabled\b"));
static HEAD_MAY_FAIL: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bxfail\b|\bexpectedFailure\b"));
static HEAD_RETRY: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)flaky|retry|rerun"));
static BODY_SKIP: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\.skipTest\s*\(|\bpytest\.skip\s*\(|\bSkipTest\b"));
static BODY_MAY_FAIL: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bpytest\.xfail\s*\("));
static FILE_SKIP: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?m)^\s*(?:pytestmark\s*=[^\n]*skip|__test__\s*=\s*False|collect_ignore\w*\s*[+=]|pytest\.skip\s*\(|(?:sys\.|os\._?)exit\s*\()|^def\s+load_tests\b|^\s*def\s+pytest_collection_modifyitems\b|^\s*def\s+pytest_ignore_collect\b",
    )
});

/// A line of code with the lines that its brackets hold together.
struct Logical {
    start: usize,
    end: usize,
    indent: usize,
}

fn logical_lines(code: &str, masked: &Masked) -> Vec<Logical> {
    let bytes = code.as_bytes();
    let mut lines = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        while at < bytes.len() && bytes[at] != b'\n' {
            at = match bytes[at] {
                b'(' | b'[' | b'{' => masked.closing(at).unwrap_or(at) + 1,
                b'\\' if bytes.get(at + 1) == Some(&b'\n') => at + 2,
                // A string of many lines was blanked, but its line feeds stay.
                b'"' | b'\'' => string_end(bytes, at),
                _ => at + 1,
            };
        }
        let end = at.min(bytes.len());
        at += 1;
        let indent = bytes[start..end]
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        if start + indent < end && bytes[start + indent] != b'\r' {
            lines.push(Logical {
                start: start + indent,
                end,
                indent,
            });
        }
    }
    lines
}

/// After a triple quote, the end of its string; else the next byte.
fn string_end(code: &[u8], at: usize) -> usize {
    let quote = code[at];
    if !code[at..].starts_with(&[quote; 3]) {
        return at + 1;
    }
    let close = code[at + 3..].windows(3).position(|three| three == [quote; 3]);
    close.map_or(code.len(), |close| at + 3 + close + 3)
}

pub(super) fn read(masked: &Masked) -> Reading {
    let code = &masked.code;
    let lines = logical_lines(code, masked);
    let text = |line: &Logical| code.get(line.start..line.end).unwrap_or_default();
    // The end of the block under each line: the first later line that is not deeper.
    let ends = block_ends(&lines);
    let mut reading = Reading::default();
    let mut around: Vec<(usize, String, Marks)> = Vec::new();
    let mut decorators: Vec<Range<usize>> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        around.retain(|(indent, ..)| *indent < line.indent);
        let (line_text, after) = (text(line), ends[index]);
        let block_end = lines
            .get(after)
            .map_or(code.len(), |next| next.start - next.indent);
        if line_text.starts_with('@') {
            decorators.push(line.start..line.end);
            continue;
        }
        let heads = std::mem::take(&mut decorators);
        if let Some(class) = CLASS.captures(line_text).and_then(|found| found.get(1)) {
            let marks = heads.iter().flat_map(|head| head_marks(code, head)).collect();
            around.push((line.indent, class.as_str().to_owned(), marks));
        } else if let Some(name) = DEF.captures(line_text).and_then(|found| found.get(1)) {
            let short = name.as_str().to_owned();
            let path: Vec<&str> = around
                .iter()
                .map(|(_, name, _)| name.as_str())
                .chain([short.as_str()])
                .collect();
            let mut marks: Vec<_> = around.iter().flat_map(|(.., marks)| marks.clone()).collect();
            marks.extend(heads.iter().flat_map(|head| head_marks(code, head)));
            if !reading.may_look(masked, &(line.start..block_end.max(line.start)), around.len()) {
                break;
            }
            // A function on one line (`def f(): return 1`) has its body there.
            let body = if after > index + 1 { line.end } else { line.start }..block_end.max(line.end);
            let body_text = code.get(body.clone()).unwrap_or_default();
            marks.extend(
                BODY_SKIP
                    .find_iter(body_text)
                    .map(|mark| (MarkKind::Skip, body.start + mark.start())),
            );
            marks.extend(
                BODY_MAY_FAIL
                    .find_iter(body_text)
                    .map(|mark| (MarkKind::MayFail, body.start + mark.start())),
            );
            let inner = lines.get(index + 1).map_or(0, |next| next.indent);
            let leaves = lines[(index + 1).min(after)..after]
                .iter()
                .find(|inner_line| inner_line.indent == inner && LEAVES.is_match(text(inner_line)));
            reading.found.push(Found {
                name: path.join("."),
                is_test: short.starts_with("test"),
                short,
                at: line.start,
                cut: leaves.map(|line| line.end),
                body,
                marks,
                rows: heads.iter().map(|head| rows(masked, head)).sum(),
                ..Found::default()
            });
        } else if NEVER.is_match(line_text)
            || SUPPRESS.is_match(line_text)
            || (line_text.starts_with("try:") && swallows(&lines, after, line.indent, &text))
        {
            reading.dead.push(line.start..block_end);
        }
    }
    reading.marks = FILE_SKIP
        .find_iter(code)
        .map(|mark| (MarkKind::Skip, mark.end() - 1))
        .collect();
    reading
}

/// For each line, the index of the first later line that is not deeper.
fn block_ends(lines: &[Logical]) -> Vec<usize> {
    let mut ends = vec![lines.len(); lines.len()];
    let mut open: Vec<usize> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        while let Some(last) = open.pop_if(|last| lines[*last].indent >= line.indent) {
            ends[last] = index;
        }
        open.push(index);
    }
    ends
}

/// Whether the `except` at `index` takes failed assertions and does nothing with them.
fn swallows<'a>(lines: &[Logical], index: usize, indent: usize, text: &impl Fn(&Logical) -> &'a str) -> bool {
    let Some(except) = lines.get(index).filter(|line| line.indent == indent) else {
        return false;
    };
    let body = lines.get(index + 1).map_or("", text);
    let on_one_line = text(except).trim_end().ends_with("pass");
    SWALLOW.is_match(text(except))
        && (on_one_line || matches!(body.trim(), "pass" | "..." | "return" | "continue"))
}

fn head_marks(code: &str, head: &Range<usize>) -> Marks {
    let text = code.get(head.clone()).unwrap_or_default();
    [
        (MarkKind::Skip, &HEAD_SKIP),
        (MarkKind::MayFail, &HEAD_MAY_FAIL),
        (MarkKind::Retry, &HEAD_RETRY),
    ]
    .into_iter()
    .filter(|(_, pattern)| pattern.is_match(text))
    .map(|(kind, _)| (kind, head.start))
    .collect()
}

/// The rows of `@pytest.mark.parametrize("names", [...])`.
fn rows(masked: &Masked, head: &Range<usize>) -> usize {
    let text = masked.code.get(head.clone()).unwrap_or_default();
    if !text.contains("parametrize") {
        return 0;
    }
    text.rfind(']')
        .and_then(|_| text.find(", [").map(|at| at + 2).or_else(|| text.find('[')))
        .map_or(0, |open| items(masked, head.start + open))
}
