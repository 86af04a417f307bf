//! What a change weighs: what it touches, its files, its price, and how to answer.

use std::fmt::Write as _;

use super::{
    FileStat, Page, Sensitive,
    words::{code, count, few, grouped, list},
};
use crate::change::Status;

/// Files up to this many stand open on the page; more are folded.
const OPEN_FILES: usize = 10;
/// How many files the page lists at most.
const FILES: usize = 100;
/// How many names a line lists.
const NAMES: usize = 5;

impl Page {
    /// What a reviewer is to look at twice, for the head of the page; nothing, if there is no such thing.
    pub(super) fn touched(&self) -> Option<String> {
        let Some(risk) = &self.risk else {
            return Some("not known, as the diff could not be read".to_owned());
        };
        let mut all: Vec<String> = Vec::new();
        if risk.interface_changed > 0 {
            all.push("the public interface".to_owned());
        }
        all.extend(risk.sensitive.keys().map(|kind| kind.words().to_owned()));
        (!all.is_empty()).then(|| list(&all))
    }

    pub(super) fn weight(&self) -> String {
        let mut part = "## Risk\n\nCounted from the diff:\n\n".to_owned();
        self.what_it_touches(&mut part);
        part.push('\n');
        self.all_files(&mut part);
        part
    }

    fn what_it_touches(&self, part: &mut String) {
        let Some(risk) = &self.risk else {
            part.push_str("- The diff could not be read, so nothing is known.\n");
            return;
        };
        let mut untouched: Vec<String> = Vec::new();
        match risk.interface_changed {
            0 if risk.interface_unread.is_empty() => untouched.push("public declarations".to_owned()),
            0 => {
                let _ = writeln!(
                    part,
                    "- **Public interface:** cannot be judged in {}",
                    few(&risk.interface_unread, NAMES)
                );
            }
            n => {
                let _ = writeln!(
                    part,
                    "- **Public interface:** {} changed or removed:",
                    count(n, "declaration")
                );
                for declaration in risk.interface.iter().take(NAMES) {
                    let _ = writeln!(part, "  - {}", code(declaration));
                }
                if n > NAMES {
                    let _ = writeln!(part, "  - and {} more", n - NAMES);
                }
            }
        }
        for kind in Sensitive::ALL {
            match risk.sensitive.get(&kind) {
                Some(paths) => {
                    let _ = writeln!(part, "- **{}:** {}", capital(kind.words()), few(paths, NAMES));
                }
                None => untouched.push(kind.words().to_owned()),
            }
        }
        if !untouched.is_empty() {
            let _ = writeln!(part, "- Not touched: {}", untouched.join(", "));
        }
        if risk.interface_added > 0 {
            let _ = writeln!(part, "- New public declarations: {}", risk.interface_added);
        }
        if !risk.folders.is_empty() {
            let names: Vec<&str> = risk.folders.iter().map(|(folder, _)| folder.as_str()).collect();
            let _ = writeln!(part, "- Reach: {}", few(&names, NAMES));
        }
        if let Some(owners) = &risk.owners {
            // As code, and without the sign: being named here is not being called here.
            let mut all: Vec<String> = owners
                .iter()
                .take(NAMES)
                .map(|(name, paths)| {
                    format!(
                        "{} ({})",
                        code(name.trim_start_matches('@')),
                        count(*paths, "file")
                    )
                })
                .collect();
            if owners.len() > NAMES {
                all.push(format!("{} more", owners.len() - NAMES));
            }
            if risk.unowned > 0 {
                all.push(format!("nobody ({})", count(risk.unowned, "file")));
            }
            let _ = writeln!(part, "- Owners: {}", list(&all));
        }
    }

    fn all_files(&self, part: &mut String) {
        if self.files.is_empty() {
            return;
        }
        let folded = self.files.len() > OPEN_FILES;
        if folded {
            let files = grouped(self.files.len() as u64);
            let _ = writeln!(part, "<details>\n<summary>All {files} files</summary>\n");
        } else {
            // Between two lists, which would be one without it.
            part.push_str("Files:\n\n");
        }
        // The list is ended before the whole part would be cut, so that what is folded is closed.
        let end = part.len() + 4_500;
        let mut shown = 0;
        for file in self.files.iter().take(FILES) {
            if part.len() > end {
                break;
            }
            shown += 1;
            let _ = writeln!(part, "- {}", about(file));
        }
        if shown < self.files.len() {
            let _ = writeln!(part, "- and {} more", self.files.len() - shown);
        }
        part.push_str(if folded { "\n</details>\n\n" } else { "\n" });
    }

    pub(super) fn your_answer(&self) -> String {
        if self.answers.is_empty() {
            return String::new();
        }
        let mut part = "## Your answer\n\n".to_owned();
        for answer in &self.answers {
            let _ = match answer.split_once(": ") {
                Some((word, how)) if !word.contains('`') => writeln!(part, "- **{}:** {how}", capital(word)),
                _ => writeln!(part, "- {answer}"),
            };
        }
        part.push('\n');
        part
    }

    /// One line, the last: nobody decides by it, and everybody may ask.
    pub(super) fn price(&self) -> String {
        let cost = &self.cost;
        let input = cost.usage.all_input();
        let cached = (cost.usage.cache_read_tokens * 100)
            .checked_div(input)
            .unwrap_or(0);
        let mut line = format!(
            "Cost: {}{} for {}; {} tokens in{}, {} out",
            if cost.estimated { "about " } else { "" },
            cost.money,
            count(cost.attempts as usize, "attempt"),
            grouped(input),
            if cached > 0 {
                format!(" ({cached} % from cache)")
            } else {
                String::new()
            },
            grouped(cost.usage.output_tokens),
        );
        if cost.rehearsed {
            line.push_str("; rehearsed, so nothing was bought");
        }
        line + ".\n"
    }
}

fn about(file: &FileStat) -> String {
    let what = match file.status {
        Some(Status::Added) => ", new",
        Some(Status::Deleted) => ", deleted",
        Some(Status::Renamed) => ", renamed",
        Some(Status::Copied) => ", copied",
        Some(Status::Modified) | None => "",
    };
    format!(
        "{} +{} −{}{what}",
        code(&file.path),
        grouped(u64::from(file.added)),
        grouped(u64::from(file.removed))
    )
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
