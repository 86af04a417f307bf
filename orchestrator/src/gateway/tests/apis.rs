//! The Responses and Chat Completions APIs: what gets through, how it is counted, how it is refused.

use super::{super::OVER_BUDGET, provider::Piece, *};

const RESPONSES: &str = "/v1/responses";
const CHAT: &str = "/v1/chat/completions";

fn responses(stream: bool) -> Value {
    json!({"model": "other", "input": "mend the total", "max_output_tokens": 1_000, "stream": stream})
}

fn chat(stream: bool) -> Value {
    let messages = json!([{"role": "user", "content": "mend the total"}]);
    json!({"model": "other", "messages": messages, "max_completion_tokens": 1_000, "stream": stream})
}

const RESPONSES_USAGE: &str = r#"{"input_tokens":100,"input_tokens_details":{"cached_tokens":60},"output_tokens":20,"output_tokens_details":{"reasoning_tokens":15}}"#;
const CHAT_USAGE: &str = r#"{"prompt_tokens":100,"prompt_tokens_details":{"cached_tokens":60},"completion_tokens":20,"completion_tokens_details":{"reasoning_tokens":15}}"#;

/// What the provider says, with things in it that nobody knows.
fn said(path: &str, stream: bool) -> String {
    match (path == RESPONSES, stream) {
        (true, false) => format!(
            r#"{{"id":"resp_1","object":"response","status":"completed","output":[{{"type":"reasoning","id":"rs_1","encrypted_content":"gAA","new":[1.50]}}],"usage":{RESPONSES_USAGE},"later":"\u0041"}}"#
        ),
        (true, true) => format!(
            "event: response.created\ndata: {{\"type\":\"response.created\",\"response\":{{\"id\":\"resp_1\",\"usage\":null}}}}\n\n: odd\n\nevent: response.output_item.added\ndata: {{\"type\":\"response.output_item.added\",\"item\":{{\"type\":\"reasoning\",\"new\":[1.50]}}}}\n\nevent: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":{{\"usage\":{RESPONSES_USAGE}}}}}\n\n"
        ),
        (false, false) => format!(
            r#"{{"id":"c","object":"chat.completion","choices":[{{"index":0,"message":{{"role":"assistant","content":"fine","new":[1.50]}}}}],"usage":{CHAT_USAGE}}}"#
        ),
        (false, true) => format!(
            "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"fine\",\"new\":[1.50]}}}}],\"usage\":null}}\n\ndata: {{\"id\":\"c\",\"choices\":[],\"usage\":{CHAT_USAGE}}}\n\ndata: [DONE]\n\n"
        ),
    }
}

fn act(came: &Came) -> Act {
    let path = if came.head.starts_with("POST /v1/responses ") {
        RESPONSES
    } else {
        CHAT
    };
    if came.body["stream"] == json!(true) {
        Act::Stream(vec![Piece::Text(said(path, true))])
    } else {
        Act::Say(200, &[], said(path, false))
    }
}

#[tokio::test]
async fn each_answer_passes_byte_for_byte_and_is_counted_as_the_provider_says() {
    for (path, body) in [
        (RESPONSES, responses(false)),
        (RESPONSES, responses(true)),
        (CHAT, chat(false)),
        (CHAT, chat(true)),
    ] {
        let world = World::new(|_, came| act(came)).await;
        let token = world.admit("a", Caps::default());
        let response = world.post_to(path, token.expose(), &body).await;
        assert_eq!(response.status(), 200, "{path}");
        let stream = body["stream"] == json!(true);
        assert_eq!(response.text().await.unwrap(), said(path, stream));
        let spend = world.spend().await;
        let usage = spend.usage;
        assert_eq!(
            (
                usage.input_tokens,
                usage.cache_read_tokens,
                usage.output_tokens,
                usage.reasoning_tokens
            ),
            (40, 60, 20, 15)
        );
        assert_eq!((spend.cost, spend.estimated), (Money(40 + 6 + 200), 0));
    }
}

#[tokio::test]
async fn only_key_model_length_and_usage_are_rewritten() {
    let world = World::new(|_, came| act(came)).await;
    let token = world.admit("a", capped(Money(10_000)));
    let mut asked = responses(true);
    asked["max_output_tokens"] = json!(4_000);
    asked["reasoning"] = json!({"effort": "high"});
    world
        .post_to(RESPONSES, token.expose(), &asked)
        .await
        .bytes()
        .await
        .unwrap();
    let mut old = json!({"model": "other", "messages": [], "max_tokens": 4_000, "stream": true});
    world
        .post_to(CHAT, token.expose(), &old)
        .await
        .bytes()
        .await
        .unwrap();
    let came = world.provider.came();
    for one in &came {
        assert!(one.head.contains(&format!("authorization: Bearer {KEY}")));
        assert!(!one.head.contains(token.expose()) && !one.head.contains("x-api-key"));
    }
    let granted = came[0].body["max_output_tokens"].as_u64().unwrap();
    assert!(
        (256..1_000).contains(&granted),
        "clamped to what the cap bears: {granted}"
    );
    asked["max_output_tokens"] = json!(granted);
    asked["store"] = json!(false);
    assert_eq!(came[0].body.to_string(), asked.to_string());
    let granted = came[1].body["max_tokens"].as_u64().unwrap();
    assert!((256..1_000).contains(&granted), "{granted}");
    old["max_tokens"] = json!(granted);
    old["stream_options"] = json!({"include_usage": true});
    assert_eq!(came[1].body.to_string(), old.to_string());
}

#[tokio::test]
async fn an_answer_without_a_length_is_bounded_all_the_same() {
    let world = World::new(|_, came| act(came)).await;
    let token = world.admit("a", Caps::default());
    for (path, mut body, key) in [
        (RESPONSES, responses(false), "max_output_tokens"),
        (CHAT, chat(false), "max_completion_tokens"),
    ] {
        body.as_object_mut().unwrap().shift_remove(key);
        world
            .post_to(path, token.expose(), &body)
            .await
            .bytes()
            .await
            .unwrap();
        assert_eq!(world.provider.came().last().unwrap().body[key], json!(4_096));
    }
}

#[tokio::test]
async fn a_cut_stream_is_charged_its_reservation_and_is_seen_as_cut() {
    for (path, body) in [(RESPONSES, responses(true)), (CHAT, chat(true))] {
        let world = World::new(move |_, _| {
            let whole = said(path, true);
            let cut = whole.rfind("usage").unwrap();
            Act::Stream(vec![Piece::Text(whole[..cut].to_owned()), Piece::Cut])
        })
        .await;
        let token = world.admit("a", Caps::default());
        let response = world.post_to(path, token.expose(), &body).await;
        assert!(
            response.bytes().await.is_err(),
            "a cut answer must not look whole"
        );
        let spend = world.spend().await;
        assert_eq!((spend.calls, spend.estimated), (1, 1));
        assert!(spend.cost >= Money(1_000 * 10 + 1_500), "{}", spend.cost);
        assert_eq!(world.provider.came().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_say_what_it_used_is_charged_its_reservation() {
    let world = World::new(|_, _| Act::Say(200, &[], r#"{"id":"c","choices":[]}"#.to_owned())).await;
    let token = world.admit("a", Caps::default());
    world
        .post_to(CHAT, token.expose(), &chat(false))
        .await
        .bytes()
        .await
        .unwrap();
    assert_eq!(world.spend().await.estimated, 1);
}

#[tokio::test]
async fn trouble_before_the_first_word_is_tried_again_and_costs_nothing() {
    let failed = "data: {\"type\":\"response.created\",\"response\":{}}\n\ndata: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"server_is_overloaded\"}}}\n\n";
    let world = World::new(move |before, came| match before {
        0 => Act::Say(
            429,
            &[],
            json!({"error": {"code": "rate_limit_exceeded"}}).to_string(),
        ),
        1 => Act::Stream(vec![Piece::Text(failed.to_owned())]),
        _ => act(came),
    })
    .await;
    let token = world.admit("a", Caps::default());
    let response = world.post_to(RESPONSES, token.expose(), &responses(true)).await;
    assert_eq!(response.text().await.unwrap(), said(RESPONSES, true));
    let spend = world.spend().await;
    assert_eq!((spend.calls, spend.cost, spend.estimated), (3, Money(246), 0));
}

#[tokio::test]
async fn an_account_without_money_is_not_asked_again() {
    let empty =
        json!({"error": {"message": "told so", "type": "insufficient_quota", "code": "insufficient_quota"}});
    let world = World::new(move |_, _| Act::Say(429, &[], empty.to_string())).await;
    let token = world.admit("a", Caps::default());
    let (status, kind, _) = world.refused_at(CHAT, token.expose(), &chat(false)).await;
    assert_eq!(
        (status, kind.as_str(), world.provider.came().len()),
        (429, "insufficient_quota", 1)
    );
    assert_eq!(world.spend().await.cost, Money::ZERO);
}

#[tokio::test]
async fn errors_have_the_form_of_the_api_that_was_asked() {
    let world = World::new(|_, came| act(came)).await;
    let token = world.admit("a", capped(Money(100)));
    for (path, body) in [(RESPONSES, responses(false)), (CHAT, chat(true))] {
        let response = world.post_to(path, token.expose(), &body).await;
        let error: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(error.as_object().unwrap().len(), 1, "{error}");
        assert_eq!(error["error"]["type"], json!(OVER_BUDGET));
        assert_eq!(error["error"]["code"], json!("insufficient_quota"));
        assert!(
            error["error"]["message"]
                .as_str()
                .unwrap()
                .contains("task's budget")
        );

        let mut unknown = body.clone();
        unknown["model"] = json!("gpt-0");
        let (status, kind, _) = world.refused_at(path, token.expose(), &unknown).await;
        assert_eq!((status, kind.as_str()), (404, "not_found_error"));
        let mut foreign = body.clone();
        foreign["model"] = json!("plain");
        let (status, _, message) = world.refused_at(path, token.expose(), &foreign).await;
        assert_eq!(status, 400);
        assert!(message.contains("is one of `anthropic`"), "{message}");
        let mut stored = body.clone();
        stored["store"] = json!(true);
        assert_eq!(world.refused_at(path, token.expose(), &stored).await.0, 400);
        assert_eq!(world.refused_at(path, "loops-0000", &body).await.0, 401);
    }
    let mut foreign = request(500);
    foreign["model"] = json!("other");
    let (_, _, message) = world.refused(token.expose(), &foreign).await;
    assert!(message.contains("does not speak the Messages API"), "{message}");
    assert!(world.provider.came().is_empty());
}

#[tokio::test]
async fn every_other_endpoint_is_refused_in_the_form_of_its_api() {
    let world = World::new(|_, came| act(came)).await;
    let token = world.admit("a", Caps::default());
    for path in [
        "/v1/batches",
        "/v1/files",
        "/v1/responses/resp_1/cancel",
        "/v1/responses/compact",
        "/v1/embeddings",
        "/v1/vector_stores",
        "/v1/containers",
        "/v1/conversations",
        "/v1/realtime",
        "/v1/messages/batches",
        "/v1/messages/count_tokens",
        "/v1/organizations",
        "/v1/chat/completions/../../files",
        "/V1/chat/completions",
        "//v1/responses",
    ] {
        let (status, kind, message) = world.refused_at(path, token.expose(), &json!({})).await;
        assert_eq!((status, kind.as_str()), (404, "not_found_error"), "{path}");
        assert!(message.contains("and nothing else"), "{message}");
    }
    let kept = format!("{}/v1/responses/resp_1", world.gateway.address);
    let kept = world
        .client
        .get(kept)
        .bearer_auth(token.expose())
        .send()
        .await
        .unwrap();
    assert_eq!(kept.status(), 404);
    assert!(world.provider.came().is_empty());
}

#[tokio::test]
async fn a_cassette_says_that_it_holds_no_such_answers() {
    let cassette = Cassette::parse(
        r#"{"note": "ours", "sessions": [{"label": "fix", "match": ["total"], "turns": [{"content": [{"type": "text", "text": "x"}]}]}]}"#,
    )
    .unwrap();
    let world = World::build(|_, came| act(came), Some(cassette), false).await;
    let token = world.admit("a", Caps::default());
    let (status, _, message) = world.refused_at(CHAT, token.expose(), &chat(false)).await;
    assert_eq!(
        (status, message.as_str()),
        (400, "cassettes do not hold answers of the Chat Completions API")
    );
}
