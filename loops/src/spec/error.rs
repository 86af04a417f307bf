//! What is wrong with a loop's text, and how it is shown to the person who wrote it. Nothing is found out here.

use std::fmt::Write as _;

use serde::Serialize;

/// Where something stands in a text. Lines and columns count from 1, columns and length in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) length: usize,
}

impl Place {
    /// The beginning of a file.
    pub(super) const START: Self = Self {
        line: 1,
        column: 1,
        length: 1,
    };
}

/// One thing that is wrong with a loop's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct SpecError {
    /// The file, as the reader was told it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// How many characters are marked.
    pub length: usize,
    /// The key, from the file's top, like `sources[0].file.path`; empty for the file as a whole.
    pub path: String,
    /// The value that stands there, if it is a single one.
    pub value: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What may stand there.
    pub allowed: Option<String>,
    /// What was probably meant.
    pub nearest: Option<String>,
}

impl SpecError {
    pub(super) fn new(at: Place, message: impl Into<String>) -> Self {
        Self {
            file: String::new(),
            line: at.line,
            column: at.column,
            length: at.length,
            path: String::new(),
            value: None,
            message: message.into(),
            allowed: None,
            nearest: None,
        }
    }

    pub(super) fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    pub(super) fn value(mut self, value: Option<String>) -> Self {
        self.value = value;
        self
    }

    pub(super) fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    pub(super) fn nearest(mut self, nearest: Option<String>) -> Self {
        self.nearest = nearest;
        self
    }
}

/// How many characters of a source line are shown.
const SHOWN: usize = 120;
/// How much of a value is repeated in words.
const VALUE: usize = 80;

/// The errors with the lines of `text` that they are about, for a terminal; `color` adds ANSI colors. What the text
/// itself holds of control characters is never passed on.
pub fn render(errors: &[SpecError], text: &str, color: bool) -> String {
    let paint = Paint { color };
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::new();
    for error in errors {
        one(&mut out, error, lines.get(error.line - 1).copied(), &paint);
    }
    out
}

fn one(out: &mut String, error: &SpecError, source: Option<&str>, paint: &Paint) {
    let width = error.line.to_string().len();
    let bar = paint.blue("|");
    // Writing into a `String` cannot fail.
    let _ = writeln!(
        out,
        "{}{}",
        paint.red("error"),
        paint.bold(&format!(": {}", visible(&error.message)))
    );
    let _ = writeln!(
        out,
        "{:width$}{} {}:{}:{}",
        "",
        paint.blue("-->"),
        visible(&error.file),
        error.line,
        error.column
    );
    if let Some(source) = source {
        let (shown, before) = window(source, error.column);
        let under = "^".repeat(error.length.clamp(1, SHOWN.saturating_sub(before).max(1)));
        let help = error.nearest.as_ref().map_or(String::new(), |word| {
            format!(" did you mean `{}`?", visible(word))
        });
        let _ = writeln!(out, "{:width$} {bar}", "");
        let _ = writeln!(out, "{} {bar} {shown}", paint.blue(&error.line.to_string()));
        let _ = writeln!(
            out,
            "{:width$} {bar} {:before$}{}",
            "",
            "",
            paint.red(&format!("{under}{help}"))
        );
    }
    let mut note = |label: &str, words: &str| {
        let _ = writeln!(
            out,
            "{:width$} {} {label}: {}",
            "",
            paint.blue("="),
            visible(words)
        );
    };
    if !error.path.is_empty() {
        note("key", &error.path);
    }
    if let Some(value) = &error.value {
        let cut: String = value.chars().take(VALUE).collect();
        note(
            "value",
            &if cut.len() < value.len() {
                format!("{cut}…")
            } else {
                cut
            },
        );
    }
    if let Some(allowed) = &error.allowed {
        note("allowed", allowed);
    }
    out.push('\n');
}

/// The part of a long line around `column`, and how many characters stand before the column in it.
fn window(line: &str, column: usize) -> (String, usize) {
    let at = column.saturating_sub(1);
    let from = if at < SHOWN * 3 / 4 { 0 } else { at - SHOWN / 2 };
    let shown: String = line.chars().skip(from).take(SHOWN).collect();
    (visible(&shown), at - from)
}

/// `text` with one visible character for each that would move a terminal's cursor or change its colors.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}') => '\u{fffd}',
            c => c,
        })
        .collect()
}

struct Paint {
    color: bool,
}

impl Paint {
    fn with(&self, code: &str, text: &str) -> String {
        if self.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn red(&self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn blue(&self, text: &str) -> String {
        self.with("1;34", text)
    }

    fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }
}
