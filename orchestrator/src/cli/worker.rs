//! `loops worker exec`: carries out one order and prints its outcome.

use std::path::PathBuf;

use clap::Subcommand;
use tokio::sync::mpsc;
use workers::{Order, carry_out, order::Result as JobResult};

use super::{CliError, Context, Exit, service};

/// A worker.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
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
    let What::Exec { order } = args.what;
    let name = order.display().to_string();
    let text = std::fs::read_to_string(&order)
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
