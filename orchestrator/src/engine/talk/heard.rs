//! What was said on a pull request since the last look, by people with write access. Machines, ourselves and people
//! without write access are passed over, without an answer.

use std::collections::BTreeSet;

use loops::{
    command::{self, Command},
    time::Timestamp,
};

use super::{EngineError, Talk};
use crate::{
    engine::green::wants_changes,
    github::{Comment, HIDDEN, Me, Pull, Repository, Review, ReviewComment},
    store::pulls::PullRow,
};

/// What its closer says so long before or after is why a pull request was closed, in milliseconds.
const CLOSING: i64 = 3_600_000;

/// What was said and counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    /// What people told us, oldest first.
    pub(super) commands: Vec<Order>,
    /// What reviewers want different.
    pub(super) remarks: Vec<Remark>,
    /// Who requested changes, in words that were not taken up, as GitHub knows a review to do.
    pub(super) objectors: BTreeSet<String>,
    /// Comments were read until here.
    pub(super) until: Option<Timestamp>,
    /// Who told us something and may not.
    pub(super) passed_over: BTreeSet<String>,
}

/// Where something was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Under the pull request.
    Comment(u64),
    /// In a thread on a line; with the thread's first comment.
    Line(u64, u64),
    /// With a review.
    Review(u64),
}

impl Origin {
    /// The word under which it is known to have been taken up.
    pub(super) fn key(self) -> String {
        match self {
            Self::Comment(id) => format!("c{id}"),
            Self::Line(id, _) => format!("l{id}"),
            Self::Review(id) => format!("r{id}"),
        }
    }

    /// The thread that an answer belongs to.
    pub(super) fn thread(self) -> Option<u64> {
        match self {
            Self::Line(_, first) => Some(first),
            Self::Comment(_) | Self::Review(_) => None,
        }
    }
}

/// A command of somebody who may give it.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) origin: Origin,
    pub(super) author: String,
    pub(super) command: Command,
    /// When it was said, by GitHub's clock.
    pub(super) at: Timestamp,
}

/// What a reviewer wants different.
#[derive(Debug, Clone)]
pub(super) struct Remark {
    pub(super) origin: Origin,
    pub(super) author: String,
    /// The file and, if it is still there, the line.
    pub(super) place: Option<(String, Option<u64>)>,
    pub(super) words: String,
}

/// Reads what is new.
pub(super) async fn hear(repository: &Repository, number: u64, talk: &Talk) -> Result<Heard, EngineError> {
    let me = repository.me().await?;
    // Reviews first: a comment that is read after them and belongs to one that was not there is not handed in yet.
    let reviews = repository.reviews(number).await?;
    let lines = repository.review_comments(number, None).await?;
    let comments = repository.comments(number, talk.since).await?;
    let mut ear = Ear {
        repository,
        me,
        talk,
        heard: Heard {
            until: comments.iter().map(|comment| comment.updated_at).max(),
            ..Heard::default()
        },
    };
    for comment in &comments {
        ear.comment(comment).await?;
    }
    for review in &reviews {
        ear.review(review).await?;
    }
    for line in &lines {
        ear.line(line, &lines, &reviews).await?;
    }
    // Who approves after that has taken it back.
    let last = wants_changes(&reviews);
    ear.heard.objectors.retain(|who| last.contains(&who.as_str()));
    // Under the pull request, in threads or with a review: what was said last counts.
    ear.heard.commands.sort_by_key(|order| order.at);
    Ok(ear.heard)
}

struct Ear<'a> {
    repository: &'a Repository,
    me: Me,
    talk: &'a Talk,
    heard: Heard,
}

impl Ear<'_> {
    /// Whether this could be a person's, and was not taken up.
    fn fresh(&self, origin: Origin, bot: bool, body: &str) -> bool {
        !bot && !body.contains(HIDDEN) && !self.talk.taken.contains(&origin.key())
    }

    async fn may(&mut self, author: &str) -> Result<bool, EngineError> {
        if author.is_empty() {
            return Ok(false);
        }
        let may = self.repository.permission(author).await?.writes();
        if !may {
            self.heard.passed_over.insert(author.to_owned());
        }
        Ok(may)
    }

    async fn order(
        &mut self,
        origin: Origin,
        author: &str,
        body: &str,
        at: Timestamp,
    ) -> Result<bool, EngineError> {
        let Some(command) = command::read(body) else {
            return Ok(false);
        };
        if self.may(author).await? {
            let author = author.to_owned();
            self.heard.commands.push(Order {
                origin,
                author,
                command,
                at,
            });
        }
        Ok(true)
    }

    async fn comment(&mut self, comment: &Comment) -> Result<(), EngineError> {
        let origin = Origin::Comment(comment.id);
        if self.fresh(origin, comment.author_is_bot, &comment.body) {
            self.order(origin, &comment.author, &comment.body, comment.updated_at)
                .await?;
        }
        Ok(())
    }

    async fn review(&mut self, review: &Review) -> Result<(), EngineError> {
        let origin = Origin::Review(review.id);
        let Some(handed_in) = review.submitted_at else {
            return Ok(());
        };
        if !self.fresh(origin, review.author_is_bot, &review.body) {
            return Ok(());
        }
        if self
            .order(origin, &review.author, &review.body, handed_in)
            .await?
        {
            return Ok(());
        }
        let asks = review.state == "CHANGES_REQUESTED" && !review.body.trim().is_empty();
        if asks && self.may(&review.author).await? {
            self.heard.objectors.insert(review.author.clone());
            self.heard.remarks.push(Remark {
                origin,
                author: review.author.clone(),
                place: None,
                words: review.body.clone(),
            });
        }
        Ok(())
    }

    async fn line(
        &mut self,
        line: &ReviewComment,
        lines: &[ReviewComment],
        reviews: &[Review],
    ) -> Result<(), EngineError> {
        let first = line.in_reply_to.unwrap_or(line.id);
        let origin = Origin::Line(line.id, first);
        if !self.fresh(origin, line.author_is_bot, &line.body) {
            return Ok(());
        }
        let review = match line.review {
            Some(id) => match reviews.iter().find(|review| review.id == id) {
                Some(review) if review.submitted_at.is_some() => Some(review),
                _ => return Ok(()),
            },
            None => None,
        };
        // A line that is handed in with a review is said when that is.
        let at = review.and_then(|review| review.submitted_at);
        let at = at.map_or(line.updated_at, |handed_in| handed_in.max(line.updated_at));
        if self.order(origin, &line.author, &line.body, at).await? {
            return Ok(());
        }
        let state = review.map_or("COMMENTED", |review| review.state.as_str());
        let answered = lines.iter().any(|other| {
            other.in_reply_to == Some(first) && self.me.is(&other.author) && other.body.contains(HIDDEN)
        });
        // Who approves does not ask for more, and a word after our answer need not either.
        let asks = state == "CHANGES_REQUESTED" || (state == "COMMENTED" && !answered);
        if asks && !line.body.trim().is_empty() && self.may(&line.author).await? {
            if state == "CHANGES_REQUESTED" {
                self.heard.objectors.insert(line.author.clone());
            }
            self.heard.remarks.push(Remark {
                origin,
                author: line.author.clone(),
                place: Some((line.path.clone(), line.line)),
                words: line.body.clone(),
            });
        }
        Ok(())
    }
}

/// The words with which a pull request was closed, and whose they are: the closer's around that moment, if they are no
/// command for something else; or a `/loops never` of anybody with write access, that was not taken up.
pub(crate) async fn closing_words(
    repository: &Repository,
    row: &PullRow,
    pull: &Pull,
    closer: Option<&str>,
) -> Result<Option<(String, String)>, EngineError> {
    let talk: Talk = row.talk();
    let near = |at: Timestamp| {
        pull.closed_at
            .is_some_and(|closed| (closed.0 - CLOSING..=closed.0 + CLOSING).contains(&at.0))
    };
    for comment in repository.comments(row.number, None).await?.into_iter().rev() {
        let ours = comment.author_is_bot || comment.body.contains(HIDDEN) || comment.author.is_empty();
        if ours || talk.taken.contains(&Origin::Comment(comment.id).key()) {
            continue;
        }
        let counts = match command::read(&comment.body) {
            Some(Command::Never(_)) => repository.permission(&comment.author).await?.writes(),
            Some(_) => false,
            None => closer == Some(&comment.author) && near(comment.created_at),
        };
        if counts {
            return Ok(Some((comment.author, comment.body)));
        }
    }
    Ok(None)
}

/// What stands under a pull request that was opened again and belongs to the time before, by the words under which it is
/// known to have been taken up: all that is older than its closing (none: nobody knows when that was), and every
/// `/loops never`, which whoever opened it takes back.
pub(super) async fn before(
    repository: &Repository,
    number: u64,
    closed_at: Option<Timestamp>,
) -> Result<Vec<String>, EngineError> {
    let old = |at: Timestamp| closed_at.is_none_or(|closed| at <= closed);
    let never = |body: &str| matches!(command::read(body), Some(Command::Never(_)));
    let mut all = Vec::new();
    for comment in repository.comments(number, None).await? {
        if old(comment.created_at) || never(&comment.body) {
            all.push(Origin::Comment(comment.id).key());
        }
    }
    for review in repository.reviews(number).await? {
        if review.submitted_at.is_some_and(old) || never(&review.body) {
            all.push(Origin::Review(review.id).key());
        }
    }
    for line in repository.review_comments(number, None).await? {
        if old(line.created_at) || never(&line.body) {
            all.push(Origin::Line(line.id, line.id).key());
        }
    }
    Ok(all)
}
