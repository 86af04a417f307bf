//! `loops findings`: what is wrong, scored, with who said so; and what a person says of it.

mod word;

use loops::{
    finding::FindingState,
    spec::Span,
    text::{one_line, plain},
    time::Timestamp,
};
use serde_json::{Value, json};

use super::{CliError, Context, Exit, Format, report};
use crate::{
    clock,
    store::findings::{self, Filter, Kept},
};

/// What is wrong, most pressing first. `loops show FINDING` has the signals and why the score is what it is.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    word: Option<word::Word>,
    #[command(flatten)]
    list: List,
}

/// Which findings are listed.
#[derive(Debug, clap::Args)]
struct List {
    /// Of this loop only
    #[arg(value_name = "LOOP")]
    name: Option<String>,
    /// In this state only: open, working, proposed, fixed, refused, merged
    #[arg(long = "in", id = "in_state", value_name = "STATE", value_parser = state)]
    state: Option<FindingState>,
    /// Reported by people, or by machines alone
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// With these words in its title or in one of its signals
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
    /// With a signal since then: a span back from now, like 7d, or a time, like 2026-11-03T00:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
    /// At most this many
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

/// Who reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// At least one person.
    People,
    /// Machines alone.
    Machines,
}

fn state(word: &str) -> Result<FindingState, String> {
    FindingState::parse(word).ok_or_else(|| {
        let words: Vec<&str> = FindingState::ALL.iter().map(|state| state.as_str()).collect();
        format!("it is one of {}", words.join(", "))
    })
}

fn since(word: &str) -> Result<Timestamp, String> {
    if let Some(at) = Timestamp::parse(word) {
        return Ok(at);
    }
    let span: Span = word
        .parse()
        .map_err(|_| "it is a span like `7d`, or a time like `2026-11-03T00:00:00Z`".to_owned())?;
    let back = i64::try_from(span.0.as_millis()).unwrap_or(i64::MAX);
    Ok(Timestamp(clock::now().0.saturating_sub(back)))
}

pub(super) async fn findings(context: &Context, args: Args) -> Result<Exit, CliError> {
    if let Some(word) = args.word {
        return word::carry_out(context, word).await;
    }
    let list = args.list;
    let store = context.store().await?;
    let filter = Filter {
        loop_name: list.name.as_deref(),
        state: list.state,
        by_people: list.kind.map(|kind| kind == Kind::People),
        text: list.text.as_deref(),
        since: list.since,
        limit: Some(list.limit),
        ..Filter::default()
    };
    let all = findings::list(&store, &filter).await?;
    let out = context.out;
    if out.format == Format::Json {
        out.json(&all.iter().map(row).collect::<Vec<_>>());
        return Ok(Exit::Done);
    }
    if all.is_empty() {
        let narrowed =
            list.state.is_some() || list.kind.is_some() || list.text.is_some() || list.since.is_some();
        out.line(if narrowed {
            "no finding like that"
        } else {
            "no finding; `loops run LOOP` reads the sources"
        });
        return Ok(Exit::Done);
    }
    let many = all.iter().any(|kept| kept.loop_name != all[0].loop_name);
    for kept in all {
        let finding = &kept.finding;
        let of = if many {
            format!("  {}", plain(&kept.loop_name))
        } else {
            String::new()
        };
        let back = if came_back(&kept) { "  came back" } else { "" };
        out.line(format!(
            "{}  {:>5.1}  {:<8}  {:>11}, {:<9}  {}{of}  {}{back}",
            finding.id.short(),
            finding.score.total,
            finding.state.as_str(),
            report::count(finding.signals, "signal"),
            report::people(finding.reporters),
            day(finding.last_at),
            one_line(&finding.title, 80)
        ));
    }
    Ok(Exit::Done)
}

/// Whether it was fixed and is open again.
pub(super) fn came_back(kept: &Kept) -> bool {
    kept.came_back_at.is_some() && kept.finding.state != FindingState::Fixed
}

fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// A finding as a script reads it: its own fields, and what is known of it besides, beside each other.
pub(super) fn row(kept: &Kept) -> Value {
    let mut row = json!(kept.finding);
    row["loop"] = json!(kept.loop_name);
    row["kind"] = json!(if kept.finding.reporters > 0 {
        "people"
    } else {
        "machines"
    });
    row["refused_why"] = json!(kept.refused_why);
    row["never"] = json!(kept.never);
    row["merged_into"] = json!(kept.merged_into);
    row["came_back_at"] = json!(kept.came_back_at);
    row["found_at"] = json!(kept.created_at);
    row
}
