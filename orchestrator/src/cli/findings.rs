//! `loops findings`: what is wrong, scored, with who said so.

use loops::{finding::FindingState, text::one_line};
use serde_json::json;

use super::{CliError, Context, Exit, Format, report};
use crate::store::findings::{self, Filter};

/// What is wrong, most pressing first. `loops show FINDING` has the signals and why the score is what it is.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of this loop only
    #[arg(value_name = "LOOP")]
    name: Option<String>,
    /// In this state only: open, working, proposed, fixed, refused, merged
    #[arg(long = "in", id = "in_state", value_name = "STATE", value_parser = state)]
    state: Option<FindingState>,
    /// At most this many
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

fn state(word: &str) -> Result<FindingState, String> {
    FindingState::parse(word).ok_or_else(|| {
        let words: Vec<&str> = FindingState::ALL.iter().map(|state| state.as_str()).collect();
        format!("it is one of {}", words.join(", "))
    })
}

pub(super) async fn findings(context: &Context, args: Args) -> Result<Exit, CliError> {
    let store = context.store().await?;
    let filter = Filter {
        loop_name: args.name.as_deref(),
        state: args.state,
        limit: Some(args.limit),
        ..Filter::default()
    };
    let all = findings::list(&store, &filter).await?;
    let out = context.out;
    if out.format == Format::Json {
        let rows: Vec<_> = all
            .iter()
            .map(|kept| json!({ "finding": kept.finding, "loop": kept.loop_name, "refused_why": kept.refused_why }))
            .collect();
        out.json(&rows);
        return Ok(Exit::Done);
    }
    if all.is_empty() {
        out.line("no finding; `loops run LOOP` reads the sources");
    }
    for kept in all {
        let finding = kept.finding;
        out.line(format!(
            "{}  {:>5.1}  {:<8}  {:>11}, {:<9}  {}",
            finding.id.short(),
            finding.score.total,
            finding.state.as_str(),
            report::count(finding.signals, "signal"),
            report::people(finding.reporters),
            one_line(&finding.title, 80)
        ));
    }
    Ok(Exit::Done)
}
