//! Word lists about feedback: what carries no meaning, what carries little, and what turns a sentence into its
//! opposite. Text in languages that are not here or in [`languages`] passes through unharmed, it only gains nothing.
//! Lists are sorted.

use super::languages;

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
    ("abbestellen", "abonnieren"),
    ("abmelden", "anmelden"),
    ("abmeldung", "anmeldung"),
    ("abrir", "cerrar"),
    ("abrir", "fechar"),
    ("accept", "reject"),
    ("accesso", "uscita"),
    ("activar", "desactivar"),
    ("activer", "desactiver"),
    ("add", "delete"),
    ("add", "remove"),
    ("ajouter", "supprimer"),
    ("allow", "block"),
    ("android", "ios"),
    ("aprire", "chiudere"),
    ("archive", "restore"),
    ("arrive", "depart"),
    ("ativar", "desativar"),
    ("attach", "detach"),
    ("attivare", "disattivare"),
    ("ausblenden", "einblenden"),
    ("ausloggen", "einloggen"),
    ("ausschalten", "einschalten"),
    ("baixar", "enviar"),
    ("bajar", "subir"),
    ("bottom", "top"),
    ("buy", "sell"),
    ("cerrar", "iniciar"),
    ("checkin", "checkout"),
    ("chrome", "firefox"),
    ("chrome", "safari"),
    ("cierre", "inicio"),
    ("close", "open"),
    ("collapse", "expand"),
    ("conectar", "desconectar"),
    ("connect", "disconnect"),
    ("connecter", "deconnecter"),
    ("connexion", "deconnexion"),
    ("credit", "debit"),
    ("dark", "light"),
    ("debit", "refund"),
    ("decode", "encode"),
    ("decrease", "increase"),
    ("decrypt", "encrypt"),
    ("deposit", "withdraw"),
    ("descargar", "subir"),
    ("disable", "enable"),
    ("downgrade", "upgrade"),
    ("download", "hochladen"),
    ("download", "upload"),
    ("entfernen", "hinzufugen"),
    ("entrar", "sair"),
    ("entrar", "salir"),
    ("erhohen", "verringern"),
    ("export", "import"),
    ("exportieren", "importieren"),
    ("failure", "success"),
    ("fast", "slow"),
    ("fermer", "ouvrir"),
    ("firefox", "safari"),
    ("first", "last"),
    ("follow", "unfollow"),
    ("herunterladen", "hochladen"),
    ("hide", "show"),
    ("hochladen", "runterladen"),
    ("horizontal", "vertical"),
    ("inbound", "outbound"),
    ("incoming", "outgoing"),
    ("install", "uninstall"),
    ("ios", "macos"),
    ("landscape", "portrait"),
    ("left", "right"),
    ("links", "rechts"),
    ("linux", "macos"),
    ("linux", "windows"),
    ("load", "save"),
    ("lock", "unlock"),
    ("login", "logout"),
    ("login", "signup"),
    ("lower", "raise"),
    ("mac", "windows"),
    ("macos", "windows"),
    ("max", "min"),
    ("maximum", "minimum"),
    ("merge", "split"),
    ("mount", "unmount"),
    ("mute", "unmute"),
    ("next", "previous"),
    ("offline", "online"),
    ("offnen", "schliessen"),
    ("optin", "optout"),
    ("pin", "unpin"),
    ("private", "public"),
    ("pull", "push"),
    ("read", "write"),
    ("receive", "send"),
    ("register", "unregister"),
    ("scrolldown", "scrollup"),
    ("signin", "signout"),
    ("signin", "signup"),
    ("signout", "signup"),
    ("start", "stop"),
    ("subscribe", "unsubscribe"),
    ("switchoff", "switchon"),
    ("sync", "unsync"),
    ("telecharger", "televerser"),
    ("turnoff", "turnon"),
    ("upgrade", "upload"),
    ("wlaczyc", "wylaczyc"),
    ("wylogowac", "zalogowac"),
    ("wylogowaniu", "zalogowaniu"),
    ("zoomin", "zoomout"),
    ("включить", "выключить"),
    ("воити", "выити"),
    ("вход", "выход"),
    ("входа", "выхода"),
    ("закрыть", "открыть"),
    ("アップロード", "ダウンロード"),
    ("インポート", "エクスポート"),
    ("ログアウト", "ログイン"),
    ("上传", "下载"),
    ("关闭", "开启"),
    ("关闭", "打开"),
    ("失败", "成功"),
    ("导入", "导出"),
    ("登录", "退出"),
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

const NAMES_CODE: &[&str] = &[
    "answers",
    "code",
    "codigo",
    "erreur",
    "errno",
    "error",
    "errors",
    "fehler",
    "http",
    "responds",
    "response",
    "returns",
    "status",
    "ошибка",
];

/// What French and Italian write before an apostrophe.
const ELIDED: &[&str] = &[
    "all", "c", "d", "dall", "dell", "j", "jusqu", "l", "lorsqu", "m", "n", "nell", "puisqu", "qu", "quell",
    "s", "sull", "t", "un",
];

const PARTICLES: &[&str] = &["down", "in", "off", "on", "out", "up"];

/// Whether the word says nothing about a problem.
pub(super) fn is_function(word: &str) -> bool {
    FUNCTION.binary_search(&word).is_ok() || languages::is_function(word)
}

/// Whether half of all feedback contains the word.
pub(super) fn is_common(word: &str) -> bool {
    COMMON.binary_search(&word).is_ok()
}

/// Whether the word is only politeness.
pub(crate) fn is_polite(word: &str) -> bool {
    POLITE.binary_search(&word).is_ok() || languages::is_polite(word)
}

/// The verb that this word makes with a particle after it: `log` and `in` make `login`.
pub(super) fn verb(word: &str) -> Option<&'static str> {
    PHRASAL
        .iter()
        .find(|(form, _)| *form == word)
        .map(|(_, base)| *base)
}

/// Whether the word makes one with the verb before it.
pub(super) fn is_particle(word: &str) -> bool {
    PARTICLES.binary_search(&word).is_ok()
}

/// Whether a number beside this word is a code, not an amount.
pub(super) fn names_code(word: &str) -> bool {
    NAMES_CODE.binary_search(&word).is_ok()
}

/// Whether an apostrophe after this ends a word.
pub(super) fn is_elided(word: &str) -> bool {
    ELIDED.binary_search(&word).is_ok()
}

/// One spelling for the ways to say no.
pub(super) fn negation(word: &str) -> Option<&'static str> {
    let is_english = matches!(
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
    );
    (is_english || languages::is_negation(word)).then_some("not")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_so_that_the_search_finds_every_word() {
        for list in [FUNCTION, COMMON, POLITE, PARTICLES, NAMES_CODE, ELIDED] {
            assert!(list.is_sorted(), "{list:?}");
        }
    }
}
