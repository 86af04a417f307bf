//! A committed session of twenty turns, driven through the agent's own loop against the scripted model, for figures of
//! tokens and caches. What the tools answer is part of the trace, so nothing else is needed to repeat it.

use std::{collections::VecDeque, sync::Mutex};

use loops::{budget::Usage, spec::Effort};
use serde::Deserialize;
use serde_json::Value;
use workers::{
    agent::{
        Cause, Client, Conversation, Keeper, Settings, Tools,
        builtin::{Kind, opening},
        converse, estimate_tokens,
        messages::Message,
    },
    tools::{ToolAnswer, ToolDefinition},
};

use crate::model::{Model, Turn, tokens};

const EXPORT: &str = include_str!("../bench/trace/export.json");

/// A recorded session.
#[derive(Debug, Deserialize)]
pub struct Trace {
    instructions: String,
    notes: String,
    brief: String,
    turns: Vec<TraceTurn>,
}

#[derive(Debug, Deserialize)]
struct TraceTurn {
    say: String,
    calls: Vec<TraceCall>,
}

#[derive(Debug, Clone, Deserialize)]
struct TraceCall {
    tool: String,
    input: Value,
    answer: String,
}

/// What a session cost.
#[derive(Debug, Clone)]
pub struct Figures {
    /// How many model calls there were.
    pub turns: usize,
    /// Tokens of prompt and tools without the instructions of a kind of work, at 3.5 bytes a token.
    pub fixed: u64,
    /// Tokens of the system prompt with its instructions, and of the tools, as the scripted model counts.
    pub system_and_tools: u64,
    /// What was counted, all turns together.
    pub usage: Usage,
    /// What the first call alone read from the cache.
    pub first_read: u64,
}

impl Figures {
    /// How much of all input was read from the cache, 0 to 1.
    pub fn read_share(&self) -> f64 {
        self.usage.cache_read_tokens as f64 / self.usage.all_input() as f64
    }
}

/// Answers calls with what the trace says.
struct Played(Mutex<VecDeque<TraceCall>>);

impl Tools for Played {
    fn definitions(&self) -> Vec<ToolDefinition> {
        Vec::new()
    }

    async fn call(&self, _: &str, name: &str, input: Value) -> ToolAnswer {
        let mut calls = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let at = calls
            .iter()
            .position(|call| call.tool == name && call.input == input);
        match at.and_then(|at| calls.remove(at)) {
            Some(call) => ToolAnswer {
                ok: true,
                text: call.answer,
            },
            None => ToolAnswer {
                ok: false,
                text: "not in the trace".to_owned(),
            },
        }
    }
}

struct Forgets;

impl Keeper for Forgets {
    async fn keep(&self, _: &Message, _: Option<&Usage>) -> Result<(), String> {
        Ok(())
    }
}

impl Trace {
    /// The committed trace.
    ///
    /// # Errors
    /// If its file does not read as one.
    pub fn export() -> Result<Self, serde_json::Error> {
        serde_json::from_str(EXPORT)
    }

    /// Another brief for the same kind of work in the same run.
    #[must_use]
    pub fn sibling(mut self) -> Self {
        self.brief = format!("Another task of the same run.\n\n{}", self.brief);
        self
    }

    /// Drives the session on `model`, whose caches may be warm from others.
    ///
    /// # Errors
    /// If the session did not go as the trace says.
    pub async fn drive(&self, model: &Model) -> anyhow::Result<Figures> {
        let before = model.requests().len();
        model.session_for("", &self.brief, |script| {
            self.turns
                .iter()
                .fold(script, |script, turn| script.turn(turn.written()))
        });
        let conversation = opening(
            Kind::Work,
            &self.instructions,
            Some(self.notes.clone()),
            &self.brief,
        );
        let bare = opening(Kind::Work, "", None, "");
        let calls = self.turns.iter().flat_map(|turn| turn.calls.clone()).collect();
        let tools = Played(Mutex::new(calls));
        let settings = Settings::new("standard", Effort::Medium, 40);
        let figures = (
            bytes_before_messages(&bare)?,
            bytes_before_messages(&conversation)?,
        );
        let ended = converse(
            &Client::new(&model.gateway())?,
            &settings,
            conversation,
            &tools,
            &Forgets,
        )
        .await;
        anyhow::ensure!(
            ended.cause == Cause::Finished,
            "{}: {:?}",
            ended.cause,
            model.complaints()
        );
        let requests = &model.requests()[before..];
        let usage = requests
            .iter()
            .fold(Usage::default(), |sum, request| sum + request.usage);
        Ok(Figures {
            turns: requests.len(),
            fixed: estimate_tokens(figures.0),
            system_and_tools: tokens(figures.1),
            usage,
            first_read: requests
                .first()
                .map_or(0, |request| request.usage.cache_read_tokens),
        })
    }
}

fn bytes_before_messages(conversation: &Conversation) -> Result<usize, serde_json::Error> {
    Ok(conversation.system.len() + serde_json::to_string(&conversation.tools)?.len())
}

impl TraceTurn {
    fn written(&self) -> Turn {
        let said = if self.say.is_empty() {
            Turn::new()
        } else {
            Turn::new().say(&self.say)
        };
        self.calls
            .iter()
            .fold(said, |turn, call| turn.call(&call.tool, call.input.clone()))
    }
}
