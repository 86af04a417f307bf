//! Tests in Rust: functions with a test attribute, and everything under `#[cfg(test)]`.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{Found, LineIndex, MarkKind, Marks, Reading, braces};
use crate::change::{languages::Language, mask::Masked, pattern};

static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"#!?\s*\[|\b(?:fn|mod|struct|enum|trait|impl|use|const|static|type|union|macro_rules!)(?:\s+(\w+))?|[{};]",
    )
});
static TEST_ATTRIBUTE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:\w+\s*::\s*)*(?:test|rstest|test_case|bench|proptest|quickcheck|test_log|wasm_bindgen_test)\b",
    )
});
static CFG_TEST: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^cfg\s*\(\s*(?:test\b|all\s*\([^()]{0,200}\btest\b)"));
static CFG_OTHER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^cfg\s*\(|^cfg_attr\s*\([^\]]{0,300}\bignore\b"));
static ROW: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:test_case|case)\b"));

/// An item with the attributes before it.
struct Item {
    attributes: Vec<Range<usize>>,
    /// From its first attribute, or its keyword, to its end.
    whole: Range<usize>,
    keyword: &'static str,
    name: String,
    body: Option<Range<usize>>,
}

fn keyword(text: &str) -> &'static str {
    ["fn", "mod"]
        .into_iter()
        .find(|word| text.starts_with(word))
        .unwrap_or("other")
}

/// The items of a file, outer before inner.
fn items(masked: &Masked) -> Vec<Item> {
    let code = &masked.code;
    let mut items = Vec::new();
    let mut attributes: Vec<Range<usize>> = Vec::new();
    let mut after = 0;
    for found in TOKEN.captures_iter(code) {
        let Some(token) = found.get(0).filter(|token| token.start() >= after) else {
            continue;
        };
        if token.as_str().starts_with('#') {
            let open = token.end() - 1;
            let Some(close) = masked.closing(open) else {
                continue;
            };
            if !token.as_str().contains('!') {
                attributes.push(token.start()..close + 1);
            }
            after = close;
        } else if matches!(token.as_str(), "{" | "}" | ";") {
            attributes.clear();
        } else if let Some(name) = found.get(1).filter(|_| token.as_str() != "macro_rules!") {
            // `use a;`, `const A: [u8; 2] = …;`, `mod a;` end at a semicolon, the others after their block.
            let body = braces::block(masked, token.end());
            let end = body
                .as_ref()
                .map(|body| body.end + 1)
                .or_else(|| semicolon(masked, token.end()));
            let start = attributes.first().map_or(token.start(), |first| first.start);
            items.push(Item {
                attributes: std::mem::take(&mut attributes),
                whole: start..end.unwrap_or(token.end()),
                keyword: keyword(token.as_str()),
                name: name.as_str().to_owned(),
                body,
            });
            // What is between the keyword and the block is the head: `impl Trait for fn()` holds no items.
            after = items
                .last()
                .and_then(|item| item.body.as_ref())
                .map_or(token.end(), |body| body.start);
        }
    }
    items
}

fn semicolon(masked: &Masked, from: usize) -> Option<usize> {
    let code = masked.code.as_bytes();
    let mut at = from;
    for _ in 0..braces::MAX_HEAD {
        match code.get(at)? {
            b';' => return Some(at + 1),
            b'(' | b'[' | b'{' => at = masked.closing(at)?,
            b'}' => return None,
            _ => {}
        }
        at += 1;
    }
    None
}

/// What stands between the brackets of an attribute.
fn inner<'a>(masked: &'a Masked, attribute: &Range<usize>) -> &'a str {
    let text = masked.code.get(attribute.clone()).unwrap_or_default();
    text.trim_start_matches(['#', ' ', '['])
        .trim_end_matches(']')
        .trim()
}

pub(super) fn read(masked: &Masked) -> Reading {
    let mut reading = Reading {
        dead: braces::dead(masked),
        ..Reading::default()
    };
    let mut around: Vec<(Range<usize>, String, bool, Marks)> = Vec::new();
    for item in items(masked) {
        around.retain(|(range, ..)| range.end > item.whole.start);
        let in_tests = around.last().is_some_and(|(.., in_tests, _)| *in_tests);
        let has = |pattern: &Regex| {
            item.attributes
                .iter()
                .any(|attribute| pattern.is_match(inner(masked, attribute)))
        };
        let is_test = has(&TEST_ATTRIBUTE);
        let mut marks = around.last().map_or_else(Vec::new, |(.., marks)| marks.clone());
        for attribute in &item.attributes {
            let text = inner(masked, attribute);
            if text.starts_with("ignore") || (CFG_OTHER.is_match(text) && !CFG_TEST.is_match(text)) {
                marks.push((MarkKind::Skip, attribute.start));
            } else if text.starts_with("should_panic") {
                marks.push((MarkKind::MayFail, attribute.start));
            } else if text.to_ascii_lowercase().contains("flaky") {
                marks.push((MarkKind::Retry, attribute.start));
            }
        }
        let Some(body) = item.body else {
            if item.keyword == "mod" {
                reading.modules.push((item.name, item.whole.start));
            }
            continue;
        };
        if !reading.may_look(masked, &body, around.len()) {
            break;
        }
        if item.keyword == "fn" {
            let path: Vec<&str> = around
                .iter()
                .map(|(_, name, ..)| name.as_str())
                .chain([item.name.as_str()])
                .collect();
            reading.found.push(Found {
                name: path.join("::"),
                short: item.name.clone(),
                at: item.whole.start,
                is_test,
                in_tests: is_test || in_tests,
                cut: braces::cut(masked, body.clone()),
                body: body.clone(),
                marks: marks.clone(),
                rows: item
                    .attributes
                    .iter()
                    .filter(|attribute| ROW.is_match(inner(masked, attribute)))
                    .count(),
            });
        } else if item.keyword == "mod" {
            around.push((body, item.name, in_tests || has(&CFG_TEST), marks));
        }
    }
    reading
}

/// A part of a source file that is tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestRegion {
    /// What it is, so that it can be found on the other side: `mod tests`, or `doc`.
    pub(crate) key: String,
    /// Its lines, from 1.
    pub(crate) lines: Range<u32>,
}

/// The parts of a source file that are tests, in order, none inside another: items under `#[cfg(test)]` or with a test
/// attribute, and the code of documentation tests.
pub(crate) fn test_regions(source: &str) -> Vec<TestRegion> {
    let masked = Masked::of(source, Language::Rust);
    let lines = LineIndex::of(source);
    let is_tests = |item: &&Item| {
        item.attributes.iter().any(|attribute| {
            let text = inner(&masked, attribute);
            CFG_TEST.is_match(text) || TEST_ATTRIBUTE.is_match(text)
        })
    };
    let mut regions: Vec<TestRegion> = items(&masked)
        .iter()
        .filter(is_tests)
        .map(|item| TestRegion {
            key: format!("{} {}", item.keyword, item.name),
            lines: lines.number(item.whole.start)..lines.number(item.whole.end.saturating_sub(1)) + 1,
        })
        .collect();
    let docs = doc_tests(source, &masked).into_iter();
    regions.extend(docs.map(|lines| TestRegion {
        key: "doc".to_owned(),
        lines,
    }));
    regions.sort_by_key(|region| (region.lines.start, std::cmp::Reverse(region.lines.end)));
    let mut end = 0;
    regions.retain(|region| {
        let is_outer = region.lines.start >= end;
        end = end.max(region.lines.end);
        is_outer
    });
    regions
}

/// The fences in `///` and `//!` comments.
fn doc_tests(source: &str, masked: &Masked) -> Vec<Range<u32>> {
    let mut regions = Vec::new();
    let mut open: Option<u32> = None;
    let mut at = 0;
    for (number, line) in (1_u32..).zip(source.split('\n')) {
        // A comment has been blanked out; the same text in a string has not been, in `text`.
        let is_comment = masked
            .text
            .get(at..at + line.len())
            .is_some_and(|text| text.trim().is_empty());
        at += line.len() + 1;
        let text = line.trim_start();
        let doc = text
            .strip_prefix("///")
            .or_else(|| text.strip_prefix("//!"))
            .filter(|_| is_comment);
        match (doc, open) {
            (None, _) => open = None,
            (Some(doc), None) if doc.trim_start().starts_with("```") => open = Some(number),
            (Some(doc), Some(start)) if doc.trim_start().starts_with("```") => {
                regions.push(start..number + 1);
                open = None;
            }
            _ => {}
        }
    }
    regions
}
