//! The command line: one file a command. A command reads its arguments, asks the rooms, and prints; it decides
//! nothing itself.

mod audit;
mod demo;
mod doctor;
mod erase;
mod errands;
mod error;
mod findings;
mod folder;
mod follow;
mod harden;
mod history;
mod import;
mod init;
mod lean;
mod logs;
mod nodes;
mod out;
mod plans;
mod report;
mod review;
mod room;
mod run;
mod sandbox;
mod schema;
mod serve;
mod served;
mod service;
mod show;
pub mod specs;
mod status;
mod store;
mod validate;
mod worker;

use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

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
    /// Where state is kept [default: `state` of the settings, else ~/.local/state/loops]
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

impl Context {
    /// The same, as if everything were in that folder.
    pub(crate) fn at(&self, folder: &std::path::Path) -> Self {
        let global = Global {
            config: Some(folder.join("loops.yaml")),
            state: None,
            specs: folder.join(".loops"),
            ..self.global.clone()
        };
        Self {
            global,
            out: self.out,
        }
    }
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
    /// The main job, whole, in a fresh folder, with nothing configured
    Demo(demo::Args),
    Init(init::Init),
    Validate(validate::Validate),
    Schema(schema::Schema),
    Doctor(doctor::Doctor),
    /// One run of a loop now, in the foreground
    Run(run::Args),
    /// Run every loop by its schedule, until told to stop
    Serve(serve::Args),
    /// Stop the schedule of a loop; takes effect at once, and survives restarts
    Pause(serve::Named),
    /// Let the schedule of a paused loop go on
    Resume(serve::Named),
    /// Stop a run
    Cancel(serve::CancelArgs),
    /// What is under way, and what waits for you
    Status,
    /// What was
    Runs(status::RunsArgs),
    /// One thing whole
    Show(show::Args),
    /// A transcript
    Logs(logs::Args),
    /// What is wrong, scored, with who said so
    Findings(findings::Args),
    /// Proposals and plans that wait for you, or one whole
    Review(review::ReviewArgs),
    /// Merge a proposal, or let a plan be carried out
    Approve(review::ApproveArgs),
    /// Have a proposal tried again, or a plan changed, with your words
    Revise(review::ReviseArgs),
    /// Refuse a proposal or a plan, and remember that
    Reject(review::RejectArgs),
    /// Take in signals from a file or a Slack export
    Import(import::Args),
    /// Take a person's words, or one signal's, away for good
    Erase(erase::Args),
    /// Whether the ledger is what was written
    Audit(audit::Args),
    /// Run a command as an agent's would run, here, by hand
    Sandbox(sandbox::Args),
    /// Where the state is kept
    Store(store::Args),
    Worker(worker::Args),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

const OVERVIEW: &str = "\
loops turns what people and machines say about a codebase into proven, reviewed changes.

  loops demo               watch the whole thing in a fresh folder; nothing to configure
  loops init               write loops that fit the repository in this folder
  loops validate           check what is written; all errors at once
  loops doctor             what is needed, what is there, how to mend the rest
  loops run LOOP           one run now (--dry-run: only say what it would do and cost)
  loops serve              every loop by its schedule (pause LOOP, resume LOOP, cancel RUN)
  loops worker             carry out work of a service elsewhere, on the same Postgres
  loops findings           what is wrong, scored, with who said so
  loops findings merge | split | refuse | reopen
  loops review [ID]        proposals: what was wrong, what was changed, what was proven
  loops approve | revise | reject ID
  loops status | runs | show ID | logs ID
  loops audit verify       the ledger is whole
  loops store move         from the SQLite file into Postgres, or back

Every command explains itself with --help. The exit code says how it went: 0 done, 1 failed, 2 bad usage
or bad spec, 3 stopped by a budget, 4 a check said no, 5 nothing to do (with --exit-code), 130 interrupted.
";

/// Everything that can be typed, for whoever describes it or checks what others wrote about it.
pub fn grammar() -> clap::Command {
    Cli::command()
}

/// Parses the command line, does what it says, and gives the exit code.
pub fn main() -> ExitCode {
    harden::harden();
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
    if let Command::Serve(_) | Command::Worker(_) = command {
        lean::settle();
    }
    let context = Context {
        global: cli.global,
        out,
    };
    telemetry(
        context.global.verbose,
        out.color && std::io::stderr().is_terminal(),
    );
    let ended = match runtime() {
        Ok(runtime) => runtime.block_on(dispatch(&context, command)),
        Err(error) => Err(CliError::new("the process could not be set up").why(error)),
    };
    match ended {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            context
                .out
                .note(format!("{} {error}", context.out.paint("31", "error:")));
            ExitCode::from(error.exit.code())
        }
    }
}

async fn dispatch(context: &Context, command: Command) -> Result<Exit, CliError> {
    match command {
        Command::Demo(args) => demo::demo(context, args).await,
        Command::Init(command) => command.run(context).await,
        Command::Validate(command) => command.run(context).await,
        Command::Schema(command) => command.run(context),
        Command::Doctor(command) => command.run(context).await,
        Command::Run(args) => run::run(context, args).await,
        Command::Serve(args) => serve::serve(context, args).await,
        Command::Pause(args) => serve::pause(context, args).await,
        Command::Resume(args) => serve::resume(context, args).await,
        Command::Cancel(args) => serve::cancel(context, args).await,
        Command::Status => status::status(context).await,
        Command::Runs(args) => status::runs(context, args).await,
        Command::Show(args) => show::show(context, args).await,
        Command::Logs(args) => logs::logs(context, args).await,
        Command::Findings(args) => findings::findings(context, args).await,
        Command::Review(args) => review::review(context, args).await,
        Command::Approve(args) => review::approve(context, args).await,
        Command::Revise(args) => review::revise(context, args).await,
        Command::Reject(args) => review::reject(context, args).await,
        Command::Import(args) => import::import(context, args).await,
        Command::Erase(args) => erase::erase(context, args).await,
        Command::Audit(args) => audit::audit(context, args).await,
        Command::Sandbox(args) => sandbox::sandbox(context, args).await,
        Command::Store(args) => store::store(context, args).await,
        Command::Worker(args) => worker::worker(context, args).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut grammar(), "loops", &mut script);
            context.out.text(&String::from_utf8_lossy(&script));
            Ok(Exit::Done)
        }
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    // Before the first TLS client: without a provider of its own choice that panics.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Logs go to standard error; without `-v` only what went wrong. A program that has the service in it may listen by
/// itself; it did so before.
fn telemetry(verbose: u8, color: bool) {
    let level = match verbose {
        0 => "error",
        1 => "loops=info,orchestrator=info,workers=info,warn",
        _ => "orchestrator=debug,workers=debug,info",
    };
    tracing_subscriber::fmt()
        .with_env_filter(level)
        .with_writer(|| out::Logs)
        .with_target(verbose > 1)
        .with_ansi(color)
        .try_init()
        .unwrap_or_default();
}
