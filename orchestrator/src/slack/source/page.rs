//! One page of a channel's history or of a thread: what it says, and what it is all of.

use std::collections::BTreeSet;

use loops::text::one_line;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Ask, Reading, SlackError,
    cursor::{NEWEST, State},
};
use crate::{
    slack::{Message, Names, Said, message::moment, text},
    source::{Skipped, Stretch},
};

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    messages: Vec<Value>,
    #[serde(default)]
    has_more: bool,
    /// Slack keeps older messages from workspaces that do not pay.
    #[serde(default)]
    is_limited: bool,
}

impl Page {
    /// When its messages were written, also of those that cannot be read.
    fn times(&self) -> BTreeSet<String> {
        let all = self.messages.iter().filter_map(|message| message["ts"].as_str());
        all.filter(|ts| moment(ts).is_some()).map(str::to_owned).collect()
    }

    /// The messages that can be read, and what is wrong with the others.
    fn read(self, place: &str) -> (Vec<Message>, Vec<Skipped>) {
        let (mut read, mut skipped) = (Vec::new(), Vec::new());
        for message in self.messages {
            let ts = message["ts"].as_str().unwrap_or("(without `ts`)").to_owned();
            let why = match serde_json::from_value::<Message>(message) {
                Ok(message) if message.ts().is_some() => {
                    read.push(message);
                    continue;
                }
                Ok(_) => "its `ts` is no time".to_owned(),
                Err(error) => error.to_string(),
            };
            skipped.push(Skipped {
                place: format!("{place} {}", one_line(&ts, 40)),
                why: one_line(&why, 200),
            });
        }
        (read, skipped)
    }
}

/// A page that has nothing, and after which there is said to be more: asking on would never end.
fn endless(doing: &str) -> SlackError {
    SlackError::Unexpected {
        doing: doing.to_owned(),
        why: "a page without messages, and more is said to come".to_owned(),
    }
}

impl Reading<'_> {
    /// Reads a page of what is left of a channel.
    pub(super) async fn history(&mut self, written: &str, state: &mut State) -> Result<(), SlackError> {
        let Some(left) = state.left.last().cloned() else {
            return Ok(());
        };
        let doing = format!("read `{written}`");
        let ask = Ask::to("conversations.history", &doing).about(written);
        let params = [
            ("channel", state.id.clone()),
            ("oldest", left.after.clone()),
            // With both ends the newest come first; with `oldest` alone, the oldest would.
            ("latest", left.before.clone()),
            ("inclusive", "false".to_owned()),
            ("limit", self.here.wire().page().to_string()),
        ];
        let page: Page = self.here.wire().read(&ask, &params).await?;
        let (more, is_limited) = (page.has_more, page.is_limited);
        let times = page.times();
        if more && times.is_empty() {
            return Err(endless(&doing));
        }
        let (messages, skipped) = page.read(&state.source);
        let all_read = skipped.is_empty();
        self.batch.skipped.extend(skipped);
        let oldest = times.first().cloned();
        let whole = state.turn_page(times.last().map(String::as_str), oldest.as_deref(), more);
        let mut here = BTreeSet::new();
        let mut childless = BTreeSet::new();
        for message in messages.iter().filter(|message| message.thread().is_none()) {
            let Some(ts) = message.ts() else { continue };
            here.insert(ts.to_owned());
            match message.answers() {
                Some(mark) if self.source.threads => state.thread(ts, &mark, left.deep),
                Some(_) => {}
                None => {
                    childless.insert(ts.to_owned());
                    state.threads.remove(ts);
                    state.queue.retain(|thread| thread.root != ts);
                }
            }
        }
        // What a page does not have that it cannot tell of was not deleted.
        if let (Some(mut whole), true) = (whole, all_read) {
            if is_limited {
                whole.after = oldest.unwrap_or_else(|| NEWEST.to_owned());
            }
            self.batch.whole.push(Stretch::Roots {
                source: state.source.clone(),
                after: whole.after,
                before: whole.before,
                here,
                childless: if self.source.threads {
                    childless
                } else {
                    BTreeSet::new()
                },
            });
        }
        self.take(messages, state).await
    }

    /// Reads a page of the first thread that is left.
    pub(super) async fn thread(&mut self, written: &str, state: &mut State) -> Result<(), SlackError> {
        let Some(thread) = state.queue.first().cloned() else {
            return Ok(());
        };
        let doing = format!("read a thread of `{written}`");
        let ask = Ask::to("conversations.replies", &doing).about(written);
        let params = [
            ("channel", state.id.clone()),
            ("ts", thread.root.clone()),
            ("oldest", thread.after.clone()),
            ("inclusive", "false".to_owned()),
            ("limit", self.here.wire().page().to_string()),
        ];
        let page: Page = match self.here.wire().read(&ask, &params).await {
            Err(SlackError::Gone { .. }) => Page {
                messages: Vec::new(),
                has_more: false,
                is_limited: false,
            },
            page => page?,
        };
        let more = page.has_more;
        let mut times = page.times();
        times.remove(&thread.root);
        if more && times.is_empty() {
            return Err(endless(&doing));
        }
        let (mut messages, skipped) = page.read(&state.source);
        let all_read = skipped.is_empty();
        self.batch.skipped.extend(skipped);
        // The first message comes along; it is the channel's, and read there.
        messages.retain(|message| message.thread() == Some(thread.root.as_str()));
        let here: BTreeSet<String> = messages
            .iter()
            .filter_map(Message::ts)
            .map(str::to_owned)
            .collect();
        let last = times.last().cloned();
        state.turn_thread(last.as_deref(), more);
        if all_read {
            let before = last
                .filter(|_| more)
                .map_or_else(|| NEWEST.to_owned(), |last| last + "~");
            self.batch.whole.push(Stretch::Answers {
                source: state.source.clone(),
                root: thread.root,
                after: thread.after,
                before,
                here,
            });
        }
        self.take(messages, state).await
    }

    /// What messages say.
    async fn take(&mut self, messages: Vec<Message>, state: &State) -> Result<(), SlackError> {
        let ours = |message: &Message| message.is_by(&self.me.user_id, self.me.bot_id.as_deref());
        let names = self.names(&messages).await?;
        for message in messages {
            if ours(&message) {
                continue;
            }
            let ts = message.ts().unwrap_or_default().to_owned();
            let link = self.link(state, &ts, message.thread());
            match message.said(&state.source, &names) {
                Ok(Said::Signal(mut signal) | Said::Edited(mut signal)) => {
                    signal.url = link;
                    signal.private = state.private;
                    self.batch.signals.push(*signal);
                }
                Ok(Said::Deleted(id)) => self.batch.deleted.push(id),
                Ok(Said::Nothing) => {}
                Err(why) => self.batch.skipped.push(Skipped {
                    place: format!("{} {}", state.source, one_line(&ts, 40)),
                    why,
                }),
            }
        }
        Ok(())
    }

    /// What everybody is called who wrote these messages or is named in them.
    async fn names(&self, messages: &[Message]) -> Result<Names, SlackError> {
        let (mut people, mut channels) = (BTreeSet::new(), BTreeSet::new());
        for message in messages {
            people.extend(message.user().map(str::to_owned));
            text::named(message.raw(), &mut people, &mut channels);
        }
        self.here.names(&people, &channels).await
    }

    /// The link that Slack itself gives for a message.
    fn link(&self, state: &State, ts: &str, thread: Option<&str>) -> Option<String> {
        let team = self
            .me
            .url
            .strip_suffix('/')
            .filter(|url| url.starts_with("https://"))?;
        let link = format!("{team}/archives/{}/p{}", state.id, ts.replace('.', ""));
        Some(match thread {
            Some(root) => format!("{link}?thread_ts={root}&cid={}", state.id),
            None => link,
        })
    }
}
