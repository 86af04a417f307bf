//! One message as Slack writes it, in an export and in the answers of its API alike, and what it says. The same message
//! gives the same signal, whichever way it came. Nothing is asked here.

use loops::{
    id::SignalId,
    signal::{Signal, Voice},
    time::Timestamp,
};
use serde::Deserialize;

use super::{people::Names, text::seen};

/// A message as Slack writes it; everything may be missing.
#[derive(Debug, Deserialize)]
pub(crate) struct Message {
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
    /// How many answers it has, and when the last of them came: the first message of a thread.
    reply_count: Option<u32>,
    latest_reply: Option<String>,
    /// What we wrote into our own messages, unseen.
    metadata: Option<Metadata>,
    /// The new version, where the message says that another one was edited.
    message: Option<Box<Message>>,
}

/// What an app wrote into its own message, unseen.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Metadata {
    /// What kind it is.
    pub(crate) event_type: Option<String>,
    /// What was written.
    #[serde(default)]
    pub(crate) event_payload: serde_json::Value,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Profile {
    display_name: Option<String>,
    real_name: Option<String>,
}

impl Profile {
    /// What the person is called.
    pub(crate) fn name(&self) -> Option<String> {
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
pub(crate) enum Said {
    Signal(Box<Signal>),
    /// A new version of an earlier one.
    Edited(Box<Signal>),
    /// That another one was taken away.
    Deleted(SignalId),
    /// Nothing that anybody wrote: a join, a topic, a call.
    Nothing,
}

impl Message {
    /// What it is known by in its channel, if that can be read.
    pub(crate) fn ts(&self) -> Option<&str> {
        self.ts.as_deref().filter(|ts| moment(ts).is_some())
    }

    /// The first message of the thread that it answers in; none: it is one itself, or in no thread.
    pub(crate) fn thread(&self) -> Option<&str> {
        let thread = self.thread_ts.as_deref()?;
        (self.ts.as_deref() != Some(thread)).then_some(thread)
    }

    /// How far the thread that it begins goes: another text for another answer. None: it begins none.
    pub(crate) fn answers(&self) -> Option<String> {
        let count = self.reply_count.filter(|count| *count > 0)?;
        Some(format!(
            "{}:{count}",
            self.latest_reply.as_deref().unwrap_or_default()
        ))
    }

    /// Whether one of these wrote it: a user's id, a bot's id.
    pub(crate) fn is_by(&self, user: &str, bot: Option<&str>) -> bool {
        self.user.as_deref() == Some(user) || bot.is_some() && self.bot_id.as_deref() == bot
    }

    /// Whether an app wrote it.
    pub(crate) fn is_machine(&self) -> bool {
        self.bot_id.is_some() || self.subtype.as_deref() == Some("bot_message")
    }

    /// The id of who wrote it.
    pub(crate) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Its words as Slack writes them.
    pub(crate) fn raw(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// Who gave a reaction, by its name; Slack may name fewer than there are.
    pub(crate) fn reactions(&self) -> impl Iterator<Item = (&str, &[String])> {
        let all = self.reactions.iter().flatten();
        all.filter_map(|one| Some((one.name.as_deref()?, one.users.as_deref().unwrap_or_default())))
    }

    /// What an app wrote into it, unseen.
    pub(crate) fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// What it says, in a channel's source; else what is wrong with it.
    pub(crate) fn said(self, source: &str, names: &Names) -> Result<Said, String> {
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
        let is_bot = self.is_machine();
        let ts = self.ts.ok_or("a message without `ts`")?;
        let at = moment(&ts).ok_or_else(|| {
            format!(
                "`ts` is `{}`, not seconds like `1762156931.000200`",
                ts.escape_debug()
            )
        })?;
        // An id is letters and digits; whatever else stands there is none.
        let account = self
            .user
            .clone()
            .filter(|id| !is_bot && !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
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
            account,
            private: false,
        })))
    }
}

/// `1762156931.000200`: seconds since the epoch, and what makes it unique.
pub(crate) fn moment(ts: &str) -> Option<Timestamp> {
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
