//! Whether added text is what it looks like: no characters that hide or reorder it, no letters that pass for others, no
//! code beyond the edge of the screen, no data that nobody can read.

use super::{
    Weight,
    hidden::{is_invisible, joins, name, reorders},
};
use crate::change::{Line, is_test_path};

/// Characters of one line beyond which nobody reads it.
const LONG: usize = 4_000;
/// So many blanks in a row push what follows out of sight.
const GAP: usize = 120;
/// A run of so many characters of base64 or hex is data.
const DATA: usize = 512;
/// So many lines of nothing but base64 or hex are data.
const DATA_LINES: usize = 24;

/// What stands against one added line. `first`: it is the first of its file.
pub(super) fn objections(path: &str, text: &str, first: bool) -> Vec<(Weight, String)> {
    let mut list: Vec<(Weight, String)> = [hidden(text, first), lookalike(text), beyond_sight(text)]
        .into_iter()
        .flatten()
        .map(|words| (Weight::Refuses, words))
        .collect();
    let length = text.chars().count();
    if longest_data(text) >= DATA {
        list.extend(data(
            path,
            format!("{} characters of encoded data", longest_data(text)),
        ));
    } else if length > LONG && !is_generated(path) && !is_data(path) {
        list.push((
            Weight::Refuses,
            format!("a line of {length} characters, which nobody can review; break it up"),
        ));
    }
    list
}

/// What stands against the added lines of a hunk together.
pub(super) fn block(path: &str, lines: &[&Line]) -> Option<(Option<u32>, String, Weight)> {
    let mut begin = 0;
    for at in 0..=lines.len() {
        let encoded = lines.get(at).is_some_and(|line| is_data_line(&line.text));
        if encoded {
            continue;
        }
        if at - begin >= DATA_LINES {
            let (weight, words) = data(path, format!("{} lines of encoded data", at - begin))?;
            return Some((lines[begin].new, words, weight));
        }
        begin = at + 1;
    }
    None
}

/// Files whose lines are made by tools and full of digests.
pub(super) fn is_generated(path: &str) -> bool {
    const NAMES: &[&str] = &[
        "Cargo.lock",
        "package-lock.json",
        "npm-shrinkwrap.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "bun.lock",
        "poetry.lock",
        "uv.lock",
        "Pipfile.lock",
        "pdm.lock",
        "composer.lock",
        "Gemfile.lock",
        "go.sum",
        "go.work.sum",
        "flake.lock",
        "mix.lock",
        "Package.resolved",
        "Podfile.lock",
        "packages.lock.json",
        "gradle.lockfile",
        "deno.lock",
        "pubspec.lock",
        "MODULE.bazel.lock",
    ];
    const ENDS: &[&str] = &[".min.js", ".min.css", ".map", ".sum", ".lock"];
    let name = path.rsplit('/').next().unwrap_or_default();
    NAMES.contains(&name) || ENDS.iter().any(|end| name.ends_with(end))
}

/// Files that hold data by their nature.
fn is_data(path: &str) -> bool {
    [
        ".json", ".jsonl", ".csv", ".tsv", ".svg", ".snap", ".ipynb", ".xml", ".html", ".po", ".geojson",
        ".txt", ".md",
    ]
    .iter()
    .any(|end| path.to_ascii_lowercase().ends_with(end))
}

/// Data where none belongs refuses; among tests people are told, as fixtures may need it.
fn data(path: &str, what: String) -> Option<(Weight, String)> {
    if is_generated(path) {
        return None;
    }
    let (weight, words) = if is_test_path(path) || is_data(path) {
        (Weight::Notes, format!("{what}, which nobody can read"))
    } else {
        (
            Weight::Refuses,
            format!("{what}, which nobody can read; add it as a file of its own kind, or build it in code"),
        )
    };
    Some((weight, words))
}

fn hidden(text: &str, first: bool) -> Option<String> {
    let text = text.strip_suffix('\r').unwrap_or(text);
    let mut chars = text.char_indices().peekable();
    let mut before = ' ';
    while let Some((at, c)) = chars.next() {
        let after = chars.peek().map_or(' ', |(_, c)| *c);
        // Scripts and emoji are joined by invisible characters; beside ASCII there is nothing to join.
        let joined = joins(c)
            && (!before.is_ascii() || before == '\u{200d}')
            && (!after.is_ascii() || after == ' ' || !matches!(c, '\u{200c}' | '\u{200d}'));
        let mark = first && at == 0 && c == '\u{feff}';
        if reorders(c) {
            return Some(format!(
                "the character {}, which shows the text in another order than it has",
                name(c)
            ));
        }
        if is_invisible(c) && !joined && !mark {
            return Some(format!(
                "the invisible character {}; take it out or write it as an escape",
                name(c)
            ));
        }
        if c.is_control() && !matches!(c, '\t' | '\u{c}') {
            return Some(format!(
                "the control character {}; write it as an escape",
                name(c)
            ));
        }
        before = c;
    }
    None
}

/// A word in which letters that pass for Latin ones stand among Latin ones.
fn lookalike(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| word.chars().any(|c| c.is_ascii_alphabetic()))
        .find_map(|word| {
            let odd = word.chars().find(|c| passes_for_latin(*c))?;
            Some(format!(
                "a word of Latin letters holds {}, which only looks like one of them",
                name(odd)
            ))
        })
}

/// Letters of other scripts that are drawn like Latin ones (the common ones of Unicode's confusables), full-width and
/// mathematical forms among them.
fn passes_for_latin(c: char) -> bool {
    "аеорсухіјѕһԁԛԝѵӏАВЕЅІЈКМНОРСТХУԌοναιρυΑΒΕΖΗΙΚΜΝΟΡΤΥΧօոսցհռᎪᏴᏟᎬᎻᎫᏦᏞᎷᏢᎡᏚᎢᏙᎳⅼⅰⅴⅹ".contains(c)
        || matches!(c, '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}' | '\u{1d400}'..='\u{1d6a3}')
}

fn beyond_sight(text: &str) -> Option<String> {
    let mut run = 0;
    let mut begun = false;
    for c in text.chars() {
        if c.is_whitespace() {
            run += if c == '\t' { 4 } else { 1 };
        } else {
            if begun && run >= GAP {
                return Some(format!("text behind {run} blanks, where no reviewer looks"));
            }
            begun = true;
            run = 0;
        }
    }
    None
}

/// The longest run of base64 or hex in which nothing reads like words.
fn longest_data(text: &str) -> usize {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '\\')))
        .map(|run| {
            if run.matches("\\x").count() * 5 > run.len() {
                run.len()
            } else {
                run.replace('\\', "").len()
            }
        })
        .max()
        .unwrap_or(0)
}

fn is_data_line(text: &str) -> bool {
    let text = text
        .trim()
        .trim_matches(|c| matches!(c, '"' | '\'' | ',' | '+' | '\\' | ';'));
    text.len() >= 48
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_'))
        && text.bytes().any(|byte| byte.is_ascii_digit())
}
