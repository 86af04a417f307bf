//! Whether a report talks to a machine rather than about a problem: known forms of prompt injection, found by their
//! words. Cheap and deterministic, over any text.
//!
//! A flag is for people to see and for a rule to hold back; nothing is safe because it has none. What keeps a model that
//! believes such a text from doing harm is the containment, not this.

mod disguise;
mod forms;
mod lean;

pub use self::forms::rest;

use std::{ops::Range, sync::LazyLock};

use regex::Regex;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use crate::{
    change::pattern,
    screen::{hidden, secrets},
    text::one_line,
};

/// How many flags one text gets.
const MOST: usize = 20;
/// How much of a text is looked at, in bytes; more is no report.
const LOOKED_AT: usize = 256 << 10;

/// A form of injection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// It tells its reader to forget or ignore what it was told.
    IgnoreRules,
    /// It gives its reader another role, or a mode without rules.
    NewRole,
    /// It imitates a turn of a conversation, a system prompt or the mark around outside text.
    RoleMarker,
    /// It imitates a tool call or a tool's answer.
    ToolCall,
    /// It addresses an agent or a model, with something to do.
    AddressesAgent,
    /// It asks for secrets, keys or the instructions themselves.
    AsksForSecrets,
    /// It asks to send something somewhere, or to run what comes from there.
    Exfiltration,
    /// It asks for what reviews and tests are there to stop.
    DefeatsChecks,
    /// It holds text that a person does not see.
    HiddenText,
    /// It holds encoded text that reads as words.
    Encoded,
    /// It holds an image whose address could carry something out.
    Image,
}

impl Form {
    /// In words for a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::IgnoreRules => "tells its reader to ignore instructions",
            Self::NewRole => "gives its reader another role",
            Self::RoleMarker => "imitates a conversation or a system prompt",
            Self::ToolCall => "imitates a tool call",
            Self::AddressesAgent => "gives orders to an agent",
            Self::AsksForSecrets => "asks for secrets or instructions",
            Self::Exfiltration => "asks to send something out or to run something from outside",
            Self::DefeatsChecks => "asks to pass over checks or review",
            Self::HiddenText => "holds hidden text",
            Self::Encoded => "holds encoded text",
            Self::Image => "holds an image that could carry something out",
        }
    }
}

/// A place of a text that has such a form. It holds no words, so that erasing the text erases all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// The form.
    pub form: Form,
    /// Where it begins, in bytes of the text.
    pub at: usize,
    /// How many bytes it has.
    pub len: usize,
}

impl Flag {
    /// The matched words, on one line, harmless to show; empty if the text is another than the one that was looked at.
    pub fn excerpt(&self, text: &str) -> String {
        let end = self.at.saturating_add(self.len);
        let shown = text.get(self.at..end).unwrap_or_default();
        one_line(&secrets::mask(shown), 100)
    }
}

static BASE64: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"[0-9A-Za-z+/_-]{40,}={0,2}|(?:[0-9a-fA-F]{2}[ :]?){40,}"));

/// The places of `text` that have a known form of injection, in their order, each form a few times at most.
pub fn injections(text: &str) -> Vec<Flag> {
    let text = &text[..text.floor_char_boundary(LOOKED_AT)];
    let folded = Folded::of(text);
    let mut flags = hidden_runs(text);
    let forms = forms::each();
    for (form, pattern) in forms.iter() {
        let found = pattern.places(&folded.text, 3).into_iter();
        let found =
            found.filter(|place| *form != Form::Image || !forms::is_upload(&folded.text[place.clone()]));
        flags.extend(found.map(|place| flag(*form, folded.place(place))));
    }
    for run in BASE64.find_iter(text).take(50) {
        if let Some(decoded) = disguise::decoded(run.as_str()) {
            let plain = Folded::of(&decoded).text;
            let worse = forms.iter().any(|(_, pattern)| pattern.is_in(&plain));
            let is_words = decoded.split_whitespace().count() >= 4;
            if worse || is_words {
                flags.push(flag(Form::Encoded, run.range()));
            }
        }
    }
    let disguised = disguise::places(text, &folded).into_iter();
    flags.extend(disguised.map(|place| flag(Form::Encoded, place)));
    flags.sort_by_key(|flag| (flag.at, flag.form, usize::MAX - flag.len));
    flags.dedup_by(|later, first| later.form == first.form && later.at < first.at + first.len);
    flags.truncate(MOST);
    flags
}

fn flag(form: Form, place: Range<usize>) -> Flag {
    Flag {
        form,
        at: place.start,
        len: place.len(),
    }
}

/// Commands to a terminal but those of colours, which pasted logs are full of; one of these hides text.
static STEERS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:\x1b\[|\x{9b})(?:[0-9;?]{0,20}[A-LP-TXZ@`a-lno-z]|[0-9;]{0,20}\b8[0-9;]{0,20}m)|\x1b[\]P^_X]",
    )
});

/// Characters that reorder text or carry hidden text; joiners of emoji and scripts are no sign, many in a row are.
fn hidden_runs(text: &str) -> Vec<Flag> {
    let steers = STEERS.find_iter(text).take(3);
    let mut flags: Vec<Flag> = steers.map(|hit| flag(Form::HiddenText, hit.range())).collect();
    let (mut begin, mut run) = (0, 0);
    for (at, c) in text.char_indices() {
        let strong = hidden::reorders(c) || matches!(c, '\u{e0000}'..='\u{e0fff}' | '\u{2060}'..='\u{2064}');
        if strong || hidden::is_invisible(c) {
            if run == 0 {
                begin = at;
            }
            run += if strong { 4 } else { 1 };
            if run >= 4 {
                match flags.last_mut() {
                    Some(last) if last.at == begin => last.len = at + c.len_utf8() - begin,
                    _ => flags.push(flag(Form::HiddenText, begin..at + c.len_utf8())),
                }
            }
        } else {
            run = 0;
        }
        if flags.len() > 6 {
            break;
        }
    }
    flags
}

/// A text in the form in which words are compared, and where each of its bytes came from.
struct Folded {
    text: String,
    from: Vec<usize>,
    end: usize,
}

impl Folded {
    fn of(text: &str) -> Self {
        let mut folded = Self {
            text: String::with_capacity(text.len()),
            from: Vec::with_capacity(text.len()),
            end: text.len(),
        };
        for (at, c) in text.char_indices() {
            if hidden::is_invisible(c) {
                continue;
            }
            let accents = |c: &char| !matches!(c, '\u{300}'..='\u{36f}');
            // Accents of Latin and Cyrillic letters go; what else was taken apart is put together again.
            for c in std::iter::once(c)
                .nfkd()
                .filter(accents)
                .nfc()
                .flat_map(char::to_lowercase)
            {
                folded.text.push(latin(c));
                folded.from.resize(folded.text.len(), at);
            }
        }
        folded
    }

    /// The same with each character written as another one.
    fn with(&self, other: impl Fn(char) -> char) -> Option<Self> {
        let mut text = String::with_capacity(self.text.len());
        let mut from = Vec::with_capacity(self.from.len());
        for (at, c) in self.text.char_indices() {
            text.push(other(c));
            from.resize(text.len(), self.from.get(at).copied().unwrap_or(self.end));
        }
        (text != self.text).then_some(Self {
            text,
            from,
            end: self.end,
        })
    }

    /// A place of the folded text in the text as it was written.
    fn place(&self, place: Range<usize>) -> Range<usize> {
        let start = self.from.get(place.start).copied().unwrap_or(self.end);
        let end = self.from.get(place.end).copied().unwrap_or(self.end);
        start..end.max(start)
    }
}

/// Curly quotes as plain ones, and other blanks as a blank.
fn latin(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{2bc}' => '\'',
        '\u{201c}' | '\u{201d}' => '"',
        c if c.is_whitespace() && c != '\n' => ' ',
        c => c,
    }
}

#[cfg(test)]
mod held_out;
#[cfg(test)]
mod tests;
