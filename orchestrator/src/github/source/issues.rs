//! Issues and their comments as signals. Pull requests are none, and neither is what we wrote ourselves.
//!
//! GitHub does not tell what was deleted, and a reaction does not count as a change: the open issues are swept for
//! reactions a few times a day.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use loops::{
    signal::{Signal, Voice},
    spec::{GithubIssues, IssueState},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    super::{
        GitHubError, Me, Repository,
        answer::cut,
        ask::Ask,
        comments::{HIDDEN, second},
        pages::PAGE,
        pulls::{Login, Named},
    },
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

#[derive(Debug, Deserialize)]
struct RawIssue {
    number: u64,
    title: String,
    body: Option<String>,
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
            .unwrap_or_else(|| Cursor {
                of,
                issues: Stream::from(now.minus(LOOK_BACK)),
                comments: Stream::from(now.minus(LOOK_BACK)),
                swept: now,
                sweep: None,
            });
        let mut reading = Reading {
            me: self.me().await?,
            name: format!("github:{}", self.full_name()),
            here: self,
            source,
            cursor,
            batch: Batch::default(),
            matches: HashMap::new(),
        };
        reading.issues().await?;
        if source.comments && !reading.batch.more {
            reading.comments().await?;
        }
        if !reading.batch.more {
            reading.sweep(now).await?;
        }
        let Reading {
            cursor, mut batch, ..
        } = reading;
        batch.cursor = serde_json::to_string(&cursor).unwrap_or_default();
        Ok(batch)
    }
}

/// One batch in the making.
struct Reading<'a> {
    me: Me,
    name: String,
    here: &'a Repository,
    source: &'a GithubIssues,
    cursor: Cursor,
    batch: Batch,
    /// Issue numbers, and whether the source asks for them.
    matches: HashMap<u64, bool>,
}

impl Reading<'_> {
    fn list(&self) -> Ask {
        let doing = format!("read the issues of `{}`", self.here.full_name());
        let states = &self.source.states;
        let state = match (
            states.contains(&IssueState::Open),
            states.contains(&IssueState::Closed),
        ) {
            (true, false) => "open",
            (false, true) => "closed",
            _ => "all",
        };
        let mut ask = self
            .here
            .get(&["issues"], &doing)
            .query("state", state)
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
            let items = self.page(ask).await?;
            let mut last = None;
            for item in &items {
                let Some(issue) = self.read::<RawIssue>(item, "issue", "number") else {
                    continue;
                };
                last = Some(issue.updated_at);
                self.matches.insert(issue.number, issue.pull_request.is_none());
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
        self.batch.more = self.cursor.issues.middle.is_some();
        self.cursor.issues.forget();
        Ok(())
    }

    async fn comments(&mut self) -> Result<(), GitHubError> {
        let doing = format!("read the comments of `{}`", self.here.full_name());
        let mut place = self.cursor.comments.place();
        for _ in 0..MAX_PAGES {
            let ask = self
                .here
                .get(&["issues", "comments"], &doing)
                .query("sort", "updated")
                .query("direction", "asc")
                .query("since", second(place.since))
                .query("per_page", PAGE)
                .query("page", place.page);
            let items = self.page(ask).await?;
            let mut last = None;
            for item in &items {
                let Some(comment) = self.read::<RawComment>(item, "comment", "id") else {
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
        self.batch.more = self.cursor.comments.middle.is_some();
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
            let items = self.page(ask).await?;
            for item in &items {
                if let Some(issue) = self.read::<RawIssue>(item, "issue", "number")
                    && issue.state == "open"
                {
                    self.give_issue(issue);
                }
            }
            self.cursor.sweep = (items.len() >= PAGE).then_some(page + 1);
        }
        self.batch.more = self.cursor.sweep.is_some();
        Ok(())
    }

    async fn page(&self, ask: Ask) -> Result<Vec<Value>, GitHubError> {
        let doing = ask.doing.clone();
        self.here.call(ask).await?.json(&doing)
    }

    /// One of a list; what cannot be read is noted and passed over.
    fn read<T: serde::de::DeserializeOwned>(&mut self, item: &Value, what: &str, id: &str) -> Option<T> {
        match serde_path_to_error::deserialize(item) {
            Ok(read) => Some(read),
            Err(error) => {
                let id = item.get(id).map(Value::to_string).unwrap_or_default();
                self.batch.skipped.push(Skipped {
                    place: cut(&format!("{what} {id} of {}", self.here.full_name())),
                    why: cut(&error.to_string()),
                });
                None
            }
        }
    }

    fn ours(&self, author: Option<&Login>, body: Option<&str>) -> bool {
        // A person whose token we use speaks under the same name as we do: there, only our marker tells.
        let by_us = self.me.app && author.is_some_and(|author| self.me.is(&author.login));
        let marked = body.is_some_and(|body| body.contains(HIDDEN));
        by_us || marked
    }

    /// An issue as a signal, if it is one.
    fn give_issue(&mut self, issue: RawIssue) {
        if issue.pull_request.is_some() || self.ours(issue.user.as_ref(), issue.body.as_deref()) {
            return;
        }
        let text = match issue
            .body
            .as_deref()
            .map(str::trim)
            .filter(|body| !body.is_empty())
        {
            Some(body) => format!("{}\n\n{body}", issue.title),
            None => issue.title,
        };
        self.give(Signal {
            labels: issue.labels.into_iter().map(|label| label.name).collect(),
            url: Some(issue.html_url),
            ..self.signal(
                format!("issue:{}", issue.number),
                issue.created_at,
                issue.user.as_ref(),
                text,
                &issue.reactions,
            )
        });
    }

    async fn give_comment(&mut self, comment: RawComment) -> Result<(), GitHubError> {
        // Comments under pull requests are listed among those under issues.
        if comment.html_url.contains("/pull/") || self.ours(comment.user.as_ref(), comment.body.as_deref()) {
            return Ok(());
        }
        let number = comment
            .issue_url
            .rsplit('/')
            .next()
            .and_then(|number| number.parse().ok());
        let Some(number) = number else {
            self.batch.skipped.push(Skipped {
                place: format!("comment {} of {}", comment.id, self.here.full_name()),
                why: "it does not say under which issue it is".to_owned(),
            });
            return Ok(());
        };
        if !self.asked_for(number).await? {
            return Ok(());
        }
        let signal = self.signal(
            format!("comment:{}", comment.id),
            comment.created_at,
            comment.user.as_ref(),
            comment.body.unwrap_or_default(),
            &comment.reactions,
        );
        self.give(Signal {
            url: Some(comment.html_url),
            thread: Some(format!("issue:{number}")),
            ..signal
        });
        Ok(())
    }

    /// Whether the source asks for this issue.
    async fn asked_for(&mut self, number: u64) -> Result<bool, GitHubError> {
        if let Some(known) = self.matches.get(&number) {
            return Ok(*known);
        }
        let asked = match self.here.issue(number).await {
            Ok(issue) => {
                let state = if issue.open {
                    IssueState::Open
                } else {
                    IssueState::Closed
                };
                let labels = &self.source.labels;
                !issue.is_pull
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

    fn signal(
        &self,
        external_id: String,
        at: Timestamp,
        author: Option<&Login>,
        text: String,
        reactions: &BTreeMap<String, Value>,
    ) -> Signal {
        Signal {
            id: Signal::id_of(&self.name, &external_id),
            source: self.name.clone(),
            external_id,
            at,
            author: author.map(|author| author.login.clone()),
            voice: match author {
                Some(author) if author.is_bot() => Voice::Machine,
                _ => Voice::Person,
            },
            text,
            url: None,
            reactions: counted(reactions),
            labels: vec![],
            thread: None,
            private: false,
        }
    }

    /// Gives a signal; the last version of one stays.
    fn give(&mut self, signal: Signal) {
        match self.batch.signals.iter_mut().find(|other| other.id == signal.id) {
            Some(other) => *other = signal,
            None => self.batch.signals.push(signal),
        }
    }
}

/// The reactions that were given, by name; the counts' sum and address are among them in GitHub's answer.
fn counted(reactions: &BTreeMap<String, Value>) -> BTreeMap<String, u32> {
    reactions
        .iter()
        .filter(|(name, _)| *name != "total_count")
        .filter_map(|(name, count)| Some((name.clone(), u32::try_from(count.as_u64()?).ok()?)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// All of something that matters to us, to tell whether it is what was read before.
fn digestible(
    title: &str,
    body: Option<&str>,
    labels: &[Named],
    reactions: &BTreeMap<String, Value>,
) -> String {
    let labels: Vec<&str> = labels.iter().map(|label| label.name.as_str()).collect();
    format!(
        "{title}\u{1f}{}\u{1f}{labels:?}\u{1f}{:?}",
        body.unwrap_or_default(),
        counted(reactions)
    )
}

/// What a source asks for, in short.
fn fingerprint(source: &GithubIssues) -> String {
    let text = serde_json::to_string(source).unwrap_or_default();
    hex::encode(&Sha256::digest(text.as_bytes())[..6])
}
