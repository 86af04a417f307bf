//! The service as it ships, built with the tests so that they never meet an older one. Its clock may be turned, and it
//! may be killed at any line that it names in its spans: each statement of the store, each commit, each command of git.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::Write as _,
    path::PathBuf,
    process::ExitCode,
    sync::{Mutex, PoisonError},
};

use loops::time::Timestamp;
use nix::sys::signal::{Signal, kill};
use tracing::{
    Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
};

fn main() -> ExitCode {
    match std::env::args_os()
        .nth(1)
        .as_deref()
        .and_then(|word| word.to_str())
    {
        Some("sandbox-launch") => return workers::sandbox::launch_main(),
        Some("sandbox-tools") => return workers::tools::serve_main(),
        _ => {}
    }
    if let Some(seconds) = said("LOOPS_TEST_LATER").and_then(|text| text.parse().ok()) {
        orchestrator::clock::install(move || now().plus(std::time::Duration::from_secs(seconds)));
    } else if let Some(file) = said("LOOPS_TEST_CLOCK").map(PathBuf::from) {
        orchestrator::clock::install(move || turned(&file));
    }
    if let Some(folder) = said("LOOPS_TEST_POINTS").map(PathBuf::from) {
        let listening = tracing_subscriber::registry()
            .with(Points::read(folder).with_filter(EnvFilter::new("orchestrator=debug,workers=debug")));
        // Nobody else listens: this is the first thing that the program does.
        let _ = tracing::subscriber::set_global_default(listening);
    }
    orchestrator::cli::main()
}

#[expect(clippy::disallowed_methods, reason = "the service knows nothing of this")]
fn said(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Timestamp(0).plus(since)
}

/// The time, and as many milliseconds more (or less) as a file says at this moment.
fn turned(file: &std::path::Path) -> Timestamp {
    let text = fs::read_to_string(file).unwrap_or_default();
    Timestamp(now().0 + text.trim().parse::<i64>().unwrap_or(0))
}

/// The named lines: `orders.DONE<` before a statement, `orders.DONE>` after it; `git.push<`; `transaction.COMMIT>`.
struct Points {
    /// Where those that were met are written down, and the one that killed us.
    folder: PathBuf,
    /// Those that kill.
    deadly: BTreeSet<String>,
    /// The how-manyeth from here kills, whatever its name.
    countdown: Mutex<Option<u64>>,
    met: Mutex<BTreeSet<String>>,
}

/// What a span is called, kept with it.
struct Name(String);

impl Points {
    fn read(folder: PathBuf) -> Self {
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        let lines = |name: &str| read(name).lines().map(str::to_owned).collect::<BTreeSet<_>>();
        // At each of them once.
        let deadly = lines("deadly").difference(&lines("died")).cloned().collect();
        Self {
            deadly,
            countdown: Mutex::new(read("countdown").trim().parse().ok()),
            met: Mutex::default(),
            folder,
        }
    }

    fn meet(&self, name: &str) {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if met.insert(name.to_owned()) {
            self.note("met", name);
        }
        let mut countdown = self.countdown.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = match &mut *countdown {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        };
        if counted || self.deadly.contains(name) {
            self.note("died", name);
            let _ = kill(nix::unistd::getpid(), Signal::SIGKILL);
            // It comes at once; nothing is to happen before it does.
            loop {
                std::thread::park();
            }
        }
    }

    fn note(&self, file: &str, name: &str) {
        let opened = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join(file));
        if let Ok(mut file) = opened {
            let _ = writeln!(file, "{name}");
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Points {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut words = Words::default();
        attributes.record(&mut words);
        let name = match attributes.metadata().name() {
            "query" => words.0.join("."),
            "git" => format!("git.{}", words.0.join(".")),
            _ => return,
        };
        self.meet(&format!("{name}<"));
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Name(name));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if let Some(span) = context.span(&id)
            && let Some(Name(name)) = span.extensions().get()
        {
            self.meet(&format!("{name}>"));
        }
    }
}

/// The words of a span's fields, in order.
#[derive(Default)]
struct Words(Vec<String>);

impl Visit for Words {
    fn record_str(&mut self, _field: &Field, value: &str) {
        self.0.push(value.to_owned());
    }

    fn record_debug(&mut self, _field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push(format!("{value:?}"));
    }
}
