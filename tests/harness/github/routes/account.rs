//! Who I am, what my App is, where it is installed, and how many requests are left.

use serde_json::{Map, Value, json};

use super::Call;
use crate::github::{
    answer::{Answer, Refusal, Reply},
    json::{permissions_json, time},
    people::{Access, Actor, Holder, Selection},
};

pub(super) fn user(call: &mut Call<'_>) -> Answer {
    if let Some(Holder::Installation { .. }) = call.world.holder(call.actor) {
        return Err(Refusal::new(403, "Resource not accessible by integration"));
    }
    let mut user = call.world.user_json(call.actor.login());
    let at = time(call.world.now.min(crate::github::START));
    for (field, value) in [
        ("name", json!(call.actor.login())),
        ("company", Value::Null),
        ("blog", Value::Null),
        ("location", Value::Null),
        ("email", Value::Null),
        ("hireable", Value::Null),
        ("bio", Value::Null),
        ("twitter_username", Value::Null),
        ("created_at", json!(at)),
        ("updated_at", json!(at)),
        ("two_factor_authentication", json!(true)),
    ] {
        user[field] = value;
    }
    let counts = [
        "public_repos",
        "public_gists",
        "followers",
        "following",
        "private_gists",
    ];
    let more = [
        "total_private_repos",
        "owned_private_repos",
        "disk_usage",
        "collaborators",
    ];
    for field in counts.iter().chain(&more) {
        user[*field] = json!(0);
    }
    Ok(Reply::new(200, user))
}

pub(super) fn rate_limit(call: &mut Call<'_>) -> Answer {
    let Actor::Token { text, .. } = call.actor else {
        return Err(Refusal::not_found());
    };
    // Begins a new hour where one is over; that it may be used up is what is asked here.
    let _ = call.world.within_limit(call.actor);
    let token = call.world.token(text);
    let rate = json!({
        "limit": token.limit,
        "used": token.used,
        "remaining": token.limit - token.used,
        "reset": token.resets / 1_000,
    });
    Ok(Reply::new(
        200,
        json!({ "resources": { "core": rate, "search": rate }, "rate": rate }),
    ))
}

fn own_app(call: &Call<'_>) -> Result<u64, Refusal> {
    match call.actor {
        Actor::App(id) => Ok(*id),
        Actor::Token { .. } | Actor::Nobody => Err(Refusal::not_found()),
    }
}

pub(super) fn app(call: &mut Call<'_>) -> Answer {
    Ok(Reply::new(200, call.world.app_json(own_app(call)?)))
}

pub(super) fn installations(call: &mut Call<'_>) -> Answer {
    let app = own_app(call)?;
    let own = call.world.installations.iter().filter(|one| one.app == app);
    let list = own.map(|one| call.world.installation_json(one.id)).collect();
    Ok(call.page(list))
}

pub(super) fn installation(call: &mut Call<'_>) -> Answer {
    let app = own_app(call)?;
    let repository = &call.world.repositories[call.at];
    let name = repository.full_name();
    let reaches = |selection: &Selection| match selection {
        Selection::All => true,
        Selection::Only(names) => names.contains(&name),
    };
    let found = call
        .world
        .installations
        .iter()
        .find(|one| one.app == app && one.owner == repository.owner && reaches(&one.selection));
    let id = found.ok_or_else(Refusal::not_found)?.id;
    Ok(Reply::new(200, call.world.installation_json(id)))
}

/// Where an App is installed by an owner, whichever repositories it reaches there.
pub(super) fn installation_of(call: &mut Call<'_>) -> Answer {
    let (app, owner) = (own_app(call)?, call.parameter("username"));
    let mut all = call.world.installations.iter();
    let found = all.find(|one| one.app == app && one.owner.eq_ignore_ascii_case(owner));
    let id = found.ok_or_else(Refusal::not_found)?.id;
    Ok(Reply::new(200, call.world.installation_json(id)))
}

pub(super) fn access_token(call: &mut Call<'_>) -> Answer {
    let (app, id) = (own_app(call)?, call.number("installation_id")?);
    let found = call
        .world
        .installations
        .iter()
        .find(|one| one.id == id && one.app == app);
    let installation = found.cloned().ok_or_else(Refusal::not_found)?;
    if installation.suspended {
        return Err(Refusal::new(403, "This installation has been suspended"));
    }
    let too_much = || {
        Refusal::new(
            422,
            "The permissions requested are not granted to this installation.",
        )
    };
    let mut permissions = installation.permissions.clone();
    if let Some(asked) = call.body["permissions"].as_object() {
        permissions.clear();
        for (name, word) in asked {
            let access = word.as_str().and_then(Access::parse).ok_or_else(too_much)?;
            if installation.permissions.get(name).is_none_or(|has| *has < access) {
                return Err(too_much());
            }
            permissions.insert(name.clone(), access);
        }
        permissions.insert("metadata".to_owned(), Access::Read);
    }
    let mut selection = installation.selection.clone();
    let names = call.texts("repositories");
    if !names.is_empty() {
        let full: Vec<String> = names
            .iter()
            .map(|name| format!("{}/{name}", installation.owner))
            .collect();
        let reached = |name: &String| match &installation.selection {
            Selection::All => call.world.find(name).is_some(),
            Selection::Only(names) => names.contains(name),
        };
        if !full.iter().all(reached) {
            let message = "There is at least one repository that does not exist or is not accessible to the parent installation.";
            return Err(Refusal::new(422, message));
        }
        selection = Selection::Only(full.into_iter().collect());
    }
    let word = match selection {
        Selection::All => "all",
        Selection::Only(_) => "selected",
    };
    let shown = permissions_json(&permissions);
    let (token, expires) = call.world.installation_token(id, selection, permissions);
    let mut body = Map::new();
    body.insert("token".to_owned(), json!(token));
    body.insert("expires_at".to_owned(), json!(time(expires)));
    body.insert("permissions".to_owned(), shown);
    body.insert("repository_selection".to_owned(), json!(word));
    Ok(Reply::new(201, Value::Object(body)))
}

pub(super) fn repositories(call: &mut Call<'_>) -> Answer {
    let Some(holder @ Holder::Installation { .. }) = call.world.holder(call.actor) else {
        return Err(Refusal::new(
            403,
            "You must authenticate with an installation access token in order to list repositories for an installation.",
        ));
    };
    let reached = (0..call.world.repositories.len()).filter(|&at| call.world.selected(holder, at).is_some());
    let list = reached.map(|at| call.world.repo_json(at)).collect();
    Ok(call.page_in("repositories", list))
}
