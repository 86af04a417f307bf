//! One try of a call at the provider. The only place that sends the key; whether to try again is decided elsewhere.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::{StatusCode, header::HeaderValue};
use reqwest::{Client, Url, redirect};

use super::api::Api;
use crate::config::{Models, Provider, Vendor, models::is_loopback};

/// The version of the API that the allow-list was written against.
const API_VERSION: &str = "2023-06-01";

/// How long an answer to anything but a good request may be, bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How long the provider may say nothing: in a stream it sends pings, a whole answer may take it ten minutes.
const SILENCE: Duration = Duration::from_secs(180);
const WHOLE: Duration = Duration::from_secs(11 * 60);

/// Everybody who answers for models.
#[derive(Debug)]
pub(super) struct Upstreams {
    anthropic: Upstream,
    openai: Upstream,
}

impl Upstreams {
    pub(super) fn new(models: &Models) -> Result<Self, reqwest::Error> {
        Ok(Self {
            anthropic: Upstream::new(models.anthropic.clone(), "")?,
            openai: Upstream::new(models.openai.clone(), "Bearer ")?,
        })
    }

    pub(super) fn of(&self, vendor: Vendor) -> &Upstream {
        match vendor {
            Vendor::Anthropic => &self.anthropic,
            Vendor::Openai => &self.openai,
        }
    }
}

/// A provider.
#[derive(Debug)]
pub(super) struct Upstream {
    client: Client,
    provider: Provider,
    /// The key as it is sent; none if there is none, or if it cannot be sent.
    key: Option<HeaderValue>,
}

/// How a try went.
#[derive(Debug)]
pub(super) enum Try {
    /// The provider answers; the body is still to come.
    Answers(reqwest::Response),
    /// The provider said no, and carried out nothing.
    Refused(Refused),
    /// The request did not reach it.
    Unsent(String),
    /// The request was sent, and nobody knows what became of it.
    Lost(String),
}

/// What a provider said when it said no.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    /// As it came, but for the key.
    pub(super) body: Bytes,
    pub(super) json: bool,
    pub(super) retry_after: Option<Duration>,
}

impl Refused {
    /// Whether the same may go well later.
    pub(super) fn passes(&self) -> bool {
        // An account without money answers like one that asks too fast; waiting does not fill it.
        let spent = self.status == StatusCode::TOO_MANY_REQUESTS
            && serde_json::from_slice::<serde_json::Value>(&self.body)
                .is_ok_and(|body| body["error"]["code"] == "insufficient_quota");
        !spent && matches!(self.status.as_u16(), 429 | 500 | 502 | 503 | 504 | 529)
    }
}

impl Upstream {
    /// `bearer` stands before the key.
    fn new(provider: Provider, bearer: &str) -> Result<Self, reqwest::Error> {
        // Whoever came first chose the same one; a process has only one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(WHOLE)
            .pool_idle_timeout(Duration::from_secs(30))
            // A redirect would carry the key to wherever it points.
            .redirect(redirect::Policy::none());
        if Url::parse(&provider.base_url).is_ok_and(|url| is_loopback(&url)) {
            client = client.no_proxy();
        }
        let key = provider.key.as_ref().and_then(|key| {
            let mut value = HeaderValue::from_str(&format!("{bearer}{}", key.expose())).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        Ok(Self {
            client: client.build()?,
            provider,
            key,
        })
    }

    /// Why nothing can be asked at all.
    pub(super) fn lacks_key(&self) -> Option<String> {
        let name = &self.provider.key_name;
        match (&self.key, &self.provider.key) {
            (Some(_), _) => None,
            (None, Some(_)) => Some(format!(
                "the environment variable `{name}` does not hold a model key"
            )),
            (None, None) => Some(format!(
                "there is no model key: set the environment variable `{name}`, or play a cassette instead"
            )),
        }
    }

    /// What the person who runs the service must know about a refused key.
    pub(super) fn refused_key(&self, status: StatusCode) -> String {
        format!(
            "the model key was refused ({}): look at the environment variable `{}` and at what its account may use",
            status.as_u16(),
            self.provider.key_name
        )
    }

    /// Asks once.
    pub(super) async fn ask(&self, api: Api, body: String) -> Try {
        let url = format!("{}{}", self.provider.base_url, api.upstream());
        let mut request = self.client.post(url).header("content-type", "application/json");
        if api.vendor() == Vendor::Anthropic {
            request = request.header("anthropic-version", API_VERSION);
        }
        if let Some(key) = &self.key {
            request = match api.vendor() {
                Vendor::Anthropic => request.header("x-api-key", key),
                Vendor::Openai => request.header("authorization", key),
            };
        }
        match request.body(body).send().await {
            Ok(response) if response.status().is_success() => Try::Answers(response),
            Ok(response) => Try::Refused(self.refusal(response).await),
            Err(error) if error.is_connect() => Try::Unsent(self.why(error)),
            Err(error) => Try::Lost(self.why(error)),
        }
    }

    /// The next piece of an answer; none at its end. The error says why it was cut.
    pub(super) async fn piece(
        &self,
        from: &mut reqwest::Response,
        stream: bool,
    ) -> Result<Option<Bytes>, String> {
        let patience = if stream { SILENCE } else { WHOLE };
        match tokio::time::timeout(patience, from.chunk()).await {
            Ok(piece) => piece.map_err(|error| self.why(error)),
            Err(_) => Err(format!(
                "the provider said nothing for {} seconds",
                patience.as_secs()
            )),
        }
    }

    async fn refusal(&self, mut response: reqwest::Response) -> Refused {
        let status = response.status();
        let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let retry_after = header("retry-after")
            .and_then(|value| value.trim().parse().ok())
            .map(Duration::from_secs);
        let json = header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let mut body = BytesMut::new();
        // What cannot be read of an error is left out: the status says enough.
        while let Ok(Some(piece)) = response.chunk().await {
            body.extend_from_slice(&piece);
            if body.len() > MAX_ERROR_BYTES {
                body.truncate(MAX_ERROR_BYTES);
                break;
            }
        }
        Refused {
            status,
            body: self.scrub(&String::from_utf8_lossy(&body)).into(),
            json,
            retry_after,
        }
    }

    /// The chain of causes in one line, without the key.
    fn why(&self, error: reqwest::Error) -> String {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        self.scrub(&text)
    }

    fn scrub(&self, text: &str) -> String {
        self.provider
            .key
            .as_ref()
            .map_or_else(|| text.to_owned(), |key| key.scrub(text))
    }
}
