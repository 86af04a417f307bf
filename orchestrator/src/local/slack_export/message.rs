//! One message of an export, and what it says.

use loops::{
    id::SignalId,
    signal::{Signal, Voice},
    time::Timestamp,
};
use serde::Deserialize;

use super::{Names, text::seen};

/// A message as Slack writes it; everything may be missing.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    subtype: Option<String>,
    ts: Option<String>,
    deleted_ts: Option<String>,
    thread_ts: Option<String>,
    user: Option<String>,
    username: Option<String>,
    bot_id: Option<String>,
    text: Option<String>,
    user_profile: Option<Profile>,
    bot_profile: Option<Bot>,
    reactions: Option<Vec<Reaction>>,
    attachments: Option<Vec<Attachment>>,
    /// The new version, where the message says that another one was edited.
    message: Option<Box<Message>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Profile {
    display_name: Option<String>,
    real_name: Option<String>,
}

impl Profile {
    /// What the person is called.
    pub(super) fn name(&self) -> Option<String> {
        [&self.display_name, &self.real_name]
            .into_iter()
            .flatten()
            .find(|name| !name.trim().is_empty())
            .cloned()
    }
}

#[derive(Debug, Deserialize)]
struct Bot {
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Reaction {
    name: Option<String>,
    users: Option<Vec<String>>,
    count: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Attachment {
    title: Option<String>,
    text: Option<String>,
    fallback: Option<String>,
}

/// What a message says.
#[derive(Debug)]
pub(super) enum Said {
    Signal(Box<Signal>),
    /// A new version of an earlier one.
    Edited(Box<Signal>),
    /// That another one was taken away.
    Deleted(SignalId),
    /// Nothing that anybody wrote: a join, a topic, a call.
    Nothing,
}

impl Message {
    /// What it says, in a channel's source; else what is wrong with it.
    pub(super) fn said(self, source: &str, names: &Names) -> Result<Said, String> {
        match self.subtype.as_deref() {
            Some("message_changed") => {
                let inner = self.message.ok_or("an edit without the edited message")?;
                Ok(match inner.subtype.as_deref() {
                    Some("message_changed") => Said::Nothing,
                    _ => match inner.said(source, names)? {
                        Said::Signal(signal) => Said::Edited(signal),
                        other => other,
                    },
                })
            }
            Some("message_deleted") => {
                let ts = self.deleted_ts.ok_or("a deletion that does not say of what")?;
                Ok(Said::Deleted(Signal::id_of(source, &ts)))
            }
            Some("tombstone") => {
                let ts = self.ts.ok_or("a deleted message without `ts`")?;
                Ok(Said::Deleted(Signal::id_of(source, &ts)))
            }
            None
            | Some(
                "bot_message" | "thread_broadcast" | "reply_broadcast" | "me_message" | "file_share"
                | "file_comment",
            ) => self.signal(source, names),
            Some(_) => Ok(Said::Nothing),
        }
    }

    fn signal(self, source: &str, names: &Names) -> Result<Said, String> {
        let ts = self.ts.ok_or("a message without `ts`")?;
        let at = moment(&ts).ok_or_else(|| {
            format!(
                "`ts` is `{}`, not seconds like `1762156931.000200`",
                ts.escape_debug()
            )
        })?;
        let is_bot = self.bot_id.is_some() || self.subtype.as_deref() == Some("bot_message");
        let known = self.user.as_ref().and_then(|id| names.users.get(id)).cloned();
        let author = if is_bot {
            self.bot_profile
                .and_then(|bot| bot.name)
                .or(self.username)
                .or(known)
                .or(self.bot_id)
        } else {
            known
                .or_else(|| self.user_profile.as_ref().and_then(Profile::name))
                .or(self.username)
                .or(self.user)
        };
        let mut text = seen(&self.text.unwrap_or_default(), names);
        if text.trim().is_empty() {
            let parts = self.attachments.unwrap_or_default().into_iter();
            let parts = parts
                .flat_map(|part| [part.title, part.text.or(part.fallback)])
                .flatten();
            text = parts
                .map(|part| seen(&part, names))
                .collect::<Vec<_>>()
                .join("\n");
        }
        if text.trim().is_empty() {
            return Ok(Said::Nothing);
        }
        let mut reactions = std::collections::BTreeMap::new();
        for reaction in self.reactions.unwrap_or_default() {
            let Some(name) = reaction.name else { continue };
            let name = name.split("::").next().unwrap_or_default().to_owned();
            let count = reaction.count.unwrap_or_else(|| {
                reaction
                    .users
                    .map_or(0, |users| u32::try_from(users.len()).unwrap_or(u32::MAX))
            });
            let sum: &mut u32 = reactions.entry(name).or_default();
            *sum = sum.saturating_add(count);
        }
        Ok(Said::Signal(Box::new(Signal {
            id: Signal::id_of(source, &ts),
            source: source.to_owned(),
            at,
            author,
            voice: if is_bot { Voice::Machine } else { Voice::Person },
            text,
            url: None,
            reactions,
            labels: Vec::new(),
            thread: self.thread_ts.filter(|thread| *thread != ts),
            external_id: ts,
            private: false,
        })))
    }
}

/// `1762156931.000200`: seconds since the epoch, and what makes it unique.
fn moment(ts: &str) -> Option<Timestamp> {
    let (seconds, fraction) = ts.split_once('.').unwrap_or((ts, "0"));
    let seconds: i64 = seconds
        .parse()
        .ok()
        .filter(|seconds| (0..=253_402_300_799).contains(seconds))?;
    let millis: i64 = if fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("{fraction:0<3}").get(..3)?.parse().ok()?
    } else {
        return None;
    };
    Some(Timestamp(seconds * 1000 + millis))
}
