//! Documents of each format, from disk and from a server of our own on loopback.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use loops::{signal::Signal, spec};

use super::*;
use crate::config::Config;

/// What a server was asked, and how it answers.
type Answers = dyn Fn(&str, &str, &HeaderMap) -> Response + Send + Sync;

struct Server {
    address: String,
    asked: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

#[derive(Clone)]
struct Face {
    answers: Arc<Answers>,
    asked: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

impl Server {
    async fn start(answers: impl Fn(&str, &str, &HeaderMap) -> Response + Send + Sync + 'static) -> Self {
        async fn answer(State(face): State<Face>, uri: Uri, query: RawQuery, headers: HeaderMap) -> Response {
            let query = query.0.unwrap_or_default();
            let answer = (face.answers)(uri.path(), &query, &headers);
            face.asked.lock().unwrap().push((uri.to_string(), headers));
            answer
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let asked = Arc::default();
        let face = Face {
            answers: Arc::new(answers),
            asked: Arc::clone(&asked),
        };
        let router = Router::new().fallback(answer).with_state(face);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .map(|(uri, _)| uri.clone())
            .collect()
    }
}

fn feeds(credentials: &str) -> Feeds {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let env = |name: &str| (name == "TOKEN").then(|| "hunter2".to_owned());
    let config = Config::read(Path::new("loops.yaml"), credentials, Some("/s".into()), &env).unwrap();
    Feeds::new(config.credentials).unwrap()
}

/// The source that a loop with this line has.
fn source(line: &str) -> Feed {
    let text = format!(
        "name: a\nkind: fix\nrepo: ./r\nschedule: {{ every: 1h }}\nsources:\n  - {line}\nchecks: {{ commands: [{{ name: t, run: t }}] }}\n"
    );
    let known = spec::Known {
        models: vec!["top".into(), "standard".into(), "small".into()],
    };
    let read = spec::read("a.yaml", &text, &known).unwrap_or_else(|errors| panic!("{errors:?}"));
    Feed::of(&read.sources[0]).unwrap()
}

async fn read(feeds: &Feeds, feed: &Feed, folder: &Path, cursor: Option<&str>) -> Batch {
    feeds.read(feed, folder, cursor).await.unwrap()
}

fn texts(batch: &Batch) -> Vec<&str> {
    batch.signals.iter().map(|signal| signal.text.as_str()).collect()
}

fn by_text<'a>(batch: &'a Batch, text: &str) -> &'a Signal {
    batch
        .signals
        .iter()
        .find(|signal| signal.text.contains(text))
        .unwrap()
}

const REPORT: &str = r#"<testsuites><testsuite name="cart">
<testcase classname="cart.Total" name="adds"/>
<testcase classname="cart.Total" name="rounds"><failure message="expected 3 &lt; 4">at cart.rs:12 &amp; more</failure></testcase>
<testcase classname="cart.Total" name="loads"><error><![CDATA[boom]]></error></testcase>
</testsuite></testsuites>"#;

#[tokio::test]
async fn the_failed_tests_of_a_report_are_read_once_and_again_when_they_fail_again() {
    let folder = tempfile::tempdir().unwrap();
    let (feeds, feed) = (feeds(""), source("junit: { path: \"reports/*.xml\" }"));
    std::fs::create_dir(folder.path().join("reports")).unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("reports/a.xml"), text).unwrap();
    write(REPORT);
    let first = read(&feeds, &feed, folder.path(), None).await;
    assert_eq!(
        texts(&first),
        [
            "test `cart.Total.rounds` failed\n\nexpected 3 < 4\nat cart.rs:12 & more",
            "test `cart.Total.loads` failed\n\nboom"
        ]
    );
    let again = read(&feeds, &feed, folder.path(), Some(&first.cursor)).await;
    assert_eq!(again.signals, [], "nothing has changed");
    write(&REPORT.replace("name=\"cart\"", "name=\"cart\" timestamp=\"2026-11-03T10:00:00\""));
    let later = read(&feeds, &feed, folder.path(), Some(&again.cursor)).await;
    assert_eq!(texts(&later), texts(&first));
    assert_ne!(later.signals[0].id, first.signals[0].id, "it failed once more");
    write("<html>");
    let broken = read(&feeds, &feed, folder.path(), Some(&later.cursor)).await;
    assert!(
        broken.signals.is_empty() && broken.skipped.len() == 1,
        "{broken:?}"
    );
}

#[tokio::test]
async fn what_a_scanner_found_is_read_unless_it_was_suppressed_and_keeps_its_id_when_lines_move() {
    let folder = tempfile::tempdir().unwrap();
    let (feeds, feed) = (feeds(""), source("sarif: { path: scan.sarif }"));
    let report = |line: u32| {
        format!(
            r#"{{"version": "2.1.0", "runs": [{{"tool": {{"driver": {{"name": "scan", "rules": [{{"id": "S1",
            "shortDescription": {{"text": "SQL made of text"}}, "helpUri": "https://scan.example/S1"}}]}}}}, "results": [
            {{"ruleId": "S1", "ruleIndex": 0, "level": "error", "message": {{"text": "query is made of `name`"}},
              "partialFingerprints": {{"primary": "abc"}},
              "locations": [{{"physicalLocation": {{"artifactLocation": {{"uri": "src/db.py"}}, "region": {{"startLine": {line}}}}}}}]}},
            {{"ruleId": "S1", "message": {{"text": "accepted"}}, "suppressions": [{{"kind": "external"}}]}},
            {{"ruleId": "S1", "message": {{"text": "rejected"}}, "suppressions": [{{"kind": "external", "status": "rejected"}}]}},
            {{"ruleId": "S1", "kind": "pass", "message": {{"text": "fine"}}}},
            {{"ruleId": "S1", "baselineState": "absent", "message": {{"text": "gone"}}}}]}}]}}"#
        )
    };
    std::fs::write(folder.path().join("scan.sarif"), report(12)).unwrap();
    let first = read(&feeds, &feed, folder.path(), None).await;
    assert_eq!(
        texts(&first),
        [
            "scan S1 (error) at src/db.py:12\nquery is made of `name`\nSQL made of text",
            "scan S1 (warning)\nrejected\nSQL made of text"
        ]
    );
    std::fs::write(folder.path().join("scan.sarif"), report(40)).unwrap();
    let moved = read(&feeds, &feed, folder.path(), Some(&first.cursor)).await;
    assert_eq!(moved.signals[0].id, first.signals[0].id);
    assert!(moved.signals[0].text.contains("src/db.py:40"));
}

#[tokio::test]
async fn rows_are_read_by_the_names_of_their_columns_and_bad_ones_are_told_of_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let feed = source(
        "csv: { path: f.csv, delimiter: \";\", columns: { text: What, title: Head, at: When, author: Who, votes: Up, labels: Tags, id: No } }",
    );
    let rows = "\u{feff}No;When;Who;Head;What;Up;Tags\n1;2026-11-03;ann;Cart;\"it; \"\"hangs\"\"\nalways\";7;a, b\n2;soon;bob;;x;;\n3;;;;;;\n4;;;;short\n";
    std::fs::write(folder.path().join("f.csv"), rows).unwrap();
    let batch = read(&feeds(""), &feed, folder.path(), None).await;
    assert_eq!(texts(&batch), ["Cart\n\nit; \"hangs\"\nalways", "short"]);
    let first = &batch.signals[0];
    assert_eq!(
        (
            first.external_id.as_str(),
            first.author.as_deref(),
            first.reactions["votes"],
            first.labels.len()
        ),
        ("1", Some("ann"), 7, 2)
    );
    assert_eq!(first.at.to_string(), "2026-11-03T00:00:00.000Z");
    let skipped: Vec<String> = batch
        .skipped
        .iter()
        .map(|skip| format!("{}: {}", skip.place, skip.why))
        .collect();
    assert_eq!(
        skipped,
        [
            "f.csv line 4: `soon` is no time",
            "f.csv line 5: the row says nothing"
        ]
    );
    std::fs::write(folder.path().join("f.csv"), "a,b\n1,2\n").unwrap();
    let batch = read(&feeds(""), &feed, folder.path(), None).await;
    assert!(
        batch.skipped[0].why.starts_with("there is no column"),
        "{:?}",
        batch.skipped
    );
}

fn json(server: &Server, more: &str) -> Feed {
    source(&format!(
        "json: {{ url: \"http://{}/list\", items: /data, fields: {{ id: /id, text: /body, at: /at, author: /by/name }}{more} }}",
        server.address
    ))
}

#[tokio::test]
async fn a_list_is_read_page_by_page_and_an_unchanged_one_costs_one_question() {
    let server = Server::start(|_, query, headers| {
        let body = match query {
            "page=2" => r#"{"data": [{"id": 3, "body": "third", "at": 1793707300}], "next": null}"#,
            _ => r#"{"data": [{"id": 1, "body": "first", "at": "2026-11-03T12:00:00Z", "by": {"name": "ann"}}, {"id": 2},
                     {"id": 4, "body": "x", "at": "never"}], "next": "/list?page=2"}"#,
        };
        match headers.get("if-none-match") {
            Some(_) => StatusCode::NOT_MODIFIED.into_response(),
            None => ([("etag", "\"1\"")], body).into_response(),
        }
    })
    .await;
    let (feeds, folder) = (feeds(""), Path::new("/"));
    let paged = json(&server, ", next: /next");
    let batch = read(&feeds, &paged, folder, None).await;
    assert_eq!(texts(&batch), ["first", "third"]);
    assert_eq!(by_text(&batch, "first").author.as_deref(), Some("ann"));
    assert_eq!(batch.skipped.len(), 2, "{:?}", batch.skipped);
    assert_eq!(server.asked(), ["/list", "/list?page=2"]);

    let whole = json(&server, "");
    let first = read(&feeds, &whole, folder, None).await;
    let again = read(&feeds, &whole, folder, Some(&first.cursor)).await;
    assert_eq!((first.signals.len(), again.signals.len()), (1, 0));
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn what_changed_is_asked_for_where_the_address_can_tell() {
    let server = Server::start(|_, _, _| {
        r#"{"data": [{"id": 1, "body": "a", "at": "2026-11-03T12:00:00Z"}]}"#.into_response()
    })
    .await;
    let (feeds, feed) = (feeds(""), json(&server, ", since_param: after"));
    let first = read(&feeds, &feed, Path::new("/"), None).await;
    read(&feeds, &feed, Path::new("/"), Some(&first.cursor)).await;
    assert_eq!(server.asked()[1], "/list?after=2026-11-03T11%3A55%3A00.000Z");
}

#[tokio::test]
async fn an_answer_cannot_lead_the_login_or_the_reader_to_another_host() {
    let elsewhere = Server::start(|_, _, _| r#"{"data": []}"#.into_response()).await;
    let away = format!("http://{}/list", elsewhere.address);
    let server = Server::start({
        let away = away.clone();
        move |path, _, _| match path {
            "/moved" => (StatusCode::FOUND, [("location", away.clone())]).into_response(),
            _ => format!(r#"{{"data": [], "next": "{away}"}}"#).into_response(),
        }
    })
    .await;
    let login = format!(
        "credentials: {{ c: {{ value: \"${{TOKEN}}\", hosts: [\"{}\"] }} }}",
        server.address
    );
    let feeds = feeds(&login);
    let next = json(&server, ", next: /next, credential: c");
    let error = feeds
        .read(&next, Path::new("/"), None)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("another host"), "{error}");
    let moved = source(&format!(
        "json: {{ url: \"http://{}/moved\", fields: {{ text: /t }}, credential: c }}",
        server.address
    ));
    let error = feeds
        .read(&moved, Path::new("/"), None)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("sends us on to") && !error.contains("hunter2"),
        "{error}"
    );
    let wrong = json(&elsewhere, ", credential: c");
    let error = feeds
        .read(&wrong, Path::new("/"), None)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("is not for"), "{error}");
    assert_eq!(elsewhere.asked(), [""; 0], "nobody asked there");
    let sent = server.asked.lock().unwrap()[0].1["authorization"].clone();
    assert_eq!(sent, "Bearer hunter2", "its own host gets it");
}

#[tokio::test]
async fn a_host_in_trouble_is_asked_again_and_a_refusal_says_what_to_do() {
    let server = Server::start({
        let count = Mutex::new(0);
        move |path, _, _| {
            let mut count = count.lock().unwrap();
            *count += 1;
            match path {
                "/list" if *count < 3 => StatusCode::BAD_GATEWAY.into_response(),
                "/list" => r#"{"data": []}"#.into_response(),
                "/busy" => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3600")]).into_response(),
                _ => StatusCode::UNAUTHORIZED.into_response(),
            }
        }
    })
    .await;
    let feeds = feeds("");
    read(&feeds, &json(&server, ""), Path::new("/"), None).await;
    assert_eq!(server.asked().len(), 3);
    for (path, word) in [("busy", "asked too often"), ("secret", "credentials")] {
        let feed = source(&format!("rss: {{ url: \"http://{}/{path}\" }}", server.address));
        let error = feeds
            .read(&feed, Path::new("/"), None)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(server.asked().len(), 5, "neither is asked twice");
}

#[tokio::test]
async fn entries_of_a_feed_keep_their_time_although_they_say_none() {
    const FEED: &str = r#"<rss version="2.0"><channel><title>t</title>
        <item><guid>1</guid><title>Release 2 &amp; more</title><description>&lt;p&gt;Breaks &lt;b&gt;login&lt;/b&gt;&lt;/p&gt;</description>
        <link>https://a.example/2</link></item></channel></rss>"#;
    let server = Server::start(|_, _, _| FEED.into_response()).await;
    let (feeds, feed) = (
        feeds(""),
        source(&format!("rss: {{ url: \"http://{}/feed\" }}", server.address)),
    );
    let first = read(&feeds, &feed, Path::new("/"), None).await;
    assert_eq!(texts(&first), ["Release 2 & more\n\nBreaks login"]);
    assert_eq!(first.signals[0].url.as_deref(), Some("https://a.example/2"));
    let again = read(&feeds, &feed, Path::new("/"), Some(&first.cursor)).await;
    assert_eq!(
        again.signals[0].at, first.signals[0].at,
        "it is not newer for being read again"
    );
}

#[tokio::test]
async fn issues_of_a_project_are_read_up_to_what_is_known() {
    let server = Server::start(|_, query, _| {
        let issue = |id: u32, at: &str| {
            format!(
                r#"{{"id": "{id}", "title": "TypeError: x is not a function", "culprit": "cart.total", "permalink": "https://sentry.io/i/{id}",
                "level": "error", "userCount": 9, "count": "40", "lastSeen": "{at}", "metadata": {{"filename": "cart.js", "function": "total"}}}}"#
            )
        };
        let (body, has_more) = if query.contains("cursor=") {
            (format!("[{}]", issue(2, "2026-11-01T00:00:00Z")), "false")
        } else {
            (format!("[{}]", issue(1, "2026-11-03T00:00:00Z")), "true")
        };
        let link = format!("<http://x/p>; rel=\"previous\"; results=\"false\", </api/0/projects/acme/shop/issues/?cursor=1>; rel=\"next\"; results=\"{has_more}\"");
        ([("link", link)], body).into_response()
    })
    .await;
    let login = format!(
        "credentials: {{ s: {{ value: \"${{TOKEN}}\", hosts: [\"{}\"] }} }}",
        server.address
    );
    let feed = source(&format!(
        "sentry: {{ organization: acme, project: shop, credential: s, url: \"http://{}\" }}",
        server.address
    ));
    let feeds = feeds(&login);
    let first = read(&feeds, &feed, Path::new("/"), None).await;
    assert_eq!(first.signals.len(), 2);
    assert_eq!(
        first.signals[0].text,
        "TypeError: x is not a function\nin cart.total\nat cart.js, total"
    );
    assert_eq!(first.signals[0].reactions["people"], 9);
    assert!(
        server.asked()[0].contains("query=is%3Aunresolved"),
        "{:?}",
        server.asked()
    );
    read(&feeds, &feed, Path::new("/"), Some(&first.cursor)).await;
    assert_eq!(server.asked().len(), 4, "it is read on while there may be news");
}
