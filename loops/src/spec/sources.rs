//! What starts a loop besides its schedule, where its signals come from, and how they are weighed. The keys only:
//! nothing is read from a source here.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CsvSource, JsonSource, RssSource, SentrySource, WebhookSource, trust::Trust, units::Span};

/// What starts a loop besides its schedule. One key each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A GitHub event about the loop's repository, for example `issues.opened`; without an action, like `issues`, each of
    /// its actions.
    Github(String),
    /// A Slack event, for example `message`.
    Slack(String),
    /// Records that came in for a `webhook` source of the loop, by the name of its secret.
    Webhook(String),
}

/// Where signals come from. One key each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Slack channels.
    Slack(SlackSource),
    /// Issues of the loop's repository.
    GithubIssues(GithubIssues),
    /// People's pull requests to the loop's repository.
    GithubPulls(GithubPulls),
    /// Workflow runs of the loop's repository.
    GithubActions(GithubActions),
    /// Failed tests in JUnit reports on disk.
    Junit(PathSource),
    /// Findings of scanners in SARIF reports on disk.
    Sarif(PathSource),
    /// Rows of a CSV file.
    Csv(CsvSource),
    /// The answer of any HTTP address that is JSON with a list in it.
    Json(JsonSource),
    /// An RSS or Atom feed.
    Rss(RssSource),
    /// Issues of a Sentry project.
    Sentry(SentrySource),
    /// Records that others send, signed, to `POST /signals/LOOP`.
    Webhook(WebhookSource),
    /// A JSONL file, one signal a line; or a Slack export, as a folder or a zip.
    File(PathSource),
}

impl Source {
    /// The keys of all kinds of sources.
    pub const KEYS: [&str; 12] = [
        "slack",
        "github_issues",
        "github_pulls",
        "github_actions",
        "junit",
        "sarif",
        "csv",
        "json",
        "rss",
        "sentry",
        "webhook",
        "file",
    ];
}

/// Slack channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackSource {
    /// Channel names with `#`, or ids like `C024BE7LH`. The app must be in them.
    #[schemars(length(min = 1))]
    pub channels: Vec<String>,
    /// How far back messages are read, and read again for edits, deletions and reactions.
    #[serde(default = "week")]
    pub lookback: Span,
    /// Read what is answered to them, too.
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

/// People's pull requests to the loop's repository; what loops proposed themselves is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GithubPulls {
    /// Only those with all of these labels.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Which states; a merged one is closed.
    #[serde(default = "open_states")]
    pub states: Vec<IssueState>,
    /// Only those into one of these branches; empty: into any.
    #[serde(default)]
    pub bases: Vec<String>,
    /// Read comments under them and on their lines, too.
    #[serde(default = "yes")]
    pub comments: bool,
    /// Read what reviews say, too.
    #[serde(default = "yes")]
    pub reviews: bool,
}

/// The state of an issue or a pull request.
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
    /// What started a run, like `push` or `pull_request`; empty: what nobody without write access can start. Runs of
    /// forks are never read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
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
    /// What counts more, or less, than it does by itself.
    #[serde(skip_serializing_if = "Weights::is_empty")]
    pub weights: Weights,
    /// How many findings the lead agent gets per run, best first.
    pub max_findings: u32,
    /// Whose reports may lead to code.
    pub trust: Trust,
    /// Findings with a report that holds a known form of prompt injection wait for a person.
    pub hold_flagged: bool,
    /// Hours of the loop's zone in which signals are read but nothing is started, like `22:00-07:00`. They hold ticks
    /// back, not people: `loops run` and an approved plan begin at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$"))]
    pub quiet: Option<String>,
}

impl Source {
    /// The key that it is written under.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Slack(_) => "slack",
            Self::GithubIssues(_) => "github_issues",
            Self::GithubPulls(_) => "github_pulls",
            Self::GithubActions(_) => "github_actions",
            Self::Junit(_) => "junit",
            Self::Sarif(_) => "sarif",
            Self::Csv(_) => "csv",
            Self::Json(_) => "json",
            Self::Rss(_) => "rss",
            Self::Sentry(_) => "sentry",
            Self::Webhook(_) => "webhook",
            Self::File(_) => "file",
        }
    }
}

impl Default for Triage {
    fn default() -> Self {
        Self {
            min_signals: 1,
            min_reporters: 1,
            half_life: Span(std::time::Duration::from_secs(14 * 86_400)),
            weights: Weights::default(),
            max_findings: 3,
            trust: Trust::default(),
            hold_flagged: false,
            quiet: None,
        }
    }
}

/// What counts more, or less, than it does by itself; one person who says something today counts about 5.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Weights {
    /// What a label adds to the score of what bears it, like `{ p0: 4, wontfix: -3 }`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, f64>,
    /// As how many people a reporter counts, by a glob of the author's name, like `{ "acme-*": 5 }`. The largest that fits.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub customers: BTreeMap<String, f64>,
    /// What an area adds, by an owner of CODEOWNERS whose paths the reports name, like `{ "@acme/checkout": 2 }`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub areas: BTreeMap<String, f64>,
}

impl Weights {
    /// Whether everything counts as it does by itself.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.customers.is_empty() && self.areas.is_empty()
    }
}
