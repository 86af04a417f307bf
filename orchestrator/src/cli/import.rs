//! `loops import PATH`: signals from a file or a Slack export, without a run.

use super::{CliError, Context, Exit, Format};
use crate::engine;

/// Take in signals from a JSONL file or a Slack export (folder or zip). The loop's next run works on them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A file, a folder or a glob
    path: String,
    /// The loop that they are for; needed if there is more than one
    #[arg(long = "loop", value_name = "LOOP")]
    name: Option<String>,
}

pub(super) async fn import(context: &Context, args: Args) -> Result<Exit, CliError> {
    let store = context.store().await?;
    let name = match args.name {
        Some(name) => name,
        None => context.only_loop()?,
    };
    let config = context.config()?;
    let definition = context.definition(&config, &name).await?;
    let here = std::env::current_dir().map_err(|error| CliError::new("this folder is gone").why(error))?;
    let read = engine::import(&store, &definition, &args.path, &here)
        .await
        .map_err(CliError::from)?;
    if context.out.format == Format::Json {
        context
            .out
            .json(&serde_json::json!({ "loop": name, "new": read.new, "skipped": read.skipped }));
        return Ok(Exit::Done);
    }
    context.out.line(format!(
        "{}: {} new or edited",
        args.path,
        super::report::count(read.new, "signal")
    ));
    for line in read.skipped {
        context.out.line(format!("  skipped {line}"));
    }
    context.out.line(format!("next: loops run {name}"));
    Ok(Exit::Done)
}
