//! `loops show ID`: one thing whole, whatever it is.

mod finding;
mod work;

use loops::text::plain;
use serde_json::json;

use super::{CliError, Context, Exit, Format, Out, report, review, sandbox};
use crate::store::{
    Store, attempts,
    resolve::{Kind, resolve},
    signals,
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
                work::run(&store, out, &summary).await?
            }
        }
        Kind::Finding => finding::finding(&home, out, id.parse().map_err(bad)?).await?,
        Kind::Task => work::task(&store, out, id.parse().map_err(bad)?).await?,
        Kind::Attempt if args.policy => {
            let policy = attempts::policy(&store, id.parse().map_err(bad)?)
                .await?
                .ok_or_else(|| {
                    CliError::new(format!("of the sandbox of `{id}` nothing is known"))
                        .why("it is the lead agent's, goes on still, or was lost before it ended")
                })?;
            sandbox::print(out, &policy);
        }
        Kind::Attempt => work::attempt(&store, out, id.parse().map_err(bad)?).await?,
        Kind::Proposal => return review::review(context, review::ReviewArgs::of(&id)).await,
        Kind::Signal => signal(&store, out, &id).await?,
    }
    Ok(Exit::Done)
}

/// The known forms of prompt injection in a signal's words, a line each.
fn flags(out: Out, kept: &signals::Kept) {
    for flag in &kept.flags {
        let (words, said) = (flag.form.words(), flag.excerpt(&kept.signal.text));
        out.line(format!("      ! {words}: «{said}»"));
    }
}

async fn signal(store: &Store, out: Out, id: &str) -> Result<(), CliError> {
    let id = id.parse().map_err(|_| CliError::new("it cannot be read"))?;
    for kept in signals::everywhere(store, id).await? {
        if out.format == Format::Json {
            out.json(&json!({ "signal": kept.signal, "loop": kept.loop_name, "edition": kept.edition, "noise": kept.noise, "finding": kept.finding, "erased_at": kept.erased_at, "flags": kept.flags }));
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
        if signal.private {
            out.line("said in private");
        }
        match kept.erased_at {
            Some(at) => out.line(format!("its words were taken away on {at}")),
            None => out.line(plain(&signal.text)),
        }
        flags(out, &kept);
        match (&kept.finding, &kept.noise) {
            (Some(finding), _) => out.line(format!("evidence of {}", finding.short())),
            (None, Some(noise)) => out.line(format!("no evidence: {}", plain(noise))),
            (None, None) => out.line("not looked at yet"),
        }
    }
    Ok(())
}
