//! What is no report at all: thanks, greetings, chatter. Careful on purpose: whoever reports something badly is still
//! heard, so anything with a word of trouble in it, and anything long, is not noise.

use super::{Signal, Voice};
use crate::cluster::{is_polite, words};

/// Nothing longer than this many words is noise.
const SHORT: usize = 14;

/// Words that mean that something may be wrong. Sorted; compared with the beginnings of words.
const TROUBLE: &[&str] = &[
    "bad",
    "block",
    "broke",
    "bug",
    "cannot",
    "cant",
    "charg",
    "confus",
    "corrupt",
    "crash",
    "delay",
    "didnt",
    "disappear",
    "doesnt",
    "down",
    "dupl",
    "empty",
    "error",
    "except",
    "fail",
    "fault",
    "flak",
    "freez",
    "frozen",
    "glitch",
    "hang",
    "hung",
    "incorrect",
    "invalid",
    "isnt",
    "issue",
    "kaputt",
    "lag",
    "leak",
    "lost",
    "miss",
    "never",
    "not",
    "nothing",
    "outage",
    "overcharg",
    "panic",
    "problem",
    "red",
    "reject",
    "revert",
    "rollback",
    "slow",
    "stop",
    "stuck",
    "timeout",
    "unable",
    "unexpect",
    "unresponsive",
    "weird",
    "why",
    "wont",
    "worse",
    "wrong",
];

/// Ways to agree with what somebody else said.
const AGREES: &[&str] = &[
    "affects me too",
    "affects us too",
    "agreed",
    "can confirm",
    "confirmed",
    "ditto",
    "experiencing the same",
    "facing the same",
    "getting the same",
    "happened to me",
    "happens here too",
    "happens to me",
    "happens to us",
    "having the same",
    "i also see",
    "i have the same",
    "i have this too",
    "i see the same",
    "likewise",
    "me as well",
    "me too",
    "same",
    "see the same",
    "seeing the same",
    "seeing this too",
    "this happens to me too",
    "us too",
    "we have the same",
    "we see the same",
    "we see this too",
];

/// Words of which a message without any others says nothing.
const FILLER: &[&str] = &[
    "a",
    "and",
    "are",
    "awesome",
    "bye",
    "congrats",
    "congratulations",
    "cool",
    "day",
    "done",
    "for",
    "fyi",
    "got",
    "great",
    "haha",
    "happy",
    "hm",
    "hmm",
    "i",
    "is",
    "it",
    "job",
    "k",
    "lgtm",
    "lol",
    "lot",
    "morning",
    "much",
    "my",
    "nice",
    "night",
    "no",
    "noted",
    "now",
    "oh",
    "ok",
    "okay",
    "perfect",
    "really",
    "see",
    "so",
    "soon",
    "super",
    "sure",
    "that",
    "the",
    "this",
    "to",
    "tomorrow",
    "too",
    "very",
    "was",
    "week",
    "weekend",
    "welcome",
    "well",
    "wow",
    "yay",
    "yeah",
    "yep",
    "yes",
];

/// Signs of office life, by their first words or anywhere in a short message.
const CHATTER: &[(&str, &[&str])] = &[
    (
        "office chatter",
        &[
            "birthday",
            "brunch",
            "coffee",
            "dinner",
            "lunch",
            "offsite",
            "on vacation",
            "ooo",
            "out of office",
            "pizza",
            "retro",
            "standup",
            "stand up",
            "support duty",
            "on call this",
            "on call tomorrow",
            "daily moved",
            "meeting moved",
        ],
    ),
    (
        "deploy chatter",
        &[
            "deploying",
            "deploy done",
            "deploy finished",
            "deploy started",
            "deployed",
            "deployment done",
            "deployment finished",
            "deployment started",
            "released version",
            "rolled out",
            "rolling out",
            "shipped",
        ],
    ),
];

/// Why the signal is no report, or nothing if it may be one. Only people's words are judged.
pub fn is_noise(signal: &Signal) -> Option<&'static str> {
    if signal.voice == Voice::Machine {
        return signal.text.trim().is_empty().then_some("empty");
    }
    let words = words::plain(&signal.text);
    if words.is_empty() {
        return Some(if signal.text.trim().is_empty() {
            "empty"
        } else {
            "no words"
        });
    }
    if agrees(&signal.text) {
        return (signal.thread.is_none() && words.len() <= 5)
            .then_some("agrees with something that it does not name");
    }
    if words.len() > SHORT
        || words
            .iter()
            .any(|word| TROUBLE.iter().any(|sign| word.starts_with(sign)))
    {
        return None;
    }
    let text = words.join(" ");
    let thanks = words
        .iter()
        .any(|word| word.starts_with("thank") || matches!(word.as_str(), "thx" | "ty" | "cheers"));
    let empty = words
        .iter()
        .all(|word| is_polite(word) || FILLER.binary_search(&word.as_str()).is_ok());
    if thanks && (empty || starts_with_thanks(&words)) {
        return Some("thanks");
    }
    if empty {
        return Some(if words.iter().any(|word| is_polite(word)) {
            "a greeting"
        } else {
            "nothing said"
        });
    }
    CHATTER
        .iter()
        .find(|(_, signs)| signs.iter().any(|sign| has_words(&text, sign)))
        .map(|(reason, _)| *reason)
}

/// Thanks, and at most a few words for what.
fn starts_with_thanks(words: &[String]) -> bool {
    words
        .first()
        .is_some_and(|word| word.starts_with("thank") || word == "thx")
        && words.len() <= 8
}

fn has_words(text: &str, sign: &str) -> bool {
    text.match_indices(sign).any(|(at, _)| {
        let end = at + sign.len();
        (at == 0 || text.as_bytes()[at - 1] == b' ') && (end == text.len() || text.as_bytes()[end] == b' ')
    })
}

/// Whether a text begins by agreeing: `+1`, `same here`, `me too, since Monday`.
pub(crate) fn agrees(text: &str) -> bool {
    let words = words::plain(text);
    let plus_one = words::fold(text).trim_start().starts_with("+1");
    let said = words
        .iter()
        .skip_while(|word| matches!(word.as_str(), "hi" | "hey" | "hello" | "yes" | "yep" | "oh"));
    let text = said.take(6).map(String::as_str).collect::<Vec<_>>().join(" ");
    words.len() <= 30
        && (plus_one
            || AGREES.iter().any(|sign| {
                text.strip_prefix(sign).is_some_and(|rest| {
                    rest.is_empty() || (rest.starts_with(' ') && (*sign != "same" || same_as_before(rest)))
                })
            }))
}

/// `same here` agrees; `same coupon twice` does not.
fn same_as_before(rest: &str) -> bool {
    ["here", "for", "issue", "problem", "thing", "bug", "error", "as"]
        .iter()
        .any(|word| rest.trim_start().split(' ').next() == Some(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn said(text: &str, thread: Option<&str>) -> Option<&'static str> {
        is_noise(&Signal {
            id: Signal::id_of("t", text),
            source: "t".to_owned(),
            external_id: text.to_owned(),
            at: Timestamp(0),
            author: Some("ann".to_owned()),
            voice: Voice::Person,
            text: text.to_owned(),
            url: None,
            reactions: Default::default(),
            labels: Vec::new(),
            thread: thread.map(str::to_owned),
            account: None,
            private: false,
        })
    }

    #[test]
    fn thanks_greetings_emoji_and_office_life_are_noise() {
        for text in [
            "",
            "  ",
            "🎉🎉",
            ":tada: :tada:",
            "https://x.example",
            "Good morning all 👋",
            "Thanks everyone, great work this week!",
            "thank you, that helps!",
            "ok 👍",
            "Lunch at 12:30? Thinking of the Thai place",
            "deploy done, all green :white_check_mark:",
            "Deploying shop 2.14.1 to production now",
            "Standup moved to 10:15 today",
            "lol",
            "+1",
            "same here",
        ] {
            assert!(said(text, None).is_some(), "{text}");
        }
    }

    #[test]
    fn a_real_report_is_never_noise_however_short_or_kind() {
        for text in [
            "export broken",
            "Thanks for the app! But the export is broken",
            "hi, it crashes",
            "thank you for fixing, still fails",
            "checkout 500",
            "why?",
            "deployed and now login is down",
            "dark mode please",
            "Thx. Prices are wrong",
            "支付失败",
            "I had lunch, came back, and the basket was empty",
            "same coupon twice counts double",
            "Großschreibung geht verloren",
            "During our lunch the kiosk shows the menu of yesterday to each guest who scans the code at table four",
        ] {
            assert_eq!(said(text, None), None, "{text}");
        }
    }

    #[test]
    fn agreeing_counts_in_a_thread_only() {
        assert_eq!(said("same here", Some("1")), None);
        assert!(said("same here", None).is_some());
        assert!(said("thanks!", Some("1")).is_some());
    }

    #[test]
    fn the_filler_list_is_sorted_so_that_the_search_finds_every_word() {
        assert!(FILLER.is_sorted());
    }
}
