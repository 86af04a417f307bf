//! Real git over smart HTTP: `git http-backend` as CGI over the bare repositories.
//!
//! Who may fetch and push is asked of the same tokens as in the API.

use std::process::Stdio;

use axum::{body::Body, http::Response};
use tokio::{io::AsyncWriteExt as _, process::Command};

use super::{
    Shared,
    answer::Refusal,
    face::{Asked, build},
    people::{Access, Actor, Holder, Need, Role},
};

/// What git asks for.
#[derive(Debug)]
pub(super) struct Ask {
    full_name: String,
    /// `info/refs`, `git-upload-pack` or `git-receive-pack`.
    rest: String,
    pushes: bool,
}

impl Ask {
    /// Whether a request is git's.
    pub(super) fn of(asked: &Asked) -> Option<Self> {
        let (full_name, rest) = asked.path.trim_start_matches('/').split_once(".git/")?;
        if full_name.matches('/').count() != 1 || full_name.contains("..") {
            return None;
        }
        let services = ["info/refs", "git-upload-pack", "git-receive-pack"];
        services.contains(&rest).then(|| Self {
            full_name: full_name.to_owned(),
            rest: rest.to_owned(),
            pushes: rest == "git-receive-pack" || asked.query.contains("service=git-receive-pack"),
        })
    }
}

struct Allowed {
    at: usize,
    actor: Actor,
    dir: std::path::PathBuf,
    protected: String,
    workflows: bool,
}

/// Answers git.
pub(super) async fn answer(shared: &Shared, asked: &Asked, ask: Ask) -> Response<Body> {
    let allowed = match allow(shared, asked, &ask) {
        Ok(allowed) => allowed,
        Err(refusal) => {
            let who = shared
                .lock()
                .actor(asked.header("authorization"))
                .unwrap_or(Actor::Nobody);
            shared.lock().note(asked, refusal.status, &who, false);
            let headers = refusal
                .headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()));
            return build(refusal.status, headers.collect(), Body::from(refusal.message));
        }
    };
    let before = shared.lock().repositories[allowed.at].git.branches();
    let response = match backend(asked, &ask, &allowed).await {
        Ok(response) => response,
        Err(error) => build(500, Vec::new(), Body::from(error.to_string())),
    };
    let mut world = shared.lock();
    world.note(asked, response.status().as_u16(), &allowed.actor, false);
    if ask.pushes {
        let by = allowed.actor.login().to_owned();
        world.pushed(allowed.at, &before, &by);
    }
    response
}

fn allow(shared: &Shared, asked: &Asked, ask: &Ask) -> Result<Allowed, Refusal> {
    const READ: Need = Need {
        permissions: &[("contents", Access::Read)],
        role: Role::Read,
    };
    const WRITE: Need = Need {
        permissions: &[("contents", Access::Write)],
        role: Role::Write,
    };
    let login = || {
        let refusal = Refusal::new(401, "remote: Invalid username or token.");
        refusal.with("www-authenticate", "Basic realm=\"GitHub\"")
    };
    let mut world = shared.lock();
    let actor = world.actor(asked.header("authorization")).map_err(|_| login())?;
    if !matches!(actor, Actor::Token { .. }) {
        return Err(login());
    }
    let missing = || Refusal::new(404, "Repository not found.");
    let at = match world.find(&ask.full_name) {
        Some(at) => at,
        None => {
            let at = world.find_former(&ask.full_name).ok_or_else(missing)?;
            let name = world.repositories[at].full_name();
            let query = if asked.query.is_empty() {
                String::new()
            } else {
                format!("?{}", asked.query)
            };
            let url = format!("{}/{name}.git/{}{query}", world.base, ask.rest);
            return Err(Refusal::new(301, "").with("location", url));
        }
    };
    world.allow(&actor, at, &READ).map_err(|_| missing())?;
    if ask.pushes {
        let name = world.repositories[at].full_name();
        world.allow(&actor, at, &WRITE).map_err(|_| {
            Refusal::new(
                403,
                format!("Permission to {name}.git denied to {}.", actor.login()),
            )
        })?;
    }
    let workflows = world.holder(&actor).is_some_and(|holder| match holder {
        Holder::Classic { scopes, .. } => scopes.iter().any(|scope| scope == "workflow"),
        other => {
            let has = world.selected(other, at).unwrap_or_default();
            has.get("workflows") == Some(&Access::Write)
        }
    });
    let repository = &world.repositories[at];
    let protected: Vec<&str> = repository.protected.keys().map(String::as_str).collect();
    Ok(Allowed {
        at,
        dir: repository.git.dir().to_owned(),
        protected: protected.join(" "),
        workflows,
        actor,
    })
}

async fn backend(asked: &Asked, ask: &Ask, allowed: &Allowed) -> std::io::Result<Response<Body>> {
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_PROJECT_ROOT", &allowed.dir)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", format!("/{}", ask.rest))
        .env("REMOTE_USER", allowed.actor.login())
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("QUERY_STRING", &asked.query)
        .env("REQUEST_METHOD", &asked.method)
        .env("CONTENT_LENGTH", asked.body.len().to_string())
        .env("FAKE_PROTECTED", &allowed.protected)
        .env("FAKE_WORKFLOWS", if allowed.workflows { "1" } else { "" })
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    for (header, name) in [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ] {
        if let Some(value) = asked.header(header) {
            command.env(name, value);
        }
    }
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take();
    let body = asked.body.clone();
    // Written beside the reading: both pipes are small.
    let writing = tokio::spawn(async move {
        if let Some(stdin) = &mut stdin {
            // It may have read enough.
            let _ = stdin.write_all(&body).await;
        }
    });
    let output = child.wait_with_output().await?;
    writing.abort();
    let (head, body) = split(&output.stdout);
    let mut status = 200;
    let mut headers = Vec::new();
    for line in head.lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("status") {
            status = value
                .split_whitespace()
                .next()
                .and_then(|code| code.parse().ok())
                .unwrap_or(500);
        } else {
            headers.push((name.trim().to_lowercase(), value.trim().to_owned()));
        }
    }
    Ok(build(status, headers, Body::from(body.to_vec())))
}

/// The head and the body of what a CGI program wrote.
fn split(output: &[u8]) -> (String, &[u8]) {
    let end = output.windows(4).position(|four| four == b"\r\n\r\n");
    let at = end.unwrap_or(output.len());
    let head = String::from_utf8_lossy(&output[..at]).into_owned();
    (head, output.get(at + 4..).unwrap_or_default())
}
