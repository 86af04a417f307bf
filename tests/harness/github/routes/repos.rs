//! A repository itself: branches and what protects them, files, refs, people's permissions.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::Call;
use crate::github::{
    answer::{Answer, Refusal, Reply},
    people::{Actor, Holder, Role},
    things::Protection,
};

pub(super) fn get(call: &mut Call<'_>) -> Answer {
    let repository = &call.world.repositories[call.at];
    let mut json = call.world.repo_json(call.at);
    for field in ["subscribers_count", "network_count"] {
        json[field] = json!(0);
    }
    json["allow_auto_merge"] = json!(repository.auto_merge);
    json["allow_merge_commit"] = json!(true);
    json["allow_squash_merge"] = json!(true);
    json["allow_rebase_merge"] = json!(false);
    json["delete_branch_on_merge"] = json!(false);
    if let Actor::Token { login, .. } = call.actor {
        let role = call.world.role(call.at, login);
        let bot = matches!(call.world.holder(call.actor), Some(Holder::Installation { .. }));
        json["permissions"] = json!({
            "admin": role >= Some(Role::Admin),
            "maintain": role >= Some(Role::Maintain),
            "push": role >= Some(Role::Write),
            "triage": role >= Some(Role::Triage),
            "pull": !bot,
        });
    }
    Ok(Reply::new(200, json))
}

fn checks_json(checks: &[String]) -> Value {
    checks
        .iter()
        .map(|check| json!({ "context": check, "app_id": null }))
        .collect()
}

fn protection_json(protection: Option<&Protection>) -> Value {
    let classic = protection.filter(|one| !one.ruleset);
    let checks = classic.map(|one| one.checks.clone()).unwrap_or_default();
    json!({
        "enabled": classic.is_some(),
        "required_status_checks": {
            "enforcement_level": if checks.is_empty() { "off" } else { "non_admins" },
            "contexts": checks,
            "checks": checks_json(&checks),
        },
    })
}

pub(super) fn branches(call: &mut Call<'_>) -> Answer {
    let (repository, url) = (&call.world.repositories[call.at], call.world.repo_url(call.at));
    let list = repository.git.branches().into_iter().map(|(name, sha)| {
        let protection = repository.protected.get(&name);
        json!({
            "name": name,
            "commit": { "sha": sha, "url": format!("{url}/commits/{sha}") },
            "protected": protection.is_some(),
            "protection": protection_json(protection),
            "protection_url": format!("{url}/branches/{name}/protection"),
        })
    });
    Ok(call.page(list.collect()))
}

pub(super) fn branch(call: &mut Call<'_>) -> Answer {
    let name = call.parameter("branch");
    let (repository, url) = (&call.world.repositories[call.at], call.world.repo_url(call.at));
    let missing = || Refusal::new(404, "Branch not found");
    let sha = repository.git.branch(name).ok_or_else(missing)?;
    let commit = repository.git.one(&sha).ok_or_else(missing)?;
    let protection = repository.protected.get(name);
    let page = call.world.page_url(call.at);
    let body = json!({
        "name": name,
        "commit": call.world.commit_json(call.at, &commit),
        "_links": { "self": format!("{url}/branches/{name}"), "html": format!("{page}/tree/{name}") },
        "protected": protection.is_some(),
        "protection": protection_json(protection),
        "protection_url": format!("{url}/branches/{name}/protection"),
    });
    Ok(Reply::new(200, body))
}

pub(super) fn required_status_checks(call: &mut Call<'_>) -> Answer {
    let name = call.parameter("branch");
    let protection = call.world.repositories[call.at]
        .protected
        .get(name)
        .filter(|one| !one.ruleset);
    let protection = protection.ok_or_else(|| Refusal::new(404, "Branch not protected"))?;
    if protection.checks.is_empty() {
        return Err(Refusal::new(404, "Required status checks not enabled"));
    }
    let url = format!(
        "{}/branches/{name}/protection/required_status_checks",
        call.world.repo_url(call.at)
    );
    let body = json!({
        "url": url,
        "strict": protection.strict,
        "contexts": protection.checks,
        "contexts_url": format!("{url}/contexts"),
        "checks": checks_json(&protection.checks),
    });
    Ok(Reply::new(200, body))
}

/// Rules of rulesets; classic protection is not among them, as at GitHub.
pub(super) fn rules(call: &mut Call<'_>) -> Answer {
    let repository = &call.world.repositories[call.at];
    let source = |mut rule: Value| {
        rule["ruleset_source_type"] = json!("Repository");
        rule["ruleset_source"] = json!(repository.full_name());
        rule["ruleset_id"] = json!(1);
        rule
    };
    let mut rules = Vec::new();
    if let Some(one) = repository
        .protected
        .get(call.parameter("branch"))
        .filter(|one| one.ruleset)
    {
        if !one.checks.is_empty() {
            let checks: Vec<Value> = one
                .checks
                .iter()
                .map(|check| json!({ "context": check }))
                .collect();
            rules.push(source(json!({
                "type": "required_status_checks",
                "parameters": {
                    "required_status_checks": checks,
                    "strict_required_status_checks_policy": one.strict,
                },
            })));
        }
        if one.approvals > 0 {
            rules.push(source(json!({
                "type": "pull_request",
                "parameters": {
                    "dismiss_stale_reviews_on_push": false,
                    "require_code_owner_review": false,
                    "require_last_push_approval": false,
                    "required_approving_review_count": one.approvals,
                    "required_review_thread_resolution": false,
                },
            })));
        }
    }
    Ok(call.page(rules))
}

pub(super) fn contents(call: &mut Call<'_>) -> Answer {
    let (path, repository) = (call.parameter("path"), &call.world.repositories[call.at]);
    let name = call.asks("ref").unwrap_or(&repository.default_branch);
    let missing = || Refusal::new(404, format!("No commit found for the ref {name}"));
    let sha = repository.git.sha(name).ok_or_else(missing)?;
    let (url, page) = (call.world.repo_url(call.at), call.world.page_url(call.at));
    let entry = |kind: &str, id: &str, size: u64, path: &str| {
        let this = format!("{url}/contents/{path}?ref={name}");
        let git = format!("{url}/git/{kind}s/{id}");
        let html = format!("{page}/{kind}/{name}/{path}");
        json!({
            "type": if kind == "tree" { "dir" } else { "file" },
            "size": size,
            "name": path.rsplit('/').next(),
            "path": path,
            "sha": id,
            "url": this,
            "git_url": git,
            "html_url": html,
            "download_url": (kind != "tree").then(|| format!("{page}/raw/{name}/{path}")),
            "_links": { "self": this, "git": git, "html": html },
        })
    };
    if let Some((id, bytes)) = repository.git.file(&sha, path) {
        if call.accept.contains("raw") {
            let mut reply =
                Reply::empty(200).with("content-type", "application/vnd.github.raw; charset=utf-8");
            reply.raw = Some(bytes);
            return Ok(reply);
        }
        let mut file = entry("blob", &id, bytes.len() as u64, path);
        let encoded = STANDARD.encode(&bytes);
        let lines: Vec<&str> = (0..encoded.len().div_ceil(60))
            .filter_map(|at| encoded.get(at * 60..encoded.len().min(at * 60 + 60)))
            .collect();
        // Beyond a megabyte GitHub sends no content in this form.
        let small = bytes.len() <= 1 << 20;
        file["content"] = json!(if small {
            lines.join("\n") + "\n"
        } else {
            String::new()
        });
        file["encoding"] = json!(if small { "base64" } else { "none" });
        return Ok(Reply::new(200, file));
    }
    let folder = repository
        .git
        .folder(&sha, path.trim_end_matches('/'))
        .ok_or_else(Refusal::not_found)?;
    let list: Vec<Value> = folder
        .iter()
        .map(|(kind, id, size, path)| entry(kind, id, *size, path))
        .collect();
    Ok(Reply::new(200, json!(list)))
}

pub(super) fn permission(call: &mut Call<'_>) -> Answer {
    let name = call.parameter("username");
    let found = call
        .world
        .accounts
        .keys()
        .find(|login| login.eq_ignore_ascii_case(name))
        .cloned();
    let login = found.ok_or_else(|| Refusal::new(404, format!("{name} is not a user")))?;
    let public = (!call.world.repositories[call.at].private).then_some(Role::Read);
    let role = call.world.role(call.at, &login).max(public);
    let legacy = role.map_or("none", Role::legacy);
    let role_name = role.map_or("none", Role::name);
    let mut user = call.world.user_json(&login);
    user["permissions"] = json!({
        "admin": role >= Some(Role::Admin),
        "maintain": role >= Some(Role::Maintain),
        "push": role >= Some(Role::Write),
        "triage": role >= Some(Role::Triage),
        "pull": role >= Some(Role::Read),
    });
    user["role_name"] = json!(role_name);
    Ok(Reply::new(
        200,
        json!({ "permission": legacy, "role_name": role_name, "user": user }),
    ))
}

fn ref_json(call: &Call<'_>, branch: &str, sha: &str) -> Value {
    let url = call.world.repo_url(call.at);
    json!({
        "ref": format!("refs/heads/{branch}"),
        "node_id": format!("REF_{branch}"),
        "url": format!("{url}/git/refs/heads/{branch}"),
        "object": { "type": "commit", "sha": sha, "url": format!("{url}/git/commits/{sha}") },
    })
}

pub(super) fn git_ref(call: &mut Call<'_>) -> Answer {
    let branch = call
        .parameter("ref")
        .strip_prefix("heads/")
        .ok_or_else(Refusal::not_found)?;
    let sha = call.world.repositories[call.at]
        .git
        .branch(branch)
        .ok_or_else(Refusal::not_found)?;
    Ok(Reply::new(200, ref_json(call, branch, &sha)))
}

pub(super) fn matching_refs(call: &mut Call<'_>) -> Answer {
    let prefix = call.parameter("ref").strip_prefix("heads/").unwrap_or_default();
    let branches = call.world.repositories[call.at].git.branches();
    let matching = branches.iter().filter(|(name, _)| name.starts_with(prefix));
    let list: Vec<Value> = matching.map(|(name, sha)| ref_json(call, name, sha)).collect();
    Ok(Reply::new(200, json!(list)))
}

pub(super) fn delete_ref(call: &mut Call<'_>) -> Answer {
    let missing = || Refusal::new(422, "Reference does not exist");
    let branch = call
        .parameter("ref")
        .strip_prefix("heads/")
        .ok_or_else(missing)?
        .to_owned();
    let repository = &call.world.repositories[call.at];
    repository.git.branch(&branch).ok_or_else(missing)?;
    if repository.protected.contains_key(&branch) {
        return Err(Refusal::new(422, "Cannot delete this protected branch"));
    }
    let name = repository.full_name();
    call.world.delete_branch(&name, &branch, call.actor.login());
    Ok(Reply::empty(204))
}
