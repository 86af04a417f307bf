//! What proves a change. The keys only: no check is run here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{agents::ReviewChoice, limits::ten_minutes, units::Span};

/// What proves a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Checks {
    /// Commands that must pass.
    pub commands: Vec<CheckCommand>,
    /// Hosts that these commands may reach; they run the change's own code.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub network: Vec<String>,
    /// Whether the change's tests must fail on the base and pass on the change.
    pub reproduce: Reproduce,
    /// What to do about weakened tests.
    pub weakened_tests: WeakenedTests,
    /// Labels that a machine must have to run the commands (`loops worker --labels gpu`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// An independent agent that reads diff and evidence; `none` leaves it out.
    pub agent_review: ReviewChoice,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            commands: Vec::new(),
            network: Vec::new(),
            reproduce: Reproduce::Required,
            weakened_tests: WeakenedTests::Forbid,
            needs: Vec::new(),
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
