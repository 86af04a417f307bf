//! What we say in Slack, each thing once: every message holds a key, unseen, by which it is found before it is said
//! again; and what people answer to it. What is to be said is somebody else's to decide.

use loops::{screen::clean, time::Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Message, Slack, SlackError, call::Ask, source::ts_of};

/// How our messages are marked.
const EVENT: &str = "loops_effect";
/// So many pages are looked at for a message of ours.
const MAX_PAGES: usize = 20;
/// Longer texts are cut: Slack shows no more.
const LONGEST: usize = 3_500;

/// Where something is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The channel's id.
    pub channel: String,
    /// The first message of the thread; none: in the channel itself.
    pub thread: Option<String>,
}

/// A message of ours that stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The channel's id.
    pub channel: String,
    /// Its id in the channel.
    pub ts: String,
    /// Its words, where they were looked at.
    pub words: Option<String>,
}

/// What somebody did about a message of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Their id.
    pub user: String,
    /// The id of their words; for a reaction, of our message.
    pub ts: String,
    /// Their words; none: they gave a reaction.
    pub words: Option<String>,
    /// The reaction's name.
    pub reaction: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Done {
    channel: String,
    ts: String,
}

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    messages: Vec<Value>,
    #[serde(default)]
    has_more: bool,
}

impl Slack {
    /// The message of ours with that key, said since `since`; none: there is none.
    ///
    /// # Errors
    /// If Slack does not say so.
    pub async fn find_said(
        &self,
        place: &Place,
        key: &str,
        since: Timestamp,
    ) -> Result<Option<Said>, SlackError> {
        let me = self.me().await?;
        // Newest first in a channel, oldest first in a thread.
        let (mut latest, mut oldest) = (super::source::NEWEST.to_owned(), ts_of(since));
        for _ in 0..MAX_PAGES {
            let page = self.page(place, &oldest, &latest).await?;
            let messages: Vec<Message> = page
                .messages
                .into_iter()
                .filter_map(|one| serde_json::from_value(one).ok())
                .collect();
            for message in &messages {
                let ours = message.is_by(&me.user_id, me.bot_id.as_deref());
                let marked = message.metadata().is_some_and(|metadata| {
                    metadata.event_type.as_deref() == Some(EVENT) && metadata.event_payload["key"] == key
                });
                if let (true, true, Some(ts)) = (ours, marked, message.ts()) {
                    return Ok(Some(Said {
                        channel: place.channel.clone(),
                        ts: ts.to_owned(),
                        words: Some(message.raw().to_owned()),
                    }));
                }
            }
            let times = || {
                messages
                    .iter()
                    .filter_map(Message::ts)
                    .filter(|ts| place.thread.as_deref() != Some(*ts))
            };
            let next = if place.thread.is_some() {
                times().max()
            } else {
                times().min()
            };
            match next.filter(|_| page.has_more) {
                Some(next) if place.thread.is_some() => oldest = next.to_owned(),
                Some(next) => latest = next.to_owned(),
                None => return Ok(None),
            }
        }
        // What cannot be looked for to its end is not said twice.
        Err(SlackError::Unexpected {
            doing: "look for a message of ours".to_owned(),
            why: "too much was said since".to_owned(),
        })
    }

    async fn page(&self, place: &Place, oldest: &str, latest: &str) -> Result<Page, SlackError> {
        let doing = "look for a message of ours";
        let mut params = vec![
            ("channel", place.channel.clone()),
            ("oldest", oldest.to_owned()),
            ("include_all_metadata", "true".to_owned()),
            ("limit", self.wire().page().to_string()),
        ];
        match &place.thread {
            Some(root) => {
                params.push(("ts", root.clone()));
                let ask = Ask::to("conversations.replies", doing)
                    .about(&place.channel)
                    .in_passing();
                self.wire().read(&ask, &params).await
            }
            None => {
                params.push(("latest", latest.to_owned()));
                let ask = Ask::to("conversations.history", doing)
                    .about(&place.channel)
                    .in_passing();
                self.wire().read(&ask, &params).await
            }
        }
    }

    /// Says something, marked with its key. Whoever calls has looked for it before.
    ///
    /// # Errors
    /// If Slack does not take it, or nobody knows whether it did.
    pub async fn say(&self, place: &Place, key: &str, words: &str) -> Result<Said, SlackError> {
        let mut body = json!({
            "channel": place.channel,
            "text": cut(words),
            "unfurl_links": false,
            "unfurl_media": false,
            "metadata": { "event_type": EVENT, "event_payload": { "key": key } },
        });
        if let Some(thread) = &place.thread {
            body["thread_ts"] = json!(thread);
        }
        let ask = Ask::to("chat.postMessage", "say something")
            .about(&place.channel)
            .in_passing();
        let done: Done = self.wire().write(&ask, &body).await?;
        Ok(Said {
            channel: done.channel,
            ts: done.ts,
            words: Some(cut(words)),
        })
    }

    /// Gives a message of ours other words. The same twice is the same as once.
    ///
    /// # Errors
    /// If Slack does not take them.
    pub async fn say_anew(&self, said: &Said, key: &str, words: &str) -> Result<(), SlackError> {
        let body = json!({
            "channel": said.channel,
            "ts": said.ts,
            "text": cut(words),
            "metadata": { "event_type": EVENT, "event_payload": { "key": key } },
        });
        let ask = Ask::to("chat.update", "change what we said").about(&said.channel);
        match self.wire().write::<Value>(&ask, &body).await {
            // Whether it was done makes no difference to doing it again.
            Err(SlackError::Ambiguous { doing, why }) => Err(SlackError::Unreachable { doing, why }),
            done => done.map(drop),
        }
    }

    /// What people have answered to a message of ours: words in its thread, and reactions, ours left out.
    ///
    /// # Errors
    /// If Slack does not say so. A message that is gone has no answers.
    pub async fn answers(&self, said: &Said) -> Result<Vec<Answer>, SlackError> {
        let me = self.me().await?;
        let place = Place {
            channel: said.channel.clone(),
            thread: Some(said.ts.clone()),
        };
        let mut all = Vec::new();
        let mut oldest = "0000000000.000000".to_owned();
        for n in 0..MAX_PAGES {
            let page = match self.page(&place, &oldest, "").await {
                Err(SlackError::Gone { .. }) => return Ok(Vec::new()),
                page => page?,
            };
            let messages: Vec<Message> = page
                .messages
                .into_iter()
                .filter_map(|one| serde_json::from_value(one).ok())
                .collect();
            for message in &messages {
                let Some(ts) = message.ts() else { continue };
                if ts == said.ts {
                    let given = message.reactions().filter(|_| n == 0);
                    all.extend(given.flat_map(|(name, users)| {
                        users
                            .iter()
                            .filter(|user| **user != me.user_id)
                            .map(move |user| Answer {
                                user: user.clone(),
                                ts: ts.to_owned(),
                                words: None,
                                reaction: Some(name.split("::").next().unwrap_or_default().to_owned()),
                            })
                    }));
                    continue;
                }
                let Some(user) = message.user().filter(|_| !message.is_machine()) else {
                    continue;
                };
                all.push(Answer {
                    user: user.to_owned(),
                    ts: ts.to_owned(),
                    words: Some(message.raw().to_owned()),
                    reaction: None,
                });
            }
            let last = messages
                .iter()
                .filter_map(Message::ts)
                .filter(|ts| *ts != said.ts)
                .max();
            match last.filter(|_| page.has_more) {
                Some(last) => oldest = last.to_owned(),
                None => break,
            }
        }
        Ok(all)
    }
}

/// Not longer than Slack takes.
fn cut(words: &str) -> String {
    if words.chars().count() <= LONGEST {
        return words.to_owned();
    }
    let mut short: String = words.chars().take(LONGEST).collect();
    short.push('…');
    short
}

/// Words of others, so that Slack shows them as they are: nobody is called, nothing becomes a link, nothing hides.
pub(crate) fn quiet(words: &str) -> String {
    // What Slack takes for an address becomes a link in any form; so does a mention, once somebody copies it.
    clean::message(words, &clean::Allowed::default())
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace(['*', '_', '`', '~'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_call_nobody() {
        assert_eq!(
            quiet("<!channel> <@U1> <https://evil.example|a *friend*> & co"),
            "&lt;!channel&gt; &lt;@ U1&gt; &lt;https:// evil.example|a friend&gt; &amp; co"
        );
    }
}
