//! What a worker is told of a conversation. People's words are quoted as theirs, logs are marked as data; neither changes
//! what the worker may do.

use std::{collections::BTreeSet, path::Path};

use loops::text::{one_line, plain};
use workers::git::Git;

use super::wanted::Wanted;
use crate::store::proposals::Proposal;

/// One person's words are cut to so many characters.
const MAX_WORDS: usize = 4_000;
/// All of them together.
const MAX_ALL: usize = 24_000;
/// How many files are named.
const MAX_FILES: usize = 30;

/// What people ask for, as quotes.
pub(super) fn asked(wanted: &Wanted) -> String {
    let mut text = String::new();
    let asked = wanted.asked.iter().map(|(who, words)| (who, None, words));
    let remarks = wanted.remarks.iter().map(|remark| {
        let place = remark.place.as_ref().map(|(path, line)| match line {
            Some(line) => format!(", on `{}` line {line}", one_line(path, 200)),
            None => format!(", on `{}`", one_line(path, 200)),
        });
        (&remark.author, place, &remark.words)
    });
    for (who, place, words) in asked.chain(remarks) {
        if text.chars().count() > MAX_ALL {
            text.push_str("\n(There is more; it did not fit.)\n");
            break;
        }
        text.push_str(&format!(
            "\n{}{}:\n\n",
            one_line(who, 60),
            place.unwrap_or_default()
        ));
        let words: String = plain(words).trim().chars().take(MAX_WORDS).collect();
        for line in words.lines() {
            text.push_str(format!("> {line}").trim_end());
            text.push('\n');
        }
    }
    text
}

/// All that the next attempt is about.
pub(super) fn request(wanted: &Wanted, files: &[String], logs: &str) -> String {
    let mut text = String::new();
    let asked = asked(wanted);
    if !asked.is_empty() {
        text.push_str("People who maintain this repository looked at it and ask for this:\n");
        text.push_str(&asked);
    }
    if wanted.ci {
        text.push_str("\nThe repository's own checks failed on it, which do not fail without it:\n");
        text.push_str(logs);
    }
    if wanted.conflict {
        text.push_str("\nThe base branch has changed, and the last attempt does not fit it any more");
        if files.is_empty() {
            text.push_str(".\n");
        } else {
            text.push_str(&format!("; both changed {}.\n", files.join(", ")));
        }
        text.push_str("Make the same change on the code as it is now.\n");
    }
    text.trim_start().to_owned()
}

/// The same in a line, for people.
pub(super) fn why(wanted: &Wanted) -> String {
    let mut parts = Vec::new();
    let who = wanted.authors();
    if !who.is_empty() {
        parts.push(format!(
            "{} asked for something else",
            one_line(&who.join(", "), 120)
        ));
    }
    if wanted.ci {
        parts.push("checks failed".to_owned());
    }
    if wanted.conflict {
        parts.push("it came to conflict with its base".to_owned());
    }
    parts.join("; ")
}

/// The files that both the base, since the proposal was made, and the proposal have changed. Empty if git does not say.
pub(super) async fn both_changed(mirror: &Path, proposal: &Proposal, base: &str) -> Vec<String> {
    let git = Git::at(mirror);
    let changed = async |to: &str| -> BTreeSet<String> {
        let range = ["diff", "--name-only", "--no-renames", &proposal.base, to];
        let listed = git.line(&range).await.unwrap_or_default();
        listed
            .lines()
            .map(|path| format!("`{}`", one_line(path, 200)))
            .collect()
    };
    let (theirs, ours) = (changed(base).await, changed(&proposal.head).await);
    theirs.intersection(&ours).take(MAX_FILES).cloned().collect()
}
