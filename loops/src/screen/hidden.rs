//! Characters that a reader does not see, or that make a reader see another text than a program does. The one list of
//! them; who refuses them and who takes them out is decided elsewhere.

/// Whether a character can hide or reorder text, or steer a terminal. Line feeds and tabs do not.
pub fn is_hidden(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t') || reorders(c) || is_invisible(c)
}

/// Whether a character changes the order in which others are shown (Trojan Source, CVE-2021-42574).
pub fn reorders(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character shows nothing: soft hyphen, zero-width characters and marks, fillers, line separators,
/// variation selectors and the tag block, of which the last two can carry any hidden text. The joiners of emoji are among
/// them; without them an emoji loses its shape, not its meaning.
pub fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Whether a script or an emoji needs this invisible character to be written at all: beside ASCII it never does.
pub(super) fn joins(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{61c}' | '\u{34f}' | '\u{fe00}'..='\u{fe0f}')
}

/// A character as people can name it: `U+202E`.
pub(super) fn name(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

/// `text` without such characters; line ends and tabs stay.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| !is_hidden(*c)).collect()
}
