//! Spending what is not theirs. The harm is what is spent, or would be spent uncounted.

use loops::budget::{Caps, Money};
use orchestrator::gateway::Admission;
use serde_json::{Value, json};

use super::{
    Family,
    door::{Case, Door, KEY, key, play, post},
};

pub(crate) fn family() -> Family {
    Family {
        name: "Budget",
        how: "Requests of an attempt to the real gateway, before a provider that uses all that it is granted and says so.",
        rows: CASES.iter().map(Case::row).collect(),
    }
}

const MESSAGES: &str = "/v1/messages";
const RESPONSES: &str = "/v1/responses";
const CHAT: &str = "/v1/chat/completions";
const PAST: &str = "past the gateway, the provider takes it";

fn asks(model: &str, max_tokens: u64) -> String {
    json!({"model": model, "max_tokens": max_tokens, "messages": [{"role": "user", "content": "hello"}]})
        .to_string()
}

/// What many requests cost together, with and without a cap.
async fn spent_by(door: &Door, caps: Caps, count: usize, at_once: bool) -> Money {
    let admission = |number: usize| Admission {
        caps,
        ..Door::admission(&format!("attempt {number}"))
    };
    let one = async |number: usize| {
        let token = door.gateway.admit(admission(number));
        post(
            &door.place(),
            MESSAGES,
            &key(token.expose()),
            &asks("ours", 2_000),
        )
        .await;
    };
    if at_once {
        futures_util::future::join_all((0..count).map(one)).await;
    } else {
        for number in 0..count {
            one(number).await;
        }
    }
    door.spent().await
}

/// A cap of so many millionths of a dollar; about three answers.
const CAP: Money = Money(70_000);

async fn passes_no_cap(door: &Door, caps: Caps, at_once: bool) -> (bool, bool) {
    let stopped = spent_by(door, caps, 20, at_once).await <= CAP;
    let free = Door::open().await;
    (stopped, spent_by(&free, Caps::default(), 20, at_once).await > CAP)
}

/// Whether a request is refused, and the provider does take it with the key.
async fn refused(door: &Door, path: &str, body: &Value, mark: &str) -> (bool, bool) {
    let token = door.admit("a");
    post(&door.place(), path, &key(token.expose()), &body.to_string()).await;
    let stopped = !door.came(mark);
    post(&door.provider, path, &key(KEY), &body.to_string()).await;
    (stopped, door.came(mark))
}

const CASES: &[Case] = &[
    Case {
        tried: "asking on and on in one task",
        by: "the task's cap, reserved before each call",
        control: "without a cap it is passed",
        play: |door| {
            Box::pin(passes_no_cap(
                door,
                Caps {
                    task: Some(CAP),
                    ..Caps::default()
                },
                false,
            ))
        },
    },
    Case {
        tried: "many attempts at once, each below the run's cap",
        by: "the run's cap, reserved before each call",
        control: "without a cap it is passed",
        play: |door| {
            Box::pin(passes_no_cap(
                door,
                Caps {
                    run: Some(CAP),
                    ..Caps::default()
                },
                true,
            ))
        },
    },
    Case {
        tried: "many runs in a day",
        by: "the day's cap",
        control: "without a cap it is passed",
        play: |door| {
            Box::pin(passes_no_cap(
                door,
                Caps {
                    day: Some(CAP),
                    ..Caps::default()
                },
                true,
            ))
        },
    },
    Case {
        tried: "one answer that is longer than all the money",
        by: "an answer is granted no more than the cap bears",
        control: "without a cap it is passed",
        play: |door| {
            Box::pin(async {
                let one = async |door: &Door, caps: Caps| {
                    let token = door.gateway.admit(Admission {
                        caps,
                        ..Door::admission("a")
                    });
                    post(
                        &door.place(),
                        MESSAGES,
                        &key(token.expose()),
                        &asks("ours", 4_096),
                    )
                    .await;
                    door.spent().await
                };
                let cap = Money(10_000);
                let caps = Caps {
                    task: Some(cap),
                    ..Caps::default()
                };
                let stopped = one(door, caps).await <= cap;
                (stopped, one(&Door::open().await, Caps::default()).await > cap)
            })
        },
    },
    Case {
        tried: "an answer without any bound",
        by: "the model's own bound is written in",
        control: "past the gateway, the provider is told none",
        play: |door| {
            Box::pin(async {
                let body = json!({"model": "other", "input": "hello"}).to_string();
                let token = door.admit("a");
                post(&door.place(), RESPONSES, &key(token.expose()), &body).await;
                let stopped = door.came("\"max_output_tokens\":4096");
                post(&door.provider, RESPONSES, &key(KEY), &body).await;
                (stopped, !door.came("max_output_tokens"))
            })
        },
    },
    Case {
        tried: "two bounds in one request, of which each side reads another",
        by: "a name that is there twice is refused, or written anew",
        control: PAST,
        play: |door| {
            Box::pin(async {
                let body = r#"{"model":"ours","max_tokens":9,"max_tokens":900000,"messages":[{"role":"user","content":"hello"}]}"#;
                let token = door.admit("a");
                post(&door.place(), MESSAGES, &key(token.expose()), body).await;
                let stopped = !door.came("900000");
                post(&door.provider, MESSAGES, &key(KEY), body).await;
                (stopped, door.came("900000"))
            })
        },
    },
    Case {
        tried: "many answers for one question (`n`)",
        by: "an allow-list of fields",
        control: PAST,
        play: |door| {
            let body = json!({"model": "other", "max_completion_tokens": 9, "n": 100, "messages": [{"role": "user", "content": "hello"}]});
            Box::pin(async move { refused(door, CHAT, &body, "\"n\":100").await })
        },
    },
    Case {
        tried: "a dearer way to be served (`service_tier`)",
        by: "an allow-list of fields",
        control: PAST,
        play: |door| {
            let body = json!({"model": "other", "max_output_tokens": 9, "input": "hello", "service_tier": "priority"});
            Box::pin(async move { refused(door, RESPONSES, &body, "priority").await })
        },
    },
    Case {
        tried: "a dearer cache (an hour)",
        by: "marks of caches are those that have a price",
        control: PAST,
        play: |door| {
            let text = json!([{"type": "text", "text": "hello", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
            let body =
                json!({"model": "ours", "max_tokens": 9, "messages": [{"role": "user", "content": text}]});
            Box::pin(async move { refused(door, MESSAGES, &body, "1h").await })
        },
    },
    Case {
        tried: "a document whose pages nobody counts",
        by: "an allow-list of content",
        control: PAST,
        play: |door| {
            let document = json!([{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}]);
            let body = json!({"model": "ours", "max_tokens": 9, "messages": [{"role": "user", "content": document}]});
            Box::pin(async move { refused(door, MESSAGES, &body, "JVBERi0").await })
        },
    },
    Case {
        tried: "a model without a price",
        by: "it is refused",
        control: PAST,
        play: |door| {
            let body = json!({"model": "unpriced", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]});
            Box::pin(async move { refused(door, MESSAGES, &body, "unpriced").await })
        },
    },
    Case {
        tried: "a request of very many small values, each of which takes fifty times its text in our memory",
        by: "values are counted before a request is read",
        control: PAST,
        play: |door| {
            let body = format!(
                "{{\"model\":\"ours\",\"max_tokens\":9,\"messages\":[{{\"role\":\"user\",\"content\":\"hello-many\"}}],\"metadata\":[{}0]}}",
                "0,".repeat(1 << 20)
            );
            Box::pin(async move {
                let token = door.admit("a");
                let (status, said) = post(&door.place(), MESSAGES, &key(token.expose()), &body).await;
                let stopped = status == 400 && said.contains("values at most") && !door.came("hello-many");
                post(&door.provider, MESSAGES, &key(KEY), &body).await;
                (stopped, door.came("hello-many"))
            })
        },
    },
    Case {
        tried: "requests with a token that only opens ways to hosts",
        by: "they are refused before anything of them is read",
        control: "with a token that may ask a model, the same is read",
        play: |door| {
            Box::pin(async {
                let out = Admission {
                    models: Some(Vec::new()),
                    ..Door::admission("a")
                };
                let token = door.gateway.admit(out);
                // No JSON at all: whoever reads it says so.
                let (status, said) = post(&door.place(), MESSAGES, &key(token.expose()), "[0,").await;
                let stopped = status == 403 && said.contains("it may ask no model");
                let token = door.admit("b");
                let (status, said) = post(&door.place(), MESSAGES, &key(token.expose()), "[0,").await;
                (stopped, status == 400 && said.contains("not JSON"))
            })
        },
    },
    Case {
        tried: "a dearer model than the loop allows",
        by: "the loop's list of models",
        control: "without the list, it is answered",
        play: |door| {
            Box::pin(async {
                let narrow = Admission {
                    models: Some(vec!["ours".to_owned()]),
                    ..Door::admission("a")
                };
                let token = door.gateway.admit(narrow);
                post(&door.place(), MESSAGES, &key(token.expose()), &asks("dear", 9)).await;
                let stopped = !door.came("hello");
                let token = door.admit("b");
                post(&door.place(), MESSAGES, &key(token.expose()), &asks("dear", 9)).await;
                (stopped, door.came("hello"))
            })
        },
    },
    Case {
        tried: "an answer that does not say what it used",
        by: "it is charged what was reserved for it",
        control: "by its own words it used nothing",
        play: |door| {
            Box::pin(async {
                let token = door.admit("a");
                let body = json!({"model": "ours", "max_tokens": 1_000, "messages": [{"role": "user", "content": "say-nothing-of-usage"}]}).to_string();
                let (_, said) = post(&door.place(), MESSAGES, &key(token.expose()), &body).await;
                (
                    door.spent().await >= Money(10_000),
                    said.contains("fine") && !said.contains("usage"),
                )
            })
        },
    },
    Case {
        tried: "hanging up before the answer says what it used",
        by: "what was reserved stays charged, at least what came",
        control: "what it heard says of no output",
        play: |door| {
            Box::pin(async {
                let token = door.admit("a");
                let body = json!({"model": "ours", "max_tokens": 1_000, "stream": true, "messages": [{"role": "user", "content": "hello"}]}).to_string();
                let (place, header) = (door.place(), key(token.expose()));
                let asking = post(&place, MESSAGES, &header, &body);
                let heard = tokio::time::timeout(std::time::Duration::from_millis(700), asking);
                let cut = heard.await.is_err();
                door.gateway.dismiss(&token);
                (door.spent().await > Money::ZERO, cut && door.came("hello"))
            })
        },
    },
];

#[tokio::test]
async fn nobody_spends_what_is_not_theirs() {
    play(CASES).await;
}
