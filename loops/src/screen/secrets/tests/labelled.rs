//! How well secrets are found: on lines that were labelled before.

use super::{Depth, find, mask};
use crate::screen::looks::is_generated;

const LINES: &str = include_str!("labelled.txt");

/// A line of the set.
pub(super) struct Labelled {
    pub(super) is_secret: bool,
    pub(super) path: String,
    pub(super) text: String,
}

/// The set, with its random parts made.
pub(super) fn lines() -> Vec<Labelled> {
    LINES
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.starts_with('#'))
        .map(|(number, line)| {
            let mut parts = line.splitn(3, '|');
            let mut next = || parts.next().unwrap();
            Labelled {
                is_secret: next() == "S",
                path: next().to_owned(),
                text: filled(next(), number as u64 + 1),
            }
        })
        .collect()
}

/// `text` with `{kind:n}` replaced; the same seed gives the same characters.
pub(crate) fn filled(text: &str, seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 20
    };
    let sign = crate::change::pattern(r"\{(an|AN|hex|b64|dig|low):([0-9]+)\}");
    sign.replace_all(text, |found: &regex::Captures<'_>| {
        let letters: &[u8] = match &found[1] {
            "an" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            "AN" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
            "hex" => b"0123456789abcdef",
            "b64" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
            "dig" => b"123456789",
            _ => b"abcdefghijklmnopqrstuvwxyz0123456789",
        };
        let n: usize = found[2].parse().unwrap();
        (0..n)
            .map(|_| char::from(letters[usize::try_from(next()).unwrap() % letters.len()]))
            .collect::<String>()
    })
    .into_owned()
}

#[test]
fn nearly_all_secrets_of_the_labelled_set_are_found_and_few_other_lines() {
    let (mut found_right, mut found_wrong, mut missed) = (0, Vec::new(), Vec::new());
    for line in lines() {
        let depth = if is_generated(&line.path) {
            Depth::Forms
        } else {
            Depth::All
        };
        let found = find(&line.text, depth);
        match (line.is_secret, found.first()) {
            (true, Some(_)) => found_right += 1,
            (true, None) => missed.push(line.text),
            (false, Some(find)) => found_wrong.push((find.kind, line.text)),
            (false, None) => {}
        }
    }
    let all_found = found_right + found_wrong.len();
    let precision = 100 * found_right / all_found;
    let recall = 100 * found_right / (found_right + missed.len());
    println!(
        "precision {precision} %, recall {recall} %\nmissed: {missed:#?}\nfalse alarms: {found_wrong:#?}"
    );
    assert!(recall >= 97, "recall {recall} %: {missed:#?}");
    assert!(precision >= 95, "precision {precision} %: {found_wrong:#?}");
}

#[test]
fn what_is_masked_holds_none_of_the_secrets_that_were_found() {
    for line in lines() {
        let masked = mask(&line.text);
        for find in find(&line.text, Depth::All) {
            assert!(!masked.contains(&find.secret) || find.place.is_none(), "{masked}");
        }
        assert!(find(&masked, Depth::All).is_empty(), "{masked}");
        assert_eq!(mask(&masked), masked);
    }
}
