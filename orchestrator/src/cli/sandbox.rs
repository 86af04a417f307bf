//! `loops sandbox -- CMD`: one command in this folder as an agent's would run, and what such a sandbox is. Nothing is
//! kept of it, and it needs neither settings nor state.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use loops::{
    spec::{Sandbox as Choice, SandboxLimits},
    text::plain,
};
use workers::sandbox::{Policy, Sandbox, Shown};

use super::{CliError, Context, Exit, Format, Out};

/// Run a command as an agent's would run, here, by hand.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Say what the sandbox is: every file, limit and gap
    #[arg(long)]
    policy: bool,
    /// Take the limits of this loop [default: those of a loop that names none]
    #[arg(long = "loop", value_name = "NAME")]
    of: Option<String>,
    /// Let it write in this folder; else it only reads here
    #[arg(long)]
    write: bool,
    /// The command and its arguments
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

pub(super) async fn sandbox(context: &Context, args: Args) -> Result<Exit, CliError> {
    if args.command.is_empty() && !args.policy {
        return Err(CliError::usage("no command was named")
            .todo("`loops sandbox -- sh -c 'ls; id'`, or `loops sandbox --policy`"));
    }
    let limits = match &args.of {
        None => Some(SandboxLimits::default()),
        Some(name) => match &context.definition(&context.config()?, name).await?.spec.sandbox {
            Choice::None => None,
            Choice::Limits(limits) => Some(limits.clone()),
        },
    };
    let here =
        std::env::current_dir().map_err(|error| CliError::new("this folder cannot be found").why(error))?;
    let scratch = tempfile::tempdir()
        .map_err(|error| CliError::new("no folder could be made for its home").why(error))?;
    let policy = Policy {
        workspace: here,
        layers: None,
        writable: args.write,
        mirror_objects: None,
        relay: None,
        limits,
        scratch: scratch.path().to_owned(),
        env: BTreeMap::new(),
    };
    let sandbox = find(policy.limits.is_none())?;
    if args.policy {
        print(context.out, &sandbox.show(&policy));
    }
    if args.command.is_empty() {
        return Ok(Exit::Done);
    }
    let ran = sandbox
        .attend(&policy, &args.command)
        .await
        .map_err(|error| CliError::new(error.to_string()).todo("`loops doctor` says what is missing"))?;
    if let Some(limit) = ran.stopped {
        return Err(CliError::new(format!("it was stopped: {limit}")));
    }
    match ran.exit_code {
        Some(0) => Ok(Exit::Done),
        Some(code) => Err(CliError::new(format!("it ended with exit code {code}"))),
        None => Err(CliError::new("it was ended")),
    }
}

fn find(without: bool) -> Result<Sandbox, CliError> {
    let helper: PathBuf = std::env::current_exe().map_err(|error| {
        CliError::new("our own program cannot be found")
            .why(error)
            .todo("start `loops` by its full path")
    })?;
    if without {
        return Ok(Sandbox::without(helper));
    }
    Sandbox::find(helper).map_err(|error| CliError::new(error.to_string()))
}

/// Prints what a sandbox is.
pub(super) fn print(out: Out, shown: &Shown) {
    if out.format == Format::Json {
        out.json(shown);
        return;
    }
    lines(shown).iter().for_each(|line| out.line(line));
}

fn lines(shown: &Shown) -> Vec<String> {
    let list = |words: &[String]| {
        if words.is_empty() {
            "nothing".to_owned()
        } else {
            plain(&words.join(", "))
        }
    };
    let mut all = vec![
        format!("sandbox      {}", plain(&shown.sandbox)),
        format!("user         {}", plain(&shown.user)),
        format!("network      {}", list(&shown.network)),
        format!("environment  {}", list(&shown.environment)),
    ];
    for limit in &shown.limits {
        let (of, most, by) = (plain(&limit.of), plain(&limit.most), plain(&limit.by));
        all.push(format!("limit        {of:<10} {most:>8}  by {by}"));
    }
    for file in &shown.files {
        let (path, from) = (
            plain(&file.path.to_string_lossy()),
            plain(&file.from.to_string_lossy()),
        );
        let right = if file.writable { "rw" } else { "ro" };
        let origin = if path == from {
            String::new()
        } else {
            format!("  from {from}")
        };
        all.push(format!("file         {right} {path}{origin}"));
    }
    all.push(format!(
        "second wall  writes only beneath {}",
        list(&shown.second_wall)
    ));
    all.push(format!("denied       {}", list(&shown.denied_calls)));
    all.extend(
        shown
            .caveats
            .iter()
            .map(|caveat| format!("caveat       {}", plain(caveat))),
    );
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use workers::sandbox::{ShownFile, ShownLimit};

    #[test]
    fn a_policy_is_told_line_by_line_and_cannot_steer_a_terminal() {
        let shown = Shown {
            sandbox: "bubblewrap".into(),
            user: "1900000001".into(),
            files: vec![
                ShownFile {
                    path: "/usr".into(),
                    from: "/usr".into(),
                    writable: false,
                },
                ShownFile {
                    path: "/workspace".into(),
                    from: "/x/\u{1b}[31m".into(),
                    writable: true,
                },
            ],
            network: vec![],
            environment: vec!["HOME".into(), "PATH".into()],
            limits: vec![ShownLimit {
                of: "memory".into(),
                most: "4GiB".into(),
                by: "a control group (v2)".into(),
            }],
            denied_calls: vec!["mount".into()],
            second_wall: vec!["/tmp".into()],
            caveats: vec!["disk use is measured".into()],
        };
        let text = lines(&shown).join("\n");
        assert!(!text.contains('\u{1b}'));
        for line in [
            "network      nothing",
            "limit        memory         4GiB  by a control group (v2)",
            "file         ro /usr\n",
            "file         rw /workspace  from /x/",
            "caveat       disk use is measured",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
