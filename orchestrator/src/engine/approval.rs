//! Plans that wait for a person: what was said of one is written down at once, whoever drives the run; the run takes it
//! up when it looks, and one that has ended is opened again by whoever holds the state.
//!
//! An answer is therefore never lost and never waits for an agent, and a refused plan is never begun.

use loops::{
    finding::Event as FindingEvent,
    id::{RunId, TaskId},
    run::{Event, RunState, Step},
};
use serde_json::json;

use super::{Answer, Definition, EngineError, Home, Running, propose::move_finding};
use crate::{
    clock,
    store::{
        Store, Tx, findings,
        plans::{self, Plan, PlanState},
        runs, tasks,
    },
};

/// No goal grows beyond this many characters, however often a plan is sent back.
const MAX_GOAL: usize = 16_000;

/// What became of an answer to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanAnswered {
    /// It is approved. Whoever drives the loop goes on with this run.
    Approved(RunId),
    /// The words are a part of it now, and it waits on.
    Waiting,
    /// It is refused, and its findings with it.
    Refused,
}

/// Carries out what `who` says of the plan of a task. It needs no right to drive the loop: a service or a run under
/// way sees the answer within a second.
///
/// # Errors
/// If there is no such plan, if it was answered already, or if the store cannot be written.
pub async fn answer_plan(
    home: &Home,
    task: TaskId,
    answer: &Answer,
    who: &str,
) -> Result<PlanAnswered, EngineError> {
    let mut tx = home.store.begin().await?;
    let plan = waiting(&mut tx, task).await?;
    let answered = match answer {
        Answer::Approve => {
            decide(&mut tx, &plan, PlanState::Approved, None, who).await?;
            PlanAnswered::Approved(plan.run)
        }
        Answer::Revise(words) => {
            revise(&mut tx, &plan, words, who).await?;
            PlanAnswered::Waiting
        }
        Answer::Reject { reason, never } => {
            decide(&mut tx, &plan, PlanState::Refused, Some(reason), who).await?;
            let now = clock::now();
            for finding in &plan.findings {
                findings::refuse(&mut tx, *finding, reason, *never, now).await?;
                let data = json!({ "task": task, "never": never });
                let (name, run) = (Some(plan.loop_name.as_str()), Some(plan.run));
                tx.record(now, "finding.refused", name, run, &finding.to_string(), data)
                    .await?;
            }
            over(&mut tx, &plan).await?;
            PlanAnswered::Refused
        }
    };
    tx.commit().await?;
    Ok(answered)
}

/// Lets a plan that nobody answered expire: its findings are free again, and wait for news. False: it does not wait
/// any more.
///
/// # Errors
/// If there is no such plan, or if the store cannot be written.
pub async fn expire_plan(home: &Home, task: TaskId, why: &str) -> Result<bool, EngineError> {
    let mut tx = home.store.begin().await?;
    let Some(plan) = plans::get(&mut tx, task).await? else {
        return Err(none(task));
    };
    if plan.state != PlanState::Waiting {
        return Ok(false);
    }
    decide(&mut tx, &plan, PlanState::Expired, Some(why), "nobody").await?;
    let now = clock::now();
    for finding in &plan.findings {
        move_finding(&mut tx, *finding, FindingEvent::GivenBack).await?;
        findings::set_considered(&mut tx, *finding, now).await?;
    }
    over(&mut tx, &plan).await?;
    tx.commit().await?;
    Ok(true)
}

async fn waiting(tx: &mut Tx, task: TaskId) -> Result<Plan, EngineError> {
    let plan = plans::get(&mut *tx, task).await?.ok_or_else(|| none(task))?;
    if plan.state == PlanState::Waiting {
        return Ok(plan);
    }
    let who = plan.who.map(|who| format!(" by {who}")).unwrap_or_default();
    Err(EngineError::Record(format!(
        "the plan of {} was {}{who} already",
        task.short(),
        plan.state.as_str()
    )))
}

fn none(task: TaskId) -> EngineError {
    EngineError::Record(format!("{} has no plan", task.short()))
}

async fn decide(
    tx: &mut Tx,
    plan: &Plan,
    state: PlanState,
    words: Option<&str>,
    who: &str,
) -> Result<(), EngineError> {
    let now = clock::now();
    plans::decide(tx, plan.task, state, words, who, now).await?;
    let kind = match state {
        PlanState::Waiting => "plan.waiting",
        PlanState::Approved => "plan.approved",
        PlanState::Refused => "plan.refused",
        PlanState::Expired => "plan.expired",
    };
    note(tx, plan, kind).await
}

/// The words become a part of what the worker is asked.
async fn revise(tx: &mut Tx, plan: &Plan, words: &str, who: &str) -> Result<(), EngineError> {
    if plan.asked.is_some() {
        return Err(EngineError::Record(format!(
            "{} asks for dependencies, and is done otherwise: approve them, or reject them with a reason",
            plan.task.short()
        )));
    }
    let goal = format!(
        "{}\n\nA person looked at this plan and asks for the following, which counts more than what stands above:\n\n{}",
        plan.goal,
        words.trim()
    );
    if goal.chars().count() > MAX_GOAL {
        return Err(EngineError::Record(format!(
            "with these words the plan of {} would be longer than {MAX_GOAL} characters; reject it and say why",
            plan.task.short()
        )));
    }
    let now = clock::now();
    plans::revise(tx, plan.task, &goal, words, who, now).await?;
    tasks::set_goal(tx, plan.task, &goal, now).await?;
    note(tx, plan, "plan.revised").await
}

async fn note(tx: &mut Tx, plan: &Plan, kind: &str) -> Result<(), EngineError> {
    let (name, run) = (Some(plan.loop_name.as_str()), Some(plan.run));
    let data = json!({ "findings": plan.findings });
    tx.record(clock::now(), kind, name, run, &plan.task.to_string(), data)
        .await?;
    Ok(())
}

/// A run that has ended learns at once that a plan of it is over; one that is open looks by itself.
async fn over(tx: &mut Tx, plan: &Plan) -> Result<(), EngineError> {
    let Some(run) = runs::get(&mut *tx, plan.run)
        .await?
        .filter(|run| run.ended_at.is_some())
    else {
        return Ok(());
    };
    let state: RunState = run.state()?;
    let state = happen(tx, plan, state, Event::PlanRefused { task: plan.task }).await?;
    runs::amend(tx, run.id, &state).await?;
    Ok(())
}

/// Writes down an event of the plan's task, and where the task stands after it.
async fn happen(tx: &mut Tx, plan: &Plan, state: RunState, event: Event) -> Result<RunState, EngineError> {
    let now = clock::now();
    let (state, _) = state.decide(&event);
    let (name, run) = (Some(plan.loop_name.as_str()), Some(plan.run));
    tx.record(now, event.kind(), name, run, &plan.task.to_string(), json!(event))
        .await?;
    if let Some(task) = state.tasks.get(&plan.task) {
        let why = match task.step {
            Step::Failed(why) => Some(why.words()),
            _ => None,
        };
        tasks::set_state(tx, plan.task, task.step.as_str(), why, now).await?;
    }
    Ok(state)
}

/// The run of a loop that has approved plans which nobody has taken up; the one whose plan was approved first.
pub(super) async fn approved(store: &Store, loop_name: &str) -> Result<Option<RunId>, EngineError> {
    let ready = plans::not_taken_up(store, Some(loop_name)).await?;
    Ok(ready.first().map(|plan| plan.run))
}

/// Opens a run again for its approved plans, on the base as it is now. A run that is open already takes them up by
/// itself. The caller holds the state's lock.
pub(super) async fn take_up(home: &Home, definition: &Definition, id: RunId) -> Result<(), EngineError> {
    let store = &home.store;
    let run = runs::get(store, id)
        .await?
        .ok_or_else(|| EngineError::Record(format!("{id} is not in the store")))?;
    if run.ended_at.is_none() {
        return Ok(());
    }
    if let Some(other) = runs::open_run(store, &run.loop_name).await? {
        return Err(EngineError::Record(format!(
            "{} of the same loop is under way; the approved plan is taken up when it has ended",
            other.id.short()
        )));
    }
    let (_, base) = home.fetch(&definition.place(), &definition.spec.base).await?;
    let mut tx = store.begin().await?;
    let mut state: RunState = run.state()?;
    let ready = plans::not_taken_up(&mut tx, Some(&run.loop_name)).await?;
    let ready: Vec<&Plan> = ready.iter().filter(|plan| plan.run == id).collect();
    // A change that was asked about is proven on the run's own base, and is proposed there; work begins on the base of
    // now. Where there are both, the work is taken up once the change is proposed.
    let asked = ready.iter().any(|plan| plan.asked.is_some());
    for plan in ready.iter().filter(|plan| plan.asked.is_some() == asked) {
        state = happen(&mut tx, plan, state, Event::PlanApproved { task: plan.task }).await?;
    }
    if state.end().is_none() {
        runs::reopen(&mut tx, id, &state, state.phase.as_str()).await?;
        if !asked {
            runs::set_base(&mut tx, id, &base).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

impl Running {
    /// Takes up what people said of this run's plans since the last look.
    pub(super) async fn take_answers(&self) -> Result<(), EngineError> {
        let waits = |state: &RunState| state.tasks.values().any(|task| task.step.waits_for_a_yes());
        if !self.look(waits) {
            return Ok(());
        }
        for plan in plans::answered(&self.engine.home.store, self.id).await? {
            let task = plan.task;
            let event = match plan.state {
                PlanState::Waiting => continue,
                PlanState::Approved => Event::PlanApproved { task },
                PlanState::Refused | PlanState::Expired => Event::PlanRefused { task },
            };
            let step = self.step().await?;
            // A run that has ended, or is about to, is opened again by `take_up`.
            let now = step.state();
            if now.end().is_some() || now.stopping.is_some() {
                return Ok(());
            }
            step.commit(event).await?;
        }
        Ok(())
    }
}
