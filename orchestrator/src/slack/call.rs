//! The one path of every request: time-outs, limits per method, retries. The only place that sends the token over HTTP.
//! What is asked, and what to do about an answer, is decided elsewhere.
//!
//! What only reads is asked again when Slack fails; a message is never said again when nobody knows whether it was,
//! see [`SlackError::Ambiguous`]. slack-morphism has no time-out of its own, so each call gets one here; its rate
//! control is left off, because it would wait for as long as Slack says.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use loops::{text::one_line, time::Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;
use slack_morphism::{
    SlackApiToken, SlackApiTokenValue, SlackClient, errors::SlackClientError,
    prelude::SlackClientHyperConnector,
};

use super::SlackError;
use crate::{
    clock,
    config::{Secret, Slack as Settings, slack::Tier},
};

/// How long one answer may take, whole.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long to wait where Slack does not say.
const UNSAID: Duration = Duration::from_secs(30);
/// The shortest wait that a limit means.
const SHORTEST: Duration = Duration::from_secs(1);
/// How often a reading is tried that fails.
const TRIES: u32 = 4;
/// How long who passes by waits for a limit.
const PASSING: Duration = Duration::from_secs(5);
/// Between two pages in the strict tier.
const STRICT_GAP: Duration = Duration::from_secs(60);

pub(super) type Connector = SlackClientHyperConnector<HttpsConnector<HttpConnector>>;

/// The way to Slack.
pub(super) struct Wire {
    pub(super) client: SlackClient<Connector>,
    token: SlackApiToken,
    secret: Secret,
    tier: Tier,
    patience: Duration,
    write_gap: Duration,
    /// How long to wait after the first failure.
    first_wait: Duration,
    timeout: Duration,
    /// By method: nobody needs to ask before then.
    closed: Mutex<HashMap<&'static str, Timestamp>>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire")
            .field("tier", &self.tier)
            .finish_non_exhaustive()
    }
}

/// What is asked: a method of the Web API and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    method: &'static str,
    doing: &'a str,
    /// The channel that it is about, in a person's words.
    channel: Option<&'a str>,
    /// How long to wait for a limit; none: as the settings say.
    patience: Option<Duration>,
}

impl<'a> Ask<'a> {
    pub(super) fn to(method: &'static str, doing: &'a str) -> Self {
        Self {
            method,
            doing,
            channel: None,
            patience: None,
        }
    }

    /// The same, for who has other things to do than to wait for a limit.
    pub(super) fn in_passing(self) -> Self {
        Self {
            patience: Some(PASSING),
            ..self
        }
    }

    pub(super) fn about(self, channel: &'a str) -> Self {
        Self {
            channel: Some(channel),
            ..self
        }
    }
}

/// How one try failed.
enum Failed {
    Limited(Duration),
    Refused(SlackError),
    /// It failed, or no answer came: whether it was done nobody knows.
    Lost(String),
    /// It did not leave this machine.
    Unsent(String),
}

/// The way to an address, with or without TLS.
pub(super) fn connector(api: &reqwest::Url) -> Result<Connector, SlackError> {
    // Whoever came first chose the same one; a process has only one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut tcp = HttpConnector::new();
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.enforce_http(false);
    let builder = HttpsConnectorBuilder::new();
    let builder = match api.scheme() {
        // To this machine itself: nobody's certificate is looked at.
        "http" => builder.with_tls_config(
            rustls::ClientConfig::builder()
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth(),
        ),
        _ => builder.with_native_roots().map_err(|error| {
            SlackError::Login(format!(
                "this machine has no certificates to know Slack by: {error}"
            ))
        })?,
    };
    let https = builder.https_or_http().enable_http1().wrap_connector(tcp);
    let api = api.as_str().trim_end_matches('/');
    Ok(SlackClientHyperConnector::with_connector(https).with_slack_api_url(api))
}

impl Wire {
    pub(super) fn new(settings: &Settings, secret: Secret) -> Result<Self, SlackError> {
        let token = SlackApiToken::new(SlackApiTokenValue(secret.expose().to_owned()));
        Ok(Self {
            client: SlackClient::new(connector(&settings.api)?),
            token,
            secret,
            tier: settings.tier,
            patience: settings.patience,
            write_gap: settings.write_gap,
            first_wait: Duration::from_millis(500),
            timeout: TIMEOUT,
            closed: Mutex::default(),
        })
    }

    /// The token, for who must send it by itself.
    pub(super) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// How many messages a page of history may have.
    pub(super) fn page(&self) -> u32 {
        match self.tier {
            Tier::Usual => 200,
            Tier::Strict => 15,
        }
    }

    pub(super) fn is_strict(&self) -> bool {
        self.tier == Tier::Strict
    }

    /// Asks something that changes nothing, again if Slack fails.
    pub(super) async fn read<T: DeserializeOwned + Send>(
        &self,
        ask: &Ask<'_>,
        params: &[(&'static str, String)],
    ) -> Result<T, SlackError> {
        let params: Vec<(&str, Option<&str>)> = params
            .iter()
            .map(|(key, value)| (*key, Some(value.as_str())))
            .collect();
        let began = clock::now();
        let (mut failures, mut wait) = (0, self.first_wait);
        loop {
            self.wait_if_closed(ask, began).await?;
            let session = self.client.open_session(&self.token);
            let call = session
                .http_session_api
                .http_get::<Value, _, _>(ask.method, &params, None);
            let why = match self.outcome(ask, false, call).await {
                Ok(answer) => return understood(ask, answer),
                Err(Failed::Limited(after)) => {
                    self.close(ask, after);
                    continue;
                }
                Err(Failed::Refused(error)) => return Err(error),
                Err(Failed::Lost(why) | Failed::Unsent(why)) => why,
            };
            failures += 1;
            if failures >= TRIES {
                return Err(SlackError::Unreachable {
                    doing: ask.doing.to_owned(),
                    why,
                });
            }
            tracing::debug!(
                doing = ask.doing,
                why,
                wait_ms = wait.as_millis(),
                "asked of Slack again"
            );
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
    }

    /// Asks for something that changes what others see, once.
    pub(super) async fn write<T: DeserializeOwned>(
        &self,
        ask: &Ask<'_>,
        body: &Value,
    ) -> Result<T, SlackError> {
        let began = clock::now();
        loop {
            self.wait_if_closed(ask, began).await?;
            let session = self.client.open_session(&self.token);
            let call = session
                .http_session_api
                .http_post::<Value, Value>(ask.method, body, None);
            let error = match self.outcome(ask, true, call).await {
                Ok(answer) => return understood(ask, answer),
                Err(Failed::Limited(after)) => {
                    self.close(ask, after);
                    continue;
                }
                Err(Failed::Refused(error)) => error,
                Err(Failed::Unsent(why)) => SlackError::Unreachable {
                    doing: ask.doing.to_owned(),
                    why,
                },
                Err(Failed::Lost(why)) => SlackError::Ambiguous {
                    doing: ask.doing.to_owned(),
                    why,
                },
            };
            return Err(error);
        }
    }

    /// Waits for an answer, but not for ever, and says what it means that there is none.
    async fn outcome(
        &self,
        ask: &Ask<'_>,
        writes: bool,
        call: impl Future<Output = Result<Value, SlackClientError>>,
    ) -> Result<Value, Failed> {
        let answer = tokio::time::timeout(self.timeout, call).await;
        // In the strict tier the next page is not asked for before it is given.
        if self.is_strict() && matches!(ask.method, "conversations.history" | "conversations.replies") {
            self.pause(ask, STRICT_GAP);
        }
        if ask.method == "chat.postMessage" {
            self.pause(ask, self.write_gap);
        }
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.judge(ask, writes, error)),
            Err(_) => Err(Failed::Lost(format!(
                "no answer within {} s",
                self.timeout.as_secs()
            ))),
        }
    }

    fn judge(&self, ask: &Ask<'_>, writes: bool, error: SlackClientError) -> Failed {
        match error {
            SlackClientError::RateLimitError(limit) => Failed::Limited(limit.retry_after.unwrap_or(UNSAID)),
            SlackClientError::ApiError(error) if error.code == "ratelimited" => Failed::Limited(UNSAID),
            SlackClientError::ApiError(error) => {
                let body = error.http_response_body.unwrap_or_default();
                let body: Value = serde_json::from_str(&body).unwrap_or_default();
                Failed::Refused(SlackError::of(
                    &error.code,
                    body["needed"].as_str(),
                    ask.doing,
                    ask.channel,
                    writes,
                ))
            }
            SlackClientError::HttpError(error) if error.status_code.is_client_error() => {
                Failed::Refused(SlackError::Refused {
                    doing: ask.doing.to_owned(),
                    code: error.status_code.to_string(),
                })
            }
            SlackClientError::HttpError(error) => Failed::Lost(error.status_code.to_string()),
            SlackClientError::ProtocolError(error) if writes => Failed::Lost(error.json_error.to_string()),
            SlackClientError::ProtocolError(error) => Failed::Refused(SlackError::Unexpected {
                doing: ask.doing.to_owned(),
                why: error.json_error.to_string(),
            }),
            other if unsent(&other) => Failed::Unsent(self.words(&other)),
            other => Failed::Lost(self.words(&other)),
        }
    }

    /// An error's words, short and without the token.
    fn words(&self, error: &SlackClientError) -> String {
        one_line(&self.secret.scrub(&error.to_string()), 300)
    }

    /// Waits until this method may be asked again, if that is not too long.
    async fn wait_if_closed(&self, ask: &Ask<'_>, began: Timestamp) -> Result<(), SlackError> {
        let until = {
            let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
            closed.get(ask.method).copied()
        };
        let now = clock::now();
        let Some(until) = until.filter(|until| *until > now) else {
            return Ok(());
        };
        let patience = ask
            .patience
            .map_or(self.patience, |passing| passing.min(self.patience));
        if until > began.plus(patience) {
            return Err(SlackError::RateLimited {
                doing: ask.doing.to_owned(),
                until,
            });
        }
        tokio::time::sleep(until.since(now)).await;
        Ok(())
    }

    /// Notes that a method is not answered for so long. Slack may say none at all; then we wait a little all the same.
    fn close(&self, ask: &Ask<'_>, wait: Duration) {
        let wait = wait.max(SHORTEST);
        tracing::info!(
            doing = ask.doing,
            wait_ms = wait.as_millis(),
            "Slack's rate limit is reached"
        );
        self.pause(ask, wait);
    }

    /// Notes that a method is not to be asked for so long.
    fn pause(&self, ask: &Ask<'_>, wait: Duration) {
        let until = clock::now().plus(wait);
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let known = closed.entry(ask.method).or_insert(until);
        *known = until.max(*known);
    }
}

fn understood<T: DeserializeOwned>(ask: &Ask<'_>, answer: Value) -> Result<T, SlackError> {
    serde_json::from_value(answer).map_err(|error| SlackError::Unexpected {
        doing: ask.doing.to_owned(),
        why: one_line(&error.to_string(), 200),
    })
}

/// Whether a request failed before anything of it was sent.
fn unsent(error: &SlackClientError) -> bool {
    let (SlackClientError::HttpProtocolError(_) | SlackClientError::SystemError(_)) = error else {
        return false;
    };
    let cause = match error {
        SlackClientError::HttpProtocolError(error) => error.cause.as_deref(),
        SlackClientError::SystemError(error) => error.cause.as_deref(),
        _ => None,
    };
    let mut cause: Option<&(dyn std::error::Error + 'static)> =
        cause.map(|cause| -> &(dyn std::error::Error + 'static) { cause });
    while let Some(inner) = cause {
        if let Some(client) = inner.downcast_ref::<hyper_util::client::legacy::Error>() {
            return client.is_connect();
        }
        cause = inner.source();
    }
    false
}
