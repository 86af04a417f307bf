//! What the app says through the Web API.

use serde_json::{Value, json};

use super::{
    read::Answer,
    world::{APP_USER, Message, World},
};

/// Slack cuts longer messages.
const LONGEST: usize = 40_000;

impl World {
    pub(super) fn post(&mut self, params: &Value) -> Answer {
        let channel = params["channel"].as_str().unwrap_or_default().to_owned();
        // A channel may be named, too.
        let named = channel.trim_start_matches('#');
        let id = self
            .channels
            .values()
            .find(|one| one.id == channel || one.name == named)
            .map(|one| one.id.clone())
            .ok_or("channel_not_found")?;
        let member = self.channels[&id].members.iter().any(|one| one == APP_USER);
        if !member {
            let word = if self.channels[&id].private {
                "channel_not_found"
            } else {
                "not_in_channel"
            };
            return Err(word.into());
        }
        let text = params["text"].as_str().unwrap_or_default();
        if text.is_empty() {
            return Err("no_text".into());
        }
        if text.chars().count() > LONGEST {
            return Err("msg_too_long".into());
        }
        let metadata = match &params["metadata"] {
            Value::Null => None,
            given if given["event_type"].is_string() && given["event_payload"].is_object() => {
                Some(given.clone())
            }
            _ => return Err("invalid_metadata_format".into()),
        };
        let thread = params["thread_ts"].as_str().map(str::to_owned);
        if let Some(root) = &thread
            && !self.channels[&id].messages.contains_key(root)
        {
            return Err("thread_not_found".into());
        }
        let message = Message {
            thread,
            metadata,
            ..Message::default()
        };
        let ts = self.add(&id, APP_USER, text, message);
        Ok(json!({ "channel": id, "ts": ts, "message": self.shown(&id, &ts, true) }))
    }

    pub(super) fn update(&mut self, params: &Value) -> Answer {
        let channel = params["channel"].as_str().unwrap_or_default().to_owned();
        let ts = params["ts"].as_str().unwrap_or_default().to_owned();
        let there = self.channels.get(&channel).ok_or("channel_not_found")?;
        let message = there.messages.get(&ts).ok_or("message_not_found")?;
        if message.user != APP_USER || message.tombstone {
            return Err("cant_update_message".into());
        }
        let text = params["text"].as_str().unwrap_or_default().to_owned();
        if text.is_empty() {
            return Err("no_text".into());
        }
        self.edit(&channel, &ts, &text);
        if params["metadata"].is_object() {
            self.message(&channel, &ts).metadata = Some(params["metadata"].clone());
        }
        Ok(json!({ "channel": channel, "ts": ts, "text": text }))
    }
}
