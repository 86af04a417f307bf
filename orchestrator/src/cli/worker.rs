//! `loops worker`: carries out orders of a service elsewhere; `loops worker exec`: one order, from a file.

use std::{path::PathBuf, time::Duration};

use clap::Subcommand;
use loops::text::plain;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use workers::{Order, carry_out, order::Result as JobResult};

use super::{CliError, Context, Exit, Out, follow, service};
use crate::{
    clock,
    config::node::labels,
    engine::{self, NodeWord},
};

/// Carry out orders of a service elsewhere, on the same Postgres.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// What loops can ask for with `needs`, like `gpu,big` [default: `node.labels` of the settings]
    #[arg(long, value_name = "LABELS", value_delimiter = ',')]
    labels: Vec<String>,
    /// How many orders at once [default: `node.places` of the settings]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    places: Option<u32>,
    /// How people call it [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How long orders under way may go on after SIGTERM or Ctrl-C before they are given back with what is saved
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    grace: u64,
    /// Let a cassette answer in place of the models
    #[arg(long, value_name = "FILE")]
    cassette: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Carry out one order; its reports go to standard error, its outcome to standard output, both as JSON
    Exec {
        /// The order, as JSON
        #[arg(long, value_name = "FILE")]
        order: PathBuf,
    },
}

pub(super) async fn worker(context: &Context, args: Args) -> Result<Exit, CliError> {
    match args.what {
        Some(What::Exec { order }) => exec(context, &order).await,
        None => node(context, args).await,
    }
}

async fn node(context: &Context, args: Args) -> Result<Exit, CliError> {
    let mut node = context.config()?.node;
    if !args.labels.is_empty() {
        node.labels = labels(args.labels).map_err(CliError::usage)?;
    }
    if let Some(name) = args.name {
        node.name = loops::text::one_line(name.trim(), 60);
    }
    node.places = args.places.unwrap_or(node.places);
    if node.places == 0 {
        return Err(CliError::usage("a worker without a place does nothing").todo("give `--places` a number"));
    }
    let out = context.out;
    let (name, with) = (node.name.clone(), node.labels.join(", "));
    let service = context.worker_node(node, args.cassette).await?;
    let stop = CancellationToken::new();
    let interrupt = tokio::spawn(follow::interrupt(stop.clone()));
    let with = if with.is_empty() {
        "no labels".to_owned()
    } else {
        with
    };
    out.note(format!(
        "`{}` works for the state in `{}`, with {with}; Ctrl-C ends it",
        plain(&name),
        service.engine.home.store.place().display()
    ));
    let (words, mut inbox) = mpsc::unbounded_channel();
    let teller = tokio::spawn(async move {
        while let Some(word) = inbox.recv().await {
            say(out, &word);
        }
    });
    let worked = engine::work(&service.engine, &stop, Duration::from_secs(args.grace), words).await;
    interrupt.abort();
    service.engine.gateway.shutdown(Duration::from_millis(200)).await;
    teller.abort();
    worked.map_err(|error| CliError::new("the worker ended").why(error))?;
    out.note("the worker has ended; what it had not finished is for others");
    Ok(Exit::Done)
}

fn say(out: Out, word: &NodeWord) {
    let line = match word {
        NodeWord::Took(attempt, kind, name) => format!("takes     {} {kind} of {name}", attempt.short()),
        NodeWord::Done(attempt) => format!("done      {}", attempt.short()),
        NodeWord::GaveBack(attempt) => format!("back      {} is for others", attempt.short()),
        NodeWord::Stopped(attempt) => format!("stopped   {} is none of ours any more", attempt.short()),
        NodeWord::Room => "disk      there is room again: what waited goes on".to_owned(),
        NodeWord::Trouble(why) => format!("trouble   {why}"),
    };
    out.note(format!("{}  {}", clock::now(), plain(&line)));
}

async fn exec(context: &Context, order: &std::path::Path) -> Result<Exit, CliError> {
    let name = order.display().to_string();
    let text = std::fs::read_to_string(order)
        .map_err(|error| CliError::usage(format!("cannot read `{name}`")).why(error))?;
    let order: Order = serde_json::from_str(&text)
        .map_err(|error| CliError::usage(format!("`{name}` is not an order")).why(error))?;
    let (reports, mut inbox) = mpsc::unbounded_channel();
    let out = context.out;
    let teller = tokio::spawn(async move {
        while let Some(report) = inbox.recv().await {
            if let Ok(line) = serde_json::to_string(&report) {
                out.note(line);
            }
        }
    });
    let outcome = carry_out(order, &service::machine(), reports).await;
    let _ = teller.await;
    out.json(&outcome);
    Ok(if matches!(outcome.result, JobResult::CouldNotRun { .. }) {
        Exit::Failed
    } else {
        Exit::Done
    })
}
