//! Finds secrets in text and masks them. What is found is never shown, not even in part: a find says what kind of
//! secret it is and where it stands.
//!
//! A secret that was taken apart (strings put together, encoded once as base64 or hex, full-width letters, invisible
//! characters between) is looked for, too. One that was encrypted, or encoded in a way of its own, is not found.

mod decode;
mod entropy;
mod formats;

pub(crate) use decode::decoded;

use std::{borrow::Cow, collections::HashSet, ops::Range, sync::LazyLock};

use regex::Regex;
use unicode_normalization::UnicodeNormalization as _;

use super::hidden::plain;
use crate::change::pattern;

/// How closely one looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Known forms only: for files of digests and generated text.
    Forms,
    /// Known forms, values that are called secret, and strings that look random.
    All,
}

/// One secret in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Find {
    /// What it is, for people.
    pub(crate) kind: &'static str,
    /// Where it stands; none: only after the text was put together or decoded.
    pub(crate) place: Option<Range<usize>>,
    /// The secret itself, for comparing; it is never shown.
    pub(crate) secret: String,
}

/// A string that ends and one that begins, with what languages write between them to put both together.
static SEAM: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"['"`]\s*(?:\+|\.\.?|,|&|<>|\|\||~)?\s*\\?\s*[rbuf]?['"`]"#));
/// How often one text may have a find compared with all others of it; what is found beyond is taken for another one.
const LOOKS: usize = 400;
/// The stand-ins that issuers publish in their own documents.
const PUBLISHED: &[&str] = &[
    "EXAMPLE",
    "example",
    "XXXX",
    "xxxx",
    "0000000000",
    "<",
    "...",
    "${",
    "{{",
    "***",
];
/// Passwords that stand for a password, or open nothing but a test's own database.
const STAND_INS: &[&str] = &[
    "password",
    "passwd",
    "pass",
    "pwd",
    "secret",
    "postgres",
    "mysql",
    "root",
    "admin",
    "user",
    "guest",
    "test",
    "token",
    "changeme",
    "example",
    "redis",
    "minioadmin",
];

/// Everything in `text` that looks like a secret, in the order in which it stands there, then what was hidden.
pub(crate) fn find(text: &str, depth: Depth) -> Vec<Find> {
    let mut found = direct(text, depth);
    found.sort_by_key(|find| {
        find.place
            .as_ref()
            .map(|place| (place.start, usize::MAX - place.end))
    });
    let mut known: HashSet<String> = found.iter().map(|find| find.secret.clone()).collect();
    let shown = found.len();
    let mut looks = 0;
    for other in views(text) {
        // A joined or decoded text has seams of its own that look random: known forms only.
        for find in direct(&other, Depth::Forms) {
            if known.contains(&find.secret) {
                continue;
            }
            looks += 1;
            let is_part = |one: &Find| one.secret.contains(&find.secret) || find.secret.contains(&one.secret);
            if looks > LOOKS || !found[..shown].iter().any(is_part) {
                known.insert(find.secret.clone());
                found.push(Find { place: None, ..find });
            }
        }
    }
    found
}

/// Whether there is any secret in `text`, as closely as one can look.
pub fn holds_secret(text: &str) -> bool {
    !find(text, Depth::All).is_empty()
}

/// `text` in which each secret is `[masked: …]`. A line with a secret that only stands there in parts is masked as a
/// whole, and so is everything from the head of a private key to its end.
pub fn mask(text: &str) -> String {
    let mut masked = mask_direct(text, Depth::All);
    if find(&masked, Depth::All).is_empty() {
        return masked;
    }
    masked = masked
        .split_inclusive('\n')
        .map(|line| match find(line, Depth::All).first() {
            Some(find) => Cow::Owned(format!("[masked line: {}]{}", find.kind, line_end(line))),
            None => Cow::Borrowed(line),
        })
        .collect();
    if let Some(find) = find(&masked, Depth::All).first() {
        // It stands across lines: nothing of the text can be shown.
        return format!("[masked text: {}]", find.kind);
    }
    masked
}

fn line_end(line: &str) -> &'static str {
    if line.ends_with('\n') { "\n" } else { "" }
}

/// `text` in which each secret of a known form is `[masked: …]`, and nothing that only looks random: for what is kept
/// and shown of work, where commits and digests are to be read.
pub fn mask_known(text: &str) -> Cow<'_, str> {
    if direct(text, Depth::Forms).is_empty() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(mask_direct(text, Depth::Forms))
}

fn mask_direct(text: &str, depth: Depth) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut found = direct(text, depth);
    found.sort_by_key(|find| {
        find.place
            .as_ref()
            .map(|place| (place.start, usize::MAX - place.end))
    });
    for find in found {
        let Some(place) = find.place else { continue };
        let end = if find.kind.starts_with("private key") {
            end_of_key(text, place.end)
        } else {
            place.end
        };
        if place.start >= at {
            out.push_str(&text[at..place.start]);
            out.push_str(&format!("[masked: {}]", find.kind));
        }
        at = at.max(end);
    }
    out.push_str(&text[at..]);
    out
}

/// Where a key whose head ends at `from` ends: after its foot, or with the text.
fn end_of_key(text: &str, from: usize) -> usize {
    const FOOT: &str = "-----";
    let Some(begin) = text[from..].find("-----END") else {
        return text.len();
    };
    let begin = from + begin + FOOT.len();
    text[begin..]
        .find(FOOT)
        .map_or(text.len(), |at| begin + at + FOOT.len())
}

/// What stands in `text` as it is.
fn direct(text: &str, depth: Depth) -> Vec<Find> {
    let mut found: Vec<Find> = formats::find(text)
        .into_iter()
        .filter(|hit| !is_stand_in(hit.name, &text[hit.place.clone()], hit.least - hit.place.start))
        .map(|hit| at(text, hit.name, hit.place))
        .collect();
    if depth == Depth::All {
        let others = [
            ("password or key, by its name", entropy::named(text)),
            ("string that looks random", entropy::random(text)),
        ];
        for (kind, places) in others {
            let taken = Taken::by(&found);
            let free = places.into_iter().filter(|place| !taken.overlaps(place));
            let free: Vec<Find> = free.map(|place| at(text, kind, place)).collect();
            found.extend(free);
        }
    }
    found
}

/// Where finds stand, to be asked many times.
struct Taken(Vec<(usize, usize)>);

impl Taken {
    /// By where they begin, each with the furthest end of all up to it.
    fn by(found: &[Find]) -> Self {
        let mut spans: Vec<(usize, usize)> = found
            .iter()
            .filter_map(|find| find.place.as_ref().map(|place| (place.start, place.end)))
            .collect();
        spans.sort_unstable();
        let mut furthest = 0;
        for (_, end) in &mut spans {
            furthest = furthest.max(*end);
            *end = furthest;
        }
        Self(spans)
    }

    fn overlaps(&self, place: &Range<usize>) -> bool {
        let before = self.0.partition_point(|(start, _)| *start < place.end);
        before > 0 && self.0[before - 1].1 > place.start
    }
}

fn at(text: &str, kind: &'static str, place: Range<usize>) -> Find {
    Find {
        kind,
        secret: text[place.clone()].to_owned(),
        place: Some(place),
    }
}

/// Whether a secret is none. `least`: a sign counts only if it begins within so many bytes, as many as a secret of that
/// form has at least; else whatever is written behind a real one would make a stand-in of it.
fn is_stand_in(kind: &str, secret: &str, least: usize) -> bool {
    let begins_within = |sign: &&str| secret.find(*sign).is_some_and(|begin| begin < least);
    if PUBLISHED.iter().any(begins_within) {
        return true;
    }
    let lower = secret.to_ascii_lowercase();
    kind.starts_with("password")
        && (STAND_INS.contains(&lower.as_str())
            || secret.starts_with(['$', '%', '{', '<', ':'])
            || secret.chars().all(|c| matches!(c, '*' | 'x' | 'X' | '.')))
}

/// The text in other ways in which a secret may stand in it.
fn views(text: &str) -> Vec<String> {
    let mut views = Vec::new();
    let simple: Cow<'_, str> = if text.is_ascii() {
        Cow::Borrowed(text)
    } else {
        let folded: String = plain(text).nfkc().collect();
        views.push(folded.clone());
        Cow::Owned(folded)
    };
    if SEAM.is_match(&simple) {
        views.push(SEAM.replace_all(&simple, "").into_owned());
    }
    views.extend(decoded(&simple));
    if let Some(joined) = views.iter().find(|view| view.len() < simple.len()) {
        views.extend(decoded(&joined.clone()));
    }
    views
}

#[cfg(test)]
#[path = "tests/labelled.rs"]
pub(super) mod labelled;
