//! What was done: a run, a task, an attempt, whole.

use loops::text::{one_line, plain};
use serde_json::json;

use crate::{
    cli::{CliError, Format, Out, report, review},
    store::{
        Store, attempts, egress, evidence, ledger,
        plans::{self, PlanState},
        tasks,
    },
};

pub(super) async fn run(store: &Store, out: Out, summary: &report::Summary) -> Result<(), CliError> {
    let run = &summary.run;
    out.line(format!(
        "{}  loop {}  {}",
        run.id,
        plain(&run.loop_name),
        run.state
    ));
    out.line(format!(
        "began {}, base {}",
        run.started_at,
        run.base.as_deref().unwrap_or("unknown")
    ));
    for finding in &run.findings {
        out.line(format!(
            "finding {}  {:>5.1}  {}",
            finding.id.short(),
            finding.score.total,
            plain(&finding.title)
        ));
    }
    for task in &run.tasks {
        out.line(format!(
            "T{} {}  {}  {}",
            task.number,
            task.id.short(),
            task.state,
            plain(&task.title)
        ));
        for attempt in &task.attempts {
            out.line(format!(
                "    {} {} {}  {}",
                attempt.id.short(),
                attempt.role,
                attempt.number,
                attempt.state
            ));
        }
        for found in &task.evidence {
            out.line(format!(
                "    {} {}: {}",
                review::sign(out, found.verdict),
                found.name,
                plain(&found.words)
            ));
        }
    }
    for lead in attempts::of_run(store, run.id)
        .await?
        .iter()
        .filter(|a| a.begun.task.is_none())
    {
        out.line(format!("lead {} {}", lead.begun.id.short(), lead.state.as_str()));
    }
    let rows = ledger::rows_of_run(store, run.id, 0, 1_000).await?;
    // Many signals are read and calls made at once; the other rows tell the story.
    let (quiet, told): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .partition(|row| row.kind == "signal.read" || row.kind == "call.ended");
    out.line(format!("ledger: {} rows of signals and calls, and:", quiet.len()));
    for row in told {
        out.line(format!(
            "    {}  {:<22} {}",
            row.at,
            row.kind,
            one_line(&row.subject, 60)
        ));
    }
    Ok(())
}

pub(super) async fn task(store: &Store, out: Out, id: loops::id::TaskId) -> Result<(), CliError> {
    let kept = tasks::get(store, id)
        .await?
        .ok_or_else(|| CliError::new("it is gone"))?;
    let all = attempts::of_task(store, id).await?;
    let found = evidence::of_task(store, id).await?;
    if out.format == Format::Json {
        let found: Vec<_> = found
            .iter()
            .map(|kept| json!({ "of": kept.of_attempt, "evidence": kept.evidence }))
            .collect();
        out.json(&json!({ "task": kept.task, "run": kept.run, "state": kept.state, "why": kept.why, "evidence": found }));
        return Ok(());
    }
    let plan = plans::get(store, id).await?;
    if let Some(plan) = plan.as_ref().filter(|plan| plan.state == PlanState::Waiting) {
        return crate::cli::plans::print(store, out, plan).await;
    }
    out.line(format!(
        "{}  T{} of {}  {}",
        id,
        kept.number,
        kept.run.short(),
        kept.state
    ));
    out.line(out.paint("1", &plain(&kept.task.title)));
    // An agent's words stand indented, so that no line of theirs passes for one of ours.
    for line in kept.task.goal.lines() {
        out.line(format!("  {}", plain(line)));
    }
    for line in &kept.task.acceptance {
        out.line(format!("  - {}", plain(line)));
    }
    out.line(format!("may change: {}", plain(&kept.task.write.join(", "))));
    if let Some(who) = plan.as_ref().and_then(|plan| plan.who.as_deref()) {
        let state = plan.as_ref().map_or("", |plan| plan.state.as_str());
        out.line(format!("its plan was {state} by {}", plain(who)));
    }
    for attempt in all {
        let summary = attempt.ended.summary.as_deref().unwrap_or_default();
        let (role, state) = (attempt.begun.role.as_str(), attempt.state.as_str());
        out.line(format!(
            "{} {role} {}  {state}  {}",
            attempt.begun.id.short(),
            attempt.begun.number,
            one_line(summary, 120)
        ));
        for kept in found.iter().filter(|kept| kept.attempt == attempt.begun.id) {
            let found = &kept.evidence;
            out.line(format!(
                "    {} {}: {}",
                review::sign(out, found.verdict),
                found.name,
                plain(&found.words)
            ));
            let shown = if found.verdict == loops::evidence::Verdict::Passed {
                0
            } else {
                20
            };
            for line in found.detail.lines().take(shown) {
                out.line(format!("        {}", plain(line)));
            }
        }
    }
    Ok(())
}

pub(super) async fn attempt(store: &Store, out: Out, id: loops::id::AttemptId) -> Result<(), CliError> {
    let found = attempts::get(store, id)
        .await?
        .ok_or_else(|| CliError::new("it is gone"))?;
    let begun = &found.begun;
    let exchanged = egress::of_attempt(store, id).await?;
    if out.format == Format::Json {
        out.json(&json!({
            "id": id, "task": begun.task, "run": begun.run, "role": begun.role.as_str(), "number": begun.number,
            "state": found.state.as_str(), "backend": begun.backend, "model": begun.model, "effort": begun.effort,
            "spec_version": begun.spec_version, "prompt_version": begun.prompt_version, "rehearsed": begun.rehearsed,
            "words": begun.words, "base": begun.base, "tree": found.ended.tree, "summary": found.ended.summary,
            "ending": found.ended.ending, "caveats": found.ended.caveats, "todo": found.todo, "doing": found.doing,
            "started_at": begun.started_at, "ended_at": found.ended_at, "egress": exchanged,
        }));
        return Ok(());
    }
    out.line(format!(
        "{id}  {} {}  {}",
        begun.role.as_str(),
        begun.number,
        found.state.as_str()
    ));
    let made_by =
        [&begun.backend, &begun.model, &begun.effort].map(|part| part.as_deref().unwrap_or("-").to_owned());
    out.line(format!(
        "made by {}; spec {}, prompt {}{}",
        made_by.join(" / "),
        begun.spec_version,
        begun.prompt_version.as_deref().unwrap_or("-"),
        if begun.rehearsed { "; rehearsed" } else { "" }
    ));
    for item in &found.todo {
        let why = item
            .why
            .as_deref()
            .map(|why| format!(" ({})", plain(why)))
            .unwrap_or_default();
        out.line(format!(
            "  [{}] {}{why}",
            json!(item.state).as_str().unwrap_or("?"),
            plain(&item.text)
        ));
    }
    if let Some(doing) = &found.doing {
        out.line(format!("last seen doing: {}", plain(doing)));
    }
    for caveat in &found.ended.caveats {
        out.line(format!("caveat: {}", plain(caveat)));
    }
    if let Some(summary) = &found.ended.summary {
        out.line(format!("it said: {}", plain(summary)));
    }
    for one in &exchanged {
        let uncounted = if one.uncounted > 0 {
            ", some not counted yet"
        } else {
            ""
        };
        out.line(format!(
            "reached {}:{}: {} connections, {} bytes to it, {} bytes from it{uncounted}",
            plain(&one.host),
            one.port,
            one.connections,
            one.sent,
            one.received
        ));
    }
    out.line(format!("transcript: loops logs {}", id.short()));
    Ok(())
}
