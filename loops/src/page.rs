//! The page of a proposal: what a reviewer reads, in a minute, on a phone. Markdown, made of facts that the harness has;
//! what an agent wrote is quoted as a claim, and made harmless first.
//!
//! It stands in the order in which a reviewer decides: what holds, what is open and how large it is; then what was wrong,
//! what was changed, what was proven, what was not, the risk, and how to answer. The template's own HTML is
//! `<details>`, for lists that are long; no other HTML passes.

mod proof;
mod risk;
mod story;
mod terminal;
mod weight;
mod words;

use serde::{Deserialize, Serialize};

use crate::{
    budget::{Money, Usage},
    change::{FileChange, Status},
    evidence::Evidence,
    text::one_line,
    time::Timestamp,
};

pub use risk::{Risk, Sensitive};
pub use terminal::in_terminal;

/// The longest page, in characters. GitHub takes 65,536.
pub const LONGEST: usize = 60_000;

/// Everything that stands on a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// One line: what this does.
    pub title: String,
    /// The problems that it is for.
    pub problems: Vec<Problem>,
    /// The worker's own account of the change: a claim.
    pub account: String,
    /// What the checks found out.
    pub evidence: Vec<Evidence>,
    /// What the independent reviewer still holds against it.
    pub concerns: Vec<String>,
    /// The files of the change.
    pub files: Vec<FileStat>,
    /// What the change touches; none, if its diff could not be read.
    #[serde(default)]
    pub risk: Option<Risk>,
    /// What could only be limited or proven approximately.
    pub caveats: Vec<String>,
    /// What it cost.
    pub cost: Cost,
    /// How to answer, a line each.
    pub answers: Vec<String>,
}

/// A problem, as the page tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// One line.
    pub title: String,
    /// How many signals stand behind it.
    pub signals: u32,
    /// How many different people spoke.
    pub reporters: u32,
    /// When the first one did.
    pub since: Timestamp,
    /// A few of the signals, most telling first: words, and where to see them.
    pub quotes: Vec<(String, Option<String>)>,
}

/// One file of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStat {
    /// Its path.
    pub path: String,
    /// Lines added.
    pub added: u32,
    /// Lines removed.
    pub removed: u32,
    /// What became of it, where that is known.
    #[serde(default)]
    pub status: Option<Status>,
}

impl FileStat {
    /// As a diff has it.
    pub fn of(file: &FileChange) -> Self {
        let figure = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            path: file.path().to_owned(),
            added: figure(file.added()),
            removed: figure(file.removed()),
            status: Some(file.status),
        }
    }
}

/// What a proposal cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Money.
    pub money: Money,
    /// Tokens.
    pub usage: Usage,
    /// Working attempts.
    pub attempts: u32,
    /// The model's answers were played back from a cassette.
    pub rehearsed: bool,
    /// Some of it is an estimate, because a stream was cut.
    pub estimated: bool,
}

impl Page {
    /// The page as Markdown, its title first, at most [`LONGEST`] characters of it.
    pub fn markdown(&self) -> String {
        let mut page = format!("# {}\n\n", words::inline(&one_line(&self.title, 120)));
        // Each part is bounded by itself, so that none, however long, can push another one out.
        for (part, most) in [
            (self.glance(), 3_000),
            (self.what_was_wrong(), 10_000),
            (self.what_was_changed(), 8_000),
            (self.what_was_proven(), 8_000),
            (self.what_was_not(), 6_000),
            (self.outputs(), 11_000),
            (self.weight(), 10_000),
            (self.your_answer(), 2_000),
            (self.price(), 500),
        ] {
            page.push_str(&words::bounded(&part, most));
        }
        page.truncate(page.trim_end().len());
        page.push('\n');
        page
    }
}

/// A page without its title, for places that have the title by themselves, such as a pull request.
pub fn without_title(markdown: &str) -> &str {
    match markdown.split_once('\n') {
        Some((title, rest)) if title.starts_with("# ") => rest.trim_start_matches('\n'),
        _ => markdown,
    }
}

#[cfg(test)]
mod tests;
