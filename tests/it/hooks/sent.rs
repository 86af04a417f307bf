//! Signals that others send: the words of the documentation are run as they stand.

use std::{path::Path, process::Stdio};

use harness::{
    github::signature,
    world::{Child, World, free_port},
};
use serde_json::Value;
use tokio::process::Command;

use crate::{cast::Ratings, docs::root};

const SECRET: &str = "what-the-desk-and-the-service-know";

/// A world whose loop `fix` listens to the desk, and the port that it listens on.
async fn world() -> (World, u16) {
    let world = World::start().await;
    world.repository(&Ratings::files());
    let port = free_port();
    world.keep_secret("LOOPS_TEST_DESK", SECRET);
    world.settings(&format!(
        "web: {{ listen: '127.0.0.1:{port}', secrets: {{ desk: '${{LOOPS_TEST_DESK}}' }} }}\n"
    ));
    let spec = Ratings::file()
        .sources("[{ webhook: { secret: desk } }]")
        .every("300d")
        .more("triage: { min_signals: 1000 }\ntriggers: [{ webhook: desk }]\n");
    world.define(&spec);
    (world, port)
}

async fn says(child: &mut Child, words: &str) {
    assert!(child.says(words).await, "the service never said `{words}`");
}

fn now() -> i64 {
    orchestrator::clock::now().0 / 1000
}

fn signed(secret: &str, name: &str, at: i64, body: &str) -> String {
    signature(secret, format!("v1:{name}:{at}:{body}").as_bytes()).replacen("sha256=", "v1=", 1)
}

async fn send(port: u16, name: &str, at: i64, signed: &str, body: &str) -> (u16, Value) {
    let answer = reqwest::Client::new()
        .post(format!("http://127.0.0.1:{port}/signals/{name}"))
        .header("x-loops-timestamp", at)
        .header("x-loops-signature", signed)
        .body(body.to_owned())
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The script that docs/sources.md shows.
fn script() -> String {
    let page = std::fs::read_to_string(root().join("docs/sources.md")).unwrap();
    let from = page.split_once("# send.sh").unwrap().1;
    from.split_once("```")
        .unwrap()
        .0
        .split_once('\n')
        .unwrap()
        .1
        .to_owned()
}

async fn by_hand(folder: &Path, port: u16) -> Value {
    let out = Command::new("sh")
        .args(["-euc", &script()])
        .current_dir(folder)
        .env("URL", format!("http://127.0.0.1:{port}"))
        .env("LOOP", "fix")
        .env("DESK_SECRET", SECRET)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text} {}", String::from_utf8_lossy(&out.stderr)))
}

#[tokio::test]
async fn what_is_sent_as_the_page_says_is_kept_and_wakes_the_loop() {
    let (world, port) = world().await;
    let lines = "{\"id\": 1, \"text\": \"It crashes\", \"author\": \"ann\"}\n{\"id\": 2, \"text\": \"The total is wrong\"}\nnot json\n";
    world.write("feedback.jsonl", lines);
    let mut child = world.spawn(["serve"]);
    says(&mut child, "next at").await;
    let answer = by_hand(world.folder(), port).await;
    assert_eq!(
        (&answer["taken"], &answer["new"], &answer["known"]),
        (&2.into(), &2.into(), &false.into())
    );
    assert_eq!(
        (&answer["bad"][0]["place"], &answer["bad_count"]),
        (&"line 3".into(), &1.into())
    );
    says(&mut child, "woken by news").await;
    says(&mut child, "nothing to do").await;
    child.interrupt();
    let ran = world.end(child).await;
    assert_eq!(ran.code, 0, "{ran}");
    let store = orchestrator::store::Store::open(&world.state()).await.unwrap();
    assert_eq!(
        orchestrator::store::signals::count(&store, "fix").await.unwrap(),
        2
    );
    store.close().await;
    world.close().await;
}

#[tokio::test]
async fn what_nobody_signed_for_this_loop_just_now_is_not_taken() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (world, port) = world().await;
    let mut child = world.spawn(["serve"]);
    says(&mut child, "next at").await;
    let (at, old) = (now(), now() - 301);
    let (one, other) = (r#"{"text": "a"}"#, r#"{"text": "b"}"#);
    let good = signed(SECRET, "fix", at, one);
    for (what, name, at, by, body) in [
        (
            "with another secret",
            "fix",
            at,
            signed("guess", "fix", at, one),
            one,
        ),
        ("with other words", "fix", at, good.clone(), other),
        ("with a byte more", "fix", at, good.clone(), "{\"text\": \"a\"} "),
        ("for another loop", "other", at, good.clone(), one),
        (
            "for a loop that is not there",
            "other",
            at,
            signed(SECRET, "other", at, one),
            one,
        ),
        ("for another time", "fix", at + 1, good.clone(), one),
        ("stale", "fix", old, signed(SECRET, "fix", old, one), one),
        (
            "from the future",
            "fix",
            at + 400,
            signed(SECRET, "fix", at + 400, one),
            one,
        ),
        ("with half a signature", "fix", at, good[..20].to_owned(), one),
        ("unsigned", "fix", at, String::new(), one),
    ] {
        assert_eq!(
            send(port, name, at, &by, body).await,
            (401, Value::Null),
            "{what}"
        );
    }
    // Control: signed as it should be, each of them is taken, and the very same again counts once.
    let (status, answer) = send(port, "fix", at, &good, one).await;
    assert_eq!(
        (status, &answer["new"], &answer["known"]),
        (200, &1.into(), &false.into())
    );
    let (status, answer) = send(port, "fix", at, &good, one).await;
    assert_eq!(
        (status, &answer["new"], &answer["known"]),
        (200, &0.into(), &true.into())
    );
    let (status, answer) = send(port, "fix", at, &signed(SECRET, "fix", at, other), other).await;
    assert_eq!((status, &answer["new"]), (200, &1.into()));
    let (status, answer) = send(port, "fix", at, &signed(SECRET, "fix", at, "[7]"), "[7]").await;
    assert_eq!((status, &answer["bad"][0]["place"]), (422, &"item 1".into()));
    child.interrupt();
    assert_eq!(world.end(child).await.code, 0);
    world.close().await;
}
