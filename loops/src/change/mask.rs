//! Source text with comments and strings blanked out, so that brackets and words can be found where they are code.
//!
//! This is a lexer, no parser: where a language is ambiguous (regular expressions in JavaScript) it guesses as
//! editors do. Every byte keeps its place, so a position found here is a position in the source. It takes one pass
//! and no recursion, whatever the text is.

use super::languages::Language;

/// A source text, and the same text with parts blanked out by spaces.
#[derive(Debug)]
pub(super) struct Masked {
    /// Without comments and without what strings hold; their quotes stay.
    pub(super) code: String,
    /// Without comments.
    pub(super) text: String,
    /// For the position of each opening bracket, the position of the closing one.
    brackets: Vec<u32>,
}

const NONE: u32 = u32::MAX;

/// Longer ones are no regular expressions; without an end to the search, a hostile line would take its length squared.
const LONGEST_REGEX: usize = 2_000;

impl Masked {
    pub(super) fn of(source: &str, language: Language) -> Self {
        let mut masker = Masker {
            source: source.as_bytes(),
            code: source.as_bytes().to_vec(),
            text: source.as_bytes().to_vec(),
            language,
        };
        masker.run();
        let code = String::from_utf8_lossy(&masker.code).into_owned();
        let text = String::from_utf8_lossy(&masker.text).into_owned();
        let brackets = brackets(code.as_bytes());
        Self { code, text, brackets }
    }

    /// Where the bracket that opens at `at` closes.
    pub(super) fn closing(&self, at: usize) -> Option<usize> {
        self.brackets
            .get(at)
            .filter(|close| **close != NONE)
            .map(|close| *close as usize)
    }
}

/// One pass; each kind of bracket for itself, so that one that is missing does not spoil the others.
fn brackets(code: &[u8]) -> Vec<u32> {
    let mut closing = vec![NONE; code.len()];
    let mut open: [Vec<usize>; 3] = Default::default();
    for (at, byte) in code.iter().enumerate() {
        let (kind, opens) = match byte {
            b'(' => (0, true),
            b')' => (0, false),
            b'[' => (1, true),
            b']' => (1, false),
            b'{' => (2, true),
            b'}' => (2, false),
            _ => continue,
        };
        if opens {
            open[kind].push(at);
        } else if let Some(start) = open[kind].pop() {
            closing[start] = u32::try_from(at).unwrap_or(NONE);
        }
    }
    closing
}

struct Masker<'a> {
    source: &'a [u8],
    code: Vec<u8>,
    text: Vec<u8>,
    language: Language,
}

impl Masker<'_> {
    fn run(&mut self) {
        let mut at = 0;
        // Depths of braces inside `${` of template strings, innermost last.
        let mut templates: Vec<usize> = Vec::new();
        let mut last = b'(';
        let mut last_word_at = 0;
        while at < self.source.len() {
            let byte = self.source[at];
            let end = if let Some(end) = self.comment(at) {
                self.blank(at, end, true);
                at = end;
                continue;
            } else if byte == b'`' && self.language == Language::JavaScript {
                self.template(at + 1, &mut templates)
            } else if byte == b'{' && !templates.is_empty() {
                if let Some(depth) = templates.last_mut() {
                    *depth += 1;
                }
                at + 1
            } else if byte == b'}' && !templates.is_empty() {
                match templates.last_mut() {
                    Some(0) => {
                        templates.pop();
                        self.blank(at, at + 1, false);
                        self.template(at + 1, &mut templates)
                    }
                    Some(depth) => {
                        *depth -= 1;
                        at + 1
                    }
                    None => at + 1,
                }
            } else if byte == b'/'
                && self.language == Language::JavaScript
                && self.may_begin_regex(last, last_word_at, at)
            {
                self.regex(at)
            } else {
                self.string(at).unwrap_or(at + 1)
            };
            if !byte.is_ascii_whitespace() {
                if !is_word(byte) || !is_word(last) || (at > 0 && !is_word(self.source[at - 1])) {
                    last_word_at = at;
                }
                last = self.source[end - 1];
            }
            at = end;
        }
    }

    fn starts(&self, at: usize, with: &str) -> bool {
        self.source[at..].starts_with(with.as_bytes())
    }

    fn find(&self, from: usize, what: &str) -> Option<usize> {
        let from = from.min(self.source.len());
        self.source[from..]
            .windows(what.len())
            .position(|window| window == what.as_bytes())
            .map(|at| from + at)
    }

    fn blank(&mut self, from: usize, to: usize, comment: bool) {
        for at in from..to.min(self.source.len()) {
            if self.source[at] != b'\n' {
                self.code[at] = b' ';
                if comment {
                    self.text[at] = b' ';
                }
            }
        }
    }

    /// Where the comment that begins here ends.
    fn comment(&self, at: usize) -> Option<usize> {
        let line_end = || self.find(at, "\n").unwrap_or(self.source.len());
        if self.language == Language::Python {
            return (self.source[at] == b'#').then(line_end);
        }
        if self.starts(at, "//") {
            return Some(line_end());
        }
        if !self.starts(at, "/*") {
            return None;
        }
        if self.language != Language::Rust {
            return Some(self.find(at + 2, "*/").map_or(self.source.len(), |end| end + 2));
        }
        let (mut depth, mut end) = (0_usize, at);
        while end < self.source.len() {
            if self.starts(end, "/*") {
                (depth, end) = (depth + 1, end + 2);
            } else if self.starts(end, "*/") {
                (depth, end) = (depth - 1, end + 2);
                if depth == 0 {
                    return Some(end);
                }
            } else {
                end += 1;
            }
        }
        Some(self.source.len())
    }

    /// If a string begins here: blanks what it holds, and says where it ends.
    fn string(&mut self, at: usize) -> Option<usize> {
        let byte = self.source[at];
        if !matches!(byte, b'"' | b'\'' | b'`') {
            return None;
        }
        let (close, escapes, lines): (String, bool, bool) = match self.language {
            Language::Python if byte != b'`' => {
                let triple = [byte; 3];
                let is_triple = self.source[at..].starts_with(&triple);
                let quote = String::from(char::from(byte));
                (if is_triple { quote.repeat(3) } else { quote }, true, is_triple)
            }
            Language::Rust if byte == b'"' => match self.raw_hashes(at) {
                Some(hashes) => (format!("\"{}", "#".repeat(hashes)), false, true),
                None => ("\"".to_owned(), true, true),
            },
            Language::Rust if byte == b'\'' => return self.rust_char(at),
            Language::Go if byte == b'`' => ("`".to_owned(), false, true),
            Language::Java if self.starts(at, "\"\"\"") => ("\"\"\"".to_owned(), true, true),
            Language::JavaScript | Language::Go | Language::Java if byte != b'`' => {
                (char::from(byte).to_string(), true, false)
            }
            _ => return None,
        };
        let open = if close.len() == 3 && !close.contains('#') {
            3
        } else {
            1
        };
        let mut end = at + open;
        while end < self.source.len() {
            if self.starts(end, &close) {
                self.blank(at + open, end, false);
                return Some(end + close.len());
            }
            match self.source[end] {
                b'\\' if escapes => end += 2,
                b'\n' if !lines => break,
                _ => end += 1,
            }
        }
        let end = end.min(self.source.len());
        self.blank(at + open, end, false);
        Some(end)
    }

    /// How many `#` stand between `r` and the quote of a raw string; none: it is no raw string.
    fn raw_hashes(&self, quote: usize) -> Option<usize> {
        let before = &self.source[..quote];
        let hashes = before.iter().rev().take_while(|byte| **byte == b'#').count();
        let prefix = &before[..quote - hashes];
        let letters = prefix.iter().rev().take_while(|byte| is_word(**byte)).count();
        let word = &prefix[prefix.len() - letters..];
        matches!(word, b"r" | b"br" | b"cr").then_some(hashes)
    }

    /// A character, or the tick of a lifetime.
    fn rust_char(&mut self, at: usize) -> Option<usize> {
        let rest = self.source.get(at + 1..)?;
        let end = if rest.first() == Some(&b'\\') {
            let close = rest.iter().skip(2).take(10).position(|byte| *byte == b'\'')?;
            at + 1 + 2 + close
        } else {
            let width = rest
                .iter()
                .skip(1)
                .take_while(|byte| (0x80..0xC0).contains(*byte))
                .count()
                + 1;
            (rest.get(width) == Some(&b'\'')).then_some(at + 1 + width)?
        };
        self.blank(at + 1, end, false);
        Some(end + 1)
    }

    /// The text of a template string, from after its quote or after a `}`, to its end or the next `${`.
    fn template(&mut self, from: usize, templates: &mut Vec<usize>) -> usize {
        let mut end = from;
        while end < self.source.len() {
            if self.source[end] == b'`' {
                self.blank(from, end, false);
                return end + 1;
            }
            if self.starts(end, "${") {
                self.blank(from, end + 2, false);
                // The brace is blanked, and so is the one that closes it: they are no block.
                templates.push(0);
                return end + 2;
            }
            end += if self.source[end] == b'\\' { 2 } else { 1 };
        }
        let end = end.min(self.source.len());
        self.blank(from, end, false);
        end
    }

    fn may_begin_regex(&self, last: u8, last_word_at: usize, at: usize) -> bool {
        if is_word(last) {
            let word: Vec<u8> = self.source[last_word_at..at]
                .iter()
                .copied()
                .take_while(|byte| is_word(*byte))
                .collect();
            return [
                &b"return"[..],
                b"typeof",
                b"case",
                b"in",
                b"of",
                b"do",
                b"else",
                b"void",
                b"delete",
                b"throw",
                b"new",
            ]
            .contains(&word.as_slice());
        }
        !matches!(last, b')' | b']' | b'}' | b'"' | b'\'' | b'`')
    }

    /// Blanks a regular expression and says where it ends; a slash without an end on its line is a division.
    fn regex(&mut self, at: usize) -> usize {
        let (mut end, mut class) = (at + 1, false);
        while let Some(byte) = self.source.get(end).filter(|_| end - at < LONGEST_REGEX) {
            match byte {
                b'\n' => return at + 1,
                b'\\' => end += 1,
                b'[' => class = true,
                b']' => class = false,
                b'/' if !class => {
                    self.blank(at + 1, end, false);
                    return end + 1;
                }
                _ => {}
            }
            end += 1;
        }
        at + 1
    }
}

/// Whether a byte can be part of a name.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
