//! Drives a run from its state to its end: starts what is due, waits for what is under way, and stops in good
//! order.

use std::{collections::BTreeMap, sync::Arc};

use loops::{
    id::{AttemptId, RunId, TaskId},
    run::{Action, End, Event, RunState, Step},
    spec::Backend,
    time::Timestamp,
};
use tokio::{
    sync::{Mutex, Semaphore, mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    Definition, Engine, EngineError, Home, Progress, Running, Watchers, approval,
    node::{self, goes_on_elsewhere},
    talk,
};
use crate::{
    clock, lead,
    store::{attempts, loops as loop_rows, orders, runs, saves, tasks, ticks},
};

/// How often it is looked whether somebody wants the run stopped.
const LOOK: std::time::Duration = std::time::Duration::from_millis(500);

/// How many tasks at once look up which place they wait for.
const READING: usize = 2;

/// What to drive.
#[derive(Debug, Clone, Copy)]
pub enum Start {
    /// The loop's open run if there is one, else a new one.
    NewOrOpen,
    /// This run, which was interrupted or which a person's words have opened again.
    Again(RunId),
    /// The tick of the loop's schedule that was due then.
    Tick(Timestamp),
    /// A tick that news from outside have made, then.
    Woken(Timestamp),
    /// This run, one of whose plans was approved.
    Approved(RunId),
}

impl Start {
    /// The tick that it is for.
    pub(super) fn tick(self) -> Option<Timestamp> {
        match self {
            Self::Tick(due) | Self::Woken(due) => Some(due),
            Self::NewOrOpen | Self::Again(_) | Self::Approved(_) => None,
        }
    }
}

/// How driving ended.
#[derive(Debug)]
pub struct Finished {
    /// The run.
    pub id: RunId,
    /// Its end; none: it was interrupted, and goes on when the loop is run again.
    pub end: Option<End>,
    /// What went wrong with the machinery, if something did.
    pub trouble: Option<EngineError>,
    /// Why nothing was started although there was something, if that is so.
    pub held: Option<String>,
}

/// Drives a run to its end, or until `cancel`.
///
/// # Errors
/// If it cannot be begun or its state cannot be kept. What single tasks meet ends those tasks only.
pub async fn run(
    engine: &Engine,
    definition: &Definition,
    start: Start,
    watchers: &Watchers,
    cancel: &CancellationToken,
) -> Result<Finished, EngineError> {
    if matches!(start, Start::NewOrOpen | Start::Approved(_)) {
        forgive(engine, &definition.spec.name).await?;
    }
    let start = with_approved(engine, definition, start).await?;
    let (running, mut actions) = begin(engine, definition, start, watchers, cancel).await?;
    let running = Arc::new(running);
    let mut jobs = JoinSet::new();
    let driven = drive(&running, &mut actions, &mut jobs, cancel).await;
    jobs.shutdown().await;
    engine.home.node.settled(running.id).await;
    let finished = |end, trouble| Finished {
        id: running.id,
        end,
        trouble,
        held: running.held.get().cloned(),
    };
    match driven {
        // What was written down stands, perhaps with the last step, perhaps without: who goes on asks the store. A full
        // disk shows in many ways, and none of them is the run's fault.
        Err(error) if error.is_outage() || engine.home.disk.short().is_some() => {
            tracing::info!(run = %running.id, %error, "the run is interrupted");
            Ok(finished(None, Some(error)))
        }
        Err(error) => Err(error),
        Ok(driven) => {
            if driven.cancelled {
                running.happen(Event::Stopped { end: End::Cancelled }).await?;
            }
            if driven.cancelled || driven.dropped {
                recover(&running).await?;
            }
            Ok(finished(running.look(RunState::end), driven.trouble))
        }
    }
}

/// How a run came to its end, or to where it stands.
#[derive(Debug, Default)]
struct Driven {
    /// Somebody wanted it stopped.
    cancelled: bool,
    /// Nothing was left of it that anybody wants.
    dropped: bool,
    /// What failed it.
    trouble: Option<EngineError>,
}

async fn drive(
    running: &Arc<Running>,
    actions: &mut mpsc::UnboundedReceiver<Action>,
    jobs: &mut JoinSet<Result<(), EngineError>>,
    cancel: &CancellationToken,
) -> Result<Driven, EngineError> {
    let home = &running.engine.home;
    let elsewhere = recover(running).await?;
    running.take_answers().await?;
    for (task, attempt) in elsewhere {
        let running = Arc::clone(running);
        jobs.spawn(async move { running.go_on_working(task, attempt).await });
    }
    // What `recover` decided is due already; what the jobs decide is not, so they begin after this.
    while actions.try_recv().is_ok() {}
    for action in running.due().await {
        jobs.spawn(perform(Arc::clone(running), action));
    }
    let mut driven = Driven::default();
    let mut looks = tokio::time::interval(LOOK);
    while !(jobs.is_empty() && actions.is_empty()) {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            _ = looks.tick() => {
                if runs::wants_cancel(&home.store, running.id).await? {
                    driven.cancelled = true;
                    break;
                }
                running.take_answers().await?;
                let stopped = running.drop_what_is_left_alone().await?;
                if stopped && running.look(RunState::end).is_some() {
                    driven.dropped = true;
                    break;
                }
            }
            Some(action) = actions.recv() => { jobs.spawn(perform(Arc::clone(running), action)); }
            Some(done) = jobs.join_next() => {
                if let Err(error) = done.unwrap_or_else(|panic| Err(EngineError::Record(format!("a part of the run broke: {panic}")))) {
                    if error.is_outage() || home.disk.short().is_some() {
                        return Err(error);
                    }
                    tracing::info!(run = %running.id, %error, "the run stops");
                    running.happen(Event::Stopped { end: End::Failed }).await?;
                    driven.trouble.get_or_insert(error);
                    if running.look(RunState::end).is_none() {
                        // Attempts that are under way end by themselves.
                        continue;
                    }
                }
            }
        }
    }
    Ok(driven)
}

async fn perform(running: Arc<Running>, action: Action) -> Result<(), EngineError> {
    match action {
        // Boxed: of the thousands that may wait, none keeps room for what the largest of these needs.
        Action::Collect => Box::pin(running.collect()).await,
        Action::Triage => Box::pin(running.triage()).await,
        Action::Lead => Box::pin(lead::lead(&running)).await,
        Action::Work { task, number } => running.work(task, number).await,
        Action::Prove { task, attempt } => Box::pin(running.prove(task, attempt)).await,
        Action::Review { task, attempt } => Box::pin(running.review(task, attempt)).await,
        Action::Propose { task, attempt } => Box::pin(running.propose(task, attempt)).await,
    }
}

/// What an approval asks for: its run, open again. Who starts a loop without an open run gets that, too.
async fn with_approved(engine: &Engine, definition: &Definition, start: Start) -> Result<Start, EngineError> {
    let (store, name) = (&engine.home.store, &definition.spec.name);
    let id = match start {
        Start::Approved(id) => Some(id),
        Start::NewOrOpen if runs::open_run(store, name).await?.is_none() => {
            approval::approved(store, name).await?
        }
        Start::NewOrOpen | Start::Again(_) | Start::Tick(_) | Start::Woken(_) => None,
    };
    let Some(id) = id else { return Ok(start) };
    approval::take_up(&engine.home, definition, id).await?;
    Ok(Start::Again(id))
}

async fn begin(
    engine: &Engine,
    definition: &Definition,
    start: Start,
    watchers: &Watchers,
    cancel: &CancellationToken,
) -> Result<(Running, mpsc::UnboundedReceiver<Action>), EngineError> {
    let name = &definition.spec.name;
    let rehearsal = definition
        .spec
        .workers
        .iter()
        .find(|(_, worker)| worker.agent == Backend::Rehearsal);
    if let (Some((kind, _)), false) = (rehearsal, engine.gateway.is_rehearsal()) {
        return Err(EngineError::NoCassette(kind.clone()));
    }
    let place = definition.place();
    let mirror = engine.home.mirror(&place.to_string());
    let open = match start {
        Start::NewOrOpen | Start::Tick(_) | Start::Woken(_) => {
            runs::open_run(&engine.home.store, name).await?
        }
        Start::Again(id) | Start::Approved(id) => runs::get(&engine.home.store, id).await?,
    };
    let resumed = open.is_some();
    let scheduled = match &open {
        Some(run) => run.trigger != runs::TriggerKind::Person,
        None => start.tick().is_some(),
    };
    if let (Some(run), Some(due)) = (&open, start.tick()) {
        take_tick(engine, name, due, run.id).await?;
    }
    let (id, state, base) = match open {
        Some(run) => {
            let state: RunState = run.state()?;
            let base = run
                .base
                .ok_or_else(|| EngineError::Record(format!("{} has no base commit", run.id)))?;
            node::bring_base(&engine.home, &place, &definition.spec.base, &base).await?;
            (run.id, state, base)
        }
        None => {
            let (mirror, base) = engine.home.fetch(&place, &definition.spec.base).await?;
            talk::reverted(&engine.home, name, &workers::git::Git::at(&mirror), &base).await?;
            let id = record_new(engine, definition, &base, start).await?;
            (id, RunState::default(), base)
        }
    };
    watchers.tell(Progress::Run { id, resumed });
    if resumed {
        tell_of_tasks(engine, id, &state, watchers).await?;
    }
    let (actions, due) = mpsc::unbounded_channel();
    let working: BTreeMap<_, _> = definition
        .spec
        .workers
        .iter()
        .map(|(kind, worker)| {
            (
                kind.clone(),
                Arc::new(Semaphore::new(worker.max_parallel as usize)),
            )
        })
        .collect();
    let running = Running {
        engine: engine.clone(),
        definition: definition.clone(),
        id,
        base,
        repository: place.to_string(),
        mirror,
        watchers: watchers.clone(),
        cancel: cancel.clone(),
        seen: watch::Sender::new(state.clone()),
        state: Mutex::new(state),
        actions,
        working,
        reading: Semaphore::new(READING),
        by_hand: !scheduled || matches!(start, Start::NewOrOpen),
        held: std::sync::OnceLock::new(),
    };
    Ok((running, due))
}

/// Who watches a run that goes on learns which of its tasks are under way, and by which names.
async fn tell_of_tasks(
    engine: &Engine,
    id: RunId,
    state: &RunState,
    watchers: &Watchers,
) -> Result<(), EngineError> {
    for kept in tasks::of_run(&engine.home.store, id).await? {
        let under_way = state
            .tasks
            .get(&kept.task.id)
            .is_some_and(|task| !task.step.is_over());
        if under_way {
            watchers.tell(Progress::Task {
                id: kept.task.id,
                number: kept.number,
                title: kept.task.title,
            });
        }
    }
    Ok(())
}

async fn record_new(
    engine: &Engine,
    definition: &Definition,
    base: &str,
    start: Start,
) -> Result<RunId, EngineError> {
    let now = clock::now();
    let id = clock::id(RunId::new);
    let state = RunState::default();
    let due = start.tick();
    let name = &definition.spec.name;
    let mut tx = engine.home.store.begin().await?;
    let spec =
        serde_json::to_value(&*definition.spec).map_err(|error| EngineError::Record(error.to_string()))?;
    let path = definition.path.display().to_string();
    loop_rows::upsert(&mut tx, name, &definition.version, &spec, &path, now).await?;
    loop_rows::belong(&mut tx, name, definition.repository.as_deref()).await?;
    let run = runs::Run {
        id,
        loop_name: name.clone(),
        version: definition.version.clone(),
        trigger: match start {
            Start::Tick(_) => runs::TriggerKind::Schedule,
            Start::Woken(_) => runs::TriggerKind::Webhook,
            Start::NewOrOpen | Start::Again(_) | Start::Approved(_) => runs::TriggerKind::Person,
        },
        base: Some(base.to_owned()),
        phase: state.phase.as_str().to_owned(),
        state: serde_json::to_value(&state).map_err(|error| EngineError::Record(error.to_string()))?,
        report: None,
        started_at: now,
        ended_at: None,
    };
    runs::insert(&mut tx, &run).await?;
    if let Some(due_at) = due
        && !ticks::begin(&mut tx, name, due_at, id).await?
    {
        return Err(EngineError::Record(format!(
            "the tick of {due_at} was taken by somebody else"
        )));
    }
    let data = serde_json::json!({ "version": definition.version, "base": base, "due_at": due });
    tx.record(now, "run.started", Some(name), Some(id), &id.to_string(), data)
        .await?;
    tx.commit().await?;
    Ok(id)
}

/// Working attempts that go on elsewhere, or whose outcome is there, are waited for: which they are. The others that were
/// under way when the process died are lost; they do not count, and are made again.
async fn recover(running: &Running) -> Result<Vec<(TaskId, AttemptId)>, EngineError> {
    let home = &running.engine.home;
    let state = running.state().await;
    let mut posted = orders::of_run(&home.store, running.id).await?;
    let mut elsewhere = Vec::new();
    for (task, run) in &state.tasks {
        let Step::Working(attempt) = run.step else {
            continue;
        };
        let order = posted.iter().find(|order| order.attempt == attempt);
        let goes_on = match order {
            Some(order) => {
                goes_on_elsewhere(&home.node, order, !home.store.is_file()) || take_back(home, order).await?
            }
            None => false,
        };
        if goes_on {
            elsewhere.push((*task, attempt));
        } else {
            running.happen(Event::Lost { task: *task, attempt }).await?;
        }
    }
    posted.retain(|order| !elsewhere.iter().any(|(_, attempt)| *attempt == order.attempt));
    let mut step = running.step().await?;
    for order in posted {
        orders::lease::close(&mut step.tx, order.attempt).await?;
        saves::forget(&mut step.tx, order.attempt).await?;
    }
    for attempt in attempts::lose_running(&mut step.tx, running.id, clock::now()).await? {
        let scratch = running.engine.home.scratch(attempt);
        let _ = tokio::task::spawn_blocking(move || workers::sandbox::remove(&scratch)).await;
    }
    step.tx.commit().await?;
    Ok(elsewhere)
}

/// Takes an order back that the last process on our state folder carried out, if enough of it was saved to go on from.
async fn take_back(home: &Home, order: &orders::Posted) -> Result<bool, EngineError> {
    if !saves::there(&home.store, order.attempt).await? {
        return Ok(false);
    }
    let mut tx = home.store.begin_beside().await?;
    let taken = orders::lease::take_back(&mut tx, order.attempt, order.lease.token).await?;
    tx.commit().await?;
    Ok(taken)
}

/// Collects and triages only, and gives what would be handed to the lead agent.
pub(super) async fn look(
    engine: &Engine,
    definition: &Definition,
    watchers: &Watchers,
) -> Result<Vec<loops::finding::Finding>, EngineError> {
    let mut listener = watchers.listen();
    let (running, _due) = begin(
        engine,
        definition,
        Start::NewOrOpen,
        watchers,
        &CancellationToken::new(),
    )
    .await?;
    running.collect().await?;
    running.triage().await?;
    let mut found = Vec::new();
    while let Ok(progress) = listener.try_recv() {
        if let Progress::Findings { ready, .. } = progress {
            found = ready;
        }
    }
    Ok(found)
}

/// Who runs a loop by hand, or approves its plan, wants its ticks tried again, too.
async fn forgive(engine: &Engine, name: &str) -> Result<(), EngineError> {
    let mut tx = engine.home.store.begin().await?;
    loop_rows::recover(&mut tx, name).await?;
    tx.commit().await?;
    Ok(())
}

/// A tick that found a run to go on with is that run's, too.
async fn take_tick(engine: &Engine, name: &str, due_at: Timestamp, run: RunId) -> Result<(), EngineError> {
    let mut tx = engine.home.store.begin().await?;
    ticks::begin(&mut tx, name, due_at, run).await?;
    tx.commit().await?;
    Ok(())
}
