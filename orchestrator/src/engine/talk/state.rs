//! What is remembered of a conversation: how far it was read, which rounds there were, what was told.

use std::collections::BTreeSet;

use loops::{id::AttemptId, time::Timestamp};
use serde::{Deserialize, Serialize};

use super::merge::Unmerged;

/// How many lines of what happened are kept.
const MAX_TOLD: usize = 30;

/// Where a conversation stands; it is kept with the pull request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Talk {
    /// Comments under the pull request were read until here, by GitHub's clock.
    pub(crate) since: Option<Timestamp>,
    /// What was taken up: `c` and the id of a comment, `l` of one on a line, `r` of a review.
    pub(crate) taken: BTreeSet<String>,
    /// Who spoke to us and has no write access; each is noted once.
    pub(crate) passed_over: BTreeSet<String>,
    /// The commit whose failing checks were taken up.
    pub(crate) ci_head: Option<String>,
    /// What the checks said last, in words.
    pub(crate) ci: Option<String>,
    /// Rounds because people asked.
    pub(crate) people_rounds: u32,
    /// Rounds because checks failed.
    pub(crate) ci_rounds: u32,
    /// The round that is under way.
    pub(crate) round: Option<Round>,
    /// What was asked last, for who wants it tried again.
    pub(crate) asked: Option<String>,
    /// Whether it went back to a worker because it conflicts with the base; that is done once.
    pub(crate) conflict: bool,
    /// Since when what people said waits for the checks, by our clock.
    pub(crate) waits_since: Option<Timestamp>,
    /// What happened, oldest first; our words.
    pub(crate) told: Vec<String>,
    /// Why it waits for a person, if it is more than a review.
    pub(crate) stuck: Option<String>,
    /// How often the updating comment was decided anew, and what it said then.
    pub(crate) said: u32,
    /// The digest of its words.
    pub(crate) said_digest: String,
    /// The comment that it is, as GitHub counts them.
    pub(crate) comment: Option<u64>,
    /// The digests of its title and of its page as we wrote them last; empty: not known.
    pub(crate) wrote: [String; 2],
    /// How often a person opened it again after it was closed.
    pub(crate) reopened: u32,
    /// When we saw that, by our clock.
    pub(crate) reopened_at: Option<Timestamp>,
    /// When it was closed last, by GitHub's clock.
    pub(crate) closed_at: Option<Timestamp>,
    /// The base that was looked at last, for whether it still holds what the proposal was made on.
    pub(crate) base_seen: Option<String>,
    /// What keeps it from being merged by itself, if its loop merges when green.
    pub(crate) unmerged: Option<Unmerged>,
    /// When it was last made anew on a base that had moved.
    pub(crate) rebuilt_at: Option<Timestamp>,
}

/// One way back to a worker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Round {
    /// Its number, from 1, over all reasons.
    pub(crate) number: u32,
    /// The change that it began with.
    pub(crate) before: Option<AttemptId>,
    /// Why, in words for the updating comment.
    pub(crate) why: String,
    /// Comments on lines that are answered when it has ended.
    pub(crate) threads: Vec<u64>,
}

impl Talk {
    /// Something happened that people are to know.
    pub(crate) fn tell(&mut self, line: String) {
        self.told.push(line);
        if self.told.len() > MAX_TOLD {
            self.told.remove(0);
        }
    }

    /// How many rounds there were.
    pub(crate) fn rounds(&self) -> u32 {
        self.people_rounds + self.ci_rounds + u32::from(self.conflict)
    }
}
