//! How figures, and text of others, stand on a page.

use std::time::Duration;

use crate::{
    screen::{
        clean::{self, Allowed},
        secrets,
    },
    text::one_line,
};

/// `1 file`, `2 files`.
pub(super) fn count(n: usize, noun: &str) -> String {
    format!("{} {}", grouped(n as u64), plural(n, noun))
}

pub(super) fn plural(n: usize, noun: &str) -> String {
    match (n, noun) {
        (1, _) => noun.to_owned(),
        (_, "person") => "people".to_owned(),
        _ => format!("{noun}s"),
    }
}

/// `120,938`.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + 6);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `0.8 s`, `42 s`, `3 min`.
pub(super) fn span(ms: u64) -> String {
    let seconds = Duration::from_millis(ms).as_secs_f64();
    if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 119.5 {
        format!("{seconds:.0} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

/// The first few of `items`, each as code, and how many more there are.
pub(super) fn few<S: AsRef<str>>(items: &[S], most: usize) -> String {
    let mut shown: Vec<String> = items.iter().take(most).map(|item| code(item.as_ref())).collect();
    if items.len() > most {
        shown.push(format!("{} more", items.len() - most));
    }
    list(&shown)
}

/// Text of others within a line: nothing that it may do.
pub(super) fn inline(text: &str) -> String {
    clean::inline(text, &Allowed::default())
}

/// Text of others within a line that we print bold, which it can neither end nor begin.
pub(super) fn bold(text: &str) -> String {
    format!("**{}**", inline(text).replace('*', "\\*"))
}

/// A name or a path of others, as code.
pub(super) fn code(text: &str) -> String {
    let text = secrets::mask(&one_line(text, 120)).replace('`', "'");
    format!("`{text}`")
}

/// `part`, cut after a whole line so that it has at most `most` characters, with a word about it.
pub(super) fn bounded(part: &str, most: usize) -> String {
    const WORD: &str = "\n(There is more of this than fits here.)\n\n";
    if part.chars().count() <= most {
        return part.to_owned();
    }
    let mut left = most.saturating_sub(WORD.len());
    let mut kept = String::new();
    let mut folded = None;
    for line in part.split_inclusive('\n') {
        let long = line.chars().count();
        if long > left {
            break;
        }
        left -= long;
        match line.trim_end() {
            "<details>" => folded = Some(kept.len()),
            "</details>" => folded = None,
            _ => {}
        }
        kept.push_str(line);
    }
    // A part that ends within what is folded would fold all that comes after it, too.
    if let Some(begin) = folded {
        kept.truncate(begin);
    }
    kept + WORD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(999), "999");
        assert_eq!(
            (span(440), span(42_400), span(180_000)),
            ("0.4 s".into(), "42 s".into(), "3 min".into())
        );
        assert_eq!(few(&["a", "b", "c"], 2), "`a`, `b` and 1 more");
        assert_eq!(
            (count(1, "person"), count(2, "person")),
            ("1 person".into(), "2 people".into())
        );
    }

    #[test]
    fn what_is_cut_leaves_nothing_folded_open() {
        let part = format!("a\n<details>\n\n{}</details>\n", "line\n".repeat(100));
        let cut = bounded(&part, 200);
        assert!(cut.starts_with("a\n") && !cut.contains("<details>"), "{cut}");
        assert!(
            cut.contains("more of this") && cut.chars().count() <= 200,
            "{cut}"
        );
        assert_eq!(bounded("short\n", 200), "short\n");
    }
}
