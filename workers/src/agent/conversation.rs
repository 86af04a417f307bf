//! What a session is made of: the conversation, its settings, its tools, who keeps it, and how it ended.
//!
//! All of a session's state is its [`Conversation`]: one that was kept message by message and is loaded again goes on
//! where it was. The loop itself is in `session`.

use loops::{budget::Usage, spec::Effort};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    client::ModelError,
    messages::{Block, Message},
};
use crate::{
    order::{Ending, Entry},
    tools::{ToolAnswer, ToolDefinition},
};

/// Everything that was said, and what stands before it in every request. It only grows, so that prompt caches hit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// The stable instructions.
    pub system: String,
    /// The tools that the model may call.
    pub tools: Vec<ToolDefinition>,
    /// How many blocks at the beginning of the first message are the same for all siblings of a run.
    #[serde(default)]
    pub shared: usize,
    /// What was said, ours and the model's in turn, beginning with ours.
    pub messages: Vec<Message>,
}

impl Conversation {
    /// A new one. `shared` are blocks that all siblings of a run begin with, `brief` is what this one is asked.
    pub fn new(system: String, tools: Vec<ToolDefinition>, shared: Vec<String>, brief: String) -> Self {
        let count = shared.len();
        let blocks = shared.into_iter().chain([brief]).map(Block::text).collect();
        Self {
            system,
            tools,
            shared: count,
            messages: vec![Message::user(blocks)],
        }
    }
}

/// How a session is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A model's name or an alias that the gateway knows.
    pub model: String,
    /// How hard it thinks. The gateway leaves it out for a model that does not know it.
    pub effort: Effort,
    /// The most tokens of one answer.
    pub max_tokens: u32,
    /// After this many answers it is asked for its last words.
    pub max_turns: u32,
    /// The tokens that the model can read and write at once.
    pub window: u64,
    /// When it has to end.
    pub deadline: Option<Instant>,
    /// Ends it at once; the conversation as kept so far can go on later.
    pub cancel: CancellationToken,
}

impl Settings {
    /// Settings with the usual limits.
    pub fn new(model: impl Into<String>, effort: Effort, max_turns: u32) -> Self {
        Self {
            model: model.into(),
            effort,
            max_tokens: 16_000,
            max_turns,
            window: 200_000,
            deadline: None,
            cancel: CancellationToken::new(),
        }
    }
}

/// The tools of a session.
pub trait Tools: Sync {
    /// What the model is told of them. Stable: a changed definition breaks every cached prefix.
    fn definitions(&self) -> Vec<ToolDefinition>;

    /// Carries out one call. Calls of one message run at the same time. After a restart a call may come a second
    /// time, with the same id; who must not do it twice looks at the id.
    fn call(&self, call_id: &str, name: &str, input: Value) -> impl Future<Output = ToolAnswer> + Send;

    /// Why the model may not stop yet, in words for it.
    fn may_stop(&self) -> impl Future<Output = Option<String>> + Send {
        std::future::ready(None)
    }

    /// Whether a call has ended the session.
    fn finished(&self) -> bool {
        false
    }

    /// Whether it is normal to make the same call of this tool again and again (waiting is).
    fn may_repeat(&self, _name: &str) -> bool {
        false
    }
}

/// Who keeps a session, and watches it.
pub trait Keeper: Sync {
    /// Keeps a message; nothing is done about the message before this has returned. `usage` comes with the model's
    /// messages. An error ends the session.
    fn keep(
        &self,
        message: &Message,
        usage: Option<&Usage>,
    ) -> impl Future<Output = Result<(), String>> + Send;

    /// What may be done while the model thinks of its answer to `conversation`: no call of a tool is under way, and none
    /// is carried out before this has returned. It is dropped if the session ends meanwhile.
    fn meanwhile(&self, _conversation: &Conversation) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Hears a line of the transcript. Nothing is decided by it.
    fn entry(&self, _entry: Entry) {}
}

/// Why a session ended, exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The model said that it is done, or a tool ended the session.
    #[error("it is done")]
    Finished,
    /// The model stopped although it was told, often enough, what is still open.
    #[error("it stopped although this was still open: {0}")]
    StoppedEarly(String),
    /// No turns were left.
    #[error("it had no turns left")]
    OutOfTurns,
    /// The conversation no longer fits the model's window.
    #[error("the conversation no longer fits the model's window")]
    WindowFull,
    /// The deadline came.
    #[error("it had no time left")]
    OutOfTime,
    /// It was told to end.
    #[error("it was cancelled")]
    Cancelled,
    /// The model kept making the same calls with the same answers.
    #[error("the model kept repeating the same calls without getting further")]
    Looping,
    /// The model kept answering with nothing, or with calls that no tool could take.
    #[error("the model made no sense for too long: {0}")]
    NoSense(String),
    /// The model will not do this.
    #[error("the model refused to answer")]
    Refused,
    /// The model could not be asked.
    #[error("{0}")]
    Model(ModelError),
    /// The conversation could not be kept.
    #[error("the conversation could not be kept: {0}")]
    NotKept(String),
}

impl Cause {
    /// The coarser word of an outcome.
    pub fn ending(&self) -> Ending {
        match self {
            Self::Finished | Self::StoppedEarly(_) => Ending::Finished,
            Self::OutOfTurns | Self::WindowFull => Ending::OutOfTurns,
            Self::OutOfTime | Self::Cancelled => Ending::OutOfTime,
            Self::Model(ModelError::OutOfBudget(_)) => Ending::OutOfBudget,
            Self::Looping | Self::NoSense(_) | Self::Refused => Ending::Astray,
            Self::Model(_) | Self::NotKept(_) => Ending::ModelFailed,
        }
    }
}

/// How a session ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Why.
    pub cause: Cause,
    /// The model's last words; empty if it never said anything. A claim, never evidence.
    pub last_words: String,
    /// Tokens of this stretch of the session, as the worker saw them.
    pub usage: Usage,
    /// How many answers the model has given, those before a restart too.
    pub turns: u32,
    /// The conversation as it stands, with what was trimmed left out.
    pub conversation: Conversation,
}
