//! The endpoints: which there are, what each needs, and what each does.
//!
//! Paths are those of GitHub's OpenAPI document, so that each is checked against it. A name of a branch, a ref or a
//! path may hold slashes.

mod account;
mod actions;
mod call;
mod checks;
mod graphql;
mod issues;
mod pulls;
mod repos;
mod reviews;

use std::collections::BTreeMap;

use super::{
    answer::Answer,
    people::{
        Access::{self, Read, Write},
        Need, Role,
    },
};

pub(super) use call::Call;
use call::bounded;

/// An endpoint.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) need: Option<Need>,
    /// Whether an App's JWT is the credential.
    pub(super) by_app: bool,
    /// Whether it counts for the limit on making content.
    pub(super) makes_content: bool,
    pub(super) run: fn(&mut Call<'_>) -> Answer,
}

const fn need(permissions: &'static [(&'static str, Access)], role: Role) -> Option<Need> {
    Some(Need { permissions, role })
}

const fn get(path: &'static str, need: Option<Need>, run: fn(&mut Call<'_>) -> Answer) -> Route {
    Route {
        method: "GET",
        path,
        need,
        by_app: false,
        makes_content: false,
        run,
    }
}

const fn app(method: &'static str, path: &'static str, run: fn(&mut Call<'_>) -> Answer) -> Route {
    Route {
        method,
        path,
        need: None,
        by_app: true,
        makes_content: false,
        run,
    }
}

const fn make(
    method: &'static str,
    path: &'static str,
    need: Option<Need>,
    run: fn(&mut Call<'_>) -> Answer,
) -> Route {
    Route {
        method,
        path,
        need,
        by_app: false,
        makes_content: true,
        run,
    }
}

const SEEN: Option<Need> = need(&[("metadata", Read)], Role::Read);
const CONTENTS: Option<Need> = need(&[("contents", Read)], Role::Read);
const ISSUES: Option<Need> = need(&[("issues", Read), ("pull_requests", Read)], Role::Read);
const WRITE_ISSUES: Option<Need> = need(&[("issues", Write)], Role::Read);
const COMMENT: Option<Need> = need(&[("issues", Write), ("pull_requests", Write)], Role::Read);
const TRIAGE: Option<Need> = need(&[("issues", Write), ("pull_requests", Write)], Role::Triage);
const PULLS: Option<Need> = need(&[("pull_requests", Read)], Role::Read);
const OFFER: Option<Need> = need(&[("pull_requests", Write)], Role::Read);
const STEER: Option<Need> = need(&[("pull_requests", Write)], Role::Triage);
const MERGE: Option<Need> = need(&[("contents", Write)], Role::Write);
const STATUSES: Option<Need> = need(&[("statuses", Read)], Role::Read);
const SET_STATUS: Option<Need> = need(&[("statuses", Write)], Role::Write);
const CHECKS: Option<Need> = need(&[("checks", Read)], Role::Read);
const SET_CHECK: Option<Need> = need(&[("checks", Write)], Role::Write);
const ACTIONS: Option<Need> = need(&[("actions", Read)], Role::Read);
const ADMIN: Option<Need> = need(&[("administration", Read)], Role::Admin);

/// All endpoints; of two that fit, the first is taken.
pub(super) const ROUTES: &[Route] = &[
    get("/user", None, account::user),
    get("/rate_limit", None, account::rate_limit),
    app("GET", "/app", account::app),
    app("GET", "/app/installations", account::installations),
    app(
        "POST",
        "/app/installations/{installation_id}/access_tokens",
        account::access_token,
    ),
    get("/installation/repositories", None, account::repositories),
    app("GET", "/repos/{owner}/{repo}/installation", account::installation),
    app("GET", "/users/{username}/installation", account::installation_of),
    get("/repos/{owner}/{repo}", SEEN, repos::get),
    get("/repos/{owner}/{repo}/branches", CONTENTS, repos::branches),
    get(
        "/repos/{owner}/{repo}/branches/{branch}/protection/required_status_checks",
        ADMIN,
        repos::required_status_checks,
    ),
    get("/repos/{owner}/{repo}/branches/{branch}", CONTENTS, repos::branch),
    get(
        "/repos/{owner}/{repo}/rules/branches/{branch}",
        SEEN,
        repos::rules,
    ),
    get("/repos/{owner}/{repo}/contents/{path}", CONTENTS, repos::contents),
    get("/repos/{owner}/{repo}/git/ref/{ref}", CONTENTS, repos::git_ref),
    get(
        "/repos/{owner}/{repo}/git/matching-refs/{ref}",
        CONTENTS,
        repos::matching_refs,
    ),
    make(
        "DELETE",
        "/repos/{owner}/{repo}/git/refs/{ref}",
        MERGE,
        repos::delete_ref,
    ),
    get(
        "/repos/{owner}/{repo}/collaborators/{username}/permission",
        SEEN,
        repos::permission,
    ),
    get("/repos/{owner}/{repo}/labels", ISSUES, issues::labels),
    make(
        "POST",
        "/repos/{owner}/{repo}/labels",
        TRIAGE,
        issues::create_label,
    ),
    get("/repos/{owner}/{repo}/issues", ISSUES, issues::list),
    make(
        "POST",
        "/repos/{owner}/{repo}/issues",
        WRITE_ISSUES,
        issues::create,
    ),
    get(
        "/repos/{owner}/{repo}/issues/comments",
        ISSUES,
        issues::comments_of_all,
    ),
    get(
        "/repos/{owner}/{repo}/issues/comments/{comment_id}",
        ISSUES,
        issues::comment,
    ),
    make(
        "PATCH",
        "/repos/{owner}/{repo}/issues/comments/{comment_id}",
        COMMENT,
        issues::edit_comment,
    ),
    make(
        "DELETE",
        "/repos/{owner}/{repo}/issues/comments/{comment_id}",
        COMMENT,
        issues::delete_comment,
    ),
    get(
        "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions",
        ISSUES,
        issues::comment_reactions,
    ),
    make(
        "POST",
        "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions",
        COMMENT,
        issues::react_to_comment,
    ),
    get("/repos/{owner}/{repo}/issues/{issue_number}", ISSUES, issues::get),
    make(
        "PATCH",
        "/repos/{owner}/{repo}/issues/{issue_number}",
        COMMENT,
        issues::edit,
    ),
    get(
        "/repos/{owner}/{repo}/issues/{issue_number}/comments",
        ISSUES,
        issues::comments,
    ),
    make(
        "POST",
        "/repos/{owner}/{repo}/issues/{issue_number}/comments",
        COMMENT,
        issues::create_comment,
    ),
    get(
        "/repos/{owner}/{repo}/issues/{issue_number}/reactions",
        ISSUES,
        issues::reactions,
    ),
    make(
        "POST",
        "/repos/{owner}/{repo}/issues/{issue_number}/reactions",
        COMMENT,
        issues::react,
    ),
    get(
        "/repos/{owner}/{repo}/issues/{issue_number}/labels",
        ISSUES,
        issues::labels_of_one,
    ),
    make(
        "POST",
        "/repos/{owner}/{repo}/issues/{issue_number}/labels",
        TRIAGE,
        issues::add_labels,
    ),
    make(
        "DELETE",
        "/repos/{owner}/{repo}/issues/{issue_number}/labels/{name}",
        TRIAGE,
        issues::remove_label,
    ),
    get("/repos/{owner}/{repo}/pulls", PULLS, pulls::list),
    make("POST", "/repos/{owner}/{repo}/pulls", OFFER, pulls::create),
    get(
        "/repos/{owner}/{repo}/pulls/comments",
        PULLS,
        reviews::comments_of_all,
    ),
    get("/repos/{owner}/{repo}/pulls/{pull_number}", PULLS, pulls::get),
    make(
        "PATCH",
        "/repos/{owner}/{repo}/pulls/{pull_number}",
        OFFER,
        pulls::edit,
    ),
    make(
        "POST",
        "/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers",
        STEER,
        pulls::request_reviewers,
    ),
    make(
        "PUT",
        "/repos/{owner}/{repo}/pulls/{pull_number}/merge",
        MERGE,
        pulls::merge,
    ),
    get(
        "/repos/{owner}/{repo}/pulls/{pull_number}/commits",
        PULLS,
        pulls::commits,
    ),
    get(
        "/repos/{owner}/{repo}/pulls/{pull_number}/files",
        PULLS,
        pulls::files,
    ),
    get(
        "/repos/{owner}/{repo}/pulls/{pull_number}/reviews",
        PULLS,
        reviews::list,
    ),
    make(
        "POST",
        "/repos/{owner}/{repo}/pulls/{pull_number}/reviews",
        OFFER,
        reviews::create,
    ),
    get(
        "/repos/{owner}/{repo}/pulls/{pull_number}/comments",
        PULLS,
        reviews::comments,
    ),
    make(
        "POST",
        "/repos/{owner}/{repo}/pulls/{pull_number}/comments",
        OFFER,
        reviews::create_comment,
    ),
    make(
        "POST",
        "/repos/{owner}/{repo}/pulls/{pull_number}/comments/{comment_id}/replies",
        OFFER,
        reviews::reply,
    ),
    make(
        "POST",
        "/repos/{owner}/{repo}/statuses/{sha}",
        SET_STATUS,
        checks::create_status,
    ),
    get(
        "/repos/{owner}/{repo}/commits/{ref}/status",
        STATUSES,
        checks::combined,
    ),
    get(
        "/repos/{owner}/{repo}/commits/{ref}/statuses",
        STATUSES,
        checks::statuses,
    ),
    get(
        "/repos/{owner}/{repo}/commits/{ref}/check-runs",
        CHECKS,
        checks::list,
    ),
    make(
        "POST",
        "/repos/{owner}/{repo}/check-runs",
        SET_CHECK,
        checks::create,
    ),
    make(
        "PATCH",
        "/repos/{owner}/{repo}/check-runs/{check_run_id}",
        SET_CHECK,
        checks::edit,
    ),
    get(
        "/repos/{owner}/{repo}/actions/workflows",
        ACTIONS,
        actions::workflows,
    ),
    get("/repos/{owner}/{repo}/actions/runs", ACTIONS, actions::runs),
    get(
        "/repos/{owner}/{repo}/actions/runs/{run_id}",
        ACTIONS,
        actions::run,
    ),
    get(
        "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs",
        ACTIONS,
        actions::jobs,
    ),
    get(
        "/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs",
        ACTIONS,
        actions::jobs_of_attempt,
    ),
    get(
        "/repos/{owner}/{repo}/actions/jobs/{job_id}",
        ACTIONS,
        actions::job,
    ),
    get(
        "/repos/{owner}/{repo}/actions/jobs/{job_id}/logs",
        ACTIONS,
        actions::log,
    ),
    make("POST", "/graphql", None, graphql::answer),
];

/// An endpoint and what its path said.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) route: &'static Route,
    pub(super) parameters: BTreeMap<&'static str, String>,
}

/// The endpoint of a path.
pub(super) fn find(method: &str, path: &str) -> Option<Found> {
    let segments: Vec<String> = path.trim_start_matches('/').split('/').map(unescape).collect();
    ROUTES
        .iter()
        .filter(|route| route.method == method)
        .find_map(|route| {
            let parameters = fit(route.path, &segments)?;
            Some(Found { route, parameters })
        })
}

fn fit(template: &'static str, segments: &[String]) -> Option<BTreeMap<&'static str, String>> {
    let parts: Vec<&'static str> = template.trim_matches('/').split('/').collect();
    let wide = parts
        .iter()
        .position(|part| matches!(*part, "{branch}" | "{path}" | "{ref}"));
    // The root of a repository's files has no path.
    let root = (parts.last() == Some(&"{path}") && segments.len() + 1 == parts.len()).then(String::new);
    let segments: Vec<&String> = segments.iter().chain(&root).collect();
    let more = segments.len().checked_sub(parts.len())?;
    if more > 0 && wide.is_none() {
        return None;
    }
    let mut parameters = BTreeMap::new();
    let mut rest = segments.iter();
    for (at, part) in parts.iter().enumerate() {
        let count = if Some(at) == wide { more + 1 } else { 1 };
        let taken: Vec<&str> = rest.by_ref().take(count).map(|part| part.as_str()).collect();
        let value = taken.join("/");
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            None if value == *part => {}
            None => return None,
            Some(name) => {
                let numeric = name.ends_with("_number") || name.ends_with("_id");
                if numeric && (value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit())) {
                    return None;
                }
                parameters.insert(name, value);
            }
        }
    }
    Some(parameters)
}

/// A query's pairs.
pub(super) fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (
            unescape(&name.replace('+', " ")),
            unescape(&value.replace('+', " ")),
        )
    };
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(pair)
        .collect()
}

fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
