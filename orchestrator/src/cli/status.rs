//! `loops status`, `loops runs`: what is under way, and what was.

use loops::{schedule::next_due, spec::LoopSpec, text::plain, time::Timestamp};
use serde::Serialize;
use serde_json::json;

use super::{
    CliError, Context, Exit, Format, report,
    review::{notice_merges, row},
};
use crate::{
    clock, engine,
    store::{
        Store, findings, loops as loop_rows, outbox,
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
    let served = served(&store).await?;
    // What was never tried is on its way; what was tried in vain is worth a word.
    let mut unsent = outbox::pending(&store, 1000).await?;
    unsent.retain(|effect| effect.tries > 0);
    if out.format == Format::Json {
        let runs: Vec<_> = open.iter().map(|run| json!({ "id": run.id, "loop": run.loop_name, "state": run.phase, "started_at": run.started_at })).collect();
        out.json(&json!({
            "now": clock::now(),
            "loops": served,
            "runs": runs,
            "proposals": waiting.iter().map(row).collect::<Vec<_>>(),
            "plans": planned.iter().map(super::plans::row).collect::<Vec<_>>(),
            "open_findings": known.len(),
            "unsent": unsent.iter().map(|effect| json!({ "key": effect.key, "why": effect.why, "next_at": effect.next_at })).collect::<Vec<_>>(),
        }));
        return Ok(Exit::Done);
    }
    for known in &served {
        let next = match (known.paused_at, known.next) {
            (Some(_), _) => "paused".to_owned(),
            (None, Some(next)) => format!("next tick {next}"),
            (None, None) => "no schedule".to_owned(),
        };
        let last = known.last.as_deref().unwrap_or("no tick yet");
        out.line(format!("loop {}  {next}; {last}", plain(&known.name)));
        if let Some(why) = &known.lowered {
            out.line(format!("    {why}"));
        }
    }
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
    for effect in &unsent {
        out.line(format!(
            "waits to be sent: {} (tried {} times, next at {}): {}",
            effect.key,
            effect.tries,
            effect.next_at,
            plain(effect.why.as_deref().unwrap_or_default())
        ));
    }
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

/// A loop that was served or run here.
#[derive(Debug, Serialize)]
struct Served {
    name: String,
    paused_at: Option<Timestamp>,
    /// When its schedule is due next, whether or not anybody serves it.
    next: Option<Timestamp>,
    /// The receipt of its last tick.
    last: Option<String>,
    /// Why it goes less far by itself than its spec says, if it does.
    lowered: Option<String>,
}

async fn served(store: &Store) -> Result<Vec<Served>, CliError> {
    let mut all = Vec::new();
    for row in loop_rows::list(store).await? {
        let spec = serde_json::from_value::<LoopSpec>(row.spec).ok();
        let lowered = match &spec {
            Some(spec) => engine::lowered(store, spec).await?,
            None => None,
        };
        let schedule = spec.and_then(|spec| spec.schedule);
        let last = ticks::list(store, &row.name, 1).await?.into_iter().next();
        all.push(Served {
            next: schedule.and_then(|schedule| next_due(&schedule, &row.name, clock::now())),
            last: last.map(|tick| {
                let why = tick
                    .why
                    .map(|why| format!(", {}", plain(&why).replace('_', " ")))
                    .unwrap_or_default();
                format!("the tick of {} {}{why}", tick.due_at, tick.receipt.as_str())
            }),
            name: row.name,
            paused_at: row.paused_at,
            lowered,
        });
    }
    Ok(all)
}
