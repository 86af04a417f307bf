//! Every event that GitHub sends, and what it is to us: read, a word to wake loops with, or nothing. A table, so that a
//! new one has to be thought about: the tests hold it against GitHub's own examples and its OpenAPI document.

use serde_json::Value;

/// What an event is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// What it says becomes signals, and it wakes loops.
    Read,
    /// It wakes loops that wait for it; what happened is read by asking, or is no report.
    Wakes(&'static str),
    /// It is not for us.
    Ignored(&'static str),
}

use Use::{Ignored, Read, Wakes};

const ASKED: &str = "why a job failed stands in its log, which is asked for";
const NO_WORDS: &str = "nobody reports a problem with it";
const CODE: &str = "it is about code, which is fetched";
const SETTINGS: &str = "it is about settings and people's access";
const NOT_A_REPOSITORY: &str = "it is about an organisation, an enterprise or an account";
const APP: &str = "it is about where the App is installed, which is asked for";
const PLANNING: &str = "it is about planning boards";
const MONEY: &str = "it is about money";

/// Every event, by name.
pub const EVENTS: &[(&str, Use)] = &[
    ("branch_protection_configuration", Wakes(SETTINGS)),
    ("branch_protection_rule", Wakes(SETTINGS)),
    (
        "cache_sync",
        Ignored("it is about an enterprise server's own cache"),
    ),
    ("check_run", Wakes(ASKED)),
    ("check_suite", Wakes(ASKED)),
    (
        "code_scanning_alert",
        Wakes("alerts are asked for, with the permission that they need"),
    ),
    ("commit_comment", Wakes("no source reads comments on commits")),
    ("content_reference", Ignored("GitHub has given it up")),
    ("create", Wakes(CODE)),
    ("custom_property", Ignored(NOT_A_REPOSITORY)),
    ("custom_property_values", Wakes(SETTINGS)),
    ("delete", Wakes(CODE)),
    (
        "dependabot_alert",
        Wakes("alerts are asked for, with the permission that they need"),
    ),
    ("deploy_key", Wakes(SETTINGS)),
    ("deployment", Wakes(NO_WORDS)),
    (
        "deployment_protection_rule",
        Ignored("it asks an App to let a deployment pass, which we do not"),
    ),
    ("deployment_review", Wakes(NO_WORDS)),
    ("deployment_status", Wakes(NO_WORDS)),
    ("discussion", Wakes("no source reads discussions")),
    ("discussion_comment", Wakes("no source reads discussions")),
    ("enterprise", Ignored(NOT_A_REPOSITORY)),
    ("fork", Wakes(NO_WORDS)),
    ("github_app_authorization", Ignored(APP)),
    ("gollum", Wakes(CODE)),
    ("installation", Ignored(APP)),
    ("installation_repositories", Ignored(APP)),
    ("installation_target", Ignored(APP)),
    ("issue_comment", Read),
    ("issue_dependencies", Wakes(PLANNING)),
    ("issues", Read),
    ("label", Wakes(SETTINGS)),
    ("marketplace_purchase", Ignored(MONEY)),
    ("member", Ignored(SETTINGS)),
    ("membership", Ignored(NOT_A_REPOSITORY)),
    ("merge_group", Wakes(CODE)),
    ("meta", Ignored("it says that the webhook itself was deleted")),
    ("milestone", Wakes(PLANNING)),
    ("org_block", Ignored(NOT_A_REPOSITORY)),
    ("organization", Ignored(NOT_A_REPOSITORY)),
    ("package", Wakes(NO_WORDS)),
    ("page_build", Wakes(NO_WORDS)),
    ("personal_access_token_request", Ignored(NOT_A_REPOSITORY)),
    ("ping", Ignored("it only asks whether anybody is there")),
    ("project", Ignored(PLANNING)),
    ("project_card", Ignored(PLANNING)),
    ("project_column", Ignored(PLANNING)),
    ("projects_v2", Ignored(PLANNING)),
    ("projects_v2_item", Ignored(PLANNING)),
    ("projects_v2_status_update", Ignored(PLANNING)),
    ("public", Wakes(SETTINGS)),
    ("pull_request", Read),
    ("pull_request_review", Read),
    ("pull_request_review_comment", Read),
    (
        "pull_request_review_thread",
        Wakes("its comments come by themselves"),
    ),
    ("push", Wakes(CODE)),
    ("registry_package", Wakes(NO_WORDS)),
    ("release", Wakes("no source reads releases")),
    ("repository", Wakes(SETTINGS)),
    (
        "repository_advisory",
        Wakes("advisories are private until they are published"),
    ),
    (
        "repository_dispatch",
        Wakes("whoever sends it wants something started"),
    ),
    ("repository_import", Wakes(CODE)),
    ("repository_ruleset", Wakes(SETTINGS)),
    (
        "repository_vulnerability_alert",
        Wakes("alerts are asked for, with the permission that they need"),
    ),
    (
        "secret_scanning_alert",
        Wakes("alerts are asked for, with the permission that they need"),
    ),
    (
        "secret_scanning_alert_location",
        Wakes("alerts are asked for, with the permission that they need"),
    ),
    (
        "secret_scanning_scan",
        Wakes("alerts are asked for, with the permission that they need"),
    ),
    ("security_advisory", Ignored(NOT_A_REPOSITORY)),
    ("security_and_analysis", Wakes(SETTINGS)),
    ("sponsorship", Ignored(MONEY)),
    ("star", Wakes(NO_WORDS)),
    ("status", Wakes(ASKED)),
    ("sub_issues", Wakes(PLANNING)),
    ("team", Ignored(NOT_A_REPOSITORY)),
    ("team_add", Ignored(SETTINGS)),
    ("user", Ignored(NOT_A_REPOSITORY)),
    ("watch", Wakes(NO_WORDS)),
    (
        "workflow_dispatch",
        Wakes("whoever sends it wants something started"),
    ),
    ("workflow_job", Wakes(ASKED)),
    ("workflow_run", Wakes(ASKED)),
];

/// What an event is to us; one that nobody here knows is none.
#[must_use]
pub fn use_of(event: &str) -> Use {
    EVENTS
        .iter()
        .find(|(known, _)| *known == event)
        .map_or(Ignored("nobody here knows it"), |(_, use_)| *use_)
}

/// What an event that is read is told by: the things that it must hold, and that it must not.
const FORMS: [(&str, &[&str], &[&str]); 5] = [
    ("issues", &["issue"], &["comment", "pull_request"]),
    ("issue_comment", &["issue", "comment"], &["pull_request"]),
    (
        "pull_request",
        &["pull_request"],
        &["issue", "comment", "review", "thread"],
    ),
    (
        "pull_request_review",
        &["pull_request", "review"],
        &["issue", "comment"],
    ),
    (
        "pull_request_review_comment",
        &["pull_request", "comment"],
        &["issue", "review"],
    ),
];

/// Whether a body is one of this event. Only what is read has a form that matters: what else is said under a wrong name
/// can wake a loop, and no more.
pub(super) fn fits(event: &str, payload: &Value) -> bool {
    FORMS
        .iter()
        .find(|(known, ..)| *known == event)
        .is_none_or(|(_, has, lacks)| {
            has.iter().all(|key| payload[*key].is_object())
                && lacks.iter().all(|key| payload.get(*key).is_none())
        })
}
