//! What stands in a repository: issues, pull requests, comments, reviews, reactions, checks, runs.
//!
//! Plain data: tests read and edit it. Times are milliseconds of the hub's clock.

use std::collections::{BTreeMap, BTreeSet};

use super::{git::Git, people::Role};

/// A repository.
#[derive(Debug)]
pub struct Repository {
    /// Its number.
    pub id: u64,
    /// Who owns it.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// Full names that it had before: they redirect.
    pub former: Vec<String>,
    /// Whether only those with a role see it.
    pub private: bool,
    /// Whether it is read-only.
    pub archived: bool,
    /// Whether draft pull requests are available (not on some plans).
    pub drafts: bool,
    /// Whether issues are turned on; 410 else.
    pub has_issues: bool,
    /// Whether auto-merge may be turned on.
    pub auto_merge: bool,
    /// The branch that people see first.
    pub default_branch: String,
    /// Its files and history.
    pub git: Git,
    /// People's roles.
    pub roles: BTreeMap<String, Role>,
    /// Teams' roles, by slug.
    pub teams: BTreeMap<String, Role>,
    /// Protected branches.
    pub protected: BTreeMap<String, Protection>,
    /// Labels, in the order they were made.
    pub labels: Vec<Label>,
    /// Issues and pull requests by number.
    pub issues: BTreeMap<u64, Issue>,
    /// Comments of issues and pull requests, by id.
    pub comments: BTreeMap<u64, Comment>,
    /// Reviews by id.
    pub reviews: BTreeMap<u64, Review>,
    /// Comments on lines, by id.
    pub review_comments: BTreeMap<u64, ReviewComment>,
    /// Check runs by id.
    pub checks: BTreeMap<u64, CheckRun>,
    /// Commit statuses, oldest first.
    pub statuses: Vec<Status>,
    /// Actions workflows.
    pub workflows: Vec<Workflow>,
    /// Workflow runs by id.
    pub runs: BTreeMap<u64, WorkflowRun>,
    /// When it was made.
    pub created: i64,
    /// When it was last pushed to.
    pub pushed: i64,
}

impl Repository {
    /// `owner/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

/// What protects a branch.
#[derive(Debug, Clone, Default)]
pub struct Protection {
    /// Contexts that must be green.
    pub checks: Vec<String>,
    /// Whether the head must contain the base's end.
    pub strict: bool,
    /// Whether it is a ruleset, which another endpoint shows.
    pub ruleset: bool,
    /// How many approvals are asked.
    pub approvals: usize,
}

/// A label.
#[derive(Debug, Clone)]
pub struct Label {
    /// Its number.
    pub id: u64,
    /// Its name; no two differ by case only.
    pub name: String,
    /// Six hexadecimal digits.
    pub color: String,
    /// What it is for.
    pub description: Option<String>,
}

/// A reaction.
#[derive(Debug, Clone)]
pub struct Reaction {
    /// Its number.
    pub id: u64,
    /// Whose.
    pub user: String,
    /// `+1`, `heart` and so on.
    pub content: String,
    /// When.
    pub at: i64,
}

/// An issue, or what a pull request has in common with one.
#[derive(Debug, Clone)]
pub struct Issue {
    /// Its number among all of GitHub's.
    pub id: u64,
    /// Its number here.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: Option<String>,
    /// Whether it is open.
    pub open: bool,
    /// Why it was closed: `completed`, `not_planned`, `duplicate`.
    pub reason: Option<String>,
    /// Who wrote it.
    pub author: String,
    /// Names of labels.
    pub labels: BTreeSet<String>,
    /// Who is to work on it.
    pub assignees: Vec<String>,
    /// Whether only members may comment.
    pub locked: bool,
    /// What people think of it.
    pub reactions: Vec<Reaction>,
    /// When it was made.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
    /// When it was closed.
    pub closed: Option<i64>,
    /// Who closed it.
    pub closed_by: Option<String>,
    /// What a pull request has besides.
    pub pull: Option<Pull>,
}

/// What a pull request has besides an issue.
#[derive(Debug, Clone)]
pub struct Pull {
    /// The branch that is offered.
    pub head: String,
    /// Its commit; follows the branch while the pull request is open.
    pub head_sha: String,
    /// The branch that it goes to.
    pub base: String,
    /// Its commit now, which decides whether it can be merged.
    pub base_sha: String,
    /// Its commit as the API shows it: of when this was opened, or its own branch was pushed to last.
    pub base_shown: String,
    /// The head that the API shows yet, and to how many readers: GitHub may notice a push late.
    pub head_shown: Option<(String, u32)>,
    /// Whether it is a draft.
    pub draft: bool,
    /// Who is asked to look.
    pub reviewers: BTreeSet<String>,
    /// Teams that are asked to look.
    pub teams: BTreeSet<String>,
    /// How it merges by itself when all is green, and who said so.
    pub auto_merge: Option<(String, String)>,
    /// When, by whom and as which commit it was merged.
    pub merged: Option<(i64, String, String)>,
    /// How many more readers see `mergeable: null`, as while GitHub computes it.
    pub unknown_for: u32,
}

/// A comment on an issue or a pull request.
#[derive(Debug, Clone)]
pub struct Comment {
    /// Its number.
    pub id: u64,
    /// Under which issue.
    pub issue: u64,
    /// Who wrote it.
    pub author: String,
    /// Its text.
    pub body: String,
    /// What people think of it.
    pub reactions: Vec<Reaction>,
    /// When it was made.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
}

/// A review of a pull request.
#[derive(Debug, Clone)]
pub struct Review {
    /// Its number.
    pub id: u64,
    /// Of which pull request.
    pub pull: u64,
    /// Who wrote it.
    pub author: String,
    /// Its text.
    pub body: String,
    /// `APPROVED`, `CHANGES_REQUESTED`, `COMMENTED` or `DISMISSED`.
    pub state: String,
    /// What was looked at.
    pub commit: String,
    /// When.
    pub at: i64,
}

/// A comment on a line.
#[derive(Debug, Clone)]
pub struct ReviewComment {
    /// Its number.
    pub id: u64,
    /// Of which pull request.
    pub pull: u64,
    /// As part of which review.
    pub review: Option<u64>,
    /// The first comment of its thread, unless it is that one.
    pub reply_to: Option<u64>,
    /// Who wrote it.
    pub author: String,
    /// Its text.
    pub body: String,
    /// On which file.
    pub path: String,
    /// On which line; none once the line is gone.
    pub line: Option<u64>,
    /// On which commit.
    pub commit: String,
    /// When it was made.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
}

/// A check run.
#[derive(Debug, Clone)]
pub struct CheckRun {
    /// Its number.
    pub id: u64,
    /// Which App made it.
    pub app: Option<u64>,
    /// Its name.
    pub name: String,
    /// On which commit.
    pub sha: String,
    /// `queued`, `in_progress` or `completed`.
    pub status: String,
    /// How it ended.
    pub conclusion: Option<String>,
    /// The maker's own number.
    pub external_id: Option<String>,
    /// Where to read more.
    pub details_url: Option<String>,
    /// Title, summary and text.
    pub output: [Option<String>; 3],
    /// How many annotations.
    pub annotations: usize,
    /// When it began.
    pub started: i64,
    /// When it ended.
    pub completed: Option<i64>,
}

/// A commit status.
#[derive(Debug, Clone)]
pub struct Status {
    /// Its number.
    pub id: u64,
    /// On which commit.
    pub sha: String,
    /// `error`, `failure`, `pending` or `success`.
    pub state: String,
    /// Its name.
    pub context: String,
    /// A few words.
    pub description: Option<String>,
    /// Where to read more.
    pub target_url: Option<String>,
    /// Who set it.
    pub creator: String,
    /// When.
    pub at: i64,
}

/// A workflow of Actions.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// `.github/workflows/…`.
    pub path: String,
    /// When it was made.
    pub created: i64,
}

/// A run of a workflow.
#[derive(Debug, Clone)]
pub struct WorkflowRun {
    /// Its number among all.
    pub id: u64,
    /// Of which workflow.
    pub workflow: u64,
    /// Its number among the workflow's.
    pub number: u64,
    /// Which try it is in.
    pub attempt: u64,
    /// On which branch.
    pub branch: String,
    /// The fork that its commit is from, `owner/name`; none: this repository.
    pub fork: Option<String>,
    /// On which commit.
    pub sha: String,
    /// What started it: `push`, `pull_request`, `schedule`.
    pub event: String,
    /// `queued`, `in_progress` or `completed`.
    pub status: String,
    /// How it ended.
    pub conclusion: Option<String>,
    /// Who started it.
    pub actor: String,
    /// Its jobs, of all tries.
    pub jobs: Vec<Job>,
    /// When it was made.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
}

/// A job of a run.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its number; 0 until it is added to a run.
    pub id: u64,
    /// In which try.
    pub attempt: u64,
    /// Its name.
    pub name: String,
    /// How it ended; running if none.
    pub conclusion: Option<String>,
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// What it printed; `None` once GitHub has thrown it away (410).
    pub log: Option<String>,
    /// When it was queued, began and ended.
    pub times: (i64, i64, i64),
}

/// A step of a job.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub conclusion: String,
    /// How long it took, in milliseconds.
    pub duration: i64,
}

impl Job {
    /// A job of the first try that ended so; no steps, no log, at no time.
    pub fn new(name: &str, conclusion: &str) -> Self {
        Self {
            id: 0,
            attempt: 1,
            name: name.to_owned(),
            conclusion: Some(conclusion.to_owned()),
            steps: Vec::new(),
            log: Some(String::new()),
            times: (0, 0, 0),
        }
    }

    /// One more step.
    #[must_use]
    pub fn step(mut self, name: &str, conclusion: &str, duration: i64) -> Self {
        let (name, conclusion) = (name.to_owned(), conclusion.to_owned());
        self.steps.push(Step {
            name,
            conclusion,
            duration,
        });
        self
    }

    /// With what it printed.
    #[must_use]
    pub fn log(mut self, text: &str) -> Self {
        self.log = Some(text.to_owned());
        self
    }

    /// As part of this try.
    #[must_use]
    pub fn attempt(mut self, attempt: u64) -> Self {
        self.attempt = attempt;
        self
    }
}
