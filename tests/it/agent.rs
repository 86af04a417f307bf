//! A session of the built-in agent against the scripted model, with tools of the test's own.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use harness::model::{Fault, Model, Script, Turn};
use loops::{budget::Usage, spec::Effort};
use serde_json::{Value, json};
use tokio::{sync::Barrier, time::Instant};
use workers::{
    agent::{
        Cause, Client, Conversation, Ended, Keeper, ModelError, Patience, Settings, Tools, converse,
        messages::{Block, Message, Role},
    },
    order::Entry,
    tools::{ToolAnswer, ToolDefinition},
};

/// Tools that remember what they were asked.
#[derive(Default)]
struct Toys {
    calls: Mutex<Vec<String>>,
    /// What is still open, said this many times.
    objections: AtomicUsize,
    /// Calls of `meet` wait for each other here.
    meeting: Option<Barrier>,
    finished: Mutex<bool>,
}

impl Tools for Toys {
    fn definitions(&self) -> Vec<ToolDefinition> {
        let tool = |name: &str| ToolDefinition {
            name: name.into(),
            description: "a toy".into(),
            input_schema: json!({"type": "object"}),
        };
        ["echo", "meet", "finish", "long", "hang"].map(tool).into()
    }

    async fn call(&self, call_id: &str, name: &str, input: Value) -> ToolAnswer {
        self.calls.lock().unwrap().push(format!("{name} {input}"));
        let text = match name {
            "meet" => {
                self.meeting.as_ref().unwrap().wait().await;
                format!("met {}", input["n"])
            }
            "finish" => {
                *self.finished.lock().unwrap() = true;
                "bye".to_owned()
            }
            "long" => "x".repeat(20_000),
            "hang" => std::future::pending().await,
            _ => format!("echo {} {call_id}", input["text"].as_str().unwrap_or_default()),
        };
        ToolAnswer { ok: true, text }
    }

    async fn may_stop(&self) -> Option<String> {
        let left = self
            .objections
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.ok().map(|_| "The list has open items.".to_owned())
    }

    fn finished(&self) -> bool {
        *self.finished.lock().unwrap()
    }
}

/// Keeps messages in memory; fails after so many.
#[derive(Default)]
struct Memory {
    kept: Mutex<Vec<Message>>,
    entries: Mutex<Vec<Entry>>,
    fails_after: Option<usize>,
}

impl Keeper for Memory {
    async fn keep(&self, message: &Message, usage: Option<&Usage>) -> Result<(), String> {
        assert_eq!(usage.is_some(), message.role == Role::Assistant);
        let mut kept = self.kept.lock().unwrap();
        if self.fails_after.is_some_and(|limit| kept.len() >= limit) {
            return Err("the disk is full".to_owned());
        }
        kept.push(message.clone());
        Ok(())
    }

    fn entry(&self, entry: Entry) {
        self.entries.lock().unwrap().push(entry);
    }
}

struct World {
    model: Model,
    tools: Toys,
    memory: Memory,
    settings: Settings,
}

impl World {
    async fn new(write: impl FnOnce(Script) -> Script) -> Self {
        let model = Model::start().await;
        model.session("fix it", write);
        let settings = Settings::new("standard", Effort::Medium, 30);
        Self {
            model,
            tools: Toys::default(),
            memory: Memory::default(),
            settings,
        }
    }

    fn client(&self) -> Client {
        let patience = Patience {
            pause: Duration::ZERO,
            ..Patience::default()
        };
        Client::new(&self.model.gateway())
            .unwrap()
            .with_patience(patience)
    }

    fn conversation(&self) -> Conversation {
        Conversation::new(
            "be good".into(),
            self.tools.definitions(),
            Vec::new(),
            "fix it".into(),
        )
    }

    async fn go_on(&self, conversation: Conversation) -> Ended {
        converse(
            &self.client(),
            &self.settings,
            conversation,
            &self.tools,
            &self.memory,
        )
        .await
    }

    async fn run(&self) -> Ended {
        self.go_on(self.conversation()).await
    }

    fn calls(&self) -> Vec<String> {
        self.tools.calls.lock().unwrap().clone()
    }

    /// The texts that the model got in its last request.
    fn last_told(&self) -> Vec<String> {
        self.model.requests().last().unwrap().last_texts()
    }

    fn notes(&self) -> Vec<String> {
        let entries = self.memory.entries.lock().unwrap();
        let notes = entries.iter().filter_map(|entry| match entry {
            Entry::Note { text } => Some(text.clone()),
            _ => None,
        });
        notes.collect()
    }
}

fn echo(text: &str) -> Value {
    json!({ "text": text })
}

#[tokio::test]
async fn a_session_calls_tools_until_it_is_done() {
    let world = World::new(|s| {
        s.turn(Turn::new().think("hm").say("I look.").call("echo", echo("a")))
            .call("echo", echo("b"))
            .say("All done.")
    })
    .await;
    let ended = world.run().await;
    assert_eq!(
        (ended.cause, ended.last_words.as_str(), ended.turns),
        (Cause::Finished, "All done.", 3)
    );
    assert_eq!(world.calls(), [r#"echo {"text":"a"}"#, r#"echo {"text":"b"}"#]);
    assert_eq!(world.model.complaints(), Vec::<String>::new());
    let counted = world
        .model
        .requests()
        .iter()
        .fold(Usage::default(), |sum, request| sum + request.usage);
    assert_eq!(ended.usage, counted);
    assert_eq!(
        *world.memory.kept.lock().unwrap(),
        ended.conversation.messages[1..]
    );
    assert_eq!(world.model.requests()[0].key, "test-token");
}

#[tokio::test]
async fn calls_of_one_message_run_at_once_and_are_answered_in_order() {
    let mut world = World::new(|s| {
        s.calls([
            ("meet", json!({"n": 1})),
            ("meet", json!({"n": 2})),
            ("meet", json!({"n": 3})),
        ])
        .say("Done.")
    })
    .await;
    world.tools.meeting = Some(Barrier::new(3));
    assert_eq!(world.run().await.cause, Cause::Finished);
    assert_eq!(world.last_told(), ["met 1", "met 2", "met 3"]);
}

#[tokio::test]
async fn an_invented_tool_and_an_invalid_input_are_answered_and_not_executed() {
    let world = World::new(|s| {
        s.turn(
            Turn::new()
                .call("frobnicate", json!({}))
                .call_raw("echo", r#"{"text": "#)
                .call_raw("echo", "[1]"),
        )
        .say("Sorry.")
    })
    .await;
    assert_eq!(world.run().await.cause, Cause::Finished);
    let told = world.last_told();
    assert!(
        told[0].contains("no tool `frobnicate`") && told[0].contains("`echo`"),
        "{}",
        told[0]
    );
    assert!(told[1].contains("not valid JSON (EOF"), "{}", told[1]);
    assert!(told[2].contains("not an object"), "{}", told[2]);
    assert_eq!(world.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_model_that_only_makes_senseless_calls_is_ended() {
    let world = World::new(|s| {
        s.reply(|request| {
            Turn::new().call(
                "frobnicate",
                json!({"n": request["messages"].as_array().unwrap().len()}),
            )
        })
        .forever()
    })
    .await;
    let ended = world.run().await;
    assert!(matches!(ended.cause, Cause::NoSense(_)), "{:?}", ended.cause);
    assert_eq!(ended.turns, 6);
}

#[tokio::test]
async fn a_stream_cut_within_a_tool_call_is_asked_again_and_nothing_of_it_is_done() {
    for fault in [
        Fault::CutInStream,
        Fault::Malformed,
        Fault::ErrorInStream("overloaded_error"),
        Fault::CutBeforeFirstByte,
    ] {
        let world = World::new(|s| {
            s.fault(fault.clone())
                .fault(fault.clone())
                .call("echo", echo("once"))
                .say("Done.")
        })
        .await;
        let ended = world.run().await;
        assert_eq!(ended.cause, Cause::Finished, "{fault:?}");
        assert_eq!(world.calls().len(), 1, "{fault:?}");
        assert_eq!(world.model.requests().len(), 4, "{fault:?}");
        assert_eq!(world.notes().len(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn a_stream_that_always_breaks_is_given_up() {
    let world = World::new(|s| (0..9).fold(s, |s, _| s.fault(Fault::CutInStream)).say("never")).await;
    let ended = world.run().await;
    assert!(
        matches!(ended.cause, Cause::Model(ModelError::BrokenOff { tries: 4, .. })),
        "{:?}",
        ended.cause
    );
    assert!(ended.usage.all_input() > 0, "what broken answers cost is counted");
}

#[tokio::test]
async fn what_the_gateway_gave_up_on_is_not_tried_again() {
    for (fault, words) in [
        (Fault::Overloaded, "529"),
        (Fault::RateLimited(1), "429"),
        (Fault::ServerError, "500"),
    ] {
        let world = World::new(|s| s.fault(fault).say("never")).await;
        let ended = world.run().await;
        assert!(ended.cause.to_string().contains(words), "{}", ended.cause);
        assert_eq!(world.model.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_spent_budget_ends_the_session_with_what_it_has() {
    let world = World::new(|s| {
        s.turn(Turn::new().say("Half way.").call("echo", echo("a")))
            .fault(Fault::OutOfBudget)
            .say("never")
    })
    .await;
    let ended = world.run().await;
    assert!(
        matches!(ended.cause, Cause::Model(ModelError::OutOfBudget(_))),
        "{:?}",
        ended.cause
    );
    assert_eq!(ended.cause.ending(), workers::order::Ending::OutOfBudget);
    assert_eq!(ended.last_words, "Half way.");
}

#[tokio::test]
async fn an_answer_cut_at_the_token_limit_goes_on() {
    let world = World::new(|s| {
        s.turn(Turn::new().say("It is because").stop("max_tokens"))
            .turn(
                Turn::new()
                    .call_raw("echo", r#"{"text": "very long"#)
                    .stop("max_tokens"),
            )
            .turn(Turn::new().call_raw("finish", "").stop("max_tokens"))
            .say("Done.")
    })
    .await;
    let ended = world.run().await;
    assert_eq!((ended.cause, ended.turns), (Cause::Finished, 4));
    assert!(world.model.requests()[1].last_texts()[0].contains("cut off at 16000 tokens"));
    assert!(world.model.requests()[2].last_texts()[0].contains("within this call, so nothing was done"));
    assert_eq!(world.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn empty_answers_are_asked_about_and_then_given_up() {
    let world = World::new(|s| {
        s.turn(Turn::new())
            .turn(Turn::new().block(json!({"type": "text", "text": " "})))
            .say("Done.")
    })
    .await;
    assert_eq!(world.run().await.cause, Cause::Finished);
    let world = World::new(|s| s.turn(Turn::new()).forever()).await;
    let ended = world.run().await;
    assert!(matches!(ended.cause, Cause::NoSense(_)), "{:?}", ended.cause);
    assert_eq!(world.model.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn a_refusal_and_a_pause_are_understood() {
    let world = World::new(|s| s.turn(Turn::new().say("No.").stop("refusal"))).await;
    assert_eq!(world.run().await.cause, Cause::Refused);
    let world = World::new(|s| s.turn(Turn::new().say("Wait.").stop("pause_turn")).say("Done.")).await;
    let ended = world.run().await;
    assert!(
        matches!(ended.cause, Cause::Model(_) | Cause::Finished),
        "{:?}",
        ended.cause
    );
}

#[tokio::test]
async fn it_may_not_stop_while_something_is_open_but_is_not_held_for_ever() {
    let mut world = World::new(|s| s.say("Done.").say("Done, I say.").say("Really.")).await;
    world.tools.objections = AtomicUsize::new(2);
    let ended = world.run().await;
    assert_eq!(
        (ended.cause, ended.last_words.as_str()),
        (Cause::Finished, "Really.")
    );
    assert_eq!(world.last_told(), ["The list has open items."]);

    let mut world = World::new(|s| s.say("Done.").forever()).await;
    world.tools.objections = AtomicUsize::new(99);
    let ended = world.run().await;
    assert_eq!(
        (ended.cause, ended.turns),
        (Cause::StoppedEarly("The list has open items.".into()), 4)
    );
}

#[tokio::test]
async fn a_tool_can_end_the_session() {
    let world = World::new(|s| s.call("finish", json!({}))).await;
    assert_eq!(world.run().await.cause, Cause::Finished);
    assert_eq!(world.model.requests().len(), 1);
}

#[tokio::test]
async fn a_model_that_repeats_itself_is_told_and_then_ended() {
    let world = World::new(|s| s.reply(|_| Turn::new().call("long", json!({}))).forever()).await;
    let ended = world.run().await;
    assert_eq!((ended.cause, ended.turns), (Cause::Looping, 9));
    assert!(world.last_told()[1].contains("made these same calls before"));
}

#[tokio::test]
async fn the_last_turn_is_announced_and_is_the_last() {
    let mut world = World::new(|s| {
        s.reply(|request| {
            Turn::new().call(
                "echo",
                echo(&request["messages"].as_array().unwrap().len().to_string()),
            )
        })
        .forever()
    })
    .await;
    world.settings.max_turns = 10;
    let ended = world.run().await;
    assert_eq!((ended.cause, ended.turns), (Cause::OutOfTurns, 11));
    let requests = world.model.requests();
    assert!(requests[7].last_texts()[1].contains("3 turns left"));
    assert!(requests[10].last_texts()[1].contains("last turn"));
}

#[tokio::test]
async fn deadline_and_cancellation_end_it_within_a_call() {
    let mut world = World::new(|s| s.call("hang", json!({}))).await;
    world.settings.deadline = Some(Instant::now() + Duration::from_millis(50));
    let ended = world.run().await;
    assert_eq!(ended.cause, Cause::OutOfTime);

    world.settings.deadline = None;
    world.settings.cancel.cancel();
    assert_eq!(world.run().await.cause, Cause::Cancelled);
}

#[tokio::test]
async fn a_conversation_goes_on_where_it_was_kept() {
    let script = |s: Script| s.call("echo", echo("a")).call("echo", echo("b")).say("Done.");
    let whole = World::new(script).await.run().await;
    for kept in 0..5 {
        let mut world = World::new(script).await;
        world.memory.fails_after = Some(kept);
        let ended = world.run().await;
        assert_eq!(ended.cause, Cause::NotKept("the disk is full".into()));
        let calls_before = world.calls().len();

        world.memory.fails_after = None;
        let mut loaded = world.conversation();
        loaded.messages.extend(world.memory.kept.lock().unwrap().clone());
        let loaded: Conversation = serde_json::from_str(&serde_json::to_string(&loaded).unwrap()).unwrap();
        let ended = world.go_on(loaded).await;
        assert_eq!(ended.cause, Cause::Finished, "{kept}");
        assert_eq!(ended.conversation, whole.conversation, "{kept}");
        // A call whose answer was lost is made again; one that was never kept was never made.
        let repeated = usize::from(kept == 1 || kept == 3);
        assert_eq!(world.calls().len(), 2 + repeated, "{kept}");
        assert_eq!(calls_before, [0, 1, 1, 2, 2][kept], "{kept}");
    }
}

#[tokio::test]
async fn a_long_session_stays_under_the_models_window() {
    let mut world = World::new(|s| {
        s.reply(|request| {
            let n = request["messages"].as_array().unwrap().len();
            if n < 40 {
                Turn::new().call("long", json!({"n": n}))
            } else {
                Turn::new().say("Done.")
            }
        })
        .forever()
    })
    .await;
    world.settings.window = 60_000;
    world.settings.max_tokens = 4_000;
    let ended = world.run().await;
    assert_eq!(ended.cause, Cause::Finished);
    let largest = world
        .model
        .requests()
        .iter()
        .map(|request| request.usage.all_input())
        .max()
        .unwrap();
    assert!(largest < 56_000, "{largest}");
    let trims = world.notes().len();
    assert!((1..=4).contains(&trims), "{trims} trims: rare and large");
    assert_eq!(world.model.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn one_turn_cannot_fill_the_window() {
    let calls = |turn: Turn| (0..30).fold(turn, |turn, n| turn.call("long", json!({ "n": n })));
    let mut world = World::new(|s| s.turn(calls(Turn::new())).say("Done.")).await;
    world.settings.window = 60_000;
    assert_eq!(world.run().await.cause, Cause::Finished);
    let told = world.last_told();
    assert_eq!(told.len(), 30);
    assert!(
        told.iter()
            .all(|text| text.len() < 3000 && text.contains("bytes cut")),
        "{}",
        told[0].len()
    );
}

#[tokio::test]
async fn a_conversation_without_turns_left_is_not_asked_again() {
    let mut world = World::new(|s| s.call("echo", echo("a")).call("echo", echo("b")).forever()).await;
    world.settings.max_turns = 1;
    let ended = world.run().await;
    assert_eq!((&ended.cause, ended.turns), (&Cause::OutOfTurns, 2));
    assert_eq!(world.go_on(ended.conversation).await.cause, Cause::OutOfTurns);
    assert_eq!(world.model.requests().len(), 2);
}

#[tokio::test]
async fn a_turn_of_more_blocks_than_the_provider_looks_back_still_reads_the_cache() {
    let wide = (0..25).fold(Turn::new(), |turn, n| turn.call("echo", echo(&n.to_string())));
    let world = World::new(|s| s.turn(wide.clone()).call("echo", echo("x")).say("Done.")).await;
    let mut conversation = world.conversation();
    conversation.messages[0] = Message::user(vec![Block::text(format!("fix it {}", "word ".repeat(2000)))]);
    assert_eq!(world.go_on(conversation).await.cause, Cause::Finished);
    let requests = world.model.requests();
    for pair in requests.windows(2) {
        assert_eq!(pair[1].usage.cache_read_tokens, pair[0].usage.all_input());
    }
}
