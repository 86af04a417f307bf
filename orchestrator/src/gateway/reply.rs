//! What the gateway itself answers: errors in the form that the API has, so that agents understand them.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};

use super::api::Api;

/// A body that ends with an error cuts the connection, so that nobody takes a cut answer for a whole one.
pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// The header that a played-back answer carries.
pub const REHEARSED: &str = "x-loops-rehearsed";

/// The type of the error that ends an attempt for want of money.
pub const OVER_BUDGET: &str = "loops_budget_exceeded";

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// `invalid_request_error` and its kin; what the provider documents, and [`OVER_BUDGET`].
    pub(super) kind: &'static str,
    pub(super) message: String,
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
            retry_after: None,
        }
    }

    /// The request is not one that the gateway lets through.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
    }

    /// The gateway itself cannot do its work; nothing goes out then.
    pub(super) fn broken(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "api_error", message)
    }

    pub(super) fn into_response(self, api: Api) -> Response<Body> {
        let mut response = json_response(self.status, api.error(self.kind, &self.message).to_string());
        if let Some(after) = self.retry_after
            && let Ok(value) = HeaderValue::from_str(&after.as_secs().max(1).to_string())
        {
            response.headers_mut().insert(RETRY_AFTER, value);
        }
        response
    }
}

/// An answer that is JSON.
pub(super) fn json_response(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(whole(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A body that is there already.
pub(super) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
