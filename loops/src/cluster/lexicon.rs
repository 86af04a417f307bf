//! Word lists about English feedback: what carries no meaning, what carries little, and what turns a sentence into
//! its opposite. Text in other languages passes through unharmed, it only gains nothing here. Lists are sorted.

/// Words that say nothing about a problem: they weigh nearly nothing when texts are compared.
const FUNCTION: &[&str] = &[
    "a",
    "about",
    "after",
    "again",
    "all",
    "also",
    "although",
    "always",
    "am",
    "an",
    "and",
    "another",
    "any",
    "anyone",
    "are",
    "as",
    "at",
    "be",
    "because",
    "been",
    "before",
    "being",
    "but",
    "by",
    "could",
    "did",
    "do",
    "does",
    "doing",
    "even",
    "for",
    "from",
    "get",
    "gets",
    "getting",
    "got",
    "had",
    "happen",
    "happened",
    "happening",
    "happens",
    "has",
    "have",
    "having",
    "he",
    "her",
    "here",
    "his",
    "how",
    "i",
    "if",
    "im",
    "in",
    "into",
    "is",
    "it",
    "its",
    "ive",
    "just",
    "keep",
    "keeps",
    "known",
    "like",
    "looks",
    "me",
    "my",
    "myself",
    "now",
    "of",
    "on",
    "one",
    "or",
    "our",
    "out",
    "over",
    "really",
    "seems",
    "she",
    "should",
    "so",
    "some",
    "soon",
    "still",
    "than",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "this",
    "though",
    "to",
    "today",
    "too",
    "us",
    "very",
    "was",
    "we",
    "were",
    "what",
    "when",
    "whenever",
    "where",
    "which",
    "while",
    "who",
    "why",
    "will",
    "with",
    "would",
    "yesterday",
    "you",
    "your",
];

/// Words that half of all feedback contains: they weigh a third.
const COMMON: &[&str] = &[
    "actual",
    "app",
    "broken",
    "bug",
    "correct",
    "customer",
    "customers",
    "error",
    "expected",
    "fail",
    "failed",
    "fails",
    "fix",
    "instead",
    "issue",
    "look",
    "make",
    "need",
    "not",
    "people",
    "please",
    "problem",
    "reproduce",
    "see",
    "shows",
    "steps",
    "thing",
    "tried",
    "try",
    "trying",
    "use",
    "used",
    "user",
    "users",
    "using",
    "want",
    "work",
    "working",
    "works",
    "wrong",
];

/// Words of politeness; they are taken out before anything else looks.
const POLITE: &[&str] = &[
    "afternoon",
    "all",
    "appreciated",
    "cheers",
    "dear",
    "evening",
    "everybody",
    "everyone",
    "folks",
    "good",
    "greetings",
    "guys",
    "hallo",
    "hello",
    "hey",
    "heya",
    "hi",
    "hiya",
    "kind",
    "kindly",
    "morning",
    "please",
    "pls",
    "plz",
    "regards",
    "sorry",
    "team",
    "thank",
    "thanks",
    "there",
    "thx",
    "ty",
    "you",
];

/// Pairs of which one turns a sentence into its opposite.
pub(super) const OPPOSITES: &[(&str, &str)] = &[
    ("add", "delete"),
    ("add", "remove"),
    ("android", "ios"),
    ("arrive", "depart"),
    ("buy", "sell"),
    ("checkin", "checkout"),
    ("close", "open"),
    ("collapse", "expand"),
    ("connect", "disconnect"),
    ("dark", "light"),
    ("decrease", "increase"),
    ("decrypt", "encrypt"),
    ("deposit", "withdraw"),
    ("disable", "enable"),
    ("download", "upload"),
    ("export", "import"),
    ("fast", "slow"),
    ("first", "last"),
    ("follow", "unfollow"),
    ("hide", "show"),
    ("horizontal", "vertical"),
    ("inbound", "outbound"),
    ("incoming", "outgoing"),
    ("install", "uninstall"),
    ("landscape", "portrait"),
    ("left", "right"),
    ("load", "save"),
    ("lock", "unlock"),
    ("login", "logout"),
    ("login", "signup"),
    ("max", "min"),
    ("maximum", "minimum"),
    ("mute", "unmute"),
    ("next", "previous"),
    ("optin", "optout"),
    ("pin", "unpin"),
    ("read", "write"),
    ("receive", "send"),
    ("scrolldown", "scrollup"),
    ("signin", "signout"),
    ("signin", "signup"),
    ("signout", "signup"),
    ("start", "stop"),
    ("subscribe", "unsubscribe"),
    ("switchoff", "switchon"),
    ("turnoff", "turnon"),
    ("zoomin", "zoomout"),
];

/// Verbs that make one word with the particle after them: `log in`, `turn off`.
const PHRASAL: &[(&str, &str)] = &[
    ("check", "check"),
    ("checked", "check"),
    ("checking", "check"),
    ("log", "log"),
    ("logged", "log"),
    ("logging", "log"),
    ("logs", "log"),
    ("opt", "opt"),
    ("opted", "opt"),
    ("scroll", "scroll"),
    ("scrolling", "scroll"),
    ("sign", "sign"),
    ("signed", "sign"),
    ("signing", "sign"),
    ("switch", "switch"),
    ("switched", "switch"),
    ("switching", "switch"),
    ("turn", "turn"),
    ("turned", "turn"),
    ("turning", "turn"),
    ("zoom", "zoom"),
    ("zooming", "zoom"),
];

const PARTICLES: &[&str] = &["down", "in", "off", "on", "out", "up"];

/// Whether the word says nothing about a problem.
pub(super) fn is_function(word: &str) -> bool {
    FUNCTION.binary_search(&word).is_ok()
}

/// Whether half of all feedback contains the word.
pub(super) fn is_common(word: &str) -> bool {
    COMMON.binary_search(&word).is_ok()
}

/// Whether the word is only politeness.
pub(crate) fn is_polite(word: &str) -> bool {
    POLITE.binary_search(&word).is_ok()
}

/// `log` and `in` make `login`.
pub(super) fn phrasal(verb: &str, particle: &str) -> Option<String> {
    PARTICLES.binary_search(&particle).ok()?;
    let (_, base) = PHRASAL.iter().find(|(form, _)| *form == verb)?;
    Some(format!("{base}{particle}"))
}

/// One spelling for the ways to say no.
pub(super) fn negation(word: &str) -> Option<&'static str> {
    matches!(
        word,
        "aint"
            | "arent"
            | "cannot"
            | "cant"
            | "couldnt"
            | "didnt"
            | "doesnt"
            | "dont"
            | "hasnt"
            | "havent"
            | "isnt"
            | "never"
            | "no"
            | "nor"
            | "not"
            | "unable"
            | "wasnt"
            | "wont"
            | "wouldnt"
    )
    .then_some("not")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_so_that_the_search_finds_every_word() {
        for list in [FUNCTION, COMMON, POLITE, PARTICLES] {
            assert!(list.is_sorted(), "{list:?}");
        }
    }
}
