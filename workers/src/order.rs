//! What a worker is told, what it reports on the way, and what it gives back. Plain data, all of it.

use std::path::PathBuf;

use loops::{
    budget::Usage,
    evidence::{Evidence, Observation},
    id::{AttemptId, RunId, TaskId},
    spec::{Backend, CheckCommand, Effort, Reproduce, SandboxLimits, Setup, Span, WeakenedTests},
};
use serde::{Deserialize, Serialize};

use crate::agent::messages::Message;

/// Everything that one attempt needs to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The attempt, which owns `scratch`.
    pub attempt: AttemptId,
    /// The task that it is a try of.
    pub task: TaskId,
    /// The run that the task belongs to.
    pub run: RunId,
    /// A bare git repository on this machine that has `base`; it is only read.
    pub mirror: PathBuf,
    /// The base commit, 40 hex digits.
    pub base: String,
    /// A change to begin from, in place of the base's own tree.
    pub start: Option<Change>,
    /// A folder of this attempt's own; the worker may do as it likes in it. It is made if it is not there.
    pub scratch: PathBuf,
    /// The limits of the sandbox; none: no sandbox at all, which somebody wrote out.
    pub sandbox: Option<SandboxLimits>,
    /// What installs dependencies, before anything else.
    pub setup: Option<Setup>,
    /// Where setup results are kept between attempts on the same base and lock files.
    pub setup_cache: PathBuf,
    /// After this long the attempt ends with what it has.
    pub timeout: Span,
    /// The ways out of its sandboxes to hosts that the loop allows.
    #[serde(default)]
    pub ways_out: WaysOut,
    /// What is to be done.
    pub job: Job,
}

/// Ways out to the hosts that the loop allows, each with a token of its own that buys no model call. Which hosts these
/// are the gateway knows. None: those inside reach nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaysOut {
    /// For what the agent runs.
    pub agent: Option<Gateway>,
    /// For what installs dependencies.
    pub setup: Option<Gateway>,
    /// For what checks run.
    pub checks: Option<Gateway>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// Change the workspace until the brief is met.
    Work(Work),
    /// Run the checks on a change, away from the workspace that made it.
    Prove(Prove),
    /// Read a change and its evidence and try to refute them.
    Review(Review),
}

/// How model calls are made: through the gateway, with a token that is worth nothing elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    /// `http://127.0.0.1:4141`, `unix:/path/to/socket`, or `relay://127.0.0.1:4142` for what runs in a sandbox.
    pub address: String,
    /// This attempt's token.
    pub token: String,
}

/// How an agent is run, whatever it is asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentSettings {
    /// Which program.
    pub backend: Backend,
    /// A model's name or an alias that the gateway knows.
    pub model: String,
    /// How hard it thinks.
    pub effort: Effort,
    /// The stable instructions: the prompt of its kind of work, and the boundaries in words.
    pub instructions: String,
    /// What it is asked now: the task, with text from outside marked as data.
    pub brief: String,
    /// After this many turns it ends with what it has.
    pub max_turns: u32,
    /// Globs over command lines that the command tool refuses.
    pub deny_commands: Vec<String>,
    /// Hosts that its commands may reach (`host` or `host:port`), to be told so. Who lets them is the gateway.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// A stronger model that it may ask.
    #[serde(default)]
    pub advisor: Option<Advisor>,
    /// Where its model calls go.
    pub gateway: Gateway,
}

pub use loops::spec::Advisor;

/// Change the workspace until the brief is met.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// The agent.
    pub agent: AgentSettings,
    /// How often what there is so far is saved ([`Report::Saved`]); none: never.
    #[serde(default)]
    pub save_every: Option<Span>,
    /// What was saved of this same attempt before its worker was lost: it goes on from there. The tree that belongs to it
    /// is the order's `start`.
    #[serde(default)]
    pub saved: Option<Saved>,
}

/// A session as it was saved on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// The conversation; its last message is ours.
    pub messages: Vec<Message>,
    /// The agent's to-do list.
    pub todo: Vec<TodoItem>,
}

/// Run the checks on a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prove {
    /// The change.
    pub change: Change,
    /// Commands from the loop's spec on the base branch.
    pub commands: Vec<CheckCommand>,
    /// Whether the change's tests must fail on the base.
    pub reproduce: Reproduce,
    /// What to do about weakened tests.
    pub weakened_tests: WeakenedTests,
    /// What the commands said on the base, if that is already known, in the order of `commands`.
    pub baseline: Option<Vec<Baseline>>,
}

/// What one check command said on the base commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The check's name.
    pub name: String,
    /// How it ended.
    pub observation: Observation,
    /// Names of the tests that ran and passed.
    pub passed: Vec<String>,
    /// Names of the tests that ran and failed.
    pub failed: Vec<String>,
    /// Names of the tests that were skipped.
    pub skipped: Vec<String>,
    /// Why tests could not be compiled or loaded, if some could not.
    #[serde(default)]
    pub load_errors: Vec<String>,
}

/// Read a change and its evidence and try to refute them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Review {
    /// The reviewing agent. Its brief holds finding, diff and evidence.
    pub agent: AgentSettings,
    /// The change, laid out for it to read.
    pub change: Change,
}

/// What an attempt left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The tree, 40 hex digits.
    pub tree: String,
    /// A git pack (thin, against the base) that holds what the mirror lacks; empty if it lacks nothing.
    #[serde(with = "as_base64")]
    pub pack: Vec<u8>,
}

/// What happens on the way. Reports are for people and for accounting; nothing is decided by them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum Report {
    /// What the attempt is busy with now: `workspace`, `setup`, `agent`, `check unit` …
    Stage {
        /// A few words.
        doing: String,
    },
    /// The agent's to-do list, whole, whenever it changes.
    Todo {
        /// Its items in order.
        items: Vec<TodoItem>,
    },
    /// A line of the transcript.
    Entry {
        /// The line.
        entry: Entry,
    },
    /// What there is so far, for whoever has to go on with it: the tree, and the conversation that led to it.
    Saved {
        /// The tree; none: it is the base's.
        change: Option<Change>,
        /// How many messages were saved before.
        after: usize,
        /// Those since then.
        messages: Vec<Message>,
    },
}

/// One item of an agent's to-do list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TodoItem {
    /// What is to be done.
    pub text: String,
    /// How far it is.
    pub state: TodoState,
    /// Why it was dropped, for a dropped one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How far an item of a to-do list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TodoState {
    /// Not begun.
    Pending,
    /// Being done.
    Doing,
    /// Done.
    Done,
    /// Given up, with a reason.
    Dropped,
}

/// One line of a transcript. Texts are cut at 16 KiB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// What the agent was told.
    Told {
        /// The words.
        text: String,
    },
    /// What the agent said.
    Said {
        /// The words.
        text: String,
    },
    /// A tool that the agent called.
    Called {
        /// The tool's name.
        tool: String,
        /// Its input, as JSON.
        input: serde_json::Value,
    },
    /// What the tool answered.
    Answered {
        /// The tool's name.
        tool: String,
        /// Whether the tool could do what it was asked.
        ok: bool,
        /// The answer.
        text: String,
        /// How long it took.
        duration_ms: u64,
    },
    /// What the last model call used, as the provider said.
    Used {
        /// Tokens of this call.
        usage: Usage,
        /// Whether it was played back from a cassette.
        rehearsed: bool,
    },
    /// Something that the system did or met: a retry, a trim, a limit.
    Note {
        /// The words.
        text: String,
    },
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What the job gave back.
    pub result: Result,
    /// Tokens that the agent's calls used, as the worker saw them; the gateway's figure is the one that counts.
    pub usage: Usage,
    /// What the sandbox could only limit approximately, or not at all.
    pub caveats: Vec<String>,
    /// What its sandbox was ([`crate::sandbox::Shown`]); none: it came to none.
    #[serde(default)]
    pub policy: Option<serde_json::Value>,
}

impl Outcome {
    /// The outcome of what could not be carried out, for this reason in words for a person.
    pub fn could_not_run(why: String, retry: bool) -> Self {
        Self {
            result: Result::CouldNotRun { why, retry },
            usage: Usage::default(),
            caveats: Vec::new(),
            policy: None,
        }
    }
}

/// What the job gave back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Result {
    /// The agent worked.
    Worked {
        /// What it left; none: the tree is as it was.
        change: Option<Change>,
        /// The agent's own last words. A claim, never evidence.
        summary: String,
        /// Why the session ended.
        ending: Ending,
    },
    /// The checks ran, or could not.
    Proved {
        /// What they found out.
        evidence: Vec<Evidence>,
        /// What the commands said on the base, for the next proof on it.
        baseline: Vec<Baseline>,
    },
    /// The reviewer is done.
    Reviewed {
        /// Whether the change stands.
        approved: bool,
        /// What it found, most serious first.
        concerns: Vec<String>,
        /// In a sentence or two.
        summary: String,
    },
    /// It could not be carried out.
    CouldNotRun {
        /// Why, in words for a person.
        why: String,
        /// Whether the same order may go better later.
        retry: bool,
    },
}

/// Why an agent's session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It said that it is done.
    Finished,
    /// It had no turns left.
    OutOfTurns,
    /// It had no time left.
    OutOfTime,
    /// The budget bears no more.
    OutOfBudget,
    /// The model could not be reached for too long.
    ModelFailed,
    /// The model went in circles, made no sense, or would not do it.
    Astray,
}

mod as_base64 {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD
            .decode(String::deserialize(deserializer)?)
            .map_err(serde::de::Error::custom)
    }
}
