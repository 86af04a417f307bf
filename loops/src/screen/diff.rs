//! What a change adds, line by line: secrets that were not there before, and text that a reviewer does not see as it
//! is. What is removed or was there already is not judged.

use std::collections::{BTreeSet, HashSet};

use super::{
    Objection, Weight, looks,
    secrets::{self, Depth, Find},
};
use crate::change::{Diff, FileChange, Hunk, Line, Side};

/// How many objections of one file are gathered; a file with so many is refused anyway, and is not looked at further.
const MOST: usize = 50;
/// How often one change may have a find sought through all that is known, which costs as much as the change is long. What
/// is found beyond is taken for new.
const LOOKS: usize = 400;

/// What stands against the added lines and the paths of a change.
pub(super) fn objections(diff: &Diff) -> Vec<Objection> {
    let mut before = Before::of(diff);
    diff.files
        .iter()
        .flat_map(|file| {
            let mut list = Vec::new();
            of_file(file, &mut before, &mut list);
            list.truncate(MOST);
            list
        })
        .collect()
}

/// The text that stood on the base, as far as the diff shows it: a secret that only moves is not added.
struct Before {
    texts: Vec<String>,
    /// What is found in its lines.
    secrets: HashSet<String>,
    looks: usize,
}

impl Before {
    fn of(diff: &Diff) -> Self {
        let lines = |file: &FileChange| {
            let side = |side| file.lines(side).map(|line| line.text.clone()).collect::<Vec<_>>();
            [side(Side::Removed), side(Side::Context)].concat()
        };
        let lines: Vec<Vec<String>> = diff.files.iter().map(lines).collect();
        let secrets = lines
            .iter()
            .flatten()
            .flat_map(|line| secrets::find(line, Depth::All))
            .map(|find| find.secret)
            .collect();
        Self {
            texts: lines.iter().map(|lines| lines.join("\n")).collect(),
            secrets,
            looks: LOOKS,
        }
    }

    fn has(&mut self, secret: &str) -> bool {
        if self.secrets.contains(secret) {
            return true;
        }
        if self.looks == 0 {
            return false;
        }
        self.looks -= 1;
        self.texts.iter().any(|text| text.contains(secret))
    }
}

fn of_file(file: &FileChange, before: &mut Before, list: &mut Vec<Objection>) {
    let path = file.path();
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
        added_secrets(hunk, depth, &mut |line, find| {
            // The secret decides whether it is told once more; a key's head is the same for every key.
            if !before.has(&find.secret) && seen.insert((line, find.kind)) {
                list.push(refusal(at(path, line), &secret_words(find)));
            }
            list.len() < MOST
        });
        for line in hunk.lines.iter().filter(|line| line.side == Side::Added) {
            if list.len() >= MOST {
                return;
            }
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
}

fn added(hunk: &Hunk) -> Vec<&Line> {
    hunk.lines
        .iter()
        .filter(|line| line.side == Side::Added)
        .collect()
}

/// Tells the secrets that a hunk adds, as long as `more` of them are wanted: line by line, and then in its added lines as
/// one text, for those that were taken apart over lines.
fn added_secrets(hunk: &Hunk, depth: Depth, more: &mut impl FnMut(Option<u32>, &Find) -> bool) {
    let lines = added(hunk);
    let mut found: HashSet<String> = HashSet::new();
    for line in &lines {
        for find in secrets::find(&line.text, depth) {
            if !more(line.new, &find) {
                return;
            }
            found.insert(find.secret);
        }
    }
    if lines.len() < 2 {
        return;
    }
    let text = lines
        .iter()
        .map(|line| line.text.as_str())
        .collect::<Vec<_>>()
        .join("\n");
    let across = secrets::find(&text, Depth::Forms)
        .into_iter()
        .filter(|find| !found.contains(&find.secret));
    for (number, find) in across.enumerate() {
        let known = number < LOOKS && found.iter().any(|known| known.contains(&find.secret));
        if !known && !more(lines[0].new, &find) {
            return;
        }
    }
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
