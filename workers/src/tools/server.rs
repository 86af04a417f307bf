//! `loops sandbox-tools`: the tool server inside the sandbox. Lines of JSON in, lines of JSON out, one thread a call.
//! It ends with its input.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Condvar, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Answer, edit,
    files::{self, Place},
    find, run,
    run::Denied,
    search,
};

/// How many calls are carried out at once; more wait.
const AT_ONCE: usize = 8;
/// The longest call that is read, in bytes.
pub(super) const LONGEST_CALL: u64 = 16 << 20;
/// The id of the line that says that the server is there.
pub(super) const READY: u64 = 0;

/// What the server is told on its command line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    /// The workspace as it is seen from here.
    pub(super) root: PathBuf,
    /// Whether only tools that change nothing are served.
    pub(super) read_only: bool,
    /// Globs of commands that are refused.
    pub(super) deny: Vec<String>,
}

/// A call.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) id: u64,
    pub(super) tool: String,
    pub(super) input: Value,
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) id: u64,
    pub(super) ok: bool,
    pub(super) text: String,
}

struct Served {
    place: Place,
    denied: Denied,
    read_only: bool,
}

/// `loops sandbox-tools SETTINGS`: serves until its input ends.
#[must_use]
pub fn serve_main() -> ExitCode {
    // So that no other process in the sandbox may look into this one or speak in its name.
    let hidden = nix::sys::prctl::set_dumpable(false);
    match settings().and_then(|settings| hidden.map(|()| settings).map_err(|error| error.to_string())) {
        Ok(served) => {
            serve(&Arc::new(served));
            ExitCode::SUCCESS
        }
        Err(error) => {
            // If nobody reads it, the exit code still says it.
            let _ = writeln!(std::io::stderr(), "loops: the tool server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn settings() -> Result<Served, String> {
    let text = std::env::args()
        .nth(2)
        .ok_or("called wrongly; it is for the service's own use")?;
    let settings: Settings = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let denied = Denied::new(&settings.deny).map_err(|error| error.to_string())?;
    Ok(Served {
        place: Place::new(settings.root),
        denied,
        read_only: settings.read_only,
    })
}

fn serve(served: &Arc<Served>) {
    reply(&Reply {
        id: READY,
        ok: true,
        text: String::new(),
    });
    let places = Arc::new((Mutex::new(AT_ONCE), Condvar::new()));
    let mut input = BufReader::new(std::io::stdin().lock());
    loop {
        let mut line = vec![];
        match input.by_ref().take(LONGEST_CALL).read_until(b'\n', &mut line) {
            Ok(1..) if line.ends_with(b"\n") => {}
            // The end, or a call that is too long, which our own side does not make.
            _ => return,
        }
        let Ok(call) = serde_json::from_slice::<Call>(&line) else {
            return;
        };
        take_place(&places);
        let (served, places) = (served.clone(), places.clone());
        std::thread::spawn(move || {
            let answer = served.carry_out(&call.tool, &call.input);
            let ok = answer.is_ok();
            reply(&Reply {
                id: call.id,
                ok,
                text: answer.unwrap_or_else(|error| error),
            });
            *places.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            places.1.notify_one();
        });
    }
}

fn take_place(places: &(Mutex<usize>, Condvar)) {
    let free = places.0.lock().unwrap_or_else(PoisonError::into_inner);
    let mut free = places
        .1
        .wait_while(free, |free| *free == 0)
        .unwrap_or_else(PoisonError::into_inner);
    *free -= 1;
}

fn reply(reply: &Reply) {
    let Ok(mut line) = serde_json::to_vec(reply) else {
        return;
    };
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    // If nobody reads any more, the input has ended, too.
    let _ = out.write_all(&line).and_then(|()| out.flush());
}

impl Served {
    fn carry_out(&self, tool: &str, input: &Value) -> Answer {
        match tool {
            "read" => files::read(&self.place, input),
            "search" => search::search(&self.place, input),
            "list" => find::list(&self.place, input),
            "edit" | "write" | "run" if self.read_only => {
                Err(format!("`{tool}` is not available: the workspace is read-only"))
            }
            "edit" => edit::edit(&self.place, input),
            "write" => edit::write(&self.place, input),
            "run" => run::run(&self.place, &self.denied, input),
            other => {
                let other: String = other.chars().take(60).collect();
                Err(format!(
                    "there is no tool `{other}`; there are: read, search, list, edit, write, run"
                ))
            }
        }
    }
}
