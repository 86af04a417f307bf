//! How GitHub writes pull requests, reviews, commits, checks and Actions as JSON.
//!
//! Only shapes: nothing here changes the world.

use serde_json::{Value, json};

use super::{
    git::Commit,
    json::{maybe_time, node, time},
    things::{Job, Status},
    world::World,
};

impl World {
    fn side_json(&self, at: usize, branch: &str, sha: &str) -> Value {
        let owner = &self.repositories[at].owner;
        json!({
            "label": format!("{owner}:{branch}"),
            "ref": branch,
            "sha": sha,
            "user": self.user_json(owner),
            "repo": self.repo_json(at),
        })
    }

    /// A pull request; alone, it has what costs GitHub a computation, too.
    pub(super) fn pull_json(&self, at: usize, number: u64, alone: bool) -> Value {
        let repository = &self.repositories[at];
        let issue = &repository.issues[&number];
        let Some(pull) = &issue.pull else {
            return Value::Null;
        };
        let (api, page) = (self.repo_url(at), self.page_url(at));
        let url = format!("{api}/pulls/{number}");
        let issue_url = format!("{api}/issues/{number}");
        let statuses = format!("{api}/statuses/{}", pull.head_sha);
        let html = format!("{page}/pull/{number}");
        let teams: Vec<Value> = pull.teams.iter().map(|slug| self.team_json(at, slug)).collect();
        let reviewers: Vec<Value> = pull.reviewers.iter().map(|login| self.user_json(login)).collect();
        let link = |href: String| json!({ "href": href });
        let mut json = self.issue_json(at, number);
        if let Some(fields) = json.as_object_mut() {
            let gone = [
                "repository_url",
                "labels_url",
                "events_url",
                "state_reason",
                "comments",
            ];
            let more = ["reactions", "performed_via_github_app", "pull_request"];
            for field in gone.iter().chain(&more) {
                fields.remove(*field);
            }
        }
        let auto_merge = pull.auto_merge.as_ref().map(|(method, by)| {
            json!({
                "enabled_by": self.user_json(by),
                "merge_method": method,
                "commit_title": issue.title,
                "commit_message": "",
            })
        });
        for (field, value) in [
            ("url", json!(url)),
            ("diff_url", json!(format!("{html}.diff"))),
            ("patch_url", json!(format!("{html}.patch"))),
            ("issue_url", json!(issue_url)),
            ("commits_url", json!(format!("{url}/commits"))),
            ("review_comments_url", json!(format!("{url}/comments"))),
            (
                "review_comment_url",
                json!(format!("{api}/pulls/comments{{/number}}")),
            ),
            ("comments_url", json!(format!("{issue_url}/comments"))),
            ("statuses_url", json!(statuses)),
            (
                "merged_at",
                maybe_time(pull.merged.as_ref().map(|merged| merged.0)),
            ),
            (
                "merge_commit_sha",
                json!(pull.merged.as_ref().map(|merged| &merged.2)),
            ),
            ("requested_reviewers", json!(reviewers)),
            ("requested_teams", json!(teams)),
            (
                "head",
                self.side_json(
                    at,
                    &pull.head,
                    pull.head_shown.as_ref().map_or(&pull.head_sha, |shown| &shown.0),
                ),
            ),
            ("base", self.side_json(at, &pull.base, &pull.base_shown)),
            ("auto_merge", json!(auto_merge)),
            (
                "_links",
                json!({
                    "self": link(url.clone()),
                    "html": link(html.clone()),
                    "issue": link(issue_url.clone()),
                    "comments": link(format!("{issue_url}/comments")),
                    "review_comments": link(format!("{url}/comments")),
                    "review_comment": link(format!("{api}/pulls/comments{{/number}}")),
                    "commits": link(format!("{url}/commits")),
                    "statuses": link(statuses.clone()),
                }),
            ),
        ] {
            json[field] = value;
        }
        if !alone {
            return json;
        }
        let (mergeable, state) = self.merge_state(at, number);
        let changed = repository.git.changed(&pull.base_sha, &pull.head_sha);
        let comments = repository
            .comments
            .values()
            .filter(|one| one.issue == number)
            .count();
        let on_lines = repository
            .review_comments
            .values()
            .filter(|one| one.pull == number)
            .count();
        let by = pull.merged.as_ref().map(|merged| self.user_json(&merged.1));
        for (field, value) in [
            ("merged", json!(pull.merged.is_some())),
            ("merged_by", json!(by)),
            ("mergeable", json!(mergeable)),
            ("mergeable_state", json!(state)),
            ("rebaseable", json!(false)),
            ("comments", json!(comments)),
            ("review_comments", json!(on_lines)),
            ("maintainer_can_modify", json!(false)),
            (
                "commits",
                json!(repository.git.ahead(&pull.base_sha, &pull.head_sha)),
            ),
            (
                "additions",
                json!(changed.iter().map(|one| one.added).sum::<u64>()),
            ),
            (
                "deletions",
                json!(changed.iter().map(|one| one.removed).sum::<u64>()),
            ),
            ("changed_files", json!(changed.len())),
        ] {
            json[field] = value;
        }
        json
    }

    fn team_json(&self, at: usize, slug: &str) -> Value {
        let owner = &self.repositories[at].owner;
        let url = format!("{}/orgs/{owner}/teams/{slug}", self.api);
        json!({
            "id": 1,
            "node_id": "T_1",
            "url": url,
            "html_url": format!("{}/orgs/{owner}/teams/{slug}", self.base),
            "name": slug,
            "slug": slug,
            "description": "",
            "privacy": "closed",
            "notification_setting": "notifications_enabled",
            "permission": "pull",
            "members_url": format!("{url}/members{{/member}}"),
            "repositories_url": format!("{url}/repos"),
            "parent": null,
            "type": "organization",
            "organization_id": self.accounts.get(owner).map(|account| account.id),
        })
    }

    pub(super) fn review_json(&self, at: usize, id: u64) -> Value {
        let review = &self.repositories[at].reviews[&id];
        let pull_url = format!("{}/pulls/{}", self.repo_url(at), review.pull);
        let html = format!(
            "{}/pull/{}#pullrequestreview-{id}",
            self.page_url(at),
            review.pull
        );
        json!({
            "id": id,
            "node_id": node("PRR", id),
            "user": self.user_json(&review.author),
            "body": review.body,
            "state": review.state,
            "html_url": html,
            "pull_request_url": pull_url,
            "author_association": self.author_association(at, &review.author),
            "_links": { "html": { "href": html }, "pull_request": { "href": pull_url } },
            "submitted_at": time(review.at),
            "commit_id": review.commit,
        })
    }

    pub(super) fn review_comment_json(&self, at: usize, id: u64) -> Value {
        let comment = &self.repositories[at].review_comments[&id];
        let url = format!("{}/pulls/comments/{id}", self.repo_url(at));
        let pull_url = format!("{}/pulls/{}", self.repo_url(at), comment.pull);
        let html = format!("{}/pull/{}#discussion_r{id}", self.page_url(at), comment.pull);
        let mut json = json!({
            "id": id,
            "node_id": node("PRRC", id),
            "url": url,
            "pull_request_review_id": comment.review,
            "diff_hunk": "@@ -1 +1 @@",
            "path": comment.path,
            "position": comment.line,
            "original_position": comment.line.unwrap_or(1),
            "line": comment.line,
            "original_line": comment.line.unwrap_or(1),
            "start_line": null,
            "original_start_line": null,
            "start_side": null,
            "side": "RIGHT",
            "subject_type": "line",
            "commit_id": comment.commit,
            "original_commit_id": comment.commit,
            "user": self.user_json(&comment.author),
            "body": comment.body,
            "created_at": time(comment.created),
            "updated_at": time(comment.updated),
            "html_url": html,
            "pull_request_url": pull_url,
            "author_association": self.author_association(at, &comment.author),
            "_links": {
                "self": { "href": url },
                "html": { "href": html },
                "pull_request": { "href": pull_url },
            },
        });
        if let Some(to) = comment.reply_to {
            json["in_reply_to_id"] = json!(to);
        }
        json
    }

    pub(super) fn commit_json(&self, at: usize, commit: &Commit) -> Value {
        let api = self.repo_url(at);
        let url = format!("{api}/commits/{}", commit.sha);
        let html = format!("{}/commit/{}", self.page_url(at), commit.sha);
        let by = json!({ "name": commit.author, "email": commit.email, "date": commit.date });
        let account = self
            .accounts
            .contains_key(&commit.author)
            .then(|| self.user_json(&commit.author));
        let parents: Vec<Value> = commit
            .parents
            .iter()
            .map(|sha| json!({ "sha": sha, "url": format!("{api}/commits/{sha}"), "html_url": html }))
            .collect();
        json!({
            "sha": commit.sha,
            "node_id": format!("C_{}", commit.sha),
            "url": url,
            "html_url": html,
            "comments_url": format!("{url}/comments"),
            "commit": {
                "url": format!("{api}/git/commits/{}", commit.sha),
                "author": by,
                "committer": by,
                "message": commit.message,
                "tree": { "sha": commit.tree, "url": format!("{api}/git/trees/{}", commit.tree) },
                "comment_count": 0,
                "verification": {
                    "verified": false,
                    "reason": "unsigned",
                    "signature": null,
                    "payload": null,
                    "verified_at": null,
                },
            },
            "author": account,
            "committer": account,
            "parents": parents,
        })
    }

    pub(super) fn check_json(&self, at: usize, id: u64) -> Value {
        let run = &self.repositories[at].checks[&id];
        let url = format!("{}/check-runs/{id}", self.repo_url(at));
        let [title, summary, text] = &run.output;
        json!({
            "id": id,
            "node_id": node("CR", id),
            "head_sha": run.sha,
            "external_id": run.external_id.as_deref().unwrap_or_default(),
            "url": url,
            "html_url": format!("{}/runs/{id}", self.page_url(at)),
            "details_url": run.details_url,
            "status": run.status,
            "conclusion": run.conclusion,
            "started_at": time(run.started),
            "completed_at": maybe_time(run.completed),
            "output": {
                "title": title,
                "summary": summary,
                "text": text,
                "annotations_count": run.annotations,
                "annotations_url": format!("{url}/annotations"),
            },
            "name": run.name,
            "check_suite": { "id": run.app.unwrap_or(1) },
            "app": run.app.map(|app| self.app_json(app)),
            "pull_requests": [],
        })
    }

    pub(super) fn status_json(&self, at: usize, status: &Status) -> Value {
        json!({
            "id": status.id,
            "node_id": node("SC", status.id),
            "url": format!("{}/statuses/{}", self.repo_url(at), status.sha),
            "avatar_url": format!("{}/avatars/{}", self.base, status.id),
            "state": status.state,
            "description": status.description,
            "target_url": status.target_url,
            "context": status.context,
            "created_at": time(status.at),
            "updated_at": time(status.at),
            "creator": self.user_json(&status.creator),
        })
    }

    pub(super) fn workflow_json(&self, at: usize, id: u64) -> Value {
        let Some(workflow) = self.repositories[at].workflows.iter().find(|one| one.id == id) else {
            return Value::Null;
        };
        json!({
            "id": id,
            "node_id": node("W", id),
            "name": workflow.name,
            "path": workflow.path,
            "state": "active",
            "created_at": time(workflow.created),
            "updated_at": time(workflow.created),
            "url": format!("{}/actions/workflows/{id}", self.repo_url(at)),
            "html_url": format!("{}/blob/main/{}", self.page_url(at), workflow.path),
            "badge_url": format!("{}/workflows/{id}/badge.svg", self.page_url(at)),
        })
    }

    pub(super) fn run_json(&self, at: usize, id: u64) -> Value {
        let repository = &self.repositories[at];
        let run = &repository.runs[&id];
        let url = format!("{}/actions/runs/{id}", self.repo_url(at));
        let workflow = self.workflow_json(at, run.workflow);
        let head = repository.git.one(&run.sha).map(|commit| {
            let by = json!({ "name": commit.author, "email": commit.email });
            json!({
                "id": commit.sha,
                "tree_id": commit.tree,
                "message": commit.message,
                "timestamp": commit.date,
                "author": by,
                "committer": by,
            })
        });
        let title = head.as_ref().map(|head| head["message"].clone());
        let actor = self.user_json(&run.actor);
        json!({
            "id": id,
            "node_id": node("WFR", id),
            "name": workflow["name"],
            "check_suite_id": id,
            "check_suite_node_id": node("CS", id),
            "head_branch": run.branch,
            "head_sha": run.sha,
            "path": workflow["path"],
            "run_number": run.number,
            "run_attempt": run.attempt,
            "event": run.event,
            "status": run.status,
            "conclusion": run.conclusion,
            "workflow_id": run.workflow,
            "url": url,
            "html_url": format!("{}/actions/runs/{id}", self.page_url(at)),
            "pull_requests": [],
            "created_at": time(run.created),
            "updated_at": time(run.updated),
            "run_started_at": time(run.created),
            "actor": actor,
            "triggering_actor": actor,
            "jobs_url": format!("{url}/jobs"),
            "logs_url": format!("{url}/logs"),
            "check_suite_url": format!("{}/check-suites/{id}", self.repo_url(at)),
            "artifacts_url": format!("{url}/artifacts"),
            "cancel_url": format!("{url}/cancel"),
            "rerun_url": format!("{url}/rerun"),
            "previous_attempt_url": null,
            "workflow_url": workflow["url"],
            "display_title": title,
            "head_commit": head,
            "repository": self.repo_json(at),
            "head_repository": self.head_repo_json(at, run.fork.as_deref()),
        })
    }

    /// Where a run's commit is from: here, or a fork of it.
    fn head_repo_json(&self, at: usize, fork: Option<&str>) -> Value {
        let mut json = self.repo_json(at);
        if let Some((owner, name)) = fork.and_then(|fork| fork.split_once('/')) {
            json["full_name"] = json!(format!("{owner}/{name}"));
            json["name"] = json!(name);
            json["owner"] = self.user_json(owner);
            json["fork"] = json!(true);
        }
        json
    }

    pub(super) fn job_json(&self, at: usize, run: u64, job: &Job) -> Value {
        let whole = &self.repositories[at].runs[&run];
        let url = format!("{}/actions/jobs/{}", self.repo_url(at), job.id);
        let (queued, started, ended) = job.times;
        let mut clock = started;
        let mut steps = Vec::new();
        for (at, step) in job.steps.iter().enumerate() {
            let begun = clock;
            clock += step.duration;
            steps.push(json!({
                "name": step.name,
                "status": "completed",
                "conclusion": step.conclusion,
                "number": at + 1,
                "started_at": time(begun),
                "completed_at": time(clock),
            }));
        }
        json!({
            "id": job.id,
            "run_id": run,
            "run_url": format!("{}/actions/runs/{run}", self.repo_url(at)),
            "run_attempt": job.attempt,
            "node_id": node("JOB", job.id),
            "head_sha": whole.sha,
            "head_branch": whole.branch,
            "url": url,
            "html_url": format!("{}/actions/runs/{run}/job/{}", self.page_url(at), job.id),
            "status": if job.conclusion.is_some() { "completed" } else { "in_progress" },
            "conclusion": job.conclusion,
            "created_at": time(queued),
            "started_at": time(started),
            "completed_at": job.conclusion.as_ref().map(|_| time(ended)),
            "name": job.name,
            "steps": steps,
            "check_run_url": format!("{}/check-runs/{}", self.repo_url(at), job.id),
            "labels": ["ubuntu-latest"],
            "runner_id": 1,
            "runner_name": "GitHub Actions 1",
            "runner_group_id": 1,
            "runner_group_name": "GitHub Actions",
            "workflow_name": self.workflow_json(at, whole.workflow)["name"],
        })
    }

    pub(super) fn push_json(&self, at: usize, branch: &str, before: &str, after: &str, by: &str) -> Value {
        let gone = after.chars().all(|digit| digit == '0');
        let new = before.chars().all(|digit| digit == '0');
        let forced = !gone && !new && self.repositories[at].git.ahead(after, before) > 0;
        json!({
            "ref": format!("refs/heads/{branch}"),
            "before": before,
            "after": after,
            "created": new,
            "deleted": gone,
            "forced": forced,
            "base_ref": null,
            "compare": format!("{}/compare/{before}...{after}", self.page_url(at)),
            "commits": [],
            "head_commit": null,
            "pusher": { "name": by },
        })
    }
}
