//! What a test asserts, and how strictly.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{LineIndex, squeeze};
use crate::change::{languages::Language, mask::Masked, pattern};

/// No assertion that a person reads is longer; what is after it is left out of the comparison.
const MAX_ASSERTION: usize = 4_000;

static PYTHON: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\bassert\b|\bself\.(?:assert|fail)\w*\s*\(|\bassert_\w+\s*\(|\.assert_\w+\s*\(|\braises\s*\(")
});
static JAVASCRIPT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\bexpect\s*\(|\bassert(?:\.\w+)*\s*\(|\bt\.(?:is|deepEqual|equal|true|false|throws|ok|same|not|like|regex|snapshot)\s*\(|\.should\b",
    )
});
static RUST: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:debug_)?assert\w*!\s*[(\[{]|\bprop_assert\w*!\s*[(\[{]|\bpanic!\s*[(\[{]|\bunreachable!\s*[(\[{]|\.unwrap_err\s*\(",
    )
});
static GO: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b[tb]\.(?:Error|Errorf|Fatal|Fatalf|Fail|FailNow)\s*\(|\b(?:assert|require|is)\.\w+\s*\(|\bcmp\.Diff\s*\(",
    )
});
static JAVA: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:assert\w*|fail|verify|expect\w*)\s*\(|\bAssert(?:ions)?\.\w+\s*\(|\bshould\w*\s*\(|\bassert\b|^\s*expect:",
    )
});

static TRIVIAL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r#"(?i)^assert (?:true|1|not false|"[^"]*"|'[^']*')\s*(?:,.*)?$|\bor true\b|\|\| ?true\b"#,
        r"|assert\w*!?\s*\(\s*(?:true|1|!false)\s*[,)]",
        r"|assert(?:\.ok|\.strictEqual|\.equal)?\s*\(\s*true\s*(?:,\s*true)?\s*\)",
        r"|expect\s*\(\s*(?:true|1)\s*\)\s*\.(?:to\.be\.true|toBe\w*\s*\(\s*(?:true|1)?\s*\)|toEqual\s*\(\s*(?:true|1)\s*\))",
        r"|assertFalse\s*\(\s*false\s*[,)]|assertIsNone\s*\(\s*none\s*[,)]",
    ))
});
static SAME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:self\.|assert\.|Assertions\.|Assert\.)?(?:assert_eq!|assertEqual|assertEquals|equal|strictEqual|deepEqual|deepStrictEqual|Equal)\s*\(\s*(.+)\)[;.]*$",
    )
});
static LOOSE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"assertTrue|assertFalse|assertIsNotNone|assertNotNull|assertIsInstance|NotNil\b|NoError\b|\.True\(",
        r"|toBeTruthy|toBeFalsy|toBeDefined|not\.toBeNull|not\.toBeUndefined|not\.toThrow|toHaveBeenCalled\(\)",
        r"|assert\.ok|\.is_ok\(\)|\.is_some\(\)|is not None|isinstance\(|assertNotEqual|assert_ne!|\bassert\(|^assert ",
        r"|doesNotThrow|\bassert!|t\.true\(|t\.ok\(|toBeInstanceOf|isNotNull|toBeTypeOf|!= null",
    ))
});
static PARTIAL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"assertIn\b|assertNotIn|assertGreater|assertLess|assertAlmostEqual|assertRegex|assertCountEqual|\bin\b|\bapprox\b|isclose",
        r"|toContain|toBeCloseTo|toMatch|toBeGreater|toBeLess|toHaveLength|objectContaining|stringContaining|anything\(",
        r"|assert\.match|\.contains\(|\.starts_with\(|matches!|Contains\(|InDelta|Greater\(|Less\(|[^=!<>]=?[<>]=?[^=]|!=| is ",
    ))
});
static EXACT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"===?|assertEqual|assertEquals|assertIs\b|assertIsNone|assertNull|assertDictEqual|assertListEqual|assertSequenceEqual|assertRaises|\braises\b",
        r"|assert_eq!|toBe\s*\(|toEqual|toStrictEqual|toThrow|toBeNull|toBeUndefined|toMatchSnapshot|toMatchInlineSnapshot|toHaveBeenCalledWith|toHaveBeenCalledTimes",
        r"|[sS]trictEqual|deepEqual|\bequal\(|\.equal\b|\.eql\b|throws|rejects|DeepEqual|\bEqual\(|EqualValues|isEqualTo|assertThrows|unwrap_err|assert_snapshot|\.is\(|t\.same|Diff\(",
    ))
});

/// One assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assertion {
    /// Its code without comments and with single spaces.
    pub(crate) text: String,
    /// Its line, from 1.
    pub(crate) line: u32,
    /// From 0 (holds whatever happens) to 3 (one value alone will do).
    pub(crate) strength: u8,
}

/// Whether what is asserted now is looser than what was: the strictest against the strictest, and so on. It is only
/// asked of assertions that were replaced.
pub(crate) fn is_looser(before: &[&Assertion], after: &[&Assertion]) -> bool {
    let strengths = |assertions: &[&Assertion]| {
        let mut strengths: Vec<u8> = assertions.iter().map(|assertion| assertion.strength).collect();
        strengths.sort_unstable_by(|a, b| b.cmp(a));
        strengths
    };
    strengths(before)
        .iter()
        .zip(strengths(after))
        .any(|(before, after)| *before > after)
}

/// The assertions in a body that are reached.
pub(super) fn read(
    masked: &Masked,
    body: Range<usize>,
    language: Language,
    lines: &LineIndex,
    reached: impl Fn(usize) -> bool,
) -> Vec<Assertion> {
    let pattern = match language {
        Language::Python => &PYTHON,
        Language::JavaScript => &JAVASCRIPT,
        Language::Rust => &RUST,
        Language::Go => &GO,
        Language::Java => &JAVA,
    };
    let Some(code) = masked.code.get(body.clone()) else {
        return Vec::new();
    };
    let mut assertions = Vec::new();
    let mut after = body.start;
    for found in pattern.find_iter(code) {
        let at = body.start + found.start();
        if at < after || !reached(at) {
            continue;
        }
        let end = statement_end(masked, at, body.end);
        let start = if language == Language::Go {
            condition_start(&masked.code, at, body.start)
        } else {
            at
        };
        let text = squeeze(masked.text.get(start..end).unwrap_or_default());
        let text = text.trim_end_matches(';').to_owned();
        assertions.push(Assertion {
            strength: strength(&text),
            line: lines.number(at),
            text,
        });
        after = end;
    }
    assertions
}

/// The end of the statement at `at`: a semicolon or a line's end outside brackets, unless the next line goes on with
/// a dot.
fn statement_end(masked: &Masked, at: usize, limit: usize) -> usize {
    let code = masked.code.as_bytes();
    let limit = limit.min(code.len());
    let mut end = at;
    while end < limit && end - at < MAX_ASSERTION {
        match code[end] {
            b'(' | b'[' | b'{' => end = masked.closing(end).unwrap_or(end),
            b';' | b')' | b']' | b'}' => break,
            b'\n' => {
                let goes_on = code[end..limit].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'.');
                if !goes_on {
                    break;
                }
            }
            _ => {}
        }
        end += 1;
    }
    let end = end.min(limit);
    (end..=limit)
        .find(|end| masked.text.is_char_boundary(*end))
        .unwrap_or(at)
}

/// In Go the condition stands before the report: `if got != want { t.Errorf(…) }`.
fn condition_start(code: &str, at: usize, from: usize) -> usize {
    let Some(before) = code.get(from..at) else {
        return at;
    };
    let open = before.trim_end();
    if !open.ends_with('{') {
        return at;
    }
    let line = open.rfind('\n').map_or(0, |line| line + 1);
    if open[line..].trim_start().starts_with("if ") {
        from + line
    } else {
        at
    }
}

fn strength(text: &str) -> u8 {
    if let Some(report) = text.strip_prefix("if ") {
        return strength_of_condition(report.split('{').next().unwrap_or_default());
    }
    if TRIVIAL.is_match(text) || is_same_twice(text) {
        return 0;
    }
    let is_of_a_constant = text.ends_with("True)") || text.ends_with("true)") || text.ends_with("is True");
    if EXACT.is_match(text) && !is_of_a_constant {
        3
    } else if PARTIAL.is_match(text) {
        2
    } else if LOOSE.is_match(text) {
        1
    } else {
        // A form that is not known: as strict as can be, so that replacing it by a known looser one is seen.
        3
    }
}

/// The condition under which a test in Go reports.
fn strength_of_condition(condition: &str) -> u8 {
    let last = condition.rsplit(';').next().unwrap_or(condition).trim();
    if last == "false" || last.contains("&& false") || last.starts_with("false &&") {
        0
    } else if last.contains("!=") || last.contains("Equal(") || last.contains("Diff(") {
        3
    } else if last.contains(['<', '>']) || last.contains("Contains(") || last.contains("Has") {
        2
    } else {
        1
    }
}

/// `assertEqual(x, x)`
fn is_same_twice(text: &str) -> bool {
    let Some(inner) = SAME.captures(text).and_then(|found| found.get(1)) else {
        return false;
    };
    let inner = inner.as_str().trim_end_matches(',');
    inner
        .match_indices(',')
        .any(|(at, _)| inner[..at].trim() == inner[at + 1..].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strictness_is_ordered_from_nothing_to_one_value() {
        for (text, expected) in [
            ("assert True", 0),
            ("self.assertTrue(True)", 0),
            ("self.assertEqual(total, total)", 0),
            ("expect(true).toBe(true)", 0),
            ("assert!(true)", 0),
            ("assert total == 3 or True", 0),
            ("self.assertIsNotNone(total)", 1),
            ("expect(total).toBeTruthy()", 1),
            ("assert!(cart.is_ok())", 1),
            ("self.assertIn('a', names)", 2),
            ("assert!(total > 3)", 2),
            ("expect(total).toBeCloseTo(3)", 2),
            ("self.assertEqual(total, 3)", 3),
            ("assert total == 3", 3),
            ("assert_eq!(total, 3)", 3),
            ("expect(total).toBe(3)", 3),
            ("assert.strictEqual(total, 3)", 3),
        ] {
            assert_eq!(strength(text), expected, "{text}");
        }
    }

    #[test]
    fn every_pattern_is_one() {
        for pattern in [
            &PYTHON,
            &JAVASCRIPT,
            &RUST,
            &GO,
            &JAVA,
            &TRIVIAL,
            &SAME,
            &LOOSE,
            &PARTIAL,
            &EXACT,
        ] {
            assert!(!pattern.as_str().is_empty());
        }
    }
}
