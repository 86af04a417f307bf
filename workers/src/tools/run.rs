//! The tool `run`: a shell command with a time and an output limit, in a process group that is killed at its end.

use std::{
    io::{PipeReader, Read as _},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use globset::{Glob, GlobSet, GlobSetBuilder};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde_json::Value;

use super::{Answer, files::Place, input::Input};
use crate::sandbox::Gathered;

/// The most that is shown of a command's output, in bytes.
const OUTPUT: usize = 30_000;
/// How long the output of whoever has left the process group is waited for.
const LATE: Duration = Duration::from_millis(300);

/// Commands that are refused. Advice for a model that errs, no wall: what holds is the sandbox.
#[derive(Debug, Clone)]
pub(super) struct Denied {
    globs: Vec<String>,
    set: GlobSet,
}

impl Denied {
    pub(super) fn new(globs: &[String]) -> Result<Self, globset::Error> {
        let mut set = GlobSetBuilder::new();
        for glob in globs {
            set.add(Glob::new(glob)?);
        }
        Ok(Self {
            globs: globs.to_vec(),
            set: set.build()?,
        })
    }

    /// The glob that a command line, or one of the commands in it, falls under.
    fn refuses(&self, line: &str) -> Option<&str> {
        let parts = line.split(['\n', ';', '&', '|', '(', ')', '`', '{', '}']);
        let spaced = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut all = std::iter::once(line)
            .chain(parts)
            .map(spaced)
            .filter(|part| !part.is_empty());
        let hit = all.find_map(|part| self.set.matches(without_prefix(&part)).first().copied());
        hit.and_then(|at| self.globs.get(at)).map(String::as_str)
    }
}

/// A command without what may stand before its name: `sudo`, `env`, `A=b` …
fn without_prefix(command: &str) -> &str {
    let (first, rest) = command.split_once(' ').unwrap_or((command, ""));
    let before = matches!(
        first,
        "sudo" | "env" | "exec" | "time" | "nohup" | "command" | "then" | "do" | "else" | "!"
    ) || first
        .split_once('=')
        .is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    if before && !rest.is_empty() {
        without_prefix(rest)
    } else {
        command
    }
}

/// The tool `run`.
pub(super) fn run(place: &Place, denied: &Denied, input: &Value) -> Answer {
    let input = Input::of("run", input, &["command", "timeout_s"])?;
    let line = input.text("command")?;
    let seconds = input.number("timeout_s", 120, 1, 600)?;
    if line.trim().is_empty() {
        return Err("`command` is empty".into());
    }
    if let Some(glob) = denied.refuses(line) {
        return Err(format!("this command is not allowed here: it matches `{glob}`"));
    }
    execute(place, line, Duration::from_secs(seconds as u64))
        .map_err(|error| format!("the shell could not be started: {error}"))?
}

fn execute(place: &Place, line: &str, timeout: Duration) -> std::io::Result<Answer> {
    let began = Instant::now();
    let (reader, writer) = std::io::pipe()?;
    let mut command = Command::new("/bin/sh");
    command
        .arg("-c")
        .arg(line)
        .current_dir(place.root())
        .process_group(0);
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut child = command.spawn()?;
    // The command holds the pipe's other end, and would keep it open.
    drop(command);
    let group = Group(i32::try_from(child.id()).ok().map(Pid::from_raw));
    let output = Arc::new(Mutex::new(Gathered::new(OUTPUT)));
    let read_all = gather(reader, output.clone());
    let (ended, end) = mpsc::sync_channel(1);
    std::thread::spawn(move || ended.send(child.wait()));
    let status = match end.recv_timeout(timeout) {
        Ok(status) => Some(status?),
        Err(_) => None,
    };
    drop(group);
    // Daemons may hold the pipe longer; what they say is not waited for.
    let _ = read_all.recv_timeout(LATE);
    let gathered = std::mem::replace(
        &mut *output.lock().unwrap_or_else(PoisonError::into_inner),
        Gathered::new(0),
    );
    let (mut text, _) = gathered.text();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(match status {
        None => Err(format!("{text}[stopped after {} s]", timeout.as_secs())),
        Some(status) if status.success() => {
            text.push_str(&format!("[exit code 0, {:.1} s]", began.elapsed().as_secs_f32()));
            Ok(text)
        }
        Some(status) => Err(match status.signal() {
            Some(signal) => format!("{text}[ended by signal {signal}]"),
            None => format!("{text}[exit code {}]", status.code().unwrap_or_default()),
        }),
    })
}

/// Reads in the background; the receiver hears of the end.
fn gather(mut reader: PipeReader, into: Arc<Mutex<Gathered>>) -> mpsc::Receiver<()> {
    let (ended, end) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            into.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(&buffer[..count]);
        }
        // Whoever waited may have gone.
        let _ = ended.send(());
    });
    end
}

/// A process group that is killed when this is dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // An error says that nobody is left.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ran(input: &Value) -> Answer {
        let folder = tempfile::tempdir().unwrap();
        let denied = Denied::new(&["git push*".into(), "rm -rf /".into()]).unwrap();
        run(&Place::new(folder.path().to_owned()), &denied, input)
    }

    #[test]
    fn output_of_both_streams_comes_in_order_with_the_exit_code() {
        let text = ran(&json!({"command": "echo a; echo b >&2; echo c"})).unwrap();
        assert!(text.starts_with("a\nb\nc\n[exit code 0, "), "{text}");
        assert_eq!(
            ran(&json!({"command": "printf no; exit 3"})).unwrap_err(),
            "no\n[exit code 3]"
        );
        assert_eq!(
            ran(&json!({"command": "kill -9 $$"})).unwrap_err(),
            "[ended by signal 9]"
        );
    }

    #[test]
    fn a_command_ends_with_its_time_and_takes_its_children_along() {
        let began = Instant::now();
        let text = ran(&json!({"command": "sleep 61 & echo $!; sleep 61", "timeout_s": 1})).unwrap_err();
        let (child, rest) = text.split_once('\n').unwrap();
        assert_eq!(rest, "[stopped after 1 s]");
        let stat = format!("/proc/{child}/stat");
        // Killed, it is there until somebody has asked for its exit code.
        let alive = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        while alive() {
            assert!(began.elapsed() < Duration::from_secs(20), "the child lives on");
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_stays_in_the_background_is_not_waited_for() {
        let began = Instant::now();
        assert!(
            ran(&json!({"command": "sleep 60 & echo started"}))
                .unwrap()
                .starts_with("started\n")
        );
        assert!(
            ran(&json!({"command": "setsid sleep 3 & echo started"}))
                .unwrap()
                .starts_with("started\n")
        );
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn denied_commands_are_refused_wherever_they_stand_in_the_line() {
        for line in [
            "git push",
            "git  push origin main",
            "cd x && git push -f",
            "A=1 sudo git push",
            "echo $(git push)",
            "true; git push",
            "if true; then git push; fi",
            "git status | git push",
        ] {
            let error = ran(&json!({ "command": line })).unwrap_err();
            assert_eq!(
                error, "this command is not allowed here: it matches `git push*`",
                "{line}"
            );
        }
        assert!(ran(&json!({"command": "echo git push"})).is_ok());
    }

    #[test]
    fn a_long_output_loses_its_middle() {
        let text = ran(&json!({"command": "seq 1 100000"})).unwrap();
        assert!(text.len() < OUTPUT + 200 && text.starts_with("1\n2\n") && text.contains("bytes cut out"));
        assert!(text.contains("\n100000\n"));
    }
}
