//! Secrets that are known by their form: what each looks like, and what people call it.
//!
//! The forms are those that the issuers document, or that their own scanners publish. A form that ordinary text also has
//! is not here; see [`super::entropy`].

use std::{ops::Range, sync::LazyLock};

use regex::{Regex, RegexSet};

use crate::change::pattern;

/// A form: its name, and a pattern whose group `s`, or which as a whole, is the secret.
type Form = (&'static str, &'static str);

#[rustfmt::skip]
const FORMS: &[Form] = &[
    ("private key", r"-----BEGIN[ A-Z0-9]{0,30}PRIVATE KEY(?: BLOCK)?-----"),
    ("private key of PuTTY", r"PuTTY-User-Key-File-[0-9]"),
    ("private key of age", r"(?i)\bage-secret-key-1[0-9a-z]{40,}"),
    ("access key of AWS", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
    ("secret key of AWS", r#"(?i)aws.{0,20}(?:secret|private).{0,20}?[\s:='"]+(?P<s>[A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)"#),
    ("key of Bedrock", r"\bABSK[A-Za-z0-9+/]{100,}"),
    ("key of Google", r"\bAIza[0-9A-Za-z_-]{35}"),
    ("client secret of Google", r"\bGOCSPX-[0-9A-Za-z_-]{28}"),
    ("access token of Google", r"\bya29\.[0-9A-Za-z_-]{20,}"),
    ("key of Azure storage", r"(?i)AccountKey=(?P<s>[A-Za-z0-9+/]{60,}={0,2})"),
    ("client secret of Azure", r"\b[A-Za-z0-9_~.]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}"),
    ("token of GitHub", r"\b(?:gh[pousr]_[0-9A-Za-z]{36,}|github_pat_[0-9A-Za-z_]{60,})"),
    ("token of GitLab", r"\bgl(?:pat|ptt|dt|rt|cbt|ft|soat|imt|agent|oas)-[0-9A-Za-z_.-]{20,}"),
    ("token of Bitbucket", r"\bATBB[0-9A-Za-z]{32,}"),
    ("token of Atlassian", r"\bATATT3[0-9A-Za-z_=-]{60,}"),
    ("token of Slack", r"\bxox[abeoprs]-(?:[0-9]-)?[0-9A-Za-z-]{10,}|\bxapp-[0-9]-[0-9A-Za-z-]{20,}"),
    ("webhook of Slack", r"(?i)hooks\.slack\.com/(?:services|workflows|triggers)/(?P<s>[0-9A-Za-z/_-]{30,})"),
    ("webhook of Discord", r"(?i)discord(?:app)?\.com/api/webhooks/(?P<s>[0-9]{15,}/[0-9A-Za-z_-]{50,})"),
    ("token of Discord", r"\b[MNO][0-9A-Za-z_-]{23,27}\.[0-9A-Za-z_-]{6}\.[0-9A-Za-z_-]{27,}"),
    ("token of Telegram", r"\b[0-9]{8,10}:AA[0-9A-Za-z_-]{33}"),
    ("key of Stripe", r"\b(?:sk|rk)_(?:live|test)_[0-9A-Za-z]{16,}|\bwhsec_[0-9A-Za-z+/=]{24,}"),
    ("token of Square", r"\b(?:sq0(?:atp|csp|idp)-[0-9A-Za-z_-]{22,}|EAAA[0-9A-Za-z_-]{60})"),
    ("key of Anthropic", r"\bsk-ant-[0-9A-Za-z_-]{20,}"),
    ("key of OpenAI", r"\bsk-(?:proj|svcacct|admin|None)-[0-9A-Za-z_-]{20,}|\bsk-[0-9A-Za-z]{20}T3BlbkFJ[0-9A-Za-z]{20}|\bsk-[0-9A-Za-z]{48}\b"),
    ("key of OpenRouter", r"\bsk-or-v1-[0-9a-f]{40,}"),
    ("token of Hugging Face", r"\b(?:hf|api_org)_[0-9A-Za-z]{30,}"),
    ("key of Groq, xAI, Replicate or Perplexity", r"\b(?:gsk_[0-9A-Za-z]{40,}|xai-[0-9A-Za-z]{40,}|r8_[0-9A-Za-z]{37}|pplx-[0-9A-Za-z]{40,})"),
    ("token of npm", r"\bnpm_[0-9A-Za-z]{36}|(?i)_authToken\s*=\s*(?P<s>[0-9A-Za-z_+/=.-]{16,})"),
    ("token of PyPI", r"\bpypi-AgE[0-9A-Za-z_-]{30,}"),
    ("token of the Rust registry", r"\bcio[0-9A-Za-z]{32}\b"),
    ("key of RubyGems", r"\brubygems_[0-9a-f]{48}"),
    ("token of Docker", r"\bdckr_(?:pat|oat)_[0-9A-Za-z_-]{20,}"),
    ("key of SendGrid", r"\bSG\.[0-9A-Za-z_-]{20,}\.[0-9A-Za-z_-]{30,}"),
    ("key of Mailgun or Mailchimp", r"\bkey-[0-9a-f]{32}\b|\b[0-9a-f]{32}-us[0-9]{1,2}\b"),
    ("key of Twilio", r"\bSK[0-9a-f]{32}\b"),
    ("token of DigitalOcean", r"\bdo[opr]_v1_[0-9a-f]{64}"),
    ("token of Shopify", r"\bshp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}"),
    ("token of Vault or Terraform", r"\bhv[sbr]\.[0-9A-Za-z_-]{24,}|\b[0-9A-Za-z]{14}\.atlasv1\.[0-9A-Za-z_=-]{60,}"),
    ("token of Databricks", r"\bdapi[0-9a-f]{32}"),
    ("token of Grafana", r"\bgl(?:c|sa)_[0-9A-Za-z+/_]{32,}"),
    ("key of New Relic or PostHog", r"\bNR(?:AK|JS|II)-[0-9A-Za-z]{19,}|\bph[cx]_[0-9A-Za-z]{40,}"),
    ("token of Sentry", r"\bsntry[su]_[0-9A-Za-z+/=_-]{40,}"),
    ("token of Linear, Notion, Figma or Postman", r"\blin_(?:api|oauth)_[0-9A-Za-z]{32,}|\bntn_[0-9A-Za-z]{40,}|\bsecret_[0-9A-Za-z]{43}\b|\bfig[dou]_[0-9A-Za-z_-]{40,}|\bPMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    ("token of Fly, Supabase, PlanetScale, Doppler or Pulumi", r"\b(?:fo1_[0-9A-Za-z_-]{40,}|fm[12][ar]?_[0-9A-Za-z+/=_-]{60,}|sbp_[0-9a-f]{40}|pscale_(?:tkn|pw|oauth)_[0-9A-Za-z_.-]{32,}|dp\.(?:pt|st|ct|sa|scim|audit)\.[0-9A-Za-z.]{40,}|pul-[0-9a-f]{40})"),
    ("JSON web token", r"\beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{16,}"),
    ("password in an address", r#"(?i)\b[a-z][a-z0-9+.-]{1,30}://[^\s/:@'"<>`]{0,100}:(?P<s>[^\s/@'"<>`]{3,200})@[^\s/'"<>`]"#),
    ("password in a connection string", r#"(?i)\b(?:server|host|data source|user id|uid|username)\s*=[^;\n]{1,100};[^\n]{0,200}?\b(?:password|pwd)\s*=\s*(?P<s>[^;\s'"]{4,})"#),
    ("credentials of HTTP", r"(?i)\bauthorization['\x22]?\s*[:=]\s*['\x22]?(?:basic|bearer|token)\s+(?P<s>[0-9A-Za-z+/_.~=-]{16,})"),
];

static SET: LazyLock<RegexSet> = LazyLock::new(|| {
    match RegexSet::new(FORMS.iter().map(|(_, form)| form)) {
        Ok(set) => set,
        // Each form is forced by the tests of this room.
        Err(why) => unreachable!("the forms are no patterns: {why}"),
    }
});
static EACH: LazyLock<Vec<Regex>> = LazyLock::new(|| FORMS.iter().map(|(_, form)| pattern(form)).collect());

/// Where a known form stands.
pub(super) struct Hit {
    /// Its name.
    pub(super) name: &'static str,
    /// The secret, by byte range.
    pub(super) place: Range<usize>,
    /// Where a secret of that form could end at the earliest, from `place.start` on. What comes after may be anything.
    pub(super) least: usize,
}

/// Where known forms stand in `text`, unsorted.
pub(super) fn find(text: &str) -> Vec<Hit> {
    let mut found = Vec::new();
    for form in SET.matches(text) {
        let (name, _) = FORMS[form];
        for hit in EACH[form].captures_iter(text) {
            let (Some(whole), Some(secret)) = (hit.get(0), hit.name("s").or_else(|| hit.get(0))) else {
                continue;
            };
            let least = EACH[form]
                .shortest_match_at(text, whole.start())
                .map_or(secret.end(), |end| end.clamp(secret.start(), secret.end()));
            found.push(Hit {
                name,
                place: secret.range(),
                least,
            });
        }
    }
    found
}
