//! Whether a report talks to a machine rather than about a problem: known forms of prompt injection, found by their
//! words. Cheap and deterministic, over any text.
//!
//! A flag is for people to see and for a rule to hold back; nothing is safe because it has none. What keeps a model that
//! believes such a text from doing harm is the containment, not this.

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

macro_rules! forms {
    ($($form:ident: $($text:literal)+;)+) => { &[$($((Form::$form, $text)),+),+] };
}

/// The forms, over folded text: lower case, compatibility forms, without invisible characters. `.{0,n}` bounds what may
/// stand between.
const FORMS: &[(Form, &str)] = forms! {
    IgnoreRules:
        r"\b(?:ignore|disregard|forget|override|bypass|do not follow|don't follow|stop following|set aside|skip over)\b.{0,40}\b(?:previous|prior|above|earlier|preceding|all|any|your|the|these|system|other|existing)\b.{0,30}\b(?:instruction|prompt|rule|guideline|direction|message|context|constraint|polic|command|restriction|boundar|task)"
        r"\b(?:ignora|olvida|omite|descarta)\w*\b.{0,40}\b(?:instruccion|regla|indicacion|orden|anterior)"
        r"\b(?:ignorez?|oubliez?|neglige[zr]?)\b.{0,40}\b(?:instruction|consigne|regle|precedent)"
        r"\b(?:ignorier|vergiss|missachte|beachte)\w*\b.{0,40}\b(?:anweisung|regel|vorgabe|befehl|vorherig|bisherig|instruktion)"
        r"\b(?:ignore|ignora|esqueca|desconsidere|dimentica)\w*\b.{0,40}\b(?:instruc|instruco|regra|istruzion|regol|anterior|precedent)"
        r"(?:игнорируи|забудь|не обращаи|проигнорируи).{0,60}(?:инструкц|правил|указан|предыдущ)"
        r"(?:忽略|无视|無視|忘记|忘記|不要理会).{0,20}(?:指令|指示|规则|規則|提示|说明)"
        r"(?:指示|命令|ルール|プロンプト).{0,16}(?:無視|忘れ)"
        r"(?:지시|명령|규칙|프롬프트).{0,16}(?:무시|잊)"
        r"(?:تجاهل|انس).{0,30}(?:التعليمات|القواعد|الاوامر|السابقة)"
        r"(?:पिछले|सभी).{0,30}(?:निर्देश).{0,30}(?:अनदेखा|नजरअंदाज|भूल)"
        r"(?:onceki|tum|butun).{0,20}(?:talimat|kural).{0,30}(?:yoksay|gormezden|unut)"
        r"\b(?:zignoruj|ignoruj|zapomnij)\b.{0,40}\b(?:instrukcj|polecen|zasad|poprzedni)"
        r"\b(?:negeer|vergeet)\b.{0,40}\b(?:instructie|regel|opdracht|vorige)";
    NewRole:
        r"\b(?:you are now|you're now|from now on,? you|act as (?:a|an|the|if)|pretend (?:to be|you)|roleplay as|your new (?:role|task|goal|instructions?|objective|job)|new (?:system )?(?:instructions?|objective|directive)s?\s*:)"
        r"\b(?:developer|debug|admin|maintenance|god|sudo|dan|jailbreak|unrestricted|unfiltered) mode\b.{0,40}\b(?:enable|on|activ|enter|unlock|engag)|\b(?:enable|enter|activate|unlock|engage)\w*\b.{0,20}\b(?:developer|admin|god|sudo|dan|jailbreak|unrestricted|unfiltered) mode"
        r"\b(?:du bist (?:jetzt|ab jetzt|nun)|tu es (?:desormais|maintenant)|vous etes (?:desormais|maintenant)|ahora eres|a partir de ahora|agora voce e|ora sei)\b"
        r"(?:你现在是|从现在开始|あなたは今から|теперь ты|ты теперь)";
    RoleMarker:
        r"(?:<\|(?:im_start|im_end|system|user|assistant|endoftext|start_header_id|eot_id)[^>]{0,20}\|?>|\[/?inst\]|<</?sys>>|<start_of_turn>|</?(?:system|assistant|human|user)(?:[ _-](?:prompt|message|reminder|instructions?))?>|</?outside-text)"
        r"(?m)^[\s#>*_-]{0,10}(?:system|assistant|developer|human)(?: (?:prompt|message|override|note|instructions?))?[\s*_]{0,4}:"
        r"(?m)^[\s#>*=-]{1,12}(?:system|end of (?:report|issue|user|data|untrusted|document|context)|begin (?:system|instructions?)|new instructions?|important instructions?)\b"
        r"\[(?:system|admin|developer|assistant)(?: (?:message|note|override|prompt|instructions?))?\]";
    ToolCall:
        r"</?(?:antml:)?(?:function_calls?|invoke|tool_call|tool_use|tool_result|function_results?|parameter)\b"
        "[\"'](?:type|role)[\"']\\s*:\\s*[\"'](?:tool_use|tool_result|tool|function|function_call|tool_calls|system|assistant)[\"']"
        "[\"'](?:tool_calls|function_call|tool_use_id|tool_call_id)[\"']\\s*:";
    AddressesAgent:
        r"\b(?:dear|hey|hi|hello|note (?:to|for)|attention|message (?:to|for)|instructions? (?:to|for)|important for|reminder (?:to|for)|if you are|if you're)\b[ ,:]{0,3}(?:the |an? |any |all |other |coding |automated )*(?:ai|llm|language model|(?:coding |software |lead |worker )?agents?\b|chatbot|assistant|claude|gpt|copilot|codex|gemini|cursor)\b"
        r"\b(?:as an ai|ai (?:agent|assistant|model|reviewer)s?)\b.{0,30}\b(?:must|should|need to|have to|please|are required|will)\b";
    AsksForSecrets:
        r"\b(?:print|show|reveal|output|dump|leak|send|give|tell|include|post|paste|copy|write|read|cat|echo|repeat|expose|extract|list|upload|commit|add|append|put|share|return)\w*\b.{0,50}(?:\b(?:api[ _-]?keys?|secrets?|credentials?|access tokens?|auth tokens?|private keys?|passwords?|env(?:ironment)? (?:variables?|vars?)|ssh keys?|system prompt|(?:your|hidden|initial|original|above) (?:instructions|prompt|rules)|github_token|aws_\w+|anthropic_\w+|openai_\w+|_token\b)|\.env\b|id_rsa|\.ssh/|\.aws/|/etc/(?:passwd|shadow)|/proc/self/environ)"
        r"\b(?:zeige?|gib|drucke|sende)\b.{0,50}\b(?:passwor|schlussel|geheimnis|zugangsdaten|umgebungsvariable)"
        r"\b(?:muestra|envia|imprime|revela)\w*\b.{0,50}\b(?:contrasena|clave|secreto|credencial)|\b(?:affiche|envoie|revele)\w*\b.{0,50}\b(?:mot de passe|cle|secret|identifiant)"
        r"(?:покажи|отправь|выведи).{0,50}(?:парол|ключ|токен|секрет)|(?:显示|输出|发送|泄露).{0,20}(?:密钥|密码|令牌|环境变量)|(?:パスワード|秘密鍵|環境変数|トークン).{0,20}(?:表示|送信|出力)";
    Exfiltration:
        r"\b(?:curl|wget|fetch|invoke-webrequest|iwr|nc|ncat|base64)\b.{0,120}(?:\|\s*(?:ba|z|da)?sh\b|\$\(|\$\{?[a-z_]*(?:key|token|secret)|/dev/tcp|-d @|--data|--post|--upload)"
        r"\b(?:send|post|upload|exfiltrate|forward|transmit|report|submit|leak|copy|beacon)\w*\b.{0,80}\b(?:to|at|via)\b.{0,30}(?:https?://|ftp://|[a-z0-9-]+\.(?:com|net|io|xyz|ru|site|dev|app|example|test|sh)\b/?)"
        r"(?:/dev/tcp/|\bbash -i\b|\bmkfifo\b.{0,60}\bnc\b|169\.254\.169\.254|metadata\.google\.internal|\b(?:webhook\.site|requestbin|pipedream\.net|ngrok|burpcollaborator|interact\.sh|oast\.)\b)"
        r"\b(?:run|execute|eval|install|download|pipe)\w*\b.{0,60}(?:https?://|\brm -rf\b|\bchmod \+x|\bsudo\b|\bpip install\b|\bnpm install\b)";
    DefeatsChecks:
        r"\b(?:skip|disable|turn off|remove|delete|bypass|weaken|comment out|suppress|circumvent|ignore)\w*\b.{0,40}\b(?:the |all |any |failing |security )*(?:tests?|checks?|ci\b|reviews?|reviewer|linters?|sandbox|guardrails?|safety|screens?|permission checks?|authentication|verification|boundaries)\b.{0,60}\b(?:and|then|so|before|without|immediately|to)\b"
        r"\b(?:approve|merge|accept|lgtm)\b.{0,40}\b(?:without|immediately|automatically|regardless|no matter|unconditionally|no (?:further )?review)\b"
        r"\b(?:do not|don't|never|without)\b.{0,30}\b(?:mention|tell|inform|report|reveal|notify|disclose|alert)\w*\b.{0,40}\b(?:this|user|anyone|human|reviewer|maintainer|people|operator|summary|pull request|pr)\b"
        r"\b(?:add|insert|include|create|introduce|write|plant)\w*\b.{0,40}\b(?:backdoor|back door|hidden (?:admin|user|account)|reverse shell|web ?shell|keylogger|new (?:admin|deploy) key|admin (?:user|account)|\.github/workflows|authorized_keys)";
    Image:
        r"!\[[^\]]{0,200}\]\(\s*<?https?://[^)\s]{0,400}(?:\?[^)\s]{0,200}=|\{|\$|%7b)"
        r"<(?:img|iframe|script|object|embed|svg|link|meta|video|audio|source)\b[^>]{0,300}(?:https?:)?//";
    HiddenText:
        r"<!--"
        r"(?:display\s*:\s*none|font-size\s*:\s*0|visibility\s*:\s*hidden|opacity\s*:\s*0\b|color\s*:\s*(?:white|#fff(?:fff)?\b|transparent))"
        r"(?m)^\s*\[//\]:\s*#";
};

static EACH: LazyLock<Vec<Regex>> = LazyLock::new(|| FORMS.iter().map(|(_, form)| pattern(form)).collect());
static BASE64: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"[0-9A-Za-z+/_-]{40,}={0,2}|(?:[0-9a-fA-F]{2}[ :]?){40,}"));

/// The places of `text` that have a known form of injection, in their order, each form a few times at most.
pub fn injections(text: &str) -> Vec<Flag> {
    let text = &text[..text.floor_char_boundary(LOOKED_AT)];
    let folded = Folded::of(text);
    let mut flags = hidden_runs(text);
    for ((form, _), regex) in FORMS.iter().zip(EACH.iter()) {
        let found = regex.find_iter(&folded.text).take(3);
        flags.extend(found.map(|hit| folded.flag(*form, hit.range())));
    }
    for run in BASE64.find_iter(text).take(50) {
        if let Some(decoded) = secrets::decoded(run.as_str()).first() {
            let worse = FORMS
                .iter()
                .zip(EACH.iter())
                .any(|(_, regex)| regex.is_match(&Folded::of(decoded).text));
            let is_words = decoded.split_whitespace().count() >= 4;
            if worse || is_words {
                flags.push(flag(Form::Encoded, run.range()));
            }
        }
    }
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

/// Characters that reorder text or carry hidden text; joiners of emoji and scripts are no sign, many in a row are.
fn hidden_runs(text: &str) -> Vec<Flag> {
    let mut flags: Vec<Flag> = Vec::new();
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
        if flags.len() > 3 {
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

    fn flag(&self, form: Form, place: Range<usize>) -> Flag {
        let start = self.from.get(place.start).copied().unwrap_or(self.end);
        let end = self.from.get(place.end).copied().unwrap_or(self.end);
        flag(form, start..end.max(start))
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
