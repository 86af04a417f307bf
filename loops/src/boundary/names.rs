//! Names that mislead people or file systems.

use unicode_normalization::UnicodeNormalization;

/// The longest name of a file, in bytes, on the file systems that people use.
const MAX_NAME: usize = 255;

/// Control characters, and those that cannot be seen or that turn the text around them.
pub(super) fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(
            u32::from(c),
            0x00AD | 0x034F | 0x061C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F | 0x2028..=0x202E
                | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB | 0xE0000..=0xE0FFF
        )
}

/// What is odd about a path, if something is.
pub(super) fn odd(path: &str) -> Option<&'static str> {
    if path.chars().any(misleads) {
        return Some("has characters in its name that cannot be seen or that turn text around");
    }
    if path.contains('\\') {
        return Some("has a backslash in its name, which is a folder on some machines");
    }
    for part in path.split('/') {
        if part.is_empty() || part == "." || part == ".." {
            return Some("leads out of its folder");
        }
        if is_git(part) {
            return Some("is in a folder that git holds for its own");
        }
        if part.len() > MAX_NAME {
            return Some("has a name that is too long for some file systems");
        }
        if part.ends_with([' ', '.']) || part.starts_with(' ') || part.contains(':') {
            return Some("has a name that some file systems read as another one");
        }
    }
    None
}

/// `.git` in all the forms that some file system takes for it.
fn is_git(part: &str) -> bool {
    let folded: String = part
        .nfkc()
        .filter(|c| !misleads(*c))
        .flat_map(char::to_lowercase)
        .collect();
    let stem = folded
        .split(':')
        .next()
        .unwrap_or_default()
        .trim_end_matches([' ', '.']);
    let is_short = stem
        .strip_prefix("git~")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
    stem == ".git" || is_short
}

/// The form in which two names are the same to a file system without case, or without the forms of Unicode.
pub fn folded(path: &str) -> String {
    path.nfkc().flat_map(char::to_lowercase).collect()
}
