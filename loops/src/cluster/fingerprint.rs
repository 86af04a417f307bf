//! Fingerprints of machines' reports: two reports of one cause differ in ids, times, paths and numbers; those are
//! masked, and what is left must be equal.

use sha2::{Digest, Sha256};

use super::words::fold;

/// How many of the telling lines make the fingerprint.
const LINES: usize = 5;
/// How many calls of a stack trace do.
const FRAMES: usize = 3;

/// The fingerprint of a machine's report.
pub(super) fn machine(text: &str) -> String {
    digest("m1.", &masked(text))
}

/// The fingerprint of a person's text in which there is no word.
pub(super) fn wordless(text: &str) -> String {
    digest(
        "x1.",
        &fold(text).split_whitespace().collect::<Vec<_>>().join(" "),
    )
}

fn digest(letter: &str, text: &str) -> String {
    format!("{letter}{}", hex::encode(&Sha256::digest(text.as_bytes())[..16]))
}

/// The lines that say what went wrong, masked; all first lines if none does.
pub(super) fn masked(text: &str) -> String {
    let text = fold(text);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let errors: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| names_error(line) && !is_frame(line))
        .take(LINES)
        .collect();
    let frames = lines.iter().copied().filter(|line| is_frame(line)).take(FRAMES);
    let chosen: Vec<&str> = if errors.is_empty() {
        lines.iter().copied().take(LINES).collect()
    } else {
        errors.into_iter().chain(frames).collect()
    };
    chosen.into_iter().map(mask_line).collect::<Vec<_>>().join("\n")
}

fn names_error(line: &str) -> bool {
    [
        "error",
        "exception",
        "panic",
        "fail",
        "fatal",
        "assert",
        "segmentation",
        "timed out",
        "timeout",
    ]
    .iter()
    .any(|sign| line.contains(sign))
}

/// A call in a stack trace: Python's `file "x", line 3, in f`, Java's and JavaScript's `at f (…)`, Rust's `3: f`.
fn is_frame(line: &str) -> bool {
    line.starts_with("file \"")
        || line.starts_with("at ")
        || line
            .split_once(": ")
            .is_some_and(|(n, _)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn mask_line(line: &str) -> String {
    let masked = line
        .split_whitespace()
        .map(mask_token)
        .filter(|token| !token.is_empty())
        .collect::<Vec<_>>();
    let mut kept: Vec<String> = Vec::with_capacity(masked.len());
    for token in masked {
        if !(token == "#" && kept.last().is_some_and(|last| last == "#")) {
            kept.push(token);
        }
    }
    kept.join(" ")
}

/// Folders go, long hex and digits become `#`; the digits of a test's own name stay, for they name it.
fn mask_token(token: &str) -> String {
    let names_test = token.contains("::") || token.starts_with("test_") || token.contains("/test_");
    let last = token
        .trim_end_matches(['/', '\\'])
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or(token);
    let last = if last.is_empty() { token } else { last };
    if names_test {
        let (name, rest) = last.find(['[', '(']).map_or((last, ""), |at| last.split_at(at));
        return format!("{name}{}", mask_digits(rest));
    }
    mask_digits(last)
}

fn mask_digits(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().chain([' ']) {
        if c.is_alphanumeric() {
            run.push(c);
            continue;
        }
        out.push_str(&mask_run(&run));
        run.clear();
        if c != ' ' {
            out.push(c);
        }
    }
    joined(&out)
}

/// `#-#-#`, `#:#` and `#.#` are one number each.
fn joined(masked: &str) -> String {
    let mut out = String::with_capacity(masked.len());
    let mut chars = masked.chars().peekable();
    while let Some(c) = chars.next() {
        let after_number = out.ends_with('#');
        let before_number = chars.peek() == Some(&'#');
        let joins = matches!(c, '-' | ':' | '.' | ',' | '+') && after_number && before_number;
        if !(joins || (c == '#' && after_number)) {
            out.push(c);
        }
    }
    out
}

/// One run of letters and digits: `0x7f3a`, `deadbeef01` and `12ms` are `#`, `utf8` is `utf#`.
fn mask_run(run: &str) -> String {
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 {
        return run.to_owned();
    }
    let hex = run.strip_prefix("0x").unwrap_or(run);
    let is_hex = (hex.len() < run.len() || hex.len() >= 6) && hex.bytes().all(|b| b.is_ascii_hexdigit());
    let starts_with_digit = run.starts_with(|c: char| c.is_ascii_digit());
    if is_hex || starts_with_digit {
        return "#".to_owned();
    }
    let mut out = String::new();
    for c in run.chars() {
        match c {
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_times_hex_paths_and_numbers_do_not_matter() {
        let one = "2026-11-03T08:02:11.120Z ERROR worker 7 job 5f3a-9c2e-4411: connection to 10.0.0.3:5432 refused after 1.2s (0x7ffe3a)";
        let two = "2026-11-04T19:44:00Z ERROR worker 12 job 0b1d-77aa-9001: connection to 10.0.9.44:5432 refused after 250ms (0x11)";
        assert_eq!(masked(one), masked(two));
        assert_eq!(
            machine("panic at /home/a/src/cart.rs:12:4"),
            machine("panic at /builds/77/src/cart.rs:19:8")
        );
    }

    #[test]
    fn another_error_is_another_fingerprint() {
        assert_ne!(
            machine("error: connection refused"),
            machine("error: connection reset")
        );
        assert_ne!(
            machine("FAILED tests/test_cart.py::test_total_2"),
            machine("FAILED tests/test_cart.py::test_total_3")
        );
    }

    #[test]
    fn a_stack_trace_is_known_by_its_error_and_first_calls() {
        let trace = |line: u32, tail: &str| {
            format!(
                "Traceback\n  File \"/a/cart.py\", line {line}, in total\n  File \"/a/x.py\", line 3, in main\nValueError: bad\n{tail}"
            )
        };
        assert_eq!(machine(&trace(10, "")), machine(&trace(22, "INFO done in 3s")));
        assert_ne!(
            machine(&trace(10, "")),
            machine(&trace(10, "").replace("total", "price"))
        );
    }

    #[test]
    fn hostile_reports_end() {
        assert!(masked(&"1-".repeat(1 << 19)).len() < 32 << 10);
        assert_eq!(masked(""), "");
    }
}
