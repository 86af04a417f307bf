//! A person's text as the words that say what is wrong: folded, without politeness, quotes, links and names, with
//! numbers masked. The text comes from outside and may be anything; what is read of it is bounded.

use unicode_normalization::UnicodeNormalization;

use super::lexicon;

/// No more of a text than this many bytes is looked at.
const MAX_BYTES: usize = 16 << 10;
/// No more words than this count; a report says what is wrong at its beginning.
const MAX_WORDS: usize = 240;
/// A longer run of letters is no word; this much of it is kept.
const MAX_LETTERS: usize = 24;

/// One word of a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Word {
    /// The folded word without its ending.
    pub(crate) stem: String,
    /// How much it says: 1 for a telling word, less for common ones.
    pub(crate) weight: f32,
    /// A number after `error`, `status` and the like: two texts with different ones are about different problems.
    pub(crate) code: Option<u16>,
}

/// Folds case, width, accents and look-alike compatibility forms; drops what cannot be seen.
pub(crate) fn fold(text: &str) -> String {
    let mut end = text.len().min(MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end]
        .nfkd()
        .filter(|c| !is_mark(*c) && !is_invisible(*c))
        .take(MAX_BYTES)
        .flat_map(char::to_lowercase)
        .map(|c| {
            if matches!(c, '’' | '‘' | '`' | '´') {
                '\''
            } else {
                c
            }
        })
        .collect::<String>()
        .nfc()
        .collect()
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}' | '\u{20d0}'..='\u{20ff}')
}

/// Control, bidirectional and zero-width characters: they change what a person sees, not what was said.
pub(crate) fn is_invisible(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What a person wrote, without quoted lines and without code; of code, the lines that name an error stay.
fn own_lines(folded: &str) -> String {
    let mut fenced = false;
    let mut own = String::with_capacity(folded.len());
    for line in folded.lines() {
        let bare = line.trim();
        if bare.starts_with("'''") || bare == "{code}" || bare == "{noformat}" || bare.starts_with("{code:") {
            fenced = !fenced;
        } else if bare.starts_with('>') || bare.starts_with("&gt;") {
        } else if !fenced || bare.contains("error") || bare.contains("exception") || bare.contains("panic") {
            own.push_str(bare);
            own.push('\n');
        }
    }
    if own.trim().is_empty() {
        folded.to_owned()
    } else {
        own
    }
}

/// The plain folded words of a text, politeness and function words included; links, names and emoji left out.
pub(crate) fn plain(text: &str) -> Vec<String> {
    let folded = fold(text);
    let mut words = Vec::new();
    for chunk in own_lines(&folded).split_whitespace() {
        if words.len() >= MAX_WORDS {
            break;
        }
        if !is_reference(chunk) {
            split(chunk, &mut words);
        }
    }
    words.truncate(MAX_WORDS);
    words
}

/// Links, addresses, mentions and emoji names point at something; they do not say what is wrong.
fn is_reference(chunk: &str) -> bool {
    let bare = chunk.trim_matches(|c: char| matches!(c, '(' | ')' | ',' | '.' | '<' | '>' | '"' | '[' | ']'));
    bare.contains("://")
        || bare.starts_with("www.")
        || bare.starts_with('@')
        || (bare.len() > 2 && bare.starts_with(':') && bare.ends_with(':'))
        || bare
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
}

/// Splits a chunk at what is neither letter nor digit; scripts without spaces become overlapping pairs.
fn split(chunk: &str, words: &mut Vec<String>) {
    let mut word = String::new();
    let mut unspaced: Option<char> = None;
    let mut flush = |word: &mut String| {
        if !word.is_empty() {
            words.push(std::mem::take(word));
        }
    };
    for c in chunk.chars() {
        if is_unspaced(c) {
            flush(&mut word);
            if let Some(before) = unspaced {
                word.extend([before, c]);
                flush(&mut word);
            }
            unspaced = Some(c);
        } else if c.is_alphanumeric() {
            unspaced = None;
            if word.chars().count() < MAX_LETTERS {
                word.push(c);
            }
        } else if c != '\'' || word.is_empty() {
            unspaced = None;
            flush(&mut word);
        }
    }
    flush(&mut word);
}

fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// The telling words of a text, in order.
pub(crate) fn telling(text: &str) -> Vec<Word> {
    let plain = plain(text);
    let mut found = Vec::with_capacity(plain.len());
    let mut at = 0;
    while let Some(word) = plain.get(at) {
        at += 1;
        if let Some(joined) = plain.get(at).and_then(|next| lexicon::phrasal(word, next)) {
            at += 1;
            found.push(Word {
                stem: joined,
                weight: 1.0,
                code: None,
            });
            continue;
        }
        if word.chars().any(|c| c.is_ascii_digit()) {
            if let Some(word) = numbered(word, at.checked_sub(2).and_then(|i| plain.get(i)), plain.get(at)) {
                found.push(word);
            }
            continue;
        }
        if lexicon::is_polite(word) {
            continue;
        }
        let negated = lexicon::negation(word);
        let word = negated.unwrap_or(word);
        let stem = stem(word);
        let weight = if lexicon::is_function(word) || (word.len() == 1 && word.is_ascii()) {
            0.1
        } else if lexicon::is_common(word) || lexicon::is_common(&stem) {
            0.35
        } else {
            1.0
        };
        found.push(Word {
            stem,
            weight,
            code: None,
        });
    }
    found
}

/// Numbers are masked: they are amounts, orders and dates. A code beside `error` and the like is kept.
fn numbered(word: &str, before: Option<&String>, after: Option<&String>) -> Option<Word> {
    let names_code = |word: &&String| {
        matches!(
            word.as_str(),
            "code" | "error" | "errors" | "http" | "response" | "status" | "errno"
        )
    };
    if word.len() <= 5
        && (before.filter(names_code).is_some() || after.filter(names_code).is_some())
        && let Ok(code) = word.parse::<u16>()
    {
        return Some(Word {
            stem: String::new(),
            weight: 1.0,
            code: Some(code),
        });
    }
    let letters: String = word.chars().filter(|c| !c.is_ascii_digit()).collect();
    let is_hex = word.len() >= 6 && word.bytes().all(|b| b.is_ascii_hexdigit());
    (letters.chars().count() >= 3 && !is_hex).then_some(Word {
        stem: letters,
        weight: 0.35,
        code: None,
    })
}

/// The word without its English ending, so that `crashes`, `crashed` and `crash` meet.
pub(crate) fn stem(word: &str) -> String {
    if !word.is_ascii() || word.len() < 4 {
        return word.to_owned();
    }
    let cut = |ending: &str, keep: usize| word.strip_suffix(ending).filter(|rest| rest.len() >= keep);
    let rest = cut("ings", 3)
        .or_else(|| cut("ing", 3))
        .or_else(|| cut("ies", 2))
        .or_else(|| cut("ied", 2))
        .or_else(|| cut("ed", 3))
        .or_else(|| cut("es", 3))
        .or_else(|| if word.ends_with("ss") { None } else { cut("s", 3) })
        .or_else(|| cut("ly", 4))
        .or_else(|| cut("e", 3))
        .or_else(|| cut("y", 3))
        .unwrap_or(word);
    let bytes = rest.as_bytes();
    match bytes {
        [.., a, b] if rest.len() > 3 && a == b && word.len() > rest.len() && !b"aeiouls".contains(b) => {
            rest[..rest.len() - 1].to_owned()
        }
        _ => rest.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stems(text: &str) -> Vec<String> {
        telling(text)
            .into_iter()
            .filter(|word| word.weight > 0.2)
            .map(|word| word.stem)
            .collect()
    }

    #[test]
    fn case_accents_width_and_endings_do_not_matter() {
        assert_eq!(stems("Crashing CAFÉ ｗｉｄｔｈｓ"), stems("crashed cafe width"));
    }

    #[test]
    fn greetings_links_names_and_quotes_are_left_out() {
        let said = "Hi team,\n> somebody else said login\n@anna see https://x.example/a?b=1 :tada: the export is empty, thanks!";
        assert_eq!(stems(said), stems("see export empty"));
    }

    #[test]
    fn of_code_only_the_error_line_speaks() {
        let found = stems("Import stops\n```\nfor row in rows:\n    KeyError: sku\n```");
        assert_eq!(found, ["import", "stop", "keyerror", "sku"]);
    }

    #[test]
    fn amounts_are_masked_and_status_codes_are_kept() {
        assert_eq!(telling("paid 29.00").len(), 1);
        assert_eq!(telling("error 404").last().and_then(|word| word.code), Some(404));
        assert_eq!(telling("a 503 response")[1].code, Some(503));
    }

    #[test]
    fn hostile_text_is_bounded() {
        assert!(plain(&"x".repeat(1 << 20)).concat().len() <= MAX_LETTERS);
        assert!(plain(&"ab ".repeat(1 << 19)).len() <= MAX_WORDS);
        assert!(fold(&"\u{fdfa}".repeat(1 << 18)).chars().count() <= 3 * MAX_BYTES);
        assert_eq!(fold("pay\u{202e}load\u{200b}"), "payload");
    }

    #[test]
    fn scripts_without_spaces_become_pairs() {
        assert_eq!(plain("支付失败"), ["支付", "付失", "失败"]);
    }
}
