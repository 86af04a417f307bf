//! The one path of every request: pace, time-outs, limits, retries, redirects, what is unchanged. The only place that
//! sends a token over HTTP. What is asked, and what to do about an answer, is decided elsewhere.
//!
//! What only reads is asked again when GitHub fails; what writes is never repeated when nobody knows whether it was
//! done, see [`GitHubError::Ambiguous`]. A limit means that it was not done, so both wait and go on.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::{Request, Response, StatusCode, header};
use loops::time::Timestamp;
use octocrab::Octocrab;
use reqwest::Url;
use tokio::{sync::Semaphore, time::Instant};

use super::{
    GitHubError,
    answer::{Answer, Verdict, Wait, cut, judge},
    ask::{Ask, Name, To},
    cache::{Cache, Kept},
    login::Login,
};
use crate::{
    clock,
    config::{GitHub, Secret},
};

/// How long one answer may take, whole.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How many requests may be under way at once.
const AT_ONCE: usize = 8;
/// A longer answer is not read.
const MAX_BODY: usize = 32 << 20;
/// A repository that was renamed more often is not followed.
const MAX_REDIRECTS: usize = 3;
/// The version of the API that this was written against.
const API_VERSION: &str = "2022-11-28";

/// The way to GitHub.
pub(super) struct Wire {
    client: Octocrab,
    pub(super) api: Url,
    pub(super) login: Login,
    patience: Duration,
    write_gap: Duration,
    /// How long to wait after the first failure.
    pub(super) first_wait: Duration,
    pub(super) timeout: Duration,
    places: Semaphore,
    /// When the last write ended; held while one is under way.
    writing: tokio::sync::Mutex<Option<Instant>>,
    /// By token: nobody needs to ask before then.
    closed: Mutex<HashMap<String, Timestamp>>,
    cache: Cache,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire")
            .field("api", &self.api.as_str())
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

/// The body of an answer, still to be read.
pub(super) type Body = http_body_util::combinators::BoxBody<Bytes, octocrab::Error>;

/// How one try ended.
pub(super) enum Try {
    Done(Answer),
    Not(Verdict),
    /// The answer leads elsewhere.
    Leads(String),
    /// It did not leave this machine.
    Unsent(String),
    /// It was sent, and no answer came.
    Lost(String),
}

impl Wire {
    pub(super) fn new(settings: &GitHub, login: Login) -> Result<Self, GitHubError> {
        // Whoever came first chose the same one; a process has only one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Octocrab::builder()
            .set_connect_timeout(Some(CONNECT))
            .build()
            .map_err(|error| {
                GitHubError::Login(format!(
                    "no connection can be made from this machine: {}",
                    chain(&error)
                ))
            })?;
        Ok(Self {
            client,
            api: settings.api.clone(),
            login,
            patience: settings.patience,
            write_gap: settings.write_gap,
            first_wait: Duration::from_millis(500),
            timeout: TIMEOUT,
            places: Semaphore::new(AT_ONCE),
            writing: tokio::sync::Mutex::new(None),
            closed: Mutex::default(),
            cache: Cache::default(),
        })
    }

    /// Asks, and gives the good answer.
    pub(super) async fn call(&self, ask: &Ask) -> Result<Answer, GitHubError> {
        if !ask.writes() || matches!(ask.to, To::GraphQl) && ask.repeatable {
            return self.tries(ask).await;
        }
        // Tokens are made while others write: a write may be what waits for one.
        if ask.name == Name::App {
            return self.tries(ask).await;
        }
        let mut last = self.writing.lock().await;
        if let Some(last) = *last {
            tokio::time::sleep_until(last + self.write_gap).await;
        }
        let result = self.tries(ask).await;
        *last = Some(Instant::now());
        result
    }

    /// The token in whose name `ask` goes out.
    pub(super) async fn token(&self, name: &Name) -> Result<Secret, GitHubError> {
        match name {
            // A token that is being made asks in the App's own name, so this ends.
            Name::Owner(owner) => Box::pin(self.login.token(owner, self)).await,
            Name::App => self.login.app_token(),
        }
    }

    /// Whom a limit and a kept answer belong to: a token, which an App has for each owner.
    fn key(&self, name: &Name) -> String {
        match name {
            Name::Owner(owner) if self.login.is_app() => owner.to_lowercase(),
            _ => String::new(),
        }
    }

    async fn tries(&self, ask: &Ask) -> Result<Answer, GitHubError> {
        let mut ask = ask.clone();
        for _ in 0..=MAX_REDIRECTS {
            match self.first(&ask).await? {
                Try::Done(answer) => return Ok(answer),
                Try::Leads(address) if !ask.writes() => ask.to = To::Address(address),
                _ => break,
            }
        }
        Err(GitHubError::Renamed { doing: ask.doing })
    }

    /// Asks until there is an answer: a good one, or one that leads elsewhere.
    pub(super) async fn first(&self, ask: &Ask) -> Result<Try, GitHubError> {
        let mut waits = ExponentialBuilder::default()
            .with_min_delay(self.first_wait)
            .with_max_delay(Duration::from_secs(15))
            .with_max_times(4)
            .with_jitter()
            .build();
        let began = clock::now();
        let (mut limits, mut renewed) = (0, false);
        loop {
            self.wait_if_closed(ask, began).await?;
            let token = self.token(&ask.name).await?;
            let why = match self.once(ask, &token).await? {
                done @ (Try::Done(_) | Try::Leads(_)) => return Ok(done),
                Try::Not(Verdict::Limited(wait)) => {
                    limits += 1;
                    self.close(ask, wait, limits);
                    continue;
                }
                Try::Not(Verdict::Refused(GitHubError::Unauthorized { doing, message })) => {
                    // A token may end, or be taken back, before its time; the request was not carried out.
                    if let (Name::Owner(owner), false) = (&ask.name, renewed)
                        && self.login.refused(owner, &token).await
                    {
                        renewed = true;
                        continue;
                    }
                    return Err(GitHubError::Unauthorized { doing, message });
                }
                Try::Not(Verdict::Refused(error)) => return Err(error),
                Try::Not(Verdict::Failed(why)) | Try::Lost(why) if !ask.repeatable => {
                    return Err(GitHubError::Ambiguous {
                        doing: ask.doing.clone(),
                        why,
                    });
                }
                Try::Not(Verdict::Failed(why)) | Try::Lost(why) | Try::Unsent(why) => why,
            };
            match waits.next() {
                Some(wait) => {
                    tracing::debug!(
                        doing = ask.doing,
                        why,
                        wait_ms = wait.as_millis(),
                        "asked of GitHub again"
                    );
                    tokio::time::sleep(wait).await;
                }
                None => {
                    return Err(GitHubError::Unreachable {
                        doing: ask.doing.clone(),
                        why,
                    });
                }
            }
        }
    }

    /// Waits until this name may ask again, if that is not too long.
    async fn wait_if_closed(&self, ask: &Ask, began: Timestamp) -> Result<(), GitHubError> {
        let until = {
            let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
            closed.get(&self.key(&ask.name)).copied()
        };
        let now = clock::now();
        let Some(until) = until.filter(|until| *until > now) else {
            return Ok(());
        };
        if until > began.plus(self.patience) {
            return Err(GitHubError::RateLimited {
                doing: ask.doing.clone(),
                until,
            });
        }
        tokio::time::sleep(until.since(now)).await;
        Ok(())
    }

    /// Notes that a limit is reached. Each further one within a request waits longer.
    fn close(&self, ask: &Ask, wait: Wait, limits: u32) {
        let now = clock::now();
        let factor = 2_u32.saturating_pow(limits.saturating_sub(1).min(6));
        let until = match wait {
            // A limit that is over by our clock, and yet is said: we wait a little all the same.
            Wait::Until(until) => until.max(now.plus(self.first_wait * factor)),
            Wait::Unsaid(first) => now.plus(first * factor),
        };
        tracing::info!(doing = ask.doing, %until, "GitHub's rate limit is reached");
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        closed.insert(self.key(&ask.name), until);
    }

    /// Asks once.
    async fn once(&self, ask: &Ask, token: &Secret) -> Result<Try, GitHubError> {
        let unexpected = |why: String| GitHubError::Unexpected {
            doing: ask.doing.clone(),
            why,
        };
        let url = ask.url(&self.api).map_err(unexpected)?;
        let cached = (!ask.writes()).then(|| format!("{} {} {}", self.key(&ask.name), ask.accept, url));
        let kept = cached.as_ref().and_then(|key| self.cache.get(key));
        let request = self
            .request(ask, &url, token, kept.as_ref())
            .map_err(unexpected)?;
        let Ok(_place) = self.places.acquire().await else {
            return Ok(Try::Unsent("the service is ending".to_owned()));
        };
        let (status, headers, body) = match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Ok(Ok(parts)) => parts,
            Ok(Err(failed)) => return Ok(failed.scrubbed(token)),
            Err(_) => {
                let why = format!("no answer came within {} s", self.timeout.as_secs());
                return Ok(Try::Lost(why));
            }
        };
        if let (StatusCode::NOT_MODIFIED, Some(kept)) = (status, kept) {
            return Ok(Try::Done(Answer {
                headers: kept.headers,
                body: kept.body,
            }));
        }
        if status.is_success() {
            let etag = headers.get(header::ETAG).and_then(|value| value.to_str().ok());
            if let (Some(key), Some(etag), StatusCode::OK) = (cached, etag, status) {
                self.cache.put(
                    key,
                    Kept {
                        etag: etag.to_owned(),
                        headers: links(&headers),
                        body: body.clone(),
                    },
                );
            }
            return Ok(Try::Done(Answer { headers, body }));
        }
        let location = headers
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok());
        if let (true, Some(location)) = (status.is_redirection(), location) {
            let whole = url
                .join(location)
                .map_err(|error| unexpected(error.to_string()))?;
            return Ok(Try::Leads(whole.into()));
        }
        let body = token.scrub(&String::from_utf8_lossy(&body));
        Ok(Try::Not(judge(
            &ask.doing,
            status,
            &headers,
            body.as_bytes(),
            clock::now(),
        )))
    }

    fn request(
        &self,
        ask: &Ask,
        url: &Url,
        token: &Secret,
        kept: Option<&Kept>,
    ) -> Result<Request<String>, String> {
        let mut bearer = header::HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| "the token cannot be sent".to_owned())?;
        bearer.set_sensitive(true);
        let mut request = Request::builder()
            .method(&ask.method)
            .uri(url.as_str())
            .header(header::ACCEPT, ask.accept)
            .header("x-github-api-version", API_VERSION)
            .header(header::AUTHORIZATION, bearer);
        if let Some(kept) = kept {
            request = request.header(header::IF_NONE_MATCH, &kept.etag);
        }
        let body = match &ask.body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                body.to_string()
            }
            None => String::new(),
        };
        request.body(body).map_err(|error| error.to_string())
    }

    /// Sends a request and reads the whole answer.
    async fn exchange(
        &self,
        request: Request<String>,
    ) -> Result<(StatusCode, header::HeaderMap, Bytes), Try> {
        let response = self.send(request).await?;
        let (parts, mut body) = response.into_parts();
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Try::Lost(chain(&error)))?;
            if let Some(data) = frame.data_ref() {
                bytes.extend_from_slice(data);
            }
            if bytes.len() > MAX_BODY {
                return Err(Try::Lost(format!(
                    "its answer has more than {} MiB",
                    MAX_BODY >> 20
                )));
            }
        }
        Ok((parts.status, parts.headers, bytes.freeze()))
    }

    /// Sends a request as it is.
    pub(super) async fn send(&self, request: Request<String>) -> Result<Response<Body>, Try> {
        self.client.execute(request).await.map_err(|error| {
            let why = chain(&error);
            if unsent(&error) {
                Try::Unsent(why)
            } else {
                Try::Lost(why)
            }
        })
    }
}

impl Try {
    fn scrubbed(self, token: &Secret) -> Self {
        match self {
            Self::Unsent(why) => Self::Unsent(token.scrub(&why)),
            Self::Lost(why) => Self::Lost(token.scrub(&why)),
            other => other,
        }
    }
}

/// Of the headers of a kept answer, only the links are asked for again.
fn links(headers: &header::HeaderMap) -> header::HeaderMap {
    let mut kept = header::HeaderMap::new();
    if let Some(link) = headers.get(header::LINK) {
        kept.insert(header::LINK, link.clone());
    }
    kept
}

/// Whether a request failed before anything of it was sent.
fn unsent(error: &octocrab::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(client) = inner.downcast_ref::<hyper_util::client::legacy::Error>() {
            return client.is_connect();
        }
        cause = inner.source();
    }
    false
}

/// The causes in one line, each said once. octocrab's own words end with a backtrace, which is left out.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut parts: Vec<String> = vec![];
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if !inner.is::<octocrab::Error>() {
            let text = inner.to_string();
            if !parts.iter().any(|part| part.contains(&text)) {
                parts.push(text);
            }
        }
        cause = inner.source();
    }
    if parts.is_empty() {
        parts.push(error.to_string());
    }
    cut(&parts.join(": "))
}
