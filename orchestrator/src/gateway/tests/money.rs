//! What calls are charged, and that caps hold.

use std::sync::Arc;

use loops::{
    budget::{Cap, Usage},
    time::Timestamp,
};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    super::OVER_BUDGET,
    provider::{Piece, end, start, whole, words},
    *,
};
use crate::store::{
    calls::{NewCall, Wish, reserve},
    ledger::rows_of_run,
};

#[tokio::test]
async fn a_call_is_charged_what_the_provider_says_whole_or_streamed() {
    let world = World::new(|_, came| whole(came, 100, 20)).await;
    let token = world.admit("a", Caps::default());
    for body in [request(500), stream(500)] {
        let response = world.post(token.expose(), &body).await;
        assert_eq!(response.status(), 200);
        response.bytes().await.unwrap();
    }
    let spend = world.spend().await;
    assert_eq!(
        (spend.calls, spend.cost, spend.estimated),
        (2, Money(2 * (100 + 200)), 0)
    );
    assert_eq!((spend.usage.input_tokens, spend.usage.output_tokens), (200, 40));
    assert_eq!(
        world.gateway.spent(RunId::named("run")).await.unwrap(),
        (spend.usage, spend.cost, false)
    );
}

#[tokio::test]
async fn every_call_that_ended_stands_in_the_ledger_with_what_it_cost() {
    let world = World::new(|before, came| {
        if before == 0 {
            Act::HangUp
        } else {
            whole(came, 10, 2)
        }
    })
    .await;
    let token = world.admit("a", Caps::default());
    world
        .post(token.expose(), &request(500))
        .await
        .bytes()
        .await
        .unwrap();
    let rows = rows_of_run(&world.store, RunId::named("run"), 0, 10)
        .await
        .unwrap();
    let sum: f64 = rows
        .iter()
        .map(|row| row.data["cost_usd"].as_f64().unwrap())
        .sum();
    let states: Vec<_> = rows
        .iter()
        .map(|row| (row.kind.as_str(), row.data["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [("call.ended", "estimated"), ("call.ended", "settled")]);
    assert_eq!(Money::usd(sum), world.spend().await.cost);
}

#[tokio::test]
async fn an_answer_is_clamped_to_what_the_cap_still_bears() {
    let world = World::new(|_, came| whole(came, 10, 20)).await;
    let token = world.admit("a", capped(Money(10_000)));
    world
        .post(token.expose(), &request(4_000))
        .await
        .bytes()
        .await
        .unwrap();
    let granted = world.provider.came()[0].body["max_tokens"].as_u64().unwrap();
    assert!((256..1_000).contains(&granted), "{granted}");
    assert!(world.spend().await.cost <= Money(10_000));
}

#[tokio::test]
async fn a_call_that_no_cap_bears_is_refused_and_the_cap_is_named() {
    let world = World::new(|_, came| whole(came, 10, 20)).await;
    for (cap, caps) in [
        (Cap::Task, capped(Money(100))),
        (
            Cap::Run,
            Caps {
                run: Some(Money(100)),
                ..Caps::default()
            },
        ),
        (
            Cap::Day,
            Caps {
                day: Some(Money(100)),
                ..Caps::default()
            },
        ),
    ] {
        let token = world.admit("a", caps);
        let (status, kind, message) = world.refused(token.expose(), &request(1_000)).await;
        assert_eq!((status, kind.as_str()), (400, OVER_BUDGET));
        assert!(
            message.starts_with(&format!("the {cap}'s budget of $0.0001")),
            "{message}"
        );
    }
    assert!(world.provider.came().is_empty());
}

/// Starts 200 callers at once, against a provider that answers none of them before it has seen all that will come,
/// and that uses all that each was granted.
async fn two_hundred_at_once(caps: Caps) -> (Spend, usize) {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let world = World::new(move |_, came| {
        let granted = came.body["max_tokens"].as_u64().unwrap();
        Act::Stream(vec![
            Piece::Text(start(1_000)),
            Piece::Wait(Arc::clone(&held)),
            Piece::Text(words("x") + &end(granted)),
        ])
    })
    .await;
    let mut callers = JoinSet::new();
    for number in 0..200 {
        let token = world.admit(&format!("attempt {number}"), caps);
        let (client, address) = (world.client.clone(), world.gateway.address.clone());
        callers.spawn(async move {
            let request = client
                .post(format!("{address}/v1/messages"))
                .header("x-api-key", token.expose());
            let response = request.body(stream(2_000).to_string()).send().await.unwrap();
            let ok = response.status() == 200;
            response.bytes().await.unwrap();
            ok
        });
    }
    gate.add_permits(200);
    let answered = callers.join_all().await.into_iter().filter(|&ok| ok).count();
    (world.spend().await, answered)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_callers_at_once_never_pass_a_cap() {
    let cap = Money(500_000);
    let (spend, answered) = two_hundred_at_once(capped(cap)).await;
    assert!(spend.cost <= cap, "{}", spend.cost);
    assert!((20..200).contains(&answered), "{answered} were answered");
    // The control: the same callers without a cap spend far more, so it was the cap that held them.
    let (spend, answered) = two_hundred_at_once(Caps::default()).await;
    assert_eq!(answered, 200);
    assert!(spend.cost.0 > 8 * cap.0, "{}", spend.cost);
}

#[tokio::test]
async fn a_cut_stream_is_charged_its_input_and_what_came_and_is_seen_as_cut() {
    let world =
        World::new(|_, _| Act::Stream(vec![Piece::Text(start(70) + &words("0123456789")), Piece::Cut])).await;
    let token = world.admit("a", Caps::default());
    let response = world.post(token.expose(), &stream(500)).await;
    assert_eq!(response.status(), 200);
    assert!(
        response.bytes().await.is_err(),
        "a cut answer must not look whole"
    );
    let spend = world.spend().await;
    assert_eq!(
        (
            spend.estimated,
            spend.usage.input_tokens,
            spend.usage.output_tokens
        ),
        (1, 70, 10),
        "a byte a token: no text has more"
    );
    assert_eq!(
        world.provider.came().len(),
        1,
        "nothing is tried again once a byte went on"
    );
}

#[tokio::test]
async fn a_call_whose_usage_was_never_seen_is_charged_its_reservation_and_tried_again() {
    let world = World::new(|before, came| {
        if before == 0 {
            Act::HangUp
        } else {
            whole(came, 10, 2)
        }
    })
    .await;
    let token = world.admit("a", Caps::default());
    let response = world.post(token.expose(), &stream(500)).await;
    assert!(response.bytes().await.is_ok());
    let spend = world.spend().await;
    assert_eq!((spend.calls, spend.estimated), (2, 1));
    assert!(spend.cost >= Money(500 * 10 + 30), "{}", spend.cost);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_reserved() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let world = World::new(move |_, _| {
        Act::Stream(vec![
            Piece::Text(start(70) + &words("0123")),
            Piece::Wait(Arc::clone(&held)),
        ])
    })
    .await;
    let token = world.admit("a", Caps::default());
    let mut response = world.post(token.expose(), &stream(4_000)).await;
    response.chunk().await.unwrap().unwrap();
    drop(response);
    let spend = world.until(|spend| spend.estimated == 1).await;
    assert_eq!(spend.usage.output_tokens, 4);
}

#[tokio::test]
async fn calls_that_a_crash_left_open_are_charged_their_reservation() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let config = config("http://127.0.0.1:1");
    let price = config.models.find("plain").unwrap().1.price.clone().unwrap();
    let who = admission("a", Caps::default());
    let call = NewCall {
        id: "call-1".to_owned(),
        attempt: who.attempt,
        task: who.task,
        run: who.run,
        loop_name: who.loop_name,
        repository: None,
        model: "plain".to_owned(),
        role: "work".to_owned(),
        at: Timestamp(1),
    };
    let wish = Wish {
        caps: &who.caps,
        shared: &[],
        price: &price,
        input_tokens: 100,
        wanted: 50,
        floor: 1,
    };
    let mut tx = store.begin().await.unwrap();
    reserve(&mut tx, &call, &wish).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let _gateway = Gateway::start(&config.models, store.clone(), None, None)
        .await
        .unwrap();
    let spend = spend_of_run(&store, who.run).await.unwrap();
    assert_eq!(
        (spend.estimated, spend.cost, spend.usage),
        (1, Money(600), Usage::default())
    );
}

#[tokio::test]
async fn a_conversation_that_goes_on_reserves_less_than_its_bytes() {
    let world = World::new(|_, came| whole(came, 2_000, 5)).await;
    let token = world.admit("a", capped(Money(40_000)));
    let mut body = request(256);
    body["messages"][0]["content"] = json!("many words ".repeat(3_000));
    world.post(token.expose(), &body).await.bytes().await.unwrap();
    // Without what was learned, the second call would need 33,000 tokens again, which the cap no longer bears.
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": [{"type": "text", "text": "fine"}]}));
    messages.push(json!({"role": "user", "content": "go on"}));
    body["max_tokens"] = json!(3_000);
    world.post(token.expose(), &body).await.bytes().await.unwrap();
    assert_eq!(world.provider.came()[1].body["max_tokens"], json!(3_000));
}
