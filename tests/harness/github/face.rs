//! The HTTP face: one request from its first byte to its answer, or to the lack of one.
//!
//! What an endpoint does is in `routes`; here are credentials, limits, conditions, faults, and the log.

use std::{io, sync::Arc};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, Method, Request as HttpRequest, Response},
};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Shared,
    answer::{Answer, Refusal, Reply},
    auth::secondary,
    faults::Fault,
    json::{http_date, time},
    log::Request,
    openapi,
    people::{Actor, Holder},
    routes::{self, Call, Found},
    smart,
    world::World,
};

/// More than any request of an API, and than a test's push.
const LARGEST: usize = 64 << 20;

type Answered = io::Result<Response<Body>>;

/// Serves connections with plain hyper: its handler can end a connection without an answer, as a broken network does.
pub(super) async fn serve<F, Fut>(state: Arc<Shared>, listener: std::net::TcpListener, answer: F)
where
    F: Fn(Arc<Shared>, HttpRequest<Incoming>) -> Fut + Copy + Send + 'static,
    Fut: Future<Output = Answered> + Send + 'static,
{
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener that does not block");
    while let Ok((connection, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&state), request));
            // A connection that we cut, or that the other side closed, ends with an error that nobody needs.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

/// One request, read.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    /// Without `/api/v3`.
    pub(super) path: String,
    pub(super) prefix: &'static str,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// How a request ends.
enum End {
    Answer(Response<Body>),
    Cut,
    Never,
}

/// Answers a request to the API or by git.
pub(super) async fn answer(shared: Arc<Shared>, request: HttpRequest<Incoming>) -> Answered {
    let (parts, body) = request.into_parts();
    let body = to_bytes(Body::new(body), LARGEST)
        .await
        .map_err(io::Error::other)?;
    let whole = parts.uri.path();
    let (prefix, path) = match whole.strip_prefix("/api/v3") {
        Some(rest) => ("/api/v3", rest.to_owned()),
        None if whole == "/api/graphql" => ("", "/graphql".to_owned()),
        None => ("", whole.to_owned()),
    };
    let asked = Asked {
        method: if parts.method == Method::HEAD {
            "GET".to_owned()
        } else {
            parts.method.to_string()
        },
        path,
        prefix,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    if let Some(git) = smart::Ask::of(&asked) {
        let fault = shared.lock().meet_fault(&asked.method, &asked.path);
        let end = match fault.filter(|fault| !fault.lets_it_happen()) {
            Some(fault) => plain_fault(fault, &asked, &shared),
            None => after(fault, smart::answer(&shared, &asked, git).await),
        };
        shared.lock().run_edits(&asked.method, &asked.path);
        return finish(end).await;
    }
    let end = shared.lock().end(&asked);
    shared.lock().run_edits(&asked.method, &asked.path);
    finish(end).await
}

async fn finish(end: End) -> Answered {
    match end {
        End::Answer(response) => Ok(response),
        End::Cut => Err(io::Error::other("the connection is cut")),
        // The other side gives up in its own time.
        End::Never => std::future::pending().await,
    }
}

fn plain_fault(fault: Fault, asked: &Asked, shared: &Shared) -> End {
    let status = match fault {
        Fault::Status(status) => status,
        Fault::TimeOut => return End::Never,
        Fault::Cut => return End::Cut,
        _ => 429,
    };
    shared.lock().note(asked, status, &Actor::Nobody, false);
    End::Answer(build(
        status,
        Vec::new(),
        Body::from("the fake fails as it was asked to"),
    ))
}

fn after(fault: Option<Fault>, response: Response<Body>) -> End {
    match fault {
        Some(Fault::CutAfter) => End::Cut,
        Some(Fault::TimeOutAfter) => End::Never,
        _ => End::Answer(response),
    }
}

pub(super) fn build(status: u16, headers: Vec<(String, String)>, body: Body) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(body).expect("a status and headers of our own")
}

/// Answers what the API redirects to for a job's log: another server, which must never see a credential.
pub(super) async fn stored_log(shared: Arc<Shared>, request: HttpRequest<Incoming>) -> Answered {
    let mut world = shared.lock();
    if request.headers().contains_key("authorization") {
        world
            .log
            .complain("a credential was sent to the store of logs, which is another server".to_owned());
    }
    let id = request
        .uri()
        .path()
        .rsplit('/')
        .next()
        .and_then(|id| id.parse::<u64>().ok());
    let jobs = world
        .repositories
        .iter()
        .flat_map(|one| one.runs.values())
        .flat_map(|run| &run.jobs);
    let log = jobs
        .into_iter()
        .find(|job| Some(job.id) == id)
        .and_then(|job| job.log.clone());
    let kind = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
    Ok(match log {
        Some(log) => build(200, kind, Body::from(log)),
        None => build(404, kind, Body::from("The specified blob does not exist.")),
    })
}

impl World {
    /// All but waiting: what happens, and how the request ends.
    fn end(&mut self, asked: &Asked) -> End {
        self.api = format!("{}{}", self.base, asked.prefix);
        let fault = self.meet_fault(&asked.method, &asked.path);
        let actor = self.actor(asked.header("authorization"));
        let who = actor.clone().unwrap_or(Actor::Nobody);
        let before = match fault {
            Some(Fault::Cut | Fault::TimeOut) => {
                self.note(asked, 0, &who, false);
                return if fault == Some(Fault::Cut) {
                    End::Cut
                } else {
                    End::Never
                };
            }
            Some(Fault::Status(status)) => Some(Refusal::new(status, "Server Error")),
            Some(Fault::Secondary(after)) => Some(secondary(after)),
            Some(Fault::RateLimited(seconds)) => {
                if let Actor::Token { text, .. } = &who {
                    let resets = self.now + i64::try_from(seconds).unwrap_or(3_600) * 1_000;
                    let token = self.token(text);
                    (token.used, token.resets) = (token.limit, resets);
                }
                None
            }
            _ => None,
        };
        if let (Some(_), Some(Fault::Status(status @ (502..=504)))) = (&before, fault) {
            self.note(asked, status, &who, false);
            let html = vec![("content-type".to_owned(), "text/html".to_owned())];
            return End::Answer(build(
                status,
                html,
                Body::from("<html><title>Unicorn!</title></html>"),
            ));
        }
        let mut operation = None;
        let reply = match (before, actor) {
            (Some(refusal), _) => Err(refusal),
            (None, Err(refusal)) => Err(refusal),
            (None, Ok(actor)) => self.dispatch(asked, &actor, &mut operation),
        };
        let reply = reply.unwrap_or_else(Refusal::reply);
        let response = self.seal(asked, &who, reply, operation.filter(|_| fault.is_none()), fault);
        match fault {
            Some(Fault::CutAfter) => End::Cut,
            Some(Fault::TimeOutAfter) => End::Never,
            _ => End::Answer(response),
        }
    }

    fn dispatch(&mut self, asked: &Asked, actor: &Actor, operation: &mut Option<String>) -> Answer {
        if asked.header("user-agent").is_none_or(str::is_empty) {
            return Err(Refusal::new(
                403,
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.",
            ));
        }
        if let Some(version) = asked
            .header("x-github-api-version")
            .filter(|version| *version != "2022-11-28")
        {
            return Err(Refusal::new(400, format!("Version {version} is not supported.")));
        }
        let path = self.by_number(&asked.path);
        let Some(Found { route, parameters }) = routes::find(&asked.method, &path) else {
            self.log
                .complain(format!("unknown endpoint: {} {}", asked.method, asked.path));
            return Err(Refusal::not_found());
        };
        let name = format!("{} {}", route.method, route.path);
        match (actor, route.by_app) {
            (Actor::Nobody, _) => return Err(Refusal::new(401, "Requires authentication")),
            (Actor::Token { .. }, true) => {
                return Err(Refusal::new(401, "A JSON web token could not be decoded"));
            }
            (Actor::App(_), false) => return Err(Refusal::new(401, "Bad credentials")),
            _ => {}
        }
        if route.path != "/rate_limit" {
            self.within_limit(actor)?;
        }
        let query: Vec<(String, String)> = routes::pairs(&asked.query);
        let body = match asked.body.is_empty() {
            true => Value::Null,
            false => {
                serde_json::from_slice(&asked.body).map_err(|_| Refusal::new(400, "Problems parsing JSON"))?
            }
        };
        if openapi::has(&name) {
            for complaint in openapi::request_faults(&name, &query, &body) {
                self.log.complain(complaint);
            }
        }
        *operation = Some(name);
        let full_name = (parameters.get("owner").zip(parameters.get("repo")))
            .map(|(owner, repo)| format!("{owner}/{repo}"));
        let at = match full_name {
            None => usize::MAX,
            Some(name) => match self.find(&name) {
                Some(at) => at,
                None => return self.moved(&name, asked, actor),
            },
        };
        if let Some(need) = &route.need {
            self.allow(actor, at, need)?;
        }
        if route.makes_content {
            self.within_content_limit(actor)?;
        }
        let accept = asked.header("accept").unwrap_or_default().to_owned();
        let address = format!("{}{}", self.api, asked.path);
        (route.run)(&mut Call {
            world: self,
            actor,
            at,
            parameters,
            query,
            body,
            accept,
            address,
        })
    }

    /// `/repositories/42/…`, where redirects lead, as `/repos/owner/name/…`.
    fn by_number(&self, path: &str) -> String {
        let found = path.strip_prefix("/repositories/").and_then(|rest| {
            let (id, rest) = rest
                .split_once('/')
                .map_or((rest, String::new()), |(id, rest)| (id, format!("/{rest}")));
            let id: u64 = id.parse().ok()?;
            let repository = self.repositories.iter().find(|one| one.id == id)?;
            Some(format!("/repos/{}{rest}", repository.full_name()))
        });
        found.unwrap_or_else(|| path.to_owned())
    }

    /// A repository that is not there, or has another name now.
    fn moved(&self, name: &str, asked: &Asked, actor: &Actor) -> Answer {
        let at = self
            .find_former(name)
            .filter(|&at| self.sees(actor, at))
            .ok_or_else(Refusal::not_found)?;
        let rest = asked
            .path
            .splitn(5, '/')
            .nth(4)
            .map_or(String::new(), |rest| format!("/{rest}"));
        let query = if asked.query.is_empty() {
            String::new()
        } else {
            format!("?{}", asked.query)
        };
        let url = format!(
            "{}/repositories/{}{rest}{query}",
            self.api, self.repositories[at].id
        );
        let (status, message) = match asked.method.as_str() {
            "GET" => (301, "Moved Permanently"),
            _ => (307, "Temporary Redirect"),
        };
        let body =
            json!({ "message": message, "url": url, "documentation_url": "https://docs.github.com/rest" });
        Ok(Reply::new(status, body).with("location", url))
    }

    /// Conditions, meters, headers, the document, the log.
    fn seal(
        &mut self,
        asked: &Asked,
        actor: &Actor,
        reply: Reply,
        operation: Option<String>,
        fault: Option<Fault>,
    ) -> Response<Body> {
        let Reply {
            mut status,
            body,
            raw,
            headers,
        } = reply;
        if let Some(operation) = operation.filter(|operation| openapi::has(operation))
            && let Some(body) = &body
        {
            for complaint in openapi::answer_faults(&operation, status, body) {
                self.log.complain(format!("the fake itself: {complaint}"));
            }
        }
        let text = raw.or_else(|| body.as_ref().map(|body| body.to_string().into_bytes()));
        let mut text = text.unwrap_or_default();
        let mut out: Vec<(String, String)> = headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let mut put = |name: &str, value: String| out.push((name.to_owned(), value));
        if asked.method == "GET" && status == 200 && asked.path != "/rate_limit" {
            let tag = format!("W/\"{}\"", hex::encode(&Sha256::digest(&text)[..16]));
            let changed = body.as_ref().and_then(last_change).unwrap_or_else(|| time(0));
            let changed = http_date(&changed);
            let same = match asked.header("if-none-match") {
                Some(tags) => tags
                    .split(',')
                    .any(|one| one.trim().trim_start_matches("W/") == &tag[2..]),
                None => asked.header("if-modified-since") == Some(changed.as_str()),
            };
            put("etag", tag);
            put("last-modified", changed);
            put("cache-control", "private, max-age=60, s-maxage=60".to_owned());
            if same {
                status = 304;
                text.clear();
            }
        }
        let cost = status != 304 && asked.path != "/rate_limit";
        let spared = matches!(fault, Some(Fault::Status(_) | Fault::Secondary(_)));
        let now = self.now;
        let mut charged = false;
        if let Actor::Token { text, .. } = actor {
            let token = self.token(text);
            if cost && !spared && token.used < token.limit {
                token.used += 1;
                charged = true;
            }
            put("x-ratelimit-limit", token.limit.to_string());
            put("x-ratelimit-remaining", (token.limit - token.used).to_string());
            put("x-ratelimit-used", token.used.to_string());
            put("x-ratelimit-reset", (token.resets / 1_000).to_string());
            put("x-ratelimit-resource", "core".to_owned());
            if let Holder::Classic { scopes, .. } = &token.holder {
                put("x-oauth-scopes", scopes.join(", "));
            }
        }
        put("date", http_date(&time(now)));
        put("x-github-api-version-selected", "2022-11-28".to_owned());
        put("x-github-media-type", "github.v3; format=json".to_owned());
        put(
            "x-github-request-id",
            format!("FAKE:{:04X}", self.log.requests.len()),
        );
        if !text.is_empty() && !out.iter().any(|(name, _)| name == "content-type") {
            out.push((
                "content-type".to_owned(),
                "application/json; charset=utf-8".to_owned(),
            ));
        }
        if fault == Some(Fault::Torn) {
            text.truncate(text.len() / 2);
        }
        let sent = !matches!(fault, Some(Fault::CutAfter | Fault::TimeOutAfter));
        self.note(asked, if sent { status } else { 0 }, actor, charged);
        build(status, out, Body::from(text))
    }

    pub(super) fn note(&mut self, asked: &Asked, status: u16, actor: &Actor, cost: bool) {
        let address = format!("{}?{}", asked.path, asked.query);
        let marks = ["ghp_", "ghs_", "gho_", "github_pat_", "access_token=", "eyJ"];
        let token_in_url = marks.iter().any(|mark| address.contains(mark));
        if token_in_url {
            self.log.complain(format!(
                "an address held a credential: {} {}",
                asked.method, asked.path
            ));
        }
        let secret = ["authorization", "cookie", "proxy-authorization"];
        let headers = asked
            .headers
            .iter()
            .filter(|(name, _)| !secret.contains(&name.as_str()));
        let headers =
            headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
        self.log.requests.push(Request {
            method: asked.method.clone(),
            path: asked.path.clone(),
            query: asked.query.clone(),
            status,
            conditional: asked.headers.contains_key("if-none-match")
                || asked.headers.contains_key("if-modified-since"),
            cost,
            login: actor.login().to_owned(),
            body: serde_json::from_slice(&asked.body).unwrap_or_default(),
            headers: headers.collect(),
            token_in_url,
        });
    }
}

/// The newest `updated_at` of what is answered.
fn last_change(body: &Value) -> Option<String> {
    let of = |value: &Value| value["updated_at"].as_str().map(str::to_owned);
    match body {
        Value::Array(list) => list.iter().filter_map(of).max(),
        value => of(value),
    }
}
