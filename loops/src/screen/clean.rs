//! Text of agents and of outsiders, made harmless for where it is rendered: nothing in it names people, closes
//! issues, loads or links anything, is HTML, or is hidden. It never refuses; what must not leave at all is for
//! [`super::secrets`] and `diff`.
//!
//! What a forge finds in text is broken by a space, not by an entity: some look for mentions and links after entities
//! were read, and a space holds against both. Cleaning what is clean changes nothing.

use std::sync::LazyLock;

use regex::Regex;

use super::{hidden::plain, secrets};
use crate::{change::pattern, text::one_line};

/// What a text may do besides being read. The default is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Names that may be mentioned, without `@`, in any case.
    pub mentions: Vec<String>,
    /// Hosts that may be linked to, in any case; not those below them.
    pub hosts: Vec<String>,
}

impl Allowed {
    fn mention(&self, name: &str) -> bool {
        self.mentions
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(name))
    }

    fn host(&self, host: &str) -> bool {
        self.hosts
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}

/// What names an issue, so that a word before it could close it.
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)#(?P<hash>[0-9])|\bgh-(?P<gh>[0-9])"));
/// A word of a line by which trackers that read commits move or close the issues that the line names.
static MOVES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:clos(?:e[sd]?|ing)|fix(?:e[sd]|ing)?|resolv(?:e[sd]?|ing)|complet(?:e[sd]?|ing)|implement(?:s|ed|ing)?|finish(?:e[sd]|ing)?|deliver(?:s|ed|ing)?|done|part\s+of|contributes\s+to|ref(?:s|erences?)?|related\s+to)\b|#[a-z]",
    )
});
/// An issue as such a tracker names it, a key and a number, and no part of a longer name (a branch's, say).
static KEY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)(?P<before>^|[^\p{L}\p{N}_/-])(?P<key>[a-z][a-z0-9_]{1,14})-(?P<number>[0-9]+)\b")
});
/// What has that form and is something else.
const NO_KEYS: &[&str] = &[
    "utf", "sha", "iso", "rfc", "cve", "cwe", "aes", "md", "pep", "ieee", "ascii", "base", "crc", "gh",
];
static MENTION: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"@(?P<name>[\p{L}\p{N}_][\p{L}\p{N}_-]*(?:/[\p{L}\p{N}_.-]+)?)"));
/// Words by which build services are told not to run.
static SKIP: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\[\s*(?:skip[\s-]*(?:ci|actions|checks|tests)|(?:ci|actions|checks|no)[\s-]*(?:skip|ci))\s*\]|\*\*\*\s*no_ci\s*\*\*\*|skip-checks:\s*true",
    )
});
/// A line that a bot of the forge takes for a command; a path has more slashes.
static COMMAND: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?mi)^(?P<indent>[ \t]*)(?P<command>/[a-z][a-z_-]*(?:[ \t]|$)|(?:bors|homu):?[ \t]+[a-z])")
});
/// What build services take for a command wherever it stands.
static PLEASE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)\b(?:re)?test\W+this\W+please\b|\bok\W+to\W+test\b|\badd\W+to\W+whitelist\b")
});

/// `text` for a commit message, a title or a chat line: plain text that is not Markdown, but is searched for mentions,
/// references, links and commands. It keeps its lines. Secrets are masked.
pub fn message(text: &str, allowed: &Allowed) -> String {
    let text = plain(&text.replace("\r\n", "\n").replace('\r', "\n"));
    // From here on text is only put between, never taken out, so nothing that was masked or broken can join again.
    let text = secrets::mask(&text);
    let text = SKIP.replace_all(&text, "(ci)");
    let text = PLEASE.replace_all(&text, "(ci)");
    let text = unmoved(&text);
    let text = unlinked(&text, allowed);
    let text = unmentioned(&text, allowed);
    let broken = |found: &regex::Captures<'_>| match (found.name("hash"), found.name("gh")) {
        (Some(digit), _) => format!("# {}", digit.as_str()),
        (_, Some(digit)) => format!("GH {}", digit.as_str()),
        _ => found[0].to_owned(),
    };
    let text = REFERENCE.replace_all(&text, broken);
    // Last, for a space that was put in can make a command of what was none.
    COMMAND.replace_all(&text, "$indent. $command").into_owned()
}

/// A title: one line of at most `max` characters, cleaned like a [`message`].
pub fn title(text: &str, max: usize) -> String {
    // Cleaning adds a few characters, so the bound is kept last.
    one_line(&message(&one_line(text, max), &Allowed::default()), max)
}

/// Text within a line of Markdown: [`message`], and no HTML, images or links.
pub fn inline(text: &str, allowed: &Allowed) -> String {
    escaped(&message(text, allowed), "[")
}

/// Text within a cell of a Markdown table.
pub fn cell(text: &str) -> String {
    escaped(&message(&one_line(text, 300), &Allowed::default()), "[|")
}

/// Text of several lines as a quote in Markdown, at most `max` characters of it: whatever stands in it, headings,
/// tables and fences that never end, ends with the quote.
pub fn quote(text: &str, max: usize) -> String {
    let text: String = plain(text).trim().chars().take(max).collect();
    let mut quote = String::with_capacity(text.len() + 64);
    for line in inline(&text, &Allowed::default()).lines() {
        quote.push_str(format!("> {line}").trim_end());
        quote.push('\n');
    }
    quote
}

/// `text` without HTML and entities, and with a backslash before each of `special` that has none.
fn escaped(text: &str, special: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut backslashes = 0;
    for (at, c) in text.char_indices() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' if starts_entity(&text[at + 1..]) => safe.push_str("&amp;"),
            c if special.contains(c) && backslashes % 2 == 0 => {
                safe.push('\\');
                safe.push(c);
            }
            c => safe.push(c),
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
    }
    safe
}

/// Whether what follows `&` could make it an entity; those that we write ourselves are left alone.
fn starts_entity(rest: &str) -> bool {
    rest.starts_with(|c: char| c == '#' || c.is_ascii_alphabetic())
        && !["lt;", "gt;", "amp;"].iter().any(|ours| rest.starts_with(ours))
}

/// Whether an address may stand as the target of a link that we write ourselves.
pub fn is_plain_link(url: &str) -> bool {
    (url.starts_with("https://") || url.starts_with("http://"))
        && url.len() <= 500
        && url
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | '`' | '\\'))
        && !secrets::holds_secret(url)
}

/// `text` with a space after each `://` and `www.`, but before hosts that are allowed.
fn unlinked(text: &str, allowed: &Allowed) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let lower = text.to_ascii_lowercase();
    let mut at = 0;
    while let Some((place, sign)) = next_link(&lower[at..]) {
        let begin = at + place;
        let mut end = begin + sign.len();
        if sign == "://" {
            end += lower[end..].bytes().take_while(|byte| *byte == b'/').count();
        }
        out.push_str(&text[at..end]);
        let rest = &lower[end..];
        let host = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '-'))
            .map_or(rest, |stop| &rest[..stop]);
        let web = lower[..begin].ends_with("http") || lower[..begin].ends_with("https");
        if !(web && end == begin + 3 && allowed.host(host)) && rest.starts_with(|c: char| !c.is_whitespace())
        {
            out.push(' ');
        }
        at = end;
    }
    out.push_str(&text[at..]);
    out
}

/// The first place where a link begins, and its sign.
fn next_link(lower: &str) -> Option<(usize, &'static str)> {
    ["://", "www."]
        .into_iter()
        .filter_map(|sign| Some((lower.find(sign)?, sign)))
        .min()
}

/// `text` with a space in each issue's name that stands in a line with a word that would move the issue.
fn unmoved(text: &str) -> String {
    let line = |line: &str| match MOVES.is_match(line) {
        true => KEY
            .replace_all(line, |found: &regex::Captures<'_>| {
                let key = &found["key"];
                if NO_KEYS.iter().any(|other| key.eq_ignore_ascii_case(other)) {
                    found[0].to_owned()
                } else {
                    format!("{}{key}- {}", &found["before"], &found["number"])
                }
            })
            .into_owned(),
        false => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

fn unmentioned(text: &str, allowed: &Allowed) -> String {
    MENTION
        .replace_all(text, |found: &regex::Captures<'_>| {
            let name = &found["name"];
            if allowed.mention(name) {
                found[0].to_owned()
            } else {
                format!("@ {name}")
            }
        })
        .into_owned()
}
