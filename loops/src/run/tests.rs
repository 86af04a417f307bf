use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{evidence::Verdict, id::AttemptId};

fn task(n: u8) -> TaskId {
    TaskId::new(0, [n; 10])
}

fn attempt(n: u8) -> AttemptId {
    AttemptId::new(0, [n; 10])
}

const TERMS: Terms = Terms {
    max_attempts: 2,
    review: true,
    plan_first: false,
};

fn after(events: &[Event]) -> RunState {
    events
        .iter()
        .fold(RunState::default(), |state, event| state.decide(event).0)
}

fn leading() -> Vec<Event> {
    vec![
        Event::Collected,
        Event::Triaged { ready: 1 },
        Event::Spawned {
            task: task(1),
            terms: TERMS,
        },
    ]
}

fn worked(n: u8, left: Left) -> [Event; 2] {
    let (task, attempt) = (task(1), attempt(n));
    [
        Event::WorkStarted { task, attempt },
        Event::Worked { task, attempt, left },
    ]
}

#[test]
fn a_run_without_findings_ends_before_any_agent() {
    let state = after(&[Event::Collected, Event::Triaged { ready: 0 }]);
    assert_eq!(state.end(), Some(End::NothingToDo));
    assert!(state.due().is_empty());
}

#[test]
fn a_proven_and_reviewed_change_is_proposed_and_the_run_ends() {
    let mut events = leading();
    events.extend(worked(1, Left::Change));
    let (task, attempt) = (task(1), attempt(1));
    events.push(Event::Proved {
        task,
        attempt,
        verdict: Verdict::Passed,
    });
    assert!(after(&events).due().contains(&Action::Review { task, attempt }));
    events.push(Event::Reviewed {
        task,
        attempt,
        verdict: Verdict::Passed,
    });
    assert!(after(&events).due().contains(&Action::Propose { task, attempt }));
    events.push(Event::Proposed { task, attempt });
    events.push(Event::LeadEnded { well: true });
    assert_eq!(after(&events).end(), Some(End::Done));
}

#[test]
fn an_unproven_change_never_reaches_people() {
    for verdict in [Verdict::Failed, Verdict::CouldNotRun] {
        let mut events = leading();
        for n in 1..=2 {
            events.extend(worked(n, Left::Change));
            events.push(Event::Proved {
                task: task(1),
                attempt: attempt(n),
                verdict,
            });
        }
        assert_eq!(after(&events).tasks[&task(1)].step, Step::Failed(Why::NotProven));
    }
}

#[test]
fn a_refuted_change_goes_back_once_and_then_to_the_person() {
    let mut events = leading();
    for n in 1..=2 {
        let (task, attempt) = (task(1), attempt(n));
        events.extend(worked(n, Left::Change));
        events.push(Event::Proved {
            task,
            attempt,
            verdict: Verdict::Passed,
        });
        events.push(Event::Reviewed {
            task,
            attempt,
            verdict: Verdict::Failed,
        });
    }
    assert_eq!(after(&events).tasks[&task(1)].step, Step::Proposing(attempt(2)));
}

#[test]
fn a_review_that_could_not_be_done_holds_the_change_back() {
    let mut events = leading();
    events.extend(worked(1, Left::Change));
    let (task, attempt) = (task(1), attempt(1));
    events.push(Event::Proved {
        task,
        attempt,
        verdict: Verdict::Passed,
    });
    events.push(Event::Reviewed {
        task,
        attempt,
        verdict: Verdict::CouldNotRun,
    });
    assert_eq!(after(&events).tasks[&task].step, Step::Failed(Why::NotReviewed));
}

#[test]
fn a_lost_attempt_is_tried_again_and_does_not_count() {
    let mut events = leading();
    let (task, attempt) = (task(1), attempt(1));
    events.extend([
        Event::WorkStarted { task, attempt },
        Event::Lost { task, attempt },
    ]);
    assert!(after(&events).due().contains(&Action::Work { task, number: 1 }));
}

#[test]
fn a_person_may_send_a_proposal_back_after_the_run_has_ended() {
    let mut events = leading();
    events.extend(worked(1, Left::Change));
    let (task, attempt) = (task(1), attempt(1));
    events.push(Event::Proved {
        task,
        attempt,
        verdict: Verdict::Passed,
    });
    events.push(Event::Reviewed {
        task,
        attempt,
        verdict: Verdict::Passed,
    });
    events.push(Event::Proposed { task, attempt });
    events.push(Event::LeadEnded { well: true });
    events.push(Event::SentBack { task });
    let state = after(&events);
    assert_eq!(state.due(), vec![Action::Work { task, number: 2 }]);
    assert_eq!(
        state.phase,
        Phase::Draining,
        "the lead agent is not started again"
    );
}

#[test]
fn what_is_proven_anew_after_the_end_is_reviewed_and_stands_whatever_the_reviewer_says() {
    let (task, first, anew) = (task(1), attempt(1), attempt(2));
    let passed = Verdict::Passed;
    let mut events = leading();
    events.extend(worked(1, Left::Change));
    events.push(Event::Proved {
        task,
        attempt: first,
        verdict: passed,
    });
    let reviewed = |attempt, verdict| Event::Reviewed {
        task,
        attempt,
        verdict,
    };
    events.push(reviewed(first, passed));
    let not_yet = events.clone();
    events.push(Event::Proposed { task, attempt: first });
    events.push(Event::LeadEnded { well: true });
    events.push(Event::ProvenAnew { task, attempt: anew });
    assert_eq!(after(&events).due(), [Action::Review { task, attempt: anew }]);
    for verdict in [passed, Verdict::Failed, Verdict::CouldNotRun] {
        let state = after(&[&events[..], &[reviewed(anew, verdict)]].concat());
        assert_eq!(state.end(), Some(End::Done), "{verdict:?}");
        assert_eq!(state.tasks[&task].step, Step::Proposed(anew), "{verdict:?}");
    }
    let early = Event::ProvenAnew { task, attempt: anew };
    let state = after(&[&not_yet[..], &[early]].concat());
    assert_eq!(
        state.due(),
        after(&not_yet).due(),
        "what is not before people cannot be made anew"
    );
}

#[test]
fn a_stopped_run_begins_nothing_and_lets_running_attempts_end() {
    let mut events = leading();
    events.push(Event::WorkStarted {
        task: task(1),
        attempt: attempt(1),
    });
    events.push(Event::Spawned {
        task: task(2),
        terms: TERMS,
    });
    events.push(Event::Stopped {
        end: End::OutOfBudget,
    });
    let state = after(&events);
    assert!(state.due().is_empty());
    assert_eq!(state.end(), None);
    assert_eq!(state.tasks[&task(2)].step, Step::Failed(Why::OutOfBudget));
    let state = state
        .decide(&Event::Worked {
            task: task(1),
            attempt: attempt(1),
            left: Left::Nothing,
        })
        .0;
    assert_eq!(state.end(), Some(End::OutOfBudget));
}

#[test]
fn a_cancelled_run_is_over_at_once_whatever_is_under_way() {
    let mut events = leading();
    events.push(Event::WorkStarted {
        task: task(1),
        attempt: attempt(1),
    });
    events.push(Event::Stopped { end: End::Cancelled });
    let state = after(&events);
    assert_eq!(
        (state.end(), state.tasks[&task(1)].step),
        (Some(End::Cancelled), Step::Cancelled)
    );
}

/// A run of one task whose plan waits, and whose lead agent is done.
fn planned() -> Vec<Event> {
    vec![
        Event::Collected,
        Event::Triaged { ready: 1 },
        Event::Spawned {
            task: task(1),
            terms: Terms {
                plan_first: true,
                ..TERMS
            },
        },
        Event::LeadEnded { well: true },
    ]
}

#[test]
fn a_run_ends_with_its_plans_and_an_approval_opens_it_again() {
    let mut events = planned();
    let ended = after(&events);
    assert_eq!(
        (ended.end(), ended.tasks[&task(1)].step),
        (Some(End::Done), Step::Planned)
    );
    events.push(Event::PlanApproved { task: task(1) });
    let open = after(&events);
    assert_eq!(
        open.due(),
        [Action::Work {
            task: task(1),
            number: 1
        }]
    );
    assert_eq!(open.phase, Phase::Draining, "the lead agent is not started again");
}

#[test]
fn a_refused_plan_ends_its_task_and_opens_nothing() {
    let mut events = planned();
    events.push(Event::PlanRefused { task: task(1) });
    for late in [
        Event::PlanApproved { task: task(1) },
        Event::SentBack { task: task(1) },
    ] {
        events.push(late);
        let state = after(&events);
        assert_eq!(state.end(), Some(End::Done), "{late:?}");
        assert_eq!(state.tasks[&task(1)].step, Step::Failed(Why::PlanRefused));
    }
}

#[test]
fn words_are_no_approval_of_a_plan() {
    let mut events = planned();
    events.push(Event::SentBack { task: task(1) });
    assert_eq!(after(&events).tasks[&task(1)].step, Step::Planned);
    events.remove(3);
    assert_eq!(
        after(&events).tasks[&task(1)].step,
        Step::Planned,
        "nor while the lead agent is at work"
    );
}

#[test]
fn a_run_that_stops_leaves_its_plans_waiting() {
    for end in [End::OutOfBudget, End::Cancelled] {
        let mut events = planned();
        events.insert(3, Event::Stopped { end });
        assert_eq!(after(&events).tasks[&task(1)].step, Step::Planned, "{end:?}");
        events.push(Event::PlanApproved { task: task(1) });
        let open = after(&events);
        assert_eq!((open.end(), open.due().len()), (None, 1), "{end:?}");
    }
}

#[test]
fn an_approval_while_the_run_stops_is_kept_for_after_its_end() {
    let (second, attempt) = (task(2), attempt(1));
    let mut events = planned();
    events.pop();
    events.extend([
        Event::Spawned {
            task: second,
            terms: TERMS,
        },
        Event::WorkStarted {
            task: second,
            attempt,
        },
        Event::Stopped {
            end: End::OutOfBudget,
        },
        Event::PlanApproved { task: task(1) },
    ]);
    assert_eq!(
        after(&events).tasks[&task(1)].step,
        Step::Planned,
        "not cancelled"
    );
    events.extend([
        Event::Worked {
            task: second,
            attempt,
            left: Left::NothingAndNoBudget,
        },
        Event::PlanApproved { task: task(1) },
    ]);
    assert_eq!(after(&events).due().len(), 1);
}

fn any_event() -> impl Strategy<Value = Event> {
    let ids = || (0u8..3, 0u8..4).prop_map(|(t, a)| (task(t), attempt(a)));
    let verdict = || {
        prop_oneof![
            Just(Verdict::Passed),
            Just(Verdict::Failed),
            Just(Verdict::CouldNotRun)
        ]
    };
    let left = prop_oneof![
        Just(Left::Change),
        Just(Left::Nothing),
        Just(Left::NothingAndNoBudget),
        Just(Left::Trouble),
        Just(Left::Hopeless)
    ];
    prop_oneof![
        Just(Event::Collected),
        (0u32..2).prop_map(|ready| Event::Triaged { ready }),
        (0u8..3, 1u32..4, any::<bool>(), any::<bool>()).prop_map(|(t, max_attempts, review, plan_first)| {
            Event::Spawned {
                task: task(t),
                terms: Terms {
                    max_attempts,
                    review,
                    plan_first,
                },
            }
        }),
        ids().prop_map(|(task, _)| Event::PlanApproved { task }),
        ids().prop_map(|(task, _)| Event::PlanRefused { task }),
        ids().prop_map(|(task, attempt)| Event::WorkStarted { task, attempt }),
        (ids(), left).prop_map(|((task, attempt), left)| Event::Worked { task, attempt, left }),
        (ids(), verdict()).prop_map(|((task, attempt), verdict)| Event::Proved {
            task,
            attempt,
            verdict
        }),
        (ids(), verdict()).prop_map(|((task, attempt), verdict)| Event::Reviewed {
            task,
            attempt,
            verdict
        }),
        ids().prop_map(|(task, attempt)| Event::Asked { task, attempt }),
        ids().prop_map(|(task, attempt)| Event::Proposed { task, attempt }),
        ids().prop_map(|(task, attempt)| Event::ProposalRefused { task, attempt }),
        ids().prop_map(|(task, _)| Event::SentBack { task }),
        ids().prop_map(|(task, attempt)| Event::ProvenAnew { task, attempt }),
        ids().prop_map(|(task, attempt)| Event::Lost { task, attempt }),
        ids().prop_map(|(task, _)| Event::TaskCancelled { task }),
        any::<bool>().prop_map(|well| Event::LeadEnded { well }),
        prop_oneof![
            3 => Just(End::OutOfBudget),
            1 => Just(End::Cancelled),
            1 => Just(End::Failed)
        ]
        .prop_map(|end| Event::Stopped { end }),
    ]
}

proptest! {
    #[test]
    fn a_step_changes_what_it_says_and_what_is_newly_due_is_what_was_not_due_before(
        events in prop::collection::vec(any_event(), 0..60),
    ) {
        let mut state = RunState::default();
        for event in &events {
            let before = state.clone();
            let next = state.weigh(event);
            let undo = state.take(&next);
            let changed: Vec<TaskId> =
                state.tasks.iter().filter(|(id, task)| before.tasks.get(id) != Some(task)).map(|(id, _)| *id).collect();
            prop_assert_eq!(next.tasks.keys().copied().collect::<Vec<_>>(), changed);
            let was_due: BTreeSet<Action> = before.due().into_iter().collect();
            let due: Vec<Action> = state.due().into_iter().filter(|action| !was_due.contains(action)).collect();
            prop_assert_eq!(&next.actions, &due);
            prop_assert!(state.due().iter().all(|action| state.is_due(action)));
            prop_assert!(before.due().iter().all(|action| state.is_due(action) == state.due().contains(action)));
            let after = state.clone();
            state.undo(undo);
            prop_assert_eq!(&state, &before);
            state = after;
        }
    }

    #[test]
    fn no_order_of_events_proposes_what_was_not_proven(events in prop::collection::vec(any_event(), 0..60)) {
        let mut state = RunState::default();
        let mut proven = BTreeSet::new();
        let mut approved = BTreeSet::new();
        for event in &events {
            let before = state.clone();
            state = state.decide(event).0;
            if let Event::PlanApproved { task } = event
                && before.tasks.get(task).is_some_and(|run| run.step == Step::Planned)
            {
                approved.insert(*task);
            }
            if let Event::Proved { task, attempt, verdict: Verdict::Passed } = event
                && before.tasks.get(task).is_some_and(|run| run.step == Step::Proving(*attempt))
            {
                proven.insert((*task, *attempt));
            }
            if let Event::ProvenAnew { task, attempt } = event
                && before.tasks.get(task).is_some_and(|run| run.proposed.is_some() && run.step.is_over())
            {
                proven.insert((*task, *attempt));
            }
            for (id, run) in &state.tasks {
                if let Step::Proposing(attempt) | Step::Proposed(attempt) = run.step {
                    prop_assert!(proven.contains(&(*id, attempt)));
                }
                prop_assert!(run.attempts <= run.terms.max_attempts);
                let may_begin = !run.terms.plan_first || approved.contains(id);
                prop_assert!(may_begin || (run.attempts == 0 && run.due(*id).is_none()));
            }
            if state.end().is_some() {
                prop_assert!(state.tasks.values().all(|run| run.step.is_over()));
                prop_assert!(state.due().is_empty());
            }
        }
    }

    #[test]
    fn a_state_survives_storage_and_replay(events in prop::collection::vec(any_event(), 0..40)) {
        let state = after(&events);
        let stored: RunState = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        prop_assert_eq!(&stored, &state);
        let recorded: Vec<Event> =
            events.iter().map(|event| serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap()).collect();
        prop_assert_eq!(after(&recorded), state);
    }

    #[test]
    fn the_same_event_twice_is_the_same_as_once(events in prop::collection::vec(any_event(), 1..40)) {
        let state = after(&events);
        for event in &events {
            let once = state.clone().decide(event).0;
            prop_assert_eq!(&once.clone().decide(event).0, &once);
        }
    }
}

#[test]
fn a_proven_change_that_is_asked_about_waits_without_its_run_and_goes_on_where_it_stood() {
    let mut events = leading();
    events.extend(worked(1, Left::Change));
    events.push(Event::LeadEnded { well: true });
    let about = (task(1), attempt(1));
    let ((task, attempt), verdict) = (about, Verdict::Passed);
    events.extend([
        Event::Proved {
            task,
            attempt,
            verdict,
        },
        Event::Reviewed {
            task,
            attempt,
            verdict,
        },
    ]);
    events.push(Event::Asked {
        task: about.0,
        attempt: about.1,
    });
    let asked = after(&events);
    assert_eq!(asked.end(), Some(End::Done));
    assert_eq!(asked.tasks[&about.0].step, Step::Asked(about.1));
    // Words are no approval.
    let (still, due) = asked.clone().decide(&Event::SentBack { task: about.0 });
    assert_eq!((&still, due), (&asked, vec![]));
    let (_, due) = asked.clone().decide(&Event::PlanApproved { task: about.0 });
    assert_eq!(
        due,
        [Action::Propose {
            task: about.0,
            attempt: about.1
        }]
    );
    let (refused, due) = asked.decide(&Event::PlanRefused { task: about.0 });
    assert_eq!(
        refused.tasks[&about.0].step,
        Step::Failed(Why::DependenciesRefused)
    );
    assert!(due.is_empty());
    let (same, due) = refused.clone().decide(&Event::SentBack { task: about.0 });
    assert_eq!((same, due), (refused, vec![]));
}
