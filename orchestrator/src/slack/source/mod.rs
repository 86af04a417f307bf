//! Channels as signals: messages and what was answered to them, within a look-back that counts from a thread's first
//! message. What we wrote ourselves is none.
//!
//! A batch says of which stretches it is all that there is ([`crate::source::Stretch`]), so that whoever keeps signals can tell what
//! was deleted: Slack does not.

mod cursor;
mod page;

use std::time::Duration;

use loops::{spec::SlackSource, time::Timestamp};
use sha2::{Digest as _, Sha256};

use self::cursor::{Cursor, State};
pub(super) use self::cursor::{NEWEST, ts_of};
use super::{Me, Slack, SlackError, call::Ask};
use crate::{
    clock,
    source::{Batch, Skipped},
};

/// How many pages one batch holds.
const MAX_PAGES: u32 = 10;

impl Slack {
    /// What is new in channels since `cursor`, which is what an earlier [`Batch`] gave. A cursor that cannot be
    /// understood, or is of other settings, counts as none: signals then come again with the same ids. Where a limit
    /// stops the reading, the batch says so and the next one goes on.
    ///
    /// # Errors
    /// If Slack does not give them.
    pub async fn read_channels(
        &self,
        source: &SlackSource,
        cursor: Option<&str>,
    ) -> Result<Batch, SlackError> {
        let now = clock::now();
        let of = fingerprint(source);
        let cursor = cursor
            .and_then(|text| Cursor::parse(text, &of))
            .unwrap_or_else(|| Cursor {
                of,
                ..Cursor::default()
            });
        let mut reading = Reading {
            me: self.me().await?,
            here: self,
            source,
            cursor,
            batch: Batch::default(),
            closed: Closed::default(),
        };
        reading.begin(now).await?;
        reading.read().await?;
        let Reading {
            mut cursor,
            mut batch,
            ..
        } = reading;
        if !batch.more {
            cursor.going = None;
        }
        batch.cursor = serde_json::to_string(&cursor).unwrap_or_default();
        Ok(batch)
    }
}

/// One batch in the making.
struct Reading<'a> {
    me: Me,
    here: &'a Slack,
    source: &'a SlackSource,
    cursor: Cursor,
    batch: Batch,
    closed: Closed,
}

/// What Slack does not answer any more for now.
#[derive(Debug, Default)]
struct Closed {
    history: Option<Timestamp>,
    threads: Option<Timestamp>,
}

/// What is read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    History,
    Thread,
}

impl Reading<'_> {
    async fn begin(&mut self, now: Timestamp) -> Result<(), SlackError> {
        if !self.cursor.begins(now) {
            return Ok(());
        }
        let (look_back, sweep): (Duration, Duration) = (self.source.lookback.0, self.here.0.settings.sweep);
        let strict = self.here.wire().is_strict();
        for written in &self.source.channels {
            // By its id a channel is known whatever it is called; a name may be another channel's now.
            let found = match self.cursor.channels.get(written) {
                Some(_) if !written.starts_with('#') => None,
                _ => Some(self.here.channel(written).await?),
            };
            let state = self.cursor.channels.entry(written.clone()).or_default();
            if let Some(found) = found {
                if state.id != found.id {
                    *state = State {
                        source: format!("slack:#{}", found.name),
                        id: found.id,
                        ..State::default()
                    };
                }
                state.private = found.private;
            }
            state.begin(now, look_back, sweep, strict);
        }
        let written = &self.source.channels;
        self.cursor
            .channels
            .retain(|channel, _| written.contains(channel));
        Ok(())
    }

    async fn read(&mut self) -> Result<(), SlackError> {
        for _ in 0..MAX_PAGES {
            let Some((channel, next)) = self.next() else {
                self.say_what_waits();
                return Ok(());
            };
            self.cursor.turn += 1;
            let turn = self.cursor.turn;
            let Some(mut state) = self.cursor.channels.remove(&channel) else {
                continue;
            };
            state.turn = turn;
            let read = match next {
                Next::History => self.history(&channel, &mut state).await,
                Next::Thread => self.thread(&channel, &mut state).await,
            };
            self.cursor.channels.insert(channel, state);
            match (read, next) {
                (Err(SlackError::RateLimited { until, .. }), Next::History) => {
                    self.closed.history = Some(until)
                }
                (Err(SlackError::RateLimited { until, .. }), Next::Thread) => {
                    self.closed.threads = Some(until)
                }
                (read, _) => read?,
            }
        }
        self.batch.more = self.next().is_some();
        if !self.batch.more {
            self.say_what_waits();
        }
        Ok(())
    }

    /// The channel whose turn it is, and what is read of it: what is new first, then threads, then the rest.
    fn next(&self) -> Option<(String, Next)> {
        let what = |state: &State| {
            let (history, threads) = state.has_left();
            let history = history && self.closed.history.is_none();
            let threads = threads && self.closed.threads.is_none();
            let new = state.left.last().is_some_and(|left| left.before == NEWEST);
            match (history, threads) {
                (true, false) => Some(Next::History),
                (true, true) if new => Some(Next::History),
                (_, true) => Some(Next::Thread),
                (false, false) => None,
            }
        };
        let mut all: Vec<(u64, &String, Next)> = self
            .cursor
            .channels
            .iter()
            .filter_map(|(channel, state)| Some((state.turn, channel, what(state)?)))
            .collect();
        all.sort_by_key(|(turn, ..)| *turn);
        all.first().map(|(_, channel, next)| ((*channel).clone(), *next))
    }

    /// Reading that a limit has stopped goes on another time, and that is said.
    fn say_what_waits(&mut self) {
        let (Some(until), waits) = (
            self.closed.history.max(self.closed.threads),
            self.cursor
                .channels
                .iter()
                .filter(|(_, state)| state.has_left() != (false, false)),
        ) else {
            return;
        };
        let channels: Vec<&str> = waits.map(|(channel, _)| channel.as_str()).collect();
        if !channels.is_empty() {
            self.batch.skipped.push(Skipped {
                place: format!("slack:{}", channels.join(",")),
                why: format!(
                    "Slack's rate limit is reached; the next run reads on, from {until} at the earliest"
                ),
            });
        }
    }
}

fn fingerprint(source: &SlackSource) -> String {
    // A longer look-back is read anew; the channels may come and go.
    let text = format!("{}\u{1f}{}", source.lookback, source.threads);
    hex::encode(&Sha256::digest(text.as_bytes())[..6])
}

/// The ids of the channels that a cursor of [`Slack::read_channels`] knows, by how they are written.
pub(crate) fn ids_in(cursor: &str) -> std::collections::BTreeMap<String, String> {
    let cursor: Cursor = serde_json::from_str(cursor).unwrap_or_default();
    let known = cursor.channels.into_iter();
    known.map(|(written, state)| (written, state.id)).collect()
}
