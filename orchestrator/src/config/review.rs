//! How much review people can bear, and how long what nobody answers stays open: `review`.

use std::time::Duration;

use loops::{capacity::Limits, spec::Span};
use serde::Deserialize;

use super::Problem;

const DAY: Duration = Duration::from_secs(86_400);
/// More proposals for one reviewer than this are no limit.
const MOST: u32 = 10_000;
/// Before something expires, people get this long a notice at most.
const NOTICE: Duration = Duration::from_secs(7 * 86_400);

/// What people can bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Review {
    /// How much may wait for one reviewer, over all loops.
    pub limits: Limits,
    /// For how long a proposal or plan stays open that nobody answers; none: for ever.
    pub expire_after: Option<Duration>,
}

impl Default for Review {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            expire_after: Some(21 * DAY),
        }
    }
}

impl Review {
    /// How long before the end people are told of it, if anything ends: a week, or a third of the time if that is less.
    pub fn notice(&self) -> Duration {
        self.expire_after.map_or(NOTICE, |after| NOTICE.min(after / 3))
    }
}

/// The part of the file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    per_reviewer: Option<u32>,
    slow_after: Option<String>,
    expire_after: Option<String>,
}

impl File {
    /// Checks what is written and fills in the defaults.
    pub(super) fn resolve(self, problems: &mut Vec<Problem>) -> Review {
        let usual = Review::default();
        let mut wrong = |what: String| problems.push(Problem { at: None, what });
        let per_reviewer = self.per_reviewer.unwrap_or(usual.limits.per_reviewer);
        if !(1..=MOST).contains(&per_reviewer) {
            wrong(format!(
                "`review.per_reviewer` is {per_reviewer}; it must be 1 to {MOST} (`loops pause` stops a loop)"
            ));
        }
        let mut span = |key: &str, text: &str| match text.parse::<Span>() {
            Ok(span) if span.0.is_zero() => {
                wrong(format!("`review.{key}` must be longer than nothing"));
                None
            }
            Ok(span) => Some(span),
            Err(why) => {
                wrong(format!("`review.{key}`: {why}"));
                None
            }
        };
        let slow_after = self
            .slow_after
            .and_then(|text| span("slow_after", &text))
            .unwrap_or(usual.limits.slow_after);
        let expire_after = match self.expire_after.as_deref() {
            None => usual.expire_after,
            Some("never") => None,
            Some(text) => span("expire_after", text).map(|span| span.0),
        };
        Review {
            limits: Limits {
                per_reviewer,
                slow_after,
            },
            expire_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{super::Config, *};

    fn read(text: &str) -> Result<Review, String> {
        Config::read(Path::new("loops.yaml"), text, Some("/s".into()), &|_| None)
            .map(|config| config.review)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_written_is_five_three_days_and_three_weeks() {
        let usual = read("").unwrap();
        assert_eq!(usual, Review::default());
        assert_eq!(
            (usual.limits.per_reviewer, usual.limits.slow_after.to_string()),
            (5, "3d".to_owned())
        );
        assert_eq!((usual.expire_after, usual.notice()), (Some(21 * DAY), 7 * DAY));
        let own = read("review: { per_reviewer: 2, slow_after: 12h, expire_after: 6d }").unwrap();
        assert_eq!((own.limits.per_reviewer, own.notice()), (2, 2 * DAY));
        assert_eq!(
            read("review: { expire_after: never }").unwrap().expire_after,
            None
        );
    }

    #[test]
    fn what_makes_no_sense_is_told_of_all_at_once() {
        let wrong = read("review: { per_reviewer: 0, slow_after: 0d, expire_after: soon }").unwrap_err();
        for key in ["per_reviewer", "slow_after", "expire_after"] {
            assert!(wrong.contains(key), "{key}: {wrong}");
        }
        assert!(
            read("review: { per_person: 2 }")
                .unwrap_err()
                .contains("per_person")
        );
    }
}
