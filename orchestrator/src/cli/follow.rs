//! Shows a run while it goes on: bars on a terminal, plain lines elsewhere. All of it on standard error.

use std::{collections::BTreeMap, io::IsTerminal, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use loops::{id::TaskId, text::one_line};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;
use workers::order::{TodoItem, TodoState};

use super::Out;
use crate::engine::Progress;

/// Cancels at the first Ctrl-C or SIGTERM; at the second one the process ends at once.
pub(super) async fn interrupt(cancel: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    for round in 0.. {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        if round > 0 {
            std::process::exit(130);
        }
        cancel.cancel();
    }
}

/// Shows what comes in until nobody is left to tell.
pub(super) fn show(out: Out, mut inbox: Receiver<Progress>) -> impl Future<Output = ()> {
    let shower = tokio::spawn(async move {
        let mut screen = Screen::new(out);
        loop {
            match inbox.recv().await {
                Ok(progress) => screen.take(progress),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            }
        }
        screen.clear();
    });
    async move {
        let _ = shower.await;
    }
}

struct Screen {
    out: Out,
    bars: Option<MultiProgress>,
    tasks: BTreeMap<TaskId, Line>,
    lead: Option<ProgressBar>,
    spend: Option<ProgressBar>,
    last: String,
}

struct Line {
    number: u32,
    title: String,
    bar: Option<ProgressBar>,
    todo: String,
    doing: String,
}

impl Screen {
    fn new(out: Out) -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self {
            out,
            bars,
            tasks: BTreeMap::new(),
            lead: None,
            spend: None,
            last: String::new(),
        }
    }

    fn say(&mut self, line: String) {
        if line == self.last {
            return;
        }
        match &self.bars {
            Some(bars) => drop(bars.println(&line)),
            None => self.out.note(&line),
        }
        self.last = line;
    }

    fn bar(&self) -> Option<ProgressBar> {
        let bar = self.bars.as_ref()?.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:.bold} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Some(bar)
    }

    fn take(&mut self, progress: Progress) {
        match progress {
            Progress::Run { id, resumed: true } => self.say(format!("{} goes on", id.short())),
            Progress::Run { id, resumed: false } => self.say(format!("{} begins", id.short())),
            Progress::Read { source, new, skipped } => {
                self.say(format!("collect   {source}: {new} new"));
                for line in skipped {
                    self.say(format!("          skipped {line}"));
                }
            }
            Progress::Findings { ready, all } => {
                self.say(format!(
                    "triage    {} to work on, {all} known",
                    super::report::count(u32::try_from(ready.len()).unwrap_or(0), "finding")
                ));
                for (at, finding) in ready.iter().enumerate() {
                    self.say(format!(
                        "          F{} {:>5.1}  {}, {}  {}",
                        at + 1,
                        finding.score.total,
                        super::report::count(finding.signals, "signal"),
                        super::report::people(finding.reporters),
                        one_line(&finding.title, 70)
                    ));
                }
            }
            Progress::Lead { doing } => self.lead(&doing),
            Progress::Task { id, number, title } => {
                self.say(format!("task      T{number} {title}"));
                let bar = self.bar();
                if let Some(bar) = &bar {
                    bar.set_prefix(format!("T{number}"));
                }
                self.tasks.entry(id).or_insert(Line {
                    number,
                    title,
                    bar,
                    todo: String::new(),
                    doing: String::new(),
                });
            }
            Progress::Doing { id, doing } => self.doing(id, doing),
            Progress::Todo { id, items } => {
                if let Some(line) = self.tasks.get_mut(&id) {
                    line.todo = todo(&items);
                    line.refresh();
                }
            }
            Progress::Settled { id, how, well } => {
                let number = self.tasks.get(&id).map_or(0, |line| line.number);
                let sign = if well { "✓" } else { "✗" };
                self.say(format!("{sign} T{number}      {how}"));
            }
            Progress::Spent {
                money,
                usage,
                rehearsed,
            } => {
                if self.spend.is_none() {
                    self.spend = self.bar();
                }
                if let Some(bar) = &self.spend {
                    let how = if rehearsed {
                        " (rehearsed: nothing is bought)"
                    } else {
                        ""
                    };
                    bar.set_prefix("spent");
                    bar.set_message(format!(
                        "{money}, {} tokens in, {} out{how}",
                        usage.all_input(),
                        usage.output_tokens
                    ));
                }
            }
            Progress::Note { text } => self.say(format!("note      {text}")),
        }
    }

    fn lead(&mut self, doing: &str) {
        if self.bars.is_none() {
            return self.say(format!("lead      {}", one_line(doing, 100)));
        }
        if self.lead.is_none() {
            self.lead = self.bar();
        }
        if let Some(bar) = &self.lead {
            bar.set_prefix("lead");
            bar.set_message(one_line(doing, 100));
        }
    }

    fn doing(&mut self, id: TaskId, doing: String) {
        let Some(line) = self.tasks.get_mut(&id) else {
            return;
        };
        if line.bar.is_some() {
            line.doing = doing;
            return line.refresh();
        }
        let number = line.number;
        self.say(format!("          T{number} {doing}"));
    }

    fn clear(self) {
        if let Some(bars) = self.bars {
            let _ = bars.clear();
        }
    }
}

impl Line {
    fn refresh(&self) {
        if let Some(bar) = &self.bar {
            let todo = if self.todo.is_empty() {
                String::new()
            } else {
                format!("  [{}]", self.todo)
            };
            bar.set_message(format!(
                "{}  {}{todo}",
                one_line(&self.title, 40),
                one_line(&self.doing, 60)
            ));
        }
    }
}

fn todo(items: &[TodoItem]) -> String {
    let done = items
        .iter()
        .filter(|item| matches!(item.state, TodoState::Done | TodoState::Dropped))
        .count();
    let now = items
        .iter()
        .find(|item| item.state == TodoState::Doing)
        .map(|item| one_line(&item.text, 40));
    format!("{done}/{} {}", items.len(), now.unwrap_or_default())
        .trim_end()
        .to_owned()
}
