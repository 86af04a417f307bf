//! What an event says of people's pull requests, in the form in which reading gives it. Nothing is asked: where an event
//! does not say whether the source asks for something, that is left to the next reading.

use std::collections::HashMap;

use loops::{
    spec::{GithubPulls, IssueState},
    time::Timestamp,
};
use serde::Deserialize;

use super::{
    Cursor, List, Reading,
    raw::{RawComment, RawPull},
};
use crate::{
    github::{
        GitHubError, Repository,
        hook::Hook,
        review::RawReview,
        source::common::{Common, Who, bears},
    },
    source::Batch,
};

#[derive(Deserialize)]
struct Based {
    base: Option<Branch>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(rename = "ref")]
    name: String,
}

impl Repository {
    /// What an event says of a pull request that the source asks for, as [`Self::read_pulls`] would give it.
    ///
    /// # Errors
    /// If GitHub does not say who we are.
    pub(in super::super) async fn hear_pulls(
        &self,
        source: &GithubPulls,
        hook: &Hook,
    ) -> Result<Batch, GitHubError> {
        let mut reading = Reading {
            common: Common::of(self).await?,
            source,
            cursor: Cursor::fresh(String::new(), Timestamp(0), Timestamp(0)),
            wanted: HashMap::new(),
            from: Timestamp(0),
        };
        // Under a pull request it is told of as an issue is.
        let key = if hook.event == "issue_comment" {
            "issue"
        } else {
            "pull_request"
        };
        let Some(pull) = reading.common.told::<RawPull>(hook, key, "number") else {
            return Ok(reading.common.batch);
        };
        if key == "issue" && pull.pull_request.is_none() {
            return Ok(reading.common.batch);
        }
        let base = hook.payload[key]["base"].as_object().and_then(|_| {
            let based = Based::deserialize(&hook.payload[key]).ok()?;
            based.base.map(|base| base.name)
        });
        let number = pull.number;
        let asked = reading.fits(&pull, base.as_deref());
        if hook.takes_away() && hook.payload["comment"].is_object() {
            let list = if key == "issue" {
                List::Under
            } else {
                List::OnLines
            };
            if let Some(comment) = reading.common.told::<RawComment>(hook, "comment", "id") {
                reading.common.gone(list.id(comment.id), asked != Some(false));
            }
            return Ok(reading.common.batch);
        }
        let Some(asked) = asked else {
            return Ok(reading.common.batch);
        };
        reading.wanted.insert(number, asked);
        match hook.event.as_str() {
            "pull_request" if asked => reading.give_pull(pull),
            "pull_request_review" if asked && source.reviews => {
                if let Some(review) = reading.common.told::<RawReview>(hook, "review", "id") {
                    reading.give_review(number, &review.into());
                }
            }
            "issue_comment" => reading.hear_comment(List::Under, hook).await?,
            "pull_request_review_comment" => reading.hear_comment(List::OnLines, hook).await?,
            _ => {}
        }
        Ok(reading.common.batch)
    }
}

impl Reading<'_> {
    /// Whether the source asks for a pull request; none: what is told does not say.
    fn fits(&self, pull: &RawPull, base: Option<&str>) -> Option<bool> {
        let state = if pull.state == "closed" {
            IssueState::Closed
        } else {
            IssueState::Open
        };
        let bases = &self.source.bases;
        let rest = !self
            .common
            .ours(Who::of(pull.user.as_ref()), pull.body.as_deref())
            && (self.source.states.is_empty() || self.source.states.contains(&state))
            && bears(&pull.labels, &self.source.labels);
        match (rest, bases.is_empty(), base) {
            (false, ..) => Some(false),
            (true, true, _) => Some(true),
            (true, false, Some(base)) => Some(bases.iter().any(|asked| asked == base)),
            (true, false, None) => None,
        }
    }

    async fn hear_comment(&mut self, list: List, hook: &Hook) -> Result<(), GitHubError> {
        let Some(comment) = self.common.told::<RawComment>(hook, "comment", "id") else {
            return Ok(());
        };
        match self.source.comments {
            true => self.give_comment(list, comment).await,
            false => Ok(()),
        }
    }
}
