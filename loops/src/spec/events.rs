//! The names of events that a loop can wait for. Names only: who hears them, and what they say, is not known here.

/// GitHub's events that are about one repository, with their actions; none: the event has no actions. As GitHub's OpenAPI
/// document names them (`x-webhooks`), and <https://docs.github.com/en/webhooks/webhook-events-and-payloads>.
pub const GITHUB_EVENTS: &[(&str, &[&str])] = &[
    ("branch_protection_configuration", &["disabled", "enabled"]),
    ("branch_protection_rule", &["created", "deleted", "edited"]),
    (
        "check_run",
        &["completed", "created", "requested_action", "rerequested"],
    ),
    ("check_suite", &["completed", "requested", "rerequested"]),
    (
        "code_scanning_alert",
        &[
            "appeared_in_branch",
            "closed_by_user",
            "created",
            "fixed",
            "reopened",
            "reopened_by_user",
            "updated_assignment",
        ],
    ),
    ("commit_comment", &["created"]),
    ("create", &[]),
    ("custom_property_values", &["updated"]),
    ("delete", &[]),
    (
        "dependabot_alert",
        &[
            "assignees_changed",
            "auto_dismissed",
            "auto_reopened",
            "created",
            "dismissed",
            "fixed",
            "reintroduced",
            "reopened",
        ],
    ),
    ("deploy_key", &["created", "deleted"]),
    ("deployment", &["created"]),
    ("deployment_review", &["approved", "rejected", "requested"]),
    ("deployment_status", &["created"]),
    (
        "discussion",
        &[
            "answered",
            "category_changed",
            "closed",
            "created",
            "deleted",
            "edited",
            "labeled",
            "locked",
            "pinned",
            "reopened",
            "transferred",
            "unanswered",
            "unlabeled",
            "unlocked",
            "unpinned",
        ],
    ),
    ("discussion_comment", &["created", "deleted", "edited"]),
    ("fork", &[]),
    ("gollum", &[]),
    (
        "issue_comment",
        &["created", "deleted", "edited", "pinned", "unpinned"],
    ),
    (
        "issue_dependencies",
        &[
            "blocked_by_added",
            "blocked_by_removed",
            "blocking_added",
            "blocking_removed",
        ],
    ),
    (
        "issues",
        &[
            "assigned",
            "closed",
            "deleted",
            "demilestoned",
            "edited",
            "field_added",
            "field_removed",
            "labeled",
            "locked",
            "milestoned",
            "opened",
            "pinned",
            "reopened",
            "transferred",
            "typed",
            "unassigned",
            "unlabeled",
            "unlocked",
            "unpinned",
            "untyped",
        ],
    ),
    ("label", &["created", "deleted", "edited"]),
    ("merge_group", &["checks_requested", "destroyed"]),
    ("milestone", &["closed", "created", "deleted", "edited", "opened"]),
    ("package", &["published", "updated"]),
    ("page_build", &[]),
    ("public", &[]),
    (
        "pull_request",
        &[
            "assigned",
            "auto_merge_disabled",
            "auto_merge_enabled",
            "closed",
            "converted_to_draft",
            "demilestoned",
            "dequeued",
            "edited",
            "enqueued",
            "labeled",
            "locked",
            "milestoned",
            "opened",
            "ready_for_review",
            "reopened",
            "review_request_removed",
            "review_requested",
            "stacked",
            "synchronize",
            "unassigned",
            "unlabeled",
            "unlocked",
        ],
    ),
    ("pull_request_review", &["dismissed", "edited", "submitted"]),
    ("pull_request_review_comment", &["created", "deleted", "edited"]),
    ("pull_request_review_thread", &["resolved", "unresolved"]),
    ("push", &[]),
    ("registry_package", &["published", "updated"]),
    (
        "release",
        &[
            "created",
            "deleted",
            "edited",
            "prereleased",
            "published",
            "released",
            "unpublished",
        ],
    ),
    (
        "repository",
        &[
            "archived",
            "created",
            "deleted",
            "edited",
            "privatized",
            "publicized",
            "renamed",
            "transferred",
            "unarchived",
        ],
    ),
    ("repository_advisory", &["published", "reported"]),
    ("repository_dispatch", &[]),
    ("repository_import", &[]),
    ("repository_ruleset", &["created", "deleted", "edited"]),
    (
        "repository_vulnerability_alert",
        &["create", "dismiss", "reopen", "resolve"],
    ),
    (
        "secret_scanning_alert",
        &[
            "assigned",
            "created",
            "metadata_created",
            "metadata_removed",
            "publicly_leaked",
            "reopened",
            "resolved",
            "unassigned",
            "validated",
        ],
    ),
    ("secret_scanning_alert_location", &["created"]),
    ("secret_scanning_scan", &["completed"]),
    ("security_and_analysis", &[]),
    ("star", &["created", "deleted"]),
    ("status", &[]),
    (
        "sub_issues",
        &[
            "parent_issue_added",
            "parent_issue_removed",
            "sub_issue_added",
            "sub_issue_removed",
        ],
    ),
    ("watch", &["started"]),
    ("workflow_dispatch", &[]),
    ("workflow_job", &["completed", "in_progress", "queued", "waiting"]),
    ("workflow_run", &["completed", "in_progress", "requested"]),
];

/// The events of Slack that are heard.
pub const SLACK_EVENTS: [&str; 2] = ["message", "reaction_added"];

/// Whether GitHub has such an event: `issues.opened`, or `issues` for all of its actions.
pub fn is_github_event(name: &str) -> bool {
    let (event, action) = name
        .split_once('.')
        .map_or((name, None), |(event, action)| (event, Some(action)));
    GITHUB_EVENTS
        .iter()
        .any(|(known, actions)| *known == event && action.is_none_or(|action| actions.contains(&action)))
}

/// Every name that [`is_github_event`] takes.
pub(super) fn github_names() -> Vec<String> {
    GITHUB_EVENTS
        .iter()
        .flat_map(|(event, actions)| {
            let whole = std::iter::once((*event).to_owned());
            whole.chain(actions.iter().map(move |action| format!("{event}.{action}")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_named_alone_or_with_one_of_its_own_actions() {
        for name in ["issues", "issues.opened", "push", "pull_request.review_requested"] {
            assert!(is_github_event(name), "{name}");
        }
        for name in [
            "",
            "issue",
            "issues.",
            "issues.submitted",
            "push.created",
            "issues.opened.twice",
            ".opened",
        ] {
            assert!(!is_github_event(name), "{name}");
        }
        assert!(github_names().iter().all(|name| is_github_event(name)));
    }
}
