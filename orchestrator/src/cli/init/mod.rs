//! `loops init`: looks at the repository in this folder and writes a first loop that fits it. It never overwrites, and
//! runs nothing of what it finds.

mod look;
mod pull;
mod write;

use std::{
    fs::{self, OpenOptions},
    io::{self, IsTerminal, Write as _},
    path::{Path, PathBuf},
};

use loops::spec::{self, Known};
use serde_json::json;

use super::{CliError, Context, Exit, Format, specs};
use look::Look;

/// Write a loop that fits the repository in this folder.
#[derive(Debug, clap::Args)]
pub(super) struct Init {
    /// Take what was found, ask nothing
    #[arg(short, long)]
    yes: bool,
    /// Propose loops to the repository on GitHub, as one pull request; nothing here is read or written
    #[arg(long)]
    pr: bool,
    /// Which repository [default: the remote `origin` of the clone in this folder]
    #[arg(long, value_name = "OWNER/NAME", requires = "pr")]
    repo: Option<String>,
    /// Although it was refused there before
    #[arg(long, requires = "pr")]
    again: bool,
}

/// What was done about a file.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    path: PathBuf,
    written: bool,
}

const SPEC: &str = "feedback-to-fix.yaml";
const FEEDBACK: &str = "feedback.jsonl";

impl Init {
    /// Looks, asks unless told not to, and writes what is not there yet.
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, CliError> {
        if self.pr {
            return pull::propose(context, self.repo.as_deref(), self.again).await;
        }
        let known = specs::known(&specs::config(context)?.models);
        let mut look = Look::at(Path::new(".")).map_err(|why| {
            CliError::usage("this folder is not a git repository's top")
                .why(why)
                .todo("go there, or type `git init`")
        })?;
        let text = context.out.format == Format::Text;
        if text {
            context.out.text(&look.told());
        }
        if !self.yes {
            if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
                return Err(CliError::usage("there is no terminal to ask at").todo("type `loops init --yes`"));
            }
            if !ask(&mut look)? {
                return Ok(Exit::Interrupted);
            }
        }
        let done = write_all(Path::new("."), &context.global.specs, &look, &known)?;
        if text {
            context.out.text(&summary(&done));
            context.out.text(&lacking(&done, &look));
        } else {
            let files: Vec<_> = done
                .iter()
                .map(|one| json!({ "file": one.path.display().to_string(), "written": one.written }))
                .collect();
            let no_check = !lacking(&done, &look).is_empty();
            context
                .out
                .json(&json!({ "looked": look, "files": files, "no_check": no_check }));
        }
        Ok(Exit::Done)
    }
}

/// Lets a person change what was found; false: they went away.
fn ask(look: &mut Look) -> Result<bool, CliError> {
    let mut asked = || -> Result<(), inquire::InquireError> {
        look.base = inquire::Text::new("Branch to work from:")
            .with_default(&look.base)
            .prompt()?;
        for check in &mut look.checks {
            let question = format!("Command that proves a change ({}), empty for none:", check.name);
            check.run = inquire::Text::new(&question)
                .with_initial_value(&check.run)
                .prompt()?;
        }
        if look.checks.is_empty() {
            let run = inquire::Text::new("Command that runs the tests, empty for none:").prompt()?;
            look.checks.push(look::Check {
                name: "tests".to_owned(),
                run,
            });
        }
        Ok(())
    };
    match asked() {
        Ok(()) => {
            look.checks.retain(|check| !check.run.trim().is_empty());
            Ok(true)
        }
        Err(inquire::InquireError::OperationCanceled | inquire::InquireError::OperationInterrupted) => {
            Ok(false)
        }
        Err(error) => Err(CliError::new("cannot ask")
            .why(error)
            .todo("type `loops init --yes`")),
    }
}

/// Writes the loop, an example of feedback and the settings: each only where there is none.
fn write_all(top: &Path, folder: &Path, look: &Look, known: &Known) -> Result<Vec<Done>, CliError> {
    let top = if top == Path::new(".") { Path::new("") } else { top };
    let folder = top.join(folder);
    let failed = |path: &Path| {
        let what = format!("cannot write `{}`", path.display());
        move |error: io::Error| CliError::new(what).why(error)
    };
    if fs::symlink_metadata(&folder).is_ok_and(|there| there.is_symlink()) {
        return Err(
            CliError::new(format!("`{}` is a symbolic link", folder.display()))
                .todo("make it a folder, or name another with `--specs DIR`"),
        );
    }
    let path = folder.join(SPEC);
    let loop_text = write::spec(look, &repo_from(top, &folder));
    if let Err(errors) = spec::read(&path.display().to_string(), &loop_text, known) {
        // Answers that make no loop, such as a branch's name with a space.
        let shown = spec::render(&errors, &loop_text, false);
        return Err(CliError::usage(format!(
            "these answers make no loop\n\n{}",
            shown.trim_end()
        )));
    }
    fs::create_dir_all(&folder).map_err(failed(&folder))?;
    let settings = top.join("loops.yaml");
    let feedback = folder.join(FEEDBACK);
    [
        (path, loop_text.as_str()),
        (feedback, write::FEEDBACK),
        (settings, write::SETTINGS),
    ]
    .into_iter()
    .map(|(path, text)| {
        Ok(Done {
            written: write_new(&path, text).map_err(failed(&path))?,
            path,
        })
    })
    .collect()
}

/// The repository's top, as seen from the folder of specs.
fn repo_from(top: &Path, folder: &Path) -> String {
    let here = if top == Path::new("") { Path::new(".") } else { top };
    let (Ok(top), Ok(below)) = (fs::canonicalize(here), std::path::absolute(folder)) else {
        return "..".to_owned();
    };
    let goes_up = below
        .components()
        .any(|part| part == std::path::Component::ParentDir);
    match below.strip_prefix(&top) {
        Ok(_) | Err(_) if goes_up => top.display().to_string(),
        Ok(rest) if rest.components().count() > 0 => vec![".."; rest.components().count()].join("/"),
        Ok(_) => ".".to_owned(),
        Err(_) => top.display().to_string(),
    }
}

/// Writes a file that is not there; false if it is.
fn write_new(path: &Path, text: &str) -> io::Result<bool> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a person has to add before the loop that was written can run; empty: nothing.
fn lacking(done: &[Done], look: &Look) -> String {
    let written = done
        .iter()
        .find(|one| one.written && one.path.ends_with(SPEC))
        .filter(|_| look.checks.is_empty());
    written.map_or_else(String::new, |spec| {
        format!(
            "\nBefore that: no command that runs tests was found here, and without one nothing could be proven, so `loops \
             run`\nrefuses this loop. Write yours under `checks` in {}.\n",
            spec.path.display()
        )
    })
}

fn summary(done: &[Done]) -> String {
    let mut out = String::from("\n");
    for one in done {
        let path = one.path.display();
        out += &if one.written {
            format!("wrote  {path}\n")
        } else {
            format!("kept   {path} (it was there)\n")
        };
    }
    out += "\nNext:\n  loops doctor                    what is needed, what is there\n";
    out + "  loops run feedback-to-fix --dry-run   what a run would do and cost\n"
}

#[cfg(test)]
mod tests;
