//! What a workspace is: people, channels, messages; and what people do there.
//!
//! How it looks over HTTP is in `read` and `write`; every edit that Slack would tell of makes an event.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use super::{Request, events::Delivery, faults::Faults, socket::Socket};

/// A person.
#[derive(Debug, Clone)]
pub struct User {
    /// Its id, like `U000000001`.
    pub id: String,
    /// The name of the account.
    pub name: String,
    /// What others see.
    pub display_name: String,
    /// Whether it is an app's.
    pub is_bot: bool,
}

/// A channel.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Its id, like `C000000001`.
    pub id: String,
    /// Without `#`.
    pub name: String,
    /// Whether only members may see it.
    pub private: bool,
    /// Ids of people and apps.
    pub members: Vec<String>,
    /// By time.
    pub messages: BTreeMap<String, Message>,
}

/// A message.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Its id and time.
    pub ts: String,
    /// Who wrote it.
    pub user: String,
    /// Of an app, its bot.
    pub bot: Option<String>,
    /// The words, as Slack writes them.
    pub text: String,
    /// The first message of its thread; none: it answers nothing.
    pub thread: Option<String>,
    /// An answer that the channel sees, too.
    pub broadcast: bool,
    /// Reaction name and who gave it.
    pub reactions: BTreeMap<String, Vec<String>>,
    /// When it was edited.
    pub edited: Option<String>,
    /// It was deleted, and has answers.
    pub tombstone: bool,
    /// Such as `channel_join`.
    pub subtype: Option<String>,
    /// What an app wrote into it, unseen.
    pub metadata: Option<Value>,
}

/// A token, and what it may do.
#[derive(Debug, Clone)]
pub struct Token {
    /// Who it speaks for.
    pub user: String,
    /// What it may do.
    pub scopes: Vec<String>,
}

/// A workspace.
#[derive(Debug)]
pub struct World {
    /// People and apps, by id.
    pub users: BTreeMap<String, User>,
    /// Channels, by id.
    pub channels: BTreeMap<String, Channel>,
    /// Tokens, by their text.
    pub tokens: BTreeMap<String, Token>,
    /// Milliseconds since the Unix epoch; none: the system's clock.
    pub now: Option<i64>,
    /// By method: how often a minute, and how many things on a page at most.
    pub limits: BTreeMap<String, (usize, usize)>,
    /// Where events are sent; empty: nowhere over HTTP.
    pub events_url: String,
    /// Whether events go over sockets.
    pub socket_mode: bool,
    /// Nobody is told what an app wrote into its messages, unseen.
    pub forgets_metadata: bool,
    /// Everything that was or is to be sent.
    pub deliveries: Vec<Delivery>,
    pub(super) sockets: Vec<Socket>,
    pub(super) requests: Vec<Request>,
    pub(super) complaints: Vec<String>,
    pub(super) faults: Faults,
    pub(super) socket_url: String,
    last: i64,
    count: u32,
}

/// The app's user.
pub(super) const APP_USER: &str = "U0LOOPSBOT";
/// The app's bot.
pub(super) const APP_BOT: &str = "B0LOOPSBOT";
/// The workspace.
pub(super) const TEAM: &str = "T0ACME";

impl World {
    pub(super) fn new(socket_url: String) -> Self {
        let app = User {
            id: APP_USER.to_owned(),
            name: "loops".to_owned(),
            display_name: "Loops".to_owned(),
            is_bot: true,
        };
        Self {
            users: [(APP_USER.to_owned(), app)].into(),
            channels: BTreeMap::new(),
            tokens: BTreeMap::new(),
            now: None,
            limits: BTreeMap::new(),
            events_url: String::new(),
            socket_mode: false,
            forgets_metadata: false,
            deliveries: Vec::new(),
            sockets: Vec::new(),
            requests: Vec::new(),
            complaints: Vec::new(),
            faults: Faults::default(),
            socket_url,
            last: 0,
            count: 0,
        }
    }

    /// Milliseconds since the Unix epoch.
    pub fn clock(&self) -> i64 {
        self.now.unwrap_or_else(|| {
            let since = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .expect("it is after 1970");
            i64::try_from(since.as_millis()).expect("it is before the year 292,000,000")
        })
    }

    fn next(&mut self, kind: char) -> String {
        self.count += 1;
        format!("{kind}{:09}", self.count)
    }

    /// An id and time that no message has: each is later than those before.
    fn ts(&mut self) -> String {
        let micros = (self.clock() * 1_000).max(self.last + 100);
        self.last = micros;
        format!("{:010}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }

    /// The strict limits for apps outside the Marketplace.
    pub fn strict(&mut self) {
        for method in ["conversations.history", "conversations.replies"] {
            self.limits.insert(method.to_owned(), (1, 15));
        }
    }

    /// A token of the app with these scopes.
    pub fn token(&mut self, scopes: &[&str]) -> String {
        let kind = if scopes == ["connections:write"] {
            "xapp-1"
        } else {
            "xoxb"
        };
        let text = format!("{kind}-of-a-test-{}", self.tokens.len());
        let token = Token {
            user: APP_USER.to_owned(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        };
        self.tokens.insert(text.clone(), token);
        text
    }

    /// A person; the id.
    pub fn person(&mut self, name: &str) -> String {
        let id = self.next('U');
        let user = User {
            id: id.clone(),
            name: name.to_lowercase(),
            display_name: name.to_owned(),
            is_bot: false,
        };
        self.users.insert(id.clone(), user);
        id
    }

    /// Another app; the id of its user. Its bot's is the same with a `B`.
    pub fn app(&mut self, name: &str) -> String {
        let id = self.person(name);
        if let Some(user) = self.users.get_mut(&id) {
            user.is_bot = true;
        }
        id
    }

    /// A public channel that the app is in; the id.
    pub fn channel(&mut self, name: &str) -> String {
        self.make_channel(name, false)
    }

    /// A private channel that the app is in; the id.
    pub fn private_channel(&mut self, name: &str) -> String {
        self.make_channel(name, true)
    }

    fn make_channel(&mut self, name: &str, private: bool) -> String {
        let id = self.next(if private { 'G' } else { 'C' });
        let channel = Channel {
            id: id.clone(),
            name: name.to_owned(),
            private,
            members: vec![APP_USER.to_owned()],
            messages: BTreeMap::new(),
        };
        self.channels.insert(id.clone(), channel);
        id
    }

    /// A channel by its id.
    ///
    /// # Panics
    /// If there is none.
    pub fn in_channel(&mut self, id: &str) -> &mut Channel {
        self.channels.get_mut(id).expect("there is such a channel")
    }

    /// A message by its channel and time.
    ///
    /// # Panics
    /// If there is none.
    pub fn message(&mut self, channel: &str, ts: &str) -> &mut Message {
        self.in_channel(channel)
            .messages
            .get_mut(ts)
            .expect("there is such a message")
    }

    /// Somebody says something; its time.
    pub fn say(&mut self, channel: &str, user: &str, text: &str) -> String {
        self.add(channel, user, text, Message::default())
    }

    /// Somebody answers in a thread; its time.
    pub fn reply(&mut self, channel: &str, thread: &str, user: &str, text: &str) -> String {
        let message = Message {
            thread: Some(thread.to_owned()),
            ..Message::default()
        };
        self.add(channel, user, text, message)
    }

    /// Adds a message of any kind; its time.
    pub fn add(&mut self, channel: &str, user: &str, text: &str, message: Message) -> String {
        let ts = self.ts();
        let bot = self.users.get(user).is_some_and(|user| user.is_bot).then(|| {
            if user == APP_USER {
                APP_BOT.to_owned()
            } else {
                user.replacen('U', "B", 1)
            }
        });
        let message = Message {
            ts: ts.clone(),
            user: user.to_owned(),
            bot,
            text: text.to_owned(),
            ..message
        };
        self.in_channel(channel).messages.insert(ts.clone(), message);
        let mut event = self.shown(channel, &ts, false);
        event["channel"] = json!(channel);
        event["event_ts"] = json!(ts);
        event["channel_type"] = json!(if self.in_channel(channel).private {
            "group"
        } else {
            "channel"
        });
        self.happen(event);
        ts
    }

    /// Somebody edits a message.
    pub fn edit(&mut self, channel: &str, ts: &str, text: &str) {
        let at = self.ts();
        let message = self.message(channel, ts);
        text.clone_into(&mut message.text);
        message.edited = Some(at.clone());
        let message = self.shown(channel, ts, false);
        self.happen(json!({
            "type": "message", "subtype": "message_changed", "hidden": true, "channel": channel, "ts": at,
            "event_ts": at, "channel_type": "channel", "message": message,
        }));
    }

    /// Somebody deletes a message. One that has answers leaves a tombstone, until the last of them is gone.
    pub fn delete(&mut self, channel: &str, ts: &str) {
        let at = self.ts();
        let there = self.in_channel(channel);
        let has_answers = |of: &str, there: &Channel| {
            there
                .messages
                .values()
                .any(|message| message.thread.as_deref() == Some(of))
        };
        if has_answers(ts, there) {
            if let Some(message) = there.messages.get_mut(ts) {
                *message = Message {
                    ts: ts.to_owned(),
                    user: "USLACKBOT".to_owned(),
                    text: "This message was deleted.".to_owned(),
                    tombstone: true,
                    ..Message::default()
                };
            }
        } else if let Some(gone) = there.messages.remove(ts)
            && let Some(root) = gone.thread
            && there.messages.get(&root).is_some_and(|root| root.tombstone)
            && !has_answers(&root, there)
        {
            there.messages.remove(&root);
        }
        self.happen(json!({
            "type": "message", "subtype": "message_deleted", "hidden": true, "channel": channel, "ts": at,
            "event_ts": at, "channel_type": "channel", "deleted_ts": ts,
        }));
    }

    /// Somebody gives a reaction.
    pub fn react(&mut self, channel: &str, ts: &str, user: &str, name: &str) {
        let given = self
            .message(channel, ts)
            .reactions
            .entry(name.to_owned())
            .or_default();
        if !given.iter().any(|one| one == user) {
            given.push(user.to_owned());
        }
        let at = self.ts();
        self.happen(json!({
            "type": "reaction_added", "user": user, "reaction": name, "event_ts": at,
            "item": { "type": "message", "channel": channel, "ts": ts },
        }));
    }

    /// Somebody takes a reaction back.
    pub fn unreact(&mut self, channel: &str, ts: &str, user: &str, name: &str) {
        let message = self.message(channel, ts);
        if let Some(given) = message.reactions.get_mut(name) {
            given.retain(|one| one != user);
        }
        message.reactions.retain(|_, given| !given.is_empty());
    }

    /// What the app has said in a channel, oldest first.
    pub fn said_by_us(&self, channel: &str) -> Vec<Message> {
        let all = self
            .channels
            .get(channel)
            .into_iter()
            .flat_map(|channel| channel.messages.values());
        all.filter(|message| message.user == APP_USER && !message.tombstone)
            .cloned()
            .collect()
    }
}
