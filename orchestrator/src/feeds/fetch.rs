//! Gets one document from an address: only what changed, with time limits and a limit of size, and with the login that
//! belongs to the host. Does not follow redirects: a login must not travel to where an answer points.

use std::{sync::Arc, time::Duration};

use hyper::{
    HeaderMap, StatusCode,
    header::{
        ACCEPT, AUTHORIZATION, ETAG, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
        LAST_MODIFIED, LINK, LOCATION, RETRY_AFTER, USER_AGENT,
    },
};
use loops::time::Timestamp;
use reqwest::{Response, Url, redirect};
use serde::{Deserialize, Serialize};

use super::FeedError;
use crate::{config::Credentials, source::when};

/// The longest answer that is read, bytes.
const MAX_BYTES: usize = 16 << 20;
const CONNECT: Duration = Duration::from_secs(10);
/// How long a host may say nothing.
const SILENCE: Duration = Duration::from_secs(30);
/// How long one answer may take as a whole.
const WHOLE: Duration = Duration::from_secs(120);
/// How often the same is asked where trouble may pass.
const TRIES: u32 = 3;
/// Between tries, at first; doubled each time.
const PAUSE: Duration = Duration::from_millis(250);
/// A host that wants us to wait longer is left for the next run.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who fetches.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    credentials: Arc<Credentials>,
}

/// What was known of a document when it was last read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
}

/// An answer.
pub(super) struct Page {
    pub(super) body: Vec<u8>,
    /// By which to ask whether it has changed.
    pub(super) mark: Mark,
    /// When it changed, if the host says so.
    pub(super) changed: Option<Timestamp>,
    /// The `Link` header's values.
    pub(super) links: Vec<String>,
}

impl Client {
    pub(super) fn new(credentials: Credentials) -> Result<Self, FeedError> {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .timeout(WHOLE)
            .build()
            .map_err(|error| FeedError::Tls(error.to_string()))?;
        Ok(Self {
            http,
            credentials: Arc::new(credentials),
        })
    }

    /// What stands at `url`, with the login of that name; none: it is what it was at `known`.
    pub(super) async fn get(
        &self,
        url: &Url,
        login: Option<&str>,
        known: Option<&Mark>,
    ) -> Result<Option<Page>, FeedError> {
        let headers = self.headers(url, login, known)?;
        let mut pause = PAUSE;
        for tried in 1.. {
            let answer = self.http.get(url.clone()).headers(headers.clone()).send().await;
            let trouble = match answer {
                Ok(response) if !may_pass(response.status()) => return take(url, response).await,
                Ok(response) => {
                    pause = pause.max(asked_to_wait(response.headers()));
                    refusal(url, response.status())
                }
                Err(error) => silent(url, &error),
            };
            if tried >= TRIES || pause > PATIENCE {
                return Err(trouble);
            }
            tracing::debug!(host = host(url), error = %trouble, tried, "a source is asked again");
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Ok(None)
    }

    fn headers(&self, url: &Url, login: Option<&str>, known: Option<&Mark>) -> Result<HeaderMap, FeedError> {
        let mut headers = HeaderMap::new();
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("loops/", env!("CARGO_PKG_VERSION"))),
        );
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        if let Some(known) = known {
            let both = [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.modified)];
            for (name, value) in both {
                if let Some(value) = value.as_deref().and_then(|value| value.parse().ok()) {
                    headers.insert(name, value);
                }
            }
        }
        if let Some(name) = login {
            let (header, value) = self.login(name, url)?;
            headers.insert(header, value);
        }
        Ok(headers)
    }

    /// The login of that name as it is sent to the host of `url`, if it may be.
    fn login(&self, name: &str, url: &Url) -> Result<(HeaderName, HeaderValue), FeedError> {
        let login = self
            .credentials
            .get(name)
            .ok_or_else(|| FeedError::NoCredential(name.to_owned()))?;
        let host = host(url);
        if !login.hosts.contains(&host) {
            return Err(FeedError::NotForHost {
                name: name.to_owned(),
                host,
            });
        }
        let empty = || FeedError::EmptyCredential {
            name: name.to_owned(),
            variable: login.variable.clone(),
        };
        let secret = login.secret.as_ref().ok_or_else(empty)?;
        let (header, value) = match &login.header {
            Some(header) => (
                header.parse().unwrap_or(AUTHORIZATION),
                secret.expose().to_owned(),
            ),
            None => (AUTHORIZATION, format!("Bearer {}", secret.expose())),
        };
        let mut value = HeaderValue::from_str(&value).map_err(|_| empty())?;
        value.set_sensitive(true);
        Ok((header, value))
    }
}

/// Host and port, as `credentials` names it.
fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{name}:{port}"),
        None => name.to_owned(),
    }
}

fn may_pass(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

fn asked_to_wait(headers: &HeaderMap) -> Duration {
    let seconds = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

fn silent(url: &Url, error: &reqwest::Error) -> FeedError {
    let why = match error {
        _ if error.is_timeout() => "it took too long".to_owned(),
        _ if error.is_connect() => "no connection".to_owned(),
        // The address may hold a key in its query.
        _ => "the connection broke".to_owned(),
    };
    FeedError::Silent { host: host(url), why }
}

fn refusal(url: &Url, status: StatusCode) -> FeedError {
    let hint = match status.as_u16() {
        401 | 403 => "it wants a login, or another one; write one under `credentials` in loops.yaml",
        404 | 410 => "there is nothing at that address, or this login may not see it",
        429 => "it is asked too often; it is read again with the loop's next run",
        500.. => "it has trouble of its own; it is read again with the loop's next run",
        _ => "it does not take the request; look at the address",
    };
    FeedError::Refused {
        host: host(url),
        status: status.as_u16(),
        hint,
    }
}

async fn take(url: &Url, mut response: Response) -> Result<Option<Page>, FeedError> {
    let status = response.status();
    if status == StatusCode::NOT_MODIFIED {
        return Ok(None);
    }
    let header = |name: HeaderName| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    if status.is_redirection() {
        let to = header(LOCATION).unwrap_or_default();
        let host = host(url);
        return Err(FeedError::Moved { host, to });
    }
    if !status.is_success() {
        return Err(refusal(url, status));
    }
    let mark = Mark {
        etag: header(ETAG),
        modified: header(LAST_MODIFIED),
    };
    let links = response.headers().get_all(LINK).iter();
    let links = links
        .filter_map(|link| Some(link.to_str().ok()?.to_owned()))
        .collect();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| silent(url, &error))? {
        if body.len() + chunk.len() > MAX_BYTES {
            let limit_mib = MAX_BYTES >> 20;
            return Err(FeedError::TooLong {
                host: host(url),
                limit_mib,
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(Page {
        changed: mark.modified.as_deref().and_then(when),
        body,
        mark,
        links,
    }))
}
