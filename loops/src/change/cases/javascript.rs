//! Tests in JavaScript and TypeScript: `test(…)`, `it(…)` and `describe(…)` of node, jest, vitest, mocha, playwright.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{
    Found, MarkKind, Reading,
    braces::{block, cut, dead, items},
};
use crate::change::{mask::Masked, pattern};

static CALL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(describe|context|suite|it|test|specify|xit|xtest|xdescribe|xcontext|fit|fdescribe)((?:\s*\.\s*\w+)*)\s*\(",
    )
});
static FUNCTION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:\b(?:async\s+)?function\b\s*\*?\s*(\w+)\s*\(|\b(?:const|let)\s+(\w+)\s*=\s*(?:async\s*)?\([^()]{0,300}\)\s*=>\s*\{)",
    )
});
static BODY_SKIP: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b(?:t|ctx|context|this|test)\.(?:skip|todo|fixme)\s*\("));
static OPTION_SKIP: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(?:skip|todo)\s*:\s*(\w*)"));
static OPTION_FOCUS: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bonly\s*:\s*true\b"));
static RETRY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\bretryTimes\s*\(|\.retries\s*\(|\bretries\s*:|\bretry\s*:|\bflakyTestRetries\b")
});
static FILE_SKIP: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bprocess\.exit\s*\("));

/// A call of the runner's functions.
struct Call {
    start: usize,
    args: Range<usize>,
    title: String,
    is_suite: bool,
    marks: Vec<(MarkKind, usize)>,
    rows: usize,
}

pub(super) fn read(masked: &Masked) -> Reading {
    let mut reading = Reading {
        dead: dead(masked),
        ..Reading::default()
    };
    let mut calls: Vec<Call> = Vec::new();
    let mut ends: Vec<usize> = Vec::new();
    for found in CALL.captures_iter(&masked.code) {
        let Some((start, open)) = found.get(0).map(|whole| (whole.start(), whole.end() - 1)) else {
            continue;
        };
        let close = masked.closing(open).unwrap_or(open);
        ends.retain(|end| *end > start);
        if !reading.may_look(masked, &(open..close), ends.len()) {
            return reading;
        }
        ends.push(close);
        calls.extend(call(masked, &found));
    }
    let mut around: Vec<&Call> = Vec::new();
    for call in &calls {
        around.retain(|outer| outer.args.end > call.start);
        if !call.is_suite {
            let path: Vec<&str> = around
                .iter()
                .chain([&call])
                .map(|call| call.title.as_str())
                .collect();
            let mut marks: Vec<_> = around.iter().flat_map(|outer| outer.marks.clone()).collect();
            marks.extend_from_slice(&call.marks);
            let args = masked.code.get(call.args.clone()).unwrap_or_default();
            marks.extend(
                BODY_SKIP
                    .find_iter(args)
                    .map(|mark| (MarkKind::Skip, call.args.start + mark.start())),
            );
            reading.found.push(Found {
                name: path.join(" > "),
                short: call.title.clone(),
                at: call.start,
                is_test: true,
                cut: callback(masked, &call.args).and_then(|body| cut(masked, body)),
                body: callback(masked, &call.args).unwrap_or(call.args.clone()),
                marks,
                rows: call.rows,
                ..Found::default()
            });
        }
        around.push(call);
    }
    for found in FUNCTION.captures_iter(&masked.code) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1).or(found.get(2))) else {
            continue;
        };
        let Some(body) = block(masked, whole.end() - 1) else {
            continue;
        };
        if !reading.may_look(masked, &body, 0) {
            return reading;
        }
        let short = name.as_str().to_owned();
        reading.found.push(Found {
            name: short.clone(),
            short,
            at: whole.start(),
            body,
            ..Found::default()
        });
    }
    let marked = |kind, pattern: &'static Regex| {
        pattern
            .find_iter(&masked.code)
            .map(move |mark| (kind, mark.start()))
    };
    reading.marks = marked(MarkKind::Retry, &RETRY)
        .chain(marked(MarkKind::Skip, &FILE_SKIP))
        .collect();
    reading
}

fn call(masked: &Masked, found: &regex::Captures<'_>) -> Option<Call> {
    let (whole, word) = (found.get(0)?, found.get(1)?);
    let before = masked.code.as_bytes().get(word.start().wrapping_sub(1)).copied();
    let is_member = before == Some(b'.');
    if is_member
        && !masked.code[..word.start()].ends_with("t.")
        && !masked.code[..word.start()].ends_with("test.")
    {
        return None;
    }
    if before == Some(b'$') || before == Some(b'@') {
        return None;
    }
    let members: Vec<&str> = found
        .get(2)
        .map_or("", |members| members.as_str())
        .split('.')
        .map(str::trim)
        .collect();
    if members.iter().any(|member| {
        matches!(
            *member,
            "beforeEach"
                | "afterEach"
                | "beforeAll"
                | "afterAll"
                | "use"
                | "extend"
                | "step"
                | "setTimeout"
                | "mock"
                | "before"
                | "after"
                | "runIf"
        )
    }) {
        return None;
    }
    if word.as_str() == "test" && members.contains(&"skip") && is_bare_skip(masked, whole.end() - 1) {
        return None;
    }
    let mut open = whole.end() - 1;
    let mut close = masked.closing(open)?;
    let mut rows = 0;
    if members
        .iter()
        .any(|member| matches!(*member, "each" | "for" | "skipIf" | "runIf"))
    {
        // The first brackets hold the table; the test itself is in the next ones.
        let table = masked.code[open + 1..close].find('[').map(|at| open + 1 + at);
        rows = table.map_or(0, |table| items(masked, table));
        open = close + 1 + masked.code[close + 1..].find(|c: char| !c.is_whitespace())?;
        if masked.code.as_bytes().get(open) != Some(&b'(') {
            return None;
        }
        close = masked.closing(open)?;
    }
    let args = open + 1..close;
    let name = word.as_str();
    let has = |words: &[&str]| members.iter().any(|member| words.contains(member));
    let is_suite = matches!(
        name,
        "describe" | "context" | "suite" | "xdescribe" | "xcontext" | "fdescribe"
    ) || has(&["describe"]);
    let mut marks = Vec::new();
    let head = head(masked, &args);
    let turned_on = OPTION_SKIP
        .captures(head)
        .is_some_and(|option| option.get(1).is_none_or(|value| value.as_str() != "false"));
    let is_pending = !is_suite
        && callback(masked, &args).is_none()
        && !masked.code[args.clone()].contains("=>")
        && !masked.code[args.clone()].contains(',');
    if has(&["skip", "todo", "fixme", "skipIf"]) || name.starts_with('x') || turned_on || is_pending {
        marks.push((MarkKind::Skip, whole.start()));
    }
    if has(&["only"]) || name.starts_with('f') || OPTION_FOCUS.is_match(head) {
        marks.push((MarkKind::Focus, whole.start()));
    }
    if has(&["failing", "fails", "fail"]) {
        marks.push((MarkKind::MayFail, whole.start()));
    }
    Some(Call {
        start: whole.start(),
        title: title(masked, &args),
        args,
        is_suite,
        marks,
        rows,
    })
}

/// `test.skip()` and `test.skip(condition)` inside a test are marks of that test, no tests.
fn is_bare_skip(masked: &Masked, open: usize) -> bool {
    let first = masked.code[open + 1..]
        .bytes()
        .find(|byte| !byte.is_ascii_whitespace());
    !matches!(first, Some(b'"' | b'\'' | b'`'))
}

/// What stands before the test's function: its title and its options.
fn head<'a>(masked: &'a Masked, args: &Range<usize>) -> &'a str {
    let text = masked.code.get(args.clone()).unwrap_or_default();
    let end = ["=>", "function"]
        .iter()
        .filter_map(|word| text.find(word))
        .min()
        .unwrap_or(text.len());
    &text[..end]
}

/// The body of the test's function.
fn callback(masked: &Masked, args: &Range<usize>) -> Option<Range<usize>> {
    let text = masked.code.get(args.clone())?;
    let (at, width) = ["=>", "function"]
        .iter()
        .filter_map(|word| Some((text.find(word)?, word.len())))
        .min()?;
    let from = args.start + at + width;
    let next = masked.code[from..].find(|c: char| !c.is_whitespace())? + from;
    let is_arrow = width == 2;
    if is_arrow && masked.code.as_bytes().get(next) != Some(&b'{') {
        return None;
    }
    block(masked, from)
}

/// The first string of the arguments, as it is written.
fn title(masked: &Masked, args: &Range<usize>) -> String {
    let code = masked.code.get(args.clone()).unwrap_or_default();
    let start = code.len() - code.trim_start().len();
    let text = masked.text.get(args.clone()).unwrap_or_default();
    match code.as_bytes().get(start) {
        Some(quote @ (b'"' | b'\'' | b'`')) => {
            let close = code[start + 1..]
                .find(char::from(*quote))
                .map_or(text.len(), |close| start + 1 + close);
            text.get(start + 1..close).unwrap_or_default().to_owned()
        }
        _ => text[start.min(text.len())..]
            .split([',', '('])
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned(),
    }
}
