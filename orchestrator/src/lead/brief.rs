//! What the lead agent is told at the beginning.

use std::sync::Arc;

use loops::{id::FindingId, library};

use crate::{
    engine::{
        EngineError, Running,
        brief::{SAID_IN_PRIVATE, warning},
    },
    store::{findings, handed, signals},
};

/// How many bytes of a finding's first report stand in the brief; the rest is there for the asking.
const QUOTED: usize = 400;

/// How many findings are told of at once; the rest is there for the asking.
pub(super) const PAGE: usize = 100;

/// What there is to do, and by whom.
pub(super) async fn brief(running: &Arc<Running>) -> Result<String, EngineError> {
    let store = &running.engine.home.store;
    let spec = running.spec();
    let handed = handed::of_run(store, running.id).await?;
    let mut text = format!("The loop `{}` has run. Its findings, best first:\n", spec.name);
    text.push_str(&page(running, &handed, 0).await?);
    text.push_str(&format!(
        "\nKinds of workers: {}. Budget of the run: {}.",
        spec.workers.keys().cloned().collect::<Vec<_>>().join(", "),
        spec.budget.run.0
    ));
    if let Some(prompt) = &spec.prompt {
        text.push_str(&format!(
            "\n\nWhat the loop is for, in its owner's words:\n{prompt}\n"
        ));
    }
    if spec.proposal.plans_first() {
        text.push_str("\nTasks of this loop wait for a person's approval before any worker begins. Spawn what you would have done, with words that a person can judge, and finish without waiting for outcomes.\n");
    }
    if spec.proposal.reports_only() {
        text.push_str("\nThis loop reports only: no task can be spawned. Finish with a report of what is wrong and where.\n");
    }
    Ok(text)
}

/// Findings with their names F1, F2 …, from the one after `offset`; and where the rest is to be read.
pub(super) async fn page(
    running: &Running,
    handed: &[FindingId],
    offset: usize,
) -> Result<String, EngineError> {
    let store = &running.engine.home.store;
    let mut text = String::new();
    for (at, id) in handed.iter().enumerate().skip(offset).take(PAGE) {
        let Some(kept) = findings::get(store, *id).await? else {
            continue;
        };
        let finding = kept.finding;
        let parts: Vec<String> = finding
            .score
            .parts
            .iter()
            .map(|(name, part)| format!("{name} {part:.1}"))
            .collect();
        text.push_str(&format!(
            "\nF{}: {} signals, {} people, first {}, last {}; score {:.1} ({})\n",
            at + 1,
            finding.signals,
            finding.reporters,
            finding.first_at,
            finding.last_at,
            finding.score.total,
            parts.join(", ")
        ));
        text.push_str(&library::untrusted("the finding's title", &finding.title));
        text.push('\n');
        if let Some(asked) = running.question_about(*id).await? {
            text.push_str("its reporters were asked, once and for all; their answer is among its signals:\n");
            text.push_str(&library::untrusted("what was asked", &asked));
            text.push('\n');
        }
        if let Some(first) = signals::of_finding(store, *id, 1).await?.first() {
            let words: String = first.signal.text.chars().take(QUOTED).collect();
            text.push_str(&warning(first));
            if first.signal.private {
                text.push_str(SAID_IN_PRIVATE);
            }
            text.push_str(&library::untrusted("its first report", &words));
            text.push('\n');
        }
    }
    let next = offset.saturating_add(PAGE);
    let left = handed.len().saturating_sub(next);
    if left > 0 {
        text.push_str(&format!(
            "\n{left} more; `findings` with `offset` {next} goes on\n"
        ));
    }
    Ok(text)
}
