//! Issues (pull requests among them, as at GitHub), their comments, labels and reactions.

use serde_json::{Value, json};

use super::{Call, bounded};
use crate::github::{
    answer::{Answer, Refusal, Reply},
    json::time,
    people::Role,
    things::{Comment, Issue},
};

/// Whether the hour that a `since` names is not later than a time.
fn since(call: &Call<'_>, at: i64) -> bool {
    // ISO times of one zone compare as texts.
    call.asks("since")
        .is_none_or(|since| time(at).as_str() >= &since[..since.len().min(20)])
}

fn turned_on(call: &Call<'_>) -> Result<(), Refusal> {
    match call.world.repositories[call.at].has_issues {
        true => Ok(()),
        false => Err(Refusal::new(410, "Issues has been disabled in this repository.")),
    }
}

fn may_triage(call: &Call<'_>) -> bool {
    // An installation has no role: its permission was asked before.
    call.login().ends_with("[bot]") || call.world.role(call.at, call.actor.login()) >= Some(Role::Triage)
}

fn one<'a>(call: &'a Call<'_>) -> Result<&'a Issue, Refusal> {
    let number = call.number("issue_number")?;
    let repository = &call.world.repositories[call.at];
    let found = repository.issues.get(&number).ok_or_else(Refusal::not_found)?;
    match repository.has_issues || found.pull.is_some() {
        true => Ok(found),
        false => Err(Refusal::new(410, "Issues has been disabled in this repository.")),
    }
}

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    turned_on(call)?;
    let state = call.asks("state").unwrap_or("open");
    let labels: Vec<&str> = call
        .asks("labels")
        .map(|all| all.split(',').collect())
        .unwrap_or_default();
    let fits = |issue: &&Issue| {
        (state == "all" || issue.open == (state == "open"))
            && labels
                .iter()
                .all(|name| issue.labels.iter().any(|has| has.eq_ignore_ascii_case(name)))
            && call.asks("creator").is_none_or(|login| login == issue.author)
            && call
                .asks("assignee")
                .is_none_or(|login| issue.assignees.iter().any(|one| one == login))
            && since(call, issue.updated)
    };
    let mut found: Vec<&Issue> = call.world.repositories[call.at]
        .issues
        .values()
        .filter(fits)
        .collect();
    let comments = |number: u64| {
        call.world.repositories[call.at]
            .comments
            .values()
            .filter(|one| one.issue == number)
            .count() as i64
    };
    found.sort_by_key(|issue| {
        let key = match call.asks("sort") {
            Some("updated") => issue.updated,
            Some("comments") => comments(issue.number),
            _ => issue.created,
        };
        (key, issue.number)
    });
    if call.asks("direction") != Some("asc") {
        found.reverse();
    }
    let list = found
        .iter()
        .map(|issue| call.world.issue_json(call.at, issue.number))
        .collect();
    Ok(call.page(list))
}

pub(super) fn get(call: &mut Call<'_>) -> Answer {
    let number = one(call)?.number;
    Ok(Reply::new(200, call.world.issue_alone_json(call.at, number)))
}

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    turned_on(call)?;
    let title = call.prose("Issue", "title")?;
    if title.chars().count() > 256 {
        return Err(Refusal::custom(
            "Issue",
            "title is too long (maximum is 256 characters)",
        ));
    }
    let body = call.text("body");
    bounded("Issue", body.as_deref().unwrap_or_default())?;
    let login = call.login();
    let number = call.world.make_issue(call.at, &login, &title, body, None);
    // From those without the right, labels and assignees are dropped in silence.
    if may_triage(call) {
        for label in call.texts("labels") {
            call.world.add_label(call.at, number, &label, &login);
        }
        let assignees = call.texts("assignees");
        call.world.touch(call.at, number).assignees = assignees;
    }
    let body = call.world.issue_alone_json(call.at, number);
    let url = body["url"].as_str().unwrap_or_default().to_owned();
    Ok(Reply::new(201, body).with("location", url))
}

pub(super) fn edit(call: &mut Call<'_>) -> Answer {
    let issue = one(call)?;
    let (number, author) = (issue.number, issue.author.clone());
    let login = call.login();
    if author != login && !may_triage(call) {
        return Err(Refusal::new(403, "Must have admin rights to Repository."));
    }
    if let Some(body) = call.text("body") {
        bounded("Issue", &body)?;
        call.world.touch(call.at, number).body = Some(body);
        call.world.emit_issue(call.at, number, "edited", &login);
    }
    if let Some(title) = call.text("title") {
        call.world.touch(call.at, number).title = title;
    }
    if call.body["assignees"].is_array() {
        let assignees = call.texts("assignees");
        call.world.touch(call.at, number).assignees = assignees;
    }
    if call.body["labels"].is_array() {
        let wanted = call.texts("labels");
        let has = call.world.touch(call.at, number).labels.clone();
        for gone in has.iter().filter(|label| !wanted.contains(label)) {
            call.world.remove_label(call.at, number, gone, &login);
        }
        for label in &wanted {
            call.world.add_label(call.at, number, label, &login);
        }
    }
    match call.text("state").as_deref() {
        None => {}
        Some(state @ ("open" | "closed")) => {
            let reason = call.text("state_reason");
            call.world
                .set_open(call.at, number, state == "open", reason.as_deref(), &login);
        }
        Some(_) => return Err(Refusal::field("Issue", "state", "invalid")),
    }
    Ok(Reply::new(200, call.world.issue_alone_json(call.at, number)))
}

// --- comments -----------------------------------------------------------------------------------------------------

pub(super) fn comments_of_all(call: &mut Call<'_>) -> Answer {
    let all = call.world.repositories[call.at].comments.values();
    let mut found: Vec<&Comment> = all.filter(|comment| since(call, comment.updated)).collect();
    let by_update = call.asks("sort") == Some("updated");
    found.sort_by_key(|one| (if by_update { one.updated } else { one.created }, one.id));
    if call.asks("direction") == Some("desc") || (by_update && call.asks("direction").is_none()) {
        found.reverse();
    }
    let list = found
        .iter()
        .map(|one| call.world.comment_json(call.at, one.id))
        .collect();
    Ok(call.page(list))
}

pub(super) fn comments(call: &mut Call<'_>) -> Answer {
    let number = one(call)?.number;
    let all = call.world.repositories[call.at].comments.values();
    let found = all.filter(|one| one.issue == number && since(call, one.updated));
    let list = found
        .map(|one| call.world.comment_json(call.at, one.id))
        .collect();
    Ok(call.page(list))
}

pub(super) fn comment(call: &mut Call<'_>) -> Answer {
    let id = own_comment(call)?.id;
    Ok(Reply::new(200, call.world.comment_json(call.at, id)))
}

fn own_comment<'a>(call: &'a Call<'_>) -> Result<&'a Comment, Refusal> {
    let id = call.number("comment_id")?;
    call.world.repositories[call.at]
        .comments
        .get(&id)
        .ok_or_else(Refusal::not_found)
}

pub(super) fn create_comment(call: &mut Call<'_>) -> Answer {
    let issue = one(call)?;
    let (number, locked) = (issue.number, issue.locked);
    if locked && call.world.role(call.at, call.actor.login()) < Some(Role::Write) {
        return Err(Refusal::new(
            403,
            "Unable to create comment because issue is locked.",
        ));
    }
    let body = call.prose("IssueComment", "body")?;
    let login = call.login();
    let id = call.world.make_comment(call.at, number, &login, &body);
    let body = call.world.comment_json(call.at, id);
    let url = body["url"].as_str().unwrap_or_default().to_owned();
    Ok(Reply::new(201, body).with("location", url))
}

/// The author's own, or of those who write here.
fn may_change(call: &Call<'_>) -> Result<u64, Refusal> {
    let comment = own_comment(call)?;
    let writes = call.world.role(call.at, call.actor.login()) >= Some(Role::Write);
    match writes || comment.author == call.actor.login() {
        true => Ok(comment.id),
        false => Err(Refusal::new(403, "Must have admin rights to Repository.")),
    }
}

pub(super) fn edit_comment(call: &mut Call<'_>) -> Answer {
    let id = may_change(call)?;
    let body = call.prose("IssueComment", "body")?;
    let login = call.login();
    call.world.set_comment(call.at, id, &body, &login);
    Ok(Reply::new(200, call.world.comment_json(call.at, id)))
}

pub(super) fn delete_comment(call: &mut Call<'_>) -> Answer {
    let id = may_change(call)?;
    let login = call.login();
    call.world.drop_comment(call.at, id, &login);
    Ok(Reply::empty(204))
}

// --- reactions ----------------------------------------------------------------------------------------------------

pub(super) fn reactions(call: &mut Call<'_>) -> Answer {
    let reactions = &one(call)?.reactions;
    let found = reactions
        .iter()
        .filter(|one| call.asks("content").is_none_or(|asked| asked == one.content));
    let list = found.map(|reaction| call.world.reaction_json(reaction)).collect();
    Ok(call.page(list))
}

pub(super) fn comment_reactions(call: &mut Call<'_>) -> Answer {
    let reactions = &own_comment(call)?.reactions;
    let found = reactions
        .iter()
        .filter(|one| call.asks("content").is_none_or(|asked| asked == one.content));
    let list = found.map(|reaction| call.world.reaction_json(reaction)).collect();
    Ok(call.page(list))
}

fn make_reaction(call: &mut Call<'_>, number: u64, comment: Option<u64>) -> Answer {
    let content = call.text("content").unwrap_or_default();
    let known = [
        "+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes",
    ];
    if !known.contains(&content.as_str()) {
        return Err(Refusal::field("Reaction", "content", "invalid"));
    }
    let login = call.login();
    let (reaction, new) = call
        .world
        .make_reaction(call.at, number, comment, &login, &content);
    Ok(Reply::new(
        if new { 201 } else { 200 },
        call.world.reaction_json(&reaction),
    ))
}

pub(super) fn react(call: &mut Call<'_>) -> Answer {
    let number = one(call)?.number;
    make_reaction(call, number, None)
}

pub(super) fn react_to_comment(call: &mut Call<'_>) -> Answer {
    let comment = own_comment(call)?;
    let (number, id) = (comment.issue, comment.id);
    make_reaction(call, number, Some(id))
}

// --- labels -------------------------------------------------------------------------------------------------------

pub(super) fn labels(call: &mut Call<'_>) -> Answer {
    let names: Vec<String> = call.world.repositories[call.at]
        .labels
        .iter()
        .map(|label| label.name.clone())
        .collect();
    let list = names
        .iter()
        .map(|name| call.world.label_json(call.at, name))
        .collect();
    Ok(call.page(list))
}

pub(super) fn create_label(call: &mut Call<'_>) -> Answer {
    let name = call.prose("Label", "name")?;
    let color = call.text("color").unwrap_or_else(|| "ededed".to_owned());
    if color.len() != 6 || !color.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Refusal::field("Label", "color", "invalid"));
    }
    if call.world.find_label(call.at, &name).is_some() {
        return Err(Refusal::field("Label", "name", "already_exists"));
    }
    let description = call.text("description");
    if description
        .as_ref()
        .is_some_and(|text| text.chars().count() > 100)
    {
        return Err(Refusal::field("Label", "description", "invalid"));
    }
    call.world
        .make_label(call.at, &name, &color, description.as_deref());
    Ok(Reply::new(201, call.world.label_json(call.at, &name)))
}

fn own_labels(call: &Call<'_>, number: u64) -> Value {
    json!(call.world.labels_json(call.at, number))
}

pub(super) fn labels_of_one(call: &mut Call<'_>) -> Answer {
    let number = one(call)?.number;
    Ok(call.page(call.world.labels_json(call.at, number)))
}

pub(super) fn add_labels(call: &mut Call<'_>) -> Answer {
    let number = one(call)?.number;
    let list = call.body.as_array().or_else(|| call.body["labels"].as_array());
    let list = list.ok_or_else(|| Refusal::field("Label", "labels", "missing_field"))?;
    let name = |value: &Value| {
        value
            .as_str()
            .or_else(|| value["name"].as_str())
            .map(str::to_owned)
    };
    let names: Vec<String> = list.iter().filter_map(name).collect();
    let login = call.login();
    for name in names {
        call.world.add_label(call.at, number, &name, &login);
    }
    Ok(Reply::new(200, own_labels(call, number)))
}

pub(super) fn remove_label(call: &mut Call<'_>) -> Answer {
    let number = one(call)?.number;
    let (name, login) = (call.parameter("name").to_owned(), call.login());
    match call.world.remove_label(call.at, number, &name, &login) {
        true => Ok(Reply::new(200, own_labels(call, number))),
        false => Err(Refusal::new(404, "Label does not exist")),
    }
}
