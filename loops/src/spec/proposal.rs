//! How a proven change is put before people, and who hears of it. The keys only: nothing is sent from here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// Nothing is started while this many proposals of the loop are open; a plan that waits counts as one.
    #[schemars(range(min = 1))]
    pub max_open: u32,
    /// How far it goes by itself.
    pub autonomy: Autonomy,
    /// What becomes, in what leaves for GitHub, of words that were said in a private channel.
    pub private: PrivateWords,
    /// How often a pull request goes back to a worker before it only waits for a person.
    pub rounds: Rounds,
}

/// How often a pull request goes back to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rounds {
    /// Because people with write access ask for something else.
    #[schemars(range(min = 0, max = 100))]
    pub people: u32,
    /// Because the repository's own checks fail on it.
    #[schemars(range(min = 0, max = 100))]
    pub ci: u32,
}

impl Default for Rounds {
    fn default() -> Self {
        Self { people: 10, ci: 3 }
    }
}

impl Proposal {
    /// Whether nothing may be changed: the loop says what it found, and no more.
    pub fn reports_only(&self) -> bool {
        self.form == Some(ProposalForm::Report) || self.autonomy == Autonomy::Report
    }

    /// Whether a person approves each plan before a worker begins.
    pub fn plans_first(&self) -> bool {
        self.autonomy == Autonomy::PlanFirst && !self.reports_only()
    }
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
            private: PrivateWords::Withhold,
            rounds: Rounds::default(),
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

/// What becomes of words that were said in a private channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrivateWords {
    /// They are not quoted, and held where an agent repeats them.
    #[default]
    Withhold,
    /// They are quoted like others: everyone who can read the repository may read them.
    Quote,
}

/// How far a loop goes by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Autonomy {
    /// It says what it found.
    Report,
    /// A person approves the plan first: tasks wait, and no worker begins, until `loops approve`.
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
