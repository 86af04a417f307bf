//! Pull requests: listed, opened, edited, merged, and what they change.

use serde_json::{Value, json};

use super::{Call, bounded};
use crate::github::{
    answer::{Answer, Refusal, Reply},
    people::Role,
    pulls::Merge,
    things::{Issue, Pull},
};

pub(super) fn one<'a>(call: &'a Call<'_>) -> Result<(&'a Issue, &'a Pull), Refusal> {
    let number = call.number("pull_number")?;
    let issue = call.world.repositories[call.at]
        .issues
        .get(&number)
        .ok_or_else(Refusal::not_found)?;
    let pull = issue.pull.as_ref().ok_or_else(Refusal::not_found)?;
    Ok((issue, pull))
}

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let repository = &call.world.repositories[call.at];
    let state = call.asks("state").unwrap_or("open");
    // Without its owner GitHub overlooks this filter; it is a trap that our callers must not step into.
    let head = call.asks("head").and_then(|head| head.split_once(':'));
    let fits = |issue: &&Issue| {
        let Some(pull) = &issue.pull else { return false };
        let from = |(owner, branch): (&str, &str)| {
            owner.eq_ignore_ascii_case(&repository.owner) && branch == pull.head
        };
        (state == "all" || issue.open == (state == "open"))
            && head.is_none_or(from)
            && call.asks("base").is_none_or(|base| base == pull.base)
    };
    let mut found: Vec<&Issue> = repository.issues.values().filter(fits).collect();
    let by_update = call.asks("sort") == Some("updated");
    found.sort_by_key(|issue| {
        (
            if by_update { issue.updated } else { issue.created },
            issue.number,
        )
    });
    let created = matches!(call.asks("sort"), None | Some("created"));
    if call
        .asks("direction")
        .map_or(created, |direction| direction == "desc")
    {
        found.reverse();
    }
    let list = found
        .iter()
        .map(|issue| call.world.pull_json(call.at, issue.number, false))
        .collect();
    Ok(call.page(list))
}

pub(super) fn get(call: &mut Call<'_>) -> Answer {
    let number = one(call)?.0.number;
    let body = call.world.pull_json(call.at, number, true);
    let issue = call.world.repositories[call.at].issues.get_mut(&number);
    if let Some(pull) = issue.and_then(|issue| issue.pull.as_mut()) {
        pull.unknown_for = pull.unknown_for.saturating_sub(1);
        pull.head_shown = pull
            .head_shown
            .take()
            .and_then(|(head, left)| (left > 1).then(|| (head, left - 1)));
    }
    Ok(Reply::new(200, body))
}

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let (head, base) = (
        call.prose("PullRequest", "head")?,
        call.prose("PullRequest", "base")?,
    );
    let title = call.prose("PullRequest", "title")?;
    let body = call.text("body");
    bounded("PullRequest", body.as_deref().unwrap_or_default())?;
    let draft = call.body["draft"].as_bool().unwrap_or_default();
    let login = call.login();
    let number = call
        .world
        .make_pull(call.at, &login, (&head, &base), (&title, body), draft)?;
    let body = call.world.pull_json(call.at, number, true);
    let url = body["url"].as_str().unwrap_or_default().to_owned();
    Ok(Reply::new(201, body).with("location", url))
}

pub(super) fn edit(call: &mut Call<'_>) -> Answer {
    let (issue, pull) = one(call)?;
    let (number, pull, author, was_open) = (issue.number, pull.clone(), issue.author.clone(), issue.open);
    let login = call.login();
    if author != login && call.world.role(call.at, &login) < Some(Role::Write) {
        return Err(Refusal::new(403, "Must have admin rights to Repository."));
    }
    let state = call.text("state");
    if state.as_deref() == Some("open") && !was_open {
        may_reopen(call, number, &pull)?;
    }
    if let Some(base) = call.text("base") {
        let sha = call.world.repositories[call.at].git.branch(&base);
        let sha = sha.ok_or_else(|| Refusal::field("PullRequest", "base", "invalid"))?;
        if let Some(pull) = &mut call.world.touch(call.at, number).pull {
            (pull.base, pull.base_sha, pull.base_shown) = (base, sha.clone(), sha);
        }
    }
    if let Some(title) = call.text("title") {
        call.world.touch(call.at, number).title = title;
    }
    if let Some(body) = call.text("body") {
        bounded("PullRequest", &body)?;
        call.world.touch(call.at, number).body = Some(body);
        call.world.emit_pull(call.at, number, "edited", &login);
    }
    if let Some(state) = state {
        call.world
            .set_open(call.at, number, state == "open", None, &login);
    }
    Ok(Reply::new(200, call.world.pull_json(call.at, number, true)))
}

/// A closed pull request opens again only while its branch still leads on from what it showed.
fn may_reopen(call: &Call<'_>, number: u64, pull: &Pull) -> Result<(), Refusal> {
    let refuse = |words: String| {
        Err(Refusal::custom(
            "PullRequest",
            &format!("state cannot be changed. {words}"),
        ))
    };
    let repository = &call.world.repositories[call.at];
    if pull.merged.is_some() {
        return refuse("The pull request cannot be reopened.".to_owned());
    }
    let Some(sha) = repository.git.branch(&pull.head) else {
        return refuse(format!("The {} branch has been deleted.", pull.head));
    };
    if repository.git.ahead(&sha, &pull.head_sha) > 0 {
        return refuse(format!("The {} branch was force-pushed or recreated.", pull.head));
    }
    let same = |other: &Pull| other.head == pull.head && other.base == pull.base;
    let taken = |issue: &Issue| issue.open && issue.number != number && issue.pull.as_ref().is_some_and(same);
    if repository.issues.values().any(taken) {
        return refuse(format!(
            "A pull request already exists for {}:{}.",
            repository.owner, pull.head
        ));
    }
    Ok(())
}

pub(super) fn request_reviewers(call: &mut Call<'_>) -> Answer {
    let (issue, _) = one(call)?;
    let (number, author) = (issue.number, issue.author.clone());
    let (people, teams) = (call.texts("reviewers"), call.texts("team_reviewers"));
    if people.contains(&author) {
        return Err(Refusal::new(
            422,
            "Review cannot be requested from pull request author.",
        ));
    }
    let repository = &call.world.repositories[call.at];
    let known = people
        .iter()
        .all(|login| call.world.role(call.at, login).is_some());
    if !known || !teams.iter().all(|slug| repository.teams.contains_key(slug)) {
        let message = format!(
            "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the {} repository.",
            repository.full_name()
        );
        return Err(Refusal::new(422, message));
    }
    if let Some(pull) = &mut call.world.touch(call.at, number).pull {
        pull.reviewers.extend(people);
        pull.teams.extend(teams);
    }
    let login = call.login();
    call.world.emit_pull(call.at, number, "review_requested", &login);
    Ok(Reply::new(201, call.world.pull_json(call.at, number, false)))
}

pub(super) fn merge(call: &mut Call<'_>) -> Answer {
    let number = one(call)?.0.number;
    let (sha, title, message) = (
        call.text("sha"),
        call.text("commit_title"),
        call.text("commit_message"),
    );
    let method = call.text("merge_method").unwrap_or_else(|| "merge".to_owned());
    let login = call.login();
    let ask = Merge {
        by: &login,
        method: &method,
        sha: sha.as_deref(),
        title: title.as_deref(),
        message: message.as_deref(),
    };
    let sha = call.world.make_merge(call.at, number, ask)?;
    let body = json!({ "sha": sha, "merged": true, "message": "Pull Request successfully merged" });
    Ok(Reply::new(200, body))
}

pub(super) fn commits(call: &mut Call<'_>) -> Answer {
    let (_, pull) = one(call)?;
    let commits = call.world.repositories[call.at]
        .git
        .commits(&pull.base_sha, &pull.head_sha);
    Ok(call.page(
        commits
            .iter()
            .map(|commit| call.world.commit_json(call.at, commit))
            .collect(),
    ))
}

pub(super) fn files(call: &mut Call<'_>) -> Answer {
    let (_, pull) = one(call)?;
    let repository = &call.world.repositories[call.at];
    let (url, page) = (call.world.repo_url(call.at), call.world.page_url(call.at));
    let file = |one: &crate::github::Changed| {
        let id = repository.git.file(&pull.head_sha, &one.path).map(|(id, _)| id);
        let path = one.path.replace(' ', "%20");
        let mut json = json!({
            "sha": id,
            "filename": one.path,
            "status": one.status,
            "additions": one.added,
            "deletions": one.removed,
            "changes": one.added + one.removed,
            "blob_url": format!("{page}/blob/{}/{path}", pull.head_sha),
            "raw_url": format!("{page}/raw/{}/{path}", pull.head_sha),
            "contents_url": format!("{url}/contents/{path}?ref={}", pull.head_sha),
        });
        if !one.patch.is_empty() {
            json["patch"] = json!(one.patch);
        }
        json
    };
    let list: Vec<Value> = repository
        .git
        .changed(&pull.base_sha, &pull.head_sha)
        .iter()
        .map(file)
        .collect();
    Ok(call.page(list))
}
