//! A run as it is told at its end: for programs the object that the surface promises, for people a few lines.

use loops::{
    budget::{Money, Usage},
    evidence::Evidence,
    finding::Finding,
    id::RunId,
    run::{RunState, Step, Why},
};
use serde::Serialize;

use super::{CliError, Out};
use crate::{
    engine::Definition,
    store::{Store, attempts, calls, evidence, findings, handed, proposals, runs, tasks},
};

/// `{"run": …}`.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) run: Run,
}

/// One run, whole.
#[derive(Debug, Serialize)]
pub(super) struct Run {
    pub(super) id: RunId,
    #[serde(rename = "loop")]
    pub(super) loop_name: String,
    pub(super) state: String,
    pub(super) tick: Option<String>,
    pub(super) base: Option<String>,
    pub(super) report: Option<String>,
    pub(super) started_at: loops::time::Timestamp,
    pub(super) ended_at: Option<loops::time::Timestamp>,
    pub(super) findings: Vec<Finding>,
    pub(super) tasks: Vec<Task>,
    pub(super) usage: Spent,
}

/// One task of it.
#[derive(Debug, Serialize)]
pub(super) struct Task {
    pub(super) id: loops::id::TaskId,
    pub(super) number: u32,
    pub(super) kind: String,
    pub(super) title: String,
    pub(super) state: String,
    pub(super) why: Option<String>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) proposal: Option<Proposal>,
}

/// One attempt of it.
#[derive(Debug, Serialize)]
pub(super) struct Attempt {
    pub(super) id: loops::id::AttemptId,
    pub(super) role: String,
    pub(super) number: u32,
    pub(super) state: String,
    pub(super) ending: Option<String>,
    pub(super) rehearsed: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Proposal {
    pub(super) id: loops::id::ProposalId,
    pub(super) state: String,
    pub(super) branch: String,
    pub(super) base: String,
    pub(super) head: String,
    pub(super) title: String,
}

/// Tokens and money.
#[derive(Debug, Serialize)]
pub(super) struct Spent {
    #[serde(flatten)]
    pub(super) usage: Usage,
    pub(super) cost_usd: Money,
    pub(super) rehearsed: bool,
    pub(super) estimated: bool,
}

impl Summary {
    /// Why no task led to a proposal: of several reasons the one that a person can do most about. None: one did, or
    /// there was no task.
    pub(super) fn held_back(&self) -> Option<Why> {
        let tasks = &self.run.tasks;
        if tasks.iter().any(|task| task.state != "failed") {
            return None;
        }
        let all = [
            Why::OutOfBudget,
            Why::NotProven,
            Why::NoChange,
            Why::NotProposed,
            Why::NotReviewed,
            Why::PlanRefused,
            Why::DependenciesRefused,
            Why::CouldNotRun,
        ];
        all.into_iter()
            .find(|why| tasks.iter().any(|task| task.why.as_deref() == Some(why.words())))
    }
}

/// Reads a run from the store.
pub(super) async fn gather(store: &Store, id: RunId) -> Result<Summary, CliError> {
    let run = runs::get(store, id)
        .await?
        .ok_or_else(|| CliError::new(format!("{id} is not in the store")))?;
    let state: RunState = run.state()?;
    let mut found = Vec::new();
    for finding in handed::of_run(store, id).await? {
        found.extend(findings::get(store, finding).await?.map(|kept| kept.finding));
    }
    let mut all = Vec::new();
    for kept in tasks::of_run(store, id).await? {
        all.push(task(store, &state, kept).await?);
    }
    let spent = calls::spend_of_run(store, id).await?;
    Ok(Summary {
        run: Run {
            id,
            loop_name: run.loop_name,
            state: state.phase.as_str().to_owned(),
            tick: Some(run.started_at.to_string()),
            base: run.base,
            report: run.report,
            started_at: run.started_at,
            ended_at: run.ended_at,
            findings: found,
            tasks: all,
            usage: Spent {
                usage: spent.usage,
                cost_usd: spent.cost,
                rehearsed: spent.rehearsed > 0,
                estimated: spent.estimated > 0,
            },
        },
    })
}

async fn task(store: &Store, state: &RunState, kept: tasks::Kept) -> Result<Task, CliError> {
    let id = kept.task.id;
    let last = state.tasks.get(&id).and_then(|run| match run.step {
        Step::Proposed(attempt) | Step::Proposing(attempt) | Step::Reviewing(attempt) => Some(attempt),
        _ => None,
    });
    let mut found = evidence::of_task(store, id).await?;
    // The evidence of the change that counts: the proposed one, else the last one.
    let of = last.or_else(|| found.last().map(|kept| kept.of_attempt));
    found.retain(|kept| Some(kept.of_attempt) == of);
    Ok(Task {
        id,
        number: kept.number,
        kind: kept.task.worker,
        title: kept.task.title,
        state: kept.state,
        why: kept.why,
        attempts: attempts::of_task(store, id)
            .await?
            .into_iter()
            .map(|attempt| Attempt {
                id: attempt.begun.id,
                role: attempt.begun.role.as_str().to_owned(),
                number: attempt.begun.number,
                state: attempt.state.as_str().to_owned(),
                ending: attempt.ended.ending,
                rehearsed: attempt.begun.rehearsed,
            })
            .collect(),
        evidence: found.into_iter().map(|kept| kept.evidence).collect(),
        proposal: proposals::of_task(store, id).await?.map(|proposal| Proposal {
            id: proposal.id,
            state: proposal.state.as_str().to_owned(),
            branch: proposal.branch,
            base: proposal.base,
            head: proposal.head,
            title: proposal.title,
        }),
    })
}

/// Tells a person how it went, and what to type next.
pub(super) fn print(out: Out, summary: &Summary, definition: &Definition) {
    let run = &summary.run;
    let took = run
        .ended_at
        .unwrap_or_else(crate::clock::now)
        .since(run.started_at);
    out.line(format!(
        "\n{} {} in {:.1} s",
        run.id.short(),
        run.state.replace('_', " "),
        took.as_secs_f64()
    ));
    for task in &run.tasks {
        let tries = task
            .attempts
            .iter()
            .filter(|attempt| attempt.role == "work")
            .count();
        let tries = count(u32::try_from(tries).unwrap_or(u32::MAX), "attempt");
        match &task.proposal {
            Some(proposal) => out.line(format!(
                "  {} T{} {} ({tries}): {} {}",
                out.paint("32", "✓"),
                task.number,
                task.title,
                proposal.state,
                out.paint("1", &proposal.id.short())
            )),
            None if task.state == "planned" => out.line(format!(
                "  {} T{} {}: waits for your approval {}",
                out.paint("33", "…"),
                task.number,
                task.title,
                out.paint("1", &task.id.short())
            )),
            None => out.line(format!(
                "  {} T{} {} ({tries}): {}",
                out.paint("31", "✗"),
                task.number,
                task.title,
                task.why.as_deref().unwrap_or(&task.state)
            )),
        }
    }
    if let Some(report) = run.report.as_deref().filter(|report| !report.is_empty()) {
        out.line(format!(
            "\nThe lead agent's report:\n  {}",
            loops::text::plain(report).replace('\n', "\n  ")
        ));
    }
    let usage = &run.usage;
    if usage.usage != Usage::default() || usage.rehearsed {
        out.line(format!(
            "\nspent {}{}: {} tokens in ({} from cache), {} out{}",
            if usage.estimated { "about " } else { "" },
            usage.cost_usd,
            usage.usage.all_input(),
            usage.usage.cache_read_tokens,
            usage.usage.output_tokens,
            if usage.rehearsed {
                "; rehearsed: a cassette answered, nothing was bought"
            } else {
                ""
            }
        ));
    }
    let open = run
        .tasks
        .iter()
        .filter_map(|task| task.proposal.as_ref())
        .find(|proposal| proposal.state == "open");
    if let Some(open) = open {
        out.line(format!("next: loops review {}", open.id.short()));
    } else if let Some(plan) = run.tasks.iter().find(|task| task.state == "planned") {
        out.line(format!("next: loops review {}", plan.id.short()));
    } else if run.tasks.is_empty() && run.state == "nothing_to_do" {
        out.line(format!(
            "nothing to do for `{}`: no finding is new and passes its thresholds; no model was asked",
            definition.spec.name
        ));
    }
}

/// `1 task`, `2 tasks`.
pub(super) fn count(n: u32, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}

/// `1 person`, `9 people`, `machines`.
pub(super) fn people(n: u32) -> String {
    match n {
        0 => "machines".to_owned(),
        1 => "1 person".to_owned(),
        _ => format!("{n} people"),
    }
}
