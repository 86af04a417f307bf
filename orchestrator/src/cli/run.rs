//! `loops run`: one run now, in the foreground.

use loops::{
    id::RunId,
    run::{End, Why},
    spec,
};
use tokio_util::sync::CancellationToken;

use super::{CliError, Context, Exit, Format, errands, follow, report};
use crate::{
    engine::{self, Definition, Start, Watchers},
    store::{
        Store,
        attempts::{self, Role},
    },
};

/// One run of a loop now, in the foreground. A run that was interrupted goes on.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The loop's name
    #[arg(value_name = "LOOP")]
    pub(super) name: String,
    /// Stop before any agent: show what it would do and what it would cost at most
    #[arg(long)]
    dry_run: bool,
    /// Exit with 5 when there was nothing to do
    #[arg(long)]
    exit_code: bool,
    /// Let a cassette answer in place of the models
    #[arg(long, value_name = "FILE")]
    pub(super) cassette: Option<std::path::PathBuf>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Exit, CliError> {
    let config = context.config()?;
    let definition = context.definition(&config, &args.name).await?;
    refuse_what_is_not_there(&definition)?;
    if let Some(waits) = spec::unserved(&definition.spec) {
        context.out.note(format!("note      {waits}"));
    }
    if args.dry_run {
        return dry_run(context, &definition).await;
    }
    let exit = drive(context, &definition, Start::NewOrOpen, args.cassette).await?;
    Ok(if exit == Exit::NothingToDo && !args.exit_code {
        Exit::Done
    } else {
        exit
    })
}

/// Keys that are valid and whose depth is not built are refused, never ignored.
pub(super) fn refuse_what_is_not_there(definition: &Definition) -> Result<(), CliError> {
    let spec = &definition.spec;
    if !spec.proposal.reports_only() && spec.checks.commands.is_empty() {
        return Err(CliError::usage(format!("`{}` has no check: nothing that it makes could be proven", spec.name))
            .todo("add `checks: { commands: [{ name: unit, run: … }] }`; `loops init` finds the commands of a repository"));
    }
    let missing = spec::unavailable(&definition.spec);
    if missing.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = missing
        .iter()
        .map(|key| format!("`{}`: {}", key.path, key.words))
        .collect();
    Err(
        CliError::usage(format!("not available yet:\n    {}", lines.join("\n    "))).todo(format!(
            "take it out of `{}`, or wait for a release that has it",
            definition.path.display()
        )),
    )
}

/// Drives a run to its end, shows it, and says how it went.
pub(super) async fn drive(
    context: &Context,
    definition: &Definition,
    start: Start,
    cassette: Option<std::path::PathBuf>,
) -> Result<Exit, CliError> {
    let service = context.service(cassette).await?;
    if let Some(short) = service.engine.home.disk.short() {
        service.leave().await;
        return Err(CliError::new(short.to_string()).todo(
            "make room (`loops status` says what takes how much), or write a smaller `disk.keep_free`",
        ));
    }
    errands::look(&service.engine.home, context.out).await?;
    if service.engine.home.slack.is_none() && engine::says_in_slack(&definition.spec) {
        context
            .out
            .note("`notify` asks for messages in Slack, and there is no login: nothing is said there");
    }
    let watchers = Watchers::default();
    let cancel = CancellationToken::new();
    let interrupt = tokio::spawn(follow::interrupt(cancel.clone()));
    let shown = follow::show(context.out, watchers.listen());
    let finished = engine::run(&service.engine, definition, start, &watchers, &cancel).await;
    interrupt.abort();
    drop(watchers);
    shown.await;
    let finished = finished?;
    // What came of it may be to be said on GitHub; what cannot be is told at the next look.
    engine::send(&service.engine.home, false).await?;
    engine::announce(&service.engine.home).await?;
    engine::send(&service.engine.home, false).await?;
    service.leave().await;
    service
        .engine
        .gateway
        .shutdown(std::time::Duration::from_millis(200))
        .await;
    crate::store::ledger::seal(&service.engine.home.store, crate::clock::now()).await?;
    let summary = report::gather(&service.engine.home.store, finished.id).await?;
    match context.out.format {
        Format::Json => context.out.json(&summary),
        Format::Text => report::print(context.out, &summary, definition),
    }
    if let Some(trouble) = finished.trouble {
        return Err(CliError::from(trouble));
    }
    let ending = lead_ending(&service.engine.home.store, finished.id).await?;
    let name = &definition.spec.name;
    match finished.end {
        None => {
            context.out.note(format!(
                "interrupted; nothing is lost, `loops run {name}` goes on with it"
            ));
            Ok(Exit::Interrupted)
        }
        Some(End::Failed) => Err(match (service.engine.gateway.key_trouble(), ending) {
            (Some(trouble), _) => CliError::new("no model could be asked")
                .why(trouble)
                .todo("`loops doctor` says what is missing"),
            (None, Some(ending)) => CliError::new("the lead agent could not do its work")
                .why(ending)
                .todo(format!(
                    "nothing is lost: `loops run {name}` takes up the same findings again"
                )),
            (None, None) => CliError::new("the run failed")
                .todo(format!("`loops show {}` says where", finished.id.short())),
        }),
        Some(End::OutOfBudget) => Err(out_of_budget(definition, service.engine.gateway.over_budget().or(ending))),
        Some(End::NothingToDo) => Ok(Exit::NothingToDo),
        Some(End::Cancelled) => Ok(Exit::Failed),
        Some(End::Done) => match (summary.held_back(), service.engine.gateway.over_budget()) {
            (None, _) => Ok(Exit::Done),
            (Some(_), Some(cap)) => Err(out_of_budget(definition, Some(cap))),
            (Some(Why::OutOfBudget), None) => Err(out_of_budget(definition, None)),
            (Some(Why::NoChange | Why::NotProven), None) => Ok(Exit::CheckSaidNo),
            (Some(why), None) => Err(CliError::new("no task could be brought to its end").why(why.words()).todo(match why {
                Why::NotProposed => format!("`loops show {}` has what was proven", finished.id.short()),
                _ => format!("nothing is lost: `loops run {name}` takes up the same findings again; `loops doctor` says what is missing"),
            })),
        },
    }
}

fn out_of_budget(definition: &Definition, why: Option<String>) -> CliError {
    let told = CliError::new("a budget stopped the run").todo(format!(
        "raise `budget` in `{}`; what was done is kept",
        definition.path.display()
    ));
    CliError {
        why,
        exit: Exit::OutOfBudget,
        ..told
    }
}

/// How the lead agent's session ended, in its last words about itself.
async fn lead_ending(store: &Store, run: RunId) -> Result<Option<String>, CliError> {
    let lead = attempts::of_run(store, run)
        .await?
        .into_iter()
        .rfind(|attempt| attempt.begun.role == Role::Lead);
    Ok(lead.and_then(|attempt| attempt.ended.ending))
}

async fn dry_run(context: &Context, definition: &Definition) -> Result<Exit, CliError> {
    let plan = context.look_ahead(definition).await?;
    if context.out.format == Format::Json {
        context.out.json(&serde_json::json!({ "dry_run": plan }));
        return Ok(Exit::Done);
    }
    let out = context.out;
    if plan.findings.is_empty() {
        out.line("nothing to do: no finding is new and passes the thresholds");
    }
    for (at, finding) in plan.findings.iter().enumerate() {
        out.line(format!(
            "F{}  {:>5.1}  {} from {}  {}",
            at + 1,
            finding.score.total,
            report::count(finding.signals, "signal"),
            report::people(finding.reporters),
            finding.title
        ));
    }
    out.line(format!(
        "\nwould start {} at most, and cost {} at most ({})",
        report::count(plan.tasks, "task"),
        plan.worst_case,
        plan.because
    ));
    if plan.plan_first && plan.tasks > 0 {
        out.line("each task would wait for your approval first (`loops review`)");
    }
    if let Some(until) = plan.quiet_until {
        out.line(format!(
            "these are the loop's quiet hours: until {until} no tick starts anything; `loops run {}` does",
            definition.spec.name
        ));
    }
    out.line("nothing was started, and nothing was written down");
    Ok(Exit::Done)
}
