//! Asks a model, through the gateway, for one answer.
//!
//! The gateway owns keys, budgets and retries. Tried again here is only what cannot have been acted on and what the
//! gateway cannot try again itself: a connection that never came about, and a stream that broke after its first
//! byte. Nothing is executed here, and a half answer never leaves this module.

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use loops::budget::Usage;

use super::{
    messages::{ApiError, Reply},
    sse::Decoder,
    stream::{Assembler, StreamError},
    transport::{Address, Exchange, TransportError, post},
};
use crate::order::Gateway;

/// The gateway sets this header on an answer that a cassette gave in place of a model.
pub const REHEARSED_HEADER: &str = "x-loops-rehearsed";

/// The kind of the gateway's error when a cap would be passed.
pub const OVER_BUDGET: &str = "loops_budget_exceeded";

/// The version of the Messages API that is spoken.
const API_VERSION: &str = "2023-06-01";

/// The most bytes of one answer's stream.
const MAX_STREAM: usize = 64 << 20;

/// Why no answer came. The words are for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The order's gateway address is of no known form.
    #[error("`{0}` is not a gateway's address; it is `http://host:port` or `unix:/path`")]
    BadAddress(String),
    /// The gateway does not answer.
    #[error("the model gateway cannot be reached ({tries} tries): {last}")]
    Unreachable {
        /// How often it was tried.
        tries: u32,
        /// What the last try met.
        last: String,
    },
    /// The budget bears no more calls.
    #[error("the budget bears no more model calls: {}", .0.message)]
    OutOfBudget(ApiError),
    /// The request was refused, and would be refused again.
    #[error("the model's provider refused the request with status {status}: {} (`{}`)", .error.message, .error.kind)]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What was said.
        error: ApiError,
    },
    /// The provider is overloaded or broken, and the gateway gave up.
    #[error("the model is not available, status {status}: {} (`{}`)", .error.message, .error.kind)]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// What was said.
        error: ApiError,
    },
    /// Every try broke off.
    #[error("the model's answer broke off {tries} times; at last: {last}")]
    BrokenOff {
        /// How often it was asked.
        tries: u32,
        /// What the last try met.
        last: String,
    },
}

impl ModelError {
    /// Whether the same call may go better later.
    pub fn may_retry(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Unavailable { .. } | Self::BrokenOff { .. }
        )
    }
}

/// How long to wait, and how often to try.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// After this long without a byte, a call is given up.
    pub silence: Duration,
    /// How often a connection is tried.
    pub connects: u32,
    /// How often an answer is asked for when its stream breaks.
    pub asks: u32,
    /// The pause before the second try; it doubles each time, up to ten seconds.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(300),
            connects: 8,
            asks: 4,
            pause: Duration::from_millis(250),
        }
    }
}

/// What one try met.
enum Failure {
    Connect(String),
    BrokeOff(String),
    Final(ModelError),
}

/// A model behind the gateway.
#[derive(Debug, Clone)]
pub struct Client {
    address: Address,
    token: String,
    patience: Patience,
}

impl Client {
    /// A client of that gateway.
    pub fn new(gateway: &Gateway) -> Result<Self, ModelError> {
        let address = Address::parse(&gateway.address)
            .ok_or_else(|| ModelError::BadAddress(gateway.address.clone()))?;
        Ok(Self {
            address,
            token: gateway.token.clone(),
            patience: Patience::default(),
        })
    }

    /// The same client with other patience.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Asks with `body`, a whole request of the Messages API with `stream` on. Adds to `spent` whatever tokens were
    /// seen to be counted, those of broken answers too; tells `note` of every further try.
    pub async fn ask(
        &self,
        body: Bytes,
        spent: &mut Usage,
        note: &(dyn Fn(String) + Sync),
    ) -> Result<Reply, ModelError> {
        let (mut connects, mut asks) = (0, 0);
        loop {
            let tried = match self.try_once(body.clone(), spent).await {
                Ok(reply) => return Ok(reply),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Connect(last)) => {
                    connects += 1;
                    if connects >= self.patience.connects {
                        return Err(ModelError::Unreachable {
                            tries: connects,
                            last,
                        });
                    }
                    note(format!(
                        "The model gateway cannot be reached ({last}); trying again."
                    ));
                    connects
                }
                Err(Failure::BrokeOff(last)) => {
                    asks += 1;
                    if asks >= self.patience.asks {
                        return Err(ModelError::BrokenOff { tries: asks, last });
                    }
                    note(format!(
                        "The model's answer broke off ({last}); nothing of it was used; asking again."
                    ));
                    asks
                }
            };
            let pause = self.patience.pause.saturating_mul(1 << (tried - 1).min(10));
            tokio::time::sleep(pause.min(Duration::from_secs(10))).await;
        }
    }

    async fn try_once(&self, body: Bytes, spent: &mut Usage) -> Result<Reply, Failure> {
        let headers = [
            ("x-api-key", self.token.as_str()),
            ("anthropic-version", API_VERSION),
            ("accept", "text/event-stream"),
        ];
        let mut exchange = post(
            &self.address,
            "/v1/messages",
            &headers,
            body,
            self.patience.silence,
        )
        .await?;
        if exchange.status != StatusCode::OK {
            let text = exchange.head_of_body(64 << 10).await?;
            return Err(Failure::Final(refusal(exchange.status, ApiError::read(&text))));
        }
        let rehearsed = exchange.headers.contains_key(REHEARSED_HEADER);
        let mut assembler = Assembler::default();
        let read = read_stream(&mut exchange, &mut assembler).await;
        *spent += assembler.usage();
        read?;
        Ok(assembler.finish(rehearsed)?)
    }
}

async fn read_stream(exchange: &mut Exchange, assembler: &mut Assembler) -> Result<(), Failure> {
    let mut decoder = Decoder::default();
    let mut seen = 0;
    while !assembler.is_whole() {
        let Some(piece) = exchange.piece().await? else {
            break;
        };
        seen += piece.len();
        if seen > MAX_STREAM {
            return Err(StreamError::Malformed(format!("it is longer than {} MiB", MAX_STREAM >> 20)).into());
        }
        let events = decoder
            .push(&piece)
            .map_err(|error| StreamError::Malformed(error.to_string()))?;
        for event in events {
            assembler.take(&event)?;
        }
    }
    Ok(())
}

/// Whether the gateway's caps, or the account behind it, bear no more.
fn is_about_money(kind: &str) -> bool {
    kind == OVER_BUDGET || kind == "billing_error"
}

/// What an answer other than 200 means.
fn refusal(status: StatusCode, error: ApiError) -> ModelError {
    let code = status.as_u16();
    if status == StatusCode::PAYMENT_REQUIRED || is_about_money(&error.kind) {
        ModelError::OutOfBudget(error)
    } else if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        ModelError::Unavailable { status: code, error }
    } else {
        ModelError::Refused { status: code, error }
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Refused(error) => Self::Connect(error.to_string()),
            other => Self::BrokeOff(other.to_string()),
        }
    }
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Broken(error) => match error.kind.as_str() {
                kind if is_about_money(kind) => Self::Final(ModelError::OutOfBudget(error)),
                "api_error" | "overloaded_error" | "rate_limit_error" | "timeout_error" => {
                    Self::BrokeOff(format!("{} (`{}`)", error.message, error.kind))
                }
                _ => Self::Final(ModelError::Refused { status: 200, error }),
            },
            other => Self::BrokeOff(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: &str) -> ApiError {
        ApiError {
            kind: kind.to_owned(),
            message: "words".to_owned(),
        }
    }

    #[test]
    fn the_status_says_whether_it_may_go_better_later() {
        let told = |status: u16, kind: &str| refusal(StatusCode::from_u16(status).unwrap(), error(kind));
        assert!(told(429, "rate_limit_error").may_retry());
        assert!(told(529, "overloaded_error").may_retry());
        assert!(!told(400, "invalid_request_error").may_retry());
        assert!(matches!(told(402, ""), ModelError::OutOfBudget(_)));
        assert!(matches!(told(400, OVER_BUDGET), ModelError::OutOfBudget(_)));
    }

    #[tokio::test]
    async fn an_unreachable_gateway_is_tried_a_few_times() {
        let gateway = Gateway {
            address: "unix:/nowhere/at/all.sock".into(),
            token: "t".into(),
        };
        let patience = Patience {
            connects: 3,
            pause: Duration::ZERO,
            ..Patience::default()
        };
        let client = Client::new(&gateway).unwrap().with_patience(patience);
        let notes = std::sync::Mutex::new(0);
        let error = client
            .ask(Bytes::from_static(b"{}"), &mut Usage::default(), &|_| {
                *notes.lock().unwrap() += 1
            })
            .await
            .unwrap_err();
        assert!(
            matches!(error, ModelError::Unreachable { tries: 3, .. }),
            "{error}"
        );
        assert_eq!(*notes.lock().unwrap(), 2);
    }
}
