//! One line that says what is wrong, in the words of the most telling signal. The words come from outside: nothing of
//! them may steer a terminal or change the order in which a line is read.

use crate::{
    cluster::{is_polite, words},
    signal::{Signal, Voice, agrees},
};

/// No title is longer, in characters.
const LONGEST: usize = 80;
/// A text with more telling words than this tells no more.
const TELLING: usize = 14;

/// The title of what these signals say; empty only if no signal says anything.
pub fn title(signals: &[&Signal]) -> String {
    let telling = |signal: &&&Signal| {
        let line = first_line(&signal.text);
        let said = words::telling(&line)
            .iter()
            .filter(|word| word.weight > 0.9)
            .count()
            .min(TELLING);
        let whole = line.chars().count() <= LONGEST;
        let own = signal.thread.is_none() && !agrees(&signal.text);
        (
            own,
            said.min(5),
            whole,
            said,
            std::cmp::Reverse((signal.at, signal.id)),
        )
    };
    signals
        .iter()
        .max_by_key(telling)
        .map(|signal| shorten(&line_of(signal)))
        .unwrap_or_default()
}

fn line_of(signal: &Signal) -> String {
    match signal.voice {
        Voice::Person => first_line(&signal.text),
        Voice::Machine => {
            let lines = || signal.text.lines().map(clean).filter(|line| !line.is_empty());
            let names_error = |line: &String| {
                let line = line.to_lowercase();
                ["error", "exception", "panic", "fail", "fatal", "assert"]
                    .iter()
                    .any(|sign| line.contains(sign))
            };
            lines()
                .find(names_error)
                .or_else(|| lines().next())
                .unwrap_or_default()
        }
    }
}

/// The first sentence that is more than politeness.
fn first_line(text: &str) -> String {
    let mut end = text.len().min(8 << 10);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut first = None;
    for line in text[..end]
        .lines()
        .filter(|line| !line.trim_start().starts_with('>'))
    {
        let mut rest = clean(line);
        while !rest.is_empty() {
            let cut = sentence_end(&rest);
            let tail = rest.split_off(cut);
            let sentence = without_greeting(rest.trim());
            if words::plain(sentence).iter().any(|word| !is_polite(word)) {
                return sentence.to_owned();
            }
            if first.is_none() && !rest.trim().is_empty() {
                first = Some(rest.trim().to_owned());
            }
            rest = tail;
        }
    }
    first.unwrap_or_default()
}

/// Where a sentence ends: after `.`, `!` or `?` before a space, or after the line.
fn sentence_end(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((_, c)) = chars.next() {
        if matches!(c, '.' | '!' | '?' | '。')
            && let Some((next_at, next)) = chars.peek()
            && (next.is_whitespace() || c == '。')
        {
            return *next_at;
        }
    }
    text.len()
}

/// `Hi team, the total is wrong` begins at `the`.
fn without_greeting(sentence: &str) -> &str {
    match sentence.split_once([',', ':', '-', '–']) {
        Some((head, rest))
            if !rest.trim().is_empty() && !head.is_empty() && {
                let words = words::plain(head);
                !words.is_empty() && words.iter().all(|word| is_polite(word))
            } =>
        {
            rest.trim()
        }
        _ => sentence,
    }
}

/// One line, without what cannot be seen.
fn clean(line: &str) -> String {
    let seen: String = line
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !words::is_invisible(*c))
        .collect();
    seen.split(' ')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn shorten(line: &str) -> String {
    let line = line.trim_end_matches(['.', ' ']);
    if line.chars().count() <= LONGEST {
        return line.to_owned();
    }
    let kept: String = line.chars().take(LONGEST - 1).collect();
    let at_word = kept
        .rfind(' ')
        .filter(|at| *at > LONGEST / 2)
        .unwrap_or(kept.len());
    format!("{}…", kept[..at_word].trim_end_matches([' ', ',', ':', ';']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn signal(voice: Voice, text: &str) -> Signal {
        Signal {
            id: Signal::id_of("t", text),
            source: "t".to_owned(),
            external_id: text.to_owned(),
            at: Timestamp(0),
            author: None,
            voice,
            text: text.to_owned(),
            url: None,
            reactions: Default::default(),
            labels: Vec::new(),
            thread: None,
            account: None,
            private: false,
        }
    }

    fn of(texts: &[&str]) -> String {
        let signals: Vec<Signal> = texts.iter().map(|text| signal(Voice::Person, text)).collect();
        title(&signals.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_title_is_the_first_sentence_without_its_greeting() {
        assert_eq!(
            of(&["Hi team, the receipt shows UTC. It is annoying."]),
            "the receipt shows UTC"
        );
        assert_eq!(of(&["Hello!\n\n> quoted\nExport is empty"]), "Export is empty");
    }

    #[test]
    fn the_most_telling_signal_gives_the_title() {
        assert_eq!(
            of(&["broken", "+1", "The invoice export leaves out refunded orders"]),
            "The invoice export leaves out refunded orders"
        );
    }

    #[test]
    fn a_title_is_one_line_of_80_characters_that_steers_no_terminal() {
        let hostile = format!("pay\u{202e}load\u{1b}[31m\tred {}", "word ".repeat(100));
        let title = of(&[&hostile]);
        assert!(title.chars().count() <= 80 && title.ends_with('…'), "{title}");
        assert!(title.starts_with("payload[31m red word"), "{title}");
        assert!(of(&[&"é".repeat(1 << 20)]).chars().count() <= 80);
    }

    #[test]
    fn a_machines_title_is_the_line_that_names_the_error() {
        let report = signal(
            Voice::Machine,
            "INFO start\nTraceback\nValueError: bad price\nINFO end",
        );
        assert_eq!(title(&[&report]), "ValueError: bad price");
    }

    #[test]
    fn without_words_there_is_still_what_was_said() {
        assert_eq!(of(&["🎉"]), "🎉");
        assert_eq!(of(&[]), "");
    }
}
