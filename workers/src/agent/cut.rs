//! Shortening text without breaking a character, and saying so where it was cut.

/// The most bytes of a text in a transcript line.
pub(crate) const ENTRY: usize = 16 << 10;

/// `text`, or its beginning and its end if it is longer than `limit` bytes.
pub fn cut_middle(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(limit * 2 / 3);
    let tail = text.ceil_char_boundary(text.len() - limit / 3);
    format!(
        "{}\n[… {} bytes cut …]\n{}",
        &text[..head],
        tail - head,
        &text[tail..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_its_ends_and_says_what_was_cut() {
        let text = format!("begin{}end", "ä".repeat(1000));
        let cut = cut_middle(&text, 90);
        assert!(
            cut.starts_with("begin") && cut.ends_with("end") && cut.len() < 150,
            "{cut}"
        );
        assert!(cut.contains("bytes cut"));
        assert_eq!(cut_middle("short", 5), "short");
        for limit in 0..80 {
            cut_middle(&text, limit);
        }
    }
}
