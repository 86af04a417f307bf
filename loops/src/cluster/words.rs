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

/// Chinese characters that say nothing about a problem: they end a word.
const SAY_NOTHING: [char; 31] = [
    '的', '了', '着', '吗', '呢', '吧', '啊', '我', '你', '他', '她', '它', '们', '是', '在', '和', '与',
    '也', '都', '就', '被', '把', '还', '但', '很', '请', '已', '却', '再', '又', '并',
];

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
    let mut folded = String::new();
    fold_into(text, &mut folded);
    folded
}

/// The same into a buffer that is used again; what was in it is gone.
pub(super) fn fold_into(text: &str, folded: &mut String) {
    folded.clear();
    let mut end = text.len().min(MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    if text
        .bytes()
        .all(|b| b.is_ascii() && (b >= b' ' || b.is_ascii_whitespace()) && b != 0x7f)
    {
        folded.extend(
            text.chars()
                .map(|c| if c == '`' { '\'' } else { c.to_ascii_lowercase() }),
        );
        return;
    }
    let bare = text
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
        });
    folded.extend(bare.nfc());
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

/// Gives each line that a person wrote: not quoted lines, not code; of code, the lines that name an error. Says
/// whether there was any.
fn own_lines<'a>(folded: &'a str, mut each: impl FnMut(&'a str)) -> bool {
    let (mut fenced, mut any) = (false, false);
    for line in folded.lines() {
        let bare = line.trim();
        if bare.starts_with("'''") || bare == "{code}" || bare == "{noformat}" || bare.starts_with("{code:") {
            fenced = !fenced;
        } else if bare.is_empty() || bare.starts_with('>') || bare.starts_with("&gt;") {
        } else if !fenced
            || ["error", "exception", "panic"]
                .iter()
                .any(|sign| bare.contains(sign))
        {
            any = true;
            each(bare);
        }
    }
    any
}

/// Gives the plain folded words of a folded text, politeness and function words included; links, names and emoji left
/// out.
pub(super) fn each_word(folded: &str, mut each: impl FnMut(&str)) {
    let (mut given, mut word) = (0, String::new());
    let mut line = |line: &str| {
        for chunk in line.split_ascii_whitespace() {
            if given >= MAX_WORDS {
                break;
            }
            if !is_reference(chunk) {
                split(chunk, &mut word, &mut |word| {
                    if given < MAX_WORDS {
                        given += 1;
                        each(word);
                    }
                });
            }
        }
    };
    if !own_lines(folded, &mut line) {
        folded.lines().for_each(line);
    }
}

/// The plain folded words of a text.
pub(crate) fn plain(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    each_word(&fold(text), |word| words.push(word.to_owned()));
    words
}

/// Links, addresses, mentions and emoji names point at something; they do not say what is wrong.
fn is_reference(chunk: &str) -> bool {
    if !chunk.bytes().any(|b| matches!(b, b':' | b'@')) && !chunk.contains("www.") {
        return false;
    }
    let bare = chunk.trim_matches(|c: char| matches!(c, '(' | ')' | ',' | '.' | '<' | '>' | '"' | '[' | ']'));
    bare.contains("://")
        || bare.starts_with("www.")
        || bare.starts_with('@')
        || (bare.len() > 2 && bare.starts_with(':') && bare.ends_with(':'))
        || bare
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
}

/// Splits a chunk at what is neither letter nor digit. Of scripts without spaces, Katakana, which writes whole foreign
/// words, stays together; others become overlapping pairs, or one character where it stands alone.
fn split(chunk: &str, word: &mut String, each: &mut impl FnMut(&str)) {
    if chunk.len() <= MAX_LETTERS
        && chunk
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    {
        return each(chunk);
    }
    let mut written = Script::Spaced;
    let mut letters = 0;
    let mut chars = chunk.chars().peekable();
    while let Some(c) = chars.next() {
        let script = Script::of(c);
        let says_nothing = SAY_NOTHING.contains(&c);
        if says_nothing || (!c.is_alphanumeric() && script != Script::Katakana) {
            // `don't` is one word, `l'export` is two.
            if c == '\'' && written == Script::Spaced && !lexicon::is_elided(word) {
                continue;
            }
            flush(word, &mut letters, written, each);
            continue;
        }
        if script != written {
            flush(word, &mut letters, written, each);
            written = script;
        }
        if matches!(script, Script::Spaced | Script::Katakana) {
            if letters < MAX_LETTERS {
                word.push(c);
                letters += 1;
            }
            continue;
        }
        match chars.peek().copied().filter(|next| Script::of(*next) == script) {
            Some(next) => {
                word.extend([c, next]);
                each(word);
                word.clear();
                letters = 2;
            }
            // The last of a run of two or more was the second of a pair already.
            None if letters == 2 => letters = 0,
            None => {
                word.push(c);
                each(word);
                word.clear();
            }
        }
    }
    flush(word, &mut letters, written, each);
}

fn flush(word: &mut String, letters: &mut usize, written: Script, each: &mut impl FnMut(&str)) {
    if !word.is_empty() && matches!(written, Script::Spaced | Script::Katakana) {
        each(word);
    }
    word.clear();
    *letters = 0;
}

/// How a script writes words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Spaced,
    Katakana,
    Hiragana,
    Other,
}

impl Script {
    fn of(c: char) -> Self {
        match c {
            '\0'..='\u{dff}' => Self::Spaced,
            '\u{3040}'..='\u{309f}' => Self::Hiragana,
            '\u{30a0}'..='\u{30ff}' => Self::Katakana,
            '\u{e00}'..='\u{eff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}' => Self::Other,
            _ => Self::Spaced,
        }
    }
}

/// What a word is by itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kind {
    pub(super) said: Said,
    /// The verb that it makes with a particle after it.
    pub(super) verb: Option<&'static str>,
    /// Whether it is such a particle.
    pub(super) is_particle: bool,
    /// Whether a number beside it is a code.
    pub(super) names_code: bool,
}

/// What a word says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// Politeness, or an amount.
    Nothing,
    /// A stem, and how much it says.
    Stem(String, f32),
    /// A number that can be a code; else it says nothing.
    Number(u16),
}

impl Kind {
    pub(super) fn of(word: &str) -> Self {
        let said = if word.bytes().any(|b| b.is_ascii_digit()) {
            numbered(word)
        } else if lexicon::is_polite(word) {
            Said::Nothing
        } else {
            let word = lexicon::negation(word).unwrap_or(word);
            let stem = stem(word);
            let says_nothing = lexicon::is_function(word)
                || (word.len() == 1 && word.is_ascii())
                || word.starts_with(|c| Script::of(c) == Script::Hiragana);
            let weight = if says_nothing {
                FUNCTION
            } else if lexicon::is_common(word) || lexicon::is_common(&stem) {
                0.35
            } else {
                1.0
            };
            Said::Stem(stem, weight)
        };
        Self {
            said,
            verb: lexicon::verb(word),
            is_particle: lexicon::is_particle(word),
            names_code: lexicon::names_code(word),
        }
    }
}

/// What a word says that says nothing about a problem.
pub(super) const FUNCTION: f32 = 0.1;

/// The telling words of a text, in order.
pub(crate) fn telling(text: &str) -> Vec<Word> {
    let plain = plain(text);
    let kinds: Vec<Kind> = plain.iter().map(|word| Kind::of(word)).collect();
    let mut found = Vec::with_capacity(plain.len());
    let mut at = 0;
    while let Some(kind) = kinds.get(at) {
        let (before, after) = (at.checked_sub(1).and_then(|at| kinds.get(at)), kinds.get(at + 1));
        let mut say = |stem: &str, weight, code| {
            let stem = stem.to_owned();
            found.push(Word { stem, weight, code });
        };
        if let (Some(verb), true) = (kind.verb, after.is_some_and(|kind| kind.is_particle)) {
            at += 1;
            say(&format!("{verb}{}", plain[at]), 1.0, None);
        } else {
            match &kind.said {
                Said::Stem(stem, weight) => say(stem, *weight, None),
                Said::Number(code) if [before, after].into_iter().flatten().any(|kind| kind.names_code) => {
                    say("", 1.0, Some(*code));
                }
                Said::Number(_) | Said::Nothing => {}
            }
        }
        at += 1;
    }
    found
}

/// Numbers are masked: they are amounts, orders and dates. One that can be a code is kept for where it stands beside
/// `error` and the like.
fn numbered(word: &str) -> Said {
    if word.len() <= 5
        && let Ok(code) = word.parse::<u16>()
    {
        return Said::Number(code);
    }
    let letters: String = word.chars().filter(|c| !c.is_ascii_digit()).collect();
    let is_hex = word.len() >= 6 && word.bytes().all(|b| b.is_ascii_hexdigit());
    if letters.chars().count() >= 3 && !is_hex {
        Said::Stem(letters, 0.35)
    } else {
        Said::Nothing
    }
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
