//! Gathers failures of our own from what is written down anyway: runs that came to nothing, attempts that could not be
//! carried out, effects that cannot leave. A cause is over as soon as the loop that met it had a run without it.

use loops::{
    run::{End, RunState, Step, Why},
    trouble::{Cause, Failure, Trouble, group},
};

use super::{EngineError, outbox};
use crate::store::{
    Store,
    attempts::{self, AttemptState},
    evidence, loops as loop_rows, runs, tasks,
    ticks::{self, Receipt},
};

/// How many runs of a loop are looked at, latest first.
const RUNS: u32 = 50;

/// What does not work now, by cause: of these loops and what is to leave for this repository (`owner/name`), or of
/// everything.
///
/// # Errors
/// If the store cannot be read.
pub async fn troubles(store: &Store, of: Option<(&[String], &str)>) -> Result<Vec<Trouble>, EngineError> {
    let mut all = Vec::new();
    for row in loop_rows::list(store).await? {
        if of.is_none_or(|(names, _)| names.contains(&row.name)) {
            all.extend(of_loop(store, &row.name).await?);
        }
    }
    for unsent in outbox::failures(store, of.map(|(_, repository)| repository)).await? {
        all.push(Failure {
            cause: match (refused(&unsent.why), unsent.given_up) {
                (true, _) => Cause::Permission,
                (false, true) => Cause::GivenUp,
                (false, false) => Cause::GitHub,
            },
            loop_name: None,
            at: unsent.at,
            words: unsent.why,
        });
    }
    Ok(group(&all))
}

/// Whether GitHub said that the login may not do it: its words as [`crate::github::GitHubError`] has them.
fn refused(why: &str) -> bool {
    [
        "does not let us",
        "refused the login",
        "may not see it",
        "login cannot be used",
    ]
    .iter()
    .any(|words| why.contains(words))
}

async fn of_loop(store: &Store, name: &str) -> Result<Vec<Failure>, EngineError> {
    let mut all = Vec::new();
    let mut good = None;
    for run in runs::list(store, Some(name), None, RUNS).await? {
        let Some(ended) = run.ended_at else { continue };
        let found = of_run(store, &run).await?;
        if found.is_empty() {
            good = Some(ended);
            break;
        }
        all.extend(found);
    }
    for tick in ticks::list(store, name, RUNS).await? {
        if good.is_some_and(|good| tick.due_at <= good) {
            break;
        }
        // What failed within a run was found there.
        if tick.receipt == Receipt::Failed && tick.run.is_none() {
            all.push(Failure {
                cause: Cause::Run,
                loop_name: Some(name.to_owned()),
                at: tick.due_at,
                words: tick.why.unwrap_or_default(),
            });
        }
    }
    Ok(all)
}

async fn of_run(store: &Store, run: &runs::Run) -> Result<Vec<Failure>, EngineError> {
    let state: RunState = run.state()?;
    let at = run.ended_at.unwrap_or(run.started_at);
    let failure = |cause, words: String| Failure {
        cause,
        loop_name: Some(run.loop_name.clone()),
        at,
        words,
    };
    let mut all = Vec::new();
    match state.end() {
        Some(End::OutOfBudget) => all.push(failure(Cause::Budget, String::new())),
        Some(End::Failed) => {
            let words = last_words(store, run, None).await?;
            all.push(failure(cause_of(&words, Cause::Model), words));
        }
        _ => {}
    }
    for kept in tasks::of_run(store, run.id).await? {
        let Some(Step::Failed(why)) = state.tasks.get(&kept.task.id).map(|task| task.step) else {
            continue;
        };
        match why {
            Why::OutOfBudget => all.push(failure(Cause::Budget, String::new())),
            Why::CouldNotRun | Why::NotReviewed | Why::NotProposed => {
                let words = last_words(store, run, Some(kept.task.id)).await?;
                all.push(failure(cause_of(&words, Cause::Workers), words));
            }
            Why::NotProven => {
                let found = evidence::of_task(store, kept.task.id).await?;
                let blind = found.iter().rev().map(|kept| &kept.evidence).find(|found| {
                    let before = found.before.as_ref().map(|seen| seen.verdict);
                    before == Some(loops::evidence::Verdict::CouldNotRun)
                });
                all.extend(blind.map(|found| failure(Cause::Checks, found.words.clone())));
            }
            Why::NoChange | Why::PlanRefused | Why::DependenciesRefused => {}
        }
    }
    Ok(all)
}

/// What the last attempt of a task (none: of the lead agent) that could not be carried out said.
async fn last_words(
    store: &Store,
    run: &runs::Run,
    task: Option<loops::id::TaskId>,
) -> Result<String, EngineError> {
    let all = match task {
        Some(task) => attempts::of_task(store, task).await?,
        None => attempts::of_run(store, run.id).await?,
    };
    let last = all.into_iter().rev().find(|attempt| {
        attempt.state == AttemptState::Failed || attempt.ended.ending.as_deref() == Some("model_failed")
    });
    Ok(last.map_or_else(String::new, |attempt| {
        if attempt.ended.ending.as_deref() == Some("model_failed") {
            "the model could not be asked".to_owned()
        } else {
            attempt.ended.summary.unwrap_or_default()
        }
    }))
}

/// The cause that words of ours speak of.
fn cause_of(words: &str, usual: Cause) -> Cause {
    if words.contains("sandbox") {
        Cause::Sandbox
    } else if words.contains("model") {
        Cause::Model
    } else {
        usual
    }
}
