//! Reviews of pull requests, and comments on their lines.

use serde_json::{Value, json};

use super::{Call, bounded, pulls::one};
use crate::github::{
    answer::{Answer, Refusal, Reply},
    json::time,
    things::ReviewComment,
};

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let number = one(call)?.0.number;
    let all = call.world.repositories[call.at]
        .reviews
        .values()
        .filter(|one| one.pull == number);
    Ok(call.page(all.map(|one| call.world.review_json(call.at, one.id)).collect()))
}

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let (issue, _) = one(call)?;
    let (number, author) = (issue.number, issue.author.clone());
    let login = call.login();
    let refuse = |message: &str| {
        let mut refusal = Refusal::new(422, "Unprocessable Entity");
        refusal.errors = Some(Box::new(json!([message])));
        Err(refusal)
    };
    let state = match call.text("event").as_deref() {
        Some("APPROVE") if login == author => return refuse("Can not approve your own pull request"),
        Some("REQUEST_CHANGES") if login == author => {
            return refuse("Can not request changes on your own pull request");
        }
        Some("APPROVE") => "APPROVED",
        Some("REQUEST_CHANGES") => "CHANGES_REQUESTED",
        Some("COMMENT") => "COMMENTED",
        None => "PENDING",
        Some(_) => return refuse("Variable $event was provided invalid value"),
    };
    let body = call.text("body").unwrap_or_default();
    bounded("PullRequestReview", &body)?;
    let comments = call.body["comments"].as_array().cloned().unwrap_or_default();
    if body.is_empty() && comments.is_empty() && state != "APPROVED" && state != "PENDING" {
        return refuse("body cannot be blank");
    }
    let review = call.world.make_review(call.at, number, &login, state, &body);
    for comment in comments {
        let words = |name: &str| comment[name].as_str().unwrap_or_default();
        let line = comment["line"].as_u64().or_else(|| comment["position"].as_u64());
        let place = (words("path"), line);
        call.world.make_review_comment(
            call.at,
            number,
            &login,
            place,
            words("body"),
            (Some(review), None),
        );
    }
    Ok(Reply::new(200, call.world.review_json(call.at, review)))
}

fn since(call: &Call<'_>, comment: &ReviewComment) -> bool {
    call.asks("since")
        .is_none_or(|since| time(comment.updated).as_str() >= &since[..since.len().min(20)])
}

fn comments_of(call: &Call<'_>, number: Option<u64>) -> Reply {
    let all = call.world.repositories[call.at].review_comments.values();
    let fits = |one: &&ReviewComment| number.is_none_or(|number| one.pull == number) && since(call, one);
    let mut found: Vec<&ReviewComment> = all.filter(fits).collect();
    let by_update = call.asks("sort") == Some("updated");
    found.sort_by_key(|one| (if by_update { one.updated } else { one.created }, one.id));
    if call.asks("sort").is_some() && call.asks("direction") != Some("asc") {
        found.reverse();
    }
    let list: Vec<Value> = found
        .iter()
        .map(|one| call.world.review_comment_json(call.at, one.id))
        .collect();
    call.page(list)
}

pub(super) fn comments_of_all(call: &mut Call<'_>) -> Answer {
    Ok(comments_of(call, None))
}

pub(super) fn comments(call: &mut Call<'_>) -> Answer {
    let number = one(call)?.0.number;
    Ok(comments_of(call, Some(number)))
}

pub(super) fn create_comment(call: &mut Call<'_>) -> Answer {
    let number = one(call)?.0.number;
    let body = call.prose("PullRequestReviewComment", "body")?;
    let login = call.login();
    if let Some(to) = call.body["in_reply_to"].as_u64() {
        return answer_to(call, number, to, &body);
    }
    let path = call.prose("PullRequestReviewComment", "path")?;
    let commit = call.prose("PullRequestReviewComment", "commit_id")?;
    let (_, pull) = one(call)?;
    let git = &call.world.repositories[call.at].git;
    if git.sha(&commit).is_none() {
        return Err(Refusal::custom(
            "PullRequestReviewComment",
            "commit_id is not part of the pull request",
        ));
    }
    if !git
        .changed(&pull.base_sha, &pull.head_sha)
        .iter()
        .any(|one| one.path == path)
    {
        return Err(Refusal::field("PullRequestReviewComment", "path", "invalid"));
    }
    let line = call.body["line"]
        .as_u64()
        .or_else(|| call.body["position"].as_u64());
    if line.is_none() && call.body["subject_type"] != "file" {
        return Err(Refusal::field(
            "PullRequestReviewComment",
            "line",
            "missing_field",
        ));
    }
    let review = call.world.make_review(call.at, number, &login, "COMMENTED", "");
    let id = call.world.make_review_comment(
        call.at,
        number,
        &login,
        (&path, line),
        &body,
        (Some(review), None),
    );
    Ok(Reply::new(201, call.world.review_comment_json(call.at, id)))
}

fn answer_to(call: &mut Call<'_>, number: u64, to: u64, body: &str) -> Answer {
    let first = call.world.repositories[call.at].review_comments.get(&to);
    if first.is_none_or(|one| one.pull != number) {
        return Err(Refusal::not_found());
    }
    let login = call.login();
    let id = call.world.make_reply(call.at, to, &login, body);
    Ok(Reply::new(201, call.world.review_comment_json(call.at, id)))
}

pub(super) fn reply(call: &mut Call<'_>) -> Answer {
    let (number, to) = (one(call)?.0.number, call.number("comment_id")?);
    let body = call.prose("PullRequestReviewComment", "body")?;
    answer_to(call, number, to, &body)
}
