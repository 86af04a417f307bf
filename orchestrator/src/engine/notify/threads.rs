//! Where those who reported a finding can be told something: their threads in Slack, their issues on GitHub. What is said
//! there is decided into the outbox under a key that makes it one thing; other sources have no place to say anything in.

use std::collections::BTreeSet;

use loops::{
    id::FindingId,
    screen::{
        clean::{self, Allowed, is_plain_link},
        secrets,
    },
    signal::Voice,
    text::one_line,
    time::Timestamp,
};

use super::{InSlack, SLACK, channel_of};
use crate::{
    engine::{
        EngineError, Home, Place,
        outbox::{ISSUE, Outward},
    },
    slack::quiet,
    store::{Tx, outbox, signals},
};

/// More threads than this hear nothing: that many people read what is merged elsewhere.
const MAX_THREADS: usize = 50;
/// So many signals of a finding are looked at.
const MAX_SIGNALS: u32 = 2_000;

/// A place where people reported something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Thread {
    /// A thread in Slack.
    Slack {
        /// The channel, as it was read.
        channel: String,
        /// Its first message.
        ts: String,
        /// When the last word of a report was said there.
        said_at: Timestamp,
    },
    /// An issue on GitHub.
    Issue {
        /// `owner/name`.
        repository: String,
        /// Its number.
        number: u64,
    },
}

/// What is to be said, in both tongues.
#[derive(Debug, Clone)]
pub(super) struct Words {
    slack: String,
    markdown: String,
}

impl Words {
    /// Somebody's words, in one line, that call nobody and hold no secret.
    pub(super) fn plain(text: &str, max: usize) -> Self {
        let text = secrets::mask(&one_line(text, max));
        Self {
            slack: quiet(&text),
            markdown: clean::inline(&text, &Allowed::default()),
        }
    }

    /// A title, as a link where there is something to link to.
    pub(super) fn title(title: &str, url: Option<&str>) -> Self {
        let Self { slack, markdown } = Self::plain(title, 150);
        match url.filter(|url| is_plain_link(url) && !url.contains(['|', ' '])) {
            Some(url) => Self {
                slack: format!("<{url}|{}>", slack.replace('|', "/")),
                markdown: format!("[{}](<{url}>)", markdown.replace(']', "\\]")),
            },
            None => Self {
                slack: format!("*{slack}*"),
                markdown: format!("“{markdown}”"),
            },
        }
    }

    /// Our own words around them; `{}` stands for them.
    pub(super) fn within(self, ours: &str) -> Self {
        Self {
            slack: ours.replace("{}", &self.slack),
            markdown: ours.replace("{}", &self.markdown),
        }
    }
}

impl Thread {
    /// What it is known by in keys.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Slack { channel, ts, .. } => format!("{channel}:{ts}"),
            Self::Issue { repository, number } => format!("{repository}:{number}"),
        }
    }

    /// The key under which `what` is said once there.
    pub(super) fn key(&self, what: &str) -> String {
        match self {
            Self::Slack { .. } => format!("{SLACK}{what}:{}", self.name()),
            Self::Issue { .. } => format!("{ISSUE}{what}:{}", self.name()),
        }
    }

    /// Decides that this is said there.
    pub(super) async fn say(
        &self,
        tx: &mut Tx,
        key: &str,
        words: &Words,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        match self.clone() {
            Self::Slack { channel, ts, said_at } => {
                let effect = InSlack::Reply {
                    channel,
                    thread: ts,
                    words: words.slack.clone(),
                    since: said_at,
                };
                outbox::put(tx, key, &effect, now).await?;
            }
            Self::Issue { repository, number } => {
                let effect = Outward::Tell {
                    repository,
                    number,
                    words: words.markdown.clone(),
                };
                outbox::put(tx, key, &effect, now).await?;
            }
        }
        Ok(())
    }
}

/// The threads in which people reported a finding and in which we can say something, the last first.
pub(super) async fn threads(home: &Home, finding: FindingId) -> Result<Vec<Thread>, EngineError> {
    let mut known = BTreeSet::new();
    let mut all = Vec::new();
    let said = signals::of_finding(&home.store, finding, MAX_SIGNALS).await?;
    for kept in said.iter().rev().filter(|kept| kept.erased_at.is_none()) {
        let signal = &kept.signal;
        if signal.voice != Voice::Person {
            continue;
        }
        let root = signal.thread.as_ref().unwrap_or(&signal.external_id);
        let thread = if let Some(channel) = channel_of(&signal.source).filter(|_| home.slack.is_some()) {
            Thread::Slack {
                channel: channel.to_owned(),
                ts: root.clone(),
                said_at: signal.at,
            }
        } else if let Some(thread) = issue(home, &signal.source, root) {
            thread
        } else {
            continue;
        };
        if all.len() < MAX_THREADS && known.insert(thread.name()) {
            all.push(thread);
        }
    }
    Ok(all)
}

/// The issue that a signal stands in, where we are logged in.
fn issue(home: &Home, source: &str, root: &str) -> Option<Thread> {
    let repository = source.strip_prefix("github:")?;
    let number = root.strip_prefix("issue:")?.parse().ok()?;
    home.on_github(&Place::parse(repository)).ok()??;
    Some(Thread::Issue {
        repository: repository.to_owned(),
        number,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_a_link_and_calls_nobody() {
        let words = Words::title(
            "Fix @here <b> [x](http://e) #12",
            Some("https://github.com/acme/shop/pull/7"),
        )
        .within("See {}.");
        assert!(words.markdown.starts_with("See [Fix "), "{}", words.markdown);
        assert!(
            words
                .markdown
                .ends_with("](<https://github.com/acme/shop/pull/7>).")
        );
        for harm in ["@here", "<b>", "](http://e)", "#12"] {
            assert!(!words.markdown.contains(harm), "{harm}: {}", words.markdown);
        }
        let bare = Words::title("Fix it", Some("javascript:alert(1)"));
        assert_eq!(
            (bare.slack.as_str(), bare.markdown.as_str()),
            ("*Fix it*", "“Fix it”")
        );
    }
}
