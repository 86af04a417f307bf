//! `loops logs ID`: a transcript, as it is or as it grows.

use std::time::Duration;

use loops::{id::AttemptId, text::plain};
use serde_json::json;
use workers::order::{Entry, TodoItem};

use super::{CliError, Context, Exit, Format, Out};
use crate::store::{
    Store,
    attempts::{self, AttemptState},
    proposals,
    resolve::{Kind, resolve},
    transcripts,
};

/// How often a growing transcript is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// A transcript: of an attempt, or of all attempts of a task, a proposal or a run.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An attempt, a task, a proposal or a run
    #[arg(value_name = "ID")]
    id: String,
    /// Go on until it ends
    #[arg(short, long)]
    follow: bool,
}

pub(super) async fn logs(context: &Context, args: Args) -> Result<Exit, CliError> {
    let store = context.store().await?;
    let all = attempts_of(&store, &args.id).await?;
    if all.is_empty() {
        return Err(
            CliError::usage(format!("there is no transcript of `{}`", plain(&args.id)))
                .todo("`loops show ID` of a run lists its attempts"),
        );
    }
    for id in all {
        one(&store, context.out, id, args.follow).await?;
    }
    Ok(Exit::Done)
}

async fn attempts_of(store: &Store, typed: &str) -> Result<Vec<AttemptId>, CliError> {
    let mut found = Vec::new();
    for (kind, id) in resolve(store, typed).await? {
        match kind {
            Kind::Attempt => found.extend(id.parse::<AttemptId>()),
            Kind::Task => {
                if let Ok(id) = id.parse() {
                    found.extend(
                        attempts::of_task(store, id)
                            .await?
                            .into_iter()
                            .map(|a| a.begun.id),
                    );
                }
            }
            Kind::Run => {
                if let Ok(id) = id.parse() {
                    found.extend(attempts::of_run(store, id).await?.into_iter().map(|a| a.begun.id));
                }
            }
            Kind::Proposal => {
                if let Ok(id) = id.parse()
                    && let Some(proposal) = proposals::get(store, id).await?
                {
                    found.extend(
                        attempts::of_task(store, proposal.task)
                            .await?
                            .into_iter()
                            .map(|a| a.begun.id),
                    );
                }
            }
            Kind::Finding | Kind::Signal => {}
        }
    }
    Ok(found)
}

async fn one(store: &Store, out: Out, id: AttemptId, follow: bool) -> Result<(), CliError> {
    let mut seen = 0;
    let mut todo: Vec<TodoItem> = Vec::new();
    if out.format == Format::Text
        && let Some(attempt) = attempts::get(store, id).await?
    {
        let (role, number) = (attempt.begun.role.as_str(), attempt.begun.number);
        out.line(out.paint("1", &format!("── {} {role} {number} ──", id.short())));
    }
    loop {
        let attempt = attempts::get(store, id).await?;
        loop {
            let lines = transcripts::after(store, id, seen, 500).await?;
            if lines.is_empty() {
                break;
            }
            for line in lines {
                seen = line.number;
                match out.format {
                    Format::Json => out.compact(
                        &json!({ "attempt": id, "number": line.number, "at": line.at, "entry": line.entry }),
                    ),
                    Format::Text => entry(out, &line.entry),
                }
            }
        }
        let Some(attempt) = attempt else { return Ok(()) };
        if attempt.todo != todo && out.format == Format::Text && follow {
            todo = attempt.todo;
            for item in &todo {
                out.line(format!(
                    "    [{}] {}",
                    json!(item.state).as_str().unwrap_or("?"),
                    plain(&item.text)
                ));
            }
        }
        if !follow || attempt.state != AttemptState::Running {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn entry(out: Out, entry: &Entry) {
    let (head, text) = match entry {
        Entry::Told { text } => (out.paint("34", "told"), plain(text)),
        Entry::Said { text } => (out.paint("32", "said"), plain(text)),
        Entry::Called { tool, input } => (
            out.paint("33", &format!("call {}", plain(tool))),
            plain(&input.to_string()),
        ),
        Entry::Answered {
            tool,
            ok,
            text,
            duration_ms,
        } => {
            let head = format!(
                "{} {} ({duration_ms} ms)",
                if *ok { "done" } else { "FAILED" },
                plain(tool)
            );
            (out.paint(if *ok { "36" } else { "31" }, &head), plain(text))
        }
        Entry::Used { usage, rehearsed } => {
            let how = if *rehearsed { "rehearsed" } else { "used" };
            let words = format!(
                "{} in, {} from cache, {} to cache, {} out",
                usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens, usage.output_tokens
            );
            (out.paint("2", how), words)
        }
        Entry::Note { text } => (out.paint("35", "note"), plain(text)),
    };
    let mut lines = text.lines();
    out.line(format!("{head}  {}", lines.next().unwrap_or_default()));
    for line in lines {
        out.line(format!("      {line}"));
    }
}
