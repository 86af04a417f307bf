//! Playing and recording.

use super::{
    super::REHEARSED,
    provider::{Piece, end, event, start, whole},
    *,
};

fn cassette() -> Cassette {
    Cassette::parse(
        r#"{"note": "ours", "sessions": [{"label": "fix", "match": ["total"], "turns": [
            {"content": [{"type": "text", "text": "I look"}, {"type": "tool_use", "name": "read", "input": {"path": "a"}}],
             "usage": {"input_tokens": 40, "output_tokens": 9}},
            {"content": [{"type": "text", "text": "done"}]}]}]}"#,
    )
    .unwrap()
}

#[tokio::test]
async fn a_played_session_asks_nobody_costs_nothing_and_says_so() {
    let world = World::build(|_, came| whole(came, 1, 1), Some(cassette()), false).await;
    let token = world.admit("a", capped(Money(1)));
    let response = world.post(token.expose(), &request(500)).await;
    assert_eq!(response.headers()[REHEARSED], "1");
    let first: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(
        (
            first["stop_reason"].as_str(),
            first["content"][1]["name"].as_str()
        ),
        (Some("tool_use"), Some("read"))
    );

    let mut next = stream(500);
    let messages = next["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": first["content"]}));
    messages.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": first["content"][1]["id"]}]}));
    let response = world.post(token.expose(), &next).await;
    assert_eq!(response.headers()[REHEARSED], "1");
    assert!(response.text().await.unwrap().contains("done"));

    let spend = world.spend().await;
    assert_eq!((spend.calls, spend.rehearsed, spend.cost), (2, 2, Money::ZERO));
    assert!(world.gateway.spent(RunId::named("run")).await.unwrap().2 && world.gateway.is_rehearsal());
    assert!(world.provider.came().is_empty());

    next["messages"]
        .as_array_mut()
        .unwrap()
        .push(json!({"role": "assistant", "content": "?"}));
    let (status, _, message) = world.refused(token.expose(), &next).await;
    assert_eq!(
        (status, message.as_str()),
        (
            400,
            "session 1 (`fix`) of the cassette ends after turn 2; turn 3 was asked for"
        )
    );
}

#[tokio::test]
async fn what_was_recorded_plays_the_same() {
    let tool = json!({"type": "tool_use", "id": "toolu_x", "name": "read", "input": {"path": "a b"}});
    let mut opening = tool.clone();
    opening["input"] = json!({});
    let answer = start(9)
        + &event(json!({"type": "content_block_start", "index": 0, "content_block": opening}))
        + &event(
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{\"path\": "}}),
        )
        + &event(
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "\"a b\"}"}}),
        )
        + &event(json!({"type": "content_block_stop", "index": 0}))
        + &end(3);
    let world = World::build(
        move |before, came| {
            if before == 0 {
                Act::Stream(vec![Piece::Text(answer.clone())])
            } else {
                whole(came, 20, 4)
            }
        },
        None,
        true,
    )
    .await;
    let token = world.admit("a", Caps::default());
    world
        .post(token.expose(), &stream(500))
        .await
        .bytes()
        .await
        .unwrap();
    let mut next = request(500);
    next["messages"]
        .as_array_mut()
        .unwrap()
        .push(json!({"role": "assistant", "content": [tool]}));
    world.post(token.expose(), &next).await.bytes().await.unwrap();

    let text = std::fs::read_to_string(world.folder.path().join("tape.json")).unwrap();
    assert!(!text.contains(KEY) && !text.contains(token.expose()));
    let tape = Cassette::load(&world.folder.path().join("tape.json")).unwrap();
    assert_eq!(tape.sessions[0].turns.len(), 2);
    assert_eq!(tape.sessions[0].turns[0].content[0], tool);

    let replay = World::build(|_, _| Act::HangUp, Some(tape), false).await;
    let token = replay.admit("a", Caps::default());
    let played: Value = serde_json::from_str(
        &replay
            .post(token.expose(), &request(500))
            .await
            .text()
            .await
            .unwrap(),
    )
    .unwrap();
    assert_eq!(played["content"][0]["input"], tool["input"]);
    assert_eq!(played["usage"]["output_tokens"], json!(3));
}
