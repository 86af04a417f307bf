//! What a run would do, without doing it: the sources are read and triaged in a copy of the state, and no agent is
//! started.

use loops::{budget::Money, finding::Finding, spec::LeadChoice, time::Timestamp};
use serde::Serialize;

use super::{Definition, Engine, EngineError, Watchers};

/// What a run would do, and what it could cost at most.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// What it would be handed, best first.
    pub findings: Vec<Finding>,
    /// How many tasks, at most.
    pub tasks: u32,
    /// What it could cost at most: the tightest of the loop's caps.
    pub worst_case: Money,
    /// Which cap that is, in words.
    pub because: String,
    /// Until when the loop's quiet hours go on, if they are now: until then no tick starts any of this.
    pub quiet_until: Option<Timestamp>,
    /// Whether each task waits for a person's approval first.
    pub plan_first: bool,
}

/// What a run would do now. `engine` works on a copy of the state, which the caller throws away.
///
/// # Errors
/// If the sources or the repository cannot be read.
pub async fn plan(
    engine: &Engine,
    definition: &Definition,
    watchers: &Watchers,
) -> Result<Plan, EngineError> {
    let findings = super::drive::look(engine, definition, watchers).await?;
    let spec = &definition.spec;
    let tasks = u32::try_from(findings.len()).unwrap_or(u32::MAX);
    let budget = &spec.budget;
    let by_task = Money(budget.task.0.0.saturating_mul(i64::from(tasks)));
    let caps = [
        (
            budget.run.0,
            "the run's budget, the lead agent included".to_owned(),
        ),
        (budget.day.0, "the day's budget".to_owned()),
        (
            by_task,
            format!("{tasks} tasks of at most {} each", budget.task.0),
        ),
    ];
    // A lead agent spends beside its tasks.
    let count = if spec.lead == LeadChoice::None { 3 } else { 2 };
    let tightest = caps.into_iter().take(count).min_by_key(|(cap, _)| *cap);
    let nothing = (
        Money::ZERO,
        "nothing is started, so nothing is asked of a model".to_owned(),
    );
    let (worst_case, because) = tightest.filter(|_| !findings.is_empty()).unwrap_or(nothing);
    Ok(Plan {
        findings,
        tasks,
        worst_case,
        because,
        quiet_until: super::triage::quiet_until(spec),
        plan_first: spec.proposal.plans_first(),
    })
}
