//! Who we are, what people are called, and which channels the app is in: asked once, and kept for an hour.

use std::{collections::BTreeSet, time::Duration};

use loops::time::Timestamp;
use serde::Deserialize;

use super::{Names, Person, Slack, SlackError, call::Ask};
use crate::clock;

/// For how long what was asked counts.
const KEPT: Duration = Duration::from_secs(3600);
/// People on a page.
const PAGE: &str = "1000";
/// Larger workspaces are not listed whole: their other people are asked about one by one.
const MAX_PAGES: usize = 20;
/// How many people and channels are asked about one by one for one page of messages.
const MAX_ASKED: usize = 50;

/// Who the app is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Me {
    /// The id of its user.
    pub user_id: String,
    /// The id of its bot.
    #[serde(default)]
    pub bot_id: Option<String>,
    /// What its user is called.
    #[serde(default)]
    pub user: String,
    /// The workspace's name.
    #[serde(default)]
    pub team: String,
    /// The workspace's id.
    #[serde(default)]
    pub team_id: String,
    /// The workspace's address, with a slash at its end.
    #[serde(default)]
    pub url: String,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: String,
    /// Its name, without `#`.
    pub name: String,
    /// Only its members may read it.
    pub private: bool,
}

/// What was asked lately.
#[derive(Debug, Default)]
pub(super) struct Directory {
    me: Option<Me>,
    names: Names,
    /// Ids that nobody could say more about.
    unknown: BTreeSet<String>,
    read_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    next_cursor: String,
}

#[derive(Debug, Deserialize)]
struct People {
    #[serde(default)]
    members: Vec<Person>,
    response_metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
struct OnePerson {
    user: Person,
}

#[derive(Debug, Deserialize)]
struct RawChannel {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    is_private: bool,
    #[serde(default)]
    is_mpim: bool,
    #[serde(default)]
    is_im: bool,
}

#[derive(Debug, Deserialize)]
struct Channels {
    #[serde(default)]
    channels: Vec<RawChannel>,
    response_metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
struct OneChannel {
    channel: RawChannel,
}

impl From<RawChannel> for Channel {
    fn from(raw: RawChannel) -> Self {
        Self {
            private: raw.is_private || raw.is_mpim || raw.is_im,
            name: if raw.name.is_empty() {
                raw.id.clone()
            } else {
                raw.name
            },
            id: raw.id,
        }
    }
}

impl Slack {
    /// Who the app is.
    ///
    /// # Errors
    /// If Slack does not say so.
    pub async fn me(&self) -> Result<Me, SlackError> {
        let mut directory = self.0.directory.lock().await;
        if let Some(me) = &directory.me {
            return Ok(me.clone());
        }
        let ask = Ask::to("auth.test", "tell who we are");
        let me: Me = self.wire().read(&ask, &[]).await?;
        directory.me = Some(me.clone());
        Ok(me)
    }

    /// The channel that `written` names: `#name`, where the app is in it, or its id.
    ///
    /// # Errors
    /// If there is none that the app can see, or Slack does not say so.
    pub async fn channel(&self, written: &str) -> Result<Channel, SlackError> {
        match written.strip_prefix('#') {
            Some(name) => self.channel_by_name(written, name).await,
            None => self.channel_by_id(written).await,
        }
    }

    async fn channel_by_id(&self, id: &str) -> Result<Channel, SlackError> {
        let ask = Ask::to("conversations.info", "look at a channel").about(id);
        match self
            .wire()
            .read::<OneChannel>(&ask, &[("channel", id.to_owned())])
            .await
        {
            Ok(found) => Ok(found.channel.into()),
            Err(SlackError::NotInChannel { channel }) => Err(SlackError::NoChannel { channel }),
            Err(error) => Err(error),
        }
    }

    async fn channel_by_name(&self, written: &str, name: &str) -> Result<Channel, SlackError> {
        match self.listed("public_channel,private_channel", name).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(SlackError::NoChannel {
                channel: written.to_owned(),
            }),
            // Without the scope for private channels the public ones can still be listed.
            Err(SlackError::MissingScope { doing, needed }) => {
                let found = self.listed("public_channel", name).await?;
                found.ok_or(SlackError::MissingScope { doing, needed })
            }
            Err(error) => Err(error),
        }
    }

    /// The channel of that name among those of these types that the app is in.
    async fn listed(&self, types: &str, name: &str) -> Result<Option<Channel>, SlackError> {
        let ask = Ask::to("users.conversations", "list the channels that the app is in");
        let mut cursor = String::new();
        loop {
            let mut params = vec![
                ("types", types.to_owned()),
                ("limit", "200".to_owned()),
                ("exclude_archived", "true".to_owned()),
            ];
            if !cursor.is_empty() {
                params.push(("cursor", cursor));
            }
            let page: Channels = self.wire().read(&ask, &params).await?;
            if let Some(found) = page.channels.into_iter().find(|one| one.name == name) {
                return Ok(Some(found.into()));
            }
            cursor = page
                .response_metadata
                .map(|more| more.next_cursor)
                .unwrap_or_default();
            if cursor.is_empty() {
                return Ok(None);
            }
        }
    }

    /// What people and channels are called, these among them.
    pub(super) async fn names(
        &self,
        people: &BTreeSet<String>,
        channels: &BTreeSet<String>,
    ) -> Result<Names, SlackError> {
        let mut directory = self.0.directory.lock().await;
        let now = clock::now();
        let fresh = |at: Timestamp| now.since(at) < KEPT && at <= now;
        if !directory.read_at.is_some_and(fresh) {
            let known = std::mem::take(&mut directory.names.channels);
            directory.names = self.people().await?;
            directory.names.channels = known;
            directory.unknown.clear();
            directory.read_at = Some(now);
        }
        let mut asked = 0;
        for id in people {
            if directory.names.users.contains_key(id) || directory.unknown.contains(id) || asked >= MAX_ASKED
            {
                continue;
            }
            asked += 1;
            let ask = Ask::to("users.info", "look at a person");
            match self.wire().read::<OnePerson>(&ask, &[("user", id.clone())]).await {
                Ok(found) => directory.names.add(found.user),
                Err(SlackError::Refused { .. }) => drop(directory.unknown.insert(id.clone())),
                Err(error) => return Err(error),
            }
        }
        for id in channels {
            if directory.names.channels.contains_key(id)
                || directory.unknown.contains(id)
                || asked >= MAX_ASKED
            {
                continue;
            }
            asked += 1;
            match self.channel_by_id(id).await {
                Ok(found) if !found.private => drop(directory.names.channels.insert(id.clone(), found.name)),
                // What a private channel is called is nobody's business who was not told.
                Ok(_) | Err(SlackError::NoChannel { .. } | SlackError::MissingScope { .. }) => {
                    directory.unknown.insert(id.clone());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(directory.names.clone())
    }

    async fn people(&self) -> Result<Names, SlackError> {
        let ask = Ask::to("users.list", "list people");
        let mut all = Vec::new();
        let mut cursor = String::new();
        for _ in 0..MAX_PAGES {
            let mut params = vec![("limit", PAGE.to_owned())];
            if !cursor.is_empty() {
                params.push(("cursor", cursor));
            }
            let page: People = self.wire().read(&ask, &params).await?;
            all.extend(page.members);
            cursor = page
                .response_metadata
                .map(|more| more.next_cursor)
                .unwrap_or_default();
            if cursor.is_empty() {
                break;
            }
        }
        Ok(Names::of(all))
    }
}
