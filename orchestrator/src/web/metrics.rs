//! Figures for a monitor, in the text format of Prometheus (prometheus.io, "Exposition formats"). They are counted when
//! somebody asks; nothing is kept for it, and nobody's words are in them.

use std::fmt::Write as _;

use axum::{extract::State, http::StatusCode};

use crate::engine::{self, EngineError, Home};

/// Labels are escaped as the format wants it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// A page of figures.
#[derive(Default)]
struct Page(String);

impl Page {
    fn about(&mut self, name: &str, kind: &str, help: &str) {
        // Into a string, which does not fail.
        let _ = write!(self.0, "# HELP loops_{name} {help}\n# TYPE loops_{name} {kind}\n");
    }

    fn figure(&mut self, name: &str, label: Option<(&str, &str)>, value: impl std::fmt::Display) {
        let label = label.map_or_else(String::new, |(key, value)| {
            format!("{{{key}=\"{}\"}}", escaped(value))
        });
        let _ = writeln!(self.0, "loops_{name}{label} {value}");
    }

    fn counts(&mut self, name: &str, help: &str, counts: &[(String, u64)]) {
        self.about(name, "gauge", help);
        for (state, count) in counts {
            self.figure(name, Some(("state", state)), count);
        }
    }
}

/// All figures now.
///
/// # Errors
/// If the store cannot be read.
pub(super) async fn page(home: &Home) -> Result<String, EngineError> {
    let figures = crate::store::figures::look(&home.store).await?;
    let mut page = Page::default();
    page.counts("runs", "Runs by phase.", &figures.runs);
    page.counts("orders", "Orders of attempts by state.", &figures.orders);
    page.counts("proposals", "Proposals by state.", &figures.proposals);
    page.counts("outbox", "Effects on GitHub and Slack by state.", &figures.outbox);
    page.about("spent_usd_total", "counter", "What calls of models cost, ever.");
    page.figure("spent_usd_total", None, figures.spent.as_usd());
    page.about(
        "loop_missed_ticks",
        "gauge",
        "Ticks that left no receipt though they were due: somebody should look.",
    );
    let silent = engine::silent_loops(&home.store).await?;
    for (name, ticks) in &silent {
        page.figure("loop_missed_ticks", Some(("loop", name)), ticks);
    }
    page.about("loops_overdue", "gauge", "How many loops are silent.");
    page.figure(
        "loops_overdue",
        None,
        silent.iter().filter(|(_, ticks)| *ticks > 0).count(),
    );
    if let Some(free) = home.disk.free() {
        page.about(
            "disk_free_bytes",
            "gauge",
            "What is free where the state folder is.",
        );
        page.figure("disk_free_bytes", None, free);
    }
    page.about(
        "disk_short",
        "gauge",
        "1: nothing new is begun, for the disk has too little room.",
    );
    page.figure("disk_short", None, u8::from(home.disk.short().is_some()));
    Ok(page.0)
}

pub(super) async fn metrics(State(home): State<Home>) -> Result<String, StatusCode> {
    page(&home).await.map_err(|error| {
        tracing::warn!(%error, "figures could not be counted");
        StatusCode::SERVICE_UNAVAILABLE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_break_out_of_its_line() {
        let mut page = Page::default();
        page.figure("x", Some(("loop", "a\"} 1\nloops_y 2")), 3);
        assert_eq!(page.0, "loops_x{loop=\"a\\\"} 1\\nloops_y 2\"} 3\n");
    }
}
