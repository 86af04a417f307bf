//! `loops demo`: the main job, whole, with nothing configured.

use std::path::{Path, PathBuf};

use super::{CliError, Context, Exit, Format, run};
use crate::{
    clock, demo,
    engine::Start,
    store::proposals::{self, ProposalState},
};

/// The main job, whole, in a fresh folder: real feedback in, a proven change out.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder to make [default: ./loops-demo, or ./loops-demo-2 …]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Ask the real model (needs ANTHROPIC_API_KEY; costs at most 3 USD). The default if that key is set
    #[arg(long, conflicts_with = "rehearse")]
    live: bool,
    /// Let the cassette answer, key or not
    #[arg(long)]
    rehearse: bool,
}

pub(super) async fn demo(context: &Context, args: Args) -> Result<Exit, CliError> {
    let global = &context.global;
    if global.state.is_some() || global.config.is_some() {
        return Err(CliError::usage("the demo lays out its own settings and state")
            .todo("name its folder instead: `loops demo DIR`"));
    }
    let has_key = context.config()?.models.anthropic.key.is_some();
    if args.live && !has_key {
        return Err(CliError::usage("there is no model key")
            .todo("set ANTHROPIC_API_KEY, or leave `--live` out for the rehearsal"));
    }
    let rehearse = args.rehearse || !has_key;
    let folder = fresh(args.folder)?;
    let out = context.out;
    let stage = demo::lay_out(&folder, rehearse, clock::now())
        .await
        .map_err(|error| CliError::new("the demo's folder could not be made").why(error))?;
    let shown = shown(&stage.folder);
    out.note(format!("Made {shown}: a small shop with three real bugs (shop.git), tests that miss them, and forty messages about it (feedback.jsonl)."));
    out.note(
        "Real: triage, the lead agent's session and tools, workspaces, sandbox, edits, tests, proofs, git.",
    );
    out.note(if rehearse {
        "Rehearsed: the model. Its answers are a cassette that we wrote (cassette.json); nothing is bought.\n"
    } else {
        "The model is real, too; this run may cost 3 USD at most.\n"
    });
    let inner = context.at(&stage.folder);
    let config = inner.config()?;
    let definition = inner.definition(&config, "feedback-to-fix").await?;
    let exit = run::drive(&inner, &definition, Start::NewOrOpen, None).await?;
    let store = inner.store().await?;
    let first = proposals::list(&store, None, Some(ProposalState::Open))
        .await?
        .into_iter()
        .next();
    if let (Some(first), Format::Text) = (first, out.format) {
        out.line(format!("\n{}\n", "─".repeat(72)));
        super::review::page(&inner, &first);
        out.line(format!(
            "{}\nThe diff, the others, and your answer:\n",
            "─".repeat(72)
        ));
        out.line(format!("  cd {shown}"));
        if let Some(program) = not_on_path() {
            out.line(format!("  alias loops='{}'", program.display()));
        }
        out.line(format!(
            "  loops review {}    # the page and the diff",
            first.id.short()
        ));
        out.line("  loops review                      # all that wait for you");
        out.line(format!(
            "  loops approve {}   # merge it into shop.git",
            first.id.short()
        ));
        out.line("  git -C shop pull                  # and see it");
        out.line("  loops run feedback-to-fix         # nothing new: no model is asked\n");
    }
    Ok(exit)
}

/// The folder to make: the one that was asked for, or one that is not there yet.
fn fresh(asked: Option<PathBuf>) -> Result<PathBuf, CliError> {
    let folder = match asked {
        Some(folder) => {
            if folder
                .read_dir()
                .is_ok_and(|mut entries| entries.next().is_some())
            {
                return Err(CliError::usage(format!(
                    "`{}` is there already, and not empty",
                    folder.display()
                ))
                .todo("name another folder"));
            }
            folder
        }
        None => (1..)
            .map(|n| {
                PathBuf::from(if n == 1 {
                    "loops-demo".to_owned()
                } else {
                    format!("loops-demo-{n}")
                })
            })
            .find(|folder| !folder.exists())
            .unwrap_or_default(),
    };
    std::fs::create_dir_all(&folder)
        .and_then(|()| folder.canonicalize())
        .map_err(|error| CliError::new(format!("cannot make `{}`", folder.display())).why(error))
}

/// This program, if a shell would not find it by its name.
fn not_on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join("loops").is_file());
    if found { None } else { std::env::current_exe().ok() }
}

/// The folder as one would type it.
fn shown(folder: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    folder.strip_prefix(&here).unwrap_or(folder).display().to_string()
}
