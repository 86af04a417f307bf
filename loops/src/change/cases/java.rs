//! Tests in Java and Kotlin: methods with an annotation of JUnit or TestNG, or named `test…` as in JUnit 3.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    Found, MarkKind, Reading,
    braces::{block, cut, dead},
};
use crate::change::{mask::Masked, pattern};

/// Nobody writes more into one file.
const MAX_CLASSES: usize = 500;

static METHOD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?m)((?:@[\w.]+(?:\s*\([^()]{0,2000}\))?\s*)*)((?:(?:public|protected|private|internal|static|final|suspend|override|open|abstract|synchronized)\s+)*)(?:fun\s+(?:<[^<>]{0,80}>\s*)?(`[^`\n]*`|\w+)|(?:<[^<>]{0,80}>\s*)?[\w<>\[\],.?]+\s+(\w+))\s*\(",
    )
});
static CLASS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"((?:@[\w.]+(?:\s*\([^()]{0,2000}\))?\s*)*)(?:(?:public|final|abstract|open|internal|static|inner)\s+)*\b(?:class|object)\s+(\w+)",
    )
});
static TEST: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"@(?:[\w.]+\.)?(?:Test|ParameterizedTest|RepeatedTest|TestFactory|TestTemplate|Property|Theory)\b",
    )
});
static DISABLED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"@(?:[\w.]+\.)?(?:Disabled\w*|Ignore\w*|EnabledIf\w*|EnabledOn\w*)\b|\benabled\s*=\s*false")
});
static RETRY: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"@(?:[\w.]+\.)?\w*(?:Retry|Rerun|Flaky)\w*|\bretryAnalyzer\b"));
static ASSUME: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\bassume\w*\s*\(\s*(?:false|true)\s*[,)]|\bSkipException\b"));
static NOT_METHODS: &[&str] = &[
    "if", "for", "while", "switch", "catch", "return", "new", "throw", "else", "when",
];

pub(super) fn read(masked: &Masked) -> Reading {
    let code = &masked.code;
    let mut reading = Reading {
        dead: dead(masked),
        ..Reading::default()
    };
    let head_marks = |head: Option<regex::Match<'_>>| -> Vec<(MarkKind, usize)> {
        let Some(head) = head else { return Vec::new() };
        [(MarkKind::Skip, &DISABLED), (MarkKind::Retry, &RETRY)]
            .into_iter()
            .filter_map(|(kind, pattern)| Some((kind, head.start() + pattern.find(head.as_str())?.start())))
            .collect()
    };
    let classes: Vec<_> = CLASS
        .captures_iter(code)
        .filter_map(|found| {
            Some((
                block(masked, found.get(0)?.end())?,
                found.get(2)?.as_str(),
                head_marks(found.get(1)),
            ))
        })
        .collect();
    reading.tangled = classes.len() > MAX_CLASSES;
    let has_annotations = TEST.is_match(code);
    for found in METHOD.captures_iter(code) {
        let Some(whole) = found.get(0) else { continue };
        let Some(name) = found.get(3).or(found.get(4)).map(|name| name.as_str()) else {
            continue;
        };
        let kind_word = whole.as_str().split_whitespace().rev().nth(1).unwrap_or_default();
        if NOT_METHODS.contains(&name) || NOT_METHODS.contains(&kind_word) {
            continue;
        }
        let Some(body) = block(masked, whole.end() - 1) else {
            continue;
        };
        if !reading.may_look(masked, &body, 0) {
            break;
        }
        let annotations = found.get(1).map_or("", |head| head.as_str());
        let around: Vec<_> = classes
            .iter()
            .filter(|(range, ..)| range.contains(&whole.start()))
            .take(8)
            .collect();
        let path: Vec<&str> = around.iter().map(|(_, name, _)| *name).chain([name]).collect();
        let mut marks: Vec<_> = around.iter().flat_map(|(.., marks)| marks.clone()).collect();
        marks.extend(head_marks(found.get(1)));
        let text = code.get(body.clone()).unwrap_or_default();
        marks.extend(
            ASSUME
                .find_iter(text)
                .map(|mark| (MarkKind::Skip, body.start + mark.start())),
        );
        // `void testX()` counts in JUnit 3 alone, which has no annotations; where the file has some, it is a helper.
        let is_junit3 = name.starts_with("test") && annotations.is_empty() && !has_annotations;
        reading.found.push(Found {
            name: path.join("."),
            short: name.to_owned(),
            at: found
                .get(4)
                .or(found.get(3))
                .map_or(whole.start(), |name| name.start()),
            is_test: TEST.is_match(annotations) || is_junit3,
            cut: cut(masked, body.clone()),
            body,
            marks,
            rows: annotations.matches("@CsvSource").count(),
            ..Found::default()
        });
    }
    reading
}
