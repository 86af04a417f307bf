//! What an endpoint gives back: an answer, or a refusal in GitHub's form.
//!
//! Nothing here knows of the world.

use serde_json::{Value, json};

/// An answer, before paging, conditions and meters.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
    /// Bytes in the place of JSON.
    pub(super) raw: Option<Vec<u8>>,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Reply {
    pub(super) fn new(status: u16, body: Value) -> Self {
        let body = Some(body);
        Self {
            status,
            body,
            raw: None,
            headers: Vec::new(),
        }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            body: None,
            raw: None,
            headers: Vec::new(),
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A refusal: status, message, and what is wrong with which field.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// GitHub's words.
    pub message: String,
    /// The `errors` of a 422.
    pub errors: Option<Box<Value>>,
    pub(super) headers: Vec<(&'static str, String)>,
}

/// What every endpoint returns.
pub(super) type Answer = Result<Reply, Refusal>;

impl Refusal {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            message,
            errors: None,
            headers: Vec::new(),
        }
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    /// A field that is missing or malformed: 422 in GitHub's usual form.
    pub(super) fn field(resource: &str, field: &str, code: &str) -> Self {
        Self::invalid(json!([{ "resource": resource, "field": field, "code": code }]))
    }

    /// 422 with words of its own.
    pub(super) fn custom(resource: &str, message: &str) -> Self {
        Self::invalid(json!([{ "resource": resource, "code": "custom", "message": message }]))
    }

    pub(super) fn invalid(errors: Value) -> Self {
        let mut refusal = Self::new(422, "Validation Failed");
        refusal.errors = Some(Box::new(errors));
        refusal
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn reply(self) -> Reply {
        let mut body = json!({ "message": self.message });
        if let Some(errors) = self.errors {
            body["errors"] = *errors;
        }
        body["documentation_url"] = json!("https://docs.github.com/rest");
        body["status"] = json!(self.status.to_string());
        let mut reply = Reply::new(self.status, body);
        reply.headers = self.headers;
        reply
    }
}
