//! A pattern that is kept for as long as the process lives: small in memory before it is fast. Half a hundred of the usual
//! kind, with their tables for going forth and back over each script's letters, would be most of what an idle service holds.

use std::ops::Range;

use regex_automata::{
    Input,
    meta::{Config, Regex},
    util::iter::Searcher,
};

/// A pattern over folded text. Where it has Latin letters only, `\w`, `\s` and `\b` are of ASCII.
#[derive(Debug)]
pub(super) struct Lean(Regex);

impl Lean {
    /// One that is written in the code.
    pub(super) fn new(text: &'static str) -> Self {
        let config = Config::new()
            .hybrid(false)
            .dfa(false)
            .backtrack(false)
            .onepass(false);
        match Regex::builder().configure(config).build(&plain(text)) {
            Ok(regex) => Self(regex),
            // Reached only by a slip in a constant; the tests of its room force each of them.
            Err(why) => unreachable!("`{text}` is no pattern: {why}"),
        }
    }

    /// The first places of `text` that match, in their order.
    pub(super) fn places(&self, text: &str, most: usize) -> Vec<Range<usize>> {
        // What a search needs is given back after it.
        let mut cache = self.0.create_cache();
        let mut searcher = Searcher::new(Input::new(text));
        std::iter::from_fn(|| searcher.advance(|input| Ok(self.0.search_with(&mut cache, input))))
            .take(most)
            .map(|hit| hit.range())
            .collect()
    }

    /// Whether `text` matches anywhere.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let input = Input::new(text).earliest(true);
        self.0
            .search_half_with(&mut self.0.create_cache(), &input)
            .is_some()
    }
}

/// The pattern without the letters of all scripts, where it names none of them.
fn plain(text: &str) -> String {
    if !text.is_ascii() {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(2 * text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        match letters.next() {
            Some('w') => plain.push_str("[0-9A-Za-z_]"),
            Some('s') => plain.push_str(r"[ \t\r\n]"),
            Some('d') => plain.push_str("[0-9]"),
            Some('b') => plain.push_str(r"(?-u:\b)"),
            Some(other) => plain.extend(['\\', other]),
            None => plain.push('\\'),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_as_by_the_usual_kind() {
        let usual = regex::Regex::new(r"\b[a-c\s]{2,}\w\b|x\\b").unwrap();
        let lean = Lean::new(r"\b[a-c\s]{2,}\w\b|x\\b");
        for text in ["", "ab cd  abcz x\\b", "- ab\nb9 x\\bab"] {
            let places: Vec<_> = usual.find_iter(text).map(|hit| hit.range()).collect();
            assert_eq!(lean.places(text, usize::MAX), places, "{text}");
            assert_eq!(lean.is_in(text), !places.is_empty());
        }
        assert!(lean.places("ab ab ab", 0).is_empty());
    }

    #[test]
    fn other_scripts_keep_their_letters() {
        assert!(Lean::new(r"\bты\b \w+").is_in("и ты теперь"));
    }
}
