//! Words that were said in private, and that something which leaves would repeat. An agent reads them to understand the
//! problem, and may say them again; what it says is held here before it goes where others read.

/// So many words in a row are a quotation, not a coincidence.
const RUN: usize = 5;
/// What stands in their place.
const HELD: &str = "[said in private]";

/// `text` without what it repeats of the private texts: every run of five words or more that one of them holds, too,
/// whatever the case and the punctuation between them.
pub fn hold(text: &str, private: &[String]) -> String {
    let said = words(text);
    let mut held = vec![false; said.len()];
    for told in private {
        let told: Vec<String> = words(told).into_iter().map(|(_, _, word)| word).collect();
        if told.len() < RUN {
            continue;
        }
        let runs: std::collections::HashSet<&[String]> = told.windows(RUN).collect();
        let plain: Vec<String> = said.iter().map(|(_, _, word)| word.clone()).collect();
        for (at, run) in plain.windows(RUN).enumerate() {
            if runs.contains(run) {
                held[at..at + RUN].fill(true);
            }
        }
    }
    let mut out = String::with_capacity(text.len());
    let (mut from, mut at) = (0, 0);
    while at < said.len() {
        if !held[at] {
            at += 1;
            continue;
        }
        let first = at;
        while at < said.len() && held[at] {
            at += 1;
        }
        out.push_str(&text[from..said[first].0]);
        out.push_str(HELD);
        from = said[at - 1].1;
    }
    out.push_str(&text[from..]);
    out
}

/// The words of a text: where each begins and ends, and the word in lower case.
fn words(text: &str) -> Vec<(usize, usize, String)> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c.is_alphanumeric(), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                words.push((from, at, text[from..at].to_lowercase()));
                start = None;
            }
            _ => {}
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(text: &str) -> String {
        let told = "Our biggest customer Acme pays twice since the price change in Oslo".to_owned();
        hold(text, &[told])
    }

    #[test]
    fn five_words_in_a_row_are_held_whatever_stands_between_them() {
        assert_eq!(
            held("Fix: \"our BIGGEST customer,\nAcme, pays\" too much"),
            "Fix: \"[said in private]\" too much"
        );
        assert_eq!(
            held("It says: Acme pays twice since the price change!"),
            "It says: [said in private]!"
        );
    }

    #[test]
    fn words_of_ones_own_about_the_same_problem_stay() {
        for own in [
            "Charge a customer once after a price change",
            "",
            "Oslo",
            "ünïcödé — “quotes”",
        ] {
            assert_eq!(held(own), own);
        }
    }

    #[test]
    fn a_short_private_text_holds_nothing_for_its_words_are_anyones() {
        assert_eq!(hold("it is too slow", &["too slow".to_owned()]), "it is too slow");
    }
}
