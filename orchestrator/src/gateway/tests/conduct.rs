//! What gets through, what does not, and how trouble with the provider is met.

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Instant,
};

use tokio::sync::Semaphore;

use super::{
    provider::{Piece, end, event, start, whole, words},
    *,
};

fn error(kind: &str) -> String {
    json!({"type": "error", "error": {"type": kind, "message": "told so"}}).to_string()
}

#[tokio::test]
async fn an_answer_passes_byte_for_byte() {
    let odd = start(5)
        + ": a comment\n\n"
        + &event(json!({"type": "content_block_start", "index": 0,
        "content_block": {"type": "thinking", "thinking": "", "signature": "", "new": [1.50, "\u{1F980}"]}}))
        + &words("fine")
        + &end(7);
    let sent = odd.clone();
    let world = World::new(move |_, _| {
        let (first, second) = odd.split_at(odd.len() / 2);
        Act::Stream(vec![
            Piece::Text(first.to_owned()),
            Piece::Text(second.to_owned()),
        ])
    })
    .await;
    let token = world.admit("a", Caps::default());
    let response = world.post(token.expose(), &stream(500)).await;
    assert_eq!(response.headers()["request-id"], "req_1");
    assert_eq!(response.text().await.unwrap(), sent);
}

#[tokio::test]
async fn only_key_model_and_max_tokens_are_rewritten() {
    let world = World::new(|_, came| whole(came, 1, 1)).await;
    let token = world.admit("a", Caps::default());
    let mut body = request(9_999);
    body["output_config"] = json!({"effort": "high", "format": {"type": "text"}});
    body["tools"] = json!([{"name": "read", "input_schema": {"type": "object", "z": 1, "a": 2}}]);
    world.post(token.expose(), &body).await.bytes().await.unwrap();
    let came = &world.provider.came()[0];
    body["model"] = json!("plain");
    body["max_tokens"] = json!(4_096);
    body["output_config"] = json!({"format": {"type": "text"}});
    assert_eq!(came.body.to_string(), body.to_string(), "`plain` takes no effort");
    assert!(came.head.contains(&format!("x-api-key: {KEY}")) && !came.head.contains(token.expose()));
}

#[tokio::test]
async fn what_may_not_be_asked_is_not_passed_on() {
    let world = World::new(|_, came| whole(came, 1, 1)).await;
    let token = world.admit("a", Caps::default());
    let with = |key: &str, value: Value| {
        let mut body = request(500);
        body[key] = value;
        body
    };
    let unpriced = with("model", json!("unpriced"));
    for (body, status, words) in [
        (with("mcp_servers", json!([])), 400, "`mcp_servers`"),
        (
            with("tools", json!([{"type": "web_search_20250305", "name": "w"}])),
            400,
            "web_search_20250305",
        ),
        (with("model", json!("gpt")), 404, "no model `gpt`"),
        (unpriced, 400, "`models.known.unpriced.price`"),
        (json!([]), 400, "not a JSON object"),
    ] {
        let (got, _, message) = world.refused(token.expose(), &body).await;
        assert!(got == status && message.contains(words), "{got} {message}");
    }
    let narrow = world.gateway.admit(Admission {
        models: Some(vec!["small".to_owned()]),
        ..admission("b", Caps::default())
    });
    assert_eq!(world.refused(narrow.expose(), &request(500)).await.0, 403);
    let other = world
        .client
        .get(format!("{}/v1/models", world.gateway.address))
        .send()
        .await
        .unwrap();
    assert_eq!(other.status(), 404);
    let large = with("system", json!("x".repeat(17 * 1024 * 1024)));
    assert_eq!(world.post(token.expose(), &large).await.status(), 413);
    assert!(world.provider.came().is_empty());
    assert_eq!(world.spend().await.calls, 0);
}

#[tokio::test]
async fn a_token_works_only_while_its_attempt_is_admitted() {
    let world = World::new(|_, came| whole(came, 1, 1)).await;
    let token = world.admit("a", Caps::default());
    assert_eq!(world.refused("loops-0000", &request(500)).await.0, 401);
    assert_eq!(world.refused(KEY, &request(500)).await.0, 401);
    let bearer = world
        .client
        .post(format!("{}/v1/messages", world.gateway.address))
        .bearer_auth(token.expose());
    assert_eq!(
        bearer
            .body(request(500).to_string())
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    world.gateway.dismiss(&token);
    let (status, kind, message) = world.refused(token.expose(), &request(500)).await;
    assert_eq!((status, kind.as_str()), (401, "authentication_error"));
    assert!(message.contains("attempt has ended"), "{message}");
    assert_eq!(world.provider.came().len(), 1);
}

#[tokio::test]
async fn dismissal_cuts_what_is_under_way_and_so_does_shutdown() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let world =
        World::new(move |_, _| Act::Stream(vec![Piece::Text(start(7)), Piece::Wait(Arc::clone(&held))]))
            .await;
    for (number, shutdown) in [(1, false), (2, true)] {
        let token = world.admit("a", Caps::default());
        let mut response = world.post(token.expose(), &stream(500)).await;
        response.chunk().await.unwrap().unwrap();
        if shutdown {
            world.gateway.shutdown(Duration::from_millis(1)).await;
        } else {
            world.gateway.dismiss(&token);
        }
        assert!(response.bytes().await.is_err());
        assert_eq!(world.spend().await.estimated, number);
    }
    let gone = world
        .client
        .post(format!("{}/v1/messages", world.gateway.address))
        .send()
        .await;
    assert!(gone.is_err(), "nothing listens any more");
}

#[tokio::test]
async fn one_attempt_cannot_fill_the_gateway() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let world =
        World::new(move |_, _| Act::Stream(vec![Piece::Text(start(7)), Piece::Wait(Arc::clone(&held))]))
            .await;
    let token = world.admit("a", Caps::default());
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(world.post(token.expose(), &stream(500)).await);
    }
    assert_eq!(world.refused(token.expose(), &stream(500)).await.0, 429);
    let other = world.admit("b", Caps::default());
    assert_eq!(
        world.post(other.expose(), &stream(500)).await.status(),
        200,
        "others go on"
    );
}

#[tokio::test]
async fn passing_trouble_is_tried_again_and_costs_nothing() {
    let world = World::new(|before, came| match before {
        0 => Act::Say(529, &[], error("overloaded_error")),
        1 => Act::Say(500, &[], "<html>".to_owned()),
        2 => Act::Stream(vec![Piece::Text(event(
            json!({"type": "error", "error": {"type": "overloaded_error"}}),
        ))]),
        _ => whole(came, 10, 2),
    })
    .await;
    let token = world.admit("a", Caps::default());
    let response = world.post(token.expose(), &stream(500)).await;
    assert_eq!(response.status(), 200);
    assert!(response.text().await.unwrap().contains("fine"));
    let spend = world.spend().await;
    assert_eq!((spend.calls, spend.cost, spend.estimated), (4, Money(30), 0));
}

#[tokio::test]
async fn a_stream_that_ends_before_it_began_is_tried_again() {
    let world = World::new(|before, came| {
        if before == 0 {
            Act::Stream(Vec::new())
        } else {
            whole(came, 1, 1)
        }
    })
    .await;
    let token = world.admit("a", Caps::default());
    let response = world.post(token.expose(), &stream(500)).await;
    assert!(response.text().await.unwrap().contains("fine"));
    assert_eq!(world.spend().await.estimated, 1);
}

#[tokio::test]
async fn a_wait_that_the_provider_asks_for_is_kept() {
    let world = World::new(|before, came| match before {
        0 => Act::Say(429, &[("retry-after", "1")], error("rate_limit_error")),
        _ => whole(came, 1, 1),
    })
    .await;
    let token = world.admit("a", Caps::default());
    let asked = Instant::now();
    assert_eq!(world.post(token.expose(), &request(500)).await.status(), 200);
    assert!(asked.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_wait_beyond_all_patience_is_passed_on_at_once() {
    let world = World::new(|_, _| Act::Say(429, &[("retry-after", "90")], error("rate_limit_error"))).await;
    let token = world.admit("a", Caps::default());
    let (status, kind, _) = world.refused(token.expose(), &request(500)).await;
    assert_eq!(
        (status, kind.as_str(), world.provider.came().len()),
        (429, "rate_limit_error", 1)
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_once() {
    let world = World::new(|_, _| Act::Say(400, &[], error("invalid_request_error"))).await;
    let token = world.admit("a", Caps::default());
    let (status, _, message) = world.refused(token.expose(), &request(500)).await;
    assert_eq!(
        (status, message.as_str(), world.provider.came().len()),
        (400, "told so", 1)
    );
    assert_eq!(world.spend().await.cost, Money::ZERO);
}

#[tokio::test]
async fn a_refused_key_is_remembered_until_it_works() {
    let world = World::new(|before, came| match before {
        0 => Act::Say(
            401,
            &[],
            json!({"error": {"message": format!("bad {KEY}")}}).to_string(),
        ),
        _ => whole(came, 1, 1),
    })
    .await;
    let token = world.admit("a", Caps::default());
    let (status, kind, message) = world.refused(token.expose(), &request(500)).await;
    assert_eq!((status, kind.as_str()), (401, "authentication_error"));
    assert!(
        message.contains("the model key was refused (401)") && message.contains("`KEY`"),
        "{message}"
    );
    assert_eq!(world.gateway.key_trouble(), Some(message));
    world
        .post(token.expose(), &request(500))
        .await
        .bytes()
        .await
        .unwrap();
    assert_eq!(world.gateway.key_trouble(), None);
}

/// A place for log lines.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn neither_key_nor_token_nor_prompt_is_in_any_answer_or_log() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let world = World::new(|before, came| match before {
        0 => Act::Say(
            400,
            &[],
            json!({"type": "error", "error": {"type": "x", "message": came.head}}).to_string(),
        ),
        1 => Act::Say(403, &[("x-echo", KEY)], came.head.clone()),
        _ => whole(came, 1, 1),
    })
    .await;
    let token = world.admit("a", Caps::default());
    let mut said = String::new();
    for _ in 0..3 {
        let response = world.post(token.expose(), &request(500)).await;
        said += &format!("{:?}", response.headers());
        said += &response.text().await.unwrap();
    }
    said += &format!("{:?} {token:?}", world.gateway);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("model call") && said.contains("***"));
    // The test's own client, which knows its token, writes no headers to the log either.
    for (place, text) in [("answers", &said), ("log", &log)] {
        assert!(!text.contains(KEY), "the key is in the {place}");
        assert!(!text.contains(token.expose()), "the token is in the {place}");
        assert!(!text.contains("mend the total"), "the prompt is in the {place}");
    }
}
