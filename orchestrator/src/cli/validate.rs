//! `loops validate`: everything that is wrong with what was written, at once. Nothing is run and nothing is changed.

use std::path::PathBuf;

use loops::{spec, text::plain};
use serde_json::{Value, json};

use super::{
    CliError, Context, Exit, Format,
    specs::{self, SpecFile},
};

/// Check what is written; all errors at once.
#[derive(Debug, clap::Args)]
pub(super) struct Validate {
    /// Files of loops [default: all in the `--specs` folder]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Validate {
    /// Prints what is wrong; with errors the exit says so.
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, CliError> {
        let config = context.config()?;
        let (mut notes, mut unread) = (Vec::new(), Vec::new());
        let all = if self.files.is_empty() {
            specs::everywhere(context, &config, None, &mut notes, &mut unread).await?
        } else {
            specs::read_all(&self.files, &specs::known(&config.models))?
        };
        let out = context.out;
        for words in &notes {
            out.note(plain(words));
        }
        match out.format {
            Format::Json => out.json(&as_json(&all, &notes)),
            Format::Text => out.text(&as_text(&all, out.color)),
        }
        if !unread.is_empty() {
            // What was not read is not known to be right.
            return Err(CliError::new(format!(
                "the loops of {} could not be looked at now",
                unread.join(", ")
            )));
        }
        Ok(if all.iter().all(|file| file.spec.is_ok()) {
            Exit::Done
        } else {
            Exit::Usage
        })
    }
}

/// What is right and cannot be done yet, whether a run asks for it or the service.
fn later(spec: &spec::LoopSpec) -> Vec<spec::Unavailable> {
    let mut all = spec::unavailable(spec);
    all.extend(spec::unserved(spec));
    all
}

fn as_json(all: &[SpecFile], notes: &[String]) -> Value {
    let one = |file: &SpecFile| {
        let spec = file.spec.as_ref().ok();
        json!({
            "file": file.shown,
            "ok": spec.is_some(),
            "loop": spec.map(|spec| &spec.name),
            "version": spec.map(spec::version),
            "errors": file.errors(),
            "not_available_yet": spec.map(later).unwrap_or_default(),
        })
    };
    json!({ "files": all.iter().map(one).collect::<Vec<_>>(), "notes": notes })
}

fn as_text(all: &[SpecFile], color: bool) -> String {
    let mut out = String::new();
    let mut errors = 0;
    for file in all {
        match &file.spec {
            Err(found) => {
                errors += found.len();
                out += &spec::render(found, &file.text, color);
            }
            Ok(spec) => {
                out += &format!("ok  {}  {} ({})\n", file.shown, spec.name, spec::version(spec));
                for later in later(spec) {
                    out += &format!("    {later}\n");
                }
            }
        }
    }
    if errors > 0 {
        let (are, files) = (
            if errors == 1 { "error" } else { "errors" },
            if all.len() == 1 { "file" } else { "files" },
        );
        out += &format!("{errors} {are} in {} {files}\n", all.len());
    }
    out
}

#[cfg(test)]
mod tests {
    use loops::spec::Known;

    use super::*;

    #[test]
    fn a_page_of_good_and_bad_loops_shows_each_and_counts_the_errors() {
        let folder = tempfile::tempdir().unwrap();
        let good =
            "name: good\nkind: docs\nrepo: ..\nschedule: { every: 10m }\nsources: [{ file: { path: f } }]\n";
        std::fs::write(folder.path().join("bad.yaml"), "name: X\n").unwrap();
        std::fs::write(folder.path().join("good.yaml"), good).unwrap();
        let known = Known {
            models: vec!["top".to_owned(), "standard".to_owned()],
        };
        let all = specs::read_all(&specs::files_in(folder.path()).unwrap(), &known).unwrap();

        let text = as_text(&all, false);
        assert!(text.contains("bad.yaml:1:7"), "{text}");
        assert!(
            text.contains("good (") && text.contains("not available yet: only the kinds"),
            "{text}"
        );
        assert!(text.ends_with("5 errors in 2 files\n"), "{text}");

        let value = as_json(&all, &[]);
        assert_eq!(value["files"][0]["errors"][0]["line"], 1);
        assert_eq!(value["files"][1]["loop"], "good");
        assert_eq!(value["files"][1]["not_available_yet"][0]["path"], "kind");
    }

    #[test]
    fn triggers_that_never_come_are_told_of() {
        let text = "name: a\nkind: fix\nrepo: ..\ntriggers: [{ github: issues.opened }]\nsources: [{ file: { path: f } }]\n";
        let spec = spec::read(
            "a",
            text,
            &Known {
                models: vec!["top".to_owned(), "standard".to_owned()],
            },
        )
        .unwrap();
        let told = later(&spec);
        assert_eq!((told.len(), told[0].path.as_str()), (1, "triggers[0].github"));
        assert_eq!(
            spec::unavailable(&spec),
            [],
            "a run by hand is not refused for it"
        );
    }
}
