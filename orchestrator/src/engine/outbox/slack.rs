//! What is said in Slack: looked for by its key before it is said, and given other words where it stands.

use super::Tried;
use crate::{
    clock,
    engine::{EngineError, Home, notify::InSlack},
    slack::{Place, Posted, Slack, SlackError},
    store::{
        outbox::{self, Effect, EffectState},
        said::{self, Said},
    },
};

/// Clocks differ: what was said may look older than what it was said about.
const MARGIN: std::time::Duration = std::time::Duration::from_secs(300);

/// Tries one; none: it is not for us.
pub(super) async fn say(home: &Home, effect: &Effect) -> Result<Option<Tried>, EngineError> {
    let Ok(wanted) = effect.effect::<InSlack>() else {
        return Ok(None);
    };
    let slack = home.slack.as_ref().ok_or(EngineError::NoSlack)?;
    let saying = Saying {
        home,
        slack,
        key: &effect.key,
    };
    let tried = match wanted {
        InSlack::Message {
            channel,
            words,
            since,
        } => {
            let place = Place {
                channel: slack.channel(&channel).await?.id,
                thread: None,
            };
            saying.say(&place, &words, since).await
        }
        InSlack::News { of, words, since } => {
            let Some(first) = said::get(&home.store, &of).await? else {
                let given_up = outbox::get(&home.store, &of)
                    .await?
                    .is_none_or(|first| first.state == EffectState::Failed);
                return Ok(Some(if given_up {
                    Tried::GivenUp("what it belongs to was never said".to_owned())
                } else {
                    Tried::NotYet
                }));
            };
            let place = Place {
                channel: first.channel,
                thread: Some(first.ts),
            };
            saying.say(&place, &words, since).await
        }
        InSlack::Reply {
            channel,
            thread,
            words,
            since,
        } => {
            let place = Place {
                channel: slack.channel(&channel).await?.id,
                thread: Some(thread),
            };
            saying.say(&place, &words, since).await
        }
    };
    match tried {
        // The thread, or our own message, was taken away.
        Err(EngineError::Slack(error @ SlackError::Gone { .. })) => {
            Ok(Some(Tried::GivenUp(error.to_string())))
        }
        tried => tried.map(Some),
    }
}

/// One thing that is being said.
struct Saying<'a> {
    home: &'a Home,
    slack: &'a Slack,
    key: &'a str,
}

impl Saying<'_> {
    async fn say(
        &self,
        place: &Place,
        words: &str,
        since: loops::time::Timestamp,
    ) -> Result<Tried, EngineError> {
        let known = said::get(&self.home.store, self.key).await?;
        let there = match known {
            Some(known) => Some(Posted {
                channel: known.channel,
                ts: known.ts,
                words: Some(known.words),
            }),
            None => self.slack.find_said(place, self.key, since.minus(MARGIN)).await?,
        };
        let posted = match there {
            None => self.slack.say(place, self.key, words).await?,
            Some(there) if there.words.as_deref() == Some(words) => there,
            Some(there) => {
                self.slack.say_anew(&there, self.key, words).await?;
                there
            }
        };
        let now = clock::now();
        let row = Said {
            key: self.key.to_owned(),
            channel: posted.channel,
            ts: posted.ts,
            words: words.to_owned(),
            at: now,
        };
        let mut tx = self.home.store.begin().await?;
        said::put(&mut tx, &row).await?;
        outbox::done(&mut tx, self.key, now).await?;
        tx.commit().await?;
        Ok(Tried::Done)
    }
}
