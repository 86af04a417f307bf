//! Marks text from outside, so that a model can tell it from what it is told. What is marked cannot end the mark.

use std::fmt::Write as _;

use crate::screen::hidden::is_invisible;

/// The name of the mark. Marked text never contains it.
const TAG: &str = "outside-text";
/// How much of an origin is shown.
const ORIGIN: usize = 120;

/// `text` as marked data: between `<outside-text origin="…">` and `</outside-text>`. The text keeps its words and lines;
/// only what could end or imitate the mark, or is invisible, is written in another way. `origin` says where it comes
/// from, for example `file:feedback.jsonl` or `diff`; it may come from outside, too.
pub fn untrusted(origin: &str, text: &str) -> String {
    let origin: String = origin
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_.:/#@,+[]()".contains(*c))
        .take(ORIGIN)
        .collect();
    let text = without_tag(&visible(text));
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("<{TAG} origin=\"{}\">\n{text}{end}</{TAG}>", without_tag(&origin))
}

/// `text` with each invisible or control character written as `\u{…}`; line ends and tabs stay.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.replace("\r\n", "\n").chars() {
        // One of them gives a sign its shape; more in a row carry hidden text.
        let shapes = matches!(c, '\u{fe0e}' | '\u{fe0f}') && !is_invisible(before) && !before.is_ascii();
        if matches!(c, '\n' | '\t') || shapes || !(c.is_control() || is_invisible(c)) {
            out.push(c);
        } else {
            // Writing into a `String` cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
        before = c;
    }
    out
}

/// `text` in which the mark's name, in any case, has an underscore for its hyphen.
fn without_tag(text: &str) -> String {
    let (head, tail) = TAG.split_once('-').unwrap_or((TAG, ""));
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // The name is ASCII, so its places in the lower-case copy are its places in the text.
    let lower = text.to_ascii_lowercase();
    let mut lower = lower.as_str();
    while let Some(at) = lower.find(TAG) {
        let hyphen = at + head.len();
        out.push_str(&rest[..hyphen]);
        out.push('_');
        out.push_str(&rest[hyphen + 1..hyphen + 1 + tail.len()]);
        rest = &rest[at + TAG.len()..];
        lower = &lower[at + TAG.len()..];
    }
    out.push_str(rest);
    out
}
