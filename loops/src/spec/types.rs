//! The keys of a loop as a whole, with their defaults. Each doc comment here is what an editor shows while typing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    agents::{LeadChoice, Worker},
    limits::{Boundaries, Budget, Sandbox, Setup},
    proof::Checks,
    proposal::{Notify, Proposal},
    sources::{Source, Triage, Trigger},
    units::Span,
};

/// A loop: when, from where, who works, within which boundaries, what proves it, who reviews.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoopSpec {
    /// The loop's name: lower-case letters, digits and hyphens.
    #[schemars(regex(pattern = "^[a-z0-9][a-z0-9-]{0,62}$"))]
    pub name: String,
    /// Which finder, prompts and proofs of the library.
    pub kind: Kind,
    /// What it is for, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `owner/name` on GitHub, or a path to a git repository (absolute, or beginning with `./` or `../`, from the spec's folder).
    pub repo: String,
    /// The branch that is worked from and proposed against.
    #[serde(default = "main_branch")]
    pub base: String,
    /// What is wanted, for `kind: instruction`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// When it runs by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// What starts it besides the schedule; needs webhooks or socket mode.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    /// Where its signals come from.
    #[schemars(length(min = 1))]
    pub sources: Vec<Source>,
    /// What is taken out of signals before anything of them is kept, by source (`all`, or a source's key): `email`, `phone`,
    /// `tokens`, or a pattern between slashes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redact: BTreeMap<String, Vec<String>>,
    /// How signals become findings, and which of them are worked on.
    #[serde(default)]
    pub triage: Triage,
    /// The top-level agent; `none` makes one task per finding without a model.
    #[serde(default)]
    pub lead: LeadChoice,
    /// The kinds of sub-agent that the lead may spawn, by name.
    #[serde(default = "one_fixer")]
    pub workers: BTreeMap<String, Worker>,
    /// What an attempt may use of the machine.
    #[serde(default)]
    pub sandbox: Sandbox,
    /// What installs dependencies: on the base commit, before any agent, in its own sandbox, cached for that base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<Setup>,
    /// What a change may touch.
    #[serde(default)]
    pub boundaries: Boundaries,
    /// What proves a change.
    #[serde(default)]
    pub checks: Checks,
    /// What it may spend.
    #[serde(default)]
    pub budget: Budget,
    /// How a proven change is put before people.
    #[serde(default)]
    pub proposal: Proposal,
    /// Who hears of it.
    #[serde(default)]
    pub notify: Notify,
}

fn main_branch() -> String {
    "main".to_owned()
}

fn one_fixer() -> BTreeMap<String, Worker> {
    BTreeMap::from([("fix".to_owned(), Worker::default())])
}

/// Which finder, prompts and proofs of the library a loop uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A cluster of reports or a failing check; proven by reproduction.
    Fix,
    /// Tests that pass and fail on the same commit.
    FlakyTests,
    /// Minutes that CI wastes.
    CiTime,
    /// Tests that no fault can fail.
    UselessTests,
    /// Near-identical functions and types.
    DuplicateCode,
    /// Docs that contradict code.
    Docs,
    /// Pull requests by anyone.
    Review,
    /// Scanners' findings and advisories.
    Security,
    /// Where the structure hurts.
    Architecture,
    /// What a person asks for in `prompt`.
    Instruction,
}

/// When a loop runs by itself: `every` or `cron`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// A fixed interval, counted from the Unix epoch plus the loop's own offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// A cron line of five fields, in the loop's zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// IANA name of the zone; also says when a budget's day ends.
    #[serde(default = "utc")]
    pub timezone: String,
    /// A random delay up to this much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Span>,
    /// What to do with a tick that meets a running one.
    #[serde(default)]
    pub overlap: Overlap,
    /// What to do about ticks missed while down.
    #[serde(default)]
    pub catch_up: CatchUp,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// What to do with a tick that meets a running one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It leaves a receipt and does nothing.
    #[default]
    Skip,
    /// It waits.
    Queue,
    /// The running one is stopped.
    CancelRunning,
}

/// What to do about ticks missed while down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// Nothing.
    None,
    /// Run the latest.
    #[default]
    Latest,
    /// Run each.
    All,
}
