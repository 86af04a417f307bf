//! `loops status`, `loops runs`: what is under way, and what was.

use loops::{text::plain, trouble::Trouble};
use serde_json::json;

use super::{
    CliError, Context, Exit, Format, nodes, report,
    review::{notice_merges, row},
    room,
    served::{self, Served},
};
use crate::{
    clock,
    engine::{self, Burden, Teller},
    store::{
        findings, lock, outbox,
        plans::{self, PlanState},
        proposals::{self, Proposal, ProposalState},
        runs, tasks, ticks,
    },
};

/// Runs, latest first.
#[derive(Debug, clap::Args)]
pub(super) struct RunsArgs {
    /// Of this loop only
    #[arg(value_name = "LOOP")]
    name: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

/// Shows the latest runs.
pub(super) async fn runs(context: &Context, args: RunsArgs) -> Result<Exit, CliError> {
    let store = context.store().await?;
    let all = runs::list(&store, args.name.as_deref(), None, args.limit).await?;
    let out = context.out;
    if out.format == Format::Json {
        let rows: Vec<_> = all
            .iter()
            .map(|run| json!({
                "id": run.id, "loop": run.loop_name, "version": run.version, "state": run.phase, "base": run.base,
                "started_at": run.started_at, "ended_at": run.ended_at,
            }))
            .collect();
        out.json(&rows);
        return Ok(Exit::Done);
    }
    if all.is_empty() {
        out.line("there was no run yet; `loops run LOOP` makes one");
    }
    for run in all {
        out.line(format!(
            "{}  {}  {:<14} {}",
            run.id.short(),
            run.started_at,
            run.phase,
            plain(&run.loop_name)
        ));
    }
    Ok(Exit::Done)
}

/// Shows what is under way and what waits.
pub(super) async fn status(context: &Context) -> Result<Exit, CliError> {
    let store = context.store().await?;
    let out = context.out;
    notice_merges(&store, out).await?;
    let open = runs::all_open(&store).await?;
    let waiting: Vec<Proposal> = proposals::list(&store, None, Some(ProposalState::Open)).await?;
    let planned = plans::list(&store, None, Some(PlanState::Waiting)).await?;
    let known = findings::list(
        &store,
        &findings::Filter {
            state: Some(loops::finding::FindingState::Open),
            ..Default::default()
        },
    )
    .await?;
    let config = context.config()?;
    let holder = lock::at_work(&config.state, &store).await?;
    let served = served::served(&store, holder.as_ref(), &open, &waiting).await?;
    // What was never tried is on its way; what was tried in vain is worth a word.
    let mut unsent = outbox::pending(&store, 1000).await?;
    unsent.retain(|effect| effect.tries > 0);
    let home = context.home().await?;
    let burden = engine::burden(&home).await?;
    let working = nodes::Working::read(&store).await?;
    let troubles = engine::troubles(&store, None).await?;
    let places = ticks::unbegun(&store).await?;
    let unmerged = engine::unmerged(&store).await?;
    let disk = engine::usage(&home).await?;
    if out.format == Format::Json {
        let runs: Vec<_> = open.iter().map(|run| json!({ "id": run.id, "loop": run.loop_name, "state": run.phase, "started_at": run.started_at })).collect();
        out.json(&json!({
            "now": clock::now(),
            "service": {
                "up": holder.as_ref().is_some_and(|holder| holder.serves),
                "process": holder.as_ref().and_then(|holder| holder.process),
                "elsewhere": holder.as_ref().and_then(|holder| holder.elsewhere.clone()),
            },
            "loops": served.iter().map(Served::json).collect::<Vec<_>>(),
            "runs": runs,
            "waiting_for_a_place": places.iter().map(|tick| json!({ "loop": tick.loop_name, "due_at": tick.due_at })).collect::<Vec<_>>(),
            "proposals": waiting.iter().map(row).collect::<Vec<_>>(),
            "plans": planned.iter().map(super::plans::row).collect::<Vec<_>>(),
            "disk": disk,
            "nodes": working.nodes.iter().map(nodes::row).collect::<Vec<_>>(),
            "open_findings": known.len(),
            "retention": {
                "signals_days": days(config.retention.signals), "transcripts_days": days(config.retention.transcripts),
            },
            "last_news": engine::last_heard(&home, Teller::Slack).await?,
            "last_news_of_github": engine::last_heard(&home, Teller::GitHub).await?,
            "last_signals_sent": engine::last_heard(&home, Teller::Senders).await?,
            "reviewers": burden.iter().map(reviewer).collect::<Vec<_>>(),
            "troubles": troubles,
            "unmerged": unmerged.iter().map(|(id, why)| json!({ "proposal": id, "why": why })).collect::<Vec<_>>(),
            "unsent": unsent.iter().map(|effect| json!({ "key": effect.key, "why": effect.why, "next_at": effect.next_at })).collect::<Vec<_>>(),
        }));
        return Ok(Exit::Done);
    }
    if served.iter().any(|known| known.row.served_since.is_some()) || holder.is_some() {
        out.line(served::who(holder.as_ref()));
    }
    for (teller, name) in [
        (Teller::Slack, "Slack"),
        (Teller::GitHub, "GitHub"),
        (Teller::Senders, "senders of signals"),
    ] {
        if let Some(heard) = engine::last_heard(&home, teller).await? {
            out.line(format!("the last news from {name} came at {heard}"));
        }
    }
    if !config.retention.is_none() {
        out.line(format!("people's words are kept: {}", config.retention));
    }
    served
        .iter()
        .flat_map(Served::lines)
        .for_each(|line| out.line(line));
    for run in &open {
        out.line(format!(
            "{}  {}  {} since {}",
            run.id.short(),
            run.loop_name,
            run.phase,
            run.started_at
        ));
        for task in tasks::of_run(&store, run.id).await? {
            out.line(format!(
                "    T{} {}  {}",
                task.number,
                task.state,
                plain(&task.task.title)
            ));
        }
    }
    if open.is_empty() {
        out.line("no run is under way");
    }
    working.lines().into_iter().for_each(|line| out.line(line));
    for tick in &places {
        let until = if holder.as_ref().is_some_and(|holder| holder.serves) {
            "a run under way has ended (`serve.runs`)"
        } else {
            "the service is up"
        };
        out.line(format!(
            "waits for a place: {}, the tick of {}, until {until}",
            plain(&tick.loop_name),
            tick.due_at
        ));
    }
    for effect in &unsent {
        out.line(format!(
            "waits to be sent: {} (tried {} times, next at {}): {}",
            effect.key,
            effect.tries,
            effect.next_at,
            plain(effect.why.as_deref().unwrap_or_default())
        ));
    }
    for (id, why) in &unmerged {
        out.line(format!("not merged by itself: {}, {}", id.short(), plain(why)));
    }
    for told in burden.iter().filter(|told| told.full) {
        out.line(format!("nothing is started: {}", plain(&told.words)));
    }
    for trouble in &troubles {
        out.line(format!("does not work: {}", plain(&words_of(trouble))));
    }
    room::lines(&disk).into_iter().for_each(|line| out.line(line));
    let (waits, open) = (waiting.len(), known.len());
    let proposals = if waits == 1 {
        "1 proposal waits".to_owned()
    } else {
        format!("{waits} proposals wait")
    };
    let proposals = match planned.len() {
        0 => proposals,
        n => format!(
            "{proposals}, {}",
            report::count(u32::try_from(n).unwrap_or(u32::MAX), "plan")
        ),
    };
    out.line(format!(
        "{proposals} for you; {} open",
        report::count(u32::try_from(open).unwrap_or(u32::MAX), "finding")
    ));
    Ok(Exit::Done)
}

/// What waits for a reviewer, for a script.
fn reviewer(told: &Burden) -> serde_json::Value {
    json!({
        "reviewer": told.load.reviewer.to_string().replace('`', ""), "waiting": told.load.waiting, "weight": told.load.weight,
        "oldest_seconds": told.load.oldest.as_secs(), "full": told.full, "words": told.words,
    })
}

/// Failures of one cause in one line.
fn words_of(trouble: &Trouble) -> String {
    let times = if trouble.count == 1 {
        "once".to_owned()
    } else {
        format!("{} times", trouble.count)
    };
    let mut text = format!("{}: {times} since {}", trouble.cause.words(), trouble.since);
    if !trouble.loops.is_empty() {
        text += &format!(", in {}", trouble.loops.join(", "));
    }
    if !trouble.words.is_empty() {
        text += &format!("; the last time: {}", trouble.words);
    }
    text
}

/// Whole days, for a script; none: for good.
fn days(kept: Option<std::time::Duration>) -> Option<u64> {
    kept.map(|kept| kept.as_secs() / 86_400)
}
