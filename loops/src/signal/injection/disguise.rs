//! Words that are written so that a scan does not read them and a model does: other letters, digits for letters, letters
//! set apart, turned around, moved by thirteen, mixed within a word, other alphabets of code. Each is undone, and
//! the plain words are looked for in what comes out. It judges nothing; what it undoes is thrown away.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{Folded, Form, forms};
use crate::{change::pattern, screen::secrets};

/// Words without which undoing something is not worth looking at.
const WORDS: [&str; 14] = [
    "ignore",
    "disregard",
    "forget",
    "instructions",
    "prompt",
    "secret",
    "password",
    "reveal",
    "override",
    "previous",
    "system",
    "api key",
    "token",
    "delete",
];
/// The forms that count in what was undone: those of plain words.
const PLAIN: [Form; 6] = [
    Form::IgnoreRules,
    Form::NewRole,
    Form::AddressesAgent,
    Form::AsksForSecrets,
    Form::Exfiltration,
    Form::DefeatsChecks,
];
/// Letters that look like Latin ones, and those.
const ALIKE: [(&str, &str); 2] = [
    ("аеорсухіјѕһԁԛԝѵӏкмтнв", "aeopcyxijshdqwvlkmthb"),
    ("οναιρυεκτη", "ovaipuektn"),
];
const MORSE: [&str; 26] = [
    ".-", "-...", "-.-.", "-..", ".", "..-.", "--.", "....", "..", ".---", "-.-", ".-..", "--", "-.", "---",
    ".--.", "--.-", ".-.", "...", "-", "..-", "...-", ".--", "-..-", "-.--", "--..",
];

static APART: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?:\b\w[ ._*-]{1,3}){10,}\w\b"));
static BASE32: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b[A-Z2-7]{32,}={0,6}"));
static SIGNALS: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?:[.\-]{1,4}[ /|]+){12,}[.\-]{1,4}"));
static ESCAPES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)(?:(?:&#x?[0-9a-f]{1,6};?|\\u\{?[0-9a-f]{4,6}\}?|\\x[0-9a-f]{2}|%[0-9a-f]{2})[ ]?){6,}")
});
static ESCAPE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)(&#x|&#|\\u\{?|\\x|%)([0-9a-f]{1,6})[;}]?| "));
static BRAILLE: LazyLock<Regex> = LazyLock::new(|| pattern(r"[\u{2801}-\u{28ff}][\u{2800}-\u{28ff}\s]{14,}"));

/// Places of a text that say something else when they are read in another way.
pub(super) fn places(text: &str, folded: &Folded) -> Vec<Range<usize>> {
    let mut places: Vec<Range<usize>> = BRAILLE.find_iter(text).map(|run| run.range()).collect();
    let words = BASE32.find_iter(text).filter(|run| from_base32(run.as_str()));
    places.extend(words.map(|run| run.range()));
    let escaped = ESCAPES.find_iter(text).filter(|run| {
        let plain = Folded::of(&unescaped(run.as_str()));
        plain_words(&plain).is_some()
    });
    places.extend(escaped.map(|run| run.range()));
    let signals = SIGNALS.find_iter(text).filter(|run| is_morse(run.as_str()));
    places.extend(signals.map(|run| run.range()));
    let undone = [
        folded.with(alike),
        folded.with(rot13),
        by_words(folded, undigit),
        by_words(folded, unmixed),
        joined(folded),
    ];
    for other in undone.iter().flatten() {
        if other.text != folded.text {
            places.extend(plain_words(other));
        }
    }
    let reversed: String = folded.text.chars().rev().collect();
    if says(&reversed) && !says(&folded.text) {
        places.push(0..text.len());
    }
    places.truncate(8);
    places
}

/// Where the plain words of an injection stand.
fn plain_words(folded: &Folded) -> Option<Range<usize>> {
    if !WORDS.iter().any(|word| folded.text.contains(word)) {
        return None;
    }
    let forms = forms::each();
    let mut hits = forms.iter().filter(|(form, _)| PLAIN.contains(form));
    hits.find_map(|(_, pattern)| pattern.places(&folded.text, 1).pop())
        .map(|place| folded.place(place))
}

fn says(text: &str) -> bool {
    WORDS.iter().filter(|word| text.contains(*word)).count() > 1
}

fn alike(c: char) -> char {
    ALIKE
        .iter()
        .find_map(|(odd, plain)| {
            let at = odd.chars().position(|other| other == c)?;
            plain.chars().nth(at)
        })
        .unwrap_or(c)
}

fn rot13(c: char) -> char {
    match c {
        'a'..='m' => char::from(c as u8 + 13),
        'n'..='z' => char::from(c as u8 - 13),
        c => c,
    }
}

/// Digits that stand for letters, in words that have letters, too.
fn undigit(word: &str) -> Option<String> {
    let digits = word.contains(['0', '1', '3', '4', '5', '7', '@', '$']);
    (digits && word.contains(|c: char| c.is_ascii_lowercase())).then(|| {
        word.chars()
            .map(|c| match c {
                '0' => 'o',
                '1' => 'i',
                '3' => 'e',
                '4' | '@' => 'a',
                '5' | '$' => 's',
                '7' => 't',
                c => c,
            })
            .collect()
    })
}

/// A word that has the letters of one of ours with its first and last in place, as that one.
fn unmixed(word: &str) -> Option<String> {
    let letters = |word: &str| {
        let mut letters: Vec<u8> = word.bytes().collect();
        letters.sort_unstable();
        letters
    };
    let ends = |word: &str| (word.bytes().next(), word.bytes().next_back());
    let of =
        |ours: &&&str| ours.len() == word.len() && ends(ours) == ends(word) && letters(ours) == letters(word);
    let ours = WORDS.iter().filter(|ours| ours.len() > 4).find(of)?;
    (*ours != word).then(|| (*ours).to_owned())
}

/// A text with some of its words written in another way, each as long as it was.
fn by_words(folded: &Folded, undo: impl Fn(&str) -> Option<String>) -> Option<Folded> {
    let mut text = String::with_capacity(folded.text.len());
    let mut any = false;
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '@' | '$');
    let mut rest = folded.text.as_str();
    while !rest.is_empty() {
        let word = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (now, after) = rest.split_at(word);
        match undo(now).filter(|other| other.len() == now.len()) {
            Some(other) => {
                any = true;
                text.push_str(&other);
            }
            None => text.push_str(now),
        }
        let between = after.find(is_part).unwrap_or(after.len());
        text.push_str(&after[..between]);
        rest = &after[between..];
    }
    any.then(|| Folded {
        text,
        from: folded.from.clone(),
        end: folded.end,
    })
}

/// Letters that were set apart, together again; two blanks or more part words.
fn joined(folded: &Folded) -> Option<Folded> {
    APART.is_match(&folded.text).then(|| {
        let mut out = Folded {
            text: String::new(),
            from: Vec::new(),
            end: folded.end,
        };
        for run in APART.find_iter(&folded.text) {
            let piece = run.as_str();
            let mut at = run.start();
            let wide = piece.contains("  ");
            for part in piece.split_inclusive(|c: char| !c.is_alphanumeric()) {
                let letters = part.trim_end_matches(|c: char| !c.is_alphanumeric());
                out.text.push_str(letters);
                if wide && letters.is_empty() && !out.text.ends_with(' ') {
                    out.text.push(' ');
                }
                let from = folded.from.get(at).copied().unwrap_or(folded.end);
                out.from.resize(out.text.len(), from);
                at += part.len();
            }
            out.text.push('\n');
            out.from
                .resize(out.text.len(), folded.from.get(at).copied().unwrap_or(folded.end));
        }
        out
    })
}

/// What references of HTML, of addresses and of strings stand for.
fn unescaped(run: &str) -> String {
    ESCAPE
        .captures_iter(run)
        .filter_map(|found| {
            let Some(number) = found.get(2) else {
                return Some(' ');
            };
            let radix = if &found[1] == "&#" { 10 } else { 16 };
            u32::from_str_radix(number.as_str(), radix)
                .ok()
                .and_then(char::from_u32)
        })
        .collect()
}

/// Whether a run of base32 says words.
fn from_base32(run: &str) -> bool {
    let (mut bits, mut held, mut bytes) = (0_u32, 0_u32, Vec::new());
    for byte in run.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            _ => byte.saturating_sub(b'2') + 26,
        };
        bits = (bits << 5 | u32::from(value)) & 0xfff;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap_or(0));
        }
    }
    let words = String::from_utf8(bytes).unwrap_or_default();
    words.split(' ').count() >= 4 && words.chars().all(|c| matches!(c, ' '..='~' | '\n'))
}

/// Whether dots and dashes are letters: nearly all of them, of many kinds.
fn is_morse(run: &str) -> bool {
    let signs: Vec<&str> = run
        .split([' ', '/', '|'])
        .filter(|sign| !sign.is_empty())
        .collect();
    let mut kinds: Vec<usize> = signs
        .iter()
        .filter_map(|sign| MORSE.iter().position(|letter| letter == sign))
        .collect();
    let known = kinds.len();
    kinds.sort_unstable();
    kinds.dedup();
    known * 10 >= signs.len() * 9 && kinds.len() >= 6
}

/// Whether a run of base64 or hexadecimal digits says words, and what.
pub(super) fn decoded(run: &str) -> Option<String> {
    secrets::decoded(run).into_iter().next()
}
