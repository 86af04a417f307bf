//! Anthropic's and OpenAI's own clients, asking our gateway: whole and streamed, with a tool, with thoughts handed back, and
//! with a refusal. The scripted model checks what reaches it.

use std::{path::PathBuf, process::Stdio};

use harness::model::{Model, Turn};
use loops::budget::{Caps, Money};
use orchestrator::store::Store;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{KEY, admit, gateway};

/// The pinned versions; `x` names the same.
const FOLDER: &str = "sdks-3.54.0-2.12.0";

/// Where `./x setup` puts the clients.
fn clients() -> PathBuf {
    let folder = std::env::var_os("LOOPS_SDKS").map_or_else(
        || {
            let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| {
                let home = std::env::var_os("HOME")?;
                Some(PathBuf::from(home).join(".cache"))
            });
            cache.unwrap_or_default().join("loops").join(FOLDER)
        },
        PathBuf::from,
    );
    assert!(
        folder.is_dir(),
        "the OpenAI and Anthropic clients are not at `{}`: type `./x setup`, or name a folder in LOOPS_SDKS",
        folder.display()
    );
    folder
}

/// Runs a script against the gateway; what it printed, as JSON.
async fn run(script: &str, address: &str, token: &str) -> Value {
    let output = Command::new("python3")
        .args(["-c", script, address, token])
        .env_clear()
        .env("PYTHONPATH", clients())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A model that reads a file and says what stands in it, five times over.
async fn model() -> Model {
    let model = Model::start().await;
    model.session("what is in a.txt", |s| {
        s.turn(
            Turn::new()
                .think("I look it up")
                .say("I look.")
                .call("read", json!({"path": "a.txt"})),
        )
        .say("It says héllo.")
    });
    model
}

const OPENAI: &str = r#"
import json, sys, openai
c = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key=sys.argv[2], max_retries=0)
out = {}
tool = {"type": "function", "name": "read", "parameters": {"type": "object", "properties": {}}, "strict": False}
for stream in (False, True):
    items = [{"role": "user", "content": "what is in a.txt"}]
    said = []
    for _ in range(2):
        ask = dict(model="other", input=items, tools=[tool], max_output_tokens=1000,
                   include=["reasoning.encrypted_content"])
        if stream:
            with c.responses.stream(**ask) as events:
                for event in events:
                    pass
                answer = events.get_final_response()
        else:
            answer = c.responses.create(**ask)
        said.append(answer.output_text)
        items += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in answer.output]
        for item in items:
            for part in item.get("content", []) if isinstance(item.get("content"), list) else []:
                part.pop("parsed", None)
        items += [{"type": "function_call_output", "call_id": item.call_id, "output": "hello"}
                  for item in answer.output if item.type == "function_call"]
    usage = answer.usage
    out["responses " + str(stream)] = [said, usage.input_tokens > 0, usage.output_tokens > 0]
tool = {"type": "function", "function": {"name": "read", "parameters": {"type": "object", "properties": {}}}}
for stream in (False, True):
    messages = [{"role": "user", "content": "what is in a.txt"}]
    said = []
    for _ in range(2):
        ask = dict(model="other", messages=messages, tools=[tool], max_completion_tokens=1000)
        if stream:
            with c.chat.completions.stream(**ask) as events:
                for event in events:
                    pass
                answer = events.get_final_completion()
        else:
            answer = c.chat.completions.create(**ask)
        message = answer.choices[0].message
        said.append(message.content)
        calls = [{"id": t.id, "type": "function", "function": {"name": t.function.name, "arguments": t.function.arguments}}
                 for t in message.tool_calls or []]
        messages.append({"role": "assistant", "content": message.content, **({"tool_calls": calls} if calls else {})})
        messages += [{"role": "tool", "tool_call_id": t["id"], "content": "hello"} for t in calls]
    out["chat " + str(stream)] = [said, answer.usage.prompt_tokens > 0, answer.usage.completion_tokens > 0]
def refused(what):
    try:
        what()
    except openai.APIStatusError as e:
        return [type(e).__name__, e.body["type"], e.body["code"]]
out["store"] = refused(lambda: c.responses.create(model="other", input="x", store=True))
out["web"] = refused(lambda: c.responses.create(model="other", input="x", tools=[{"type": "web_search"}]))
out["files"] = refused(lambda: c.files.list())
out["batches"] = refused(lambda: c.batches.create(input_file_id="f", endpoint="/v1/responses", completion_window="24h"))
out["model"] = refused(lambda: c.chat.completions.create(model="gpt-0", messages=[]))
other = c.with_options(api_key="loops-0000")
out["token"] = refused(lambda: other.responses.create(model="other", input="x"))
print(json.dumps(out))
"#;

const ANTHROPIC: &str = r#"
import json, sys, anthropic
c = anthropic.Anthropic(base_url=sys.argv[1], api_key=sys.argv[2], max_retries=0)
out = {}
tool = {"name": "read", "description": "d", "input_schema": {"type": "object"}}
for stream in (False, True):
    messages = [{"role": "user", "content": "what is in a.txt"}]
    said = []
    for _ in range(2):
        ask = dict(model="ours", messages=messages, tools=[tool], max_tokens=1000)
        if stream:
            with c.messages.stream(**ask) as events:
                answer = events.get_final_message()
        else:
            answer = c.messages.create(**ask)
        said.append("".join(b.text for b in answer.content if b.type == "text"))
        keep = {"text": ["type", "text"], "thinking": ["type", "thinking", "signature"], "tool_use": ["type", "id", "name", "input"]}
        messages.append({"role": "assistant", "content": [{k: getattr(b, k) for k in keep[b.type]} for b in answer.content]})
        results = [{"type": "tool_result", "tool_use_id": b.id, "content": "hello"} for b in answer.content if b.type == "tool_use"]
        if results:
            messages.append({"role": "user", "content": results})
    out[str(stream)] = [said, answer.usage.output_tokens > 0]
try:
    c.messages.create(model="ours", messages=[{"role": "user", "content": "x"}], max_tokens=9, tools=[{"type": "web_search_20250305", "name": "web_search"}])
except anthropic.APIStatusError as e:
    out["web"] = [type(e).__name__, e.body["error"]["type"]]
print(json.dumps(out))
"#;

const SAID: [&str; 2] = ["I look.", "It says héllo."];

#[tokio::test]
async fn the_providers_own_clients_are_served_and_understand_refusals() {
    let (model, folder) = (model().await, tempfile::tempdir().unwrap());
    let store = Store::open(folder.path()).await.unwrap();
    let gateway = gateway(&model, store).await;
    let token = admit(&gateway, "a", Caps::default());
    let openai = run(OPENAI, &gateway.address, token.expose()).await;
    let well = json!([SAID, true, true]);
    for key in ["responses False", "responses True", "chat False", "chat True"] {
        assert_eq!(openai[key], well, "{key}");
    }
    for (key, class, kind) in [
        ("store", "BadRequestError", "invalid_request_error"),
        ("web", "BadRequestError", "invalid_request_error"),
        ("files", "NotFoundError", "not_found_error"),
        ("batches", "NotFoundError", "not_found_error"),
        ("model", "NotFoundError", "not_found_error"),
        ("token", "AuthenticationError", "authentication_error"),
    ] {
        assert_eq!(openai[key], json!([class, kind, null]), "{key}");
    }
    let anthropic = run(ANTHROPIC, &gateway.address, token.expose()).await;
    let well = json!([SAID, true]);
    assert_eq!((&anthropic["False"], &anthropic["True"]), (&well, &well));
    assert_eq!(
        anthropic["web"],
        json!(["BadRequestError", "invalid_request_error"])
    );

    assert_eq!(model.complaints(), Vec::<String>::new());
    let requests = model.requests();
    assert_eq!(requests.len(), 12);
    assert!(
        requests
            .iter()
            .all(|request| request.key == KEY && request.status == 200)
    );
    let (usage, cost, _) = gateway.spent(loops::id::RunId::named("run")).await.unwrap();
    let counted: u64 = requests.iter().map(|request| request.usage.output_tokens).sum();
    assert_eq!(usage.output_tokens, counted);
    assert!(usage.reasoning_tokens > 0 && cost > Money::ZERO);
}
