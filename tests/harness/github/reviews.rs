//! What people say of pull requests: reviews, and comments on lines with their threads.

use serde_json::json;

use super::{
    things::{Review, ReviewComment},
    world::World,
};

impl World {
    /// A person reviews: `APPROVED`, `CHANGES_REQUESTED` or `COMMENTED`; the review's number.
    pub fn review(&mut self, repository: &str, number: u64, by: &str, state: &str, body: &str) -> u64 {
        self.add_user(by);
        let at = self.at(repository);
        self.make_review(at, number, by, state, body)
    }

    pub(super) fn make_review(&mut self, at: usize, number: u64, by: &str, state: &str, body: &str) -> u64 {
        let id = self.id();
        let now = self.now;
        let commit = self
            .pull_mut(at, number)
            .map(|pull| pull.head_sha.clone())
            .unwrap_or_default();
        self.touch(at, number);
        let review = Review {
            id,
            pull: number,
            author: by.to_owned(),
            body: body.to_owned(),
            state: state.to_owned(),
            commit,
            at: now,
        };
        if let Some(pull) = self.pull_mut(at, number) {
            pull.reviewers.remove(by);
        }
        self.repositories[at].reviews.insert(id, review);
        let payload = json!({
            "action": "submitted",
            "review": self.review_json(at, id),
            "pull_request": self.pull_json(at, number, false),
        });
        self.emit(at, "pull_request_review", payload, by);
        self.settle(at);
        id
    }

    /// A person comments on a line, beginning a thread; the comment's number.
    pub fn review_comment(
        &mut self,
        repository: &str,
        number: u64,
        by: &str,
        (path, line): (&str, u64),
        body: &str,
    ) -> u64 {
        self.add_user(by);
        let at = self.at(repository);
        let review = self.make_review(at, number, by, "COMMENTED", "");
        self.make_review_comment(at, number, by, (path, Some(line)), body, (Some(review), None))
    }

    /// A person answers in a thread; the comment's number.
    pub fn reply(&mut self, repository: &str, to: u64, by: &str, body: &str) -> u64 {
        self.add_user(by);
        let at = self.at(repository);
        self.make_reply(at, to, by, body)
    }

    pub(super) fn make_reply(&mut self, at: usize, to: u64, by: &str, body: &str) -> u64 {
        let first = self.repositories[at].review_comments[&to].clone();
        let review = self.make_review(at, first.pull, by, "COMMENTED", "");
        let top = first.reply_to.unwrap_or(to);
        self.make_review_comment(
            at,
            first.pull,
            by,
            (&first.path, first.line),
            body,
            (Some(review), Some(top)),
        )
    }

    pub(super) fn make_review_comment(
        &mut self,
        at: usize,
        number: u64,
        by: &str,
        (path, line): (&str, Option<u64>),
        body: &str,
        (review, reply_to): (Option<u64>, Option<u64>),
    ) -> u64 {
        let id = self.id();
        let now = self.now;
        let commit = self
            .pull_mut(at, number)
            .map(|pull| pull.head_sha.clone())
            .unwrap_or_default();
        self.touch(at, number);
        let comment = ReviewComment {
            id,
            pull: number,
            review,
            reply_to,
            author: by.to_owned(),
            body: body.to_owned(),
            path: path.to_owned(),
            line,
            commit,
            created: now,
            updated: now,
        };
        self.repositories[at].review_comments.insert(id, comment);
        let payload = json!({
            "action": "created",
            "comment": self.review_comment_json(at, id),
            "pull_request": self.pull_json(at, number, false),
        });
        self.emit(at, "pull_request_review_comment", payload, by);
        id
    }
}
