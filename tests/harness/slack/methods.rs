//! Which method does what, which scope it takes, and how often it may be asked.

use serde_json::{Value, json};

use super::{
    read::{Answer, Refusal},
    world::{APP_BOT, APP_USER, TEAM, World},
};

/// How a request ends: the status, the body, and headers.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl World {
    /// Carries out one request.
    pub(super) fn carry_out(&mut self, method: &str, token: Option<&str>, params: &Value) -> Reply {
        let refuse = |word: &str| Reply {
            status: 200,
            body: json!({ "ok": false, "error": word }),
            headers: Vec::new(),
        };
        let Some(held) = token.and_then(|token| self.tokens.get(token)).cloned() else {
            return refuse(if token.is_some() {
                "invalid_auth"
            } else {
                "not_authed"
            });
        };
        let app_level = method == "apps.connections.open";
        if app_level != token.is_some_and(|token| token.starts_with("xapp-")) {
            return refuse("not_allowed_token_type");
        }
        if let Some(wait) = self.limited(method) {
            return Reply {
                status: 429,
                body: json!({ "ok": false, "error": "ratelimited" }),
                headers: vec![("retry-after", wait.to_string())],
            };
        }
        let most = self.limits.get(method).map_or(999, |(_, most)| *most);
        let (answer, scopes): (Answer, Vec<String>) = match method {
            "auth.test" => (Ok(self.who()), Vec::new()),
            "users.list" => (self.people(params), vec!["users:read".to_owned()]),
            "users.info" => (self.one_person(params), vec!["users:read".to_owned()]),
            "users.conversations" => self.mine(params),
            "conversations.info" => one(self.info(params)),
            "conversations.history" => one(self.history(params, most)),
            "conversations.replies" => one(self.replies(params, most)),
            "chat.postMessage" | "chat.update" => {
                let scopes = vec!["chat:write".to_owned()];
                if lacks(&held.scopes, &scopes).is_some() {
                    (Err("missing_scope".into()), scopes)
                } else if method == "chat.update" {
                    (self.update(params), scopes)
                } else {
                    (self.post(params), scopes)
                }
            }
            "apps.connections.open" => (self.open_socket(), vec!["connections:write".to_owned()]),
            _ => {
                self.complaints
                    .push(format!("`{method}` is no method that the fake knows"));
                (Err("unknown_method".into()), Vec::new())
            }
        };
        let answer = match lacks(&held.scopes, &scopes) {
            Some(needed) => Err(Refusal {
                word: "missing_scope",
                needed: Some(needed),
            }),
            None => answer,
        };
        let mut body = match answer {
            Ok(body) => body,
            Err(refusal) => json!({ "error": refusal.word, "needed": refusal.needed }),
        };
        let ok = body["error"].is_null();
        if !ok && body["error"] == "missing_scope" {
            body["provided"] = json!(held.scopes.join(","));
        }
        if let Some(body) = body.as_object_mut() {
            body.insert("ok".to_owned(), json!(ok));
            body.retain(|_, value| !value.is_null());
        }
        Reply {
            status: 200,
            body,
            headers: vec![("x-oauth-scopes", held.scopes.join(","))],
        }
    }

    fn who(&self) -> Value {
        json!({
            "url": "https://acme.slack.com/", "team": "Acme", "user": "loops", "team_id": TEAM, "user_id": APP_USER,
            "bot_id": APP_BOT, "is_enterprise_install": false,
        })
    }

    /// How many seconds a method is closed; none: it is open.
    fn limited(&self, method: &str) -> Option<i64> {
        let (often, _) = self.limits.get(method)?;
        let now = self.clock();
        let mut lately: Vec<i64> = self
            .requests
            .iter()
            .filter(|one| one.method == method && one.answer == "ok" && now - one.at < 60_000)
            .map(|one| one.at)
            .collect();
        lately.sort_unstable();
        let first = lately.len().checked_sub(*often)?;
        Some(((lately[first] + 60_000 - now) + 999) / 1_000)
    }
}

fn one((answer, scope): (Answer, String)) -> (Answer, Vec<String>) {
    (answer, vec![scope])
}

fn lacks(held: &[String], wanted: &[String]) -> Option<String> {
    wanted.iter().find(|scope| !held.contains(scope)).cloned()
}
