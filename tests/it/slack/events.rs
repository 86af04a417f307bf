//! Events wake loops, over signed HTTP and over sockets: a burst is one run, an event counts once, and nobody else's
//! requests are believed.

use std::time::{SystemTime, UNIX_EPOCH};

use harness::{
    slack::{SIGNING_SECRET, Slack, signature},
    world::{Child, World},
};

use super::{
    reading::reader,
    signals::{kept, truth},
};
use crate::cast::Ratings;

async fn world(slack: &str, more: &str) -> (World, Slack, String) {
    let world = World::start().await;
    world.repository(&Ratings::files());
    let spec = reader("{ channels: ['#shop'] }")
        .every("300d")
        .more("triggers: [{ slack: message }]\n");
    world.define(&spec);
    let there = world.slack(slack, more).await;
    let shop = there.world().channel("shop");
    (world, there, shop)
}

/// A port that nobody listens on just now.
fn port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

async fn says(child: &mut Child, words: &str) {
    assert!(child.says(words).await, "the service never said `{words}`");
}

async fn end(world: &World, child: Child) {
    child.interrupt();
    let ran = world.end(child).await;
    assert_eq!(ran.code, 0, "{ran}");
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

#[tokio::test]
async fn a_burst_over_http_is_one_run_and_an_event_that_comes_twice_is_one() {
    let port = port();
    let (world, slack, shop) = world(
        "  signing_secret: ${LOOPS_TEST_SLACK_SIGNING}\n",
        &format!("web: {{ listen: '127.0.0.1:{port}' }}\n"),
    )
    .await;
    let mut child = world.spawn(["serve"]);
    says(&mut child, "listening on").await;
    let anna = {
        let mut there = slack.world();
        there.events_url = format!("http://127.0.0.1:{port}/slack/events");
        let anna = there.person("Anna");
        for n in 0..5 {
            there.say(&shop, &anna, &format!("Report number {n}"));
        }
        // What the app says itself is no news to it.
        there.say(&shop, "U0LOOPSBOT", "A change for this is proposed");
        anna
    };
    slack.delivered().await;
    says(&mut child, "woken by 5 news").await;
    says(&mut child, "nothing to do").await;
    {
        let mut there = slack.world();
        there.redeliver(0);
        there.say(&shop, &anna, "One more");
    }
    slack.delivered().await;
    says(&mut child, "woken by news").await;
    says(&mut child, "nothing to do").await;
    assert!(
        slack
            .world()
            .deliveries
            .iter()
            .all(|one| one.answers.iter().all(|answer| *answer == 200))
    );
    end(&world, child).await;
    assert_eq!(kept(&world, "fix", "shop").await, truth(&slack, "shop"));
    let runs = world.loops(["runs", "--format", "json"]).await.json();
    assert_eq!(runs.as_array().map(Vec::len), Some(2), "{runs:#}");
    slack.check();
    world.close().await;
}

#[tokio::test]
async fn over_a_socket_events_are_acknowledged_and_a_closed_one_is_opened_again() {
    let (world, slack, shop) = world("  app_token: ${LOOPS_TEST_SLACK_APP}\n", "").await;
    slack.world().socket_mode = true;
    let mut child = world.spawn(["serve"]);
    slack.connected(1).await;
    let anna = {
        let mut there = slack.world();
        let anna = there.person("Anna");
        // What nobody understands harms nothing.
        there.send_raw("not json");
        there.send_raw(r#"{"type":"events_api","envelope_id":"x","payload":[1]}"#);
        there.say(&shop, &anna, "The total is wrong");
        anna
    };
    slack.delivered().await;
    says(&mut child, "woken by news").await;
    says(&mut child, "nothing to do").await;
    slack.world().close_sockets("refresh_requested");
    slack.connected(1).await;
    slack.world().say(&shop, &anna, "Coupons count once");
    slack.delivered().await;
    says(&mut child, "woken by news").await;
    says(&mut child, "nothing to do").await;
    end(&world, child).await;
    assert_eq!(kept(&world, "fix", "shop").await, truth(&slack, "shop"));
    assert!(slack.asked("apps.connections.open") >= 2);
    slack.check();
    world.close().await;
}

/// A request as somebody sends it.
async fn send(port: u16, time: Option<i64>, signed: Option<&str>, body: &str) -> (u16, String) {
    let mut request = reqwest::Client::new()
        .post(format!("http://127.0.0.1:{port}/slack/events"))
        .body(body.to_owned());
    if let Some(time) = time {
        request = request.header("x-slack-request-timestamp", time.to_string());
    }
    if let Some(signed) = signed {
        request = request.header("x-slack-signature", signed);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_request_that_slack_did_not_sign_just_now_wakes_nobody() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let port = port();
    let (world, slack, shop) = world(
        "  signing_secret: ${LOOPS_TEST_SLACK_SIGNING}\n",
        &format!("web: {{ listen: '127.0.0.1:{port}' }}\n"),
    )
    .await;
    let mut child = world.spawn(["serve"]);
    says(&mut child, "listening on").await;
    // A loop that never ran is run once.
    says(&mut child, "next at").await;
    let body = |id: &str| {
        format!(
            r#"{{"type":"event_callback","event_id":"{id}","event":{{"type":"message","channel":"{shop}","user":"U9"}},"authorizations":[{{"user_id":"U0LOOPSBOT"}}]}}"#
        )
    };
    let (time, old) = (now(), now() - 301);
    let sign = |time: i64, body: &str| signature(SIGNING_SECRET, time, body);
    let forged = body("EvForged");
    let altered = sign(time, &forged).replacen("v0=", "v0=0", 1);
    for (what, time, signed, body) in [
        ("unsigned", Some(time), None, &forged),
        ("without a time", None, Some(sign(time, &forged)), &forged),
        (
            "with another secret",
            Some(time),
            Some(signature("guess", time, &forged)),
            &forged,
        ),
        ("old", Some(old), Some(sign(old, &forged)), &forged),
        (
            "signed for another time",
            Some(time),
            Some(sign(old, &forged)),
            &forged,
        ),
        (
            "signed for other words",
            Some(time),
            Some(sign(time, &body("EvOther"))),
            &forged,
        ),
        ("with half a signature", Some(time), Some(altered), &forged),
    ] {
        let (status, answer) = send(port, time, signed.as_deref(), body).await;
        assert_eq!((status, answer.as_str()), (401, ""), "{what}");
    }
    let huge = "x".repeat(2 << 20);
    assert_eq!(
        send(port, Some(time), Some(&sign(time, &huge)), &huge).await.0,
        413
    );
    assert_eq!(send(port, Some(time), Some(&sign(time, "[]")), "[]").await.0, 400);
    let challenge = r#"{"type":"url_verification","challenge":"3eZbrw1a"}"#;
    let (status, answer) = send(port, Some(time), Some(&sign(time, challenge)), challenge).await;
    assert_eq!((status, answer.as_str()), (200, "3eZbrw1a"));

    // Control: the same words, signed as Slack does, wake the loop; and again they do not.
    for _ in 0..2 {
        let (status, _) = send(port, Some(time), Some(&sign(time, &forged)), &forged).await;
        assert_eq!(status, 200);
    }
    says(&mut child, "woken by news").await;
    says(&mut child, "nothing to do").await;
    end(&world, child).await;
    let runs = world.loops(["runs", "--format", "json"]).await.json();
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "{runs:#}");
    slack.check();
    world.close().await;
}
