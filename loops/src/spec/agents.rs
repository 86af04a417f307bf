//! Who works: the lead agent, the workers and the independent reviewer. The keys only: no agent is run here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{none_or::none_or, units::Span};

/// The top-level agent, or `none`.
#[derive(Debug, Clone, PartialEq)]
pub enum LeadChoice {
    /// One task per finding, without a model.
    None,
    /// An agent session with orchestration tools.
    Agent(Lead),
}

/// How the top-level agent is run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lead {
    /// `top`, `standard`, `small`, or a model's name.
    pub model: String,
    /// How hard it thinks.
    pub effort: Effort,
    /// After this many turns it is asked to finish.
    #[schemars(range(min = 1, max = 1000))]
    pub max_turns: u32,
}

impl Default for Lead {
    fn default() -> Self {
        Self {
            model: "top".to_owned(),
            effort: Effort::High,
            max_turns: 40,
        }
    }
}

impl Default for LeadChoice {
    fn default() -> Self {
        Self::Agent(Lead::default())
    }
}

/// How hard a model thinks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// Little.
    Low,
    /// As usual.
    #[default]
    Medium,
    /// Much.
    High,
}

/// A kind of sub-agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Worker {
    /// Which program works.
    pub agent: Backend,
    /// `top`, `standard`, `small`, or a model's name.
    pub model: String,
    /// How hard it thinks.
    pub effort: Effort,
    /// A prompt beside this file; else the library's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Labels that a machine must have to do this work (`loops worker --labels gpu`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// How many work at once.
    #[schemars(range(min = 1, max = 1000))]
    pub max_parallel: u32,
    /// How often one task is tried.
    #[schemars(range(min = 1, max = 20))]
    pub max_attempts: u32,
    /// After this long an attempt ends.
    pub timeout: Span,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            agent: Backend::Builtin,
            model: "standard".to_owned(),
            effort: Effort::Medium,
            prompt: None,
            needs: Vec::new(),
            max_parallel: 4,
            max_attempts: 2,
            timeout: Span(std::time::Duration::from_secs(45 * 60)),
        }
    }
}

/// Which program works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// Our own agent.
    #[default]
    Builtin,
    /// Claude Code.
    ClaudeCode,
    /// Codex.
    Codex,
    /// Any program that speaks the Agent Client Protocol.
    Acp,
    /// Any command.
    Command,
    /// The built-in agent against a cassette: nothing is asked of a model.
    Rehearsal,
}

/// The independent reviewer, or `none`.
#[derive(Debug, Clone, PartialEq)]
pub enum ReviewChoice {
    /// Nobody.
    None,
    /// An agent of its own.
    Agent(AgentReview),
}

impl Default for ReviewChoice {
    fn default() -> Self {
        Self::Agent(AgentReview::default())
    }
}

/// How the independent reviewer is run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AgentReview {
    /// `top`, `standard`, `small`, or a model's name.
    pub model: String,
    /// How hard it thinks.
    pub effort: Effort,
}

impl Default for AgentReview {
    fn default() -> Self {
        Self {
            model: "top".to_owned(),
            effort: Effort::Medium,
        }
    }
}

none_or! {
    LeadChoice::Agent(Lead);
    ReviewChoice::Agent(AgentReview);
}
