//! Checks of what holds the work in and what proves it: sandbox, setup, boundaries, checks, budget.

use std::{collections::HashSet, time::Duration};

use super::{Finds, forms};
use crate::spec::{Boundaries, CheckCommand, LoopSpec, Sandbox};

/// No program that does anything fits into less.
const LEAST_MEMORY: u64 = 64 << 20;
/// No workspace fits into less.
const LEAST_DISK: u64 = 64 << 20;
const HOST: &str = "this is no host's name, like `registry.example.com` or `*.example.com:8443`; no scheme, no path, no address";

pub(super) fn check(spec: &LoopSpec, finds: &mut Finds<'_>) {
    if let Sandbox::Limits(limits) = &spec.sandbox {
        finds.expect(
            limits.memory.0 >= LEAST_MEMORY,
            "sandbox.memory",
            "this must be at least `64MiB`",
        );
        finds.expect(
            (1..=1024).contains(&limits.cpus),
            "sandbox.cpus",
            "this must be between 1 and 1024",
        );
        finds.expect(
            limits.disk.0 >= LEAST_DISK,
            "sandbox.disk",
            "this must be at least `64MiB`",
        );
        let image = limits.image.as_deref();
        finds.expect(
            image.is_none_or(is_command),
            "sandbox.image",
            "an image's name is needed",
        );
    }
    if let Some(setup) = &spec.setup {
        finds.expect(is_command(&setup.run), "setup.run", "a command is needed");
        finds.each("setup.network", &setup.network, forms::is_host, HOST);
        finds.expect(
            is_long_enough(setup.timeout.0),
            "setup.timeout",
            "this must be at least `1s`",
        );
    }
    boundaries(&spec.boundaries, finds);
    finds.each("checks.network", &spec.checks.network, forms::is_host, HOST);
    let mut names = HashSet::new();
    for (i, command) in spec.checks.commands.iter().enumerate() {
        check_command(command, &format!("checks.commands[{i}]"), finds);
        if !names.insert(command.name.as_str()) {
            let message = format!(
                "another check is called `{}`; each needs a name of its own",
                command.name
            );
            finds.add(&format!("checks.commands[{i}].name"), message);
        }
    }
    budget(spec, finds);
}

fn boundaries(boundaries: &Boundaries, finds: &mut Finds<'_>) {
    finds.expect(
        !boundaries.write.is_empty(),
        "boundaries.write",
        "with nothing to write, no change is possible",
    );
    finds.globs("boundaries.write", &boundaries.write);
    finds.globs("boundaries.deny", &boundaries.deny);
    finds.expect(
        boundaries.max_files >= 1,
        "boundaries.max_files",
        "this must be at least 1",
    );
    finds.expect(
        boundaries.max_lines >= 1,
        "boundaries.max_lines",
        "this must be at least 1",
    );
    finds.each("boundaries.network", &boundaries.network, forms::is_host, HOST);
    let is_glob = |text: &str| is_command(text) && globset::Glob::new(text).is_ok();
    finds.each(
        "boundaries.commands.deny",
        &boundaries.commands.deny,
        is_glob,
        "this is not a glob, like `git push*`",
    );
}

fn check_command(command: &CheckCommand, path: &str, finds: &mut Finds<'_>) {
    let named = !command.name.trim().is_empty()
        && command.name.chars().count() <= 63
        && !command.name.chars().any(char::is_control);
    finds.expect(
        named,
        &format!("{path}.name"),
        "a name of at most 63 characters is needed",
    );
    finds.expect(
        is_command(&command.run),
        &format!("{path}.run"),
        "a command is needed",
    );
    if let Some(why) = command.junit.as_deref().and_then(forms::not_a_glob) {
        finds.add(&format!("{path}.junit"), why);
    }
    finds.expect(
        is_long_enough(command.timeout.0),
        &format!("{path}.timeout"),
        "this must be at least `1s`",
    );
}

fn budget(spec: &LoopSpec, finds: &mut Finds<'_>) {
    let budget = &spec.budget;
    if finds.is_doubtful("budget.run") {
        return;
    }
    if budget.task > budget.run {
        let message = format!(
            "a task may spend {}, more than its whole run ({})",
            budget.task, budget.run
        );
        finds.add("budget.task", message);
    }
    if budget.run > budget.day && !finds.is_doubtful("budget.day") {
        let message = format!(
            "a run may spend {}, more than the whole day ({})",
            budget.run, budget.day
        );
        finds.add("budget.run", message);
    }
    if let Some(month) = budget.month.filter(|month| budget.day > *month)
        && !finds.is_doubtful("budget.day")
    {
        let message = format!(
            "a day may spend {}, more than the whole month ({month})",
            budget.day
        );
        finds.add("budget.day", message);
    }
}

fn is_command(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains('\0')
}

fn is_long_enough(time: Duration) -> bool {
    time >= Duration::from_secs(1)
}
