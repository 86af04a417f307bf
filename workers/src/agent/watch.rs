//! Notices a model that goes nowhere: the same calls with the same answers, or calls that no tool can take.
//!
//! Reading the same file twice is normal; so a turn counts only if nothing in it is new, and one new answer starts the
//! count again.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use super::{calls::Answered, messages::ToolUse};

/// How many turns in a row may consist of nothing but calls that no tool could take.
const BAD_TURNS: u32 = 6;
/// After so many turns in a row without anything new, the model is told.
const STALE_TOLD: u32 = 3;
/// And after so many the session ends.
const STALE_END: u32 = 8;

/// What is to be done about a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Nothing.
    Fine,
    /// The model has to hear that it repeats itself.
    Repeats,
    /// It was told and goes on: the end.
    Loops,
    /// It has made no usable call for too long: the end.
    NoSense,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Digests of calls with their answers.
    seen: HashSet<u64>,
    stale_turns: u32,
    bad_turns: u32,
}

impl Watch {
    /// Judges a turn. `expected`: repeating these calls is normal.
    pub(super) fn judge(&mut self, calls: &[ToolUse], answers: &[Answered], expected: bool) -> Judgement {
        let mut new = expected;
        for (call, answered) in calls.iter().zip(answers) {
            let mut hasher = DefaultHasher::new();
            (&call.name, call.input.to_string(), &answered.text).hash(&mut hasher);
            new |= self.seen.insert(hasher.finish());
        }
        let taken = answers.iter().any(|answered| answered.taken);
        self.stale_turns = if new { 0 } else { self.stale_turns + 1 };
        self.bad_turns = if taken { 0 } else { self.bad_turns + 1 };
        match (self.stale_turns, self.bad_turns) {
            (_, BAD_TURNS..) => Judgement::NoSense,
            (STALE_END.., _) => Judgement::Loops,
            (STALE_TOLD.., _) => Judgement::Repeats,
            _ => Judgement::Fine,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn turn(watch: &mut Watch, input: u32, answer: &str, taken: bool, expected: bool) -> Judgement {
        let call = ToolUse {
            name: "run".into(),
            input: json!({ "n": input }),
            ..ToolUse::default()
        };
        watch.judge(
            &[call],
            &[Answered {
                ok: taken,
                text: answer.to_owned(),
                taken,
                took: Duration::ZERO,
            }],
            expected,
        )
    }

    #[test]
    fn turns_that_alternate_without_news_are_a_loop_too() {
        let mut watch = Watch::default();
        let judged: Vec<_> = (0..10)
            .map(|n| turn(&mut watch, n % 2, "same", true, false))
            .collect();
        assert_eq!(judged[..4], [Judgement::Fine; 4]);
        assert_eq!(judged[4..9], [Judgement::Repeats; 5]);
        assert_eq!(judged[9], Judgement::Loops);
    }

    #[test]
    fn a_new_answer_to_an_old_call_starts_the_count_again() {
        let mut watch = Watch::default();
        for n in 0..40 {
            let answer = format!("{}", n / 3);
            assert_eq!(turn(&mut watch, 1, &answer, true, false), Judgement::Fine, "{n}");
        }
    }

    #[test]
    fn waiting_may_be_repeated() {
        let mut watch = Watch::default();
        assert!((0..40).all(|_| turn(&mut watch, 1, "nothing yet", true, true) == Judgement::Fine));
    }

    #[test]
    fn calls_that_no_tool_takes_end_it_even_when_they_differ() {
        let mut watch = Watch::default();
        let judged: Vec<_> = (0..6)
            .map(|n| turn(&mut watch, n, "no such tool", false, false))
            .collect();
        assert_eq!(judged[..5], [Judgement::Fine; 5]);
        assert_eq!(judged[5], Judgement::NoSense);
    }
}
