//! `loops show ID`: one thing whole, whatever it is.

use loops::text::{one_line, plain};
use serde_json::json;

use super::{CliError, Context, Exit, Format, Out, report, review, sandbox};
use crate::engine;
use crate::store::{
    Store, attempts, egress, evidence, findings, ledger, loops as loop_rows,
    plans::{self, PlanState},
    resolve::{Kind, resolve},
    signals, tasks,
};

/// One thing whole: a run, a finding, a task, an attempt, a proposal, a signal.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its id, or the end of it
    #[arg(value_name = "ID")]
    id: String,
    /// Of an attempt: what its sandbox was, every file, limit and gap
    #[arg(long)]
    policy: bool,
}

pub(super) async fn show(context: &Context, args: Args) -> Result<Exit, CliError> {
    let home = context.home().await?;
    let store = home.store.clone();
    let out = context.out;
    let found = resolve(&store, &args.id).await?;
    let (kind, id) = match found.as_slice() {
        [] => {
            return Err(
                CliError::usage(format!("there is nothing called `{}`", plain(&args.id)))
                    .todo("`loops runs`, `loops findings` and `loops review --all` list what there is"),
            );
        }
        [one] => one.clone(),
        many => {
            let names: Vec<&str> = many.iter().map(|(_, id)| id.as_str()).collect();
            return Err(
                CliError::usage(format!("`{}` can mean {}", plain(&args.id), names.join(", ")))
                    .todo("type more of the id"),
            );
        }
    };
    let bad = |_| CliError::new(format!("`{id}` cannot be read"));
    if args.policy && kind != Kind::Attempt {
        return Err(
            CliError::usage(format!("`{id}` is no attempt, so it had no sandbox"))
                .todo("`loops show TASK` names the attempts of a task"),
        );
    }
    match kind {
        Kind::Run => {
            let summary = report::gather(&store, id.parse().map_err(bad)?).await?;
            if out.format == Format::Json {
                out.json(&summary)
            } else {
                run(&store, out, &summary).await?
            }
        }
        Kind::Finding => finding(&home, out, id.parse().map_err(bad)?).await?,
        Kind::Task => task(&store, out, id.parse().map_err(bad)?).await?,
        Kind::Attempt if args.policy => {
            let policy = attempts::policy(&store, id.parse().map_err(bad)?)
                .await?
                .ok_or_else(|| {
                    CliError::new(format!("of the sandbox of `{id}` nothing is known"))
                        .why("it is the lead agent's, goes on still, or was lost before it ended")
                })?;
            sandbox::print(out, &policy);
        }
        Kind::Attempt => attempt(&store, out, id.parse().map_err(bad)?).await?,
        Kind::Proposal => return review::review(context, review::ReviewArgs::of(&id)).await,
        Kind::Signal => signal(&store, out, &id).await?,
    }
    Ok(Exit::Done)
}

async fn run(store: &Store, out: Out, summary: &report::Summary) -> Result<(), CliError> {
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

async fn finding(home: &engine::Home, out: Out, id: loops::id::FindingId) -> Result<(), CliError> {
    let store = &home.store;
    let kept = findings::get(store, id)
        .await?
        .ok_or_else(|| CliError::new("it is gone"))?;
    let said = signals::of_finding(store, id, 500).await?;
    let held = held_back(home, &kept.loop_name, &said).await?;
    if out.format == Format::Json {
        let flags: std::collections::BTreeMap<_, _> = said
            .iter()
            .filter(|kept| !kept.flags.is_empty())
            .map(|kept| (kept.signal.id.to_string(), &kept.flags))
            .collect();
        let said: Vec<_> = said.iter().map(|kept| &kept.signal).collect();
        out.json(&json!({ "finding": kept.finding, "loop": kept.loop_name, "refused_why": kept.refused_why, "never": kept.never, "report_only": held, "signals": said, "flags": flags }));
        return Ok(());
    }
    let finding = &kept.finding;
    out.line(format!("{}  {}", finding.id, finding.state.as_str()));
    out.line(out.paint("1", &plain(&finding.title)));
    let parts: Vec<String> = finding
        .score
        .parts
        .iter()
        .map(|(name, part)| format!("{name} {part:.2}"))
        .collect();
    out.line(format!(
        "score {:.2} = {}",
        finding.score.total,
        parts.join(" + ")
    ));
    if let Some(why) = &kept.refused_why {
        out.line(format!(
            "refused: {}{}",
            plain(why),
            if kept.never {
                " (and nothing of the kind again)"
            } else {
                ""
            }
        ));
    }
    if let Some(why) = held {
        out.line(why);
    }
    out.line(format!(
        "{} from {}:",
        report::count(finding.signals, "signal"),
        report::people(finding.reporters)
    ));
    for kept in said {
        let signal = &kept.signal;
        let who = plain(signal.author.as_deref().unwrap_or("nobody named"));
        out.line(format!("  {}  {who}  {}", signal.at, one_line(&signal.text, 140)));
        if let Some(url) = &signal.url {
            out.line(format!("      {}", plain(url)));
        }
        flags(out, &kept);
    }
    Ok(())
}

/// The known forms of prompt injection in a signal's words, a line each.
fn flags(out: Out, kept: &signals::Kept) {
    for flag in &kept.flags {
        let (words, said) = (flag.form.words(), flag.excerpt(&kept.signal.text));
        out.line(format!("      ! {words}: «{said}»"));
    }
}

/// Why the finding leads to no code, by what its loop says now.
async fn held_back(
    home: &engine::Home,
    loop_name: &str,
    said: &[signals::Kept],
) -> Result<Option<String>, CliError> {
    let Some(known) = loop_rows::get(&home.store, loop_name).await? else {
        return Ok(None);
    };
    let spec: loops::spec::LoopSpec = match serde_json::from_value(known.spec) {
        Ok(spec) => spec,
        // An older loops wrote it; the next run writes it anew.
        Err(_) => return Ok(None),
    };
    Ok(engine::held_back(home, &spec.triage, said).await)
}

async fn task(store: &Store, out: Out, id: loops::id::TaskId) -> Result<(), CliError> {
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
    if let Some(plan) = plans::get(store, id).await?
        && plan.state == PlanState::Waiting
    {
        return super::plans::print(store, out, &plan).await;
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

async fn attempt(store: &Store, out: Out, id: loops::id::AttemptId) -> Result<(), CliError> {
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

async fn signal(store: &Store, out: Out, id: &str) -> Result<(), CliError> {
    let id = id.parse().map_err(|_| CliError::new("it cannot be read"))?;
    for kept in signals::everywhere(store, id).await? {
        if out.format == Format::Json {
            out.json(&json!({ "signal": kept.signal, "loop": kept.loop_name, "edition": kept.edition, "noise": kept.noise, "finding": kept.finding, "flags": kept.flags }));
            continue;
        }
        let signal = &kept.signal;
        out.line(format!(
            "{}  {}  edition {}",
            signal.id,
            plain(&signal.source),
            kept.edition
        ));
        out.line(format!(
            "{}  {}",
            signal.at,
            plain(signal.author.as_deref().unwrap_or("nobody named"))
        ));
        out.line(plain(&signal.text));
        flags(out, &kept);
        match (&kept.finding, &kept.noise) {
            (Some(finding), _) => out.line(format!("evidence of {}", finding.short())),
            (None, Some(noise)) => out.line(format!("no evidence: {}", plain(noise))),
            (None, None) => out.line("not looked at yet"),
        }
    }
    Ok(())
}
