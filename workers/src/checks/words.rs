//! Words and output, fit to be shown to people.

use loops::evidence::Observation;

/// The most of an output that evidence holds, in bytes.
const MAX_DETAIL: usize = 8 << 10;

/// How many names one sentence has.
const MAX_NAMES: usize = 5;

/// The end of an output, without what could act on a terminal.
pub(super) fn tail(output: &str) -> String {
    let mut plain = String::with_capacity(output.len().min(MAX_DETAIL * 2));
    let start = output.len().saturating_sub(MAX_DETAIL * 2);
    let start = (start..=output.len())
        .find(|at| output.is_char_boundary(*at))
        .unwrap_or(output.len());
    let mut characters = output[start..].chars().peekable();
    while let Some(c) = characters.next() {
        if c == '\u{1b}' {
            // `ESC [ … letter`: colors and the like.
            if characters.next_if_eq(&'[').is_some() {
                while characters
                    .next_if(|c| c.is_ascii_digit() || matches!(c, ';' | '?'))
                    .is_some()
                {}
                characters.next();
            }
        } else if c == '\n' || c == '\t' || !is_hidden(c) {
            plain.push(c);
        }
    }
    detail(&plain)
}

/// Control characters, and those that turn the text around them.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The end of a text, from the beginning of a line.
pub(super) fn detail(text: &str) -> String {
    let text = text.trim_end();
    if text.len() <= MAX_DETAIL {
        return text.to_owned();
    }
    let from = text.len() - MAX_DETAIL + 8;
    let from = (from..text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len());
    let from = text[from..].find('\n').map_or(from, |line| from + line + 1);
    format!("…\n{}", &text[from..])
}

/// A few names in backticks, and how many more there are.
pub(super) fn names(names: &[String]) -> String {
    let clean = |name: &String| -> String {
        let text: String = name
            .chars()
            .map(|c| if is_hidden(c) || c == '`' { ' ' } else { c })
            .take(160)
            .collect();
        format!("`{}`", text.trim())
    };
    let shown: Vec<String> = names.iter().take(MAX_NAMES).map(clean).collect();
    match names.len().saturating_sub(MAX_NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `1 test` or `3 tests`.
pub(super) fn tests(count: usize) -> String {
    if count == 1 {
        "1 test".to_owned()
    } else {
        format!("{count} tests")
    }
}

/// `4 tests passed, 1 failed`, where the counts are known.
pub(super) fn counts(seen: &Observation) -> Option<String> {
    let (passed, failed) = (seen.passed?, seen.failed?);
    let mut words = format!("{} passed", tests(passed as usize));
    if failed > 0 {
        words.push_str(&format!(", {failed} failed"));
    }
    if let Some(skipped) = seen.skipped.filter(|skipped| *skipped > 0) {
        words.push_str(&format!(", {skipped} skipped"));
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_output_is_short_and_cannot_act_on_a_terminal() {
        let output = format!(
            "{}\u{1b}[31mred\u{1b}[0m \u{202e}end\u{7}\n",
            "a line\n".repeat(5_000)
        );
        let tail = tail(&output);
        assert!(
            tail.len() <= MAX_DETAIL && tail.starts_with("…\na line\n") && tail.ends_with("red end"),
            "{tail}"
        );
    }

    #[test]
    fn many_names_become_a_few() {
        let many: Vec<String> = (0..7).map(|n| format!("t{n}")).collect();
        assert_eq!(names(&many), "`t0`, `t1`, `t2`, `t3`, `t4` and 2 more");
        assert_eq!(names(&["a`\nb".to_owned()]), "`a  b`");
    }
}
