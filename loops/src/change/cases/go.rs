//! Tests in Go: `func TestX(t *testing.T)`.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    Found, MarkKind, Reading,
    braces::{block, cut, dead, items},
};
use crate::change::{mask::Masked, pattern};

static FUNCTION: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^func\s+(?:\([^()]{0,200}\)\s*)?(\w+)\s*\("));
static IS_TEST: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:Test|Fuzz|Example)(?:[^a-z]|$)"));
static SKIP: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b[tb]\.Skip(?:f|Now)?\s*\("));
static RUN: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bt\.Run\s*\("));
static TABLE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\[\]\s*struct\s*\{|\bmap\[[^\[\]\n]{0,100}\]\s*struct\s*\{"));
static EXIT: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bos\.Exit\s*\(\s*0\s*\)"));

pub(super) fn read(masked: &Masked) -> Reading {
    let mut reading = Reading {
        dead: dead(masked),
        ..Reading::default()
    };
    for found in FUNCTION.captures_iter(&masked.code) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let Some(body) = block(masked, whole.end() - 1) else {
            continue;
        };
        if !reading.may_look(masked, &body, 0) {
            break;
        }
        let text = masked.code.get(body.clone()).unwrap_or_default();
        let tables = TABLE.find_iter(text).filter_map(|table| {
            let fields_end = masked.closing(body.start + table.end() - 1)?;
            let open = fields_end
                + 1
                + masked
                    .code
                    .get(fields_end + 1..)?
                    .find(|c: char| !c.is_whitespace())?;
            (masked.code.as_bytes().get(open) == Some(&b'{')).then(|| items(masked, open))
        });
        reading.found.push(Found {
            name: name.as_str().to_owned(),
            short: name.as_str().to_owned(),
            at: whole.start(),
            is_test: IS_TEST.is_match(name.as_str()),
            cut: cut(masked, body.clone()),
            marks: SKIP
                .find_iter(text)
                .map(|mark| (MarkKind::Skip, body.start + mark.start()))
                .collect(),
            rows: tables.sum::<usize>() + RUN.find_iter(text).count(),
            body,
            ..Found::default()
        });
    }
    reading.marks = EXIT
        .find_iter(&masked.code)
        .map(|mark| (MarkKind::Skip, mark.start()))
        .collect();
    reading
}
