//! `docs/commands.md`, made of what the command line itself knows, and every command that any page names.

use std::{fmt::Write as _, fs};

use clap::{Arg, Command, error::ErrorKind};
use orchestrator::cli::grammar;

use super::{fresh, pages, root};

const INTRODUCTION: &str = "\
# Commands

Made from the command line itself by `./x docs`; a test fails when it is stale. `loops` alone explains itself in one
screen, and every command does with `--help`.

Facts go to standard output, progress and logs to standard error. Every command that prints facts takes
`--format json`. Text is colored only on a terminal and honours `NO_COLOR`. What the exit codes mean stands in
[operations.md](operations.md#exit-codes).
";

#[test]
fn the_page_of_commands_is_fresh() {
    let grammar = grammar();
    let mut page = INTRODUCTION.to_owned();
    page.push_str("\n## Options of every command\n\n");
    let (global, own): (Vec<&Arg>, Vec<&Arg>) = grammar.get_arguments().partition(|arg| arg.is_global_set());
    assert!(
        own.is_empty(),
        "an option of `loops` alone is not described: {own:?}"
    );
    table(&mut page, &global);
    for command in grammar.get_subcommands() {
        describe(&mut page, "loops", command);
    }
    fresh("docs/commands.md", &page);
}

fn describe(page: &mut String, parents: &str, command: &Command) {
    if command.is_hide_set() {
        return;
    }
    let name = format!("{parents} {}", command.get_name());
    let args: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_hide_set()).collect();
    let about = command
        .get_long_about()
        .or(command.get_about())
        .map(ToString::to_string)
        .unwrap_or_default();
    assert!(!about.is_empty(), "`{name}` does not say what it does");
    let subcommands: Vec<&Command> = command.get_subcommands().collect();
    if subcommands.is_empty() {
        let usage: String = args.iter().map(|arg| format!(" {}", usage(arg))).collect();
        let _ = write!(
            page,
            "\n## {name}\n\n```sh\n{name}{usage}\n```\n\n{}\n",
            sentence(&about)
        );
        if !args.is_empty() {
            page.push('\n');
            table(page, &args);
        }
    }
    for sub in subcommands {
        describe(page, &name, sub);
    }
}

/// As one types it: `LOOP`, `[ID]`, `[--all]`, `--reason <WHY>`.
fn usage(arg: &Arg) -> String {
    let word = if arg.is_last_set() {
        format!("-- {}", value(arg))
    } else if arg.is_positional() {
        value(arg)
    } else {
        spelled(arg)
    };
    if arg.is_required_set() {
        word
    } else {
        format!("[{word}]")
    }
}

fn value(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let many = arg.get_num_args().is_some_and(|range| range.max_values() > 1);
    let names: Vec<String> = names.iter().map(|name| name.to_string().to_uppercase()).collect();
    format!("{}{}", names.join(" "), if many { "…" } else { "" })
}

fn spelled(arg: &Arg) -> String {
    let long = arg.get_long().map(|long| format!("--{long}"));
    let flag = long
        .or(arg.get_short().map(|short| format!("-{short}")))
        .unwrap_or_default();
    if arg.get_action().takes_values() {
        format!("{flag} {}", value(arg))
    } else {
        flag
    }
}

fn table(page: &mut String, args: &[&Arg]) {
    page.push_str("| | |\n|---|---|\n");
    for arg in args {
        let help = arg
            .get_long_help()
            .or(arg.get_help())
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(!help.is_empty(), "`{}` does not say what it is for", arg.get_id());
        let mut head = if arg.is_positional() {
            value(arg)
        } else {
            spelled(arg)
        };
        if let (Some(short), Some(_)) = (arg.get_short(), arg.get_long()) {
            head = format!("-{short}, {head}");
        }
        let allowed: Vec<String> = arg
            .get_possible_values()
            .iter()
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        let mut words = sentence(&help);
        if arg.get_action().takes_values() && !allowed.is_empty() {
            let _ = write!(words, " Allowed: {}.", allowed.join(", "));
        }
        let default = arg
            .get_default_values()
            .first()
            .map(|value| value.to_string_lossy());
        if let Some(default) = default.filter(|_| arg.get_action().takes_values()) {
            let _ = write!(words, " Default: `{default}`.");
        }
        let _ = writeln!(page, "| `{head}` | {} |", words.replace('|', "\\|"));
    }
}

fn sentence(words: &str) -> String {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.ends_with(['.', ']']) {
        words
    } else {
        format!("{words}.")
    }
}

#[test]
fn every_command_that_a_page_names_is_one() {
    let mut seen = 0;
    for page in pages() {
        let (blocks, _) = page.parts();
        let typed = blocks
            .iter()
            .filter(|block| block.language == "sh")
            .flat_map(|block| {
                block
                    .text
                    .lines()
                    .enumerate()
                    .map(|(at, line)| (block.line + at + 1, line.to_owned()))
            });
        for (line, code) in typed.chain(page.code()) {
            let Some(rest) = code.trim().strip_prefix("loops ") else {
                continue;
            };
            judge(rest).unwrap_or_else(|why| panic!("{}:{line}: `loops {rest}`: {why}", page.path));
            seen += 1;
        }
    }
    assert!(
        seen > 40,
        "only {seen} commands were found: are they still written as this test looks for them?"
    );
}

/// Whether this can be typed after `loops`; arguments may be left out where a page only names a command.
fn judge(rest: &str) -> Result<(), String> {
    let words = words(rest.split(" #").next().unwrap_or_default());
    let placeholder = words
        .iter()
        .any(|word| word.len() > 1 && word.bytes().all(|b| b.is_ascii_uppercase()));
    let typed = std::iter::once("loops".to_owned()).chain(words);
    match grammar().try_get_matches_from(typed) {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Ok(()),
            // All that may stand there, side by side.
            ErrorKind::ArgumentConflict if rest.contains('[') => Ok(()),
            // `COUNT` in place of a number, `SHELL` in place of a name.
            ErrorKind::ValueValidation | ErrorKind::InvalidValue if placeholder => Ok(()),
            kind => Err(kind.to_string()),
        },
    }
}

/// Splits as a shell would, as far as pages need it; the brackets of what is optional fall away.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            '[' | ']' if !quoted => {}
            c if c.is_whitespace() && !quoted => words.extend(Some(std::mem::take(&mut word))),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn a_command_that_is_none_is_told_from_one() {
    assert_eq!(judge("run fix --dry-run"), Ok(()));
    assert_eq!(judge("review [ID]   # all of it"), Ok(()));
    assert_eq!(judge("revise ID \"what should be different\""), Ok(()));
    assert!(judge("run fix --dry-rum").is_err());
    assert!(judge("runn fix").is_err());
    assert!(judge("reject ID --reasons \"why\"").is_err());
}

#[test]
fn every_recipe_that_a_page_names_is_one() {
    let script = fs::read_to_string(root().join("x")).unwrap();
    let recipes: Vec<&str> = script
        .lines()
        .filter_map(|line| line.strip_prefix("    ")?.split_once(')').map(|(name, _)| name))
        .collect();
    let mut seen = Vec::new();
    for page in pages() {
        let (blocks, _) = page.parts();
        let typed = blocks
            .iter()
            .filter(|block| block.language == "sh")
            .flat_map(|block| block.text.lines().map(str::to_owned));
        for code in typed.chain(page.code().into_iter().map(|(_, code)| code)) {
            let Some(name) = code
                .trim()
                .strip_prefix("./x")
                .and_then(|rest| rest.split_whitespace().next())
            else {
                continue;
            };
            assert!(
                recipes.contains(&name),
                "{}: `./x {name}`; the recipes are {recipes:?}",
                page.path
            );
            seen.push(name.to_owned());
        }
    }
    for wanted in ["demo", "test"] {
        assert!(
            seen.iter().any(|name| name == wanted),
            "no page names `./x {wanted}`"
        );
    }
}
