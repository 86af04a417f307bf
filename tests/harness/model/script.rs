//! What a scripted model says: sessions of turns, and the faults that are put in their way.

use std::{fmt, sync::Arc, time::Duration};

use serde_json::{Value, json};

type Chooses = dyn Fn(&str, &str, &str) -> bool + Send + Sync;
type Replies = dyn Fn(&Value) -> Turn + Send + Sync;

/// What goes wrong, once, before a turn is answered as written.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// 429, with `retry-after` in seconds.
    RateLimited(u64),
    /// 529.
    Overloaded,
    /// 500.
    ServerError,
    /// 401: the key is not one.
    WrongKey,
    /// What our gateway answers when a budget is spent.
    OutOfBudget,
    /// The connection is closed without any answer.
    CutBeforeFirstByte,
    /// The stream is cut in the middle of the turn's last block.
    CutInStream,
    /// The stream says `error` of this kind in its middle.
    ErrorInStream(&'static str),
    /// The stream's events are not JSON.
    Malformed,
    /// The stream makes this pause before each event; the turn is then answered whole.
    Slow(Duration),
}

/// One answer.
#[derive(Debug, Clone, Default)]
pub struct Turn {
    pub(super) blocks: Vec<Piece>,
    pub(super) stop: Option<String>,
}

/// One block of an answer.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Text(String),
    Thinking(String),
    Call { name: String, input: String },
    Any(Value),
}

impl Turn {
    /// An answer with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says words.
    pub fn say(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Piece::Text(text.into()));
        self
    }

    /// Thinks. A session has to give the thoughts back unmodified, or is refused.
    pub fn think(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Piece::Thinking(text.into()));
        self
    }

    /// Calls a tool.
    pub fn call(self, name: &str, input: Value) -> Self {
        self.call_raw(name, &input.to_string())
    }

    /// Calls a tool with an input that need not be JSON.
    pub fn call_raw(mut self, name: &str, input: &str) -> Self {
        self.blocks.push(Piece::Call {
            name: name.to_owned(),
            input: input.to_owned(),
        });
        self
    }

    /// Any other block, as it stands.
    pub fn block(mut self, block: Value) -> Self {
        self.blocks.push(Piece::Any(block));
        self
    }

    /// Stops for this reason rather than for the one that follows from its blocks.
    pub fn stop(mut self, reason: &str) -> Self {
        self.stop = Some(reason.to_owned());
        self
    }

    pub(super) fn stop_reason(&self) -> &str {
        let calls = self
            .blocks
            .iter()
            .any(|block| matches!(block, Piece::Call { .. }));
        self.stop
            .as_deref()
            .unwrap_or(if calls { "tool_use" } else { "end_turn" })
    }
}

#[derive(Clone)]
enum Answer {
    Written(Turn),
    Computed(Arc<Replies>),
}

#[derive(Clone)]
struct Step {
    faults: Vec<Fault>,
    answer: Answer,
}

/// A session: which conversations it plays for, and its turns.
#[derive(Clone)]
pub struct Script {
    words: String,
    chooses: Arc<Chooses>,
    steps: Vec<Step>,
    /// Faults for the next turn that is added.
    pending: Vec<Fault>,
    endless: bool,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Script({:?}, {} turns)", self.words, self.steps.len())
    }
}

impl Script {
    pub(super) fn choosing(
        words: &str,
        chooses: impl Fn(&str, &str, &str) -> bool + Send + Sync + 'static,
    ) -> Self {
        let (steps, pending) = (Vec::new(), Vec::new());
        Self {
            words: words.to_owned(),
            chooses: Arc::new(chooses),
            steps,
            pending,
            endless: false,
        }
    }

    fn add(mut self, answer: Answer) -> Self {
        let faults = std::mem::take(&mut self.pending);
        self.steps.push(Step { faults, answer });
        self
    }

    /// A turn of words alone.
    pub fn say(self, text: impl Into<String>) -> Self {
        self.turn(Turn::new().say(text))
    }

    /// A turn that calls one tool.
    pub fn call(self, name: &str, input: Value) -> Self {
        self.turn(Turn::new().call(name, input))
    }

    /// A turn that calls several tools at once.
    pub fn calls<const N: usize>(self, calls: [(&str, Value); N]) -> Self {
        self.turn(
            calls
                .into_iter()
                .fold(Turn::new(), |turn, (name, input)| turn.call(name, input)),
        )
    }

    /// Any turn.
    pub fn turn(self, turn: Turn) -> Self {
        self.add(Answer::Written(turn))
    }

    /// A turn that is computed from the request.
    pub fn reply(self, reply: impl Fn(&Value) -> Turn + Send + Sync + 'static) -> Self {
        self.add(Answer::Computed(Arc::new(reply)))
    }

    /// Puts a fault in the way of the turn that is written next; several come one after the other.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.pending.push(fault);
        self
    }

    /// The same fault this many times.
    pub fn faults(self, times: usize, fault: Fault) -> Self {
        (0..times).fold(self, |script, _| script.fault(fault.clone()))
    }

    /// Puts a fault in the way of a turn that is written already, counted from 0.
    pub fn put_in_the_way(mut self, turn: usize, fault: Fault) -> Self {
        self.steps[turn].faults.push(fault);
        self
    }

    /// The last turn is said again and again.
    pub fn forever(mut self) -> Self {
        self.endless = true;
        self
    }

    pub(super) fn words(&self) -> &str {
        &self.words
    }

    pub(super) fn plays_for(&self, system: &str, first: &str) -> bool {
        (self.chooses)(&self.words, system, first)
    }

    fn step(&self, turn: usize) -> Option<&Step> {
        self.steps
            .get(turn)
            .or_else(|| self.steps.last().filter(|_| self.endless))
    }

    /// The fault that stands before this turn after `met` others.
    pub(super) fn fault_at(&self, turn: usize, met: usize) -> Option<Fault> {
        self.steps.get(turn)?.faults.get(met).cloned()
    }

    pub(super) fn answer(&self, turn: usize, request: &Value) -> Option<Turn> {
        Some(match &self.step(turn)?.answer {
            Answer::Written(turn) => turn.clone(),
            Answer::Computed(reply) => reply(request),
        })
    }
}

impl Piece {
    /// The block, as it stands in an answer that is not streamed.
    pub(super) fn block(&self, id: &str) -> Value {
        match self {
            Self::Text(text) => json!({"type": "text", "text": text}),
            Self::Thinking(text) => {
                json!({"type": "thinking", "thinking": text, "signature": super::wire::signature(text)})
            }
            Self::Call { name, input } => {
                let input: Value = serde_json::from_str(input).unwrap_or_else(|_| json!({}));
                json!({"type": "tool_use", "id": id, "name": name, "input": input})
            }
            Self::Any(block) => block.clone(),
        }
    }
}
