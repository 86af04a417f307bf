//! Commit statuses and check runs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Call;
use crate::github::{
    answer::{Answer, Refusal, Reply},
    people::Holder,
    things::{CheckRun, Status},
};

fn commit(call: &Call<'_>, name: &str) -> Result<String, Refusal> {
    let sha = call.world.repositories[call.at].git.sha(name);
    sha.ok_or_else(|| Refusal::new(422, format!("No commit found for SHA: {name}")))
}

pub(super) fn create_status(call: &mut Call<'_>) -> Answer {
    let sha = commit(call, call.parameter("sha"))?;
    let state = call.text("state").unwrap_or_default();
    if !["error", "failure", "pending", "success"].contains(&state.as_str()) {
        return Err(Refusal::field("Status", "state", "custom"));
    }
    let description = call.text("description");
    if description
        .as_ref()
        .is_some_and(|text| text.chars().count() > 140)
    {
        return Err(Refusal::custom(
            "Status",
            "description is too long (maximum is 140 characters)",
        ));
    }
    let status = Status {
        id: call.world.id(),
        sha,
        state,
        context: call.text("context").unwrap_or_else(|| "default".to_owned()),
        description,
        target_url: call.text("target_url"),
        creator: call.login(),
        at: call.world.now,
    };
    let body = call.world.status_json(call.at, &status);
    call.world.put_status(call.at, status);
    Ok(Reply::new(201, body))
}

pub(super) fn statuses(call: &mut Call<'_>) -> Answer {
    let sha = commit(call, call.parameter("ref"))?;
    let all = call.world.repositories[call.at]
        .statuses
        .iter()
        .rev()
        .filter(|one| one.sha == sha);
    Ok(call.page(all.map(|one| call.world.status_json(call.at, one)).collect()))
}

pub(super) fn combined(call: &mut Call<'_>) -> Answer {
    let sha = commit(call, call.parameter("ref"))?;
    let all = call.world.repositories[call.at]
        .statuses
        .iter()
        .filter(|one| one.sha == sha);
    let latest: BTreeMap<&str, &Status> = all.map(|one| (one.context.as_str(), one)).collect();
    let has = |states: &[&str]| latest.values().any(|one| states.contains(&one.state.as_str()));
    let state = if has(&["error", "failure"]) {
        "failure"
    } else if latest.is_empty() || has(&["pending"]) {
        "pending"
    } else {
        "success"
    };
    let list: Vec<Value> = latest
        .values()
        .map(|one| call.world.status_json(call.at, one))
        .collect();
    let url = call.world.repo_url(call.at);
    let body = json!({
        "state": state,
        "statuses": list,
        "sha": sha,
        "total_count": latest.len(),
        "repository": call.world.repo_json(call.at),
        "commit_url": format!("{url}/commits/{sha}"),
        "url": format!("{url}/commits/{sha}/status"),
    });
    Ok(Reply::new(200, body))
}

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let sha = commit(call, call.parameter("ref"))?;
    let fits = |one: &&CheckRun| {
        one.sha == sha
            && call.asks("check_name").is_none_or(|name| name == one.name)
            && call.asks("status").is_none_or(|status| status == one.status)
            && call
                .asks("app_id")
                .is_none_or(|app| one.app.map(|own| own.to_string()).as_deref() == Some(app))
    };
    let all = call.world.repositories[call.at].checks.values().filter(fits);
    let mut found: Vec<&CheckRun> = all.collect();
    if call.asks("filter") != Some("all") {
        let latest: BTreeMap<(Option<u64>, &str), &CheckRun> = found
            .iter()
            .map(|one| ((one.app, one.name.as_str()), *one))
            .collect();
        found = latest.into_values().collect();
        found.sort_by_key(|one| one.id);
    }
    let list = found
        .iter()
        .map(|one| call.world.check_json(call.at, one.id))
        .collect();
    Ok(call.page_in("check_runs", list))
}

/// Only an App makes check runs.
fn own_app(call: &Call<'_>) -> Result<u64, Refusal> {
    let refusal = || Refusal::new(403, "You must authenticate via a GitHub App.");
    let Some(Holder::Installation { installation, .. }) = call.world.holder(call.actor) else {
        return Err(refusal());
    };
    let found = call
        .world
        .installations
        .iter()
        .find(|one| one.id == *installation);
    found.map(|one| one.app).ok_or_else(refusal)
}

/// Takes over what the body says.
fn fill(call: &Call<'_>, run: &mut CheckRun) -> Result<(), Refusal> {
    let too_long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > 65_535);
    if let Some(name) = call.text("name") {
        run.name = name;
    }
    if let Some(url) = call.text("details_url") {
        run.details_url = Some(url);
    }
    if let Some(id) = call.text("external_id") {
        run.external_id = Some(id);
    }
    if let Some(status) = call.text("status") {
        run.status = status;
    }
    if let Some(conclusion) = call.text("conclusion") {
        run.conclusion = Some(conclusion);
        run.status = "completed".to_owned();
    }
    if run.status == "completed" {
        if run.conclusion.is_none() {
            return Err(Refusal::field("CheckRun", "conclusion", "missing_field"));
        }
        run.completed = Some(call.world.now);
    } else {
        (run.conclusion, run.completed) = (None, None);
    }
    let output = &call.body["output"];
    if output.is_object() {
        let text = |name: &str| output[name].as_str().map(str::to_owned);
        let (summary, more) = (text("summary"), text("text"));
        if summary.is_none() {
            return Err(Refusal::new(
                422,
                "Invalid request.\n\n\"summary\" wasn't supplied.",
            ));
        }
        if too_long(&summary) || too_long(&more) {
            return Err(Refusal::new(
                422,
                "Invalid request.\n\nOnly 65535 characters are allowed.",
            ));
        }
        let annotations = output["annotations"].as_array().map_or(0, Vec::len);
        if annotations > 50 {
            return Err(Refusal::new(
                422,
                "Invalid request.\n\nNo more than 50 items are allowed.",
            ));
        }
        run.annotations += annotations;
        run.output = [text("title"), summary, more];
    }
    Ok(())
}

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let app = own_app(call)?;
    let name = call.prose("CheckRun", "name")?;
    let sha = commit(call, &call.prose("CheckRun", "head_sha")?)?;
    let mut run = CheckRun {
        id: call.world.id(),
        app: Some(app),
        name,
        sha,
        status: "queued".to_owned(),
        conclusion: None,
        external_id: None,
        details_url: None,
        output: [None, None, None],
        annotations: 0,
        started: call.world.now,
        completed: None,
    };
    fill(call, &mut run)?;
    let (id, login) = (run.id, call.login());
    call.world.put_check(call.at, run, "created", &login);
    Ok(Reply::new(201, call.world.check_json(call.at, id)))
}

pub(super) fn edit(call: &mut Call<'_>) -> Answer {
    let (app, id) = (own_app(call)?, call.number("check_run_id")?);
    let found = call.world.repositories[call.at].checks.get(&id).cloned();
    let mut run = found.ok_or_else(Refusal::not_found)?;
    if run.app != Some(app) {
        return Err(Refusal::new(
            403,
            "Invalid app_id `0` - check run can only be modified by the GitHub App that created it.",
        ));
    }
    fill(call, &mut run)?;
    let action = if run.completed.is_some() {
        "completed"
    } else {
        "created"
    };
    let login = call.login();
    call.world.put_check(call.at, run, action, &login);
    Ok(Reply::new(200, call.world.check_json(call.at, id)))
}
