//! What GitHub sends by itself: whether it is GitHub that sends it, what it is about, and which of its events are read.
//! Nothing is asked here, and nothing is kept.
//!
//! The signature covers the body and nothing else: not the event's name, not the delivery's id. So a body must have the
//! form of the event that its header names, and is known again by its own digest, too.

mod events;
mod signed;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub use self::{
    events::{EVENTS, Use, use_of},
    signed::{NotSigned, verify},
};
use crate::config::github::FullName;

/// No header that is one of ours is longer.
const MAX_NAME: usize = 100;

/// An event as it was delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// GitHub's id of the delivery: the same when it is delivered again.
    pub delivery: String,
    /// Names the body, however its headers are.
    pub digest: String,
    /// The event, like `issues`.
    pub event: String,
    /// What happened, like `opened`.
    pub action: Option<String>,
    /// The repository that it is about.
    pub repository: FullName,
    /// Who brought it about.
    pub sender: Option<String>,
    pub(super) payload: Value,
}

/// Why a delivery says nothing to us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotHeard {
    /// A header is missing or is none of GitHub's.
    #[error("the header `{0}` is missing or has another form")]
    Header(&'static str),
    /// It is no JSON object. GitHub sends a form where the webhook's content type is not `application/json`.
    #[error("the body is no JSON object; set the webhook's content type to `application/json`")]
    Body,
    /// The words are those of another event than the header names.
    #[error("the body is not that of the event `{0}`")]
    Other(String),
    /// It is about no repository, or names it in another form.
    #[error("the event `{0}` names no repository")]
    NoRepository(String),
    /// GitHub asks whether anybody is there.
    #[error("GitHub asks whether anybody is there")]
    Ping,
    /// Nobody here waits for such events.
    #[error("the event `{event}` is not used: {why}")]
    Ignored {
        /// The event.
        event: String,
        /// Why not.
        why: &'static str,
    },
}

impl Hook {
    /// Reads a delivery whose signature was looked at: the headers `X-GitHub-Event` and `X-GitHub-Delivery`, and the body.
    ///
    /// # Errors
    /// If it says nothing to us; that is no fault of the sender's unless a header or the body has another form.
    pub fn read(event: Option<&str>, delivery: Option<&str>, body: &[u8]) -> Result<Self, NotHeard> {
        let event = event
            .filter(|event| {
                is_name(event, |c| {
                    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
                })
            })
            .ok_or(NotHeard::Header("X-GitHub-Event"))?;
        let delivery = delivery
            .filter(|id| is_name(id, |c| c.is_ascii_alphanumeric() || c == '-'))
            .ok_or(NotHeard::Header("X-GitHub-Delivery"))?;
        let payload: Value = serde_json::from_slice(body).map_err(|_| NotHeard::Body)?;
        if !payload.is_object() {
            return Err(NotHeard::Body);
        }
        if event == "ping" {
            return Err(NotHeard::Ping);
        }
        if let Use::Ignored(why) = use_of(event) {
            return Err(NotHeard::Ignored {
                event: event.to_owned(),
                why,
            });
        }
        if !events::fits(event, &payload) {
            return Err(NotHeard::Other(event.to_owned()));
        }
        let repository = payload["repository"]["full_name"]
            .as_str()
            .and_then(FullName::parse)
            .ok_or_else(|| NotHeard::NoRepository(event.to_owned()))?;
        let word = |value: &Value| {
            value
                .as_str()
                .filter(|word| word.len() <= MAX_NAME)
                .map(str::to_owned)
        };
        Ok(Self {
            delivery: delivery.to_owned(),
            digest: hex::encode(Sha256::digest(body)),
            event: event.to_owned(),
            action: word(&payload["action"]),
            repository,
            sender: word(&payload["sender"]["login"]),
            payload,
        })
    }

    /// The event with its action, like `issues.opened`.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.action {
            Some(action) => format!("{}.{action}", self.event),
            None => self.event.clone(),
        }
    }

    /// Whether this says that something was taken away, or has left the repository.
    pub(super) fn takes_away(&self) -> bool {
        matches!(self.action.as_deref(), Some("deleted" | "transferred"))
    }
}

fn is_name(text: &str, letter: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME && text.chars().all(letter)
}

#[cfg(test)]
mod tests;
