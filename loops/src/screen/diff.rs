//! What a change adds, line by line: secrets that were not there before, and text that a reviewer does not see as it
//! is. What is removed or was there already is not judged.

use std::collections::BTreeSet;

use super::{
    Objection, Weight, looks,
    secrets::{self, Depth, Find},
};
use crate::change::{Diff, FileChange, Hunk, Line, Side};

/// How many objections of one file are gathered; a file with so many is refused anyway.
const MOST: usize = 50;

/// What stands against the added lines and the paths of a change.
pub(super) fn objections(diff: &Diff) -> Vec<Objection> {
    let before = Before::of(diff);
    diff.files
        .iter()
        .flat_map(|file| of_file(file, &before).into_iter().take(MOST))
        .collect()
}

/// The text that stood on the base, as far as the diff shows it: a secret that only moves is not added.
struct Before(Vec<String>);

impl Before {
    fn of(diff: &Diff) -> Self {
        let lines = |file: &FileChange| {
            let side = |side| file.lines(side).map(|line| line.text.clone()).collect::<Vec<_>>();
            [side(Side::Removed), side(Side::Context)].concat().join("\n")
        };
        Self(diff.files.iter().map(lines).collect())
    }

    fn has(&self, secret: &str) -> bool {
        self.0.iter().any(|text| text.contains(secret))
    }
}

fn of_file(file: &FileChange, before: &Before) -> Vec<Objection> {
    let path = file.path();
    let mut list = Vec::new();
    if let Some(new) = &file.new_path {
        let there = file.old_path.as_deref() == Some(new);
        for find in secrets::find(new, Depth::Forms).iter().filter(|_| !there) {
            list.push(refusal("the path of a file".to_owned(), &secret_words(find)));
        }
    }
    let depth = if looks::is_generated(path) {
        Depth::Forms
    } else {
        Depth::All
    };
    let mut seen = BTreeSet::new();
    for hunk in &file.hunks {
        for (line, find) in added_secrets(hunk, depth) {
            // The secret decides whether it is told once more; a key's head is the same for every key.
            if !before.has(&find.secret) && seen.insert((line, find.kind)) {
                list.push(refusal(at(path, line), &secret_words(&find)));
            }
        }
        for line in hunk.lines.iter().filter(|line| line.side == Side::Added) {
            for (weight, words) in looks::objections(path, &line.text, line.new == Some(1)) {
                list.push(Objection {
                    weight,
                    place: at(path, line.new),
                    words,
                });
            }
        }
        if let Some((line, words, weight)) = looks::block(path, &added(hunk)) {
            list.push(Objection {
                weight,
                place: at(path, line),
                words,
            });
        }
    }
    list
}

fn added(hunk: &Hunk) -> Vec<&Line> {
    hunk.lines
        .iter()
        .filter(|line| line.side == Side::Added)
        .collect()
}

/// The secrets that a hunk adds: line by line, and then in its added lines as one text, for those that were taken
/// apart over lines.
fn added_secrets(hunk: &Hunk, depth: Depth) -> Vec<(Option<u32>, Find)> {
    let lines = added(hunk);
    let mut found: Vec<(Option<u32>, Find)> = lines
        .iter()
        .flat_map(|line| {
            secrets::find(&line.text, depth)
                .into_iter()
                .map(|find| (line.new, find))
        })
        .collect();
    if lines.len() > 1 {
        let text = lines
            .iter()
            .map(|line| line.text.as_str())
            .collect::<Vec<_>>()
            .join("\n");
        let across: Vec<Find> = secrets::find(&text, Depth::Forms)
            .into_iter()
            .filter(|find| {
                !found
                    .iter()
                    .any(|(_, known)| known.secret == find.secret || known.secret.contains(&find.secret))
            })
            .collect();
        found.extend(across.into_iter().map(|find| (lines[0].new, find)));
    }
    found
}

fn secret_words(find: &Find) -> String {
    let how = if find.place.is_some() {
        "a secret is added"
    } else {
        "a secret is added in parts or encoded"
    };
    format!(
        "{how} ({}); take it out, and read it from the environment or make one up in the test",
        find.kind
    )
}

fn at(path: &str, line: Option<u32>) -> String {
    line.map_or_else(|| path.to_owned(), |line| format!("{path}:{line}"))
}

fn refusal(place: String, words: &str) -> Objection {
    Objection {
        weight: Weight::Refuses,
        place,
        words: words.to_owned(),
    }
}
