//! What the Web API shows: how messages, people and channels look, and pages of them.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::world::{Channel, Message, TEAM, User, World};

/// What an endpoint gives: its fields, or Slack's word for an error.
pub(super) type Answer = Result<Value, Refusal>;

/// A refusal: the word, and the scope that was missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) word: &'static str,
    pub(super) needed: Option<String>,
}

impl From<&'static str> for Refusal {
    fn from(word: &'static str) -> Self {
        Self { word, needed: None }
    }
}

fn person(user: &User) -> Value {
    json!({
        "id": user.id, "team_id": TEAM, "name": user.name, "deleted": false, "real_name": user.display_name,
        "is_bot": user.is_bot, "is_app_user": false, "updated": 1,
        "profile": { "display_name": user.display_name, "real_name": user.display_name, "team": TEAM },
    })
}

fn channel(channel: &Channel) -> Value {
    json!({
        "id": channel.id, "name": channel.name, "is_channel": !channel.private, "is_group": channel.private,
        "is_private": channel.private, "is_im": false, "is_mpim": false, "is_archived": false, "is_member": true,
        "created": 1, "name_normalized": channel.name,
    })
}

/// A number among the parameters, whether it came as text or not.
fn number(params: &Value, key: &str) -> Option<usize> {
    let value = &params[key];
    value
        .as_u64()
        .and_then(|n| usize::try_from(n).ok())
        .or_else(|| value.as_str()?.parse().ok())
}

fn is_set(params: &Value, key: &str) -> bool {
    params[key] == json!(true) || matches!(params[key].as_str(), Some("true" | "1"))
}

fn seal(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

fn unseal(cursor: &str, kind: &str) -> Result<String, Refusal> {
    let bytes = BASE64_STANDARD.decode(cursor).map_err(|_| "invalid_cursor")?;
    let text = String::from_utf8(bytes).map_err(|_| "invalid_cursor")?;
    Ok(text.strip_prefix(kind).ok_or("invalid_cursor")?.to_owned())
}

impl World {
    /// A message as Slack writes it.
    pub(super) fn shown(&self, in_channel: &str, ts: &str, metadata: bool) -> Value {
        let there = &self.channels[in_channel];
        let message = &there.messages[ts];
        let mut shown =
            json!({ "type": "message", "user": message.user, "ts": ts, "text": message.text, "team": TEAM });
        let answers: Vec<&Message> = there
            .messages
            .values()
            .filter(|one| one.thread.as_deref() == Some(ts))
            .collect();
        if message.tombstone {
            shown["subtype"] = json!("tombstone");
            shown["hidden"] = json!(true);
        } else {
            shown["client_msg_id"] = json!(format!("of-{ts}"));
            // What clients show in the place of the text; a kind that nobody has heard of is among them.
            shown["blocks"] =
                json!([{ "type": "rich_text", "block_id": "b", "elements": [] }, { "type": "new_thing" }]);
        }
        if let Some(subtype) = &message.subtype {
            shown["subtype"] = json!(subtype);
        }
        if let Some(bot) = &message.bot {
            let name = self
                .users
                .get(&message.user)
                .map(|user| user.display_name.clone());
            shown["bot_id"] = json!(bot);
            shown["app_id"] = json!("A0APP");
            shown["bot_profile"] =
                json!({ "id": bot, "name": name, "team_id": TEAM, "app_id": "A0APP", "deleted": false });
        }
        if let Some(edited) = &message.edited {
            shown["edited"] = json!({ "user": message.user, "ts": edited });
        }
        if let Some(thread) = &message.thread {
            shown["thread_ts"] = json!(thread);
            shown["parent_user_id"] = json!(there.messages.get(thread).map(|root| &root.user));
            if message.broadcast {
                shown["subtype"] = json!("thread_broadcast");
            }
        }
        if let Some(last) = answers.last() {
            let mut users: Vec<&String> = answers.iter().map(|one| &one.user).collect();
            users.sort();
            users.dedup();
            shown["thread_ts"] = json!(ts);
            shown["reply_count"] = json!(answers.len());
            shown["reply_users_count"] = json!(users.len());
            shown["latest_reply"] = json!(last.ts);
            shown["reply_users"] = json!(users);
            shown["is_locked"] = json!(false);
            shown["subscribed"] = json!(false);
        }
        if !message.reactions.is_empty() {
            let all = message.reactions.iter();
            shown["reactions"] = all
                .map(|(name, users)| json!({ "name": name, "users": users, "count": users.len() }))
                .collect();
        }
        if let (true, Some(metadata)) = (metadata && !self.forgets_metadata, &message.metadata) {
            shown["metadata"] = metadata.clone();
        }
        shown
    }

    /// A channel that may be read, and the scope that it takes.
    fn readable(&self, params: &Value, what: &str) -> Result<(&Channel, String), Refusal> {
        let id = params["channel"].as_str().unwrap_or_default();
        let there = self.channels.get(id).ok_or("channel_not_found")?;
        let kind = if there.private { "groups" } else { "channels" };
        let member = there.members.iter().any(|one| one == super::world::APP_USER);
        match (member, there.private) {
            (false, true) => Err("channel_not_found".into()),
            (false, false) if what != "read" => Err("not_in_channel".into()),
            _ => Ok((there, format!("{kind}:{what}"))),
        }
    }

    pub(super) fn info(&self, params: &Value) -> (Answer, String) {
        match self.readable(params, "read") {
            Ok((there, scope)) => (Ok(json!({ "channel": channel(there) })), scope),
            Err(refusal) => (Err(refusal), "channels:read".to_owned()),
        }
    }

    pub(super) fn history(&self, params: &Value, most: usize) -> (Answer, String) {
        let (there, scope) = match self.readable(params, "history") {
            Ok(found) => found,
            Err(refusal) => return (Err(refusal), "channels:history".to_owned()),
        };
        let shown = |one: &&Message| one.thread.is_none() || one.broadcast;
        (self.page(there, params, most, shown, true), scope)
    }

    pub(super) fn replies(&self, params: &Value, most: usize) -> (Answer, String) {
        let (there, scope) = match self.readable(params, "history") {
            Ok(found) => found,
            Err(refusal) => return (Err(refusal), "channels:history".to_owned()),
        };
        let root = params["ts"].as_str().unwrap_or_default().to_owned();
        if !there.messages.contains_key(&root) {
            return (Err("thread_not_found".into()), scope);
        }
        let mut answer = self.page(
            there,
            params,
            most,
            |one| one.thread.as_deref() == Some(&root),
            false,
        );
        // The first message comes first, on every page that was not asked for by a cursor.
        if let (Ok(answer), None) = (&mut answer, params["cursor"].as_str())
            && let Some(messages) = answer["messages"].as_array_mut()
        {
            messages.insert(
                0,
                self.shown(&there.id, &root, is_set(params, "include_all_metadata")),
            );
        }
        (answer, scope)
    }

    /// A page of messages between `oldest` and `latest`. With `latest` the page is the one closest to it, with `oldest`
    /// alone the one closest to that; a thread is told from its beginning.
    fn page(
        &self,
        there: &Channel,
        params: &Value,
        most: usize,
        keep: impl Fn(&&Message) -> bool,
        newest_first: bool,
    ) -> Answer {
        let text = |key: &str| params[key].as_str().unwrap_or_default().to_owned();
        let (oldest, latest, cursor) = (text("oldest"), text("latest"), text("cursor"));
        let inclusive = is_set(params, "inclusive");
        let metadata = is_set(params, "include_all_metadata");
        let limit = number(params, "limit").unwrap_or(100).clamp(1, most);
        let after = |ts: &str| oldest.is_empty() || ts > oldest.as_str() || inclusive && ts == oldest;
        let before = |ts: &str| latest.is_empty() || ts < latest.as_str() || inclusive && ts == latest;
        let mut all: Vec<&Message> = there
            .messages
            .values()
            .filter(keep)
            .filter(|one| after(&one.ts) && before(&one.ts))
            .collect();
        let from_oldest = !newest_first || !oldest.is_empty() && latest.is_empty();
        if !from_oldest {
            all.reverse();
        }
        if !cursor.is_empty() {
            let next = unseal(&cursor, "next_ts:")?;
            all.retain(|one| {
                if from_oldest {
                    one.ts >= next
                } else {
                    one.ts <= next
                }
            });
        }
        let next = all.get(limit).map(|one| one.ts.clone());
        all.truncate(limit);
        if newest_first && from_oldest {
            all.reverse();
        }
        let messages: Vec<Value> = all
            .iter()
            .map(|one| self.shown(&there.id, &one.ts, metadata))
            .collect();
        let mut answer = json!({ "messages": messages, "has_more": next.is_some(), "pin_count": 0 });
        if let Some(next) = next {
            answer["response_metadata"] = json!({ "next_cursor": seal(&format!("next_ts:{next}")) });
        }
        Ok(answer)
    }

    pub(super) fn people(&self, params: &Value) -> Answer {
        let limit = number(params, "limit").unwrap_or(100).clamp(1, 1000);
        let from = match params["cursor"].as_str() {
            Some(cursor) if !cursor.is_empty() => unseal(cursor, "user:")?,
            _ => String::new(),
        };
        let mut all = self.users.range(from..).map(|(_, user)| user);
        let members: Vec<Value> = all.by_ref().take(limit).map(person).collect();
        let next = all
            .next()
            .map(|user| seal(&format!("user:{}", user.id)))
            .unwrap_or_default();
        Ok(json!({ "members": members, "cache_ts": 1, "response_metadata": { "next_cursor": next } }))
    }

    pub(super) fn one_person(&self, params: &Value) -> Answer {
        let user = self.users.get(params["user"].as_str().unwrap_or_default());
        Ok(json!({ "user": person(user.ok_or("user_not_found")?) }))
    }

    pub(super) fn mine(&self, params: &Value) -> (Answer, Vec<String>) {
        let types = params["types"].as_str().unwrap_or("public_channel").to_owned();
        let private = types.contains("private_channel");
        let public = types.contains("public_channel");
        let limit = number(params, "limit").unwrap_or(100).clamp(1, 999);
        let mut scopes = Vec::new();
        scopes.extend(public.then(|| "channels:read".to_owned()));
        scopes.extend(private.then(|| "groups:read".to_owned()));
        let from = match params["cursor"].as_str() {
            Some(cursor) if !cursor.is_empty() => match unseal(cursor, "channel:") {
                Ok(from) => from,
                Err(refusal) => return (Err(refusal), scopes),
            },
            _ => String::new(),
        };
        let ours = |one: &&Channel| {
            one.members.iter().any(|member| member == super::world::APP_USER)
                && if one.private { private } else { public }
        };
        let mut all = self
            .channels
            .range(from..)
            .map(|(_, channel)| channel)
            .filter(ours);
        let channels: Vec<Value> = all.by_ref().take(limit).map(channel).collect();
        let next = all
            .next()
            .map(|one| seal(&format!("channel:{}", one.id)))
            .unwrap_or_default();
        let answer = json!({ "channels": channels, "response_metadata": { "next_cursor": next } });
        (Ok(answer), scopes)
    }
}
