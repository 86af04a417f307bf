//! What GitHub answered: its body, and what its status and headers mean. Nothing is asked here.

use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};
use loops::time::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::GitHubError;

/// GitHub's words are shown up to so many characters.
const MAX_WORDS: usize = 300;
/// How long to wait when GitHub says "too fast" and not for how long.
const SECONDARY: Duration = Duration::from_secs(60);

/// A good answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// The body as `T`; unknown keys are passed over.
    pub(super) fn json<T: DeserializeOwned>(&self, doing: &str) -> Result<T, GitHubError> {
        let mut json = serde_json::Deserializer::from_slice(&self.body);
        serde_path_to_error::deserialize(&mut json).map_err(|error| GitHubError::Unexpected {
            doing: doing.to_owned(),
            why: cut(&error.to_string()),
        })
    }

    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The address of the next page.
    pub(super) fn next(&self) -> Option<&str> {
        self.header("link")?.split(',').find_map(|part| {
            let (address, rest) = part.trim().strip_prefix('<')?.split_once('>')?;
            rest.split(';')
                .any(|word| word.trim() == "rel=\"next\"")
                .then_some(address)
        })
    }
}

/// What an answer means that is not a good one.
#[derive(Debug)]
pub(super) enum Verdict {
    /// A limit; the request was not carried out. Nobody needs to come before then.
    Limited(Wait),
    /// GitHub failed; what it had done by then is not known.
    Failed(String),
    /// No, and the same will be answered again.
    Refused(GitHubError),
}

/// How long a limit lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// GitHub says until when.
    Until(Timestamp),
    /// GitHub does not say; it doubles each time.
    Unsaid(Duration),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Words {
    message: String,
    errors: Option<Value>,
}

/// What GitHub says of itself in an error, in one short line.
pub(super) fn words(body: &[u8]) -> String {
    let Ok(read) = serde_json::from_slice::<Words>(body) else {
        return cut(&String::from_utf8_lossy(body));
    };
    let more: Vec<String> = match &read.errors {
        Some(Value::Array(all)) => all.iter().map(one).collect(),
        Some(other) => vec![one(other)],
        None => vec![],
    };
    let text = [vec![read.message], more].concat();
    cut(&text
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(": "))
}

/// One of the details of an error.
fn one(error: &Value) -> String {
    let field = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    match (error.as_str(), field("message"), field("field"), field("code")) {
        (Some(text), ..) => text.to_owned(),
        (_, "", "", "") => String::new(),
        (_, "", name, code) => format!("`{name}` is {}", code.replace('_', " ")),
        (_, message, ..) => message.to_owned(),
    }
}

/// One line of at most so many characters that a terminal can show.
pub(super) fn cut(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let line = line.trim();
    if line.chars().count() <= MAX_WORDS {
        line.to_owned()
    } else {
        line.chars().take(MAX_WORDS - 1).chain(['…']).collect()
    }
}

/// What an answer means, if it is not a good one.
pub(super) fn judge(
    doing: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Verdict {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    let (doing, message) = (doing.to_owned(), words(body));
    let low = message.to_lowercase();
    let limited = status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::FORBIDDEN
            && (header("retry-after").is_some()
                || header("x-ratelimit-remaining") == Some("0")
                || low.contains("secondary rate limit")
                || low.contains("abuse detection"));
    if limited {
        return Verdict::Limited(wait(&header, now));
    }
    if status.is_server_error() {
        return Verdict::Failed(
            format!("it answered {} {message}", status.as_u16())
                .trim_end()
                .to_owned(),
        );
    }
    let wanted = header("x-accepted-github-permissions")
        .filter(|text| !text.is_empty())
        .map(permissions)
        .or_else(|| scopes(header("x-accepted-oauth-scopes"), header("x-oauth-scopes")));
    Verdict::Refused(match status.as_u16() {
        401 => GitHubError::Unauthorized { doing, message },
        403 | 451 => GitHubError::Forbidden {
            doing,
            message,
            wanted,
        },
        404 => GitHubError::NotFound { doing, wanted },
        410 => GitHubError::Gone { doing, message },
        301 | 302 | 307 | 308 => GitHubError::Renamed { doing },
        405 | 409 | 412 => GitHubError::Conflict { doing, message },
        422 if low.contains("already exists") => GitHubError::Exists { doing, message },
        400..=499 => GitHubError::Invalid { doing, message },
        other => GitHubError::Unexpected {
            doing,
            why: format!("status {other}"),
        },
    })
}

/// When a limit ends. GitHub gives seconds, or the second since 1970 at which the hour's limit is whole again.
fn wait<'a>(header: &dyn Fn(&str) -> Option<&'a str>, now: Timestamp) -> Wait {
    let whole = |name: &str| header(name).and_then(|text| text.parse::<u32>().ok());
    if let Some(seconds) = whole("retry-after") {
        return Wait::Until(now.plus(Duration::from_secs(seconds.into())));
    }
    match (header("x-ratelimit-remaining"), whole("x-ratelimit-reset")) {
        // A second more: GitHub's clock is not ours.
        (Some("0"), Some(reset)) => Wait::Until(Timestamp((i64::from(reset) + 1) * 1000).max(now)),
        _ => Wait::Unsaid(SECONDARY),
    }
}

/// `pull_requests=write,contents=read; issues=read` in words.
fn permissions(header: &str) -> String {
    let sets: Vec<String> = header
        .split(';')
        .map(|set| {
            let all: Vec<String> = set
                .split(',')
                .filter_map(|one| one.trim().split_once('='))
                .map(|(name, level)| format!("`{}: {}`", cut(name), cut(level)))
                .collect();
            all.join(" and ")
        })
        .filter(|set| !set.is_empty())
        .collect();
    format!("the permission {}", sets.join(" or "))
}

/// Which scope of a classic token is missing; none: the token is of another kind, or has what it takes.
fn scopes(accepted: Option<&str>, held: Option<&str>) -> Option<String> {
    let list = |text: &str| -> Vec<String> {
        text.split(',')
            .map(|one| cut(one.trim()))
            .filter(|one| !one.is_empty())
            .collect()
    };
    let (accepted, held) = (list(accepted?), list(held?));
    if accepted.is_empty() || accepted.iter().any(|one| held.contains(one)) {
        return None;
    }
    let names: Vec<String> = accepted.iter().map(|one| format!("`{one}`")).collect();
    Some(format!("a token with the scope {}", names.join(" or ")))
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn verdict(status: u16, headers: &[(&str, &str)], body: &str) -> Verdict {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        judge(
            "open a pull request",
            StatusCode::from_u16(status).unwrap(),
            &map,
            body.as_bytes(),
            NOW,
        )
    }

    fn wait(status: u16, headers: &[(&str, &str)], body: &str) -> Wait {
        match verdict(status, headers, body) {
            Verdict::Limited(wait) => wait,
            other => panic!("{other:?}"),
        }
    }

    fn refused(status: u16, headers: &[(&str, &str)], body: &str) -> GitHubError {
        match verdict(status, headers, body) {
            Verdict::Refused(error) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_limit_is_told_from_a_refusal() {
        let spent = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1700000090"),
        ];
        assert_eq!(wait(403, &spent, "{}"), Wait::Until(Timestamp(1_700_000_091_000)));
        assert_eq!(
            wait(429, &[("retry-after", "7")], "{}"),
            Wait::Until(Timestamp(1_700_000_007_000))
        );
        let secondary = r#"{"message":"You have exceeded a secondary rate limit. Please wait"}"#;
        assert_eq!(
            wait(403, &[("x-ratelimit-remaining", "4000")], secondary),
            Wait::Unsaid(SECONDARY)
        );
        // A limit that ended by our clock is over.
        let past = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "5")];
        assert_eq!(wait(403, &past, ""), Wait::Until(NOW));
        let error = refused(
            403,
            &[("x-ratelimit-remaining", "12")],
            r#"{"message":"Resource not accessible"}"#,
        );
        assert!(matches!(error, GitHubError::Forbidden { .. }), "{error}");
    }

    #[test]
    fn a_missing_permission_is_named() {
        let header = [(
            "x-accepted-github-permissions",
            "pull_requests=write,contents=read; issues=write",
        )];
        let text = refused(
            403,
            &header,
            r#"{"message":"Resource not accessible by integration"}"#,
        )
        .to_string();
        insta::assert_snapshot!(text, @"GitHub does not let us open a pull request: Resource not accessible by integration; it takes the permission `pull_requests: write` and `contents: read` or `issues: write`");
        let scopes = [
            ("x-accepted-oauth-scopes", "repo, public_repo"),
            ("x-oauth-scopes", "gist"),
        ];
        assert!(
            refused(404, &scopes, "{}")
                .to_string()
                .ends_with("it takes a token with the scope `repo` or `public_repo`")
        );
        let held = [
            ("x-accepted-oauth-scopes", "repo"),
            ("x-oauth-scopes", "gist, repo"),
        ];
        assert!(
            refused(404, &held, "{}")
                .to_string()
                .ends_with("the login may not see it")
        );
    }

    #[test]
    fn each_refusal_has_its_remedy() {
        use super::super::Remedy::{AskHuman, GiveUp};
        let twice = r#"{"message":"Validation Failed","errors":[{"message":"A pull request already exists for acme:x."}]}"#;
        for (status, body, remedy, words) in [
            (
                401,
                r#"{"message":"Bad credentials"}"#,
                AskHuman,
                "Bad credentials",
            ),
            (404, "{}", AskHuman, "finds nothing"),
            (
                410,
                r#"{"message":"Issues are disabled"}"#,
                GiveUp,
                "Issues are disabled",
            ),
            (
                409,
                r#"{"message":"Head branch was modified"}"#,
                GiveUp,
                "Head branch was modified",
            ),
            (
                405,
                r#"{"message":"Pull Request is not mergeable"}"#,
                GiveUp,
                "not mergeable",
            ),
            (422, twice, GiveUp, "there is one already"),
            (
                422,
                r#"{"message":"Validation Failed","errors":[{"field":"head","code":"invalid"}]}"#,
                GiveUp,
                "`head` is invalid",
            ),
            (307, "", AskHuman, "renamed"),
        ] {
            let error = refused(status, &[], body);
            assert_eq!(error.remedy(), remedy, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
        assert!(
            matches!(verdict(502, &[], "<html>bad\u{1b}[31m gateway"), Verdict::Failed(text) if !text.contains('\u{1b}'))
        );
    }

    #[test]
    fn the_next_page_is_found_among_links() {
        let mut answer = Answer {
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        assert_eq!(answer.next(), None);
        let link = r#"<https://h/x?page=1>; rel="prev", <https://h/x?page=3>; rel="next", <https://h/x?page=9>; rel="last""#;
        answer
            .headers
            .insert("link", HeaderValue::from_str(link).unwrap());
        assert_eq!(answer.next(), Some("https://h/x?page=3"));
    }
}
