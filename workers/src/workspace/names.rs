//! Which names a change may bring. Names that the base has are taken as they are; new ones must look the same to
//! everybody who will see them, on every system.

/// Why a new file or folder cannot be called so; none: it can.
pub(super) fn refusal(last: &[u8]) -> Option<&'static str> {
    let Ok(text) = std::str::from_utf8(last) else {
        return Some("its name is not UTF-8");
    };
    if text.chars().any(char::is_control) {
        return Some("its name has a line break or another control character");
    }
    if text.contains('\\') {
        return Some("its name has a backslash, which is a folder's end on other systems");
    }
    if looks_like_git(text) {
        return Some("on some systems its name is that of git's own folder");
    }
    if text.chars().any(unseen) {
        return Some("its name has characters that are not seen, or that turn the direction of text");
    }
    None
}

/// `.git` in any case, with what HFS+ leaves out of names, with what Windows cuts off their end, or as its short name.
fn looks_like_git(name: &str) -> bool {
    let plain: String = name
        .chars()
        .filter(|c| !unseen(*c))
        .flat_map(char::to_lowercase)
        .collect();
    let plain = plain
        .split(':')
        .next()
        .unwrap_or_default()
        .trim_end_matches([' ', '.']);
    plain == ".git" || plain == "git~1"
}

fn unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_in_any_script_are_fine() {
        for name in [
            "a.py",
            ".gitignore",
            ".github",
            "naïve.txt",
            "テスト.rs",
            "with space",
            "git",
            ".gitx",
            "a~1",
        ] {
            assert_eq!(refusal(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn names_that_mislead_or_mean_git_are_refused() {
        let odd = [
            ".GIT",
            ".Git",
            "git~1",
            "GIT~1",
            ".git ",
            ".git.",
            ".git::$INDEX_ALLOCATION",
            ".g\u{200c}it",
            "\u{feff}.git",
            "a\nb",
            "a\tb",
            "a\u{7f}",
            "x\u{202e}txt.exe",
            "zero\u{200b}width",
            "a\\b",
        ];
        for name in odd {
            assert!(refusal(name.as_bytes()).is_some(), "{name:?}");
        }
        assert!(refusal(b"\xff\xfe").is_some());
    }
}
