//! The endpoints: which there are, what each needs, and what each does.
//!
//! Paths are those of GitHub's OpenAPI document, so that each is checked against it. A name of a branch, a ref or a
//! path may hold slashes.

mod account;
mod actions;
mod checks;
mod graphql;
mod issues;
mod pulls;
mod repos;
mod reviews;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    answer::{Answer, Refusal, Reply},
    people::{
        Access::{self, Read, Write},
        Actor, Need, Role,
    },
    world::World,
};

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

/// A request on its way through an endpoint.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) world: &'a mut World,
    pub(super) actor: &'a Actor,
    /// Which repository; of no meaning where the path names none.
    pub(super) at: usize,
    pub(super) parameters: BTreeMap<&'static str, String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Value,
    pub(super) accept: String,
    /// The address without the query.
    pub(super) address: String,
}

impl Call<'_> {
    fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map(String::as_str).unwrap_or_default()
    }

    fn number(&self, name: &str) -> Result<u64, Refusal> {
        self.parameter(name).parse().map_err(|_| Refusal::not_found())
    }

    fn asks(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A text of the body, if it is there.
    fn text(&self, name: &str) -> Option<String> {
        self.body[name].as_str().map(str::to_owned)
    }

    /// The texts of a list of the body.
    fn texts(&self, name: &str) -> Vec<String> {
        let list = self.body[name].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn login(&self) -> String {
        self.actor.login().to_owned()
    }

    /// A text that must be there and no longer than GitHub takes.
    fn prose(&self, resource: &str, name: &str) -> Result<String, Refusal> {
        let text = self.text(name).filter(|text| !text.trim().is_empty());
        let text = text.ok_or_else(|| Refusal::field(resource, name, "missing_field"))?;
        bounded(resource, &text)?;
        Ok(text)
    }

    /// The part of a list that was asked for, with links to the other parts.
    fn page(&self, all: Vec<Value>) -> Reply {
        let (part, link) = self.part(all);
        let reply = Reply::new(200, json!(part));
        if link.is_empty() {
            reply
        } else {
            reply.with("link", link)
        }
    }

    /// The same inside of an object that says how many there are.
    fn page_in(&self, name: &str, all: Vec<Value>) -> Reply {
        let total = all.len();
        let (part, link) = self.part(all);
        let mut body = json!({ "total_count": total });
        body[name] = json!(part);
        let reply = Reply::new(200, body);
        if link.is_empty() {
            reply
        } else {
            reply.with("link", link)
        }
    }

    fn part(&self, all: Vec<Value>) -> (Vec<Value>, String) {
        let number = |name: &str| self.asks(name).and_then(|value| value.parse::<usize>().ok());
        let size = number("per_page").unwrap_or(30).clamp(1, 100);
        let page = number("page").unwrap_or(1).max(1);
        let last = all.len().div_ceil(size).max(1);
        let address = |page: usize| {
            let mut query: Vec<String> = self
                .query
                .iter()
                .filter(|(name, _)| name != "page")
                .map(|(name, value)| format!("{name}={}", escape(value)))
                .collect();
            query.push(format!("page={page}"));
            format!("<{}?{}>", self.address, query.join("&"))
        };
        let mut links = Vec::new();
        if page > 1 {
            links.push(format!("{}; rel=\"prev\"", address(page - 1)));
        }
        if page < last {
            links.push(format!("{}; rel=\"next\"", address(page + 1)));
            links.push(format!("{}; rel=\"last\"", address(last)));
        }
        if page > 1 {
            links.push(format!("{}; rel=\"first\"", address(1)));
        }
        let part = all.into_iter().skip((page - 1) * size).take(size).collect();
        (part, links.join(", "))
    }
}

fn bounded(resource: &str, text: &str) -> Result<(), Refusal> {
    match text.chars().count() {
        0..=65_536 => Ok(()),
        _ => Err(Refusal::custom(
            resource,
            "body is too long (maximum is 65536 characters)",
        )),
    }
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

fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~,:".contains(&byte);
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
