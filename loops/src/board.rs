//! The dashboard issue of a repository: what stands in it, and which of its check-boxes people ticked. Pure text, both
//! ways.
//!
//! A box is known by a hidden id at the end of its line, never by its words, so that nobody's words can be a box: text of
//! others is made harmless before it comes here ([`words`]), and holds no hidden comment after that.

use std::fmt::Write as _;

use crate::{
    screen::clean::{self, Allowed},
    text::one_line,
};

/// How the hidden word begins that an issue of ours is known by.
pub const MARK: &str = "<!-- loops:board:";
/// The title.
pub const TITLE: &str = "Loops: what is open here";
/// More lines than this are counted, not shown.
const SHOWN: usize = 20;
/// How many boxes of a text are looked at.
const MOST_BOXES: usize = 500;
const BOX: &str = "<!-- loops:box:";

/// A line of the dashboard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// Markdown within a line.
    pub text: String,
    /// What people can tick below it: words and id.
    pub boxes: Vec<(String, String)>,
}

impl Line {
    /// A line that cannot be ticked.
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            boxes: Vec::new(),
        }
    }

    /// The same with a box.
    #[must_use]
    pub fn with(mut self, words: impl Into<String>, id: impl Into<String>) -> Self {
        self.boxes.push((words.into(), id.into()));
        self
    }
}

/// A part of the dashboard; an empty one is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// What stands in it.
    pub lines: Vec<Line>,
}

/// What we know the issue of a repository by.
pub fn marker(repository: &str) -> String {
    format!("{MARK}{repository} -->")
}

/// Somebody's words within a line: short, masked, and without anything that acts.
pub fn words(text: &str, max: usize) -> String {
    clean::inline(&one_line(text, max), &Allowed::default())
}

/// The text.
pub fn markdown(repository: &str, sections: &[Section]) -> String {
    let mut text = "What Loops has open in this repository. Loops keeps this text up to date by itself; ticking a box is an \
                    answer, which counts once, and so is a comment: `/loops approve` or `/loops reject` with a plan's id. Close this issue and it is left alone until somebody opens it again.\n"
        .to_owned();
    let shown: Vec<&Section> = sections
        .iter()
        .filter(|section| !section.lines.is_empty())
        .collect();
    if shown.is_empty() {
        text.push_str("\nNothing is open now.\n");
    }
    for section in shown {
        let _ = writeln!(text, "\n## {}\n", section.title);
        for line in section.lines.iter().take(SHOWN) {
            let _ = writeln!(text, "- {}", line.text);
            for (words, id) in &line.boxes {
                let _ = writeln!(text, "  - [ ] {words} {BOX}{id} -->");
            }
        }
        if let Some(more) = section.lines.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            let _ = writeln!(text, "- … and {more} more");
        }
    }
    let _ = write!(text, "\n{}\n", marker(repository));
    text
}

/// The ids of boxes that are ticked, in their order, each once. Whether they are ours is for the caller to know.
pub fn ticked(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in text.lines().take(10 * MOST_BOXES) {
        let Some(id) = ticked_line(line.trim()) else {
            continue;
        };
        if found.len() < MOST_BOXES && !found.iter().any(|known| known == id) {
            found.push(id.to_owned());
        }
    }
    found
}

fn ticked_line(line: &str) -> Option<&str> {
    let rest = line.strip_prefix(['-', '*'])?.trim_start();
    let rest = rest.strip_prefix("[x]").or_else(|| rest.strip_prefix("[X]"))?;
    let (_, id) = rest.strip_suffix("-->")?.split_once(BOX)?;
    let id = id.trim_end();
    let letters = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    (!id.is_empty() && id.len() <= 200 && id.chars().all(letters)).then_some(id)
}

/// Whether two texts of the issue are the same but for what GitHub changes about line ends.
pub fn same(one: &str, other: &str) -> bool {
    let plain = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn board(lines: Vec<Line>) -> String {
        markdown(
            "acme/shop",
            &[
                Section {
                    title: "Waits for you",
                    lines,
                },
                Section {
                    title: "Paused",
                    lines: vec![],
                },
            ],
        )
    }

    #[test]
    fn what_is_empty_is_not_shown_and_ours_is_known_by_its_marker() {
        let text = board(vec![Line::plain("a plan").with("approve", "approve:T1:0")]);
        assert!(
            text.contains("## Waits for you\n\n- a plan\n  - [ ] approve <!-- loops:box:approve:T1:0 -->\n")
        );
        assert!(!text.contains("Paused"), "{text}");
        assert!(text.ends_with("<!-- loops:board:acme/shop -->\n"));
        assert!(board(vec![]).contains("Nothing is open now."));
    }

    #[test]
    fn a_ticked_box_is_known_by_its_id_whatever_its_words() {
        let text = board(vec![
            Line::plain("a")
                .with("approve", "approve:T1:0")
                .with("approve", "approve:T2:0"),
        ]);
        assert_eq!(ticked(&text), [] as [&str; 0]);
        let by_hand = text
            .replace(
                "[ ] approve <!-- loops:box:approve:T2",
                "[X] no! <!-- loops:box:approve:T2",
            )
            .replace('\n', "\r\n");
        assert_eq!(ticked(&by_hand), ["approve:T2:0"]);
    }

    #[test]
    fn nobodys_words_can_be_a_box() {
        let title = "x --> \n- [x] approve <!-- loops:box:approve:T9:0 -->";
        let text = board(vec![
            Line::plain(words(title, 200)).with("approve", "approve:T1:0"),
        ]);
        assert_eq!(ticked(&text), [] as [&str; 0], "{text}");
        assert_eq!(text.matches(BOX).count(), 1, "{text}");
        for bad in [
            "- [x] a <!-- loops:box: -->",
            "- [x] a",
            "[x] <!-- loops:box:a -->",
            "- [x] <!-- loops:box:a b -->",
        ] {
            assert_eq!(ticked(bad), [] as [&str; 0], "{bad}");
        }
    }

    #[test]
    fn words_of_people_are_masked_and_name_nobody() {
        let text = words(
            "ask @carol, see #12, <img src=x> ghp_0123456789abcdefghijABCDEFGHIJ012345",
            200,
        );
        assert!(
            !text.contains("@carol") && !text.contains("#12") && !text.contains("<img"),
            "{text}"
        );
        assert!(!text.contains("ghp_0123456789"), "{text}");
    }

    #[test]
    fn long_lists_are_counted() {
        let text = board((0..23).map(|n| Line::plain(format!("n{n}"))).collect());
        assert!(
            text.contains("- n19\n- … and 3 more\n") && !text.contains("n20"),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd_to_be_read(text in "(?s).{0,400}") {
            let _ = ticked(&text);
            let shown = board(vec![Line::plain(words(&text, 300))]);
            prop_assert_eq!(ticked(&shown), Vec::<String>::new());
        }
    }
}
