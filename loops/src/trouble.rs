//! Failures of our own, grouped by cause: what a person has to mend is told once, with how often and since when it
//! happened, and never failure by failure.

use serde::Serialize;

use crate::{text::one_line, time::Timestamp};

/// Which part of the machinery failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// No sandbox could be set up.
    Sandbox,
    /// No model could be asked.
    Model,
    /// The checks cannot run on the base.
    Checks,
    /// GitHub does not let us.
    Permission,
    /// GitHub could not be asked.
    GitHub,
    /// Something was to leave for GitHub, and was given up.
    GivenUp,
    /// The money was used up.
    Budget,
    /// A run could not begin or go on.
    Run,
    /// Tasks could not be carried out for another reason.
    Workers,
}

impl Cause {
    /// What a person reads.
    pub fn words(self) -> &'static str {
        match self {
            Self::Sandbox => "no sandbox could be set up (`loops doctor` looks at it)",
            Self::Model => "no model could be asked (`loops doctor` looks at it)",
            Self::Checks => "checks cannot run on the base branch",
            Self::Permission => "GitHub does not let us (`loops doctor` names what is missing)",
            Self::GitHub => "GitHub could not be asked",
            Self::GivenUp => "something was given up, because GitHub does not take it as things are there",
            Self::Budget => "the budget was used up",
            Self::Run => "runs could not begin or go on",
            Self::Workers => "tasks could not be carried out",
        }
    }
}

/// One failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What failed.
    pub cause: Cause,
    /// The loop that met it; none: what met it belongs to no loop.
    pub loop_name: Option<String>,
    /// When.
    pub at: Timestamp,
    /// What was said, may be empty.
    pub words: String,
}

/// All failures of one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// What failed.
    pub cause: Cause,
    /// How often.
    pub count: usize,
    /// When it first did.
    pub since: Timestamp,
    /// When it last did.
    pub last: Timestamp,
    /// The loops that met it, by name.
    pub loops: Vec<String>,
    /// What was said the last time that something was, on one line.
    pub words: String,
}

/// Failures by their causes, those that happened most first.
pub fn group(failures: &[Failure]) -> Vec<Trouble> {
    let mut all: Vec<Trouble> = Vec::new();
    let mut sorted: Vec<&Failure> = failures.iter().collect();
    sorted.sort_by_key(|failure| failure.at);
    for failure in sorted {
        let at = match all.iter().position(|known| known.cause == failure.cause) {
            Some(at) => at,
            None => {
                all.push(Trouble {
                    cause: failure.cause,
                    count: 0,
                    since: failure.at,
                    last: failure.at,
                    loops: Vec::new(),
                    words: String::new(),
                });
                all.len() - 1
            }
        };
        let known = &mut all[at];
        known.count += 1;
        known.last = failure.at;
        if !failure.words.trim().is_empty() {
            known.words = one_line(&failure.words, 300);
        }
        known.loops.extend(failure.loop_name.clone());
        known.loops.sort();
        known.loops.dedup();
    }
    all.sort_by_key(|trouble| (std::cmp::Reverse(trouble.count), trouble.cause));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(cause: Cause, loop_name: &str, at: i64, words: &str) -> Failure {
        Failure {
            cause,
            loop_name: Some(loop_name.to_owned()),
            at: Timestamp(at),
            words: words.to_owned(),
        }
    }

    #[test]
    fn many_failures_of_one_cause_are_one_line_with_how_often_and_since_when() {
        let all = group(&[
            failure(Cause::Model, "b", 30, ""),
            failure(Cause::Sandbox, "a", 20, "no user\nnamespaces"),
            failure(Cause::Model, "a", 10, "401"),
            failure(Cause::Model, "a", 20, "402"),
        ]);
        assert_eq!(all.len(), 2);
        let model = &all[0];
        assert_eq!(
            (model.cause, model.count, model.since, model.last),
            (Cause::Model, 3, Timestamp(10), Timestamp(30))
        );
        assert_eq!(
            (model.loops.join(" "), model.words.as_str()),
            ("a b".to_owned(), "402")
        );
        assert_eq!(all[1].words, "no user namespaces");
        assert_eq!(group(&[]), []);
    }
}
