//! `loops store move`: the state from the SQLite file into a Postgres, or back.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::{CliError, Context, Exit, Format, service};
use crate::{
    clock,
    config::{Config, Secret, SecretRef},
    store::{
        FILE, StateLock, Store,
        ledger::Broken,
        r#move::{Moved, move_all},
    },
};

/// What to do with the state.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Copy the whole state from the SQLite file into an empty Postgres, or back, look it over, and say how to use it;
    /// the old one stays as it is, and nothing else may work on either meanwhile
    Move {
        /// Where to: `${NAME}` of the environment variable that holds the address of a Postgres, or a folder
        #[arg(long, value_name = "WHERE")]
        to: String,
    },
}

/// Where a state can be moved to.
enum Target {
    Postgres { name: String, address: Secret },
    Folder(PathBuf),
}

pub(super) async fn store(context: &Context, args: Args) -> Result<Exit, CliError> {
    let What::Move { to } = args.what;
    let config = context.config()?;
    let target = target(&to)?;
    let (from, into, locks) = both(&config, &target).await?;
    let moved = move_all(&from, &into, clock::now())
        .await
        .map_err(|error| match error {
            Broken::Store(error) => CliError::from(error),
            broken => CliError {
                exit: Exit::CheckSaidNo,
                ..CliError::new("the state was not moved: its ledger is not whole").why(broken)
            },
        })?;
    tell(context, &from, &into, &target, &moved);
    into.close().await;
    drop(locks);
    Ok(Exit::Done)
}

/// A shell may have put the address itself in the place of its variable.
fn target(to: &str) -> Result<Target, CliError> {
    if let Some(reference) = SecretRef::parse(to) {
        let address = reference
            .value()
            .ok_or_else(|| CliError::usage(format!("`{}` is not set", reference.0)))?;
        return Ok(Target::Postgres {
            name: reference.0,
            address,
        });
    }
    Ok(match to {
        "" => return Err(CliError::usage("say where to move the state").todo("`--to '${DATABASE_URL}'`")),
        address if address.starts_with("postgres://") || address.starts_with("postgresql://") => {
            Target::Postgres {
                name: "DATABASE_URL".to_owned(),
                address: Secret::new(address.to_owned()),
            }
        }
        folder => Target::Folder(PathBuf::from(folder)),
    })
}

/// The state and where it goes, with the locks of both.
async fn both(config: &Config, target: &Target) -> Result<(Store, Store, [StateLock; 2]), CliError> {
    match (target, &config.database) {
        (Target::Postgres { .. }, Some(database)) => Err(CliError::usage(format!(
            "the state is in a Postgres already, the one of `{}`",
            database.name
        ))
        .todo("to move it into a SQLite file, name a folder")),
        (Target::Postgres { address, .. }, None) => {
            if !config.state.join(FILE).exists() {
                let what = format!("there is no state in `{}`", config.state.display());
                return Err(
                    CliError::new(what).todo("there is nothing to move: set `database` in `loops.yaml`")
                );
            }
            let lock = StateLock::take(&config.state)?;
            let from = Store::open(&config.state).await?;
            let into = Store::connect(address.expose()).await?;
            let own =
                tempfile::tempdir().map_err(|error| CliError::new("no lock could be made").why(error))?;
            let other = StateLock::take(own.path())?.also_in(&into).await?;
            Ok((from, into, [lock, other]))
        }
        (Target::Folder(folder), Some(database)) => {
            let lock = StateLock::take(&config.state)?;
            let from = Store::connect(service::address(database)?.expose()).await?;
            let lock = lock.also_in(&from).await?;
            if folder.canonicalize().ok() == config.state.canonicalize().ok() {
                let into = Store::open(folder).await?;
                // One folder, one lock.
                let none =
                    tempfile::tempdir().map_err(|error| CliError::new("no lock could be made").why(error))?;
                return Ok((from, into, [lock, StateLock::take(none.path())?]));
            }
            let other = StateLock::take(folder)?;
            Ok((from, Store::open(folder).await?, [lock, other]))
        }
        (Target::Folder(_), None) => Err(CliError::usage("the state is in a SQLite file already")
            .todo("to move it into a Postgres, say `--to '${DATABASE_URL}'`")),
    }
}

fn tell(context: &Context, from: &Store, into: &Store, target: &Target, moved: &Moved) {
    let out = context.out;
    let rows: u64 = moved.tables.iter().map(|(_, rows)| rows).sum();
    if out.format == Format::Json {
        let tables: serde_json::Map<_, _> = moved
            .tables
            .iter()
            .map(|(name, rows)| (name.clone(), json!(rows)))
            .collect();
        out.json(&json!({
            "from": from.place(), "to": into.place(), "rows": rows, "tables": tables,
            "ledger": { "rows": moved.ledger.rows, "seals": moved.ledger.seals, "head": moved.ledger.head },
        }));
        return;
    }
    out.line(format!(
        "copied {rows} rows of {} tables from `{}` to `{}`; every table is the same on both sides",
        moved.tables.len(),
        from.place().display(),
        into.place().display()
    ));
    out.line(format!(
        "the ledger is whole on both sides: {} rows under {} seals, head {}",
        moved.ledger.rows,
        moved.ledger.seals,
        moved.ledger.head.as_deref().unwrap_or("nothing")
    ));
    match target {
        Target::Postgres { name, .. } => {
            out.line("\nPut this into loops.yaml to work on it (workspaces stay in the state folder):\n");
            out.line(format!("  database: ${{{name}}}\n"));
        }
        Target::Folder(folder) => {
            out.line("\nTo work on it, take `database` out of loops.yaml and put this there:\n");
            out.line(format!("  state: {}\n", folder.display()));
        }
    }
    out.line(format!(
        "What is in `{}` stays as it was; it is not read any more then.",
        from.place().display()
    ));
}
