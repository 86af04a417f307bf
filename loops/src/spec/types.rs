//! The keys of a loop, with their defaults. Each doc comment here is what an editor shows while typing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    none_or::none_or,
    units::{Bytes, Dollars, Span},
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
    /// What installs dependencies: on the base commit, before any agent, in its own sandbox, cached by lock file.
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

/// What starts a loop besides its schedule. One key each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A GitHub event, for example `issues.opened`.
    Github(String),
    /// A Slack event, for example `message`.
    Slack(String),
}

/// Where signals come from. One key each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Slack channels.
    Slack(SlackSource),
    /// Issues of the loop's repository.
    GithubIssues(GithubIssues),
    /// Workflow runs of the loop's repository.
    GithubActions(GithubActions),
    /// JUnit reports on disk.
    Junit(PathSource),
    /// A JSONL file, one signal a line; or a Slack export, as a folder or a zip.
    File(PathSource),
}

/// Slack channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackSource {
    /// Channel names with `#`.
    #[schemars(length(min = 1))]
    pub channels: Vec<String>,
    /// How far back to read.
    #[serde(default = "week")]
    pub lookback: Span,
    /// Read threads, too.
    #[serde(default = "yes")]
    pub threads: bool,
}

/// Issues of the loop's repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GithubIssues {
    /// Only issues with all of these labels.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Which states.
    #[serde(default = "open_states")]
    pub states: Vec<IssueState>,
    /// Read comments, too.
    #[serde(default = "yes")]
    pub comments: bool,
}

/// The state of an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IssueState {
    /// Not closed.
    Open,
    /// Closed.
    Closed,
}

/// Workflow runs of the loop's repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GithubActions {
    /// Workflow file names; empty: all.
    #[serde(default)]
    pub workflows: Vec<String>,
    /// Branches; empty: the base.
    #[serde(default)]
    pub branches: Vec<String>,
}

/// Files on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PathSource {
    /// A path or glob, from the spec's folder.
    pub path: String,
}

fn week() -> Span {
    Span(std::time::Duration::from_secs(7 * 86_400))
}

fn yes() -> bool {
    true
}

fn open_states() -> Vec<IssueState> {
    vec![IssueState::Open]
}

/// How signals become findings, and which of them are worked on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Triage {
    /// Fewer signals than this are left alone.
    pub min_signals: u32,
    /// Fewer people than this are left alone; ignored for what only machines reported.
    pub min_reporters: u32,
    /// After this long a signal counts half.
    pub half_life: Span,
    /// How many findings the lead agent gets per run, best first.
    pub max_findings: u32,
    /// Whose reports may lead to code.
    pub trust: Trust,
    /// Hours of the loop's zone in which signals are read but nothing is started, like `22:00-07:00`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$"))]
    pub quiet: Option<String>,
}

impl Default for Triage {
    fn default() -> Self {
        Self {
            min_signals: 1,
            min_reporters: 1,
            half_life: Span(std::time::Duration::from_secs(14 * 86_400)),
            max_findings: 3,
            trust: Trust::default(),
            quiet: None,
        }
    }
}

/// Whose reports may lead to code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Trust {
    /// Code is written only if that many people with write access are among the reporters; 0: anyone. The
    /// default is 1 on GitHub; a file that the operator names is trusted as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<u32>,
}

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
        Self { model: "top".to_owned(), effort: Effort::High, max_turns: 40 }
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

/// What an attempt may use of the machine. `none` (all of it, shown on everything that it made) must be written out.
#[derive(Debug, Clone, PartialEq)]
pub enum Sandbox {
    /// No sandbox at all.
    None,
    /// Bubblewrap with these limits.
    Limits(SandboxLimits),
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::Limits(SandboxLimits::default())
    }
}

/// The limits of a sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SandboxLimits {
    /// `auto` finds the host's toolchains and binds them read-only; `none` binds the system's only.
    pub toolchains: Toolchains,
    /// The most memory.
    pub memory: Bytes,
    /// How many processors.
    #[schemars(range(min = 1, max = 1024))]
    pub cpus: u32,
    /// `cgroups`: refuse to start where memory and processors could only be limited approximately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require: Option<Require>,
    /// A container image instead of the host's toolchains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self { toolchains: Toolchains::Auto, memory: Bytes(4 << 30), cpus: 2, require: None, image: None }
    }
}

/// Which toolchains a sandbox sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Toolchains {
    /// Those that are found on the host: rustup, nvm, pyenv and the system's.
    #[default]
    Auto,
    /// The system's only.
    None,
}

/// What a sandbox must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Require {
    /// Exact limits by control groups.
    Cgroups,
}

/// What installs dependencies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// A shell command.
    pub run: String,
    /// Hosts that it may reach.
    #[serde(default)]
    pub network: Vec<String>,
    /// After this long it is stopped.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
}

fn ten_minutes() -> Span {
    Span(std::time::Duration::from_secs(600))
}

/// What a change may touch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Boundaries {
    /// Globs of paths that may change.
    pub write: Vec<String>,
    /// Globs of paths that may not, whatever `write` says.
    pub deny: Vec<String>,
    /// The most files that may change.
    pub max_files: u32,
    /// The most lines that may be added and removed.
    pub max_lines: u32,
    /// Hosts that an agent's sandbox may reach besides the gateway.
    pub network: Vec<String>,
    /// Commands that the built-in agent's tool refuses; the sandbox holds whatever runs.
    pub commands: Commands,
    /// What to do when a change adds, removes or updates a dependency.
    pub dependencies: Dependencies,
}

impl Default for Boundaries {
    fn default() -> Self {
        Self {
            write: vec!["**".to_owned()],
            deny: Vec::new(),
            max_files: 20,
            max_lines: 600,
            network: Vec::new(),
            commands: Commands::default(),
            dependencies: Dependencies::Ask,
        }
    }
}

/// Commands that the built-in agent's tool refuses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Commands {
    /// Globs over the command's text.
    pub deny: Vec<String>,
}

/// What to do when a change touches dependencies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dependencies {
    /// Let it.
    Allow,
    /// A person decides first.
    #[default]
    Ask,
    /// Refuse the change.
    Forbid,
}

/// What proves a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Checks {
    /// Commands that must pass.
    pub commands: Vec<CheckCommand>,
    /// Whether the change's tests must fail on the base and pass on the change.
    pub reproduce: Reproduce,
    /// What to do about weakened tests.
    pub weakened_tests: WeakenedTests,
    /// An independent agent that reads diff and evidence; `none` leaves it out.
    pub agent_review: ReviewChoice,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            commands: Vec::new(),
            reproduce: Reproduce::Required,
            weakened_tests: WeakenedTests::Forbid,
            agent_review: ReviewChoice::default(),
        }
    }
}

/// A command that must pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckCommand {
    /// How it is called where evidence is shown.
    pub name: String,
    /// A shell command.
    pub run: String,
    /// A glob of JUnit reports that it writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub junit: Option<String>,
    /// After this long it could not run.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
}

/// Whether the change's tests must fail on the base and pass on the change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reproduce {
    /// They must.
    #[default]
    Required,
    /// It is said on the page whether they do.
    WhenPossible,
    /// It is not tried.
    Off,
}

/// What to do about weakened tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WeakenedTests {
    /// The change does not go out.
    #[default]
    Forbid,
    /// The page says so.
    Flag,
    /// Nothing.
    Allow,
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
        Self { model: "top".to_owned(), effort: Effort::Medium }
    }
}

/// What a loop may spend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// One task, its proof and review included.
    pub task: Dollars,
    /// One run, the lead agent included.
    pub run: Dollars,
    /// One day, in the loop's zone.
    pub day: Dollars,
}

impl Default for Budget {
    fn default() -> Self {
        use crate::budget::Money;
        Self { task: Dollars(Money::usd(3.0)), run: Dollars(Money::usd(10.0)), day: Dollars(Money::usd(50.0)) }
    }
}

/// How a proven change is put before people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Proposal {
    /// In which form. Without it: a pull request for a repository on GitHub, a local review else.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub form: Option<ProposalForm>,
    /// As a draft.
    pub draft: bool,
    /// Labels of the pull request.
    pub labels: Vec<String>,
    /// Who is asked to review.
    pub reviewers: Vec<String>,
    /// Nothing is started while this many proposals of the loop are open.
    #[schemars(range(min = 1))]
    pub max_open: u32,
    /// How far it goes by itself.
    pub autonomy: Autonomy,
}

impl Default for Proposal {
    fn default() -> Self {
        Self {
            form: None,
            draft: true,
            labels: vec!["loops".to_owned()],
            reviewers: Vec::new(),
            max_open: 5,
            autonomy: Autonomy::Propose,
        }
    }
}

/// In which form a change is proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProposalForm {
    /// On GitHub.
    PullRequest,
    /// A branch in the repository and a review page here.
    Local,
    /// A comment where the finding came from.
    Comment,
    /// A report, no change.
    Report,
}

/// How far a loop goes by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Autonomy {
    /// It says what it found.
    Report,
    /// A person approves the plan first.
    PlanFirst,
    /// It proposes changes.
    #[default]
    Propose,
    /// It merges what is green where the base is protected.
    MergeWhenGreen,
}

/// Who hears of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// A Slack channel with `#`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack: Option<String>,
    /// Whether reporters hear once when theirs is proposed and once when it is merged. `on`/`off` are booleans in YAML.
    pub reporters: OnOff,
}

/// `on` or `off`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnOff {
    /// Yes.
    On,
    /// No.
    #[default]
    Off,
}

none_or! {
    LeadChoice::Agent(Lead);
    Sandbox::Limits(SandboxLimits);
    ReviewChoice::Agent(AgentReview);
}
