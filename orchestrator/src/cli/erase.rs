//! `loops erase`: takes a person's words, or one signal's, away for good; and what is older than `retention` keeps.

use loops::text::plain;
use serde_json::json;

use super::{CliError, Context, Exit, Format, report};
use crate::{
    engine::{self, Erased},
    store::{
        Store,
        resolve::{Kind, resolve},
        signals,
    },
};

/// Take words away for good: what one person said, one signal's, or what is older than `retention` in loops.yaml. Ids,
/// figures and the ledger stay. Without `--yes` it only says what it would take.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A signal's id, or a person by the name that sources give them
    #[arg(value_name = "PERSON|SIGNAL", required_unless_present = "old")]
    whom: Option<String>,
    /// What is older than `retention` says, as `loops serve` does each hour
    #[arg(long, conflicts_with = "whom")]
    old: bool,
    /// Do it
    #[arg(long)]
    yes: bool,
}

pub(super) async fn erase(context: &Context, args: Args) -> Result<Exit, CliError> {
    let config = context.config()?;
    let store = context.store().await?;
    let out = context.out;
    let Some(whom) = args.whom else {
        if config.retention.is_none() {
            return Err(
                CliError::usage("loops.yaml says nothing of how long words are kept")
                    .todo("`retention: { signals: 400d, transcripts: 90d }` says it"),
            );
        }
        if !args.yes {
            out.note("nothing was erased; type it again with --yes");
            return Ok(Exit::Done);
        }
        let erased = engine::sweep(&store, &config.retention).await?;
        tell(context, &erased);
        return Ok(Exit::Done);
    };
    let all = meant(&store, &whom).await?;
    if all.is_empty() {
        return Err(CliError::usage(format!(
            "nobody and no signal is called `{}`, or all is erased",
            plain(&whom)
        ))
        .todo("`loops show FINDING` has the names and ids, as they are written there"));
    }
    if !args.yes {
        let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
        if out.format == Format::Json {
            out.json(&json!({ "would_erase": { "signals": count } }));
        } else {
            out.line(format!(
                "{} would lose their words for good; type it again with --yes",
                report::count(count, "signal")
            ));
        }
        return Ok(Exit::Done);
    }
    let erased = engine::erase(&store, &all).await?;
    tell(context, &erased);
    Ok(Exit::Done)
}

/// What somebody meant: signals by an id, or all of a person.
async fn meant(store: &Store, typed: &str) -> Result<Vec<signals::Kept>, CliError> {
    let mut all = Vec::new();
    let ids: Vec<String> = resolve(store, typed)
        .await?
        .into_iter()
        .filter(|(kind, _)| *kind == Kind::Signal)
        .map(|(_, id)| id)
        .collect();
    if ids.len() > 1 {
        return Err(
            CliError::usage(format!("`{}` can mean {}", plain(typed), ids.join(", ")))
                .todo("type more of the id"),
        );
    }
    for id in ids {
        let id = id.parse().map_err(|_| CliError::new("it cannot be read"))?;
        all.extend(signals::everywhere(store, id).await?);
    }
    if all.is_empty() {
        all = signals::of_author(store, typed).await?;
    }
    all.retain(|kept| kept.erased_at.is_none());
    Ok(all)
}

fn tell(context: &Context, erased: &Erased) {
    let out = context.out;
    if out.format == Format::Json {
        out.json(&json!({
            "signals": erased.signals, "tasks": erased.tasks, "transcript_lines": erased.lines, "going_on": erased.going_on,
            "proposals": erased.proposals,
        }));
        return;
    }
    out.line(format!(
        "{}, {} and {} lines of transcripts have no words any more; the ledger is as it was",
        report::count(erased.signals, "signal"),
        report::count(erased.tasks, "task"),
        erased.lines
    ));
    for run in &erased.going_on {
        out.line(format!(
            "the run {} has read them and goes on; erase again when it has ended",
            run.short()
        ));
    }
    for proposal in &erased.proposals {
        out.line(format!(
            "the page of {} may quote them; what stands on GitHub is to be edited there",
            proposal.short()
        ));
    }
}
