//! `loops audit verify`: whether the ledger is what was written.

use clap::Subcommand;
use serde_json::json;

use super::{CliError, Context, Exit, Format};
use crate::{
    clock,
    store::ledger::{self, Broken},
};

/// What to do with the ledger.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Walk the whole chain: nothing was changed, taken out, put in or moved
    Verify,
}

pub(super) async fn audit(context: &Context, args: Args) -> Result<Exit, CliError> {
    let What::Verify = args.what;
    let store = context.store().await?;
    ledger::seal(&store, clock::now()).await?;
    match ledger::verify(&store).await {
        Ok(verified) => {
            if context.out.format == Format::Json {
                context.out.json(&json!({ "whole": true, "rows": verified.rows, "seals": verified.seals, "head": verified.head }));
            } else {
                let head = verified.head.as_deref().unwrap_or("nothing");
                context.out.line(format!(
                    "the ledger is whole: {} rows under {} seals, head {head}",
                    verified.rows, verified.seals
                ));
            }
            Ok(Exit::Done)
        }
        Err(Broken::Store(error)) => Err(error.into()),
        Err(broken) => {
            if context.out.format == Format::Json {
                context
                    .out
                    .json(&json!({ "whole": false, "why": broken.to_string() }));
            }
            Err(CliError {
                exit: Exit::CheckSaidNo,
                ..CliError::new("the ledger is not whole").why(broken)
            })
        }
    }
}
