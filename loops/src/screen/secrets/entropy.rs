//! Secrets that no form gives away: values beside words like `password`, and strings that look random.
//!
//! Whether a string looks random: its letters, digits and cases are mixed, and change from character to character
//! as words and names never do. Hashes, ids and encoded data look random, too; they are told apart by their form and
//! by what stands before them.

use std::{collections::HashMap, ops::Range, sync::LazyLock};

use regex::Regex;

use crate::change::pattern;

/// A value that a name calls secret. The name's words are bounded, so the value is one token.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?key|signing[_-]?key|encryption[_-]?key|client[_-]?secret|credentials?)[a-z0-9_-]{0,20}['"`\]]{0,2}\s*(?::=|=>|[:=]|,)\s*(?P<q>[rbuf]?['"`]?)(?P<s>[^\s'"`,;(){}<>\[\]]{8,200})"#,
    )
});
static TOKEN: LazyLock<Regex> = LazyLock::new(|| pattern(r"[0-9A-Za-z+/_=-]{20,}"));
/// What makes the value of a name a stand-in, not a secret.
static STAND_IN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)example|sample|dummy|fake|placeholder|changeme|change-me|replace|redacted|your[_-]|my[_-]|test|foo|bar|mock|insert|todo|xxxx|\*\*\*|\.\.\.|0000|1234567|abcdef|password|secret|\$\{|\{\{|%s|%\(|<[a-z]|env[.(\[]|process\.|os\.|getenv|config\.|settings\.|self\.|this\.|args\.|options\.|request\.|req\.|::",
    )
});
/// What stands before a string that is a digest or an id, not a secret.
static DIGEST: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:sha-?(?:1|224|256|384|512)|md5|blake[23][a-z]?|integrity|checksum|digest|hash|commit|revision|rev|etag|fingerprint|h1)['\x22]?\s*[-:=(,]\s*['\x22]?$",
    )
});

/// Bits per character by which a string looks random, and how often its characters must change class.
const BITS: f64 = 3.6;
const CHANGES: f64 = 0.36;
/// Longer runs are encoded data, which is judged as such.
const LONGEST: usize = 200;

/// Values that a name calls secret, by byte range.
pub(super) fn named(text: &str) -> Vec<Range<usize>> {
    let secret = |hit: regex::Captures<'_>| {
        let value = hit.name("s")?;
        let quoted = hit
            .name("q")
            .is_some_and(|q| q.as_str().ends_with(['\'', '"', '`']));
        is_named_secret(value.as_str(), quoted).then(|| value.range())
    };
    NAMED.captures_iter(text).filter_map(secret).collect()
}

fn is_named_secret(value: &str, quoted: bool) -> bool {
    if STAND_IN.is_match(value) {
        // A word before or behind a real one makes no stand-in of it.
        return STAND_IN.split(value).any(looks_random);
    }
    if is_uuid(value) {
        return false;
    }
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    let mixed = digits >= 2 && letters >= 2;
    // Without quotes a value is often code: a name, a call, a path. Those have few digits and dots between words.
    if quoted {
        (mixed && bits(value) >= 2.8)
            || (value.len() >= 12 && symbols(value) >= 2 && digits + letters >= 6 && bits(value) >= 3.0)
    } else {
        mixed && digits >= 3 && value.len() >= 12 && bits(value) >= 3.2 && !value.contains(['.', '/', '\\'])
    }
}

/// Strings that look random, by byte range.
pub(super) fn random(text: &str) -> Vec<Range<usize>> {
    TOKEN
        .find_iter(text)
        .filter(|token| {
            let before = &text[text.floor_char_boundary(token.start().saturating_sub(24))..token.start()];
            looks_random(token.as_str()) && !DIGEST.is_match(before) && !carries_its_digest(token.as_str())
        })
        .map(|token| token.range())
        .collect()
}

fn looks_random(token: &str) -> bool {
    let value = token.trim_end_matches('=');
    // `name=value`, a path or a flag: its parts are judged, not the whole.
    if let Some((_, part)) = value.rsplit_once('=') {
        return part.len() >= 20 && looks_random(part);
    }
    let count = |class: fn(&u8) -> bool| value.bytes().filter(class).count();
    let (digits, upper, lower) = (
        count(u8::is_ascii_digit),
        count(u8::is_ascii_uppercase),
        count(u8::is_ascii_lowercase),
    );
    let long_enough = value.len() >= 24 && value.len() <= LONGEST;
    long_enough
        && digits >= 2
        && upper >= 3
        && lower >= 3
        && digits + upper + lower >= value.len() * 4 / 5
        && bits(value) >= BITS
        && changes(value) >= CHANGES
        && in_words(value) * 5 < value.len() * 2
        && !is_alphabet(value)
        && !is_uuid(value)
        && (!STAND_IN.is_match(value) || STAND_IN.split(value).any(looks_random))
}

/// How many characters stand in runs of four or more lower-case letters, as words do: about a tenth of random text.
fn in_words(value: &str) -> usize {
    value
        .split(|c: char| !c.is_ascii_lowercase())
        .map(str::len)
        .filter(|run| *run >= 4)
        .sum()
}

/// `sha512-…` and the like, where the name of the digest is part of the token.
fn carries_its_digest(token: &str) -> bool {
    ["sha1-", "sha256-", "sha384-", "sha512-", "md5-", "h1="]
        .iter()
        .any(|name| token.starts_with(name))
}

/// An alphabet, as encoders have one: runs of neighbors.
fn is_alphabet(value: &str) -> bool {
    let neighbors = value
        .as_bytes()
        .windows(2)
        .filter(|pair| pair[1] == pair[0].wrapping_add(1))
        .count();
    neighbors * 3 >= value.len()
}

fn is_uuid(value: &str) -> bool {
    value.len() >= 32
        && value.bytes().filter(|byte| *byte == b'-').count() == 4
        && value.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn symbols(value: &str) -> usize {
    value.chars().filter(|c| "!@#$%^&*+?~".contains(*c)).count()
}

/// Shannon's entropy of the characters, in bits per character.
fn bits(value: &str) -> f64 {
    let mut counts: HashMap<char, f64> = HashMap::new();
    let mut all = 0.0_f64;
    for c in value.chars() {
        *counts.entry(c).or_default() += 1.0;
        all += 1.0;
    }
    counts.values().map(|n| -(n / all) * (n / all).log2()).sum()
}

/// How many of the steps from one character to the next change its class: about 0.6 in random text, 0.2 in names.
fn changes(value: &str) -> f64 {
    let class = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'A'..=b'Z' => 1,
        b'a'..=b'z' => 2,
        _ => 3,
    };
    let bytes = value.as_bytes();
    let changed = bytes
        .windows(2)
        .filter(|pair| class(pair[0]) != class(pair[1]))
        .count();
    #[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^52")]
    let share = changed as f64 / bytes.len().saturating_sub(1).max(1) as f64;
    share
}
