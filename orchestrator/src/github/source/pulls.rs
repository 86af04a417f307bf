//! People's pull requests as signals: what they say, what is said under them and on their lines, and what reviews say.
//! Our own are none, and neither is what is said under them: that is the conversation's.
//!
//! They are read from the list of issues, which knows since when, and reactions; a pull request itself is asked for only
//! where that does not tell enough (its base branch, its reviews), and GitHub does not count what has not changed.

mod raw;
mod told;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use loops::{
    signal::Signal,
    spec::{GithubPulls, IssueState},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use self::raw::{RawComment, RawPull};
use super::{
    super::{GitHubError, PullState, Repository, Review, ask::Ask, comments::second, pages::PAGE},
    common::{Common, Who, digestible, fingerprint, state_of, titled},
    cursor::Stream,
};
use crate::{clock, source::Batch};

/// A first reading goes back so far.
const LOOK_BACK: Duration = Duration::from_secs(30 * 86_400);
/// How often the open pull requests are swept for reactions.
const SWEEP: Duration = Duration::from_secs(6 * 3600);
/// How many pages of a list one batch holds.
const MAX_PAGES: u32 = 5;
/// Of how many pull requests one batch reads the reviews.
const MAX_REVIEWED: usize = 50;

/// How far the pull requests of a repository were read.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cursor {
    /// What the source asks for; when that changes, all is read anew.
    of: String,
    pulls: Stream,
    comments: Stream,
    lines: Stream,
    /// Those that changed, and whose reviews were not read since.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    to_review: BTreeSet<u64>,
    /// When the last sweep began.
    swept: Timestamp,
    /// The page at which a sweep goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sweep: Option<u32>,
}

impl Cursor {
    /// Of a repository of which nothing was read.
    fn fresh(of: String, from: Timestamp, now: Timestamp) -> Self {
        Self {
            of,
            pulls: Stream::from(from),
            comments: Stream::from(from),
            lines: Stream::from(from),
            to_review: BTreeSet::new(),
            swept: now,
            sweep: None,
        }
    }
}

impl Repository {
    /// What is new in people's pull requests since `cursor`, which is what an earlier [`Batch`] gave. A cursor that cannot
    /// be understood, or is of other settings, counts as none: signals then come again with the same ids.
    ///
    /// # Errors
    /// If GitHub does not give them.
    pub async fn read_pulls(&self, source: &GithubPulls, cursor: Option<&str>) -> Result<Batch, GitHubError> {
        let now = clock::now();
        let of = fingerprint(source);
        let from = now.minus(LOOK_BACK);
        let cursor = cursor
            .and_then(|text| serde_json::from_str::<Cursor>(text).ok())
            .filter(|cursor| cursor.of == of)
            .unwrap_or_else(|| Cursor::fresh(of, from, now));
        let mut reading = Reading {
            common: Common::of(self).await?,
            source,
            cursor,
            wanted: HashMap::new(),
            from,
        };
        reading.pulls().await?;
        if source.reviews {
            reading.reviews().await?;
        }
        if source.comments && !reading.common.batch.more {
            reading.comments(List::Under).await?;
        }
        if source.comments && !reading.common.batch.more {
            reading.comments(List::OnLines).await?;
        }
        if !reading.common.batch.more {
            reading.sweep(now).await?;
        }
        Ok(reading.common.end(&reading.cursor))
    }
}

/// Which comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Under,
    OnLines,
}

impl List {
    /// What one of its comments is called.
    fn id(self, id: u64) -> String {
        match self {
            Self::Under => format!("comment:{id}"),
            Self::OnLines => format!("line:{id}"),
        }
    }
}

/// One batch in the making.
struct Reading<'a> {
    common: Common<'a>,
    source: &'a GithubPulls,
    cursor: Cursor,
    /// Numbers, and whether the source asks for them.
    wanted: HashMap<u64, bool>,
    /// Nothing older is read.
    from: Timestamp,
}

impl Reading<'_> {
    fn list(&self) -> Ask {
        let doing = format!("read the pull requests of `{}`", self.common.here.full_name());
        let ask = self
            .common
            .here
            .get(&["issues"], &doing)
            .query("state", state_of(&self.source.states))
            .query("direction", "asc")
            .query("per_page", PAGE);
        match self.source.labels.as_slice() {
            [] => ask,
            labels => ask.query("labels", labels.join(",")),
        }
    }

    async fn pulls(&mut self) -> Result<(), GitHubError> {
        let mut place = self.cursor.pulls.place();
        for _ in 0..MAX_PAGES {
            let ask = self
                .list()
                .query("sort", "updated")
                .query("since", second(place.since))
                .query("page", place.page);
            let items = self.common.page(ask).await?;
            let mut last = None;
            for item in &items {
                let Some(pull) = self.common.read::<RawPull>(item, "pull request", "number") else {
                    continue;
                };
                last = Some(pull.updated_at);
                if pull.pull_request.is_none() {
                    self.wanted.insert(pull.number, false);
                    continue;
                }
                // A review is a change of it that its own words do not show.
                let words = digestible(&pull.title, pull.body.as_deref(), &pull.labels, &pull.reactions);
                let said = format!("{words}\u{1f}{}", pull.updated_at);
                if self.cursor.pulls.take(pull.number, pull.updated_at, &said) && self.asks_for(&pull).await?
                {
                    self.cursor.to_review.insert(pull.number);
                    self.give_pull(pull);
                }
            }
            match self.cursor.pulls.turn(place, items.len(), last) {
                Some(next) => place = next,
                None => break,
            }
        }
        self.common.batch.more = self.cursor.pulls.middle.is_some();
        self.cursor.pulls.forget();
        Ok(())
    }

    /// The reviews of pull requests that changed; what a review says without words is nothing to work on.
    async fn reviews(&mut self) -> Result<(), GitHubError> {
        for _ in 0..MAX_REVIEWED {
            let Some(&number) = self.cursor.to_review.first() else {
                break;
            };
            let reviews = match self.common.here.reviews(number).await {
                Ok(reviews) => reviews,
                Err(GitHubError::NotFound { .. } | GitHubError::Gone { .. }) => Vec::new(),
                Err(error) => return Err(error),
            };
            for review in &reviews {
                self.give_review(number, review);
            }
            self.cursor.to_review.remove(&number);
        }
        self.common.batch.more |= !self.cursor.to_review.is_empty();
        Ok(())
    }

    fn give_review(&mut self, number: u64, review: &Review) {
        let who = Who {
            login: &review.author,
            bot: review.author_is_bot,
        };
        let who = (!review.author.is_empty()).then_some(who);
        let Some(at) = review.submitted_at.filter(|at| *at >= self.from) else {
            return;
        };
        if review.body.trim().is_empty() || self.common.ours(who, Some(&review.body)) {
            return;
        }
        // Capitals where it was asked for, small letters where an event says it.
        let text = match review.state.eq_ignore_ascii_case("CHANGES_REQUESTED") {
            true => format!("Changes requested: {}", review.body),
            false => review.body.clone(),
        };
        let id = format!("review:{}", review.id);
        let signal = self.common.signal(id, at, who, text, &BTreeMap::new());
        let signal = Signal {
            url: Some(review.url.clone()),
            thread: Some(format!("pull:{number}")),
            ..signal
        };
        self.common.give(signal, None);
    }

    async fn comments(&mut self, list: List) -> Result<(), GitHubError> {
        let doing = format!(
            "read the comments on pull requests of `{}`",
            self.common.here.full_name()
        );
        let path = match list {
            List::Under => ["issues", "comments"],
            List::OnLines => ["pulls", "comments"],
        };
        let mut place = self.stream(list).place();
        for _ in 0..MAX_PAGES {
            let ask = self
                .common
                .here
                .get(&path, &doing)
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
                if self.stream(list).take(comment.id, comment.updated_at, &said) {
                    self.give_comment(list, comment).await?;
                }
            }
            match self.stream(list).turn(place, items.len(), last) {
                Some(next) => place = next,
                None => break,
            }
        }
        self.common.batch.more = self.stream(list).middle.is_some();
        self.stream(list).forget();
        Ok(())
    }

    fn stream(&mut self, list: List) -> &mut Stream {
        match list {
            List::Under => &mut self.cursor.comments,
            List::OnLines => &mut self.cursor.lines,
        }
    }

    /// Reads the open ones that are asked for again, for their reactions; where nothing changed, GitHub counts nothing.
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
            let items = self
                .common
                .page(self.list().query("sort", "created").query("page", page))
                .await?;
            for item in &items {
                let Some(pull) = self.common.read::<RawPull>(item, "pull request", "number") else {
                    continue;
                };
                let open = pull.pull_request.is_some() && pull.state == "open";
                // What has not changed in a month is not asked for to learn its base.
                if open && pull.updated_at >= self.from && self.asks_for(&pull).await? {
                    self.give_pull(pull);
                }
            }
            self.cursor.sweep = (items.len() >= PAGE).then_some(page + 1);
        }
        self.common.batch.more = self.cursor.sweep.is_some();
        Ok(())
    }

    fn give_pull(&mut self, pull: RawPull) {
        let text = titled(&pull.title, pull.body.as_deref());
        let signal = self.common.signal(
            format!("pull:{}", pull.number),
            pull.created_at,
            Who::of(pull.user.as_ref()),
            text,
            &pull.reactions,
        );
        let signal = Signal {
            labels: pull.labels.into_iter().map(|label| label.name).collect(),
            url: Some(pull.html_url),
            ..signal
        };
        self.common.give(signal, Some(pull.updated_at));
    }

    async fn give_comment(&mut self, list: List, comment: RawComment) -> Result<(), GitHubError> {
        let who = Who::of(comment.user.as_ref());
        // Comments under issues are listed among those under pull requests.
        let elsewhere = list == List::Under && !comment.html_url.contains("/pull/");
        let Some(number) = comment.number().filter(|_| !elsewhere) else {
            return Ok(());
        };
        if self.common.ours(who, comment.body.as_deref()) || !self.is_asked_for(number).await? {
            return Ok(());
        }
        let id = list.id(comment.id);
        let signal = self
            .common
            .signal(id, comment.created_at, who, comment.text(), &comment.reactions);
        let signal = Signal {
            url: Some(comment.html_url),
            thread: Some(format!("pull:{number}")),
            ..signal
        };
        self.common.give(signal, Some(comment.updated_at));
        Ok(())
    }

    /// Whether the source asks for one that stands in the list.
    async fn asks_for(&mut self, pull: &RawPull) -> Result<bool, GitHubError> {
        if self
            .common
            .ours(Who::of(pull.user.as_ref()), pull.body.as_deref())
        {
            self.wanted.insert(pull.number, false);
            return Ok(false);
        }
        if self.source.bases.is_empty() {
            self.wanted.insert(pull.number, true);
            return Ok(true);
        }
        self.is_asked_for(pull.number).await
    }

    /// Whether the source asks for a pull request of which only the number is known.
    async fn is_asked_for(&mut self, number: u64) -> Result<bool, GitHubError> {
        if let Some(known) = self.wanted.get(&number) {
            return Ok(*known);
        }
        let wanted = match self.common.here.pull(number).await {
            Ok(pull) => {
                let state = match pull.state {
                    PullState::Open => IssueState::Open,
                    PullState::Closed | PullState::Merged => IssueState::Closed,
                };
                let (source, author) = (self.source, pull.author.as_deref());
                let who = author.map(|login| Who { login, bot: false });
                let labelled = |label: &String| {
                    let same = |other: &String| other.eq_ignore_ascii_case(label);
                    pull.labels.iter().any(same)
                };
                !self.common.ours(who, Some(&pull.body))
                    && (source.states.is_empty() || source.states.contains(&state))
                    && (source.bases.is_empty() || source.bases.contains(&pull.base_branch))
                    && source.labels.iter().all(labelled)
            }
            // Deleted or moved since.
            Err(GitHubError::NotFound { .. } | GitHubError::Gone { .. } | GitHubError::Renamed { .. }) => {
                false
            }
            Err(error) => return Err(error),
        };
        self.wanted.insert(number, wanted);
        Ok(wanted)
    }
}
