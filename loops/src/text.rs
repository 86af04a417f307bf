//! Text from outside, made harmless for a place where people or programs read it.

pub use crate::screen::hidden::{is_hidden as is_treacherous, plain};

/// `text` on one line, plain, and at most `max` characters long, the last of which is `…` if something was cut.
pub fn one_line(text: &str, max: usize) -> String {
    let flat = plain(text).split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= max {
        return flat;
    }
    let mut cut: String = flat.chars().take(max.saturating_sub(1)).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

/// The last `max` bytes of `text` or less, from the beginning of a line, with a word about what was left out.
pub fn tail(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let from = text.ceil_char_boundary(text.len() - max);
    let from = text[from..].find('\n').map_or(from, |at| from + at + 1);
    format!("[… {from} bytes left out]\n{}", &text[from..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_taken_out() {
        assert_eq!(plain("a\u{1b}[31mb\u{202e}c\r\n\td"), "a[31mbc\n\td");
    }

    #[test]
    fn a_long_line_is_cut_with_a_sign() {
        assert_eq!(one_line("one  two\nthree", 9), "one two…");
        assert_eq!(one_line("short", 9), "short");
    }

    #[test]
    fn a_tail_begins_with_a_whole_line() {
        assert_eq!(tail("aaaa\nbbbb\ncccc", 7), "[… 10 bytes left out]\ncccc");
    }
}
