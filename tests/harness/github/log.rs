//! What was asked, for assertions: every request without its credentials, and what was wrong with any of them.

use serde_json::Value;

/// A request that came in.
#[derive(Debug, Clone)]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// The path, without `/api/v3` and without the query.
    pub path: String,
    /// The query, as it was sent.
    pub query: String,
    /// What was answered; 0 if no answer was sent.
    pub status: u16,
    /// Whether it named an `ETag` or a date that the answer may still have.
    pub conditional: bool,
    /// Whether it was taken off the token's hourly limit.
    pub cost: bool,
    /// Who asked; empty if that was not said or not believed.
    pub login: String,
    /// Its JSON; null for git and where there was none.
    pub body: Value,
    /// Its headers, those with credentials left out.
    pub headers: Vec<(String, String)>,
    /// Whether its address held a token.
    pub token_in_url: bool,
}

/// All requests, and what the closing check will complain of.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) requests: Vec<Request>,
    pub(super) complaints: Vec<String>,
}

impl Log {
    pub(super) fn complain(&mut self, what: String) {
        if !self.complaints.contains(&what) {
            self.complaints.push(what);
        }
    }
}
