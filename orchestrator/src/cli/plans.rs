//! Plans, as a person reads and answers them: what would be done, for whom, where, and what it may cost.

use loops::text::plain;
use serde_json::{Value, json};

use super::{CliError, Context, Exit, Format, Out, report, review::person, run};
use crate::{
    engine::{Answer, Home, PlanAnswered, Start, answer_plan},
    store::{
        StateLock, Store, findings,
        plans::{Plan, PlanState},
    },
};

/// A plan in one line, beside proposals.
pub(super) fn line(out: Out, plan: &Plan) {
    out.line(format!(
        "{}  {:<9}  {}  {}",
        out.paint("1", &plan.task.short()),
        if plan.asked.is_some() && plan.state == PlanState::Waiting {
            "depends"
        } else {
            word(plan.state)
        },
        plain(&plan.loop_name),
        plain(&plan.title)
    ));
}

/// The word of a list that has proposals, too.
fn word(state: PlanState) -> &'static str {
    match state {
        PlanState::Waiting => "plan",
        other => other.as_str(),
    }
}

/// What is asked, in two words.
fn what(plan: &Plan) -> &'static str {
    match plan.asked {
        Some(_) => "other dependencies",
        None => "a plan",
    }
}

/// A plan for a script.
pub(super) fn row(plan: &Plan) -> Value {
    json!({
        "id": plan.task, "plan": true, "task": plan.task, "loop": plan.loop_name, "run": plan.run, "state": plan.state.as_str(),
        "title": plan.title, "goal": plan.goal, "acceptance": plan.acceptance, "findings": plan.findings,
        "paths": plan.paths, "dependencies": plan.asked.as_ref().map(|asked| &asked.lines), "cost_cap_usd": plan.cost_cap, "words": plan.words, "who": plan.who,
        "decided_at": plan.decided_at, "created_at": plan.created_at, "updated_at": plan.updated_at,
    })
}

/// A plan, whole.
pub(super) async fn print(store: &Store, out: Out, plan: &Plan) -> Result<(), CliError> {
    if out.format == Format::Json {
        out.json(&row(plan));
        return Ok(());
    }
    out.line(out.paint("1", &plain(&plan.title)));
    let since = plan.decided_at.unwrap_or(plan.created_at);
    let who = plan
        .who
        .as_deref()
        .filter(|_| plan.state != PlanState::Waiting)
        .map(|who| format!(" by {}", plain(who)))
        .unwrap_or_default();
    let state = plan.state.as_str();
    out.line(format!(
        "{} of {} for `{}`, {state}{who} since {since}\n",
        what(plan),
        plan.run.short(),
        plain(&plan.loop_name)
    ));
    for line in plan.goal.trim().lines() {
        out.line(format!("  {}", plain(line)));
    }
    if !plan.acceptance.is_empty() {
        out.line("\nIt is done when:");
    }
    for line in &plan.acceptance {
        out.line(format!("  - {}", plain(line)));
    }
    out.line("\nWhat it is for:");
    for id in &plan.findings {
        let Some(kept) = findings::get(store, *id).await? else {
            continue;
        };
        let finding = kept.finding;
        out.line(format!(
            "  {}  {} from {}  {}",
            id.short(),
            report::count(finding.signals, "signal"),
            report::people(finding.reporters),
            plain(&finding.title)
        ));
    }
    if let Some(asked) = &plan.asked {
        out.line("\nIts change is proven. What it would depend on:");
        for line in &asked.lines {
            out.line(format!("  - {}", plain(line)));
        }
    }
    out.line(format!("\nIt may change: {}", plain(&plan.paths.join(", "))));
    out.line(format!("It may cost:   {} at most", plan.cost_cap));
    match plan.state {
        PlanState::Waiting => {
            let id = plan.task.short();
            let revise = match plan.asked {
                Some(_) => String::new(),
                None => format!("      loops revise {id} \"what should be different\"\n"),
            };
            out.line(format!(
                "\nnext: loops approve {id}\n{revise}      loops reject {id} --reason \"why\""
            ));
        }
        _ => {
            if let Some(words) = &plan.words {
                out.line(format!("\nsaid of it: {}", plain(words)));
            }
        }
    }
    Ok(())
}

/// Approves a plan, and carries it out here unless somebody else drives the loops.
pub(super) async fn approve(
    context: &Context,
    home: &Home,
    plan: &Plan,
    cassette: Option<std::path::PathBuf>,
) -> Result<Exit, CliError> {
    let nobody = match StateLock::take(&home.folder) {
        Ok(lock) => lock.also_in(&home.store).await.map(drop),
        Err(held) => Err(held),
    };
    if nobody.is_err() {
        return answer(context, home, plan, &Answer::Approve).await;
    }
    let config = context.config()?;
    let definition = context.definition(&config, &plan.loop_name).await?;
    run::refuse_what_is_not_there(&definition)?;
    answer_plan(home, plan.task, &Answer::Approve, &person()).await?;
    run::drive(context, &definition, Start::Approved(plan.run), cassette).await
}

/// Carries out any other answer, and says what became of it.
pub(super) async fn answer(
    context: &Context,
    home: &Home,
    plan: &Plan,
    said: &Answer,
) -> Result<Exit, CliError> {
    let answered = answer_plan(home, plan.task, said, &person()).await?;
    let (out, id) = (context.out, plan.task.short());
    if out.format == Format::Json {
        let state = match answered {
            PlanAnswered::Approved(_) => PlanState::Approved,
            PlanAnswered::Waiting => PlanState::Waiting,
            PlanAnswered::Refused => PlanState::Refused,
        };
        out.json(&json!({ "task": plan.task, "answered": { "state": state.as_str(), "run": plan.run } }));
        return Ok(Exit::Done);
    }
    out.line(match answered {
        PlanAnswered::Approved(run) => format!(
            "{} of {id} is approved; {} goes on with it by itself",
            match plan.asked {
                Some(_) => "the change",
                None => "the plan",
            },
            run.short()
        ),
        PlanAnswered::Waiting => {
            format!("your words are a part of the plan of {id}; it waits on: loops review {id}")
        }
        PlanAnswered::Refused => {
            format!("the plan of {id} is refused, and its findings with it; that is remembered")
        }
    });
    Ok(Exit::Done)
}
