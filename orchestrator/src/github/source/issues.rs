//! Issues and their comments as signals. Pull requests are none, and neither is what we wrote ourselves.
//!
//! GitHub does not tell what was deleted, and a reaction does not count as a change: the open issues are swept for
//! reactions a few times a day.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use loops::{
    board::MARK,
    signal::Signal,
    spec::{GithubIssues, IssueState},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    super::{
        GitHubError, Repository,
        ask::Ask,
        comments::second,
        hook::Hook,
        pages::PAGE,
        pulls::{Login, Named},
    },
    common::{Common, Who, bears, digestible, fingerprint, state_of, titled},
    cursor::Stream,
};
use crate::{
    clock,
    source::{Batch, Skipped},
};

/// A first reading goes back so far.
const LOOK_BACK: Duration = Duration::from_secs(90 * 86_400);
/// How often the open issues are swept for reactions.
const SWEEP: Duration = Duration::from_secs(6 * 3600);
/// How many pages one batch holds.
const MAX_PAGES: u32 = 10;

/// How far the issues of a repository were read.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cursor {
    /// What the source asks for; when that changes, all is read anew.
    of: String,
    issues: Stream,
    comments: Stream,
    /// When the last sweep began.
    swept: Timestamp,
    /// The page at which a sweep goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sweep: Option<u32>,
}

impl Cursor {
    /// Of a repository of which nothing was read.
    fn fresh(of: String, now: Timestamp) -> Self {
        Self {
            of,
            issues: Stream::from(now.minus(LOOK_BACK)),
            comments: Stream::from(now.minus(LOOK_BACK)),
            swept: now,
            sweep: None,
        }
    }
}

/// Whether this is a dashboard of ours: what is said under it is an answer to us, and no report.
fn is_board(body: Option<&str>) -> bool {
    body.is_some_and(|body| body.contains(MARK))
}

#[derive(Debug, Deserialize)]
struct RawIssue {
    number: u64,
    title: String,
    body: Option<String>,
    /// Older servers do not say it in every event: then it is open.
    #[serde(default)]
    state: String,
    user: Option<Login>,
    #[serde(default)]
    labels: Vec<Named>,
    #[serde(default)]
    reactions: BTreeMap<String, Value>,
    pull_request: Option<Value>,
    created_at: Timestamp,
    updated_at: Timestamp,
    html_url: String,
}

#[derive(Debug, Deserialize)]
struct RawComment {
    id: u64,
    body: Option<String>,
    user: Option<Login>,
    #[serde(default)]
    reactions: BTreeMap<String, Value>,
    issue_url: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    html_url: String,
}

impl Repository {
    /// What is new in issues since `cursor`, which is what an earlier [`Batch`] gave. A cursor that cannot be
    /// understood, or is of other settings, counts as none: signals then come again with the same ids.
    ///
    /// # Errors
    /// If GitHub does not give them.
    pub async fn read_issues(
        &self,
        source: &GithubIssues,
        cursor: Option<&str>,
    ) -> Result<Batch, GitHubError> {
        let now = clock::now();
        let of = fingerprint(source);
        let cursor = cursor
            .and_then(|text| serde_json::from_str::<Cursor>(text).ok())
            .filter(|cursor| cursor.of == of)
            .unwrap_or_else(|| Cursor::fresh(of, now));
        let mut reading = Reading {
            common: Common::of(self).await?,
            source,
            cursor,
            matches: HashMap::new(),
        };
        reading.issues().await?;
        if source.comments && !reading.common.batch.more {
            reading.comments().await?;
        }
        if !reading.common.batch.more {
            reading.sweep(now).await?;
        }
        Ok(reading.common.end(&reading.cursor))
    }

    /// What an event says of an issue or a comment that the source asks for, as [`Self::read_issues`] would give it.
    ///
    /// # Errors
    /// If GitHub does not say who we are.
    pub(super) async fn hear_issues(&self, source: &GithubIssues, hook: &Hook) -> Result<Batch, GitHubError> {
        let mut reading = Reading {
            common: Common::of(self).await?,
            source,
            cursor: Cursor::fresh(String::new(), clock::now()),
            matches: HashMap::new(),
        };
        let Some(issue) = reading.common.told::<RawIssue>(hook, "issue", "number") else {
            return Ok(reading.common.batch);
        };
        let (number, asked) = (issue.number, fits(source, &issue));
        match hook.event.as_str() {
            _ if issue.pull_request.is_some() => {}
            "issues" if hook.takes_away() => {
                reading.common.gone(format!("issue:{number}"), asked);
                reading.common.emptied(format!("issue:{number}"));
            }
            "issues" if asked => reading.give_issue(issue),
            "issue_comment" => {
                let comment = reading.common.told::<RawComment>(hook, "comment", "id");
                match comment {
                    Some(comment) if hook.takes_away() => {
                        reading
                            .common
                            .gone(format!("comment:{}", comment.id), asked && source.comments);
                    }
                    Some(comment) if source.comments => {
                        reading.matches.insert(number, asked);
                        reading.give_comment(comment).await?;
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(reading.common.batch)
    }
}

/// Whether a source asks for an issue, whatever is to be said about who wrote it.
fn fits(source: &GithubIssues, issue: &RawIssue) -> bool {
    let state = if issue.state == "closed" {
        IssueState::Closed
    } else {
        IssueState::Open
    };
    issue.pull_request.is_none()
        && !is_board(issue.body.as_deref())
        && (source.states.is_empty() || source.states.contains(&state))
        && bears(&issue.labels, &source.labels)
}

/// One batch in the making.
struct Reading<'a> {
    common: Common<'a>,
    source: &'a GithubIssues,
    cursor: Cursor,
    /// Issue numbers, and whether the source asks for them.
    matches: HashMap<u64, bool>,
}

impl Reading<'_> {
    fn list(&self) -> Ask {
        let doing = format!("read the issues of `{}`", self.common.here.full_name());
        let mut ask = self
            .common
            .here
            .get(&["issues"], &doing)
            .query("state", state_of(&self.source.states))
            .query("per_page", PAGE);
        if !self.source.labels.is_empty() {
            ask = ask.query("labels", self.source.labels.join(","));
        }
        ask
    }

    async fn issues(&mut self) -> Result<(), GitHubError> {
        let mut place = self.cursor.issues.place();
        for _ in 0..MAX_PAGES {
            let ask = self
                .list()
                .query("sort", "updated")
                .query("direction", "asc")
                .query("since", second(place.since))
                .query("page", place.page);
            let items = self.common.page(ask).await?;
            let mut last = None;
            for item in &items {
                let Some(issue) = self.common.read::<RawIssue>(item, "issue", "number") else {
                    continue;
                };
                last = Some(issue.updated_at);
                let asked = issue.pull_request.is_none() && !is_board(issue.body.as_deref());
                self.matches.insert(issue.number, asked);
                let said = digestible(
                    &issue.title,
                    issue.body.as_deref(),
                    &issue.labels,
                    &issue.reactions,
                );
                if self.cursor.issues.take(issue.number, issue.updated_at, &said) {
                    self.give_issue(issue);
                }
            }
            match self.cursor.issues.turn(place, items.len(), last) {
                Some(next) => place = next,
                None => break,
            }
        }
        self.common.batch.more = self.cursor.issues.middle.is_some();
        self.cursor.issues.forget();
        Ok(())
    }

    async fn comments(&mut self) -> Result<(), GitHubError> {
        let doing = format!("read the comments of `{}`", self.common.here.full_name());
        let mut place = self.cursor.comments.place();
        for _ in 0..MAX_PAGES {
            let ask = self
                .common
                .here
                .get(&["issues", "comments"], &doing)
                .query("sort", "updated")
                .query("direction", "asc")
                .query("since", second(place.since))
                .query("per_page", PAGE)
                .query("page", place.page);
            let items = self.common.page(ask).await?;
            let mut last = None;
            for item in &items {
                let Some(comment) = self.common.read::<RawComment>(item, "comment", "id") else {
                    continue;
                };
                last = Some(comment.updated_at);
                let said = digestible("", comment.body.as_deref(), &[], &comment.reactions);
                if self.cursor.comments.take(comment.id, comment.updated_at, &said) {
                    self.give_comment(comment).await?;
                }
            }
            match self.cursor.comments.turn(place, items.len(), last) {
                Some(next) => place = next,
                None => break,
            }
        }
        self.common.batch.more = self.cursor.comments.middle.is_some();
        self.cursor.comments.forget();
        Ok(())
    }

    /// Reads the issues that are asked for again, for their reactions; where nothing changed, GitHub counts nothing.
    async fn sweep(&mut self, now: Timestamp) -> Result<(), GitHubError> {
        if self.cursor.sweep.is_none() {
            if now.since(self.cursor.swept) < SWEEP || !self.source.states.contains(&IssueState::Open) {
                return Ok(());
            }
            self.cursor.swept = now;
            self.cursor.sweep = Some(1);
        }
        for _ in 0..MAX_PAGES {
            let Some(page) = self.cursor.sweep else { break };
            let mut ask = self.list();
            ask = ask
                .query("sort", "created")
                .query("direction", "asc")
                .query("page", page);
            let items = self.common.page(ask).await?;
            for item in &items {
                if let Some(issue) = self.common.read::<RawIssue>(item, "issue", "number")
                    && issue.state == "open"
                {
                    self.give_issue(issue);
                }
            }
            self.cursor.sweep = (items.len() >= PAGE).then_some(page + 1);
        }
        self.common.batch.more = self.cursor.sweep.is_some();
        Ok(())
    }

    /// An issue as a signal, if it is one.
    fn give_issue(&mut self, issue: RawIssue) {
        if issue.pull_request.is_some()
            || self
                .common
                .ours(Who::of(issue.user.as_ref()), issue.body.as_deref())
        {
            return;
        }
        let text = titled(&issue.title, issue.body.as_deref());
        let signal = self.common.signal(
            format!("issue:{}", issue.number),
            issue.created_at,
            Who::of(issue.user.as_ref()),
            text,
            &issue.reactions,
        );
        let signal = Signal {
            labels: issue.labels.into_iter().map(|label| label.name).collect(),
            url: Some(issue.html_url),
            ..signal
        };
        self.common.give(signal, Some(issue.updated_at));
    }

    async fn give_comment(&mut self, comment: RawComment) -> Result<(), GitHubError> {
        // Comments under pull requests are listed among those under issues.
        if comment.html_url.contains("/pull/")
            || self
                .common
                .ours(Who::of(comment.user.as_ref()), comment.body.as_deref())
        {
            return Ok(());
        }
        let number = comment
            .issue_url
            .rsplit('/')
            .next()
            .and_then(|number| number.parse().ok());
        let Some(number) = number else {
            self.common.batch.skipped.push(Skipped {
                place: format!("comment {} of {}", comment.id, self.common.here.full_name()),
                why: "it does not say under which issue it is".to_owned(),
            });
            return Ok(());
        };
        if !self.asked_for(number).await? {
            return Ok(());
        }
        let signal = self.common.signal(
            format!("comment:{}", comment.id),
            comment.created_at,
            Who::of(comment.user.as_ref()),
            comment.body.unwrap_or_default(),
            &comment.reactions,
        );
        let signal = Signal {
            url: Some(comment.html_url),
            thread: Some(format!("issue:{number}")),
            ..signal
        };
        self.common.give(signal, Some(comment.updated_at));
        Ok(())
    }

    /// Whether the source asks for this issue.
    async fn asked_for(&mut self, number: u64) -> Result<bool, GitHubError> {
        if let Some(known) = self.matches.get(&number) {
            return Ok(*known);
        }
        let asked = match self.common.here.issue(number).await {
            Ok(issue) => {
                let state = if issue.open {
                    IssueState::Open
                } else {
                    IssueState::Closed
                };
                let labels = &self.source.labels;
                !issue.is_pull
                    && !is_board(Some(&issue.body))
                    && (self.source.states.is_empty() || self.source.states.contains(&state))
                    && labels
                        .iter()
                        .all(|label| issue.labels.iter().any(|other| other.eq_ignore_ascii_case(label)))
            }
            // Deleted or moved since.
            Err(GitHubError::NotFound { .. } | GitHubError::Gone { .. } | GitHubError::Renamed { .. }) => {
                false
            }
            Err(error) => return Err(error),
        };
        self.matches.insert(number, asked);
        Ok(asked)
    }
}
