//! What is taken out of a signal before anything of it is kept: addresses, telephone numbers, tokens, and what a loop
//! names by patterns of its own. What was taken out can be told by its kind, not by its words.
//!
//! The text comes from outside; every pattern is matched in time that grows with the text alone.

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use regex::{Regex, RegexBuilder};
use sha2::{Digest as _, Sha256};

use crate::{screen::secrets, signal::Signal};

/// The key that stands for every source.
pub const ALL: &str = "all";
/// The words that name what is taken out.
pub const WORDS: [&str; 3] = ["email", "phone", "tokens"];
/// No pattern may become larger than this when it is made ready, in bytes.
const MAX_PATTERN: usize = 1 << 20;
/// Digits of a telephone number: fewer are an amount or an order, more are an account.
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

static EMAIL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)[a-z0-9][a-z0-9._%+\-]{0,63}@[a-z0-9](?:[a-z0-9\-]{0,62}\.){1,8}[a-z]{2,24}").ok()
});
static PHONE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\+\d[\d ().\-]{6,22}\d|\(?\b0\d{1,5}\)?[ /\-]\d[\d \-]{3,18}\d").ok());

/// One rule.
#[derive(Debug, Clone)]
enum Rule {
    Email,
    Phone,
    Tokens,
    Pattern(Regex),
}

impl Rule {
    /// The rule that `text` names: a word of [`WORDS`], or a pattern between slashes. Error: why it is none.
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "email" => return Ok(Self::Email),
            "phone" => return Ok(Self::Phone),
            "tokens" => return Ok(Self::Tokens),
            _ => {}
        }
        let pattern = text
            .strip_prefix('/')
            .and_then(|rest| rest.strip_suffix('/'))
            .filter(|pattern| !pattern.is_empty())
            .ok_or_else(|| format!("it is none of {}, and no `/pattern/`", WORDS.join(", ")))?;
        let made = RegexBuilder::new(pattern)
            .size_limit(MAX_PATTERN)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
                _ => "the pattern cannot be read".to_owned(),
            })?;
        if made.is_match("") {
            return Err("the pattern is found in an empty text, so it would be everywhere".to_owned());
        }
        Ok(Self::Pattern(made))
    }

    fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self {
            Self::Email => replace(&EMAIL, text, "[e-mail]"),
            Self::Phone => match PHONE.as_ref() {
                Some(phone) => phone.replace_all(text, |found: &regex::Captures<'_>| {
                    let digits = found[0].bytes().filter(u8::is_ascii_digit).count();
                    if DIGITS.contains(&digits) {
                        "[phone]".to_owned()
                    } else {
                        found[0].to_owned()
                    }
                }),
                None => Cow::Borrowed(text),
            },
            Self::Tokens => Cow::Owned(secrets::mask(text)),
            Self::Pattern(pattern) => pattern.replace_all(text, "[redacted]"),
        }
    }
}

fn replace<'a>(pattern: &LazyLock<Option<Regex>>, text: &'a str, by: &str) -> Cow<'a, str> {
    match pattern.as_ref() {
        Some(pattern) => pattern.replace_all(text, by),
        None => Cow::Borrowed(text),
    }
}

/// Why `text` is no rule; nothing: it is one.
pub fn not_a_rule(text: &str) -> Option<String> {
    Rule::parse(text).err()
}

/// What is taken out of the signals of a loop, by source.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    rules: BTreeMap<String, Vec<Rule>>,
}

impl Redaction {
    /// Makes the rules of a loop ready: by a source's word (`slack`, `file`, …) or [`ALL`].
    ///
    /// # Errors
    /// If one of them is no rule; then nothing may be kept.
    pub fn new(said: &BTreeMap<String, Vec<String>>) -> Result<Self, String> {
        let mut rules = BTreeMap::new();
        for (source, texts) in said {
            let read: Result<Vec<Rule>, String> = texts.iter().map(|text| Rule::parse(text)).collect();
            rules.insert(
                source.clone(),
                read.map_err(|why| format!("`redact.{source}`: {why}"))?,
            );
        }
        Ok(Self { rules })
    }

    /// The signal without what is to be taken out. Its author, where the name is an address, becomes a name that says
    /// nothing and is the same each time, so that people are still told apart.
    pub fn apply<'a>(&self, signal: &'a Signal) -> Cow<'a, Signal> {
        let word = signal.source.split(':').next().unwrap_or_default();
        // What was read of issues, pull requests and jobs is all called GitHub's: a rule for one of them holds for all.
        let holds = |key: &str| {
            let of_one = key.strip_prefix(word).is_some_and(|rest| rest.starts_with('_'));
            key == ALL || key == word || of_one
        };
        let rules: Vec<&Rule> = self
            .rules
            .iter()
            .filter(|(key, _)| holds(key))
            .flat_map(|(_, rules)| rules)
            .collect();
        if rules.is_empty() {
            return Cow::Borrowed(signal);
        }
        let clean = |text: &str| {
            rules
                .iter()
                .fold(text.to_owned(), |text, rule| rule.apply(&text).into_owned())
        };
        let author = signal.author.as_ref().map(|name| {
            if clean(name) == *name {
                name.clone()
            } else {
                format!("person-{}", &hex::encode(Sha256::digest(name.as_bytes()))[..10])
            }
        });
        Cow::Owned(Signal {
            text: clean(&signal.text),
            url: signal.url.as_deref().map(clean),
            labels: signal.labels.iter().map(|label| clean(label)).collect(),
            author,
            ..signal.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{signal::Voice, time::Timestamp};

    fn signal(source: &str, author: &str, text: &str) -> Signal {
        Signal {
            id: Signal::id_of(source, "1"),
            source: source.to_owned(),
            external_id: "1".to_owned(),
            at: Timestamp(0),
            author: Some(author.to_owned()),
            voice: Voice::Person,
            text: text.to_owned(),
            url: None,
            reactions: BTreeMap::new(),
            labels: Vec::new(),
            thread: None,
            account: None,
            private: false,
        }
    }

    #[test]
    fn a_rule_for_one_kind_of_githubs_things_holds_for_what_is_called_githubs() {
        let issues = rules(&[("github_issues", &["email"])]);
        let told = signal("github:acme/shop", "ann", "write to ann@shop.example");
        assert!(!issues.apply(&told).text.contains("ann@"));
        let file = signal("file:a.jsonl", "ann", "write to ann@shop.example");
        assert!(issues.apply(&file).text.contains("ann@"), "control");
    }

    fn rules(said: &[(&str, &[&str])]) -> Redaction {
        let said = said
            .iter()
            .map(|(source, rules)| {
                (
                    (*source).to_owned(),
                    rules.iter().map(|rule| (*rule).to_owned()).collect(),
                )
            })
            .collect();
        Redaction::new(&said).unwrap()
    }

    fn said(redaction: &Redaction, text: &str) -> String {
        redaction.apply(&signal("file:a.jsonl", "ann", text)).text.clone()
    }

    #[test]
    fn addresses_and_telephone_numbers_go_and_amounts_stay() {
        let all = rules(&[("all", &["email", "phone"])]);
        assert_eq!(
            said(
                &all,
                "Mail ann.lee+x@shop.example.org, or +49 (30) 901820-14 / 030 9018 2014."
            ),
            "Mail [e-mail], or [phone] / [phone]."
        );
        for stays in [
            "paid 1,299.00 for order 48213 on 2026-11-03",
            "job 1762156931.000200 of 10.0.0.1 failed",
            "cart.py:12 says 0.5 and a@b",
        ] {
            assert_eq!(said(&all, stays), stays);
        }
    }

    #[test]
    fn own_patterns_count_for_their_source_alone() {
        let slack = rules(&[("slack", &["/CUST-[0-9]+/"]), ("file", &[])]);
        let text = "CUST-4711 cannot pay";
        assert_eq!(said(&slack, text), text);
        assert_eq!(
            slack.apply(&signal("slack:#shop", "ann", text)).text,
            "[redacted] cannot pay"
        );
    }

    #[test]
    fn a_token_is_taken_out_and_the_words_around_it_stay() {
        let tokens = rules(&[("all", &["tokens"])]);
        let token = format!("ghp_{}", "a1B2".repeat(9));
        let left = said(&tokens, &format!("with {token} it fails"));
        assert!(!left.contains(&token) && left.starts_with("with ") && left.ends_with(" it fails"));
    }

    #[test]
    fn an_address_as_author_becomes_a_name_that_tells_people_apart() {
        let all = rules(&[("all", &["email"])]);
        let name = |author: &str| all.apply(&signal("file:a", author, "x")).author.clone().unwrap();
        assert_eq!(name("ann@shop.example"), name("ann@shop.example"));
        assert_ne!(name("ann@shop.example"), name("bob@shop.example"));
        assert!(name("ann@shop.example").starts_with("person-"));
        assert_eq!(name("ann"), "ann");
    }

    #[test]
    fn what_is_no_rule_is_refused_before_anything_is_kept() {
        for text in ["e-mail", "", "//", "/(/", "/a*/", "/(a{1000}){1000}/"] {
            assert!(not_a_rule(text).is_some(), "{text}");
        }
        let bad = BTreeMap::from([("all".to_owned(), vec!["/(/".to_owned()])]);
        assert!(Redaction::new(&bad).is_err());
    }

    proptest! {
        #[test]
        fn no_address_survives_whatever_stands_around_it(before in "[a-z ü<(\\[,:;]{0,12} ", after in "[ >),;:!?][a-z ü]{0,12}") {
            let all = rules(&[("all", &["email", "phone", "tokens"])]);
            let left = said(&all, &format!("{before}ann.lee@shop.example{after}"));
            prop_assert!(!left.contains("ann.lee") && !left.contains("shop.example"), "{left}");
        }
    }
}
