//! GraphQL, for the three mutations that REST has not; all else is an error in GraphQL's form.

use serde_json::{Value, json};

use super::Call;
use crate::github::{
    answer::{Answer, Refusal, Reply},
    people::{Access, Need, Role},
};

const NEED: Need = Need {
    permissions: &[("pull_requests", Access::Write)],
    role: Role::Write,
};

fn error(kind: &str, path: &str, message: &str) -> Answer {
    let error = json!({ "type": kind, "path": [path], "message": message });
    Ok(Reply::new(
        200,
        json!({ "data": { path: null }, "errors": [error] }),
    ))
}

/// The first id of a pull request that stands in the text or its variables.
fn id(text: &str) -> Option<u64> {
    let rest = text.split("PR_").nth(1)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

pub(super) fn answer(call: &mut Call<'_>) -> Answer {
    let query = call
        .text("query")
        .ok_or_else(|| Refusal::new(400, "A query attribute must be specified and must be a string."))?;
    let known = [
        "markPullRequestReadyForReview",
        "convertPullRequestToDraft",
        "enablePullRequestAutoMerge",
    ];
    let Some(name) = known.into_iter().find(|name| query.contains(name)) else {
        call.world.log.complain(format!("unknown GraphQL: {query}"));
        let message = "This fake knows three mutations of pull requests only.";
        return Ok(Reply::new(
            200,
            json!({ "errors": [{ "type": "undefinedField", "message": message }] }),
        ));
    };
    let variables = &call.body["variables"];
    let wanted = id(&variables.to_string()).or_else(|| id(&query));
    let places = call.world.repositories.iter().enumerate();
    let found = places
        .flat_map(|(at, repository)| repository.issues.values().map(move |issue| (at, issue)))
        .find(|(_, issue)| issue.pull.is_some() && Some(issue.id) == wanted)
        .map(|(at, issue)| (at, issue.number));
    let missing = "Could not resolve to a node with the global id that was given.";
    let Some((at, number)) = found else {
        return error("NOT_FOUND", name, missing);
    };
    if !call.world.sees(call.actor, at) {
        return error("NOT_FOUND", name, missing);
    }
    if let Err(refusal) = call.world.allow(call.actor, at, &NEED) {
        return error("FORBIDDEN", name, &refusal.message);
    }
    let login = call.login();
    let draft = match name {
        "enablePullRequestAutoMerge" => return auto_merge(call, at, number, &query),
        name => name == "convertPullRequestToDraft",
    };
    if draft && !call.world.repositories[at].drafts {
        return error(
            "UNPROCESSABLE",
            name,
            "Draft pull requests are not supported in this repository.",
        );
    }
    call.world.make_draft(at, number, &login, draft);
    done(call, name, at, number)
}

fn auto_merge(call: &mut Call<'_>, at: usize, number: u64, query: &str) -> Answer {
    let name = "enablePullRequestAutoMerge";
    if !call.world.repositories[at].auto_merge {
        return error(
            "UNPROCESSABLE",
            name,
            "Auto merge is not allowed for this repository",
        );
    }
    match call.world.merge_state(at, number).1 {
        "clean" => return error("UNPROCESSABLE", name, "Pull request is in clean status"),
        "draft" => return error("UNPROCESSABLE", name, "Pull request is in draft state"),
        "dirty" => return error("UNPROCESSABLE", name, "Pull request is in dirty status"),
        _ => {}
    }
    let all = format!("{query}{}", call.body["variables"]);
    let method = if all.contains("SQUASH") { "squash" } else { "merge" };
    let login = call.login();
    if let Some(pull) = &mut call.world.touch(at, number).pull {
        pull.auto_merge = Some((method.to_owned(), login.clone()));
    }
    call.world.emit_pull(at, number, "auto_merge_enabled", &login);
    done(call, name, at, number)
}

fn done(call: &Call<'_>, name: &str, at: usize, number: u64) -> Answer {
    let issue = &call.world.repositories[at].issues[&number];
    let draft = issue.pull.as_ref().map(|pull| pull.draft);
    let pull: Value = json!({ "id": format!("PR_{}", issue.id), "number": number, "isDraft": draft });
    Ok(Reply::new(
        200,
        json!({ "data": { name: { "pullRequest": pull } } }),
    ))
}
