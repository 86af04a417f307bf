//! The command line: one file a command. A command reads its arguments, asks the rooms, and prints; it decides
//! nothing itself.

mod doctor;
mod error;
mod init;
mod out;
mod schema;
pub mod specs;
mod validate;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};

pub use error::{CliError, Exit};
pub use out::Out;

/// Loops keeps software healthy by itself: it reads what people and machines say about a codebase, lets agents
/// mend what is wrong, proves what they made, and puts it before you.
#[derive(Debug, Parser)]
#[command(name = "loops", version, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Options that every command takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// The service's settings [default: ./loops.yaml, if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where state is kept [default: `state` of the settings, else ./.loops/state]
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Where loops are defined
    #[arg(long, global = true, value_name = "DIR", default_value = ".loops")]
    pub specs: PathBuf,
    /// How facts are printed
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Say more on standard error (twice: much more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// What a command is given besides its own arguments.
#[derive(Debug, Clone)]
pub struct Context {
    /// The options that every command takes.
    pub global: Global,
    /// Where to print.
    pub out: Out,
}

/// How facts are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: JSON on standard output alone.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Validate(validate::Validate),
    Schema(schema::Schema),
    Doctor(doctor::Doctor),
}

const OVERVIEW: &str = "\
loops turns what people and machines say about a codebase into proven, reviewed changes.

  loops demo               watch the whole thing in a fresh folder; nothing to configure
  loops init               write loops that fit the repository in this folder
  loops validate           check what is written; all errors at once
  loops doctor             what is needed, what is there, how to mend the rest
  loops run LOOP           one run now (--dry-run: only say what it would do and cost)
  loops findings           what is wrong, scored, with who said so
  loops review [ID]        proposals: what was wrong, what was changed, what was proven
  loops approve | revise | reject ID
  loops status | runs | show ID | logs ID
  loops audit verify       the ledger is whole

Every command explains itself with --help. The exit code says how it went: 0 done, 1 failed, 2 bad usage
or bad spec, 3 stopped by a budget, 4 a check said no, 5 nothing to do (with --exit-code), 130 interrupted.
";

/// Parses the command line, does what it says, and gives the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Exit::Usage.code() } else { 0 });
        }
    };
    let out = Out::new(cli.global.format);
    let Some(command) = cli.command else {
        out.text(OVERVIEW);
        return ExitCode::SUCCESS;
    };
    let context = Context { global: cli.global, out };
    match dispatch(command, &context) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            out.note(format!("loops: {error}"));
            ExitCode::from(error.exit.code())
        }
    }
}

/// Does what the command says. Only a command that waits for something gets a runtime, so that the others start at once.
fn dispatch(command: Command, context: &Context) -> Result<Exit, CliError> {
    match command {
        Command::Init(command) => command.run(context),
        Command::Validate(command) => command.run(context),
        Command::Schema(command) => command.run(context),
        Command::Doctor(command) => runtime()?.block_on(command.run(context)),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Runtime::new().map_err(|error| CliError::new("cannot start working threads").why(error))
}
