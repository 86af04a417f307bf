//! Slack: reading channels, saying what is to be said there, and hearing that something came. The only place that knows
//! slack_morphism; what it gives and takes are words of ours.
//!
//! It decides nothing: what is to be said is told to it. It knows neither store nor engine, and nothing that it was
//! given by Slack is run or trusted. How Slack writes messages is known here for exports, too.

mod call;
mod directory;
mod error;
mod message;
mod needs;
mod people;
mod say;
mod signed;
mod socket;
mod source;
mod text;

use std::sync::Arc;

use crate::config::Slack as Settings;
use call::Wire;
use directory::Directory;

pub use directory::{Channel, Me};
pub use error::{Remedy, SlackError};
pub(crate) use message::{Message, Said};
pub use needs::{Lack, Uses};
pub(crate) use people::{Names, Person};
pub(crate) use say::quiet;
pub use say::{Answer, Place, Said as Posted};
pub use signed::{Heard, NotSigned, verify};
pub use socket::{Socket, Take};
pub(crate) use source::ids_in;

/// What an event and the messages of an answer of the API say, as bytes from outside, for who tests that with any bytes at
/// all: whether it is something that came, and each message's text.
#[doc(hidden)]
#[must_use]
pub fn read_bytes(bytes: &[u8]) -> (Option<Heard>, Vec<String>) {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        return (None, Vec::new());
    };
    let heard = Heard::read(&body);
    let one = std::slice::from_ref(&body["event"]);
    let messages = body["messages"].as_array().map_or(one, Vec::as_slice);
    let mut texts = Vec::new();
    for message in messages {
        let Ok(message) = <Message as serde::Deserialize>::deserialize(message) else {
            continue;
        };
        let (mut people, mut channels) = Default::default();
        text::named(message.raw(), &mut people, &mut channels);
        let named = |ids: std::collections::BTreeSet<String>| {
            ids.into_iter().map(|id| (id, "named".to_owned())).collect()
        };
        let names = Names {
            users: named(people),
            channels: named(channels),
        };
        if let Ok(Said::Signal(signal) | Said::Edited(signal)) = message.said("slack:fuzz", &names) {
            texts.push(signal.text);
        }
    }
    (heard, texts)
}

/// The way to one workspace. Cheap to clone; clones share limits and what is cached.
#[derive(Debug, Clone)]
pub struct Slack(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    wire: Wire,
    settings: Settings,
    directory: tokio::sync::Mutex<Directory>,
}

impl Slack {
    /// The way to Slack with this login; none: the settings have none. Nothing is asked yet.
    ///
    /// # Errors
    /// If the token is named and is not set.
    pub fn new(settings: &Settings) -> Result<Option<Self>, SlackError> {
        let Some(token) = &settings.token else {
            return Ok(None);
        };
        let Some(value) = &token.value else {
            return Err(SlackError::Login(format!(
                "the variable `{}` is not set",
                token.name
            )));
        };
        let wire = Wire::new(settings, value.clone())?;
        Ok(Some(Self(Arc::new(Inner {
            wire,
            settings: settings.clone(),
            directory: tokio::sync::Mutex::default(),
        }))))
    }

    /// Who somebody is on GitHub, by their id here, as the settings say.
    #[must_use]
    pub fn login_of(&self, user: &str) -> Option<&str> {
        self.0.settings.people.get(user).map(String::as_str)
    }

    fn wire(&self) -> &Wire {
        &self.0.wire
    }
}
