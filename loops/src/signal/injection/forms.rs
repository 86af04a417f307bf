//! The forms by their words: patterns over folded text (lower case, compatibility forms, without accents and invisible
//! characters). They are written after public sets of injections and published cases; they judge nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Form, lean::Lean};

/// Where a sentence begins that tells somebody to do something: reports say what happened, orders begin with a verb.
macro_rules! order {
    () => {
        "(?:(?m:^)\\s*|[.!?;:>\\-\"'(*`,]\\s*|\\d[.)]\\s+|\\b(?:please|and|then|must|should|shall|also|now|you|first|instead|just|kindly|simply|immediately|always|next|finally|need to|have to|want you to|is to|are to|required to|in order to)\\s+)"
    };
}

/// What no report asks for.
macro_rules! inner {
    () => {
        "\\.env(?:[\\s,;:)'\"`]|$)|id_rsa|\\.ssh/|\\.aws/|\\.netrc|/etc/(?:passwd|shadow)|/proc/self/environ|\\bprintenv\\b|\\bsystem prompt|\\b(?:your|hidden|initial|original|secret) (?:instructions|prompt|rules)|\\babove (?:instructions|prompt|rules)|\\bgithub_token|\\baws_\\w+|\\banthropic_\\w+|\\bopenai_\\w+|_token\\b|\\bprivate (?:repos|ones)\\b|\\b(?:wallet|keystore)[- ]?(?:related|files?|paths?)|\\bmcp\\.json"
    };
}

/// What reports speak of, too.
macro_rules! secret {
    () => {
        "\\b(?:api[ _-]?keys?|secrets?|credentials?|(?:access|auth|session|bot) tokens?|(?:private|deploy|ssh|signing) keys?|passwords?|passphrase|env(?:ironment)? (?:variables?|vars?)|sensitive (?:secret|information|data))\\b"
    };
}

macro_rules! forms {
    ($($form:ident: $($text:expr),+;)+) => { &[$($((Form::$form, $text)),+),+] };
}

const FORMS: &[(Form, &str)] = forms! {
    IgnoreRules:
        r"\b(?:ignore|disregard|forget|override|bypass|do not follow|don't follow|stop following|set aside|skip over|drop)\b.{0,40}\b(?:previous|prior|above|earlier|preceding|all|any|your|the|these|system|other|existing|following|original)\b.{0,30}\b(?:instruction|prompt|rule|guideline|direction|message|context|constraint|polic|command|restriction|boundar|task\b|job\b|programming)",
        r"\b(?:ignore|disregard) (?:instructions|rules|prompts?|everything (?:above|before)|the above)\b",
        r"\b(?:now,? )?forget (?:all|everything)(?: of)?(?: (?:that|this|the \w+|your \w+|you (?:were|have been) told|before|above))\b|\bnow\b.{0,20}\bgive you a new (?:task|job|instruction)|\b(?:all|the) above (?:instructions|rules|prompts?)\b|\b(?:ignor\w*|vergiss|oublie\w*|olvida\w*|dimentica)\b.{0,30}\b(?:rules?|instructions?|prompts?)\b",
        r"\b(?:vergiss|vergesse|ignoriere)\b.{0,20}\b(?:alles|davor|vorher\w*)\b|\b(?:desconsidere|esqueca|ignore)\b.{0,20}\btudo\b|\bdimentica\b.{0,12}\btutto\b|\b(?:olvida|ignora)\b.{0,12}\btodo\b|\b(?:oubliez?|ignorez?)\b.{0,12}\btout\b|\bzapomnij\b.{0,20}\b(?:wszystk|wczesniejsz)",
        r"\badhere (?:only |strictly )?to the following (?:instruction|order)|\byour (?:actual|real|true|only|new) (?:task|job|goal|instructions?|objective)\b|\b(?:conversation|text|chat|document|session)s? above (?:was|were|is) (?:only |just )?(?:a test|an example|fake|void)|\bdo not (?:complete|solve|do|finish) the original (?:task|request)|\bno further processing\b",
        r"\b(?:ignora|olvida|omite|descarta)\w*\b.{0,40}\b(?:instruccion|regla|indicacion|orden|anterior)",
        r"\b(?:ignorez?|oubliez?|neglige[zr]?)\b.{0,40}\b(?:instruction|consigne|regle|precedent)",
        r"\b(?:ignorier|vergiss|vergesse|missachte|beachte)\w*\b.{0,40}\b(?:anweisung|regel|vorgabe|befehl|vorherig|bisherig|instruktion)",
        r"\b(?:ignore|ignora|esqueca|desconsidere|dimentica)\w*\b.{0,40}\b(?:instruc|instruco|regra|istruzion|regol|anterior|precedent)",
        r"(?:игнорируи|забудь|не обращаи|проигнорируи|ігноруи).{0,60}(?:инструкц|правил|указан|предыдущ|інструкц|попередн)",
        r"(?:忽略|无视|無視|忘记|忘記|不要理会|忽視).{0,20}(?:指令|指示|规则|規則|提示|说明)",
        r"(?:指示|命令|ルール|プロンプト).{0,16}(?:無視|忘れ)",
        r"(?:지시|명령|규칙|프롬프트).{0,16}(?:무시|잊)",
        r"(?:تجاهل|انس).{0,30}(?:التعليمات|القواعد|الاوامر|السابقة)|(?:دستور|قوانین).{0,40}(?:نادیده|فراموش)",
        r"(?:पिछले|सभी).{0,30}(?:निर्देश).{0,30}(?:अनदेखा|नजरअंदाज|भूल)|(?:আগের|সব).{0,30}(?:নির্দেশ).{0,30}(?:উপেক্ষা|ভুলে)",
        r"(?:onceki|tum|butun).{0,20}(?:talimat|kural).{0,30}(?:yoksay|gormezden|unut)",
        r"\b(?:zignoruj|ignoruj\w*|zapomnij)\b.{0,40}\b(?:instrukcj|polecen|zasad|poprzedni|pokyn|predchozi)",
        r"\b(?:negeer|vergeet)\b.{0,40}\b(?:instructie|regel|opdracht|vorige)|\b(?:ignorera|ignorer|glom|glem)\b.{0,40}\b(?:instruktion|instruks|regler|tidigare|tidligere)|\b(?:ohita|unohda)\b.{0,40}\bohje|\b(?:ignora|uita)\b.{0,40}\binstructiuni|\bhagyd figyelmen kivul\b.{0,40}\butasitas",
        r"\bbo qua\b.{0,40}\b(?:huong dan|chi dan|lenh|quy tac)|\b(?:abaikan|lupakan)\b.{0,40}\b(?:instruksi|perintah|arahan|petunjuk|aturan)|\bpuuza\b.{0,40}\b(?:maagizo|maelekezo)|\b(?:balewalain|huwag pansinin)\b.{0,40}\b(?:tagubilin|utos|patakaran)",
        r"(?:התעלם|התעלמי|שכח).{0,40}(?:הוראות|הנחיות|כללים)|(?:αγνοησε|ξεχασε).{0,40}(?:οδηγι|κανον|εντολ)|(?:เพิกเฉย|ละเว้น|ไม่ต้องสนใจ|ลืม).{0,40}(?:คำสั่ง|คําสั่ง|กฎ)";
    NewRole:
        r"\b(?:you are now (?:a|an|the|in|my|our|free|no longer|acting|operating|running)\b|you're now (?:a|an|the|in|my)\b|from now on,? you\b|pretend (?:to be|that you|you)|pretending to be|roleplay as|your new (?:role|task|goal|instructions?|objective|job)|new (?:system )?(?:instructions?|objective|directive)s?\s*:)",
        r"\bact as (?:a|an|the|if|my)\b.{0,40}\b(?:who|without|no longer|deceased|unrestricted|administrator|terminal|shell|bot|model|assistant|expert|agent|developer|jailbr|you )",
        r"\byou are (?:going to |about to )?(?:pretend|an? (?:ai|llm|evil|autonomous|unrestricted|uncensored|helpful|rogue)\b)|\bdo anything now\b|\bwithout any (?:restrictions|limits|rules|filters)\b.{0,40}\b(?:called|named|who|that)\b|\bplay a game\b.{0,30}\byou are\b|\bimagine (?:a world|that you|you are)\b|\bi want you to act\b|\bi will type commands\b",
        r"\b(?:developer|debug|admin|maintenance|god|sudo|dan|jailbreak|unrestricted|unfiltered) mode\b.{0,40}\b(?:enable|activ|enter|unlock|engag)|\b(?:enable|enter|activate|unlock|engage)\w*\b.{0,20}\b(?:developer|admin|god|sudo|dan|jailbreak|unrestricted|unfiltered) mode",
        r"\b(?:du bist (?:jetzt|ab jetzt|nun)|tu es (?:desormais|maintenant)|vous etes (?:desormais|maintenant)|ahora eres|a partir de ahora eres|agora voce e|ora sei)\b",
        r"(?:你现在是|从现在开始你|あなたは今から|теперь ты|ты теперь)";
    RoleMarker:
        r"(?:<\|[a-z_]{3,24}\|?>|\[/?inst\]|<</?sys>>|<(?:start|end)_of_turn>|\[(?:tool_calls|available_tools|tool_results)\]|</?(?:system|assistant|human|user)(?:[ _-](?:prompt|message|reminder|instructions?))?>|<\s*/?\s*outside\s*-\s*text)",
        r"(?m)^[\s#>*_-]{0,10}(?:assistant|human)(?: (?:prompt|message|override|note|instructions?))?[\s*_]{0,4}:",
        r"(?m)^[\s#>*_-]{0,10}(?:system|developer)(?: (?:prompt|message|override|note|instructions?)[\s*_]{0,4}:|[\s*_]{0,4}:.{0,60}\b(?:you|your|ignore|override|please|must|may|obey|never|always|disregard|the user|authori[sz]ed|instructions?)\b)",
        r"(?m)^\s*#{2,4} ?(?:instruction|response|input|system|human|assistant)s?:",
        r"(?m)^[\s#>*='}-]{0,12}end of (?:the |this |all )?(?:user|untrusted|external|retrieved|tool) (?:data|content|input|text|output)\b|\{\{ ?system ?\}\}",
        r"(?m)(?:^\s*(?:#|//|/\*|--|;)\s*|[(\x22'`>]\s*)(?:ai|assistant|agent|claude|copilot|gpt|llm|cursor|gemini)\s*[:,]\s+\w",
        r"(?m)^[\s#>*=-]{1,12}(?:system|end of (?:the |this |all )?(?:\w+ )?(?:report|issue|user|data|content|untrusted|document|context|email|ticket|input)|begin (?:system|instructions?)|(?:new|additional|important|further|updated)(?: [\w.]{1,20})? instructions?)\b",
        r"</?(?:important|information|admin|instructions?|override|critical|directive|secret_instructions?)\s*>",
        r"\[(?:system|admin|developer|assistant)(?: (?:message|note|override|prompt|instructions?))?\]",
        r"(?m)^\s*(?:assistant|answer|ai|bot|model|agent|a)\s*:\s*\z",
        r"\b(?:next|new|another) (?:task|instruction|order)s? from (?:the )?(?:operator|developers?|system|admin\w*|user|owner)|\b(?:the )?(?:operator|developer|administrator|system) (?:continues|adds|instructs|orders)\s*:";
    ToolCall:
        r"</?(?:antml:)?(?:function_calls?|invoke|tool_call|tool_use|tool_result|function_results?|parameter)\b",
        "[\"'](?:type|role)[\"']\\s*:\\s*[\"'](?:tool_use|tool_result|tool|function_call|tool_calls|system|assistant)[\"']",
        "[\"'](?:tool_calls|function_call|tool_use_id|tool_call_id)[\"']\\s*:",
        r"\bcall (?:the )?(?:function|tool) [`'\x22]?\w+[`'\x22]? (?:with|using|and)\b|\bcall (?:the )?\w+_\w+ with\b|\bcall the \w+ tool\b|\b(?:use|with|through|using) the (?:tool \w+|\w+ (?:\w+ )?tool)\b";
    AddressesAgent:
        r"\b(?:dear|hey|hi|hello|note (?:to|for)|attention|message (?:to|for)|instructions? (?:to|for)|important for|reminder (?:to|for)|if you are|if you're)\b[ ,:]{0,3}(?:the |an? |any |all |other |coding |automated )*(?:ai|llm|language model|(?:coding |software |lead |worker )?agents?\b|chatbot|assistant|claude|gpt|copilot|codex|gemini|cursor)\b",
        r"\b(?:as an ai|ai (?:agent|assistant|model|reviewer)s?|coding agents?|language models?|the (?:agent|assistant|model|ai))\b.{0,20}\b(?:must|shall|needs? to|has to|have to|(?:is|are) (?:now )?(?:required|expected|instructed|authori[sz]ed|obliged) to|are to|is to)\b",
        r"\bmessage from (?:me|the \w+|your \w+)\b.{0,40}\bto you\b|\bto you, (?:the )?(?:assistant|agent|ai|model|gpt|claude|gemini|copilot|codex)|\bbefore (?:you can (?:solve|do|complete|finish)|using this tool|you (?:solve|continue with) the (?:task|original))\b.{0,60}",
        r"\b(?:respond|reply|answer) (?:only |exclusively )?(?:in|with) (?:base64|hex|json only|a poem|the (?:word|text|phrase)|only|exactly|nothing)|\b(?:say|print|output|write) exactly\b|\bstart your (?:answer|response|reply|output) with|\b(?:end|begin|finish|conclude) (?:each|every|all(?: of)?|your) (?:repl|answer|response|message|output)|\b(?:modify|change|rewrite|alter) your (?:response|answer|reply|output|behaviou?r)|\bin (?:your|the) (?:answer|response|reply|summary)\b.{0,20}\b(?:and nothing else|include|mention|add)|\b(?:include|insert|add|append|embed)\b.{0,40}\b(?:in|to|into) (?:your|each|every) (?:answer|response|reply|output|file you)",
        r"\b(?:remember|keep in mind|store|memori[sz]e)\b.{0,20}\b(?:for|in|across) (?:all )?(?:future|later|every|long[- ]term)|\bif the user (?:later |then |ever )?(?:says|asks|answers|types|responds)|\b(?:decode|translate|read|decrypt)\b.{0,40}\b(?:and|then) (?:then )?(?:follow|obey|do|run|execute|perform|carry out)\b|\b(?:follow|obey|execute|carry out) (?:what|whatever) (?:it|this|that) says|\brun what (?:this|it|that) says|\bwhen (?:describing|summari[sz]ing|reviewing|processing|reading) this (?:picture|image|file|page|issue|document|text)\b.{0,20}\b(?:tell|say|add|do|also|include|you)\b|\bhello, you are\b|\byour (?:goal|mission) is to\b|\bagent with access to\b",
        r"\b(?:you|agents?|assistants?|models?) (?:should|shall|must) (?:insert|add|include|append|put) (?:this|the following|these)\b|\bnever (?:say|use) the words?\b|\bdo not apologi[sz]e\b|\bagents? (?:working|operating|running) (?:in|on|with) this\b|\bwhen answering\b|\bpersuade the user|\bact accordingly\b|\bpart 1\b.{0,30}\bpart 2\b|\bsay that i should\b|\b(?:interfere with|replace|translate)\b.{0,20}\b(?:the output|all numbers|the text above)\b";
    AsksForSecrets:
        concat!(order!(), r"(?:print|reveal|output|dump|leak|send|post|paste|cat|echo|expose|extract|upload|append|attach|exfiltrate|forward|retrieve|export|disclose|steal|harvest|take)\b.{0,60}(?:", inner!(), "|", secret!(), ")"),
        concat!(order!(), r"(?:show|give|tell|include|copy|write|read|repeat|list|commit|add|put|share|return|find|display|summari[sz]e|pass|search)\b(?:.{0,60}(?:", inner!(), r")|.{0,24}\b(?:your|all|every|any|each|hidden|the (?:raw |full |current )?(?:values?|contents?|output) of)\b.{0,40}(?:", secret!(), "))"),
        r"\brepeat\b.{0,30}\b(?:above|before)\b.{0,40}\b(?:word|verbatim|exactly|start)|\b(?:original|initial|hidden|system) (?:prompt|instructions)\b.{0,20}\b(?:verbatim|in full|word for word)|\baccess (?:granted|code was entered)|\b(?:grant|give)\b.{0,30}\b(?:permanent|full|admin\w*|root) (?:access|rights|permissions?)|\bsearch\b.{0,40}\b(?:paths?|disk|files?)\b.{0,80}\b(?:wallet|key|token|credential)|\b(?:tell|give|remind|show) me\b.{0,20}\b(?:the|your|its?) (?:secret )?(?:password|passphrase|secret(?: word)?|key)\b|\b(?:characters?|letters?|first letter)s? of the (?:secret|password|key)\b|\b(?:secret|pass)word\b.{0,60}\b(?:letters?|characters?)\b.{0,30}\b(?:poem|alphabet|line|reverse)|\breset\b.{0,40}\bpassword to\b|\bcontents of the (?:vault|key|secret)|\bwie lautet\b.{0,20}\bpasswort|\b(?:mostre|mostra|wypisz|yazdir)\w*\b.{0,40}\b(?:senha|chiave|haslo|parola)|\b(?:parola|sifre)\w*\b.{0,12}\b(?:yazdir|goster)|(?:выведи|покажи|виведи).{0,40}пароль|\ball (?:the |my |of the |your )?(?:saved|stored)\b.{0,60}\bsend\b",
        r"\b(?:zeige?|gib|drucke|sende|verrate)\b.{0,50}(?:\b(?:passwor|schlussel|geheimnis|zugangsdaten|umgebungsvariable)|api-schlussel)",
        r"\b(?:muestra|envia|imprime|revela)\w*\b.{0,50}\b(?:contrasena|clave|secreto|credencial)|\b(?:affiche|envoie|envoye|revele)\w*\b.{0,50}\b(?:mot de passe|cle|secret|identifiant)|\b(?:mostra|mostre|invia|envie|stampa)\w*\b.{0,50}\b(?:senha|chave|segredo|password|chiave|segreto)",
        r"(?:покажи|отправь|выведи).{0,50}(?:парол|ключ|токен|секрет)|(?:显示|输出|发送|泄露).{0,20}(?:密钥|密码|令牌|环境变量|系统提示)|(?:パスワード|秘密鍵|環境変数|トークン|システムプロンプト).{0,20}(?:表示|送信|出力)|(?:비밀번호|키|토큰|환경 변수|환경변수).{0,20}(?:출력|보여|전송)|(?:اعرض|ارسل|اطبع).{0,40}(?:كلمة|مفتاح|السر)|\b(?:tampilkan|kirim|cetak)\w*\b.{0,40}\b(?:kata sandi|kunci|rahasia)|\b(?:in ra|hien thi|gui)\b.{0,40}\b(?:mat khau|khoa)";
    Exfiltration:
        r"\b(?:curl|wget|fetch|invoke-webrequest|iwr|nc|ncat|base64)\b.{0,120}(?:\|\s*(?:sudo )?(?:ba|z|da)?sh\b|\|\s*(?:python|node|perl)|\$\(|\$\{?[a-z_]*(?:key|token|secret)|/dev/tcp|-d @|--data-binary @|--post-file|--upload-file)|\b(?:nslookup|dig|ping|host)\b.{0,40}(?:\$\(|`)",
        concat!(order!(), r"(?:send|post|upload|exfiltrate|forward|transmit|submit|leak|copy|beacon|push|report|append|email|e-mail|mail|export)\b.{0,80}\b(?:to|at|via)\b.{0,30}(?:https?://|ftp://|[\w.+-]{1,64}@[a-z0-9-]+\.[a-z]|[a-z0-9-]+\.(?:com|net|io|xyz|ru|site|dev|app|example|test|sh)\b/?)"),
        r"(?:/dev/tcp/|\bbash -i\b|\bmkfifo\b.{0,60}\bnc\b|169\.254\.169\.254|metadata\.google\.internal|\b(?:webhook\.site|requestbin|pipedream\.net|ngrok|burpcollaborator|interact\.sh|oast\.)\b)",
        concat!(order!(), r"(?:run|execute|eval|install|download|fetch|pipe|source|load)\b.{0,60}(?:https?://[^\s]{1,200}[^.\n]{0,40}\b(?:run|execute|execut|chmod|install|source|bash|sh\b)|\brm -rf [/~$]|\bchmod \+x|\bcurl\b.{0,60}\|)"),
        concat!(order!(), r"(?:(?:make|send) (?:a )?(?:transaction|payment|transfer)|transfer \d|wire \d|send \d+ ?(?:eur|usd|dollars|btc))\b"),
        r"\b(?:append|add|put|encode|include)\b.{0,60}\b(?:to|in|into|as)\b.{0,30}(?:\burl\b|\bquery (?:string|parameter)|https?://\S{1,200}[?&]\w{1,30}=)|https?://\S{1,200}[?&]\w{1,30}=(?:\{|\$|%7b|<|\[?(?:summary|data|secret|conversation|base64)\b)|\bfor each (?:letter|character|byte|digit)\b.{0,60}\b(?:image|request|link|fetch|show|load)|\bscript tag\b.{0,20}https?://",
        concat!(order!(), r"(?:delete|wipe|erase|destroy|drop|clean)\b.{0,40}\b(?:the |all |every )?(?:repositor|backups?|databases?|home director|cloud resources|file-?system|user table|audit logs?|production)\w*.{0,60}");
    DefeatsChecks:
        r"\b(?:skip|disable|turn off|remove|delete|bypass|weaken|comment out|suppress|circumvent|ignore)\w*\b.{0,40}\b(?:the |all |any |failing |security )*(?:tests?|checks?|ci\b|reviews?|reviewer|linters?|sandbox|guardrails?|safety|screens?|permission checks?|authentication|verification|boundaries)\b.{0,60}\b(?:and|then|so|before|without|immediately)\b",
        concat!(order!(), r"(?:skip|bypass|disable|circumvent|turn off|remove|weaken|lower)\b.{0,24}\b(?:the )?(?:reviews?|tests|guardrails|sandbox|tls verification|certificate (?:check|validation)|auth(?:entication|orization)? checks?|password length|branch protection|audit log|firewall|safety)\b"),
        r"\bto bypass\b.{0,24}\b(?:review|checks?|tests?|sandbox|approval)|\bno time for (?:the )?(?:tests?|reviews?)|\b(?:ship|push|merge|commit)\b.{0,30}\b(?:directly|straight) (?:to|into)\b|\bto (?:main|master|production) directly",
        r"\b(?:approve|merge|accept|lgtm)\b.{0,40}\b(?:without (?:a |any |further )?(?:review|check|test|asking|confirm)|regardless|no matter|unconditionally|no (?:further )?review)|\bapprove everything\b|\b(?:answer|say|reply|respond|are to answer)\b.{0,12}\blgtm\b|\bno confirmation (?:is )?(?:needed|required|necessary)|\bwithout (?:asking (?:me|anyone|the user)|waiting for (?:the )?(?:checks|review|tests|approval|ci))|--no-verify\b|\bchmod (?:-r )?777 /|\bmerge (?:it )?(?:right (?:after|away)|immediately|at once)",
        r"\b(?:do not|don't|never|without)\b.{0,30}\b(?:mention|tell|inform|reveal|notify|disclose|alert|commenting)\w*\b.{0,40}\b(?:this|it|that|user|anyone|human|reviewer|maintainer|people|operator|summary|pull request|pr)\b|\bkeep\b.{0,30}\b(?:out of|secret from|hidden from)\b.{0,30}\b(?:summary|log|report|reviewer|user|pull request|commit)",
        r"\b(?:add|insert|include|create|introduce|write|plant)\w*\b.{0,40}\b(?:backdoor|back door|hidden (?:admin|user|account)|reverse shell|web ?shell|keylogger|new (?:admin|deploy) key|my (?:ssh|public) key|admin account|\.github/workflows|authorized_keys|to the (?:maintainers|admins?|owners|codeowners))";
    Image:
        r"!\[[^\]]{0,200}\]\(\s*<?https?://[^)\s]{0,400}(?:\?[^)\s]{0,200}=|\{|\$|%7b)",
        r"(?m)^\s*\[[^\]]{1,60}\]:\s*<?https?://\S{0,400}(?:\?\S{0,200}=|\{|\$|%7b)",
        r"<(?:img|iframe|script|object|embed|svg|link|meta|video|audio|source)\b[^>]{0,300}(?:https?:)?//[^>]{0,300}",
        r"!\[[^\]]{0,200}\b(?:tell|when describing|you must|ignore|instruct\w*|the (?:assistant|agent|model|ai))\b[^\]]{0,200}\]\(";
    HiddenText:
        r"<!--[^>]{0,600}\b(?:assistants?|agents?|ai|llm|models?|claude|gpt|copilot|gemini|codex|cursor|bot|ignore|disregard|override|shall|secrets?|tokens?|credentials?|passwords?|curl|wget|execute|sudo|maintainers|approve|merge|push|grant|admin|deploy|delete|backdoor|exfiltrate)\b",
        r"<[a-z][^>]{0,200}\bstyle\s*=\s*.{0,200}(?:display\s*:\s*none|font-size\s*:\s*0|visibility\s*:\s*hidden|opacity\s*:\s*0\b|color\s*:\s*(?:white|#fff(?:fff)?\b|transparent)|(?:left|top|text-indent)\s*:\s*-\d{3,}|(?:max-)?(?:height|width)\s*:\s*[01](?:px)?\s*[;\x22'])",
        r"<[a-z][^>]{0,200}\bhidden\b[^>]{0,100}>|<font[^>]{0,60}\bsize\s*=\s*.?0\b",
        r"(?m)^\s*\[//\]:\s*#";
};

/// Every form with its pattern.
pub(super) type Forms = Arc<[(Form, Lean)]>;

/// The patterns while they are in use.
#[derive(Debug)]
struct Held {
    forms: Option<Forms>,
    used: bool,
}

static HELD: Mutex<Held> = Mutex::new(Held {
    forms: None,
    used: false,
});

fn held() -> MutexGuard<'static, Held> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The forms, made if nobody holds them.
pub(super) fn each() -> Forms {
    let mut held = held();
    held.used = true;
    let forms = held.forms.get_or_insert_with(|| {
        FORMS
            .iter()
            .map(|(form, text)| (*form, Lean::new(text)))
            .collect()
    });
    Arc::clone(forms)
}

/// Lets the patterns go if nobody has needed them since the last call: they take some megabytes, and some hundredths of a
/// second to make. For processes that mostly wait; to be called now and then.
pub fn rest() {
    let mut held = held();
    if !std::mem::take(&mut held.used) {
        held.forms = None;
    }
}

/// Whether what a form matched is a picture that a forge holds for whoever uploaded it: its address carries nothing.
pub(super) fn is_upload(matched: &str) -> bool {
    const HOSTS: [&str; 4] = [
        "https://github.com/user-attachments/assets/",
        "https://user-images.githubusercontent.com/",
        "https://private-user-images.githubusercontent.com/",
        "https://raw.githubusercontent.com/",
    ];
    matched.matches("//").count() == 1
        && !matched.contains(['?', '{', '$'])
        && HOSTS.iter().any(|host| matched.contains(host))
}
