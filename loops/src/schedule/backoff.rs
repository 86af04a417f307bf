//! How long a loop whose machinery fails is left alone: a minute, then twice as long each time, up to a day. What the
//! agents could not do is no failure of the machinery, and nothing here decides what was one but [`hindered`].

use std::time::Duration;

use crate::{
    run::{RunState, Step, Why},
    time::Timestamp,
};

/// After the first failure.
const FIRST: Duration = Duration::from_secs(60);
/// However many there were.
const MOST: Duration = Duration::from_secs(24 * 60 * 60);

/// Which part of the machinery failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No model could be asked.
    Model,
    /// Tasks could not be carried out, checked or reviewed.
    Workers,
    /// Git could not read or write the repository.
    Repository,
    /// A source could not be read.
    Source,
    /// What the spec or the settings name is not there.
    Settings,
    /// The state could not be read or written.
    State,
}

impl Cause {
    const ALL: [Self; 6] = [
        Self::Model,
        Self::Workers,
        Self::Repository,
        Self::Source,
        Self::Settings,
        Self::State,
    ];

    /// Its name in the state.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Workers => "workers",
            Self::Repository => "repository",
            Self::Source => "source",
            Self::Settings => "settings",
            Self::State => "state",
        }
    }

    /// The cause of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == name)
    }

    /// What a person reads.
    pub fn words(self) -> &'static str {
        match self {
            Self::Model => "no model could be asked",
            Self::Workers => "tasks could not be carried out",
            Self::Repository => "the repository could not be used",
            Self::Source => "a source could not be read",
            Self::Settings => "something that the spec names is not there",
            Self::State => "the state could not be kept",
        }
    }
}

/// Failures of one cause, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setback {
    /// What failed.
    pub cause: Cause,
    /// How often; at least once.
    pub failures: u32,
    /// When it last did.
    pub last: Timestamp,
}

impl Setback {
    /// What follows from one more failure. Another cause is another beginning: something was mended in between.
    pub fn after(before: Option<Self>, cause: Cause, now: Timestamp) -> Self {
        let failures = match before {
            Some(before) if before.cause == cause => before.failures.saturating_add(1),
            _ => 1,
        };
        Self {
            cause,
            failures,
            last: now,
        }
    }

    /// Before this moment nothing is tried again.
    pub fn until(self) -> Timestamp {
        let doublings = self.failures.saturating_sub(1).min(16);
        self.last.plus((FIRST * 2u32.pow(doublings)).min(MOST))
    }

    /// Why a tick did nothing.
    pub fn words(self) -> String {
        let times = if self.failures == 1 {
            "1 failure".to_owned()
        } else {
            format!("{} failures", self.failures)
        };
        format!(
            "backing off after {times} until {}: {}",
            self.until(),
            self.cause.words()
        )
    }
}

/// Whether a run that has ended came to nothing because no task could be carried out: at least one, and each of them
/// for want of something that no agent can help.
pub fn hindered(state: &RunState) -> bool {
    let could_not = |step: Step| {
        matches!(
            step,
            Step::Failed(Why::CouldNotRun | Why::NotReviewed | Why::NotProposed)
        )
    };
    !state.tasks.is_empty() && state.tasks.values().all(|task| could_not(task.step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::TaskId,
        run::{TaskRun, Terms},
    };

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn failed(times: u32) -> Setback {
        Setback {
            cause: Cause::Model,
            failures: times,
            last: NOW,
        }
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_day() {
        let minutes: Vec<u64> = (1..=14)
            .map(|times| failed(times).until().since(NOW).as_secs() / 60)
            .collect();
        assert_eq!(
            minutes,
            [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1440, 1440, 1440]
        );
        assert_eq!(failed(u32::MAX).until().since(NOW), MOST);
    }

    #[test]
    fn another_cause_begins_anew() {
        let later = NOW.plus(FIRST);
        let same = Setback::after(Some(failed(3)), Cause::Model, later);
        assert_eq!((same.failures, same.last), (4, later));
        assert_eq!(Setback::after(Some(failed(3)), Cause::Source, later).failures, 1);
        assert_eq!(Setback::after(None, Cause::Model, later).failures, 1);
    }

    #[test]
    fn the_receipt_says_how_often_until_when_and_why() {
        assert_eq!(
            failed(2).words(),
            "backing off after 2 failures until 2026-09-21T14:15:20.000Z: no model could be asked"
        );
        assert!(failed(1).words().contains("after 1 failure until"));
    }

    #[test]
    fn every_cause_is_found_again_by_its_name() {
        for cause in Cause::ALL {
            assert_eq!(Cause::parse(cause.as_str()), Some(cause));
        }
        assert_eq!(Cause::parse("weather"), None);
    }

    #[test]
    fn a_run_is_hindered_only_if_no_task_could_be_carried_out() {
        let run = |steps: &[Step]| {
            let mut state = RunState::default();
            for (n, step) in steps.iter().enumerate() {
                let task = TaskRun {
                    step: *step,
                    terms: Terms {
                        max_attempts: 1,
                        review: false,
                        plan_first: false,
                    },
                    attempts: 1,
                    review_rounds: 0,
                    proposed: None,
                };
                state.tasks.insert(TaskId::named(&n.to_string()), task);
            }
            hindered(&state)
        };
        let (no_sandbox, unproven) = (Step::Failed(Why::CouldNotRun), Step::Failed(Why::NotProven));
        assert!(run(&[no_sandbox, no_sandbox]));
        assert!(!run(&[no_sandbox, unproven]), "one was carried out");
        assert!(!run(&[Step::Cancelled]));
        assert!(!run(&[]), "a run without tasks says nothing about workers");
    }
}
