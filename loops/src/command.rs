//! What a person tells us in a comment: a line that begins with `/loops`. Only the text is read here; whether its author
//! may say so is asked elsewhere, never taken from a text.

use crate::text::plain;

/// How a line begins that speaks to us.
const CALL: &str = "/loops";
/// Words beyond this are cut.
const MAX_WORDS: usize = 8_000;
/// How every hidden marker of ours begins: what holds one was written by us.
const OURS: &str = "<!-- loops:";

/// What may be told, for whoever typed something else.
pub const ALLOWED: &str = "`/loops revise` and what should be different, `/loops retry`, `/loops explain`, `/loops stop`, \
                           `/loops never` and why";

/// What may be told under a dashboard.
pub const ALLOWED_OF_PLANS: &str =
    "`/loops approve` and a plan's id, `/loops reject` and a plan's id and why";

/// What a person wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Another attempt, with these words.
    Revise(String),
    /// Another attempt, with the words of the last one.
    Retry,
    /// What was found out, what was tried and what it cost.
    Explain,
    /// Hands off this proposal.
    Stop,
    /// No, and nothing of the kind again; with a reason if there is one.
    Never(Option<String>),
    /// Begin what the plan of this name says.
    Approve(String),
    /// No to the plan of this name, with a reason if there is one.
    Reject(String, Option<String>),
    /// Something else; the word.
    Unknown(String),
}

/// The first command in a comment. Code, quotes, hidden text and what we wrote ourselves hold none.
pub fn read(comment: &str) -> Option<Command> {
    if comment.contains(OURS) {
        return None;
    }
    let text = comment.replace("\r\n", "\n");
    let mut place = Place::Text;
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let begin = from;
        from += line.len();
        let (open, next) = place.at(line.trim_end_matches('\n'));
        place = next;
        if open && let Some(rest) = called(line) {
            let after = begin + (line.len() - rest.len());
            return Some(command(&text[after..]));
        }
    }
    None
}

/// What follows the call on its line.
fn called(line: &str) -> Option<&str> {
    let begun = line.trim_start_matches(' ');
    if line.len() - begun.len() > 3 {
        return None;
    }
    let head = begun.get(..CALL.len())?;
    let rest = &begun[CALL.len()..];
    let ends = rest.chars().next().is_none_or(char::is_whitespace);
    (head.eq_ignore_ascii_case(CALL) && ends).then_some(rest)
}

fn command(rest: &str) -> Command {
    let line = rest.lines().next().unwrap_or_default();
    let word = line.split_whitespace().next().unwrap_or_default().to_owned();
    let after = rest
        .find(&word)
        .map_or("", |at| rest.get(at + word.len()..).unwrap_or_default());
    let words: String = plain(after).trim().chars().take(MAX_WORDS).collect();
    match word.to_ascii_lowercase().as_str() {
        "revise" => Command::Revise(words),
        "retry" => Command::Retry,
        "explain" => Command::Explain,
        "stop" => Command::Stop,
        "never" => Command::Never((!words.is_empty()).then_some(words)),
        "approve" => Command::Approve(of_plan(&words).0),
        "reject" => {
            let (plan, why) = of_plan(&words);
            Command::Reject(plan, (!why.is_empty()).then_some(why))
        }
        _ => Command::Unknown(plain(&word).chars().take(40).collect()),
    }
}

/// The name of a plan, and what is said beside it.
fn of_plan(words: &str) -> (String, String) {
    let (plan, why) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
    let plan = plan.trim_matches('`').chars().take(60).collect();
    (plan, why.trim().to_owned())
}

/// Where a line stands in Markdown, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Among ordinary text.
    Text,
    /// In a quote, which a line without a sign goes on with.
    Quote,
    /// In a fence of so many of this sign.
    Fence(char, usize),
    /// In a comment of HTML, which nobody sees.
    Hidden,
}

impl Place {
    /// Whether a command may stand on this line, and where the next one stands.
    fn at(&self, line: &str) -> (bool, Self) {
        let bare = line.trim_start();
        match self {
            Self::Fence(sign, many) => {
                let closes = bare.chars().take_while(|c| c == sign).count() >= *many
                    && bare.trim_start_matches(*sign).trim().is_empty();
                let next = if closes { Self::Text } else { self.clone() };
                (false, next)
            }
            Self::Hidden => match line.contains("-->") {
                true => (false, Self::Text),
                false => (false, Self::Hidden),
            },
            Self::Text | Self::Quote => {
                if let Some((sign, many)) = fence(bare) {
                    return (false, Self::Fence(sign, many));
                }
                if bare.starts_with('>') {
                    return (false, Self::Quote);
                }
                if line.rfind("<!--") > line.rfind("-->") {
                    return (false, Self::Hidden);
                }
                let quoted = *self == Self::Quote && !bare.is_empty();
                (!quoted, if quoted { Self::Quote } else { Self::Text })
            }
        }
    }
}

/// The fence that begins with this line.
fn fence(line: &str) -> Option<(char, usize)> {
    let sign = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let many = line.chars().take_while(|c| *c == sign).count();
    // What stands after backticks may hold none: else it is code within a line.
    let rest = &line[many..];
    (many >= 3 && !(sign == '`' && rest.contains('`'))).then_some((sign, many))
}

#[cfg(test)]
mod tests {
    use super::{Command as C, *};

    #[test]
    fn a_line_that_begins_with_the_call_is_a_command() {
        for (text, wanted) in [
            ("/loops stop", C::Stop),
            ("Thanks!\r\n\r\n  /loops  Explain please", C::Explain),
            ("/LOOPS retry", C::Retry),
            (
                "/loops revise say «none»\n\n- and keep 0\n",
                C::Revise("say «none»\n\n- and keep 0".into()),
            ),
            ("/loops never", C::Never(None)),
            ("/loops never we like it", C::Never(Some("we like it".into()))),
            ("/loops approve `task-ab12cd`", C::Approve("task-ab12cd".into())),
            ("/loops approve", C::Approve(String::new())),
            (
                "/loops reject task-ab12cd not now,\nsee the roadmap",
                C::Reject("task-ab12cd".into(), Some("not now,\nsee the roadmap".into())),
            ),
            ("/loops reject task-ab12cd", C::Reject("task-ab12cd".into(), None)),
            ("/loops\nstop", C::Unknown(String::new())),
            ("/loops deploy now", C::Unknown("deploy".into())),
        ] {
            assert_eq!(read(text), Some(wanted), "{text:?}");
        }
    }

    #[test]
    fn code_quotes_hidden_text_and_our_own_words_hold_no_command() {
        for text in [
            "I would type /loops stop",
            "/loopsy stop",
            "    /loops stop",
            "> /loops stop",
            "> he said\n/loops stop",
            "```\n/loops stop\n```",
            "````\n```\n/loops stop\n````",
            "~~~ sh\n/loops stop",
            "<!-- a\n/loops stop\n-->",
            "/loops stop\n<!-- loops:news:P1 -->",
            "",
            "\u{202e}/loops stop",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_comes_after_code_or_a_quote_counts_again() {
        for text in [
            "> he said\n\n/loops stop",
            "```\nx\n```\n/loops stop",
            "<!-- hidden --> seen\n/loops stop",
            "Use ```this``` here\n/loops stop",
        ] {
            assert_eq!(read(text), Some(C::Stop), "{text:?}");
        }
    }

    #[test]
    fn words_are_bounded_and_hold_nothing_hidden() {
        let long = format!("/loops revise a\u{202e}b {}", "x".repeat(20_000));
        let Some(C::Revise(words)) = read(&long) else {
            panic!("it is a command")
        };
        assert!(words.starts_with("ab x") && words.chars().count() == MAX_WORDS);
    }
}
